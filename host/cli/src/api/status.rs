//! What is shown of a running job.

use super::changing::ChangeDocument;
use super::shown::{StatusEdge, StatusSubtask};
use crate::documents::VertexFigures;
use serde::{Deserialize, Serialize};
use weir_engine::outbox::OutboxStatus;

/// `weir status`, and `GET /v1/job`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobStatusDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// `running`, or how it ended.
    pub state: String,
    /// The process.
    pub pid: u32,
    /// Since the job began to run in this process, s.
    pub uptime_s: f64,
    /// The clock of the machine that it runs on, in ms since 1970.
    #[serde(default)]
    pub now_ms: i64,
    /// The job file.
    pub job_file: String,
    /// Where its objects are.
    pub storage: String,
    /// The version of weir.
    pub version: String,
    /// In the graph's order. Counts cover this process.
    pub vertices: Vec<StatusVertex>,
    /// Completed checkpoints of this process.
    pub checkpoints_completed: u64,
    /// Failed ones.
    pub checkpoints_failed: u64,
    /// The newest completed one of this process.
    pub last_checkpoint: Option<LastCheckpoint>,
    /// Restarts of the dataflow in this process.
    pub restarts: u64,
    /// A rescale or an upgrade that is under way.
    pub change: Option<ChangeDocument>,
    /// How records go from vertex to vertex.
    #[serde(default)]
    pub edges: Vec<StatusEdge>,
    /// True while all subtasks run.
    #[serde(default)]
    pub running: bool,
    /// Processor time of the process, s.
    #[serde(default)]
    pub cpu_s: f64,
    /// Resident memory of the process, bytes.
    #[serde(default)]
    pub memory_bytes: u64,
    /// What waits to be published, for each sink with an outbox.
    #[serde(default)]
    pub outboxes: Vec<StatusOutbox>,
}

/// The outbox of a sink: output that is staged with its checkpoints and published behind them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusOutbox {
    /// The sink's id.
    pub sink: String,
    /// How many checkpoints have output that waits.
    pub unpublished_checkpoints: u64,
    /// The oldest of them.
    pub oldest_unpublished: Option<u64>,
    /// The bytes of the output that waits.
    pub unpublished_bytes: u64,
    /// How long ago the oldest of them was complete, s.
    #[serde(default)]
    pub oldest_unpublished_age_s: Option<f64>,
    /// As much waits as may: the sink takes nothing more.
    pub is_full: bool,
    /// How often the target has been tried since it was reached; 0: it is reached.
    #[serde(default)]
    pub retries: u64,
    /// The last try that has failed; it stands here after the target is reached again, too.
    #[serde(default)]
    pub last_error: Option<LastError>,
}

/// What went wrong last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastError {
    /// Why.
    pub message: String,
    /// How long ago, s.
    pub age_s: f64,
}

impl StatusOutbox {
    /// As it is at the time `now`, in ms since the Unix epoch.
    pub fn of(of: OutboxStatus, now: i64) -> Self {
        let age_s = |since: i64| now.saturating_sub(since).max(0) as f64 / 1e3;
        Self {
            sink: of.sink,
            unpublished_checkpoints: of.unpublished.len() as u64,
            oldest_unpublished: of.unpublished.first().map(|id| id.0),
            unpublished_bytes: of.unpublished_bytes,
            is_full: of.is_full,
            oldest_unpublished_age_s: of.oldest_completed_ms.map(age_s),
            retries: of.retries,
            last_error: of.last_error.map(|error| LastError { age_s: age_s(error.at_ms), message: error.message }),
        }
    }
}

/// A vertex of a running job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusVertex {
    /// Its id.
    pub id: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// `source`, `operator` or `sink`.
    #[serde(default)]
    pub kind: String,
    /// A source's or a sink's.
    #[serde(default)]
    pub connector: Option<String>,
    /// The first vertex of the task that it runs in: its own id, unless it is chained to another.
    #[serde(default)]
    pub task: String,
    /// What each of its subtasks has counted.
    #[serde(default)]
    pub subtasks: Vec<StatusSubtask>,
    /// What it has counted.
    #[serde(flatten)]
    pub counted: VertexFigures,
    /// Timers that are set, as of the last barrier of each subtask.
    #[serde(default)]
    pub timers: u64,
    /// No timer is due before, in ms since 1970, as of then; not there where none is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_timer_ms: Option<i64>,
    /// No open window is complete, or closed, before, in ms since 1970, as of then; not there where none waits for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_window_ms: Option<i64>,
    /// How far event time has come at its slowest subtask that is waited for, in ms since 1970; not there where nothing has been said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<i64>,
    /// Why a source does not get what there is, while it does not, as of the last look at it, or why what a sink has does not get to where it goes: it goes on trying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What the job file refers to, where it runs what that led to; `None` of a plugin in a file, and of one that an upgrade brought.
    #[serde(default)]
    pub reference: Option<ReferenceDocument>,
}

/// A reference to a plugin that is in no file, and what it led to when it was resolved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReferenceDocument {
    /// As the job file, or the upgrade that brought it, has it.
    pub named: String,
    /// The digest by which its registry has the component for good; `None` where it is in none.
    pub manifest: Option<String>,
    /// The component's SHA-256, in hex.
    pub component: String,
}

/// The newest completed checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastCheckpoint {
    /// Its id.
    pub id: u64,
    /// From the trigger to the last acknowledgement.
    pub duration_ms: u64,
    /// Bytes of all objects that it wrote.
    pub bytes: u64,
}
