//! What is written of a checkpoint, byte by byte: metadata, state objects, records in flight, call logs, staged output. Each format has magic, version and
//! checksum, its reader beside its writer, and a golden file of every version that was released.

mod call_log;
pub(crate) mod envelope;
mod graph_identity;
mod in_flight;
mod metadata;
mod outbox;
mod parts;
mod records;
mod staged;
mod state_object;

#[cfg(test)]
pub use call_log::StretchHeader;
pub use call_log::{CallKind, FiredTimers, OperatorCall, Stretch, read_calls, write_calls};
pub use graph_identity::{EdgeIdentity, GraphIdentity, VertexIdentity};
pub use in_flight::{InFlightChannel, read_in_flight, write_in_flight};
pub use metadata::{CheckpointMetadata, StateFile, StateFiles, StateHandle, SubtaskFiles, SubtaskSnapshot, VertexSnapshot, WatermarkFloor};
pub use outbox::{LineageOutput, Marker, MarkerKey, OutboxSnapshot, StagedObject, StagedOutput};
pub use parts::{Committable, RecordSchema, SplitProgress, SplitState};
pub use staged::{StagedRecords, read_staged};
pub use state_object::{Section, SectionKind, StateObjectReader, StateObjectWriter};

#[cfg(test)]
mod call_log_golden_tests;
#[cfg(test)]
mod chance_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod in_flight_golden_tests;
#[cfg(test)]
mod outbox_golden_tests;
