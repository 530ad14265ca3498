//! The rule of exactly-once checkpoints: hold each channel back from its barrier until the last has arrived, or overtake.
//!
//! Pure: it is told what arrives and says what to do. Invariants: no record sent after a barrier is delivered before the gate is
//! aligned on that barrier, or else every record that was sent before it and not delivered is captured; barriers leave in the order of
//! their ids.
//!
//! Several checkpoints may be under way. A blocked channel keeps the barriers behind the first in its queue, so alignments follow one
//! another; each checkpoint that overtakes records for itself, channel by channel, until its own barrier or the end. A newer barrier on a
//! channel where an older one is awaited means that the older one will never come there: that checkpoint is given up.
//! End of input counts as the channel's barrier for every running and later checkpoint.

use super::aborted::AbortedCheckpoints;
use crate::element::{Barrier, BarrierAlignment, CheckpointId};
use std::collections::BTreeMap;

/// What the gate has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Deliver nothing more from this channel until [`Alignment::Unblock`].
    Block(usize),
    /// Deliver from every channel again.
    Unblock,
    /// All channels are aligned on this barrier: hand it to the task.
    Complete(Barrier),
    /// Hand this barrier to the task now, and record from now on what it overtakes.
    Overtake(Barrier),
    /// The checkpoint's barrier, or the end, has come to this channel: record what waits in front of it, and nothing more.
    Close {
        /// The channel.
        channel: usize,
        /// The checkpoint.
        checkpoint_id: CheckpointId,
    },
    /// Everything that this checkpoint's barrier overtook is captured.
    Captured(CheckpointId),
    /// This checkpoint can no longer be taken here: tell the coordinator.
    GiveUp(CheckpointId),
}

/// An alignment under way.
#[derive(Clone, Debug)]
struct Aligning {
    barrier: Barrier,
    /// Channels that have brought it.
    arrived: Vec<bool>,
}

/// Aligns one gate's channels.
#[derive(Clone, Debug)]
pub struct BarrierAligner {
    aligning: Option<Aligning>,
    /// Checkpoints that overtake, with the channels whose barrier is awaited.
    capturing: BTreeMap<CheckpointId, Vec<bool>>,
    /// Channels of which everything has been delivered.
    ended: Vec<bool>,
    /// Barriers up to this one are past: handed to the task, given up or aborted.
    passed: Option<CheckpointId>,
    /// Aborted ones beyond it.
    aborted: AbortedCheckpoints,
}

impl BarrierAligner {
    /// An aligner of `channels` channels.
    pub fn new(channels: usize) -> Self {
        let aborted = AbortedCheckpoints::default();
        Self { aligning: None, capturing: BTreeMap::new(), ended: vec![false; channels], passed: None, aborted }
    }

    /// A barrier has come out of `channel`, behind everything that was sent before it.
    pub(crate) fn on_barrier(&mut self, channel: usize, barrier: Barrier) -> Vec<Alignment> {
        let mut actions = Vec::new();
        let id = barrier.checkpoint_id;
        if self.close(channel, id, &mut actions) || self.is_past(id) {
            return actions;
        }
        self.give_up_older(channel, id, &mut actions);
        if self.is_aligning_newer(id) {
            return actions;
        }
        let channels = self.ended.len();
        self.aligning.get_or_insert_with(|| Aligning { barrier, arrived: vec![false; channels] }).arrived[channel] = true;
        actions.push(Alignment::Block(channel));
        self.complete_if_aligned(&mut actions);
        actions
    }

    /// A barrier that overtakes has come to `channel`.
    pub(crate) fn on_overtaking(&mut self, channel: usize, barrier: Barrier) -> Vec<Alignment> {
        let mut actions = Vec::new();
        let id = barrier.checkpoint_id;
        if self.close(channel, id, &mut actions) || self.is_past(id) {
            return actions;
        }
        self.give_up_older(channel, id, &mut actions);
        if self.is_aligning_newer(id) {
            return actions;
        }
        self.overtake_up_to(barrier, &mut actions);
        self.close(channel, id, &mut actions);
        actions
    }

    /// A checkpoint that overtakes has been announced where the ends of all channels have been sent: its barrier comes on none of them, and
    /// each end counts as it.
    pub(crate) fn on_announced(&mut self, barrier: Barrier) -> Vec<Alignment> {
        let mut actions = Vec::new();
        if !self.is_past(barrier.checkpoint_id) && !self.is_aligning_newer(barrier.checkpoint_id) {
            self.overtake_up_to(barrier, &mut actions);
        }
        actions
    }

    /// This checkpoint's barriers overtake from now on: the gate has waited long enough for them, or the coordinator has.
    pub(crate) fn on_timeout(&mut self, checkpoint_id: CheckpointId) -> Vec<Alignment> {
        let mut actions = Vec::new();
        if let Some(aligning) = self.aligning.take_if(|aligning| aligning.barrier.checkpoint_id == checkpoint_id) {
            self.overtake(aligning, &mut actions);
        }
        actions
    }

    /// `channel` has reached its end: everything has been delivered.
    pub(crate) fn on_end(&mut self, channel: usize) -> Vec<Alignment> {
        let mut actions = self.on_end_in_sight(channel);
        self.ended[channel] = true;
        self.complete_if_aligned(&mut actions);
        actions
    }

    /// The end of `channel` has been sent: what is captured of it is what waits there.
    pub(crate) fn on_end_in_sight(&mut self, channel: usize) -> Vec<Alignment> {
        let mut actions = Vec::new();
        let awaited: Vec<_> = self.capturing.iter().filter(|(_, awaited)| awaited[channel]).map(|(&id, _)| id).collect();
        for checkpoint_id in awaited {
            self.close(channel, checkpoint_id, &mut actions);
        }
        actions
    }

    /// The coordinator has given `checkpoint_id` up.
    pub(crate) fn on_abort(&mut self, checkpoint_id: CheckpointId) -> Vec<Alignment> {
        self.capturing.remove(&checkpoint_id);
        if !self.is_past(checkpoint_id) {
            self.aborted.insert(checkpoint_id);
        }
        match self.aligning.take_if(|aligning| aligning.barrier.checkpoint_id == checkpoint_id) {
            Some(_) => vec![Alignment::Unblock],
            None => Vec::new(),
        }
    }

    /// True where this checkpoint overtakes here, and not all of its barriers have come.
    pub fn overtakes(&self, checkpoint_id: CheckpointId) -> bool {
        self.capturing.contains_key(&checkpoint_id)
    }

    /// The checkpoints that record what comes out of `channel`.
    pub fn capturing(&self, channel: usize) -> impl Iterator<Item = CheckpointId> {
        self.capturing.iter().filter(move |(_, awaited)| awaited[channel]).map(|(&id, _)| id)
    }

    /// True where nothing of this checkpoint's barriers is awaited here any more, but for what it may record.
    pub(crate) fn is_past(&self, checkpoint_id: CheckpointId) -> bool {
        self.passed.is_some_and(|passed| checkpoint_id <= passed) || self.aborted.contains(checkpoint_id)
    }

    /// True where a channel has brought a newer barrier without this one, which will never come there.
    fn is_aligning_newer(&self, checkpoint_id: CheckpointId) -> bool {
        self.aligning.as_ref().is_some_and(|aligning| aligning.barrier.checkpoint_id > checkpoint_id)
    }

    /// Lets `barrier` overtake, and before it what is being aligned: that is the same, or an older one, and barriers never overtake barriers.
    fn overtake_up_to(&mut self, barrier: Barrier, actions: &mut Vec<Alignment>) {
        if let Some(aligning) = self.aligning.take() {
            self.overtake(aligning, actions);
        }
        if !self.is_past(barrier.checkpoint_id) {
            let arrived = vec![false; self.ended.len()];
            self.overtake(Aligning { barrier, arrived }, actions);
        }
    }

    /// Takes an alignment's snapshot at once. Channels that have not brought the barrier are captured until they do.
    fn overtake(&mut self, aligning: Aligning, actions: &mut Vec<Alignment>) {
        let Aligning { barrier, arrived } = aligning;
        if arrived.contains(&true) {
            actions.push(Alignment::Unblock);
        }
        self.pass(barrier.checkpoint_id);
        actions.push(Alignment::Overtake(Barrier { alignment: BarrierAlignment::Unaligned, ..barrier }));
        let awaited = arrived.iter().zip(&self.ended).map(|(&arrived, &ended)| !arrived && !ended).collect();
        self.capturing.insert(barrier.checkpoint_id, awaited);
        self.finish_capturing(barrier.checkpoint_id, actions);
    }

    /// False where nothing of `channel` is captured for this checkpoint.
    fn close(&mut self, channel: usize, checkpoint_id: CheckpointId, actions: &mut Vec<Alignment>) -> bool {
        let Some(awaited) = self.capturing.get_mut(&checkpoint_id) else { return false };
        if !std::mem::replace(&mut awaited[channel], false) {
            return true;
        }
        actions.push(Alignment::Close { channel, checkpoint_id });
        self.finish_capturing(checkpoint_id, actions);
        true
    }

    fn finish_capturing(&mut self, checkpoint_id: CheckpointId, actions: &mut Vec<Alignment>) {
        if !self.capturing[&checkpoint_id].contains(&true) {
            self.capturing.remove(&checkpoint_id);
            actions.push(Alignment::Captured(checkpoint_id));
        }
    }

    /// Gives up every checkpoint older than `newer` whose barrier is awaited from `channel`.
    fn give_up_older(&mut self, channel: usize, newer: CheckpointId, actions: &mut Vec<Alignment>) {
        let lost: Vec<_> = self.capturing.range(..newer).filter(|(_, awaited)| awaited[channel]).map(|(&id, _)| id).collect();
        for checkpoint_id in lost {
            self.capturing.remove(&checkpoint_id);
            actions.push(Alignment::GiveUp(checkpoint_id));
        }
        let is_lost = |aligning: &mut Aligning| aligning.barrier.checkpoint_id < newer && !aligning.arrived[channel];
        if let Some(lost) = self.aligning.take_if(is_lost) {
            self.pass(lost.barrier.checkpoint_id);
            actions.extend([Alignment::GiveUp(lost.barrier.checkpoint_id), Alignment::Unblock]);
        }
    }

    fn complete_if_aligned(&mut self, actions: &mut Vec<Alignment>) {
        let is_aligned = |aligning: &mut Aligning| aligning.arrived.iter().zip(&self.ended).all(|(&arrived, &ended)| arrived || ended);
        if let Some(Aligning { barrier, .. }) = self.aligning.take_if(is_aligned) {
            self.pass(barrier.checkpoint_id);
            actions.extend([Alignment::Complete(barrier), Alignment::Unblock]);
        }
    }

    fn pass(&mut self, checkpoint_id: CheckpointId) {
        self.passed = self.passed.max(Some(checkpoint_id));
        self.aborted.forget_up_to(checkpoint_id);
    }
}
