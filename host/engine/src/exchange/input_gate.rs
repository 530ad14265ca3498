//! Merges one subtask's channels and keeps each checkpoint's cut through them.
//!
//! The rules are in [`BarrierAligner`] and [`BarrierTracker`]; the gate looks after the queues. Records that were restored as in flight, and
//! what a task has put back, come before anything from a channel. Channels take turns, so that none starves.

use super::channel::{ChannelSender, Channels, ChannelsState};
use super::in_flight_records::InFlightCaptures;
use super::queue::Queue;
use super::{
    Alignment, Appetite, BarrierAligner, BarrierTracker, Decline, GateEvent, GateSettings, InFlightBudget, InputChannel, WatermarkValve,
};
use crate::element::{Barrier, BarrierAlignment, CheckpointId, END_OF_TIME, Progress, RecordBatch, StreamElement};
use crate::runtime::{Clock, Monotonic};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};

/// How a gate treats barriers.
#[derive(Clone, Debug)]
enum Rule {
    ExactlyOnce(BarrierAligner),
    AtLeastOnce(BarrierTracker),
}

/// The receiving end of a task's channels.
pub struct InputGate {
    channels: Arc<Channels>,
    inputs: Vec<InputChannel>,
    rule: Rule,
    valve: WatermarkValve,
    captures: InFlightCaptures,
    budget: InFlightBudget,
    clock: Arc<dyn Clock>,
    /// Records that come before anything from a channel: restored ones, and what was put back.
    ahead: VecDeque<(InputChannel, Arc<RecordBatch>)>,
    /// Barriers of checkpoints that the task has been told of. Where every channel has ended, these will never come.
    announced: BTreeMap<CheckpointId, Barrier>,
    /// When a barrier that has arrived, and is aligned until then, begins to overtake.
    deadlines: BTreeMap<CheckpointId, Monotonic>,
    /// When the first barrier of a checkpoint was taken out of its queue.
    arrivals: BTreeMap<CheckpointId, Monotonic>,
    /// Barriers whose time is over.
    turned: Option<CheckpointId>,
    /// Set where queued barriers have to be looked at again.
    look_again: bool,
    blocked: Vec<bool>,
    open: usize,
    /// The channel whose turn it is.
    turn: usize,
    /// What has come of the last element. A batch is the first, so that it is handed on by the poll that took it out of its queue.
    events: VecDeque<GateEvent>,
    /// Every channel has ended, and that is the last event.
    is_over: bool,
}

/// What was taken out of the queues.
enum Taken {
    Element(usize, StreamElement),
    /// A barrier that overtakes.
    Overtaking {
        channel: usize,
        barrier: Barrier,
        /// What was in front of it.
        overtaken: Vec<Arc<RecordBatch>>,
    },
    /// The end of a channel has been sent; these batches are in front of it.
    EndInSight(usize, Vec<Arc<RecordBatch>>),
    /// A checkpoint overtakes whose barrier comes on no channel: the ends of all have been sent.
    Announced(Barrier),
}

impl InputGate {
    /// A gate with these channels, and their sending ends in the same order.
    pub fn new(inputs: Vec<InputChannel>, settings: GateSettings) -> (Self, Vec<ChannelSender>) {
        let count = inputs.len();
        let channels = Channels::new(count, settings.bounds);
        let senders = (0..count).map(|channel| ChannelSender::new(channels.clone(), channel)).collect();
        let rule = match settings.at_least_once {
            true => Rule::AtLeastOnce(BarrierTracker::new(count)),
            false => Rule::ExactlyOnce(BarrierAligner::new(count)),
        };
        let gate = Self {
            channels,
            inputs,
            rule,
            valve: WatermarkValve::new(count),
            captures: InFlightCaptures::new(settings.budget.clone()),
            budget: settings.budget,
            clock: settings.clock,
            ahead: VecDeque::new(),
            announced: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            turned: None,
            look_again: false,
            blocked: vec![false; count],
            open: count,
            turn: 0,
            events: VecDeque::new(),
            is_over: false,
        };
        (gate, senders)
    }

    /// Delivers these records before anything from a channel.
    pub fn restore(&mut self, records: impl IntoIterator<Item = (InputChannel, Arc<RecordBatch>)>) {
        self.ahead.extend(records);
    }

    /// Takes back what is left of a delivered batch: it comes before anything else, and is in flight like everything that is not worked off.
    pub(crate) fn put_back(&mut self, from: InputChannel, rest: Arc<RecordBatch>) {
        self.ahead.push_front((from, rest));
    }

    /// The next event; `Pending` registers the task. Not called again after [`GateEvent::End`].
    pub(crate) fn poll_next(&mut self, appetite: Appetite, cx: &mut Context<'_>) -> Poll<GateEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            match self.take_or_register(appetite, cx) {
                Some(Taken::Element(channel, element)) => self.on_element(channel, element),
                Some(Taken::Overtaking { channel, barrier, overtaken }) => {
                    self.note_arrival(barrier.checkpoint_id);
                    let actions = self.with_aligner(|aligner| aligner.on_overtaking(channel, barrier));
                    self.follow(actions, overtaken);
                }
                Some(Taken::EndInSight(channel, waiting)) => {
                    let actions = self.with_aligner(|aligner| aligner.on_end_in_sight(channel));
                    self.follow(actions, waiting);
                }
                Some(Taken::Announced(barrier)) => {
                    self.announced.remove(&barrier.checkpoint_id);
                    let actions = self.with_aligner(|aligner| aligner.on_announced(barrier));
                    self.follow(actions, Vec::new());
                }
                None if appetite == Appetite::Everything && !self.ahead.is_empty() => {
                    let first = self.ahead.pop_front();
                    self.events.extend(first.map(|(from, batch)| GateEvent::Batch { from, batch }));
                }
                None => return Poll::Pending,
            }
        }
    }

    /// When the first barrier of a checkpoint that is handled now came out of its queue; `None`: on no channel. Nothing is kept of older ones.
    pub(crate) fn take_arrival(&mut self, checkpoint_id: CheckpointId) -> Option<Monotonic> {
        let newer = self.arrivals.split_off(&CheckpointId(checkpoint_id.0.saturating_add(1)));
        std::mem::replace(&mut self.arrivals, newer).remove(&checkpoint_id)
    }

    /// When `Self::on_time` has to be called.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.deadlines.values().min().copied()
    }

    /// Time has passed: barriers that have waited long enough overtake.
    pub(crate) fn on_time(&mut self) {
        let now = self.clock.now();
        while let Some((&checkpoint_id, _)) = self.deadlines.iter().find(|(_, deadline)| now >= **deadline) {
            self.overtake(checkpoint_id);
        }
    }

    /// The barriers of a checkpoint overtake from now on, those that are here and those that will come. Where no channel is ever held back there is
    /// nothing to overtake.
    pub fn overtake(&mut self, checkpoint_id: CheckpointId) {
        self.deadlines.remove(&checkpoint_id);
        self.turned = self.turned.max(Some(checkpoint_id));
        let actions = self.with_aligner(|aligner| aligner.on_timeout(checkpoint_id));
        self.follow(actions, Vec::new());
        self.look_again = true;
    }

    /// The coordinator has begun a checkpoint. Its barrier comes by the channels, but where they have all ended; one that overtakes does not
    /// wait there until everything in front of the ends has been worked off.
    pub(crate) fn announce(&mut self, barrier: Barrier) {
        if !self.is_over {
            self.announced.insert(barrier.checkpoint_id, barrier);
            self.look_again = true;
        }
    }

    /// The coordinator has given a checkpoint up: channels that wait for it go on.
    pub fn abort(&mut self, checkpoint_id: CheckpointId) {
        self.announced.remove(&checkpoint_id);
        self.deadlines.remove(&checkpoint_id);
        self.captures.close(checkpoint_id);
        self.channels.lock().queues.iter_mut().for_each(|queue| queue.forget(checkpoint_id));
        // What the task has not been handed yet would begin a snapshot that nobody ends.
        self.events.retain(|event| match event {
            GateEvent::Barrier(barrier) => barrier.checkpoint_id != checkpoint_id,
            GateEvent::InFlight(id, _) => *id != checkpoint_id,
            GateEvent::Batch { .. } | GateEvent::Progress(_) | GateEvent::Declined(..) | GateEvent::End => true,
        });
        let actions = match &mut self.rule {
            Rule::ExactlyOnce(aligner) => aligner.on_abort(checkpoint_id),
            Rule::AtLeastOnce(tracker) => {
                tracker.on_abort(checkpoint_id);
                Vec::new()
            }
        };
        self.follow(actions, Vec::new());
    }

    fn with_aligner(&mut self, event: impl FnOnce(&mut BarrierAligner) -> Vec<Alignment>) -> Vec<Alignment> {
        match &mut self.rule {
            Rule::ExactlyOnce(aligner) => event(aligner),
            Rule::AtLeastOnce(_) => Vec::new(),
        }
    }

    fn take_or_register(&mut self, appetite: Appetite, cx: &mut Context<'_>) -> Option<Taken> {
        let channels = self.channels.clone();
        let mut state = channels.lock();
        if std::mem::take(&mut state.news) | self.look_again {
            if let Some(taken) = self.take_out_of_turn(&mut state) {
                self.look_again = true;
                return Some(taken);
            }
            self.look_again = false;
        }
        // Nothing of a channel comes before these.
        if !self.ahead.is_empty() {
            state.receiver = Some(cx.waker().clone());
            return None;
        }
        let count = self.inputs.len();
        for offset in 0..count {
            let channel = (self.turn + offset) % count;
            if self.blocked[channel] {
                continue;
            }
            let taken = match appetite {
                Appetite::Everything => state.queues[channel].pop(channels.bounds()),
                Appetite::Barriers => state.queues[channel].pop_barrier().map(StreamElement::Barrier),
            };
            if let Some(element) = taken {
                self.turn = (channel + 1) % count;
                return Some(Taken::Element(channel, element));
            }
        }
        state.receiver = Some(cx.waker().clone());
        None
    }

    /// What the rule of exactly-once has to see before the batches in front of it. Barriers that wait have their deadline noted.
    fn take_out_of_turn(&mut self, state: &mut MutexGuard<'_, ChannelsState>) -> Option<Taken> {
        let Rule::ExactlyOnce(aligner) = &self.rule else { return None };
        let now = self.clock.now();
        // Where every channel has ended, nothing but an announcement brings a barrier.
        let announced: Vec<Barrier> =
            if state.queues.iter().all(|queue| queue.ending) { self.announced.values().copied().collect() } else { Vec::new() };
        let overtaking =
            |barrier: &&Barrier| barrier.alignment == BarrierAlignment::Unaligned || self.turned >= Some(barrier.checkpoint_id);
        let newest_overtaking = announced.iter().rfind(overtaking).map(|barrier| barrier.checkpoint_id);
        let turned = self.turned.max(newest_overtaking);
        for (channel, queue) in state.queues.iter_mut().enumerate() {
            let overtakes = |barrier: &Barrier| {
                barrier.alignment == BarrierAlignment::Unaligned
                    || aligner.overtakes(barrier.checkpoint_id)
                    || (turned >= Some(barrier.checkpoint_id) && !aligner.is_past(barrier.checkpoint_id))
            };
            if let Some((barrier, overtaken)) = queue.pop_overtaking(overtakes) {
                return Some(Taken::Overtaking { channel, barrier, overtaken });
            }
            if queue.ending && aligner.capturing(channel).next().is_some() {
                return Some(Taken::EndInSight(channel, queue.waiting_batches()));
            }
        }
        for barrier in state.queues.iter().flat_map(Queue::waiting_barriers).chain(&announced) {
            if let BarrierAlignment::AlignedFor(limit) = barrier.alignment
                && !aligner.is_past(barrier.checkpoint_id)
            {
                self.deadlines.entry(barrier.checkpoint_id).or_insert(now + limit);
            }
        }
        // Older ones are carried along, as in a queue.
        newest_overtaking.and(announced.first()).copied().map(Taken::Announced)
    }

    fn on_element(&mut self, channel: usize, element: StreamElement) {
        match element {
            StreamElement::Batch(batch) => self.on_batch(channel, batch),
            StreamElement::Progress(progress) => {
                let merged = self.valve.on_progress(channel, progress).into_iter().flatten();
                self.events.extend(merged.map(GateEvent::Progress));
            }
            StreamElement::Barrier(barrier) => {
                self.note_arrival(barrier.checkpoint_id);
                let actions = match &mut self.rule {
                    Rule::ExactlyOnce(aligner) => aligner.on_barrier(channel, barrier),
                    Rule::AtLeastOnce(tracker) => tracker.on_barrier(channel, barrier),
                };
                self.follow(actions, Vec::new());
            }
            StreamElement::EndOfInput => {
                // The end of all channels says that time is at its end.
                let merged = self.valve.on_end(channel).into_iter().flatten();
                let merged = merged.filter(|progress| *progress != Progress::Watermark(END_OF_TIME));
                self.events.extend(merged.map(GateEvent::Progress));
                let actions = match &mut self.rule {
                    Rule::ExactlyOnce(aligner) => aligner.on_end(channel),
                    Rule::AtLeastOnce(tracker) => tracker.on_end(channel),
                };
                self.follow(actions, Vec::new());
                self.open -= 1;
                if self.open == 0 {
                    self.events.push_back(GateEvent::End);
                    self.is_over = true;
                }
            }
        }
    }

    fn note_arrival(&mut self, checkpoint_id: CheckpointId) {
        let clock = &self.clock;
        self.arrivals.entry(checkpoint_id).or_insert_with(|| clock.now());
    }

    fn on_batch(&mut self, channel: usize, batch: Arc<RecordBatch>) {
        let capturing: Vec<_> = match &self.rule {
            Rule::ExactlyOnce(aligner) => aligner.capturing(channel).collect(),
            Rule::AtLeastOnce(_) => Vec::new(),
        };
        // In front of what the capture may come to: a batch never waits here, out of its queue and not handed on, while a barrier passes.
        self.events.push_back(GateEvent::Batch { from: self.inputs[channel], batch: batch.clone() });
        for checkpoint_id in capturing {
            self.capture(checkpoint_id, channel, [batch.clone()]);
        }
    }

    /// `waiting`: what stands in front of the barrier, or the end, that has just come out of turn.
    fn follow(&mut self, actions: Vec<Alignment>, waiting: Vec<Arc<RecordBatch>>) {
        for action in actions {
            match action {
                Alignment::Block(channel) => self.blocked[channel] = true,
                Alignment::Unblock => self.blocked.fill(false),
                Alignment::Complete(barrier) => self.pass(barrier),
                Alignment::Overtake(barrier) => {
                    self.pass(barrier);
                    self.look_again = true;
                    self.captures.open(barrier.checkpoint_id);
                    let (captures, id) = (&mut self.captures, barrier.checkpoint_id);
                    let within = self.ahead.iter().cloned().fold(true, |within, (from, batch)| captures.add(id, from, [batch]) && within);
                    self.keep_within_budget(within);
                }
                Alignment::Close { channel, checkpoint_id } => self.capture(checkpoint_id, channel, waiting.iter().cloned()),
                Alignment::Captured(checkpoint_id) => {
                    let captured = self.captures.close(checkpoint_id);
                    self.events.extend(captured.map(|records| GateEvent::InFlight(checkpoint_id, records)));
                }
                Alignment::GiveUp(checkpoint_id) => self.give_up(checkpoint_id, Decline::NewerBarrier),
            }
        }
    }

    fn pass(&mut self, barrier: Barrier) {
        self.announced.retain(|id, _| *id > barrier.checkpoint_id);
        self.deadlines.retain(|id, _| *id > barrier.checkpoint_id);
        self.events.push_back(GateEvent::Barrier(barrier));
    }

    fn give_up(&mut self, checkpoint_id: CheckpointId, decline: Decline) {
        self.deadlines.remove(&checkpoint_id);
        self.captures.close(checkpoint_id);
        self.events.push_back(GateEvent::Declined(checkpoint_id, decline));
    }

    fn capture(&mut self, checkpoint_id: CheckpointId, channel: usize, batches: impl IntoIterator<Item = Arc<RecordBatch>>) {
        let within = self.captures.add(checkpoint_id, self.inputs[channel], batches);
        self.keep_within_budget(within);
    }

    /// Beyond the budget the newest checkpoint that records is given up: the older ones are closer to their end.
    fn keep_within_budget(&mut self, within: bool) {
        if !within && let Some(newest) = self.captures.newest() {
            self.with_aligner(|aligner| aligner.on_abort(newest));
            self.give_up(newest, self.budget.exceeded());
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

#[cfg(test)]
#[path = "cut_tests.rs"]
mod cut_tests;
