//! Writes what a task has captured for a checkpoint, part by part, as long as the checkpoint is awaited.

use super::upload::{still_awaited, upload, upload_files, upload_of};
use super::{Capture, SnapshotContext};
use crate::checkpoint::{CompletedTasks, StagedObject, StateObjectWriter, SubtaskSnapshot, paths};
use crate::element::CheckpointId;
use crate::error::EngineError;
use crate::exchange::InFlightRecords;
use crate::outbox::Staged;
use crate::state::{BroadcastState, FileSnapshot, StateSnapshot};
use crate::storage::retry;
use crate::task::call_log::call_log_object;
use crate::task::in_flight_object::in_flight_object;
use crate::task::increments::{Extent, Increments, TaskStateSize};
use crate::task::shared_files::{SharedFiles, TaskFiles};
use crate::task::{KeptStretch, SubtaskCapture, broadcast};
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::warn;

pub(super) enum WriteError {
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
pub(super) struct StoredBefore {
    pub increments: Increments,
    pub files: SharedFiles,
    /// The files of the checkpoint's base.
    pub of_base: Arc<TaskFiles>,
}

/// What a task's vertices have captured, as far as that needs no upload.
#[derive(Default)]
struct Captured {
    parts: CompletedTasks,
    /// The keyed state of all operators whose backend gives blocks.
    object: StateObjectWriter,
    size: TaskStateSize,
    /// Bytes of the sections in that object.
    written_bytes: u64,
    own: Vec<OwnObjects>,
    outboxes: Vec<Unstaged>,
    /// Why the state of an operator could not be written.
    failed: Option<EngineError>,
}

impl Captured {
    /// Adds one vertex's part. It waits for what a sink prepares.
    async fn add(&mut self, index: u32, checkpoint_id: CheckpointId, extent: &Extent, capture: Capture) -> Result<(), WriteError> {
        let mut part = SubtaskSnapshot { index, ..SubtaskSnapshot::default() };
        let vertex = match capture {
            Capture::Source { vertex, splits } => {
                part.splits = splits;
                vertex
            }
            Capture::Operator { vertex, capture } => {
                self.add_operator(extent, &mut part, capture);
                vertex
            }
            Capture::Sink { vertex, uncommitted, prepared } => {
                let prepared = prepared.await.map_err(WriteError::Sink)?;
                part.committables = uncommitted.add(checkpoint_id, prepared);
                vertex
            }
            Capture::Outbox { vertex, sink, staged } => {
                self.outboxes.push(Unstaged { part: self.parts.len(), sink, staged });
                vertex
            }
        };
        self.parts.push((vertex, part));
        Ok(())
    }

    fn add_operator(&mut self, extent: &Extent, part: &mut SubtaskSnapshot, capture: SubtaskCapture) {
        let SubtaskCapture { operator, keyed, broadcast, calls, floors, event_time_began, processing_time, largest_timestamp } = capture;
        (part.floors, part.event_time_began) = (floors, event_time_began);
        (part.processing_time, part.largest_timestamp) = (processing_time, largest_timestamp);
        let mut files = None;
        part.keys = keyed.as_ref().map_or(0, StateSnapshot::keys);
        match keyed {
            None => {}
            Some(StateSnapshot::Blocks(mut snapshot)) => {
                let Self { object, written_bytes, .. } = self;
                let written = snapshot.write(&mut |key_group, payload| {
                    *written_bytes += payload.len() as u64;
                    object.section(extent.section_kind(), &operator, key_group, payload);
                });
                match written {
                    Ok(bytes) => part.state_bytes = bytes,
                    Err(error) => self.failed = Some(error.context(&operator)),
                }
                self.size = TaskStateSize { keys: self.size.keys + part.keys, bytes: self.size.bytes + part.state_bytes };
            }
            Some(StateSnapshot::Files(snapshot)) => {
                part.state_bytes = snapshot.state_bytes;
                files = Some(snapshot);
            }
        }
        self.own.push(OwnObjects { part: self.parts.len(), operator, files, broadcast, calls });
    }
}

pub(super) async fn write(
    context: &SnapshotContext,
    stored: &StoredBefore,
    checkpoint_id: CheckpointId,
    extent: Extent,
    captures: Vec<Capture>,
) -> Result<CompletedTasks, WriteError> {
    if !context.bases.is_under_way(checkpoint_id) {
        return Err(keep_output(checkpoint_id, captures).await);
    }
    let mut captured = Captured::default();
    // Nothing that may fail as an upload stands in front of the last sink: what its writer has let go of would be lost.
    for capture in captures {
        captured.add(context.index, checkpoint_id, &extent, capture).await?;
    }
    let Captured { mut parts, object, size, written_bytes, own, outboxes, failed } = captured;
    if let Some(error) = failed {
        return Err(WriteError::Upload(error));
    }
    let task_files = write_own(context, checkpoint_id, &mut parts, own, &stored.of_base).await?;
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

/// Writes what operators have in objects of their own. The files that the checkpoint consists of.
async fn write_own(
    context: &SnapshotContext,
    checkpoint_id: CheckpointId,
    parts: &mut CompletedTasks,
    own: Vec<OwnObjects>,
    of_base: &TaskFiles,
) -> Result<TaskFiles, WriteError> {
    let (index, mut task_files) = (context.index, TaskFiles::default());
    for OwnObjects { part, operator: id, files, broadcast, calls } in own {
        if let Some(files) = files {
            upload_files(context, checkpoint_id, parts, (part, &id), files, of_base).await?;
            parts[part].1.files.iter().for_each(|files| task_files.add(&id, files));
        }
        if let Some(broadcast) = broadcast {
            let path = paths::broadcast_object(context.attempt, checkpoint_id, &id, index, &context.nonce);
            parts[part].1.broadcast = Some(upload_of(context, checkpoint_id, parts, path, broadcast::object(&id, &broadcast)).await?);
        }
        if let Some(stretches) = calls {
            let path = paths::call_log_object(context.attempt, checkpoint_id, &id, index, &context.nonce);
            let object = call_log_object(&id, index, &stretches);
            parts[part].1.call_log = Some(upload_of(context, checkpoint_id, parts, path, object).await?);
        }
    }
    Ok(task_files)
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
pub(super) async fn discard(context: &SnapshotContext, checkpoint_id: CheckpointId, parts: &CompletedTasks) {
    let own = |path: &str| paths::owner_of(path) == Some((context.attempt, checkpoint_id));
    let written: BTreeSet<&str> = parts.iter().flat_map(|(_, part)| part.handles()).map(|handle| handle.object.as_str()).collect();
    for path in written.into_iter().filter(|path| own(path)) {
        if let Err(error) = retry(&*context.clock, || context.store.delete(path)).await {
            warn!(%checkpoint_id, %error, "an object of a failed checkpoint could not be deleted");
        }
    }
}

/// Writes what the barrier overtook, unless the checkpoint has been given up meanwhile; it stands with the task's first vertex.
pub(super) async fn write_records(
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
