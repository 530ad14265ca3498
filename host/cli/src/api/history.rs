//! What a running job shows beside its status: its newest checkpoints, and why attempts ended.

use super::job::RunningJob;
use crate::documents::SCHEMA;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use weir_engine::job::{CheckpointState, ShownCheckpoint, ShownFailure, ShownTask};

/// A checkpoint of this process.
#[derive(Clone, Debug, Serialize)]
struct CheckpointDocument {
    id: u64,
    /// `pending`, `completed` or `failed`.
    state: &'static str,
    trigger: &'static str,
    triggered_at_ms: i64,
    duration_ms: f64,
    bytes: u64,
    /// Of these what keyed state took as a whole, and what its changes took.
    full_bytes: u64,
    incremental_bytes: u64,
    /// Why it has failed.
    reason: Option<String>,
    tasks: Vec<TaskDocument>,
}

/// What a task has done for a checkpoint; what is not over yet is `None`.
#[derive(Clone, Debug, Serialize)]
struct TaskDocument {
    /// The task's first vertex.
    vertex: String,
    subtask: u32,
    alignment_ms: Option<f64>,
    capture_ms: Option<f64>,
    upload_ms: Option<f64>,
    state_bytes: u64,
    full_bytes: u64,
    incremental_bytes: u64,
    in_flight_bytes: u64,
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// `GET /v1/checkpoints`.
pub(super) fn checkpoints(job: &RunningJob) -> Value {
    let ids = job.vertex_ids();
    let task = |task: &ShownTask| TaskDocument {
        vertex: ids.get(task.vertex).cloned().unwrap_or_default(),
        subtask: task.subtask,
        alignment_ms: task.alignment.map(ms),
        capture_ms: task.capture.map(ms),
        upload_ms: task.upload.map(ms),
        state_bytes: task.state_bytes,
        full_bytes: task.full_bytes,
        incremental_bytes: task.incremental_bytes,
        in_flight_bytes: task.in_flight_bytes,
    };
    let document = |of: ShownCheckpoint| {
        let (state, reason) = match of.state {
            CheckpointState::Pending => ("pending", None),
            CheckpointState::Completed => ("completed", None),
            CheckpointState::Failed(reason) => ("failed", Some(reason)),
        };
        CheckpointDocument {
            id: of.checkpoint_id.0,
            state,
            trigger: of.trigger.name(),
            triggered_at_ms: of.triggered_at_ms,
            duration_ms: ms(of.duration),
            bytes: of.bytes,
            full_bytes: of.tasks.iter().map(|task| task.full_bytes).sum(),
            incremental_bytes: of.tasks.iter().map(|task| task.incremental_bytes).sum(),
            reason,
            tasks: of.tasks.iter().map(task).collect(),
        }
    };
    let checkpoints: Vec<_> = job.status().checkpoint_history.get().into_iter().map(document).collect();
    json!({ "schema": SCHEMA, "job": job.name(), "checkpoints": checkpoints })
}

/// `GET /v1/failures`.
pub(super) fn failures(job: &RunningJob) -> Value {
    let document = |ShownFailure { at_ms, message, hint, record }: ShownFailure| json!({ "at_ms": at_ms, "message": message, "hint": hint, "record": record });
    let failures: Vec<Value> = job.status().failures().into_iter().map(document).collect();
    json!({ "schema": SCHEMA, "job": job.name(), "failures": failures })
}
