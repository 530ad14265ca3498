//! Merges one subtask's channels and holds each back from its barrier until the last has arrived.
//!
//! Invariant: no record sent after a barrier is delivered before the gate is aligned. Channels take turns, so that none starves.

use super::channel::{ChannelBounds, ChannelSender, Channels};
use super::{Alignment, BarrierAligner, WatermarkValve};
use crate::element::{Barrier, CheckpointId, RecordBatch, StreamElement, Watermark};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a channel brings: which of the operator's inputs, and whether over a `key` edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputChannel {
    /// Index into the operator's inputs.
    pub input: u32,
    /// True where the records may see keyed state.
    pub keyed: bool,
}

/// What the gate hands to its task.
#[derive(Clone, Debug)]
pub enum GateEvent {
    /// Records of one channel.
    Batch {
        /// Where they come from.
        from: InputChannel,
        /// The records.
        batch: Arc<RecordBatch>,
    },
    /// The smallest watermark of all channels has risen.
    Watermark(Watermark),
    /// All channels are aligned on this barrier.
    Barrier(Barrier),
    /// This checkpoint cannot be aligned here any more.
    Declined(CheckpointId),
    /// Every channel has ended. Nothing follows.
    End,
}

/// The receiving end of a task's channels.
pub struct InputGate {
    channels: Arc<Channels>,
    inputs: Vec<InputChannel>,
    aligner: BarrierAligner,
    valve: WatermarkValve,
    blocked: Vec<bool>,
    open: usize,
    /// The channel whose turn it is.
    turn: usize,
    events: VecDeque<GateEvent>,
}

impl InputGate {
    /// A gate with these channels, and their sending ends in the same order.
    pub fn new(inputs: Vec<InputChannel>, bounds: ChannelBounds) -> (Self, Vec<ChannelSender>) {
        let count = inputs.len();
        let channels = Channels::new(count, bounds);
        let senders = (0..count).map(|channel| ChannelSender::new(channels.clone(), channel)).collect();
        let gate = Self {
            channels,
            inputs,
            aligner: BarrierAligner::new(count),
            valve: WatermarkValve::new(count),
            blocked: vec![false; count],
            open: count,
            turn: 0,
            events: VecDeque::new(),
        };
        (gate, senders)
    }

    /// The next event; `Pending` registers the task. Not called again after [`GateEvent::End`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<GateEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            let Some((channel, element)) = self.pop_or_register(cx) else { return Poll::Pending };
            self.on_element(channel, element);
        }
    }

    /// The coordinator has given a checkpoint up: channels that wait for it go on.
    pub fn abort(&mut self, checkpoint_id: CheckpointId) {
        let actions = self.aligner.on_abort(checkpoint_id);
        self.follow(actions);
    }

    fn pop_or_register(&mut self, cx: &mut Context<'_>) -> Option<(usize, StreamElement)> {
        let mut state = self.channels.lock();
        let count = self.inputs.len();
        for offset in 0..count {
            let channel = (self.turn + offset) % count;
            if self.blocked[channel] {
                continue;
            }
            if let Some(element) = state.queues[channel].pop(self.channels.bounds()) {
                self.turn = (channel + 1) % count;
                return Some((channel, element));
            }
        }
        state.receiver = Some(cx.waker().clone());
        None
    }

    fn on_element(&mut self, channel: usize, element: StreamElement) {
        match element {
            StreamElement::Batch(batch) => self.events.push_back(GateEvent::Batch { from: self.inputs[channel], batch }),
            StreamElement::Watermark(watermark) => {
                let merged = self.valve.on_watermark(channel, watermark);
                self.events.extend(merged.map(GateEvent::Watermark));
            }
            StreamElement::Barrier(barrier) => {
                let actions = self.aligner.on_barrier(channel, barrier);
                self.follow(actions);
            }
            StreamElement::EndOfInput => {
                let merged = self.valve.on_end(channel);
                self.events.extend(merged.map(GateEvent::Watermark));
                let actions = self.aligner.on_end(channel);
                self.follow(actions);
                self.open -= 1;
                if self.open == 0 {
                    self.events.push_back(GateEvent::End);
                }
            }
        }
    }

    fn follow(&mut self, actions: Vec<Alignment>) {
        for action in actions {
            match action {
                Alignment::Block(channel) => self.blocked[channel] = true,
                Alignment::Complete(barrier) => self.events.push_back(GateEvent::Barrier(barrier)),
                Alignment::GiveUp(checkpoint_id) => self.events.push_back(GateEvent::Declined(checkpoint_id)),
                Alignment::Unblock => self.blocked.fill(false),
            }
        }
    }
}

impl Drop for InputGate {
    fn drop(&mut self) {
        self.channels.close();
    }
}

#[cfg(test)]
#[path = "input_gate_tests.rs"]
mod tests;
