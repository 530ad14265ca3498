//! The rule of at-least-once checkpoints: hold no channel back, and take the snapshot when the last barrier has come.
//!
//! Pure, and in the terms of [`Alignment`]. Records behind a barrier that are delivered before the last barrier are in the snapshot, and
//! come again after a restore. With one channel there are none: such a task stays exactly-once. Several checkpoints are tracked at once.

use super::Alignment;
use crate::element::{Barrier, CheckpointId};
use std::collections::BTreeMap;

/// Tracks one gate's barriers.
#[derive(Clone, Debug)]
pub struct BarrierTracker {
    /// Checkpoints under way, with the channels that have brought their barrier.
    pending: BTreeMap<CheckpointId, (Barrier, Vec<bool>)>,
    ended: Vec<bool>,
    /// Barriers up to this one are past.
    passed: Option<CheckpointId>,
}

impl BarrierTracker {
    /// A tracker of `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { pending: BTreeMap::new(), ended: vec![false; channels], passed: None }
    }

    /// A barrier has come out of `channel`.
    pub fn on_barrier(&mut self, channel: usize, barrier: Barrier) -> Vec<Alignment> {
        if self.passed.is_some_and(|passed| barrier.checkpoint_id <= passed) {
            return Vec::new();
        }
        let channels = self.ended.len();
        self.pending.entry(barrier.checkpoint_id).or_insert_with(|| (barrier, vec![false; channels])).1[channel] = true;
        self.complete()
    }

    /// `channel` has reached its end, which counts as its barrier for every running and later checkpoint.
    pub fn on_end(&mut self, channel: usize) -> Vec<Alignment> {
        self.ended[channel] = true;
        self.complete()
    }

    /// The coordinator has given `checkpoint_id` up.
    pub fn on_abort(&mut self, checkpoint_id: CheckpointId) {
        self.pending.remove(&checkpoint_id);
    }

    /// Hands the complete ones to the task, oldest first. An older one that is not complete lacks a barrier that will never come.
    fn complete(&mut self) -> Vec<Alignment> {
        let mut actions = Vec::new();
        let is_complete = |arrived: &[bool]| arrived.iter().zip(&self.ended).all(|(&arrived, &ended)| arrived || ended);
        let newest = self.pending.iter().rfind(|(_, (_, arrived))| is_complete(arrived)).map(|(&id, _)| id);
        while let Some(newest) = newest
            && let Some(first) = self.pending.first_entry().filter(|first| *first.key() <= newest)
        {
            let (barrier, arrived) = first.remove();
            self.passed = Some(barrier.checkpoint_id);
            actions.push(if is_complete(&arrived) { Alignment::Complete(barrier) } else { Alignment::GiveUp(barrier.checkpoint_id) });
        }
        actions
    }
}
