//! One task's part in checkpoints: captured at the barrier, written in the background, acknowledged when durable.
//!
//! Invariants: checkpoints of one task are written one after the other, so that a sink's part holds everything older that is
//! not committed; commits too happen one after the other. Of a checkpoint that is given up no object is left: one that waits for its turn is not
//! written, one that is being written ends with the object that it is at, and what was written while it was given up is deleted by whoever wrote
//! it; what was written before, the log writer deletes.

use super::call_log::call_log_object;
use super::commits::Uncommitted;
use super::in_flight_object::{InFlightEdge, in_flight_object};
use super::increments::{Extent, Increments, TaskStateSize};
use super::shared_files::{SharedFiles, TaskFiles};
use super::{Chain, KeptStretch, NodeBody, SubtaskCapture, TaskEvent, TaskEvents, broadcast};
use crate::checkpoint::{
    CheckpointBases, CompletedTasks, StagedObject, StateFile, StateFiles, StateHandle, StateObjectWriter, SubtaskSnapshot, paths,
};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::exchange::{Decline, InFlightRecords};
use crate::outbox::Staged;
use crate::runtime::{Clock, Lane, TaskGroup};
use crate::sink::{Committable, Committers};
use crate::source::SplitState;
use crate::state::{BroadcastState, FileSnapshot, SnapshotFile, StateSnapshot};
use crate::storage::{Store, retry};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tracing::warn;

/// How long what is read may take to answer that it has heard of a checkpoint.
const TOLD_MAX: Duration = Duration::from_secs(10);

/// What all snapshots of a task have in common.
pub struct SnapshotContext {
    /// Where objects go.
    pub store: Arc<dyn Store>,
    /// The clock for retries.
    pub clock: Arc<dyn Clock>,
    /// The attempt's tasks: what runs in the background ends with it.
    pub group: TaskGroup,
    /// What checkpoints build on.
    pub bases: Arc<CheckpointBases>,
    /// Finds committers.
    pub committers: Committers,
    /// The attempt that the task belongs to.
    pub attempt: AttemptId,
    /// What tells this attempt's objects from those of another of the same number.
    pub nonce: String,
    /// The id of the task's first vertex.
    pub head: String,
    /// The subtask.
    pub index: u32,
    /// The graph's edges, by number.
    pub edges: Arc<[InFlightEdge]>,
    /// Where acknowledgements go.
    pub events: TaskEvents,
}

/// Takes a task's snapshots.
pub struct Snapshots {
    context: Arc<SnapshotContext>,
    /// By vertex.
    uncommitted: BTreeMap<usize, Uncommitted>,
    increments: Increments,
    files: SharedFiles,
    writing: Line,
    committing: Line,
    /// Snapshots that wait for what their barrier overtook.
    awaiting: BTreeMap<CheckpointId, oneshot::Sender<InFlightRecords>>,
}

/// What of a task's input belongs to a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InFlight {
    /// Nothing: all that was sent before the barrier has been worked off.
    Nothing,
    /// What [`Snapshots::take_in_flight`] will hand in.
    Awaited,
}

/// Lets background work of one kind go one after the other, in the order in which places were taken, whichever thread comes first.
#[derive(Default)]
struct Line {
    last: Option<oneshot::Receiver<()>>,
}

/// The next one's is come when it is dropped.
struct PlaceInLine {
    before: Option<oneshot::Receiver<()>>,
    _over: oneshot::Sender<()>,
}

impl Line {
    fn take(&mut self) -> PlaceInLine {
        let (over, next) = oneshot::channel();
        PlaceInLine { before: self.last.replace(next), _over: over }
    }
}

impl PlaceInLine {
    /// Waits until the one before is over.
    async fn come_up(&mut self) {
        if let Some(before) = self.before.take() {
            // It is never sent, only dropped.
            _ = before.await;
        }
    }
}

/// One vertex's part, as of the barrier.
enum Capture {
    Source { vertex: usize, splits: Vec<SplitState> },
    Operator { vertex: usize, capture: SubtaskCapture },
    Sink { vertex: usize, uncommitted: Uncommitted, prepared: BoxFuture<'static, Result<Vec<Committable>, EngineError>> },
    Outbox { vertex: usize, sink: String, staged: Staged },
}

impl Snapshots {
    /// For a task with this context.
    pub fn new(context: SnapshotContext) -> Self {
        Self {
            context: Arc::new(context),
            uncommitted: BTreeMap::new(),
            increments: Increments::default(),
            files: SharedFiles::default(),
            writing: Line::default(),
            committing: Line::default(),
            awaiting: BTreeMap::new(),
        }
    }

    /// Captures the task as of now and writes it in the background. `source`: the vertex and splits of the source at the head.
    pub fn take(
        &mut self,
        checkpoint_id: CheckpointId,
        chain: &mut Chain,
        source: Option<(usize, Vec<SplitState>)>,
        in_flight: InFlight,
    ) -> Result<(), EngineError> {
        let extent = self.extent(checkpoint_id, chain);
        let base = self.context.bases.base_of(checkpoint_id);
        let mut captures = Vec::with_capacity(chain.nodes.len() + 1);
        captures.extend(source.map(|(vertex, splits)| Capture::Source { vertex, splits }));
        for node in &mut chain.nodes {
            captures.push(match &mut node.body {
                NodeBody::Operator(subtask) => {
                    Capture::Operator { vertex: node.vertex, capture: subtask.capture(checkpoint_id, extent.base(), base)? }
                }
                NodeBody::Sink(writer) => {
                    let uncommitted = self.uncommitted.entry(node.vertex).or_default().clone();
                    let prepared = writer.prepare_commit(checkpoint_id).map_err(|error| error.context(&node.id))?;
                    Capture::Sink { vertex: node.vertex, uncommitted, prepared }
                }
                NodeBody::Outbox(writer) => {
                    Capture::Outbox { vertex: node.vertex, sink: node.id.clone(), staged: writer.on_barrier(checkpoint_id) }
                }
            });
        }
        let overtaken = match in_flight {
            InFlight::Nothing => None,
            InFlight::Awaited => {
                let (records, overtaken) = oneshot::channel();
                self.awaiting.insert(checkpoint_id, records);
                Some(overtaken)
            }
        };
        let (context, mut place) = (self.context.clone(), self.writing.take());
        let stored = StoredBefore { increments: self.increments.clone(), files: self.files.clone(), of_base: self.files.of(base) };
        let write = async move {
            place.come_up().await;
            let written = write(&context, &stored, checkpoint_id, extent, captures).await;
            // What barriers overtake may take as long as the next barrier: it holds up no other snapshot.
            drop(place);
            let written = match (written, overtaken) {
                (Ok(parts), Some(overtaken)) => match overtaken.await {
                    Ok(records) => write_records(&context, checkpoint_id, parts, records).await,
                    Err(_given_up) => return discard(&context, checkpoint_id, &parts).await,
                },
                (written, _) => written,
            };
            match written {
                Ok(parts) if context.bases.is_under_way(checkpoint_id) => {
                    context.events.send(TaskEvent::Acknowledged { checkpoint_id, parts });
                }
                Ok(parts) => discard(&context, checkpoint_id, &parts).await,
                Err(WriteError::GivenUp) => {}
                Err(WriteError::Upload(error)) => {
                    context
                        .events
                        .send(TaskEvent::Declined { checkpoint_id, decline: Decline::Failed(format!("{}: {error}", context.head)) });
                }
                Err(WriteError::Sink(error)) => context.events.send(TaskEvent::Failed(error)),
            }
        };
        self.context.group.spawn(Lane::Control, "snapshot", write.boxed());
        Ok(())
    }

    /// Hands in what the barrier of `checkpoint_id` overtook.
    pub fn take_in_flight(&mut self, checkpoint_id: CheckpointId, records: InFlightRecords) {
        if let Some(waiting) = self.awaiting.remove(&checkpoint_id) {
            // The snapshot failed where nobody waits for it.
            _ = waiting.send(records);
        }
    }

    /// The coordinator has given `checkpoint_id` up: nothing more of it is awaited.
    pub fn abort(&mut self, checkpoint_id: CheckpointId) {
        self.awaiting.remove(&checkpoint_id);
    }

    /// What this checkpoint writes of the keyed state; what only older bases need is forgotten.
    fn extent(&self, checkpoint_id: CheckpointId, chain: &mut Chain) -> Extent {
        let base = self.context.bases.base_of(checkpoint_id);
        let mut states: Vec<_> = chain.operators().filter_map(|subtask| subtask.keyed_state()).collect();
        if let Some(base) = base {
            self.increments.retire(base);
            self.files.retire(base);
            states.iter_mut().for_each(|state| state.retire(base));
        }
        let keys = states.iter().map(|state| state.key_count()).sum();
        self.increments.extent(base, keys, |base| states.iter().map(|state| state.changed_since(base)).sum())
    }

    /// Commits everything up to `checkpoint_id` in the background, beside `told`: what the source at the head has to do now that it exists.
    pub fn commit(&mut self, checkpoint_id: CheckpointId, told: Option<BoxFuture<'static, Result<(), EngineError>>>) {
        let context = self.context.clone();
        let sinks: Vec<_> = self.uncommitted.values().cloned().collect();
        if sinks.is_empty() && told.is_none() {
            return context.events.send(TaskEvent::Committed(checkpoint_id));
        }
        let mut place = self.committing.take();
        let commit = async move {
            place.come_up().await;
            for sink in sinks {
                if let Err(error) = sink.commit(checkpoint_id, &context.committers).await {
                    return context.events.send(TaskEvent::Failed(error));
                }
            }
            // Nothing rests on it: what never answers holds up neither the commits behind it nor the end of the job.
            drop(place);
            if let Some(told) = told {
                let long_enough = context.clock.sleep_until(context.clock.now() + TOLD_MAX);
                match select(told, long_enough).await {
                    Either::Left((Ok(()), _)) => {}
                    Either::Left((Err(error), _)) => {
                        warn!(source = %context.head, %checkpoint_id, %error, "what is read could not be told of a checkpoint");
                    }
                    Either::Right(_) => warn!(source = %context.head, %checkpoint_id, "what is read has not answered to a checkpoint"),
                }
            }
            context.events.send(TaskEvent::Committed(checkpoint_id));
        };
        self.context.group.spawn(Lane::Control, "commit", commit.boxed());
    }
}

enum WriteError {
    /// The checkpoint has been given up meanwhile, and nothing of it is written.
    GivenUp,
    /// The checkpoint fails; the task goes on.
    Upload(EngineError),
    /// The sink's records may be lost to it: only a restart brings them back.
    Sink(EngineError),
}

/// What one operator alone writes: objects beside the task's state object.
struct OwnObjects {
    /// The place of its part.
    part: usize,
    operator: String,
    files: Option<FileSnapshot>,
    broadcast: Option<BroadcastState>,
    calls: Option<Vec<Arc<KeptStretch>>>,
}

/// What an outbox sink has to stage.
struct Unstaged {
    /// The place of its part.
    part: usize,
    sink: String,
    staged: Staged,
}

/// What checkpoints have stored of the keyed state, and what of it may be built on.
#[derive(Default)]
struct StoredBefore {
    increments: Increments,
    files: SharedFiles,
    /// The files of the checkpoint's base.
    of_base: Arc<TaskFiles>,
}

async fn write(
    context: &SnapshotContext,
    stored: &StoredBefore,
    checkpoint_id: CheckpointId,
    extent: Extent,
    captures: Vec<Capture>,
) -> Result<CompletedTasks, WriteError> {
    if !context.bases.is_under_way(checkpoint_id) {
        return Err(keep_output(checkpoint_id, captures).await);
    }
    let index = context.index;
    let mut parts: CompletedTasks = Vec::with_capacity(captures.len());
    let mut object = StateObjectWriter::new();
    let (mut size, mut written_bytes) = (TaskStateSize::default(), 0);
    let (mut own, mut outboxes, mut failed) = (Vec::new(), Vec::new(), None);
    // Nothing that may fail as an upload stands in front of the last sink: what its writer has let go of would be lost.
    for capture in captures {
        let mut part = SubtaskSnapshot { index, ..SubtaskSnapshot::default() };
        let vertex = match capture {
            Capture::Source { vertex, splits } => {
                part.splits = splits;
                vertex
            }
            Capture::Operator { vertex, capture } => {
                let SubtaskCapture { operator, keyed, broadcast, calls } = capture;
                let mut files = None;
                part.keys = keyed.as_ref().map_or(0, StateSnapshot::keys);
                match keyed {
                    None => {}
                    Some(StateSnapshot::Blocks(mut snapshot)) => {
                        let written = snapshot.write(&mut |key_group, payload| {
                            written_bytes += payload.len() as u64;
                            object.section(extent.section_kind(), &operator, key_group, payload);
                        });
                        match written {
                            Ok(bytes) => part.state_bytes = bytes,
                            Err(error) => failed = Some(error.context(&operator)),
                        }
                        size = TaskStateSize { keys: size.keys + part.keys, bytes: size.bytes + part.state_bytes };
                    }
                    Some(StateSnapshot::Files(snapshot)) => {
                        part.state_bytes = snapshot.state_bytes;
                        files = Some(snapshot);
                    }
                }
                own.push(OwnObjects { part: parts.len(), operator, files, broadcast, calls });
                vertex
            }
            Capture::Sink { vertex, uncommitted, prepared } => {
                let prepared = prepared.await.map_err(WriteError::Sink)?;
                part.committables = uncommitted.add(checkpoint_id, prepared);
                vertex
            }
            Capture::Outbox { vertex, sink, staged } => {
                outboxes.push(Unstaged { part: parts.len(), sink, staged });
                vertex
            }
        };
        parts.push((vertex, part));
    }
    if let Some(error) = failed {
        return Err(WriteError::Upload(error));
    }
    let mut task_files = TaskFiles::default();
    for OwnObjects { part, operator: id, files, broadcast, calls } in own {
        if let Some(files) = files {
            upload_files(context, checkpoint_id, &mut parts, (part, &id), files, &stored.of_base).await?;
            parts[part].1.files.iter().for_each(|files| task_files.add(&id, files));
        }
        if let Some(broadcast) = broadcast {
            let path = paths::broadcast_object(context.attempt, checkpoint_id, &id, index, &context.nonce);
            parts[part].1.broadcast = Some(upload_of(context, checkpoint_id, &parts, path, broadcast::object(&id, &broadcast)).await?);
        }
        if let Some(stretches) = calls {
            let path = paths::call_log_object(context.attempt, checkpoint_id, &id, index, &context.nonce);
            let object = call_log_object(&id, index, &stretches);
            parts[part].1.call_log = Some(upload_of(context, checkpoint_id, &parts, path, object).await?);
        }
    }
    stage(context, checkpoint_id, &mut parts, outboxes).await?;
    let object = if size.keys > 0 && !object.is_empty() {
        let path = paths::state_object(context.attempt, checkpoint_id, &context.head, context.index, &context.nonce);
        Some(upload_of(context, checkpoint_id, &parts, path, object).await?)
    } else {
        None
    };
    let chain = extent.written(object, written_bytes, size);
    parts.iter_mut().filter(|(_, part)| part.keys > 0).for_each(|(_, part)| chain.fill(part));
    stored.increments.on_written(checkpoint_id, chain);
    stored.files.on_written(checkpoint_id, task_files);
    Ok(parts)
}

/// Writes what outbox sinks have for a checkpoint. It stays with the sink until a checkpoint that holds it is complete.
async fn stage(
    context: &SnapshotContext,
    checkpoint_id: CheckpointId,
    parts: &mut CompletedTasks,
    outboxes: Vec<Unstaged>,
) -> Result<(), WriteError> {
    for Unstaged { part, sink, staged } in outboxes {
        for (number, records) in staged.of(checkpoint_id, &context.bases).await.into_iter().enumerate() {
            let path = paths::staged_object(context.attempt, checkpoint_id, &sink, context.index, &context.nonce, number);
            let handle = upload_of(context, checkpoint_id, parts, path, records.object(&sink, context.index)).await?;
            parts[part].1.staged.push(StagedObject { handle, records: records.records() });
        }
    }
    Ok(())
}

/// What sinks have let go of for a checkpoint that was given up goes with the next one.
async fn keep_output(checkpoint_id: CheckpointId, captures: Vec<Capture>) -> WriteError {
    for capture in captures {
        if let Capture::Sink { uncommitted, prepared, .. } = capture {
            match prepared.await {
                Ok(prepared) => _ = uncommitted.add(checkpoint_id, prepared),
                Err(error) => return WriteError::Sink(error),
            }
        }
    }
    WriteError::GivenUp
}

/// Deletes what this task has written for a checkpoint that was given up meanwhile.
async fn discard(context: &SnapshotContext, checkpoint_id: CheckpointId, parts: &CompletedTasks) {
    let own = |path: &str| paths::owner_of(path) == Some((context.attempt, checkpoint_id));
    let written: BTreeSet<&str> = parts.iter().flat_map(|(_, part)| part.handles()).map(|handle| handle.object.as_str()).collect();
    for path in written.into_iter().filter(|path| own(path)) {
        if let Err(error) = retry(&*context.clock, || context.store.delete(path)).await {
            warn!(%checkpoint_id, %error, "an object of a failed checkpoint could not be deleted");
        }
    }
}

/// Writes what the barrier overtook, unless the checkpoint has been given up meanwhile; it stands with the task's first vertex.
async fn write_records(
    context: &SnapshotContext,
    checkpoint_id: CheckpointId,
    mut parts: CompletedTasks,
    records: InFlightRecords,
) -> Result<CompletedTasks, WriteError> {
    still_awaited(context, checkpoint_id, &parts).await?;
    if let Some(object) = in_flight_object(context, &records) {
        let path = paths::in_flight_object(context.attempt, checkpoint_id, &context.head, context.index, &context.nonce);
        parts[0].1.in_flight = Some(upload(context, path, object).await.map_err(WriteError::Upload)?);
    }
    Ok(parts)
}

/// Writes another object of a checkpoint, unless that has been given up meanwhile.
async fn upload_of(
    context: &SnapshotContext,
    checkpoint_id: CheckpointId,
    parts: &CompletedTasks,
    path: String,
    object: StateObjectWriter,
) -> Result<StateHandle, WriteError> {
    still_awaited(context, checkpoint_id, parts).await?;
    upload(context, path, object).await.map_err(WriteError::Upload)
}

/// Where a checkpoint has been given up meanwhile, what `parts` has of it goes, and nothing follows.
async fn still_awaited(context: &SnapshotContext, checkpoint_id: CheckpointId, parts: &CompletedTasks) -> Result<(), WriteError> {
    if context.bases.is_under_way(checkpoint_id) {
        return Ok(());
    }
    discard(context, checkpoint_id, parts).await;
    Err(WriteError::GivenUp)
}

async fn upload(context: &SnapshotContext, path: String, object: StateObjectWriter) -> Result<StateHandle, EngineError> {
    let finished = object.finish();
    put(context, StateHandle { object: path, bytes: finished.bytes, checksum: finished.checksum }, finished.parts).await
}

/// Uploads the files of a snapshot, one after the other, but for those that the base has. `part`: the place of the operator's part.
async fn upload_files(
    context: &SnapshotContext,
    checkpoint_id: CheckpointId,
    parts: &mut CompletedTasks,
    (part, operator): (usize, &str),
    snapshot: FileSnapshot,
    of_base: &TaskFiles,
) -> Result<(), WriteError> {
    parts[part].1.files = Some(StateFiles { format: snapshot.format.to_owned(), files: Vec::new() });
    for file in snapshot.files {
        let name = file.name().to_owned();
        let handle = match of_base.get(operator, &name) {
            Some(handle) => handle.clone(),
            None => {
                still_awaited(context, checkpoint_id, parts).await?;
                let path = paths::state_file(context.attempt, checkpoint_id, operator, context.index, &context.nonce, &name);
                let named = |error: EngineError| WriteError::Upload(error.context(format!("{operator}: file {name}")));
                let contents = read_aside(context, file).await.map_err(named)?;
                upload_file(context, path, contents).await.map_err(WriteError::Upload)?
            }
        };
        if let Some(uploaded) = &mut parts[part].1.files {
            uploaded.files.push(StateFile { name, handle });
        }
    }
    Ok(())
}

/// Reads a file where nobody waits behind it: a disk may take its time.
async fn read_aside(context: &SnapshotContext, file: Box<dyn SnapshotFile>) -> Result<Vec<Bytes>, EngineError> {
    let (done, contents) = oneshot::channel();
    let read = async move {
        // The attempt is gone where nobody waits for it.
        _ = done.send(file.read());
    };
    context.group.spawn(Lane::Blocking, "read a file of state", read.boxed());
    let gone = |_| EngineError::new(ErrorKind::Bug, "it was not read: its backend panicked, or the attempt has ended");
    contents.await.map_err(gone)?
}

async fn upload_file(context: &SnapshotContext, path: String, parts: Vec<Bytes>) -> Result<StateHandle, EngineError> {
    let bytes = parts.iter().map(|part| part.len() as u64).sum();
    let checksum = parts.iter().fold(0, |checksum, part| crc32c::crc32c_append(checksum, part));
    put(context, StateHandle { object: path, bytes, checksum }, parts).await
}

/// Puts the object that `handle` describes, and gives it back.
async fn put(context: &SnapshotContext, handle: StateHandle, parts: Vec<Bytes>) -> Result<StateHandle, EngineError> {
    retry(&*context.clock, || context.store.put(&handle.object, parts.clone())).await?;
    Ok(handle)
}

#[cfg(test)]
#[path = "snapshots_tests.rs"]
mod tests;
