//! What is done before the tasks of an attempt are deployed: output that the restored checkpoint covers is committed, leftovers are cleared away, and the
//! plugins' components are stored.

use super::Supervisor;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::context::{AttemptContext, WaitsFor};
use crate::job::attempt::log_writer::store_components;
use crate::job::{JobGraph, VertexKind};
use crate::runtime::{ConnectorIo, TaskGroup};
use crate::sink::{Committable, SinkAttempt};
use std::sync::Arc;
use tracing::warn;

impl Supervisor {
    /// Commits one part of a sink's output. Where it `may_be_lost`, only trouble with the storage is an error.
    async fn commit(&mut self, committable: &Committable, may_be_lost: bool) -> Result<(), EngineError> {
        self.waits_for = WaitsFor::Target(committable.connector.clone());
        let committed = crate::task::commit_all(std::slice::from_ref(committable), &self.committers).await;
        self.waits_for = WaitsFor::Storage;
        match committed {
            Err(error) if may_be_lost && error.kind() != ErrorKind::Retry => {
                (self.options.notice)(&format!("output given up: {error}"));
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Commits what the restored checkpoint covers, clears leftovers away, and stores the components.
    pub(super) async fn prepare(&mut self, context: &AttemptContext) -> Result<(), EngineError> {
        let restored: Vec<Committable> = context.metadata.iter().flat_map(|metadata| metadata.committables().cloned()).collect();
        for committable in &context.left_behind {
            // Whoever starts over may have cleared the old output away.
            self.commit(committable, true).await?;
        }
        // Where a savepoint's output is now is its owner's concern, and a checkpoint behind it has committed it.
        let may_be_lost = self.options.accept_lost_output || context.restored.is_none();
        for committable in &restored {
            self.commit(committable, may_be_lost).await?;
        }
        let committables: Vec<Committable> = context.left_behind.iter().cloned().chain(restored).collect();
        let graph = context.graph.clone();
        let io = TaskGroup::new(
            self.runtime.spawn.clone(),
            Arc::new(|task, message| warn!(task, message, "a task of a sink's preparation panicked")),
        );
        let attempt = SinkAttempt {
            attempt: context.attempt,
            nonce: context.nonce.clone(),
            older_nonces: context.older_nonces.clone(),
            restored: committables,
            io: ConnectorIo::of_attempt(io.clone(), self.runtime.clock.clone()),
        };
        self.waits_for = WaitsFor::Either;
        let prepared = self.runtime.aside("prepare the sinks", async move { prepare_sinks(&graph, &attempt).await }).await;
        // Nobody is left behind who could still be at work in the sinks when their writers are made.
        io.abort();
        io.ended().await;
        self.waits_for = WaitsFor::Storage;
        prepared.unwrap_or_else(|| Err(EngineError::new(ErrorKind::Bug, "prepare the attempt: a sink panicked")))?;
        store_components(&*self.options.store, &*self.runtime.clock, &context.graph).await
    }
}

/// Shuts out what attempts before this one may still be writing to the sinks, and clears away what they have left there.
async fn prepare_sinks(graph: &JobGraph, attempt: &SinkAttempt) -> Result<(), EngineError> {
    for vertex in &graph.vertices {
        match &vertex.kind {
            VertexKind::Sink(sink) => sink.prepare_attempt(attempt).await.map_err(|error| error.context(&vertex.id))?,
            VertexKind::Operator(_) | VertexKind::Source { .. } => {}
        }
    }
    Ok(())
}
