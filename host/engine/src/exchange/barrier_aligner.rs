//! The rule of aligned checkpoints: hold each channel back from its barrier until the last has arrived.
//!
//! Pure: it is told what arrives and says what to do. Invariant: no record sent after a barrier is delivered before the
//! gate is aligned on that barrier.
//!
//! Several checkpoints may be under way: a blocked channel keeps the barriers behind the first in its queue, so alignments
//! follow one another. A newer barrier on a channel that is not blocked means that the older one will never come there: the older
//! alignment is given up. End of input counts as the channel's barrier for every running and later checkpoint.

use crate::element::{Barrier, CheckpointId};

/// What the gate has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Deliver nothing more from this channel until [`Alignment::Unblock`].
    Block(usize),
    /// All channels are aligned on this barrier: hand it to the task, then deliver from every channel again.
    Complete(Barrier),
    /// This checkpoint can no longer be aligned here: tell the coordinator.
    GiveUp(CheckpointId),
    /// Deliver from every channel again.
    Unblock,
}

/// Where the alignment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Aligning { barrier: Barrier },
}

/// Aligns one gate's channels.
#[derive(Clone, Debug)]
pub struct BarrierAligner {
    state: State,
    /// Channels whose barrier of the current alignment has come.
    arrived: Vec<bool>,
    ended: Vec<bool>,
    /// Barriers up to this one are past: completed, given up or aborted.
    passed: Option<CheckpointId>,
}

impl BarrierAligner {
    /// An aligner of `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { state: State::Idle, arrived: vec![false; channels], ended: vec![false; channels], passed: None }
    }

    /// A barrier has come out of `channel`.
    pub fn on_barrier(&mut self, channel: usize, barrier: Barrier) -> Vec<Alignment> {
        if self.passed.is_some_and(|passed| barrier.checkpoint_id <= passed) {
            return Vec::new();
        }
        let mut actions = Vec::new();
        match &self.state {
            State::Aligning { barrier: current } if current.checkpoint_id > barrier.checkpoint_id => return actions,
            State::Aligning { barrier: current } if current.checkpoint_id < barrier.checkpoint_id => {
                let older = current.checkpoint_id;
                actions.push(Alignment::GiveUp(older));
                actions.push(self.reset(older));
                self.state = State::Aligning { barrier };
            }
            State::Aligning { .. } => {}
            State::Idle => self.state = State::Aligning { barrier },
        }
        self.arrived[channel] = true;
        actions.push(Alignment::Block(channel));
        self.complete_if_aligned(&mut actions);
        actions
    }

    /// `channel` has reached its end.
    pub fn on_end(&mut self, channel: usize) -> Vec<Alignment> {
        self.ended[channel] = true;
        let mut actions = Vec::new();
        self.complete_if_aligned(&mut actions);
        actions
    }

    /// The coordinator has given `checkpoint_id` up.
    pub fn on_abort(&mut self, checkpoint_id: CheckpointId) -> Vec<Alignment> {
        match &self.state {
            State::Aligning { barrier } if barrier.checkpoint_id == checkpoint_id => vec![self.reset(checkpoint_id)],
            State::Aligning { .. } => Vec::new(),
            State::Idle => {
                self.passed = self.passed.max(Some(checkpoint_id));
                Vec::new()
            }
        }
    }

    /// True while some channel's barrier is awaited.
    pub fn is_aligning(&self) -> bool {
        matches!(self.state, State::Aligning { .. })
    }

    fn complete_if_aligned(&mut self, actions: &mut Vec<Alignment>) {
        let State::Aligning { barrier } = self.state else { return };
        if self.arrived.iter().zip(&self.ended).all(|(&arrived, &ended)| arrived || ended) {
            actions.push(Alignment::Complete(barrier));
            actions.push(self.reset(barrier.checkpoint_id));
        }
    }

    fn reset(&mut self, passed: CheckpointId) -> Alignment {
        self.state = State::Idle;
        self.arrived.fill(false);
        self.passed = self.passed.max(Some(passed));
        Alignment::Unblock
    }
}
