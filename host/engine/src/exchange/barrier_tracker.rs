//! The rule of at-least-once checkpoints: hold no channel back, and take the snapshot when the last barrier has come.
//!
//! Pure, and in the terms of [`Alignment`]. Records behind a barrier that are delivered before the last barrier are in the snapshot, and
//! come again after a restore. With one channel there are none: such a task stays exactly-once. Several checkpoints are tracked at once.
//!
//! Invariants: a checkpoint that was given up is not taken any more, whatever of its barriers still comes; nothing is overtaken here, so a
//! barrier leaves aligned, whatever it came as, and nobody waits for records in flight.

use super::Alignment;
use super::aborted::AbortedCheckpoints;
use crate::element::{Barrier, BarrierAlignment, CheckpointId};
use std::collections::BTreeMap;

/// Tracks one gate's barriers.
#[derive(Clone, Debug)]
pub struct BarrierTracker {
    /// Checkpoints under way, with the channels that have brought their barrier.
    pending: BTreeMap<CheckpointId, (Barrier, Vec<bool>)>,
    ended: Vec<bool>,
    /// Barriers up to this one are past.
    passed: Option<CheckpointId>,
    /// Given up beyond it.
    aborted: AbortedCheckpoints,
}

impl BarrierTracker {
    /// A tracker of `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { pending: BTreeMap::new(), ended: vec![false; channels], passed: None, aborted: AbortedCheckpoints::default() }
    }

    /// A barrier has come out of `channel`.
    pub(crate) fn on_barrier(&mut self, channel: usize, barrier: Barrier) -> Vec<Alignment> {
        if self.passed >= Some(barrier.checkpoint_id) || self.aborted.contains(barrier.checkpoint_id) {
            return Vec::new();
        }
        let barrier = Barrier { alignment: BarrierAlignment::Aligned, ..barrier };
        let channels = self.ended.len();
        self.pending.entry(barrier.checkpoint_id).or_insert_with(|| (barrier, vec![false; channels])).1[channel] = true;
        self.complete()
    }

    /// `channel` has reached its end, which counts as its barrier for every running and later checkpoint.
    pub(crate) fn on_end(&mut self, channel: usize) -> Vec<Alignment> {
        self.ended[channel] = true;
        self.complete()
    }

    /// The coordinator has given `checkpoint_id` up.
    pub(crate) fn on_abort(&mut self, checkpoint_id: CheckpointId) {
        self.pending.remove(&checkpoint_id);
        if self.passed < Some(checkpoint_id) {
            self.aborted.insert(checkpoint_id);
        }
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
            self.aborted.forget_up_to(barrier.checkpoint_id);
            actions.push(if is_complete(&arrived) { Alignment::Complete(barrier) } else { Alignment::GiveUp(barrier.checkpoint_id) });
        }
        actions
    }
}
