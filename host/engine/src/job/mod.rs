//! A job: its graph, how the graph becomes tasks, and the supervisor that runs attempt after attempt until the job is finished.

mod attempt;
mod control;
mod graph;
mod history;
mod layout;
mod options;
mod pins;
mod quarantine;
mod quarantined;
mod restore;
mod savepoint;
mod shown_checkpoints;
mod status;
mod supervisor;
mod trial;

pub use crate::exchange::Partitioning;
pub use crate::task::KeyAnswer;
pub use control::{CheckpointRequest, Fitting, GraphChange, JobControl, JobInbox, StopKind, Upgrade, UpgradeEvent};
pub use graph::{Edge, JobGraph, Vertex, VertexKind};
pub use history::start::{Origin, ResumePoint, StartMode};
pub use history::{CompletedCheckpoint, History, Probation, load_metadata};
pub(crate) use layout::TaskLayout;
pub use layout::layout;
pub use options::{JobOptions, JobOutcome, JobReport, OutboxOptions};
pub use pins::{LEASE, Lease};
pub(crate) use quarantine::QuarantineCommitter;
pub use quarantine::QuarantineSink;
pub use quarantined::{QuarantineLine, QuarantinePage, QuarantineWanted, read_quarantine};
pub(crate) use restore::in_flight_records::{distribute, load_in_flight, misfits};
pub(crate) use restore::planned;
pub use restore::{plan_restore, try_migrations};
pub use savepoint::{
    JobFileCopy, Pace, SAVEPOINT, Savepoint, SavepointNote, SavepointOpener, delete_savepoint, empty_for_savepoint, note_savepoint,
    open_savepoint, savepoint_job_file, savepoint_notes, verify_savepoint, write_savepoint,
};
pub use shown_checkpoints::{CheckpointState, ShownCheckpoint, ShownCheckpoints, ShownTask};
pub use status::{CheckpointItem, JobStatus, ShownFailure, ShownLayout, ShownPlugin};
pub use supervisor::restart::{RestartPolicy, RestartStrategy};
pub use supervisor::run_job;
