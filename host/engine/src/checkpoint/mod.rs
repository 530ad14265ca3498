//! Checkpoints: who decides that one is complete (coordinator, log), what it consists of (metadata, state objects), where it lies (store, paths).

pub mod conformance;
mod coordinator;
mod envelope;
mod faulty_store;
mod job_log;
mod large_objects;
mod metadata;
mod parts;
pub mod paths;
mod probe;
mod s3;
mod state_object;
mod storage_url;
mod store;

pub use coordinator::{CheckpointConfig, CheckpointCoordinator, CompletedTasks, CoordinatorAction, Trigger};
pub use faulty_store::{FaultPlan, FaultyStore};
pub(crate) use job_log::retry;
pub use job_log::{Append, JobLog, LineageRoot, LogEntry};
pub use metadata::{CheckpointMetadata, EdgeIdentity, GraphIdentity, StateHandle, SubtaskSnapshot, VertexIdentity, VertexSnapshot};
pub use parts::{Committable, SplitProgress, SplitState};
pub(crate) use probe::probe_create_if_absent;
pub use s3::Variables;
pub use state_object::{FinishedObject, Section, SectionKind, StateObjectReader, StateObjectWriter};
pub use storage_url::{BadStorageUrl, StorageUrl};
pub use store::{Created, ObjectStorage, Store};

#[cfg(test)]
mod golden_tests;
