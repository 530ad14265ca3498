//! What flows through a channel: record batches, watermarks, barriers, and the end of the input.

mod batch_builder;
mod column;
mod headers;
mod key_group;
mod key_hash;
mod record_batch;
mod selection;
pub(crate) mod short_bytes;

pub use batch_builder::BatchBuilder;
pub use column::Column;
pub use headers::Headers;
pub use key_group::{KeyGroupRange, MAX_PARALLELISM_LIMIT, key_group_of, owner_of, owners, range_of};
pub use key_hash::key_hash;
pub use record_batch::RecordBatch;
pub use selection::Selection;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The timestamp of a record that has none, and the watermark before the first.
pub const NO_TIMESTAMP: i64 = i64::MIN;

/// Number of a checkpoint within its job: counts up from 1 over all attempts and never repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckpointId(pub u64);

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of an attempt to run a job: each start and each restart is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub u64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Separates the records of one checkpoint from those of the next. It flows with the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// The checkpoint that this barrier belongs to.
    pub checkpoint_id: CheckpointId,
    /// What it does with the records in front of it.
    pub alignment: BarrierAlignment,
}

/// What a barrier does with the records in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierAlignment {
    /// It waits behind them, and a gate waits for the barriers of its other channels.
    Aligned,
    /// As aligned, until a gate at which it has arrived has waited this long.
    AlignedFor(Duration),
    /// It overtakes them, and they become part of the checkpoint.
    Unaligned,
}

/// No record with a timestamp up to this one (ms) follows, but for late ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark(pub i64);

/// The watermark behind everything: nothing follows at all.
pub const END_OF_TIME: Watermark = Watermark(i64::MAX);

/// Progress of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has come to here; whoever was idle is so no more.
    Watermark(Watermark),
    /// For the time being nothing comes that could move it: nobody waits for this one's.
    Idle,
}

impl Progress {
    /// The time that it stands for in ms since 1970; `None`: nobody waits for this one, or nothing follows at all.
    pub fn time(self) -> Option<i64> {
        match self {
            Self::Watermark(END_OF_TIME) | Self::Idle => None,
            Self::Watermark(Watermark(time)) => Some(time),
        }
    }
}

/// One element of a channel.
#[derive(Clone, Debug)]
pub enum StreamElement {
    /// Records, shared and never changed.
    Batch(Arc<RecordBatch>),
    /// Progress of event time.
    Progress(Progress),
    /// The cut of a checkpoint.
    Barrier(Barrier),
    /// Nothing follows on this channel.
    EndOfInput,
}
