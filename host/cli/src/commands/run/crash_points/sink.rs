//! The points around the two phases of a sink's commit.

use super::CrashPoint;
use super::target::CrashingTarget;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::task::{Context, Poll};
use weir_engine::element::CheckpointId;
use weir_engine::outbox::OutboxTarget;
use weir_engine::sink::{Delivery, SinkAttempt, VisibleOutput, WriterContext};
use weir_engine::{Committable, Committer, EngineError, RecordBatch, Sink, SinkWriter};

type Prepared = BoxFuture<'static, Result<Vec<Committable>, EngineError>>;

/// A sink that ends the process around the first phase of a commit.
pub(super) struct CrashingSink {
    inner: Arc<dyn Sink>,
    point: Arc<CrashPoint>,
}

struct CrashingWriter {
    inner: Box<dyn SinkWriter>,
    point: Arc<CrashPoint>,
}

/// A committer that ends the process around the second phase.
pub(super) struct CrashingCommitter {
    inner: Arc<dyn Committer>,
    point: Arc<CrashPoint>,
}

impl CrashingSink {
    pub(super) fn new(inner: Arc<dyn Sink>, point: Arc<CrashPoint>) -> Self {
        Self { inner, point }
    }
}

impl CrashingCommitter {
    pub(super) fn new(inner: Arc<dyn Committer>, point: Arc<CrashPoint>) -> Self {
        Self { inner, point }
    }
}

impl Sink for CrashingSink {
    fn connector(&self) -> &'static str {
        self.inner.connector()
    }

    fn delivery(&self) -> Delivery {
        self.inner.delivery()
    }

    fn outbox(&self) -> Option<Arc<dyn OutboxTarget>> {
        let outbox: Arc<dyn OutboxTarget> = Arc::new(CrashingTarget::new(self.inner.outbox()?, self.point.clone()));
        Some(outbox)
    }

    fn prepare_attempt<'a>(&'a self, attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        self.inner.prepare_attempt(attempt)
    }

    fn newest_visible<'a>(&'a self, nonces: &'a [String]) -> BoxFuture<'a, Result<Vec<VisibleOutput>, EngineError>> {
        self.inner.newest_visible(nonces)
    }

    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        let inner = self.inner.writer(context)?;
        Ok(Box::new(CrashingWriter { inner, point: self.point.clone() }))
    }
}

impl SinkWriter for CrashingWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        self.inner.write(batch)
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_room(cx)
    }

    fn prepare_commit(&mut self, checkpoint_id: CheckpointId) -> Result<Prepared, EngineError> {
        let (prepared, point) = (self.inner.prepare_commit(checkpoint_id)?, self.point.clone());
        Ok(async move { point.around("prepare", prepared).await }.boxed())
    }
}

impl Committer for CrashingCommitter {
    fn commit<'a>(&'a self, committable: &'a Committable) -> BoxFuture<'a, Result<(), EngineError>> {
        self.point.around("commit", self.inner.commit(committable)).boxed()
    }
}
