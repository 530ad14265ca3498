//! What a run that begins a job from nothing sees to before it writes anything: that there is somebody who takes the output.
//!
//! A job that has got somewhere does not wait for its targets: what it makes is staged until they are back. One that has not has nothing to go on with, and
//! what keeps it from its target is more often a wrong address or password than an outage; whoever has just started it is there to mend that.

use super::Supervisor;
use super::resume::Restored;
use crate::error::{EngineError, ErrorKind};
use crate::job::VertexKind;
use crate::job::history::History;
use crate::runtime::{ConnectorIo, TaskGroup};
use futures_util::FutureExt;
use futures_util::future::{Either, join_all, select};
use std::pin::pin;
use std::sync::Arc;
use tracing::warn;

impl Supervisor {
    /// True of the first attempt of a process where nothing is restored and no run before has completed a checkpoint: nothing is staged, and nothing
    /// published.
    pub(super) fn begins_from_nothing(&self, restored: &Restored, history: &History) -> bool {
        self.nonces.is_empty() && restored.metadata.is_none() && history.completed().next().is_none()
    }

    /// Looks at the targets of all sinks at once. The first one, in the order of the graph, that cannot be reached or refuses is the error, which no other try
    /// follows. A stop is not kept waiting: then nothing is known, and whoever calls ends the run.
    pub(super) async fn look_at_targets(&self) -> Result<(), EngineError> {
        let (spawn, clock) = (self.runtime.spawn.clone(), self.runtime.clock.clone());
        let group = TaskGroup::new(spawn, Arc::new(|task, message| warn!(task, message, "a task of a look at a target panicked")));
        let (io, graph) = (ConnectorIo::of_attempt(group.clone(), clock), self.graph.clone());
        let looks = graph.vertices.iter().filter_map(|vertex| match &vertex.kind {
            VertexKind::Sink(sink) => Some(sink.look(&io).map(|looked| looked.map_err(|error| at_start(&vertex.id, &error)))),
            VertexKind::Operator(_) | VertexKind::Source { .. } => None,
        });
        // The gentlest stop lets the job do its work first.
        let looked = match select(join_all(looks), pin!(self.inbox.stopped())).await {
            Either::Left((looked, _)) => looked.into_iter().collect(),
            Either::Right(((), _)) => Ok(()),
        };
        group.abort();
        group.ended().await;
        looked
    }
}

/// The error of a sink's target at the very start, where there is nothing to wait with.
fn at_start(sink: &str, error: &EngineError) -> EngineError {
    let kind = match error.kind() {
        ErrorKind::Retry | ErrorKind::Restart | ErrorKind::Fenced => ErrorKind::FixInput,
        kind @ (ErrorKind::FixInput | ErrorKind::Corrupt | ErrorKind::Bug) => kind,
    };
    let told = EngineError::new(kind, format!("{sink}: {error}"));
    match error.hint() {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}
