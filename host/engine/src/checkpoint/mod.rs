//! Checkpoints: who decides that one is complete (coordinator, log), what is written of it (format), how one becomes the state of another graph
//! (restore plan), what of older ones is still in use (bases), and how its objects are named (paths).

mod bases;
mod components;
mod coordinator;
mod format;
mod log;
pub mod paths;
mod restore_plan;
mod stored_object;

pub use bases::{CheckpointBases, ObjectsInUse};
pub use components::stored_component;
pub(crate) use coordinator::BARRIER_MAX;
pub use coordinator::{CheckpointConfig, CheckpointCoordinator, CheckpointMode, CompletedTasks, CoordinatorAction, Trigger};
pub(crate) use format::envelope;
pub use format::{
    CallKind, CheckpointMetadata, Committable, EdgeIdentity, FinishedObject, FiredTimers, GraphIdentity, InFlightChannel, LineageOutput,
    Marker, MarkerKey, OperatorCall, OutboxSnapshot, RecordSchema, Section, SectionKind, SplitProgress, SplitState, StagedObject,
    StagedOutput, StagedRecords, StateFile, StateFiles, StateHandle, StateObjectReader, StateObjectWriter, Stretch, StretchHeader,
    SubtaskFiles, SubtaskSnapshot, VertexIdentity, VertexSnapshot, read_calls, read_in_flight, read_staged, write_calls, write_in_flight,
};
pub use log::{Append, JobLog, LineageRoot, LogEntry, Override, Replaced};
pub use restore_plan::{
    LeftOut, PlannedKind, PlannedRestore, Refusal, Remedy, RestoreOptions, RestorePlan, StateFate, StatePlan, VertexPlan, plan_identities,
};
pub(crate) use stored_object::{read_object, read_state_object};
