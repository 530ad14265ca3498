//! Where `weir upgrade --dry-run` and `weir replay` begin: the checkpoint or savepoint that is named, or the newest checkpoint, held where its job runs.

use crate::documents::RerunFrom;
use crate::kept::Held;
use crate::kept::told_of_deletion;
use crate::start::StartPoint;
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_engine::checkpoint::{CheckpointMetadata, JobLog, LineageRoot, LogEntry, paths};
use weir_engine::element::CheckpointId;
use weir_engine::job::{CompletedCheckpoint, History, load_metadata, open_savepoint};
use weir_engine::replay::ReplayPoint;
use weir_engine::runtime::{ConnectorIo, Runtime};
use weir_engine::state::MemoryBackendFactory;
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind};

/// How often the newest checkpoint is looked for anew where the job deletes it before it is held.
const LOOKS: usize = 5;

/// Where a job is looked at, and how that is called.
pub(super) struct Start {
    pub point: ReplayPoint,
    pub from: RerunFrom,
    pub held: Held,
}

/// The point that is named, or the job's newest checkpoint; the beginning where there is none.
pub(super) async fn point(from: Option<&StartPoint>, storage: &str, store: Arc<dyn Store>, runtime: Runtime) -> Result<Start, EngineError> {
    let clock = runtime.clock.clone();
    let (found, savepoint) = match from {
        Some(StartPoint::Savepoint(url)) => {
            let (savepoint, metadata) = open_savepoint(&*store, &*clock).await?;
            (Found { metadata: Some(metadata), completed_ms: savepoint.created_ms, held: Held::default() }, Some(url.clone()))
        }
        Some(StartPoint::Checkpoint(id)) => (of_log(Some(*id), storage, &store, &runtime).await?, None),
        None => (of_log(None, storage, &store, &runtime).await?, None),
    };
    let Found { metadata, completed_ms, held } = found;
    let from = RerunFrom { checkpoint: metadata.as_ref().map(|metadata| metadata.checkpoint_id.0), savepoint };
    let backends = Arc::new(MemoryBackendFactory::new((runtime.seed)()));
    let io = ConnectorIo::of(&runtime);
    let point = ReplayPoint { metadata: metadata.map(Arc::new), store, clock, io, backends, processing_time: completed_ms };
    Ok(Start { point, from, held })
}

/// A checkpoint's metadata, when it was completed, and what keeps it where it is.
struct Found {
    metadata: Option<CheckpointMetadata>,
    completed_ms: i64,
    held: Held,
}

/// Finds the checkpoint in the log, and holds it with all others that are kept: a recorded run goes on from one to the next.
async fn of_log(id: Option<CheckpointId>, storage: &str, store: &Arc<dyn Store>, runtime: &Runtime) -> Result<Found, EngineError> {
    let mut looks = 0;
    loop {
        looks += 1;
        let log = JobLog::open(store.clone(), runtime.clock.clone()).await?;
        let history = History::of(log.entries());
        let Some(checkpoint) = wanted(id, &history)? else {
            return Ok(Found { metadata: None, completed_ms: 0, held: Held::default() });
        };
        let kept = store.list(paths::CHECKPOINTS).await?;
        let kept: BTreeSet<_> = history.completed().filter(|one| kept.contains(&one.metadata)).map(|one| one.checkpoint_id).collect();
        let (held, refused) = Held::of(storage, &kept);
        if id.is_none() && refused.contains(&checkpoint.checkpoint_id) && looks < LOOKS {
            continue;
        }
        let completed_ms = completed_ms(&log, checkpoint.checkpoint_id);
        let metadata = match load_metadata(&**store, &*runtime.clock, checkpoint).await {
            Ok(metadata) => metadata,
            Err(error) if id.is_some() => return Err(error.with_hint("`weir checkpoint list JOB` shows the ones that are kept")),
            Err(error) => return Err(told_of_deletion(&**store, checkpoint.checkpoint_id, &checkpoint.metadata, error).await),
        };
        return Ok(Found { metadata: Some(metadata), completed_ms, held });
    }
}

/// When a checkpoint was completed.
fn completed_ms(log: &JobLog, checkpoint_id: CheckpointId) -> i64 {
    let completed = log.entries().iter().find_map(|entry| match entry {
        LogEntry::Completed { checkpoint_id: id, completed_ms, .. } if *id == checkpoint_id => Some(*completed_ms),
        _ => None,
    });
    completed.unwrap_or(0)
}

fn wanted(id: Option<CheckpointId>, history: &History) -> Result<Option<&CompletedCheckpoint>, EngineError> {
    let of_id = |id: CheckpointId| {
        history.checkpoint(id).map(Some).ok_or_else(|| {
            let message = format!("replay from checkpoint {id}: the job has no completed checkpoint with that id");
            EngineError::new(ErrorKind::FixInput, message).with_hint("`weir checkpoint list JOB` shows the ones that it has")
        })
    };
    if let Some(id) = id {
        return of_id(id);
    }
    let Some(lineage) = history.newest_lineage() else { return Ok(None) };
    match (lineage.completed.last(), &lineage.root) {
        (Some(newest), _) => Ok(Some(newest)),
        (None, LineageRoot::Checkpoint(id)) => of_id(*id),
        (None, LineageRoot::Fresh) => Ok(None),
        (None, LineageRoot::Savepoint(url)) => {
            let message = "replay from the newest checkpoint: the job has none since it was started from a savepoint";
            Err(EngineError::new(ErrorKind::FixInput, message).with_hint(format!("`--from {url}` takes that")))
        }
    }
}
