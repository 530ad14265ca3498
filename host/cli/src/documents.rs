//! The JSON documents of the command line. Fields may be added; none changes its meaning within a schema version.

mod bench;
mod checkpoint;
mod held_text;
mod lag;
mod plugin;
mod plugin_test;
mod rerun;
mod savepoint;
mod vertex;

pub use bench::{BenchDocument, BenchFailure, BenchQuery};
pub use checkpoint::*;
pub use held_text::{HeldDocument, HeldText};
pub use lag::LagDocument;
pub use plugin::{PluginDocument, runs_text};
pub use plugin_test::{FailedTestDocument, PluginTestDocument, TestDocument};
pub use rerun::{
    DryRunDocument, EmittedDocument, FailedRecordDocument, FiredExampleDocument, LoggedCallDocument, OperatorAt, OutputDifferences,
    ReplayDocument, ReplayedFiring, ReplayedRecord, ReplayedStep, RerunFrom, RunKind, StateDifference, StateDifferences,
    VersionRunDocument,
};
mod state;

pub use savepoint::*;
pub use state::*;
pub use vertex::VertexFigures;

use crate::job_file::{ProblemDocument, StepPlace};
use serde::Serialize;

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
    /// The savepoint that it started from instead.
    pub from_savepoint: Option<String>,
    /// From the start of the process to the end of the job, without builds.
    pub wall_s: f64,
    /// From the start of the process to the first record at a sink, without builds.
    pub first_record_s: Option<f64>,
    /// Records per second at the sinks, from a quarter of a bounded input to its end.
    pub steady_records_per_s: Option<f64>,
    /// Records per second that the sources read in the same time: what is filtered away shows here.
    pub steady_records_read_per_s: Option<f64>,
    /// Counters.
    pub vertices: Vec<RunVertex>,
    /// Checkpoints of this process.
    pub checkpoints: RunCheckpoints,
    /// Restarts of the dataflow.
    pub restarts: u64,
    /// Processor time of this process.
    pub cpu_s: f64,
    /// Peak resident memory.
    pub peak_memory_bytes: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The job file's problems, one by one.
    pub problems: Vec<ProblemDocument>,
    /// The steps that it was refused for, where they begin in the job file.
    pub places: Vec<StepPlace>,
}

/// Counters of a vertex.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunVertex {
    /// Its id.
    pub id: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// What it has counted.
    #[serde(flatten)]
    pub counted: VertexFigures,
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

/// `weir plugin pack`.
#[derive(Clone, Debug, Serialize)]
pub struct PluginPackDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The component's file.
    pub file: String,
    /// `sha256:` and its digest, in hex.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
}

/// `weir plugin push` and `weir plugin pull`.
#[derive(Clone, Debug, Serialize)]
pub struct PluginArtefactDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where it is in a registry: by its tag, where it was named by one, and by its digest.
    pub reference: String,
    /// `sha256:` and the digest of its manifest, in hex.
    pub manifest: String,
    /// `sha256:` and the digest of its bytes, in hex: a component's own.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
    /// As its sections say; `null` where they do not.
    pub name: Option<String>,
    /// As its sections say; `null` where they do not.
    pub version: Option<String>,
    /// The file that was pushed, or written.
    pub file: Option<String>,
}

/// `weir plugin new` and `weir plugin sdk`.
#[derive(Clone, Debug, Serialize)]
pub struct PluginProjectDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was written.
    pub folder: String,
    /// The language's name.
    pub language: String,
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
            from_savepoint: None,
            wall_s: 1.5,
            first_record_s: None,
            steady_records_per_s: None,
            steady_records_read_per_s: None,
            vertices: vec![RunVertex {
                id: "a".into(),
                parallelism: 2,
                counted: VertexFigures {
                    records_out: 5,
                    late: 4,
                    open_windows: 3,
                    ahead: 2,
                    state_bytes: 80,
                    lag: Some(LagDocument {
                        unit: Some("bytes".into()),
                        total: Some(7),
                        largest: Some(4),
                        largest_split: Some("a.txt@0".into()),
                        splits: vec![lag::SplitLagDocument { split: "a.txt@0".into(), lag: 4 }],
                        unknown_splits: 1,
                    }),
                    plugin: Some(PluginDocument {
                        instances_recycled: 1,
                        fuel: Some(20),
                        time_s: 0.5,
                        memory_bytes: 65_536,
                        limits: [("memory".to_owned(), 6)].into(),
                        ..PluginDocument::default()
                    }),
                    metrics: [("often".to_owned(), -2)].into(),
                    ..VertexFigures::default()
                },
            }],
            checkpoints: RunCheckpoints { completed: 1, failed: 0, items: vec![RunCheckpoint { id: 3, duration_ms: 4, bytes: 9 }] },
            restarts: 0,
            cpu_s: 2.5,
            peak_memory_bytes: 1,
            error: None,
            hint: None,
            problems: Vec::new(),
            places: Vec::new(),
        };
        let expect = serde_json::json!({
            "schema": 1, "job": "j", "outcome": "already-finished", "attempt": null, "resumed_from": 3, "from_savepoint": null, "wall_s": 1.5,
            "first_record_s": null, "steady_records_per_s": null, "steady_records_read_per_s": null,
            "vertices": [{
                "id": "a", "parallelism": 2, "records_in": 0, "records_out": 5, "quarantined": 0, "late": 4, "open_windows": 3, "skipped": 0, "ahead": 2,
                "state_bytes": 80,
                "lag": {"unit": "bytes", "total": 7, "largest": 4, "largest_split": "a.txt@0", "splits": [{"split": "a.txt@0", "lag": 4}], "unknown_splits": 1},
                "plugin": {"instances_recycled": 1, "fuel": 20, "time_s": 0.5, "memory_bytes": 65536, "limits": {"memory": 6}},
                "metrics": {"often": -2},
            }],
            "checkpoints": {"completed": 1, "failed": 0, "items": [{"id": 3, "duration_ms": 4, "bytes": 9}]},
            "restarts": 0, "cpu_s": 2.5, "peak_memory_bytes": 1, "error": null, "hint": null, "problems": [], "places": [],
        });
        assert_eq!(serde_json::to_value(document).expect("JSON"), expect);
    }
}
