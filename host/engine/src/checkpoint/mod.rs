//! Checkpoints: who decides that one is complete (coordinator, log), what it consists of (metadata, state objects), where it lies (store, paths).

mod bases;
mod components;
pub mod conformance;
mod coordinator;
pub(crate) mod envelope;
mod faulty_store;
mod in_flight;
mod job_log;
mod large_objects;
mod log_format;
mod metadata;
mod parts;
pub mod paths;
mod probe;
mod recording;
mod records;
mod restore_plan;
mod s3;
mod state_object;
mod stopping;
mod storage_url;
mod store;
mod stored_object;

pub use bases::{CheckpointBases, ObjectsInUse};
pub use components::stored_component;
pub use coordinator::{CheckpointConfig, CheckpointCoordinator, CheckpointMode, CompletedTasks, CoordinatorAction, Trigger};
pub use faulty_store::{FaultPlan, FaultyStore};
pub use in_flight::{InFlightChannel, read_in_flight, write_in_flight};
pub(crate) use job_log::retry;
pub use job_log::{Append, JobLog, LineageRoot, LogEntry, Override, Replaced};
pub use metadata::{CheckpointMetadata, EdgeIdentity, GraphIdentity, StateHandle, SubtaskSnapshot, VertexIdentity, VertexSnapshot};
pub use parts::{Committable, RecordSchema, SplitProgress, SplitState};
pub(crate) use probe::probe_create_if_absent;
pub use recording::{RecordedCall, Stretch, StretchHeader, read_recording, write_recording};
pub use restore_plan::{
    LeftOut, PlannedKind, PlannedRestore, Refusal, Remedy, RestoreOptions, RestorePlan, StateFate, StatePlan, VertexPlan, plan_identities,
};
pub use s3::Variables;
pub use state_object::{FinishedObject, Section, SectionKind, StateObjectReader, StateObjectWriter};
pub(crate) use stopping::BARRIER_MAX;
pub use storage_url::{BadStorageUrl, StorageUrl};
pub use store::{Created, ObjectStorage, Store};
pub(crate) use stored_object::read_state_object;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod in_flight_golden_tests;
#[cfg(test)]
mod recording_golden_tests;
