//! Savepoints: checkpoints that the user owns. Each is a folder that needs nothing else: metadata, state, components, the job file.
//!
//! A savepoint is a copy of a completed checkpoint, under the same names. It holds no output: it is made once the output up to the checkpoint is
//! committed, and its metadata names none. (Older ones hold some, which a run that starts from them commits where it is still there.) `savepoint.json` is
//! written last and by create-if-absent: a folder without it is no savepoint, and two that are written into one folder never mix unnoticed.
//! Call logs stay with the job: they hold what came before. A savepoint belongs to the user: no retention touches it, and a job that starts from it refers to none of its objects.

use crate::checkpoint::{CheckpointMetadata, Pinned, StateHandle, envelope, paths, read_state_object, stored_component};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::CompletedCheckpoint;
use crate::job::history::load_metadata;
use crate::runtime::Clock;
use crate::storage::{Created, Store, retry};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const MAGIC: &str = "weir-savepoint";
/// The object that makes a folder a savepoint.
pub const SAVEPOINT: &str = "savepoint.json";
const NOTE_MAGIC: &str = "weir-savepoint-note";
const METADATA: &str = "metadata.json";
const JOB_FILE: &str = "job.toml";
/// Objects that are copied at once, where nothing else is to be done.
const COPIES: usize = 4;
/// Beside a running job the copy of an object is followed by a rest as long as it took, and of so much at most: what it took may have been
/// another machine's time.
const REST_MAX: Duration = Duration::from_millis(100);

/// Opens the folder of a savepoint by its URL.
pub type SavepointOpener = Arc<dyn Fn(&str) -> BoxFuture<'static, Result<Arc<dyn Store>, EngineError>> + Send + Sync>;

/// What a savepoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Savepoint {
    /// The job that it was taken of.
    pub job: String,
    /// The checkpoint that it is a copy of.
    pub checkpoint_id: CheckpointId,
    /// The attempt that took the copied checkpoint.
    pub attempt: AttemptId,
    /// Milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Its metadata.
    pub metadata: StateHandle,
    /// The components, `plugins/<sha-256>.wasm`.
    pub plugins: Vec<StateHandle>,
    /// The job file as it was.
    pub job_file: Option<StateHandle>,
    /// The folder that the job file's relative paths begin at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_folder: Option<String>,
    /// What references of the job file led to, of those operators whose component came by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<Pinned>,
}

/// A job file that goes into a savepoint.
#[derive(Clone, Debug)]
pub struct JobFileCopy {
    /// What it says.
    pub text: Bytes,
    /// The folder that its relative paths begin at, absolutely.
    pub folder: String,
    /// What its references led to.
    pub pinned: Vec<Pinned>,
}

impl Savepoint {
    /// Every object but `savepoint.json` itself.
    fn objects(&self, metadata: &CheckpointMetadata) -> BTreeSet<StateHandle> {
        let own = self.plugins.iter().chain([&self.metadata]).chain(&self.job_file).cloned();
        metadata.restored().cloned().chain(own).collect()
    }

    /// Bytes of all its objects.
    pub fn bytes(&self, metadata: &CheckpointMetadata) -> u64 {
        self.objects(metadata).iter().map(|handle| handle.bytes).sum()
    }
}

/// How a savepoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it goes.
    Fast,
    /// Beside the job, which goes on working: one object after the other, with rests.
    BesideTheJob,
}

/// Copies a completed checkpoint of the job in `source` into the empty folder `target`. All output that it covers has been committed, and nothing of
/// it may be deleted meanwhile.
pub async fn write_savepoint(
    source: &dyn Store,
    target: &dyn Store,
    clock: &dyn Clock,
    checkpoint: &CompletedCheckpoint,
    job_file: Option<JobFileCopy>,
    pace: Pace,
) -> Result<Savepoint, EngineError> {
    let attempted = |error: EngineError| error.context(format!("write the savepoint {}", target.location()));
    empty_for_savepoint(target, clock).await?;
    let metadata = load_metadata(source, clock, checkpoint).await?.without_output();
    let copies = metadata.restored().collect::<BTreeSet<_>>().into_iter().map(|handle| copy(source, target, clock, handle, pace));
    let at_once = if pace == Pace::Fast { COPIES } else { 1 };
    stream::iter(copies.collect::<Vec<_>>()).buffer_unordered(at_once).try_collect::<()>().await.map_err(attempted)?;
    let mut plugins = Vec::new();
    for digest in components(&metadata) {
        let bytes = stored_component(source, clock, digest).await?;
        plugins.push(put(target, clock, paths::plugin(digest), bytes).await.map_err(attempted)?);
    }
    let (job_file, job_folder, mut pinned) = match job_file {
        Some(JobFileCopy { text, folder, pinned }) => {
            (Some(put(target, clock, JOB_FILE.to_owned(), text).await.map_err(attempted)?), Some(folder), pinned)
        }
        None => (None, None, Vec::new()),
    };
    // What an upgrade has put in a component's place came by none.
    pinned.retain(|pin| metadata.component(&pin.vertex) == Some(&*pin.component));
    let savepoint = Savepoint {
        job: metadata.job.clone(),
        checkpoint_id: metadata.checkpoint_id,
        attempt: metadata.attempt,
        created_ms: clock.wall_ms(),
        metadata: put(target, clock, METADATA.to_owned(), metadata.seal()).await.map_err(attempted)?,
        plugins,
        job_file,
        job_folder,
        pinned,
    };
    let sealed = envelope::seal(MAGIC, &savepoint);
    match retry(clock, || target.create(SAVEPOINT, sealed.clone())).await.map_err(attempted)? {
        Created::New => Ok(savepoint),
        // Ours where an answer was lost.
        Created::Exists if retry(clock, || target.get(SAVEPOINT)).await?.as_ref() == Some(&sealed) => Ok(savepoint),
        Created::Exists => {
            let message = format!("write the savepoint {}: another was written there meanwhile", target.location());
            Err(EngineError::new(ErrorKind::FixInput, message).with_hint("name a new folder"))
        }
    }
}

/// Refuses a folder that a savepoint cannot be written into: one that holds something.
pub async fn empty_for_savepoint(target: &dyn Store, clock: &dyn Clock) -> Result<(), EngineError> {
    let location = target.location();
    let listed = retry(clock, || target.list("")).await.map_err(|error| error.context(format!("write the savepoint {location}")))?;
    let Some(found) = listed.first() else { return Ok(()) };
    let message = format!("write the savepoint {location}: the folder is not empty: {found}");
    Err(EngineError::new(ErrorKind::FixInput, message).with_hint("a savepoint has a folder of its own; name a new one"))
}

/// A note in a job's storage of a savepoint that was taken of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavepointNote {
    /// Where it was written, absolutely.
    pub url: String,
    /// The checkpoint that it is a copy of.
    pub checkpoint_id: CheckpointId,
    /// Milliseconds since the Unix epoch.
    pub created_ms: i64,
}

/// Notes in the job's storage where a savepoint was written, for [`savepoint_notes`]. Nothing else depends on it.
pub async fn note_savepoint(store: &dyn Store, clock: &dyn Clock, url: &str, savepoint: &Savepoint) -> Result<(), EngineError> {
    let note = SavepointNote { url: url.to_owned(), checkpoint_id: savepoint.checkpoint_id, created_ms: savepoint.created_ms };
    let (path, sealed) = (paths::savepoint_note(note.checkpoint_id, note.created_ms), envelope::seal(NOTE_MAGIC, &note));
    retry(clock, || store.put(&path, vec![sealed.clone()])).await
}

/// The savepoints that were taken of a job, newest first.
pub async fn savepoint_notes(store: &dyn Store, clock: &dyn Clock) -> Result<Vec<SavepointNote>, EngineError> {
    let mut notes = Vec::new();
    for path in retry(clock, || store.list(paths::SAVEPOINTS)).await? {
        // Below it may lie savepoints themselves.
        if path.matches('/').count() == 1
            && let Some(bytes) = retry(clock, || store.get(&path)).await?
        {
            notes.push(envelope::open::<SavepointNote>(&format!("{}/{path}", store.location()), NOTE_MAGIC, &bytes)?);
        }
    }
    notes.sort_by_key(|note| std::cmp::Reverse((note.created_ms, note.checkpoint_id)));
    Ok(notes)
}

/// Reads what a savepoint says of itself, and its metadata.
pub async fn open_savepoint(store: &dyn Store, clock: &dyn Clock) -> Result<(Savepoint, CheckpointMetadata), EngineError> {
    let location = store.location();
    let Some(bytes) = retry(clock, || store.get(SAVEPOINT)).await? else {
        let message = format!("open the savepoint {location}: there is no {SAVEPOINT}");
        return Err(EngineError::new(ErrorKind::FixInput, message)
            .with_hint("name the folder of a savepoint; one that was broken off while it was written has none"));
    };
    let savepoint: Savepoint = envelope::open(&format!("{location}/{SAVEPOINT}"), MAGIC, &bytes)?;
    let bytes = fetch(store, clock, &savepoint.metadata).await?;
    let metadata = CheckpointMetadata::open(&format!("{location}/{METADATA}"), &bytes)?;
    Ok((savepoint, metadata))
}

/// The job file that a savepoint was taken with.
pub async fn savepoint_job_file(store: &dyn Store, clock: &dyn Clock, savepoint: &Savepoint) -> Result<Option<Bytes>, EngineError> {
    match &savepoint.job_file {
        Some(handle) => fetch(store, clock, handle).await.map(Some),
        None => Ok(None),
    }
}

/// Reads every object of a savepoint and checks all checksums. One line for each that is missing or damaged.
pub async fn verify_savepoint(store: &dyn Store, clock: &dyn Clock) -> Result<Vec<String>, EngineError> {
    let (savepoint, metadata) = open_savepoint(store, clock).await?;
    let files: BTreeSet<&StateHandle> = metadata.state_files().collect();
    let state: BTreeSet<&StateHandle> = metadata.restored().filter(|handle| !files.contains(handle)).collect();
    let mut problems = Vec::new();
    for handle in savepoint.objects(&metadata) {
        let checked = match state.contains(&handle) {
            true => match read_state_object(store, clock, &handle).await {
                Ok(reader) => reader.sections().try_for_each(|section| section.map(drop)),
                Err(error) => Err(error),
            },
            false => fetch(store, clock, &handle).await.map(drop),
        };
        match checked {
            Err(error) if error.kind() == ErrorKind::Corrupt => problems.push(error.to_string()),
            checked => checked?,
        }
    }
    Ok(problems)
}

/// Deletes a savepoint: first what makes it one, then what it consists of, and nothing else.
pub async fn delete_savepoint(store: &dyn Store, clock: &dyn Clock) -> Result<Savepoint, EngineError> {
    let (savepoint, metadata) = open_savepoint(store, clock).await?;
    retry(clock, || store.delete(SAVEPOINT)).await?;
    for handle in savepoint.objects(&metadata) {
        retry(clock, || store.delete(&handle.object)).await?;
    }
    Ok(savepoint)
}

/// Digests of the components that wrote the state.
fn components(metadata: &CheckpointMetadata) -> BTreeSet<&str> {
    metadata.graph.vertices.keys().filter_map(|id| metadata.component(id)).collect()
}

async fn copy(source: &dyn Store, target: &dyn Store, clock: &dyn Clock, handle: &StateHandle, pace: Pace) -> Result<(), EngineError> {
    let began = clock.now();
    let bytes = fetch(source, clock, handle).await?;
    retry(clock, || target.put(&handle.object, vec![bytes.clone()])).await?;
    if pace == Pace::BesideTheJob {
        let now = clock.now();
        clock.sleep_until(now + (now - began).min(REST_MAX)).await;
    }
    Ok(())
}

async fn put(target: &dyn Store, clock: &dyn Clock, object: String, bytes: Bytes) -> Result<StateHandle, EngineError> {
    retry(clock, || target.put(&object, vec![bytes.clone()])).await?;
    Ok(StateHandle { object, bytes: bytes.len() as u64, checksum: crc32c::crc32c(&bytes) })
}

async fn fetch(store: &dyn Store, clock: &dyn Clock, handle: &StateHandle) -> Result<Bytes, EngineError> {
    let bytes = retry(clock, || store.get(&handle.object)).await?.ok_or_else(|| missing(store, &handle.object))?;
    if bytes.len() as u64 == handle.bytes && crc32c::crc32c(&bytes) == handle.checksum {
        return Ok(bytes);
    }
    let object = format!("{}/{}", store.location(), handle.object);
    Err(EngineError::new(ErrorKind::Corrupt, format!("read {object}: its checksum is wrong")).about_object(&handle.object))
}

fn missing(store: &dyn Store, object: &str) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, format!("read {}/{object}: it is not there", store.location())).about_object(object)
}

#[cfg(test)]
mod tests;
