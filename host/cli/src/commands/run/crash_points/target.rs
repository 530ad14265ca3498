//! The points around what an outbox asks of its target.

use super::CrashPoint;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::outbox::{Atomicity, ChunkBounds, OutboxOwner, OutboxSession, OutboxTarget};
use weir_engine::runtime::ConnectorIo;
use weir_engine::{EngineError, RecordBatch};

/// A target that ends the process around one of its calls.
pub(super) struct CrashingTarget {
    inner: Arc<dyn OutboxTarget>,
    point: Arc<CrashPoint>,
}

struct CrashingSession {
    inner: Box<dyn OutboxSession>,
    point: Arc<CrashPoint>,
}

impl CrashingTarget {
    pub(super) fn new(inner: Arc<dyn OutboxTarget>, point: Arc<CrashPoint>) -> Self {
        Self { inner, point }
    }
}

impl OutboxTarget for CrashingTarget {
    fn connector(&self) -> &'static str {
        self.inner.connector()
    }

    fn identity(&self) -> serde_json::Value {
        self.inner.identity()
    }

    fn chunk_bounds(&self) -> ChunkBounds {
        self.inner.chunk_bounds()
    }

    fn max_unpublished(&self) -> Option<u64> {
        self.inner.max_unpublished()
    }

    fn atomicity(&self) -> Atomicity {
        self.inner.atomicity()
    }

    fn spans_checkpoints(&self) -> bool {
        self.inner.spans_checkpoints()
    }

    fn admit(&self, records: &RecordBatch) -> Result<(), EngineError> {
        self.inner.admit(records)
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        async move {
            let inner = self.point.around("take-over", self.inner.take_over(owner, io)).await?;
            Ok(Box::new(CrashingSession { inner, point: self.point.clone() }) as Box<dyn OutboxSession>)
        }
        .boxed()
    }
}

impl OutboxSession for CrashingSession {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        self.point.around("read-marker", self.inner.marker(key)).boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        self.point.around("set-marker", self.inner.set_marker(key, marker)).boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        self.point.around("publish", self.inner.publish(key, records, marker)).boxed()
    }
}
