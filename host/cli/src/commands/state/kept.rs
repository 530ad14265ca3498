//! Which of a job's checkpoints there are to look into: a job that goes on deletes old ones, also while they are looked into.

use super::target::Which;
use crate::failure::Failure;
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

/// The error where it is what it is, and where its checkpoint's `metadata` is gone meanwhile, that: then nothing is damaged.
pub(in crate::commands) async fn told_of_deletion(store: &dyn Store, id: CheckpointId, metadata: &str, error: EngineError) -> EngineError {
    let is_gone = error.kind() == ErrorKind::Corrupt && matches!(store.get(metadata).await, Ok(None));
    if is_gone { deleted(id, metadata) } else { error }
}

fn deleted(id: CheckpointId, metadata: &str) -> EngineError {
    let message = format!("look into checkpoint {id}: the job has deleted it meanwhile, as newer ones replace it");
    EngineError::new(ErrorKind::Retry, message).with_hint("look into the newest one, or raise `retain`").about_object(metadata)
}

/// True where a checkpoint was deleted while it was looked into.
pub(in crate::commands) fn is_deletion(failure: &Failure) -> bool {
    match failure {
        Failure::Engine(error) => error.kind() == ErrorKind::Retry && error.damaged_object().is_some(),
        Failure::Usage { .. } | Failure::JobFile(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::FutureExt;
    use weir_engine::checkpoint::LineageRoot;
    use weir_engine::element::AttemptId;
    use weir_engine::storage::ObjectStorage;

    #[test]
    fn what_is_gone_with_its_checkpoint_is_no_damage() {
        let store = ObjectStorage::in_memory();
        let told = |kind| {
            let error = EngineError::new(kind, "read state/1: it is not there");
            let told = told_of_deletion(&store, CheckpointId(3), "checkpoints/1-3/metadata.json", error).now_or_never();
            let failure = Failure::from(told.expect("memory does not wait"));
            (failure.text(), is_deletion(&failure))
        };
        let deleted = "look into checkpoint 3: the job has deleted it meanwhile, as newer ones replace it";
        assert_eq!(told(ErrorKind::Corrupt), (deleted.to_owned(), true));
        let missing = ("read state/1: it is not there".to_owned(), false);
        assert_eq!(told(ErrorKind::Retry), missing);
        let written = store.put("checkpoints/1-3/metadata.json", vec![Bytes::from_static(b"x")]).now_or_never();
        written.expect("memory does not wait").expect("it is written");
        assert_eq!(told(ErrorKind::Corrupt), missing);
    }

    #[test]
    fn a_checkpoint_that_was_taken_and_is_gone_again_has_been_deleted_and_one_that_was_named_is_not_there() {
        let (attempt, nonce) = (AttemptId(1), "n".to_owned());
        let completed = LogEntry::Completed {
            attempt,
            nonce: nonce.clone(),
            checkpoint_id: CheckpointId(3),
            metadata: "checkpoints/1-3/metadata.json".into(),
            checksum: 0,
            trigger: "requested".into(),
            completed_ms: 0,
            duration_ms: 0,
            bytes: 0,
        };
        let told = |history: &History, which| {
            let failure = Failure::from(not_kept(std::slice::from_ref(&completed), history, which, &[]));
            (failure.text().split_once(": ").map(|(_, why)| why.to_owned()).unwrap_or_default(), is_deletion(&failure))
        };
        let history = History::default();
        assert_eq!(told(&history, Which::Newest).0, "the job has no completed one yet");
        assert!(told(&history, Which::Taken(CheckpointId(3))).0.starts_with("it was taken while an upgrade was on probation"));
        let root = LineageRoot::Fresh;
        let (lineage, restored) = (attempt, None);
        let began = LogEntry::Attempt { attempt, nonce, lineage, lineage_nonce: None, root, restored, probation: false, started_ms: 0 };
        let history = History::of(&[began, completed.clone()]);
        assert!(told(&history, Which::Newest).1 && told(&history, Which::Taken(CheckpointId(3))).1);
        let named = told(&history, Which::Only(CheckpointId(3)));
        assert_eq!(named, ("it has been deleted since, as newer ones replace it (`retain`)".to_owned(), false));
        assert_eq!(told(&history, Which::Only(CheckpointId(4))).0, "the job has none with that id");
    }
}
