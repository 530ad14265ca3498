//! A target that publishes in other chunks than it would, which a connector's own settings do not say.

use crate::element::RecordBatch;
use crate::error::EngineError;
use crate::outbox::{Atomicity, ChunkBounds, OutboxOwner, OutboxSession, OutboxTarget};
use crate::runtime::ConnectorIo;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;

/// This target, in such chunks.
pub struct InChunks(pub Arc<dyn OutboxTarget>, pub ChunkBounds);

impl OutboxTarget for InChunks {
    fn connector(&self) -> &'static str {
        self.0.connector()
    }

    fn identity(&self) -> Value {
        self.0.identity()
    }

    fn chunk_bounds(&self) -> ChunkBounds {
        self.1
    }

    fn atomicity(&self) -> Atomicity {
        self.0.atomicity()
    }

    fn spans_checkpoints(&self) -> bool {
        self.0.spans_checkpoints()
    }

    fn admit(&self, records: &RecordBatch) -> Result<(), EngineError> {
        self.0.admit(records)
    }

    fn look<'a>(&'a self, io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        self.0.look(io)
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        self.0.take_over(owner, io)
    }
}
