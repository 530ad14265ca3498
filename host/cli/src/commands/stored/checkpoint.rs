//! `weir checkpoint list` and `weir checkpoint inspect`: what the job's log and a checkpoint's metadata say.

use crate::client::job_file;
use crate::context::Context;
use crate::documents::{
    CheckpointDocument, CheckpointInspectDocument, CheckpointListDocument, CheckpointState, PositionDocument, SCHEMA, SubtaskStateDocument,
    VertexStateDocument,
};
use crate::failure::Failure;
use crate::figures::{bytes_text, grouped};
use crate::job_file::JobFile;
use crate::storage::with_storage;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use weir_engine::checkpoint::{CheckpointMetadata, JobLog, LogEntry, Pinned, VertexIdentity, paths};
use weir_engine::element::{AttemptId, CheckpointId};
use weir_engine::inspect::{CheckpointState as StoredState, OperatorState};
use weir_engine::job::{CompletedCheckpoint, History, load_metadata};
use weir_engine::runtime::Runtime;
use weir_engine::source::{SplitProgress, SplitState};
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind};

/// Lists the checkpoints of a job.
pub(in crate::commands) fn list(context: &Context, path: &Path) -> Result<u8, Failure> {
    let job = context.stored_job(&job_file(path)?)?;
    let checkpoints = with_log(&job, |log| async move { read_list(&log).await })?;
    let document = CheckpointListDocument { schema: SCHEMA, job: job.name, checkpoints };
    context.print(&document, || list_text(&document))?;
    Ok(0)
}

/// Shows one checkpoint of a job.
pub(in crate::commands) fn inspect(context: &Context, path: &Path, id: u64) -> Result<u8, Failure> {
    let job = context.stored_job(&job_file(path)?)?;
    let name = job.name.clone();
    let document = with_log(&job, |log| async move { inspected(name, &log, CheckpointId(id)).await })?;
    context.print(&document, || inspect_text(&document))?;
    Ok(0)
}

/// A job's storage with its log read.
struct OpenLog {
    entries: Vec<LogEntry>,
    store: Arc<dyn Store>,
    runtime: Runtime,
}

/// Opens a job's storage and reads in it.
fn with_log<T, F: Future<Output = Result<T, EngineError>>>(job: &JobFile, read: impl FnOnce(OpenLog) -> F) -> Result<T, Failure> {
    with_storage(job, |store, runtime| async move {
        let log = JobLog::open(store.clone(), runtime.clock.clone()).await?;
        read(OpenLog { entries: log.entries().to_vec(), store, runtime }).await
    })
}

async fn read_list(log: &OpenLog) -> Result<Vec<CheckpointDocument>, EngineError> {
    let kept = log.store.list(paths::CHECKPOINTS).await?;
    let mut checkpoints: Vec<_> = log.entries.iter().filter_map(|entry| document(entry, &kept)).collect();
    checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.id));
    Ok(checkpoints)
}

async fn read_one(log: &OpenLog, id: CheckpointId) -> Result<(CheckpointDocument, Option<CheckpointMetadata>), EngineError> {
    let all = read_list(log).await?;
    let Some(checkpoint) = all.into_iter().find(|checkpoint| checkpoint.id == id.0) else {
        let error = EngineError::new(ErrorKind::FixInput, format!("inspect checkpoint {id}: the job has none with that id"));
        return Err(error.with_hint("`weir checkpoint list JOB` shows the ones that it has"));
    };
    let history = History::of(&log.entries);
    let Some(completed) = history.checkpoint(id).filter(|_| checkpoint.retained) else { return Ok((checkpoint, None)) };
    Ok((checkpoint, Some(metadata(log, completed).await?)))
}

async fn inspected(job: String, log: &OpenLog, id: CheckpointId) -> Result<CheckpointInspectDocument, EngineError> {
    let (checkpoint, metadata) = read_one(log, id).await?;
    let (restore_bytes, vertices) = match metadata {
        Some(metadata) => {
            let pins = History::of(&log.entries).pins_of(AttemptId(checkpoint.attempt));
            let vertices = vertices(log, &metadata, &pins).await?;
            (Some(metadata.state_object_bytes()), vertices)
        }
        None => (None, Vec::new()),
    };
    Ok(CheckpointInspectDocument { schema: SCHEMA, job, checkpoint, restore_bytes, vertices })
}

async fn vertices(log: &OpenLog, metadata: &CheckpointMetadata, pinned: &[Pinned]) -> Result<Vec<VertexStateDocument>, EngineError> {
    let state = StoredState::new(&*log.store, &*log.runtime.clock, metadata);
    let mut vertices = Vec::new();
    for vertex in &metadata.vertices {
        let broadcast_keys = match state.operator(&vertex.id) {
            Some(operator) => broadcast_keys(operator).await?,
            None => 0,
        };
        let component = match metadata.graph.vertices.get(&vertex.id) {
            Some(VertexIdentity::Operator { component, .. }) => component.clone(),
            Some(VertexIdentity::Source { .. }) | None => None,
        };
        let pin = pinned.iter().find(|pin| pin.vertex == vertex.id && Some(&pin.component) == component.as_ref());
        vertices.push(VertexStateDocument {
            id: vertex.id.clone(),
            reference: pin.map(|pin| pin.reference.clone()),
            manifest: pin.and_then(|pin| pin.manifest.clone()),
            component,
            broadcast_keys,
            subtasks: vertex.subtasks.iter().map(subtask).collect(),
        });
    }
    Ok(vertices)
}

async fn broadcast_keys(operator: OperatorState<'_>) -> Result<u64, EngineError> {
    let Some(broadcast) = operator.broadcast().await? else { return Ok(0) };
    let states = (0..operator.declared().len()).filter(|&state| broadcast.is_declared(state));
    Ok(states.map(|state| broadcast.entries(state).count() as u64).sum())
}

async fn metadata(log: &OpenLog, completed: &CompletedCheckpoint) -> Result<CheckpointMetadata, EngineError> {
    load_metadata(&*log.store, &*log.runtime.clock, completed).await
}

fn subtask(of: &weir_engine::checkpoint::SubtaskSnapshot) -> SubtaskStateDocument {
    SubtaskStateDocument {
        index: of.index,
        state_bytes: of.state_bytes,
        keys: of.keys,
        broadcast_bytes: of.broadcast.as_ref().map_or(0, |handle| handle.bytes),
        positions: of.splits.iter().map(position).collect(),
        committables: of.committables.len(),
        in_flight_bytes: of.in_flight.as_ref().map_or(0, |handle| handle.bytes),
        recording_bytes: of.call_log.as_ref().map_or(0, |handle| handle.bytes),
    }
}

pub(super) fn position(split: &SplitState) -> PositionDocument {
    let (state, position) = match &split.progress {
        SplitProgress::Unread => ("unread", None),
        SplitProgress::At(position) => ("reading", Some(position.clone())),
        SplitProgress::Finished => ("finished", None),
    };
    PositionDocument { split: split.id.clone(), state, position }
}

/// The document of a log entry that is about a checkpoint. `kept`: the objects of checkpoints that are still there.
fn document(entry: &LogEntry, kept: &[String]) -> Option<CheckpointDocument> {
    match entry {
        LogEntry::Completed { attempt, checkpoint_id, metadata, trigger, completed_ms, duration_ms, bytes, .. } => {
            Some(CheckpointDocument {
                id: checkpoint_id.0,
                attempt: attempt.0,
                state: CheckpointState::Completed,
                trigger: trigger.clone(),
                completed_at: Some(time_text(*completed_ms)),
                failed_at: None,
                duration_ms: *duration_ms,
                bytes: Some(*bytes),
                reason: None,
                retained: kept.contains(metadata),
            })
        }
        LogEntry::Failed { attempt, checkpoint_id, trigger, failed_ms, duration_ms, reason, .. } => Some(CheckpointDocument {
            id: checkpoint_id.0,
            attempt: attempt.0,
            state: CheckpointState::Failed,
            trigger: trigger.clone(),
            completed_at: None,
            failed_at: Some(time_text(*failed_ms)),
            duration_ms: *duration_ms,
            bytes: None,
            reason: Some(reason.clone()),
            retained: false,
        }),
        LogEntry::Attempt { .. } | LogEntry::Override { .. } | LogEntry::Outcome { .. } | LogEntry::Finished { .. } => None,
    }
}

/// RFC 3339, in UTC. A log says what it likes, so years that cannot be written are cut off.
pub(super) fn time_text(ms: i64) -> String {
    const YEAR_9999_MS: u64 = 253_402_300_799_999;
    let since = Duration::from_millis(u64::try_from(ms).unwrap_or(0).min(YEAR_9999_MS));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

fn list_text(document: &CheckpointListDocument) -> String {
    if document.checkpoints.is_empty() {
        return format!("{} has no checkpoints\n", document.job);
    }
    let mut text = format!("checkpoints of {}\n", document.job);
    document.checkpoints.iter().for_each(|checkpoint| text.push_str(&checkpoint_line(checkpoint)));
    text
}

fn checkpoint_line(checkpoint: &CheckpointDocument) -> String {
    let CheckpointDocument { id, attempt, trigger, duration_ms, .. } = checkpoint;
    let at = checkpoint.completed_at.as_ref().or(checkpoint.failed_at.as_ref()).map_or("", String::as_str);
    let end = match (&checkpoint.state, &checkpoint.reason) {
        (CheckpointState::Failed, reason) => format!("failed: {}", reason.as_deref().unwrap_or("no reason given")),
        (CheckpointState::Completed, _) if checkpoint.retained => format!("completed, {}", bytes_text(checkpoint.bytes.unwrap_or(0))),
        (CheckpointState::Completed, _) => "completed, deleted since".to_owned(),
    };
    format!("  {id:>6}  {at}  attempt {attempt}  {trigger:8}  {duration_ms:>6} ms  {end}\n")
}

fn inspect_text(document: &CheckpointInspectDocument) -> String {
    let mut text = format!("checkpoint {} of {}\n{}", document.checkpoint.id, document.job, checkpoint_line(&document.checkpoint));
    if let Some(bytes) = document.restore_bytes {
        text.push_str(&format!("  restoring reads {} of state\n", bytes_text(bytes)));
    }
    for vertex in &document.vertices {
        text.push_str(&format!("  {}", vertex.id));
        if vertex.broadcast_keys > 0 {
            text.push_str(&format!(": {} keys of broadcast state", grouped(vertex.broadcast_keys)));
        }
        text.push('\n');
        if let Some(reference) = &vertex.reference {
            let component: String = vertex.component.iter().flat_map(|digest| digest.chars().take(8)).collect();
            let manifest = vertex.manifest.as_ref().map(|manifest| format!(", there {manifest}")).unwrap_or_default();
            text.push_str(&format!("    {reference} is component {component}{manifest}\n"));
        }
        for subtask in &vertex.subtasks {
            let SubtaskStateDocument {
                index,
                state_bytes,
                keys,
                broadcast_bytes,
                positions,
                committables,
                in_flight_bytes,
                recording_bytes,
            } = subtask;
            text.push_str(&format!("    {index}: {} keys, {}", grouped(*keys), bytes_text(*state_bytes)));
            if *broadcast_bytes > 0 {
                text.push_str(&format!(", {} broadcast", bytes_text(*broadcast_bytes)));
            }
            if *committables > 0 {
                text.push_str(&format!(", {committables} to commit"));
            }
            if *in_flight_bytes > 0 {
                text.push_str(&format!(", {} in flight", bytes_text(*in_flight_bytes)));
            }
            if *recording_bytes > 0 {
                text.push_str(&format!(", {} recorded", bytes_text(*recording_bytes)));
            }
            text.push('\n');
            for PositionDocument { split, state, position } in positions {
                let position = position.as_ref().map(|position| format!(" at {position}")).unwrap_or_default();
                text.push_str(&format!("       {split}: {state}{position}\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::element::AttemptId;

    #[test]
    fn entries_of_the_log_become_checkpoints() {
        let (attempt, nonce, checkpoint_id) = (AttemptId(2), "n".to_owned(), CheckpointId(5));
        let completed = LogEntry::Completed {
            attempt,
            nonce: nonce.clone(),
            checkpoint_id,
            metadata: "checkpoints/2-5/metadata.json".into(),
            checksum: 0,
            trigger: "periodic".into(),
            completed_ms: 1_600_000_000_123,
            duration_ms: 7,
            bytes: 2048,
        };
        let shown = document(&completed, &["checkpoints/2-5/metadata.json".to_owned()]).expect("a checkpoint");
        assert_eq!((shown.id, shown.retained, shown.completed_at.as_deref()), (5, true, Some("2020-09-13T12:26:40.123Z")));
        assert_eq!(checkpoint_line(&shown), "       5  2020-09-13T12:26:40.123Z  attempt 2  periodic       7 ms  completed, 2.0 KiB\n");
        assert!(!document(&completed, &[]).expect("a checkpoint").retained);
        assert_eq!(document(&LogEntry::Finished { attempt, nonce, finished_ms: 0 }, &[]), None);
    }

    #[test]
    fn times_out_of_range_are_written_all_the_same() {
        assert_eq!(time_text(-5), "1970-01-01T00:00:00.000Z");
        assert_eq!(time_text(i64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn positions_tell_how_far_a_split_has_been_read() {
        let split = |progress| SplitState { progress, ..SplitState::unread("a.csv".into(), serde_json::Value::Null) };
        assert_eq!(position(&split(SplitProgress::Finished)).state, "finished");
        let reading = position(&split(SplitProgress::At(serde_json::json!({ "byte": 9 }))));
        assert_eq!((reading.state, reading.position), ("reading", Some(serde_json::json!({ "byte": 9 }))));
    }
}
