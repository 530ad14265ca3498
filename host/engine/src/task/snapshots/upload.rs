//! Uploads the objects and the files of a checkpoint, unless that has been given up meanwhile.

use super::SnapshotContext;
use super::write::{WriteError, discard};
use crate::checkpoint::{CompletedTasks, StateFile, StateFiles, StateHandle, StateObjectWriter, paths};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Lane;
use crate::state::{FileSnapshot, SnapshotFile};
use crate::storage::retry;
use crate::task::shared_files::TaskFiles;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::oneshot;

/// Writes another object of a checkpoint, unless that has been given up meanwhile.
pub(super) async fn upload_of(
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
pub(super) async fn still_awaited(
    context: &SnapshotContext,
    checkpoint_id: CheckpointId,
    parts: &CompletedTasks,
) -> Result<(), WriteError> {
    if context.bases.is_under_way(checkpoint_id) {
        return Ok(());
    }
    discard(context, checkpoint_id, parts).await;
    Err(WriteError::GivenUp)
}

pub(super) async fn upload(context: &SnapshotContext, path: String, object: StateObjectWriter) -> Result<StateHandle, EngineError> {
    let finished = object.finish();
    put(context, StateHandle { object: path, bytes: finished.bytes, checksum: finished.checksum }, finished.parts).await
}

/// Uploads the files of a snapshot, one after the other, but for those that the base has. `part`: the place of the operator's part.
pub(super) async fn upload_files(
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
