//! The second way to sink exactly-once: what a sink is given is staged in the job's storage as objects of the checkpoint, and once that is final, one
//! publisher of the sink publishes it, in order, against a marker in the target.
//!
//! For targets that have transactions but cannot wait in a half-open one. [`OutboxTarget`] is what such a target offers, and `conformance` what is asked
//! of it (with the feature `testing`, as `MemoryTarget`); [`Publisher`] holds the rules, [`OutboxLedger`] what waits; [`PublisherTask`] carries them out; [`StagingWriter`] is what the sink's
//! subtasks have in place of a writer; [`Outboxes`] is what of all that the rest of an attempt sees.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod ledger;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod port;
mod publisher;
mod publisher_task;
mod refusal;
mod shared;
mod staging;

#[cfg(test)]
mod ledger_tests;
#[cfg(test)]
mod model_tests;

pub use ledger::{MarkerBefore, OutboxLedger};
#[cfg(any(test, feature = "testing"))]
pub use memory::{MemoryTarget, TargetMemory};
pub use port::{ChunkBounds, OutboxOwner, OutboxSession, OutboxSink, OutboxTarget, target_identity};
pub use publisher::{Publication, Publisher, PublisherAction, PublisherEvent};
pub use publisher_task::{OutboxEvent, PublisherTask};
pub use refusal::{Decisions, MarkerDecision, Mismatch, Refusal};
pub use shared::{Outbox, OutboxStatus, Outboxes};
pub use staging::{Staged, StagingWriter};

/// Bytes of complete checkpoints' output that may wait for one sink, unless a job says otherwise.
pub const MAX_UNPUBLISHED: u64 = 1 << 30;
