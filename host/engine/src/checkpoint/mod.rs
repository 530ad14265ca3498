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

pub use bases::CheckpointBases;
pub(crate) use bases::ObjectsInUse;
pub use components::stored_component;
pub(crate) use coordinator::{BARRIER_MAX, stop_max};
pub use coordinator::{CheckpointConfig, CheckpointMode, Trigger};
pub(crate) use coordinator::{CheckpointCoordinator, CompletedTasks, CoordinatorAction, WhyNotTaken};
#[cfg(test)]
pub(crate) use format::StretchHeader;
pub(crate) use format::envelope;
pub use format::{
    CallKind, CheckpointMetadata, Committable, FiredTimers, GraphIdentity, Marker, MarkerKey, OperatorCall, RecordSchema, SectionKind,
    SplitProgress, SplitState, StateHandle, StateObjectWriter, SubtaskSnapshot, VertexIdentity, VertexSnapshot, WatermarkFloor,
};
pub(crate) use format::{
    EdgeIdentity, InFlightChannel, LineageOutput, OutboxSnapshot, Section, StagedObject, StagedOutput, StagedRecords, StateFile,
    StateFiles, StateObjectReader, Stretch, SubtaskFiles, read_calls, read_in_flight, read_staged, write_calls, write_in_flight,
};
pub(crate) use log::Append;
pub use log::{JobLog, LineageRoot, LogEntry, Override, Pinned, Replaced};
pub use restore_plan::{LeftOut, PlannedKind, PlannedRestore, RestoreOptions, StateFate, StatePlan, VertexPlan};
pub(crate) use restore_plan::{Remedy, Restorable, RestorePlan, RestoreRefusal, migration_fails, plan_identities};
pub(crate) use stored_object::{read_object, read_state_object};
