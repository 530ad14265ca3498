//! The second phase of a sink: what has been made durable and waits for its checkpoint to complete.

use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::runtime::yield_now;
use crate::sink::{Committable, Committers};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// One sink subtask's committables that are not known to be committed, by the checkpoint that covers them first.
#[derive(Clone, Default)]
pub struct Uncommitted {
    waiting: Arc<Mutex<BTreeMap<CheckpointId, Vec<Committable>>>>,
}

impl Uncommitted {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CheckpointId, Vec<Committable>>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds what `checkpoint_id` covers, and returns all that is not known to be committed: the sink's part of that checkpoint.
    pub fn add(&self, checkpoint_id: CheckpointId, prepared: Vec<Committable>) -> Vec<Committable> {
        let mut waiting = self.lock();
        if !prepared.is_empty() {
            waiting.insert(checkpoint_id, prepared);
        }
        waiting.values().flatten().cloned().collect()
    }

    /// Commits everything up to `checkpoint_id`, oldest first.
    pub async fn commit(&self, checkpoint_id: CheckpointId, committers: &Committers) -> Result<(), EngineError> {
        loop {
            let next = self.lock().range(..=checkpoint_id).next().map(|(&id, waiting)| (id, waiting.clone()));
            let Some((id, committables)) = next else { return Ok(()) };
            commit_all(&committables, committers).await?;
            self.lock().remove(&id);
        }
    }
}

/// Commits each of `committables`; those that are committed already stay so.
pub async fn commit_all(committables: &[Committable], committers: &Committers) -> Result<(), EngineError> {
    for committable in committables {
        let Some(committer) = committers(&committable.connector) else {
            let message = format!("commit output of the connector `{}`: this weir does not know it", committable.connector);
            return Err(EngineError::new(ErrorKind::FixInput, message));
        };
        committer.commit(committable).await?;
        // A sink may have very many, each of which waits for the disk: others on this thread come in between.
        yield_now().await;
    }
    Ok(())
}
