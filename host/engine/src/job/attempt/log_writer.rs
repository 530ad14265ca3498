//! Writes an attempt's checkpoints down: metadata, then the log's entry, then deletes what nothing refers to any more. What checkpoints leave behind
//! that never become complete is deleted when the log knows that they have failed, and at the start of an attempt what older ones had under way:
//! however often checkpoints fail, no more is left than what is under way.
//!
//! One at a time and in order, apart from the attempt, so that a slow store does not hold up the coordinator's clock. It is never
//! cut off between sending an append and reading its outcome.

use crate::checkpoint::{
    Append, CheckpointMetadata, CompletedTasks, JobLog, LogEntry, ObjectsInUse, Override, StagedOutput, Trigger, VertexSnapshot, paths,
};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::history::{CompletedCheckpoint, History, fenced, load_metadata};
use crate::job::pins::Pins;
use crate::job::{JobGraph, VertexKind};
use crate::outbox::Outboxes;
use crate::runtime::Clock;
use crate::storage::{Created, Store, retry};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::warn;

/// Objects that are deleted at once.
const DELETIONS: usize = 16;
/// Objects that are deleted before the log is asked again whether it is still this process's own.
const DELETIONS_BETWEEN_LOOKS: usize = 256;

/// What the attempt asks for.
pub(in crate::job) enum LogRequest {
    Completed {
        checkpoint_id: CheckpointId,
        trigger: Trigger,
        duration: Duration,
        parts: CompletedTasks,
    },
    Failed {
        checkpoint_id: CheckpointId,
        trigger: Trigger,
        duration: Duration,
        reason: String,
    },
    /// Behind this checkpoint the job has another shape, or another component works on probation.
    Override {
        checkpoint_id: CheckpointId,
        graph: Arc<JobGraph>,
        overrides: Vec<Override>,
        probation: bool,
    },
    /// It has proven itself.
    Accept,
    /// Everything that has been written is known to the coordinator and the tasks: delete what nothing refers to, but not what is in use.
    Collect(ObjectsInUse),
    Finished,
}

/// What came of it.
pub(in crate::job) enum LogEvent {
    Written {
        checkpoint: CompletedCheckpoint,
        duration: Duration,
        bytes: u64,
    },
    /// The metadata could not be written; nothing is in the log.
    NotWritten {
        checkpoint_id: CheckpointId,
        error: EngineError,
    },
    /// The log has what holds behind a checkpoint in place of the job file's word.
    Overridden,
    /// The log says that what was on probation holds.
    Accepted,
    Finished,
    /// The log is another's, or its outcome is unknown: the attempt is over.
    Over(EngineError),
}

/// One attempt's writer.
pub(in crate::job) struct LogWriter {
    pub log: JobLog,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub graph: Arc<JobGraph>,
    pub attempt: AttemptId,
    pub nonce: String,
    pub retain: usize,
    pub pins: Pins,
    pub outboxes: Arc<Outboxes>,
    /// Objects of the checkpoints that are kept: of every one that this attempt completed until it is collected.
    kept: BTreeMap<CheckpointId, BTreeSet<String>>,
}

impl LogWriter {
    pub fn new(
        log: JobLog,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        graph: Arc<JobGraph>,
        owner: (AttemptId, String),
        (retain, pins): (usize, Pins),
    ) -> Self {
        let (outboxes, kept) = (Arc::default(), BTreeMap::new());
        Self { log, store, clock, graph, attempt: owner.0, nonce: owner.1, retain, pins, outboxes, kept }
    }

    /// The same for an attempt that has outboxes, whose checkpoints go on referring to what is staged in these.
    pub(crate) fn with_outboxes(self, outboxes: Arc<Outboxes>, kept: BTreeMap<CheckpointId, BTreeSet<String>>) -> Self {
        Self { outboxes, kept, ..self }
    }

    /// Serves requests until their sender is gone, and hands the log back.
    pub async fn run(mut self, mut requests: mpsc::UnboundedReceiver<LogRequest>, events: mpsc::UnboundedSender<LogEvent>) -> JobLog {
        self.delete_failed().await;
        while let Some(request) = requests.recv().await {
            let event = match request {
                LogRequest::Completed { checkpoint_id, trigger, duration, parts } => {
                    Some(self.complete(checkpoint_id, trigger, duration, parts).await)
                }
                LogRequest::Failed { checkpoint_id, trigger, duration, reason } => {
                    let failed = self.fail(checkpoint_id, trigger, duration, reason).await;
                    if failed.is_ok() {
                        self.delete_failed().await;
                    }
                    failed.err().map(LogEvent::Over)
                }
                LogRequest::Override { checkpoint_id, graph, overrides, probation } => {
                    Some(match self.change(checkpoint_id, graph, overrides, probation).await {
                        Ok(()) => LogEvent::Overridden,
                        Err(error) => LogEvent::Over(error),
                    })
                }
                LogRequest::Accept => Some(match self.accept().await {
                    Ok(()) => LogEvent::Accepted,
                    Err(error) => LogEvent::Over(error),
                }),
                LogRequest::Collect(in_use) => {
                    if let Err(error) = self.collect_garbage(&in_use).await {
                        warn!(%error, "old checkpoints could not be deleted");
                    }
                    None
                }
                LogRequest::Finished => Some(match self.finish().await {
                    Ok(()) => LogEvent::Finished,
                    Err(error) => LogEvent::Over(error),
                }),
            };
            let over = matches!(event, Some(LogEvent::Over(_)));
            if let Some(event) = event {
                _ = events.send(event);
            }
            if over {
                break;
            }
        }
        self.log
    }

    async fn complete(&mut self, checkpoint_id: CheckpointId, trigger: Trigger, duration: Duration, parts: CompletedTasks) -> LogEvent {
        let (metadata, outputs) = self.metadata(checkpoint_id, parts);
        if let Err(error) = self.check_objects(&metadata) {
            return LogEvent::NotWritten { checkpoint_id, error };
        }
        let (path, sealed) = (metadata.path(), metadata.seal());
        // Nothing is written beside another's log. Where the log is gone altogether the append fails, but the metadata is written: a folder that was
        // emptied under a running job must not look to the next run as if there had never been one.
        if let Err(error) = self.log.check_still_ours("complete a checkpoint in").await
            && error.kind() == ErrorKind::Fenced
        {
            return LogEvent::Over(error);
        }
        if let Err(error) = retry(&*self.clock, || self.store.put(&path, vec![sealed.clone()])).await {
            return LogEvent::NotWritten { checkpoint_id, error };
        }
        let bytes = metadata.written_state_bytes() + sealed.len() as u64;
        let checksum = crc32c::crc32c(&sealed);
        let checkpoint = CompletedCheckpoint { checkpoint_id, attempt: self.attempt, metadata: path.clone(), checksum };
        let completed_ms = self.clock.wall_ms();
        let entry = LogEntry::Completed {
            attempt: self.attempt,
            nonce: self.nonce.clone(),
            checkpoint_id,
            metadata: path,
            checksum,
            trigger: trigger.name().to_owned(),
            completed_ms,
            duration_ms: duration.as_millis() as u64,
            bytes,
        };
        match self.append(entry).await {
            Ok(()) => {
                self.kept.insert(checkpoint_id, metadata.objects());
                self.outboxes.on_complete(outputs, completed_ms);
                LogEvent::Written { checkpoint, duration, bytes }
            }
            Err(error) => LogEvent::Over(error),
        }
    }

    /// Every object is the checkpoint's own or one of a checkpoint that is kept. Else it may be gone, and the checkpoint must not become complete; nor must one
    /// whose output nobody could read.
    fn check_objects(&self, metadata: &CheckpointMetadata) -> Result<(), EngineError> {
        if let Some(what) = metadata.problem_with_output() {
            return Err(EngineError::new(ErrorKind::Bug, format!("checkpoint {}: {what}", metadata.checkpoint_id)));
        }
        let is_kept = |object: &String| metadata.wrote(object) || self.kept.values().any(|objects| objects.contains(object));
        match metadata.objects().iter().find(|object| !is_kept(object)) {
            None => Ok(()),
            Some(lost) => {
                let message =
                    format!("checkpoint {} refers to {lost}, which belongs to no checkpoint that is kept", metadata.checkpoint_id);
                Err(EngineError::new(ErrorKind::Bug, message))
            }
        }
    }

    /// The metadata, and what outbox sinks have staged for the checkpoint, by their place.
    fn metadata(&self, checkpoint_id: CheckpointId, parts: CompletedTasks) -> (CheckpointMetadata, BTreeMap<usize, StagedOutput>) {
        let mut vertices: Vec<_> =
            self.graph.vertices.iter().map(|vertex| VertexSnapshot { id: vertex.id.clone(), subtasks: Vec::new() }).collect();
        for (vertex, part) in parts {
            vertices[vertex].subtasks.push(part);
        }
        vertices.iter_mut().for_each(|vertex| vertex.subtasks.sort_by_key(|subtask| subtask.index));
        for (vertex, snapshot) in self.graph.vertices.iter().zip(&vertices) {
            assert_eq!(
                vertex.parallelism as usize,
                snapshot.subtasks.len(),
                "checkpoint {checkpoint_id}: every subtask of {} once",
                vertex.id
            );
        }
        let outputs = self.outputs(checkpoint_id, &mut vertices);
        let outboxes = self.outboxes.snapshots(&outputs);
        let (job, nonce, graph) = (self.graph.name.clone(), Some(self.nonce.clone()), self.graph.identity());
        (CheckpointMetadata { job, checkpoint_id, attempt: self.attempt, nonce, graph, vertices, outboxes }, outputs)
    }

    /// What the subtasks of each outbox sink have staged, in their order. From here on the checkpoint lists it once, by sink.
    fn outputs(&self, checkpoint_id: CheckpointId, vertices: &mut [VertexSnapshot]) -> BTreeMap<usize, StagedOutput> {
        let attempt_nonce = || self.nonce.clone();
        let of = |(place, vertex): (usize, &mut VertexSnapshot)| {
            let objects: Vec<_> = vertex.subtasks.iter_mut().flat_map(|subtask| std::mem::take(&mut subtask.staged)).collect();
            (!objects.is_empty()).then(|| (place, StagedOutput { checkpoint_id, attempt_nonce: attempt_nonce(), objects }))
        };
        vertices.iter_mut().enumerate().filter_map(of).collect()
    }

    async fn change(
        &mut self,
        checkpoint_id: CheckpointId,
        graph: Arc<JobGraph>,
        overrides: Vec<Override>,
        probation: bool,
    ) -> Result<(), EngineError> {
        store_components(&*self.store, &*self.clock, &graph).await?;
        self.graph = graph;
        let (attempt, nonce, changed_ms) = (self.attempt, self.nonce.clone(), self.clock.wall_ms());
        self.append(LogEntry::Override { attempt, nonce, checkpoint_id, overrides, probation, changed_ms }).await
    }

    async fn accept(&mut self) -> Result<(), EngineError> {
        let (attempt, nonce, decided_ms) = (self.attempt, self.nonce.clone(), self.clock.wall_ms());
        self.append(LogEntry::Outcome { attempt, nonce, accepted: true, reason: None, decided_ms }).await
    }

    async fn fail(&mut self, checkpoint_id: CheckpointId, trigger: Trigger, duration: Duration, reason: String) -> Result<(), EngineError> {
        self.append(LogEntry::Failed {
            attempt: self.attempt,
            nonce: self.nonce.clone(),
            checkpoint_id,
            trigger: trigger.name().to_owned(),
            failed_ms: self.clock.wall_ms(),
            duration_ms: duration.as_millis() as u64,
            reason,
        })
        .await
    }

    async fn finish(&mut self) -> Result<(), EngineError> {
        let finished_ms = self.clock.wall_ms();
        self.append(LogEntry::Finished { attempt: self.attempt, nonce: self.nonce.clone(), finished_ms }).await
    }

    async fn append(&mut self, entry: LogEntry) -> Result<(), EngineError> {
        match self.log.append(entry).await {
            Ok(Append::Done) => Ok(()),
            Ok(Append::Taken) => Err(fenced(&self.graph.name)),
            Err(error) if error.kind() == ErrorKind::Fenced => Err(error),
            Err(error) => Err(EngineError::new(ErrorKind::Restart, format!("append to the job's log: the outcome is unknown: {error}"))),
        }
    }

    /// Deletes objects of this attempt and older ones that belong to no kept checkpoint and are not in use. It runs behind a completed checkpoint of
    /// this attempt only, so the one that the attempt started from is kept until then. A newer attempt's objects have a higher number.
    async fn collect_garbage(&mut self, in_use: &ObjectsInUse) -> Result<(), EngineError> {
        let history = History::of(self.log.entries());
        let mut retained = history.retained(self.retain);
        let Some(newest) = retained.first().map(|newest| newest.checkpoint_id) else { return Ok(()) };
        let oldest = retained.last().map_or(newest, |oldest| oldest.checkpoint_id);
        let held = self.pins.spared(oldest, self.clock.now());
        for older in history.completed().rev().skip(self.retain).filter(|older| held.contains(&older.checkpoint_id)) {
            // One that was deleted before somebody asked for it is no reason to delete nothing.
            if self.kept.contains_key(&older.checkpoint_id) || retry(&*self.clock, || self.store.get(&older.metadata)).await?.is_some() {
                retained.push(older.clone());
            }
        }
        for checkpoint in &retained {
            if !self.kept.contains_key(&checkpoint.checkpoint_id) {
                let objects = load_metadata(&*self.store, &*self.clock, checkpoint).await?.objects();
                self.kept.insert(checkpoint.checkpoint_id, objects);
            }
        }
        self.kept.retain(|id, _| in_use.may_be_base(*id) || retained.iter().any(|checkpoint| checkpoint.checkpoint_id == *id));
        let kept: BTreeSet<&str> = self.kept.values().flatten().map(String::as_str).collect();
        let is_past = |(attempt, id): (AttemptId, CheckpointId)| {
            let over = id <= newest && in_use.oldest_under_way.is_none_or(|under_way| id < under_way);
            attempt < self.attempt || (attempt == self.attempt && over)
        };
        self.delete_where(|path| paths::owner_of(path).is_some_and(is_past) && !kept.contains(path)).await
    }

    /// Deletes the objects of checkpoints that never became complete: of older attempts, and of this one those that the log calls failed. Nothing
    /// refers to any of them, because every checkpoint builds on complete ones. What cannot be deleted now is deleted behind the next complete checkpoint.
    async fn delete_failed(&self) {
        let (mut complete, mut failed) = (BTreeSet::new(), BTreeSet::new());
        for entry in self.log.entries() {
            match entry {
                LogEntry::Completed { attempt, checkpoint_id, .. } => _ = complete.insert((*attempt, *checkpoint_id)),
                LogEntry::Failed { attempt, checkpoint_id, .. } => _ = failed.insert((*attempt, *checkpoint_id)),
                LogEntry::Attempt { .. } | LogEntry::Override { .. } | LogEntry::Outcome { .. } | LogEntry::Finished { .. } => {}
            }
        }
        let never_complete = |owner: (AttemptId, CheckpointId)| {
            let over = owner.0 < self.attempt || (owner.0 == self.attempt && failed.contains(&owner));
            over && !complete.contains(&owner)
        };
        if let Err(error) = self.delete_where(|path| paths::owner_of(path).is_some_and(never_complete)).await {
            warn!(%error, "what failed checkpoints have left could not be deleted");
        }
    }

    /// Deletes the objects of checkpoints whose path is one of these. What was listed is deleted only where the log is still this process's own by
    /// then, and nobody has written behind its last entry: a successor may have started from what this process no longer keeps. Several at once: the
    /// next checkpoint waits behind them, and a chain of deltas ends all at once.
    async fn delete_where(&self, is_over: impl Fn(&str) -> bool) -> Result<(), EngineError> {
        for folder in [paths::CHECKPOINTS, paths::STATE] {
            let listed = retry(&*self.clock, || self.store.list(folder)).await?;
            let over: Vec<String> = listed.into_iter().filter(|path| is_over(path)).collect();
            for some in over.chunks(DELETIONS_BETWEEN_LOOKS) {
                self.log.check_still_last("delete behind").await?;
                let deletions: Vec<_> = some.iter().map(|path| self.delete(path)).collect();
                stream::iter(deletions).buffer_unordered(DELETIONS).try_collect::<()>().await?;
            }
        }
        Ok(())
    }

    async fn delete(&self, path: &str) -> Result<(), EngineError> {
        retry(&*self.clock, || self.store.delete(path)).await
    }
}

/// Keeps the components of a graph beside the checkpoints that they write.
pub(in crate::job) async fn store_components(store: &dyn Store, clock: &dyn Clock, graph: &JobGraph) -> Result<(), EngineError> {
    for vertex in &graph.vertices {
        if let VertexKind::Operator(factory) = &vertex.kind
            && let Some(component) = factory.component()
        {
            let (path, bytes) = (paths::plugin(&component.digest), bytes::Bytes::copy_from_slice(&component.bytes));
            let _: Created = retry(clock, || store.create(&path, bytes.clone())).await?;
        }
    }
    Ok(())
}
