//! A job: its graph, how the graph becomes tasks, and the supervisor that runs attempt after attempt until the job is finished.

mod attempt;
mod control;
mod graph;
mod history;
mod layout;
mod options;
mod pins;
mod quarantine;
mod restore;
mod savepoint;
mod status;
mod supervisor;
mod trial;

pub use control::{
    CheckpointRequest, GraphChange, HeldCheckpoint, JobControl, JobInbox, Rescaled, StopKind, Upgrade, UpgradeEvent, UpgradeEvents,
};
pub use graph::{Edge, JobGraph, Vertex, VertexKind};
pub use history::start::{Origin, ResumePoint, StartMode};
pub use history::{CompletedCheckpoint, History, Lineage, Probation, load_metadata};
pub use layout::{TaskLayout, layout};
pub use options::{JobOptions, JobOutcome, JobReport, OutboxOptions};
pub use pins::{LEASE, Lease};
pub use quarantine::{QuarantineCommitter, QuarantineSink};
pub(crate) use restore::in_flight_records::{distribute, load_in_flight, misfits};
pub use restore::plan_restore;
pub(crate) use restore::planned;
pub use savepoint::{
    JobFileCopy, Pace, SAVEPOINT, Savepoint, SavepointNote, SavepointOpener, delete_savepoint, empty_for_savepoint, note_savepoint,
    open_savepoint, savepoint_job_file, savepoint_notes, verify_savepoint, write_savepoint,
};
pub use status::{CheckpointItem, JobStatus};
pub use supervisor::restart::{RestartPolicy, RestartStrategy};
pub use supervisor::run_job;
