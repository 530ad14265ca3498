//! Where a replay starts.

use crate::checkpoint::CheckpointMetadata;
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::JobGraph;
use crate::runtime::{Clock, ConnectorIo};
use crate::state::StateBackendFactory;
use crate::storage::Store;
use std::fmt;
use std::sync::Arc;

/// Where a replay starts: a checkpoint with the store that holds its objects, or the beginning of the job.
#[derive(Clone)]
pub struct ReplayPoint {
    /// The checkpoint; `None`: nothing has been read and there is no state.
    pub metadata: Option<Arc<CheckpointMetadata>>,
    /// Where its objects are.
    pub store: Arc<dyn Store>,
    /// For retries, for waiting and for measuring; no operator sees it.
    pub clock: Arc<dyn Clock>,
    /// Where the sources' I/O runs.
    pub io: ConnectorIo,
    /// Makes the backends of keyed state.
    pub backends: Arc<dyn StateBackendFactory>,
    /// What operators are told of the time, in ms since the Unix epoch. It stands still, so that two replays see the same.
    pub processing_time: i64,
}

impl fmt::Display for ReplayPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.checkpoint_id() {
            Some(checkpoint_id) => write!(f, "checkpoint {checkpoint_id}"),
            None => f.write_str("the beginning"),
        }
    }
}

impl ReplayPoint {
    /// The checkpoint; `None`: the beginning of the job.
    pub fn checkpoint_id(&self) -> Option<CheckpointId> {
        self.metadata.as_ref().map(|metadata| metadata.checkpoint_id)
    }

    /// Refuses a graph that the checkpoint does not belong to. States may have changed: whether they can be restored, the restore says.
    pub fn check(&self, graph: &JobGraph) -> Result<(), EngineError> {
        let Some(metadata) = &self.metadata else { return Ok(()) };
        // How parallel the job was and is does not matter here.
        let differences = metadata.graph.differences(&graph.identity());
        if differences.is_empty() {
            return Ok(());
        }
        let what = format!("replay from checkpoint {}: the job has changed\n  {}", metadata.checkpoint_id, differences.join("\n  "));
        Err(EngineError::new(ErrorKind::FixInput, what).with_hint("undo the change, or name a checkpoint that was taken after it"))
    }
}
