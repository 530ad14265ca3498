//! What a start takes over from the runs before it: the checkpoint, where it fits, and output that may not be committed yet; and what the user
//! has to know of both.

use crate::checkpoint::{CheckpointMetadata, PlannedRestore, RestoreOptions, RestorePlan};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::history::start::Start;
use crate::job::history::{CompletedCheckpoint, History, load_metadata};
use crate::job::restore::in_flight_records::{RestoredRecords, distribute, load_in_flight, misfits};
use crate::job::restore::{planned, tried};
use crate::job::savepoint::open_savepoint;
use crate::job::supervisor::Supervisor;
use crate::job::{StartMode, VertexKind};
use crate::sink::Committable;
use crate::storage::{Store, retry};
use std::sync::Arc;

/// What a start takes over from its checkpoint or savepoint.
pub(in crate::job) struct Restored {
    /// Where its objects are.
    pub source: Arc<dyn Store>,
    pub metadata: Option<CheckpointMetadata>,
    /// What of it goes where.
    pub plan: RestorePlan,
    pub in_flight: RestoredRecords,
}

impl Restored {
    fn nothing(source: Arc<dyn Store>) -> Self {
        Self { source, metadata: None, plan: RestorePlan::default(), in_flight: RestoredRecords::new() }
    }
}

impl Supervisor {
    /// Loads the checkpoint or the savepoint of a start with its records in flight, and refuses one that does not fit the graph.
    pub(in crate::job) async fn load(&self, start: &Start, history: &History) -> Result<Restored, EngineError> {
        let options = self.restore_options(start);
        let Some(metadata) = self.load_metadata(start, history).await? else {
            return match options.drops.first() {
                None => Ok(Restored::nothing(self.options.store.clone())),
                Some(name) => {
                    let message = format!("drop the state {name}: there is no checkpoint that could keep it");
                    Err(EngineError::new(ErrorKind::FixInput, message).with_hint("leave `--drop-state` out"))
                }
            };
        };
        let (source, metadata) = metadata;
        let what = what(start, &metadata);
        let plan = self.planned(&source, &metadata, options).await.accepted(&what)?;
        let in_flight = self.load_in_flight(&*source, &what, &metadata, &plan, history).await?;
        Ok(Restored { source, metadata: Some(metadata), plan, in_flight })
    }

    /// The plan, with what comes of migrations that are tried. That is up to a plugin, which may take its time.
    async fn planned(&self, source: &Arc<dyn Store>, metadata: &CheckpointMetadata, options: RestoreOptions) -> PlannedRestore {
        let planned = planned(metadata, &self.graph, &options);
        if planned.plan.migrations().is_empty() {
            return planned;
        }
        let (store, clock, metadata, graph) = (source.clone(), self.runtime.clock.clone(), metadata.clone(), self.graph.clone());
        let look = async move { tried(&*store, &*clock, &metadata, &graph, &options).await };
        self.runtime.aside("try migrations", look).await.unwrap_or(planned)
    }

    /// What the user has named to be dropped is dropped from the checkpoint that this process starts from, and not again from its own.
    fn restore_options(&self, start: &Start) -> RestoreOptions {
        let restored = start.restored.as_ref().map(|restored| restored.checkpoint_id);
        let first = (self.report.resumed_from, self.report.from_savepoint.as_deref());
        if self.nonces.is_empty() || (restored, start.savepoint()) == first {
            return self.options.restore.clone();
        }
        RestoreOptions { drops: Default::default(), ..self.options.restore.clone() }
    }

    async fn load_metadata(&self, start: &Start, history: &History) -> Result<Option<(Arc<dyn Store>, CheckpointMetadata)>, EngineError> {
        let clock = &*self.runtime.clock;
        if let Some(url) = start.savepoint() {
            let store = (self.options.savepoints)(url).await?;
            let (_, metadata) = open_savepoint(&*store, clock).await?;
            return Ok(Some((store, metadata)));
        }
        let Some(checkpoint) = &start.restored else { return Ok(None) };
        let metadata = load_metadata(&*self.options.store, clock, checkpoint).await;
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => return Err(self.offer_older(error, checkpoint.checkpoint_id, history).await),
        };
        Ok(Some((self.options.store.clone(), metadata)))
    }

    async fn load_in_flight(
        &self,
        source: &dyn Store,
        what: &str,
        metadata: &CheckpointMetadata,
        plan: &RestorePlan,
        history: &History,
    ) -> Result<RestoredRecords, EngineError> {
        let stored = load_in_flight(source, &*self.runtime.clock, metadata).await;
        let stored = match stored {
            Ok(stored) => stored,
            Err(error) => return Err(self.offer_older(error, metadata.checkpoint_id, history).await),
        };
        let misfits = misfits(&stored, &self.graph, plan);
        if !misfits.is_empty() {
            let message = format!("resume {what}: it holds records in flight\n  {}", misfits.join("\n  "));
            let hint = "undo the change; or run the job as it was, with `unaligned = \"never\"`, until a checkpoint without records in flight is complete";
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
        }
        distribute(&stored, &self.graph, metadata, plan)
    }

    /// Output of the lineage that ran last, which a start of another leaves behind, covered by its newest checkpoint and perhaps not committed: it is committed, not
    /// dropped. A checkpoint that cannot be read has none to offer, and must not keep the user from starting over.
    pub(in crate::job) async fn left_behind(&self, start: &Start, history: &History) -> Vec<Committable> {
        // A finished lineage has committed everything.
        let unfinished = history.newest_lineage().filter(|lineage| start.lineage != Some(lineage.id) && !lineage.finished);
        let Some(newest) = unfinished.and_then(|lineage| lineage.completed.last()) else { return Vec::new() };
        match load_metadata(&*self.options.store, &*self.runtime.clock, newest).await {
            Ok(metadata) => metadata.committables().cloned().collect(),
            Err(error) => {
                (self.options.notice)(&format!("output of checkpoint {} stays as it is: {error}", newest.checkpoint_id));
                Vec::new()
            }
        }
    }

    /// Says what the first attempt of a process goes on from, once the log has it. What is to be said once everything has been restored is returned.
    pub(in crate::job) fn announce(&self, start: &Start, restored: &Restored, history: &History) -> Vec<String> {
        let mut later = Vec::new();
        if let Some(metadata) = restored.metadata.as_ref().filter(|_| self.nonces.is_empty()) {
            (self.options.notice)(&format!("resuming from {}", what(start, metadata)));
            begun_before(&self.mode, start).iter().for_each(|line| (self.options.notice)(line));
            later = restored.plan.migrations();
            restored.plan.lines().iter().filter(|line| !later.contains(line)).for_each(|line| (self.options.notice)(line));
        }
        self.warn_of_repeats(start, restored, history);
        later
    }

    /// Names the output that comes again where the user starts from something older than the job has come to.
    fn warn_of_repeats(&self, start: &Start, restored: &Restored, history: &History) {
        let Some(metadata) = &restored.metadata else { return };
        let behind = match &self.mode {
            StartMode::From { .. } => history.behind(metadata.checkpoint_id),
            StartMode::FromSavepoint { .. } => history.behind_savepoint(start, (metadata.attempt, metadata.checkpoint_id)),
            StartMode::Resume | StartMode::Fresh => None,
        };
        let Some((first, last)) = behind else { return };
        let sinks: Vec<_> = self
            .graph
            .vertices
            .iter()
            .filter(|vertex| matches!(vertex.kind, VertexKind::Sink(_)))
            .map(|vertex| vertex.id.as_str())
            .collect();
        (self.options.notice)(&format!(
            "output of checkpoints {first} to {last} may be committed already; it repeats in: {}",
            sinks.join(", ")
        ));
    }

    /// A finished job stays finished; the user learns of files that came since, and of state that was to be dropped.
    pub(in crate::job) async fn name_what_is_left_undone(&self, start: &Start) {
        let Some(checkpoint) = &start.restored else { return };
        let Ok(metadata) = load_metadata(&*self.options.store, &*self.runtime.clock, checkpoint).await else { return };
        let planned = planned(&metadata, &self.graph, &self.options.restore);
        planned.idle_drops(&self.options.restore).iter().for_each(|line| (self.options.notice)(line));
        for vertex in &self.graph.vertices {
            let was = self.options.restore.renames.get(&vertex.id).and_then(|was| metadata.vertex(was));
            let snapshot = metadata.vertex(&vertex.id).or(was);
            let (VertexKind::Source { source, .. }, Some(snapshot)) = (&vertex.kind, snapshot) else { continue };
            let splits: Vec<_> = snapshot.subtasks.iter().flat_map(|subtask| subtask.splits.clone()).collect();
            // What has become of files that were read to their end is no longer the job's concern.
            let (source, parallelism) = (source.clone(), vertex.parallelism);
            let look = async move { source.new_splits(&splits, parallelism).await };
            let new = self.runtime.aside("look for splits", look).await.and_then(Result::ok).unwrap_or_default();
            let line = |id: &str| format!("{}: {id} has come since the job finished and is not read", vertex.id);
            new.iter().for_each(|split| (self.options.notice)(&line(&split.id)));
        }
    }

    /// As [`Supervisor::offer_older`], for an object that checkpoints before `damaged` may consist of as well: these are of no use either.
    pub(in crate::job) async fn offer_unharmed(&self, error: EngineError, damaged: CheckpointId, history: &History) -> EngineError {
        let mut harmed = damaged;
        if let Some(object) = error.damaged_object() {
            let kept = history.retained(self.options.retain);
            while let Some(older) = history.before(harmed).filter(|older| kept.contains(older)) {
                let metadata = load_metadata(&*self.options.store, &*self.runtime.clock, older).await;
                if !metadata.is_ok_and(|metadata| metadata.objects().contains(object)) {
                    break;
                }
                harmed = older.checkpoint_id;
            }
        }
        self.offer_older(error, harmed, history).await
    }

    /// Names the checkpoint to fall back to where `damaged` cannot be read and an older one is kept. One that has been deleted since is no damage.
    pub(in crate::job) async fn offer_older(&self, error: EngineError, damaged: CheckpointId, history: &History) -> EngineError {
        if error.kind() != ErrorKind::Corrupt || error.hint().is_some() {
            return error;
        }
        let kept = history.retained(self.options.retain);
        if kept.iter().all(|kept| kept.checkpoint_id != damaged) {
            return error.with_hint("only the newest checkpoints are kept (`retain`); `weir checkpoint list JOB` shows which");
        }
        let mut before = history.before(damaged);
        while let Some(older) = before.filter(|older| kept.contains(older)) {
            // A log that has lost its newest entries takes for kept what was deleted long ago.
            if self.is_there(older).await {
                let older = older.checkpoint_id;
                let hint = format!("`--from {older}` starts from the checkpoint before it; output that was committed since then repeats");
                return error.with_hint(hint);
            }
            before = history.before(older.checkpoint_id);
        }
        error
    }

    async fn is_there(&self, checkpoint: &CompletedCheckpoint) -> bool {
        matches!(retry(&*self.runtime.clock, || self.options.store.get(&checkpoint.metadata)).await, Ok(Some(_)))
    }
}

/// What the user has to know who named a start that goes on with a lineage instead of beginning one.
fn begun_before(mode: &StartMode, start: &Start) -> Option<String> {
    let named = match mode {
        StartMode::From { checkpoint_id, .. } => checkpoint_id.to_string(),
        StartMode::FromSavepoint { url, .. } => url.clone(),
        StartMode::Resume | StartMode::Fresh => return None,
    };
    start.lineage.map(|_| format!("this goes on with what `--from {named}` began before; with `--again` it would begin there once more"))
}

/// What a start restores, for the user.
fn what(start: &Start, metadata: &CheckpointMetadata) -> String {
    match start.savepoint() {
        Some(url) => format!("the savepoint {url}, checkpoint {} of {}", metadata.checkpoint_id, metadata.job),
        None => format!("checkpoint {}", metadata.checkpoint_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::LineageRoot;
    use crate::element::AttemptId;

    #[test]
    fn a_start_that_was_named_before_says_that_it_goes_on_and_how_it_would_begin_anew() {
        let start = |lineage| Start { lineage, root: LineageRoot::Checkpoint(CheckpointId(3)), restored: None, finished: false };
        let from = StartMode::From { checkpoint_id: CheckpointId(3), again: false };
        let told = "this goes on with what `--from 3` began before; with `--again` it would begin there once more";
        assert_eq!(begun_before(&from, &start(Some(AttemptId(2)))).as_deref(), Some(told));
        assert_eq!(begun_before(&from, &start(None)), None, "it begins");
        let savepoint = StartMode::FromSavepoint { url: "file:/s".into(), again: false };
        assert!(begun_before(&savepoint, &start(Some(AttemptId(2)))).is_some_and(|told| told.contains("`--from file:/s` began before")));
        assert_eq!(begun_before(&StartMode::Resume, &start(Some(AttemptId(2)))), None);
    }
}
