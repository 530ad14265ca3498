//! What goes into an input gate, and what it hands to its task.

use super::{ChannelBounds, InFlightBudget, InFlightRecords};
use crate::element::{Barrier, CheckpointId, Progress, RecordBatch};
use crate::runtime::Clock;
use std::fmt;
use std::sync::Arc;

/// What a channel brings, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputChannel {
    /// The place in the task's chain of the vertex that it leads to: the head, but for restored records of an edge within the chain.
    pub node: usize,
    /// Index into that vertex's inputs.
    pub input: u32,
    /// True where the records may see keyed state.
    pub keyed: bool,
    /// The edge's number in the graph.
    pub edge: usize,
    /// The sending subtask.
    pub sender: u32,
}

/// What the gate hands to its task.
#[derive(Debug)]
pub enum GateEvent {
    /// Records of one channel.
    Batch {
        /// Where they come from.
        from: InputChannel,
        /// The records.
        batch: Arc<RecordBatch>,
    },
    /// Event time has come further, or stands still because all channels are idle.
    Progress(Progress),
    /// Take the snapshot of this barrier, now. Where it is unaligned, [`GateEvent::InFlight`] or a decline follows.
    Barrier(Barrier),
    /// Everything that an unaligned barrier overtook.
    InFlight(CheckpointId, InFlightRecords),
    /// This checkpoint cannot be taken here any more.
    Declined(CheckpointId, Decline),
    /// Every channel has ended, and event time with them. Nothing follows.
    End,
}

/// Why a task does not take a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decline {
    /// A newer one's barrier came where this one's was awaited.
    NewerBarrier,
    /// More records are in flight than so many bytes.
    OverBudget {
        /// `max-in-flight-bytes`.
        limit: u64,
    },
    /// Something that it has to do for it failed.
    Failed(String),
}

impl fmt::Display for Decline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerBarrier => f.write_str("a newer barrier came first"),
            Self::OverBudget { limit } => write!(f, "more records are in flight than `max-in-flight-bytes` allows ({limit} bytes)"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// What a task does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appetite {
    /// It takes whatever comes.
    Everything,
    /// It waits for room downstream, and takes only what belongs to checkpoints.
    Barriers,
}

/// What a gate is made of, but for its channels.
pub struct GateSettings {
    /// The bounds of each channel.
    pub bounds: ChannelBounds,
    /// True: no channel is ever held back from its barrier.
    pub at_least_once: bool,
    /// Bounds what is captured.
    pub budget: InFlightBudget,
    /// The clock of alignments.
    pub clock: Arc<dyn Clock>,
}

#[cfg(test)]
impl GateSettings {
    /// Those of a small gate in a test: channels of a hundred batches, exactly-once, and no record may be in flight.
    pub fn of_test(clock: Arc<dyn Clock>) -> Self {
        let bounds = ChannelBounds { batches: 100, bytes: 1 << 20 };
        Self { bounds, at_least_once: false, budget: InFlightBudget::new(0), clock }
    }
}
