//! Records that a barrier overtook, on their way into the checkpoint. The batches are shared, so capturing them copies nothing.

use super::{Decline, InputChannel};
use crate::element::{CheckpointId, RecordBatch};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bounds the bytes that all tasks of an attempt record at a time.
#[derive(Clone, Debug)]
pub struct InFlightBudget {
    used: Arc<AtomicU64>,
    limit: u64,
}

impl InFlightBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// Why a checkpoint that passes it is given up.
    pub fn exceeded(&self) -> Decline {
        Decline::OverBudget { limit: self.limit }
    }
}

/// Records of one channel, in order.
#[derive(Clone, Debug)]
pub struct ChannelRecords {
    /// The channel.
    pub from: InputChannel,
    /// The records.
    pub batches: Vec<Arc<RecordBatch>>,
}

/// What one task has captured for one checkpoint. It counts against the budget until it is dropped.
#[derive(Debug)]
pub struct InFlightRecords {
    /// What had been restored and not yet been worked off, then channel by channel.
    channels: Vec<ChannelRecords>,
    bytes: u64,
    budget: InFlightBudget,
}

impl InFlightRecords {
    /// Nothing, so far.
    pub fn new(budget: InFlightBudget) -> Self {
        Self { channels: Vec::new(), bytes: 0, budget }
    }

    /// The records, channel by channel; those of one channel in order.
    pub fn channels(&self) -> &[ChannelRecords] {
        &self.channels
    }

    /// Appends records of a channel. False where the budget is used up: the checkpoint has to be given up.
    #[must_use]
    pub fn add(&mut self, from: InputChannel, batches: impl IntoIterator<Item = Arc<RecordBatch>>) -> bool {
        let mut within = true;
        for batch in batches {
            let bytes = batch.byte_len() as u64;
            self.bytes += bytes;
            within &= self.budget.used.fetch_add(bytes, Relaxed) + bytes <= self.budget.limit;
            match self.channels.iter_mut().find(|records| records.from == from) {
                Some(records) => records.batches.push(batch),
                None => self.channels.push(ChannelRecords { from, batches: vec![batch] }),
            }
        }
        within
    }
}

impl Drop for InFlightRecords {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

/// What a gate captures for the checkpoints under way.
pub(super) struct InFlightCaptures {
    pending: BTreeMap<CheckpointId, InFlightRecords>,
    budget: InFlightBudget,
}

impl InFlightCaptures {
    pub fn new(budget: InFlightBudget) -> Self {
        Self { pending: BTreeMap::new(), budget }
    }

    /// A checkpoint begins to record.
    pub fn open(&mut self, checkpoint_id: CheckpointId) {
        self.pending.insert(checkpoint_id, InFlightRecords::new(self.budget.clone()));
    }

    /// Records `batches` for a checkpoint; nothing for one that has been given up. False where the budget is used up.
    #[must_use]
    pub fn add(&mut self, checkpoint_id: CheckpointId, from: InputChannel, batches: impl IntoIterator<Item = Arc<RecordBatch>>) -> bool {
        self.pending.get_mut(&checkpoint_id).is_none_or(|records| records.add(from, batches))
    }

    /// The newest checkpoint that records.
    pub fn newest(&self) -> Option<CheckpointId> {
        self.pending.last_key_value().map(|(&id, _)| id)
    }

    /// Takes out what has been captured.
    pub fn close(&mut self, checkpoint_id: CheckpointId) -> Option<InFlightRecords> {
        self.pending.remove(&checkpoint_id)
    }
}
