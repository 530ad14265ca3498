//! The second way to sink exactly-once: what a sink is given is staged in the job's storage as objects of the checkpoint, and once that is final, one
//! publisher of the sink publishes it, in order, against a marker in the target.
//!
//! For targets that have transactions but cannot wait in a half-open one, and for such as have none and know records again by their ids.
//! [`OutboxTarget`] is what such a target offers, and `conformance` what is asked of it (with the feature `testing`, as `MemoryTarget`); `Publisher` holds the rules, `OutboxLedger` what waits; `PublisherTask` carries them out; `StagingWriter` is what the sink's
//! subtasks have in place of a writer; `Outboxes` is what of all that the rest of an attempt sees.

mod chunks;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod ledger;
mod lineage;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod outboxes;
mod port;
mod publisher;
mod publisher_task;
mod record_id;
mod refusal;
mod room;
mod shared;
mod staging;

#[cfg(test)]
mod ledger_tests;
#[cfg(test)]
mod model_tests;

pub use crate::checkpoint::{Marker, MarkerKey};
pub(crate) use ledger::OutboxLedger;
#[cfg(any(test, feature = "testing"))]
pub use memory::{MemoryTarget, TargetMemory};
pub(crate) use outboxes::Outboxes;
pub(crate) use port::target_identity;
pub use port::{Atomicity, ChunkBounds, OutboxOwner, OutboxSession, OutboxSink, OutboxTarget};
#[cfg(any(test, feature = "testing"))]
pub(crate) use publisher::PublisherAction;
pub(crate) use publisher_task::{OutboxEvent, PublisherTask};
pub use record_id::{RecordId, record_ids};
pub(crate) use refusal::Decisions;
pub use refusal::MarkerDecision;
pub use room::OutboxRoom;
pub(crate) use shared::Outbox;
pub use shared::{OutboxStatus, PublishingError};
pub(crate) use staging::{Staged, StagingWriter};
