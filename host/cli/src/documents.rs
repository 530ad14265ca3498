//! The JSON documents of the command line. Fields may be added; none changes its meaning within a schema version.

mod rerun;

pub use rerun::{
    DryRunDocument, EmittedDocument, FailedRecordDocument, HeldDocument, OutputDifference, OutputDifferences, ReplayDocument,
    ReplayedOutput, ReplayedRecord, RerunFrom, StateChangeDocument, StateDifference, StateDifferences, TrialDocument,
};
mod state;

pub use state::*;

use crate::job_file::ProblemDocument;
use serde::Serialize;
use serde_json::Value;

/// Version of every document here.
pub const SCHEMA: u32 = 1;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All input has been worked off and all output committed.
    Finished,
    /// Stopped after a last checkpoint.
    Stopped,
    /// Stopped at once, without one.
    Cancelled,
    /// It cannot go on.
    Failed,
    /// Another process has taken the job over.
    Fenced,
    /// It had finished before.
    AlreadyFinished,
}

impl Outcome {
    /// As in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Fenced => "fenced",
            Self::AlreadyFinished => "already-finished",
        }
    }
}

/// `weir run`. Counts cover this process.
#[derive(Clone, Debug, Serialize)]
pub struct RunDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name; empty where the job file cannot be read.
    pub job: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The last attempt.
    pub attempt: Option<u64>,
    /// The checkpoint that the first attempt started from.
    pub resumed_from: Option<u64>,
    /// From the start of the process to the end of the job, without builds.
    pub wall_s: f64,
    /// From the start of the process to the first record at a sink, without builds.
    pub first_record_s: Option<f64>,
    /// Records per second at the sinks, from a quarter of a bounded input to its end.
    pub steady_records_per_s: Option<f64>,
    /// Counters.
    pub vertices: Vec<RunVertex>,
    /// Checkpoints of this process.
    pub checkpoints: RunCheckpoints,
    /// Restarts of the dataflow.
    pub restarts: u64,
    /// Peak resident memory.
    pub peak_memory_bytes: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// Counters of a vertex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunVertex {
    /// Its id.
    pub id: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Records that came in.
    pub records_in: u64,
    /// Records that went out.
    pub records_out: u64,
    /// Records that failed alone and were put aside.
    pub quarantined: u64,
    /// Records that a source could not read and skipped.
    pub skipped: u64,
}

/// Checkpoints of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunCheckpoints {
    /// Number of completed ones.
    pub completed: u64,
    /// Number of failed ones.
    pub failed: u64,
    /// The completed ones, oldest first; the newest 10,000.
    pub items: Vec<RunCheckpoint>,
}

/// A completed checkpoint of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunCheckpoint {
    /// Its id.
    pub id: u64,
    /// From the trigger to the last acknowledgement.
    pub duration_ms: u64,
    /// Bytes of all objects that it wrote.
    pub bytes: u64,
}

/// `weir checkpoint list`.
#[derive(Clone, Debug, Serialize)]
pub struct CheckpointListDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// Newest first.
    pub checkpoints: Vec<CheckpointDocument>,
}

/// One checkpoint of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckpointDocument {
    /// Its id.
    pub id: u64,
    /// The attempt that took it.
    pub attempt: u64,
    /// How it ended.
    pub state: CheckpointState,
    /// What asked for it.
    pub trigger: String,
    /// When it was complete (RFC 3339).
    pub completed_at: Option<String>,
    /// When it failed (RFC 3339).
    pub failed_at: Option<String>,
    /// From the trigger to the end.
    pub duration_ms: u64,
    /// Bytes of all objects that it wrote.
    pub bytes: Option<u64>,
    /// Why it failed.
    pub reason: Option<String>,
    /// False where its objects have been deleted because newer ones replace it.
    pub retained: bool,
}

/// How a checkpoint ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointState {
    /// It can be started from.
    Completed,
    /// It came to nothing.
    Failed,
}

/// `weir checkpoint inspect`.
#[derive(Clone, Debug, Serialize)]
pub struct CheckpointInspectDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// As in the list.
    #[serde(flatten)]
    pub checkpoint: CheckpointDocument,
    /// Bytes of all its state objects, those that it shares with older checkpoints included: what restoring it reads. Absent where it is not kept.
    pub restore_bytes: Option<u64>,
    /// What it consists of; empty for a failed one.
    pub vertices: Vec<VertexStateDocument>,
}

/// A vertex's part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VertexStateDocument {
    /// Its id.
    pub id: String,
    /// Keys of its broadcast states, of which each subtask has a copy.
    pub broadcast_keys: u64,
    /// By index.
    pub subtasks: Vec<SubtaskStateDocument>,
}

/// A subtask's part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SubtaskStateDocument {
    /// From 0.
    pub index: u32,
    /// Bytes of keyed state.
    pub state_bytes: u64,
    /// Number of keys with state.
    pub keys: u64,
    /// Bytes of its copy of broadcast state, as stored.
    pub broadcast_bytes: u64,
    /// A source's splits.
    pub positions: Vec<PositionDocument>,
    /// Output that was not known to be committed.
    pub committables: usize,
    /// Bytes of records that an unaligned barrier overtook on the way to it.
    pub in_flight_bytes: u64,
}

/// How far a split has been read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PositionDocument {
    /// The split.
    pub split: String,
    /// `unread`, `reading` or `finished`.
    pub state: &'static str,
    /// Where reading goes on; the connector knows what it means.
    pub position: Option<Value>,
}

/// `weir savepoint list`.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointListDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// Newest first.
    pub savepoints: Vec<ListedSavepoint>,
}

/// A savepoint of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedSavepoint {
    /// Where it was written.
    pub url: String,
    /// The checkpoint that it is a copy of.
    pub checkpoint: u64,
    /// When (RFC 3339).
    pub created_at: String,
    /// Whether it is still there and opens.
    pub present: bool,
}

/// `weir savepoint inspect`.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job that it was taken of.
    pub job: String,
    /// The checkpoint that it is a copy of.
    pub checkpoint: u64,
    /// When (RFC 3339).
    pub created_at: String,
    /// Bytes of all its objects.
    pub bytes: u64,
    /// Whether it holds the job file.
    pub job_file: bool,
    /// Sources and operators.
    pub operators: Vec<SavepointOperator>,
    /// Sources with their positions.
    pub sources: Vec<SavepointSource>,
    /// The components that wrote the state.
    pub plugins: Vec<SavepointPlugin>,
}

/// An operator of a savepoint.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointOperator {
    /// Its id.
    pub id: String,
    /// Subtasks that it had.
    pub parallelism: usize,
    /// Keys with state.
    pub keys: u64,
    /// Bytes of keyed state.
    pub bytes: u64,
    /// Bytes of records in flight towards it.
    pub in_flight_bytes: u64,
    /// What it declared.
    pub states: Vec<SavepointState>,
}

/// A declared state.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointState {
    /// Its name.
    pub name: String,
    /// `value`, `list`, `map` or `broadcast`.
    pub kind: String,
    /// The description of its type.
    pub schema: String,
    /// The author's version of it.
    pub version: u32,
}

/// A source of a savepoint.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointSource {
    /// Its id.
    pub id: String,
    /// Its connector.
    pub connector: String,
    /// How far its splits have been read.
    pub positions: Vec<PositionDocument>,
}

/// A component of a savepoint.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointPlugin {
    /// The operator that it ran as.
    pub id: String,
    /// Its SHA-256.
    pub digest: String,
}

/// `weir savepoint verify`.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointVerifyDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where it is.
    pub url: String,
    /// Whether all of it is there and unharmed.
    pub whole: bool,
    /// What is missing or damaged.
    pub problems: Vec<String>,
}

/// `weir savepoint delete`.
#[derive(Clone, Debug, Serialize)]
pub struct SavepointDeletedDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where it was.
    pub url: String,
    /// The checkpoint that it was a copy of.
    pub checkpoint: u64,
}

/// `weir plugin check`.
#[derive(Clone, Debug, Serialize)]
pub struct PluginCheckDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The file.
    pub file: String,
    /// Whether it is a plugin of this weir.
    pub fits: bool,
    /// What is wrong.
    pub problems: Vec<weir_wasm::Problem>,
    /// Imports that are linked to stand-ins which give nothing.
    pub stand_ins: Vec<String>,
}

/// Any command but `run` that has failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailureDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What went wrong.
    pub error: String,
    /// What to do.
    pub hint: Option<String>,
    /// The job file's problems, one by one.
    pub problems: Vec<ProblemDocument>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_document_has_the_promised_shape() {
        let document = RunDocument {
            schema: SCHEMA,
            job: "j".into(),
            outcome: Outcome::AlreadyFinished,
            attempt: None,
            resumed_from: Some(3),
            wall_s: 1.5,
            first_record_s: None,
            steady_records_per_s: None,
            vertices: vec![RunVertex { id: "a".into(), parallelism: 2, records_in: 0, records_out: 5, quarantined: 0, skipped: 0 }],
            checkpoints: RunCheckpoints { completed: 1, failed: 0, items: vec![RunCheckpoint { id: 3, duration_ms: 4, bytes: 9 }] },
            restarts: 0,
            peak_memory_bytes: 1,
            error: None,
        };
        let expect = serde_json::json!({
            "schema": 1, "job": "j", "outcome": "already-finished", "attempt": null, "resumed_from": 3, "wall_s": 1.5,
            "first_record_s": null, "steady_records_per_s": null,
            "vertices": [{"id": "a", "parallelism": 2, "records_in": 0, "records_out": 5, "quarantined": 0, "skipped": 0}],
            "checkpoints": {"completed": 1, "failed": 0, "items": [{"id": 3, "duration_ms": 4, "bytes": 9}]},
            "restarts": 0, "peak_memory_bytes": 1, "error": null,
        });
        assert_eq!(serde_json::to_value(document).expect("JSON"), expect);
    }

    #[test]
    fn an_inspected_checkpoint_has_the_fields_of_the_list_beside_its_vertices() {
        let checkpoint = CheckpointDocument {
            id: 7,
            attempt: 1,
            state: CheckpointState::Failed,
            trigger: "periodic".into(),
            completed_at: None,
            failed_at: Some("2020-01-01T00:00:00Z".into()),
            duration_ms: 1,
            bytes: None,
            reason: Some("late".into()),
            retained: false,
        };
        let document = CheckpointInspectDocument { schema: SCHEMA, job: "j".into(), checkpoint, restore_bytes: None, vertices: Vec::new() };
        let value = serde_json::to_value(document).expect("JSON");
        assert_eq!((&value["id"], &value["state"], &value["vertices"]), (&7.into(), &"failed".into(), &serde_json::json!([])));
    }
}
