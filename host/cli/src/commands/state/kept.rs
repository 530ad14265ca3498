//! Which of a job's checkpoints there are to look into: a job that goes on deletes old ones, also while they are looked into.

use super::target::Which;
use crate::kept::{deleted, told_of_deletion};
use std::sync::Arc;
use weir_engine::checkpoint::{CheckpointMetadata, JobLog, LogEntry, paths};
use weir_engine::element::CheckpointId;
use weir_engine::job::{CompletedCheckpoint, History, load_metadata};
use weir_engine::runtime::Clock;
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind};

/// The metadata of the checkpoint that is wanted of the job in `store`.
pub(super) async fn load(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, which: Which) -> Result<CheckpointMetadata, EngineError> {
    let log = JobLog::open(store.clone(), clock.clone()).await?;
    let kept = store.list(paths::CHECKPOINTS).await?;
    let history = History::of(log.entries());
    let is_kept = |checkpoint: &&CompletedCheckpoint| kept.contains(&checkpoint.metadata);
    let found = match which {
        Which::Taken(id) | Which::Only(id) => history.checkpoint(id).filter(is_kept),
        Which::Newest => history.completed().rev().find(is_kept),
    };
    let Some(found) = found else {
        let all: Vec<String> = history.completed().filter(is_kept).map(|checkpoint| checkpoint.checkpoint_id.to_string()).collect();
        return Err(not_kept(log.entries(), &history, which, &all));
    };
    match load_metadata(&**store, &**clock, found).await {
        Ok(metadata) => Ok(metadata),
        Err(error) => Err(told_of_deletion(&**store, found.checkpoint_id, &found.metadata, error).await),
    }
}

/// Why a checkpoint cannot be looked into, and which can.
fn not_kept(entries: &[LogEntry], history: &History, which: Which, kept: &[String]) -> EngineError {
    let gone = match which {
        Which::Newest => history.completed().next_back(),
        Which::Taken(id) => history.checkpoint(id),
        Which::Only(_) => None,
    };
    if let Some(gone) = gone {
        return deleted(gone.checkpoint_id, &gone.metadata);
    }
    let (Which::Taken(id) | Which::Only(id)) = which else {
        return EngineError::new(ErrorKind::FixInput, "look into the newest checkpoint: the job has no completed one yet");
    };
    let why = match history.checkpoint(id) {
        Some(_) => "it has been deleted since, as newer ones replace it (`retain`)",
        None => uncounted(entries, id),
    };
    let error = EngineError::new(ErrorKind::FixInput, format!("look into checkpoint {id}: {why}"));
    error.with_hint(if kept.is_empty() { "the job has no completed checkpoint".into() } else { format!("there are: {}", kept.join(", ")) })
}

/// Why the job's history does not count a checkpoint.
fn uncounted(entries: &[LogEntry], id: CheckpointId) -> &'static str {
    let of_this = |entry: &&LogEntry| match entry {
        LogEntry::Completed { checkpoint_id, .. } | LogEntry::Failed { checkpoint_id, .. } => *checkpoint_id == id,
        LogEntry::Attempt { .. } | LogEntry::Override { .. } | LogEntry::Outcome { .. } | LogEntry::Finished { .. } => false,
    };
    match entries.iter().rfind(of_this) {
        Some(LogEntry::Completed { .. }) => "it was taken while an upgrade was on probation, and counts only where that is accepted",
        Some(LogEntry::Failed { .. }) => "it failed",
        Some(LogEntry::Attempt { .. } | LogEntry::Override { .. } | LogEntry::Outcome { .. } | LogEntry::Finished { .. }) | None => {
            "the job has none with that id"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::kept::is_deletion;
    use weir_engine::element::AttemptId;

    #[test]
    fn a_checkpoint_that_was_taken_and_is_gone_again_has_been_deleted_and_one_that_was_named_is_not_there() {
        let attempt = AttemptId(1);
        let completed = LogEntry::complete(attempt, "n", CheckpointId(3), "checkpoints/1-3/metadata.json", 0);
        let told = |history: &History, which| {
            let failure = Failure::from(not_kept(std::slice::from_ref(&completed), history, which, &[]));
            (failure.text().split_once(": ").map(|(_, why)| why.to_owned()).unwrap_or_default(), is_deletion(&failure))
        };
        let history = History::default();
        assert_eq!(told(&history, Which::Newest).0, "the job has no completed one yet");
        assert!(told(&history, Which::Taken(CheckpointId(3))).0.starts_with("it was taken while an upgrade was on probation"));
        let history = History::of(&[LogEntry::begun(attempt, "n", attempt), completed.clone()]);
        assert!(told(&history, Which::Newest).1 && told(&history, Which::Taken(CheckpointId(3))).1);
        let named = told(&history, Which::Only(CheckpointId(3)));
        assert_eq!(named, ("it has been deleted since, as newer ones replace it (`retain`)".to_owned(), false));
        assert_eq!(told(&history, Which::Only(CheckpointId(4))).0, "the job has none with that id");
    }
}
