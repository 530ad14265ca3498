//! What lies in the storage: everything that the kept checkpoints refer to, and little else.

use super::run::wait_for;
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_engine::checkpoint::{CheckpointMetadata, JobLog, LogEntry, SubtaskSnapshot, paths};
use weir_engine::element::CheckpointId;
use weir_engine::job::{CompletedCheckpoint, History, load_metadata};
use weir_engine::runtime::{Clock, Simulator};
use weir_engine::storage::{FaultPlan, Store};

/// Objects that were written for one of so many newest checkpoints may lie about unused.
const RECENT: usize = 2;
/// The same where the store lags (a list shows what was, a write that arrives a second time brings an object back) or refuses deletions for good.
const RECENT_WITH_LAG: usize = 8;

/// Every one of the newest `retain` completed checkpoints has all its objects, and none failed because it referred to others. Returns of how many deltas they consist.
pub(super) fn check_kept(simulator: &Simulator, objects: &Arc<dyn Store>, retain: usize) -> Result<usize, String> {
    let (store, clock) = (objects.clone(), simulator.runtime().clock);
    wait_for(simulator, async move {
        refused(&store, &clock).await?;
        let there = listed(&*store).await;
        let mut deltas = BTreeSet::new();
        for (checkpoint, metadata) in kept(&store, &clock, retain).await? {
            if let Some(lost) = metadata.objects().difference(&there).next() {
                return Err(format!("{lost} of the kept checkpoint {} is gone", checkpoint.checkpoint_id));
            }
            let parts = metadata.vertices.iter().flat_map(|vertex| &vertex.subtasks);
            deltas.extend(parts.flat_map(|part: &SubtaskSnapshot| part.deltas.clone()));
        }
        Ok(deltas.len())
    })?
}

/// Files of keyed state that the newest `retain` completed checkpoints refer to and that older ones wrote.
pub(super) fn shared_files(simulator: &Simulator, objects: &Arc<dyn Store>, retain: usize) -> Result<usize, String> {
    let (store, clock) = (objects.clone(), simulator.runtime().clock);
    wait_for(simulator, async move {
        let kept = kept(&store, &clock, retain).await?;
        let shared = kept.iter().flat_map(|(_, metadata)| metadata.state_files().filter(|file| !metadata.wrote(&file.object)));
        Ok(shared.map(|file| file.object.clone()).collect::<BTreeSet<_>>().len())
    })?
}

/// Nothing that the kept checkpoints do not refer to is left of any but the newest ones.
pub(super) fn check_left(simulator: &Simulator, objects: &Arc<dyn Store>, retain: usize, faults: FaultPlan) -> Result<(), String> {
    let recent = if faults.stale + faults.repeated > 0 || faults.refused > 100 { RECENT_WITH_LAG } else { RECENT };
    let (store, clock) = (objects.clone(), simulator.runtime().clock);
    wait_for(simulator, async move {
        // Before there are so many, nothing has had the time to go.
        let recent = newest(&store, &clock, recent).await?.get(recent - 1).map_or(CheckpointId(0), |oldest| oldest.checkpoint_id);
        let needed: BTreeSet<String> = kept(&store, &clock, retain).await?.iter().flat_map(|(_, metadata)| metadata.objects()).collect();
        let is_old = |path: &String| paths::owner_of(path).is_none_or(|(_, checkpoint_id)| checkpoint_id < recent);
        match listed(&*store).await.into_iter().find(|path| is_old(path) && !needed.contains(path)) {
            Some(left) => Err(format!("{left} is left, and no kept checkpoint refers to it")),
            None => Ok(()),
        }
    })?
}

/// The log writer refuses what refers to an object that it does not keep: no task has named one.
async fn refused(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>) -> Result<(), String> {
    let log = JobLog::open(store.clone(), clock.clone()).await.map_err(|error| error.to_string())?;
    for entry in log.entries() {
        if let LogEntry::Failed { reason, .. } = entry
            && reason.contains("belongs to no checkpoint that is kept")
        {
            return Err(reason.clone());
        }
    }
    Ok(())
}

async fn listed(store: &dyn Store) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for folder in [paths::CHECKPOINTS, paths::STATE] {
        all.extend(store.list(folder).await.expect("the store lists"));
    }
    all
}

/// The newest completed checkpoints, newest first.
async fn newest(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, count: usize) -> Result<Vec<CompletedCheckpoint>, String> {
    let log = JobLog::open(store.clone(), clock.clone()).await.map_err(|error| error.to_string())?;
    Ok(History::of(log.entries()).retained(count))
}

pub(super) async fn kept(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    retain: usize,
) -> Result<Vec<(CompletedCheckpoint, CheckpointMetadata)>, String> {
    let mut kept = Vec::new();
    for checkpoint in newest(store, clock, retain).await? {
        let metadata = load_metadata(&**store, &**clock, &checkpoint).await;
        kept.push((checkpoint, metadata.map_err(|error| error.to_string())?));
    }
    Ok(kept)
}
