//! One channel's queue: elements in order, and beside them the barriers with the place that each has among them.
//!
//! A barrier waits behind the elements that were sent before it, unless it overtakes: then the gate takes it out at once, and the
//! batches that it overtook are still there to be captured, because its place among them is known.

use super::ChannelBounds;
use crate::element::{Barrier, CheckpointId, RecordBatch, StreamElement};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

/// A barrier in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuedBarrier {
    pub barrier: Barrier,
    /// How many elements have ever been pushed in front of it.
    behind: u64,
}

#[derive(Default)]
pub(super) struct Queue {
    /// Batches, progress of event time, the end of the input; no barriers.
    elements: VecDeque<StreamElement>,
    /// In the order in which they were sent; ids rise.
    barriers: VecDeque<QueuedBarrier>,
    /// Elements that have ever been taken out.
    popped: u64,
    batches: usize,
    bytes: usize,
    /// True once the end of the input has been pushed.
    pub ending: bool,
    /// The sending task, while it waits for room.
    sender: Option<Waker>,
}

impl Queue {
    /// Appends an element.
    pub fn push(&mut self, element: StreamElement) {
        match element {
            StreamElement::Barrier(barrier) => {
                let behind = self.popped + self.elements.len() as u64;
                return self.barriers.push_back(QueuedBarrier { barrier, behind });
            }
            StreamElement::Batch(ref batch) => {
                self.batches += 1;
                self.bytes += batch.byte_len();
            }
            StreamElement::EndOfInput => self.ending = true,
            StreamElement::Progress(_) => {}
        }
        self.elements.push_back(element);
    }

    /// Takes the oldest element or barrier out, and wakes a sender that waits for room once the queue is half empty.
    pub fn pop(&mut self, bounds: &ChannelBounds) -> Option<StreamElement> {
        if let Some(barrier) = self.pop_barrier() {
            return Some(StreamElement::Barrier(barrier));
        }
        let element = self.elements.pop_front()?;
        self.popped += 1;
        if let StreamElement::Batch(batch) = &element {
            self.batches -= 1;
            self.bytes -= batch.byte_len();
            if self.is_half_empty(bounds) {
                self.wake_sender();
            }
        }
        Some(element)
    }

    /// Takes a barrier out that has nothing in front of it.
    pub(crate) fn pop_barrier(&mut self) -> Option<Barrier> {
        let reached = self.barriers.front().is_some_and(|queued| queued.behind == self.popped);
        if reached { self.barriers.pop_front().map(|queued| queued.barrier) } else { None }
    }

    /// Takes the oldest barrier out where it, or a newer one in this queue, is one that overtakes: barriers never overtake barriers, so
    /// a newer one carries it along. With it come the batches in front of it, which stay in the queue.
    pub(crate) fn pop_overtaking(&mut self, overtakes: impl Fn(&Barrier) -> bool) -> Option<(Barrier, Vec<Arc<RecordBatch>>)> {
        if !self.barriers.iter().any(|queued| overtakes(&queued.barrier)) {
            return None;
        }
        let queued = self.barriers.pop_front()?;
        Some((queued.barrier, self.batches_before(queued.behind)))
    }

    /// Takes the barrier of a checkpoint that was given up out, wherever it waits.
    pub(crate) fn forget(&mut self, checkpoint_id: CheckpointId) {
        self.barriers.retain(|queued| queued.barrier.checkpoint_id != checkpoint_id);
    }

    /// All batches that wait.
    pub(crate) fn waiting_batches(&self) -> Vec<Arc<RecordBatch>> {
        self.batches_before(u64::MAX)
    }

    /// The barriers that wait.
    pub(crate) fn waiting_barriers(&self) -> impl Iterator<Item = &Barrier> {
        self.barriers.iter().map(|queued| &queued.barrier)
    }

    /// Whether another batch may be sent.
    pub(crate) fn has_room(&self, bounds: &ChannelBounds) -> bool {
        self.batches < bounds.batches && self.bytes < bounds.bytes
    }

    /// Whether it is worth waking a sender: one that is woken for a single place sends a single batch and waits again, and what a wake costs is
    /// paid for every batch.
    ///
    /// No sender waits for ever. It waits from when the queue is full, so there is a batch in it; the receiver takes batches out until the
    /// queue is empty, and an empty queue is half empty, whatever its bounds and the sizes of its elements. A receiver that takes nothing waits
    /// itself: for room downstream, or for a barrier on another channel. The room that is left would be filled before long and change nothing, and
    /// what the receiver waits for needs none: barriers and ends are sent at once.
    fn is_half_empty(&self, bounds: &ChannelBounds) -> bool {
        self.batches <= bounds.batches / 2 && self.bytes <= bounds.bytes / 2
    }

    /// Remembers who waits for room.
    pub(crate) fn wait_for_room(&mut self, sender: &Waker) {
        self.sender = Some(sender.clone());
    }

    /// Drops everything and wakes the sender, so that it learns.
    pub fn clear(&mut self) {
        self.elements.clear();
        self.barriers.clear();
        self.wake_sender();
    }

    fn wake_sender(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }

    fn batches_before(&self, place: u64) -> Vec<Arc<RecordBatch>> {
        let count = place.saturating_sub(self.popped).min(self.elements.len() as u64) as usize;
        let batch = |element: &StreamElement| match element {
            StreamElement::Batch(batch) => Some(batch.clone()),
            StreamElement::Progress(_) | StreamElement::Barrier(_) | StreamElement::EndOfInput => None,
        };
        self.elements.iter().take(count).filter_map(batch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::{BarrierAlignment, BatchBuilder, Progress};
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    /// A batch of as many bytes as the digit says hundreds; other letters are elements that are no batches.
    fn element(letter: char) -> StreamElement {
        match letter {
            '|' => StreamElement::Barrier(Barrier { checkpoint_id: CheckpointId(1), alignment: BarrierAlignment::Aligned }),
            'w' => StreamElement::Progress(Progress::Idle),
            '.' => StreamElement::EndOfInput,
            digit => {
                // A timestamp's bytes count too.
                let value = vec![0; digit.to_digit(10).unwrap() as usize * 100 - size_of::<i64>()];
                let mut builder = BatchBuilder::new();
                builder.push(None, &value, None);
                StreamElement::Batch(Arc::new(builder.finish()))
            }
        }
    }

    /// A sender waits in front of a queue with these elements: which of them are taken out until it is woken.
    #[track_caller]
    fn check(batches: usize, bytes: usize, elements: &str, expect: &str) {
        let bounds = ChannelBounds { batches, bytes };
        let (mut queue, woken) = (Queue::default(), Arc::new(Woken::default()));
        elements.chars().for_each(|letter| queue.push(element(letter)));
        assert!(!queue.has_room(&bounds), "{elements}: no sender would wait");
        queue.wait_for_room(&Waker::from(woken.clone()));
        let mut taken = String::new();
        let mut letters = elements.chars();
        while !woken.0.load(Relaxed) {
            queue.pop(&bounds).expect("a sender is woken before the queue is empty");
            taken.extend(letters.next());
        }
        assert_eq!(taken, expect, "{elements}");
        assert!(queue.has_room(&bounds), "{elements}: a sender is woken for nothing");
    }

    #[test]
    fn a_sender_is_woken_when_the_queue_is_half_empty() {
        check(8, 9_000, "11111111", "1111");
        check(8, 9_000, "1111111111", "111111");
        check(9, 9_000, "111111111", "11111");
        check(2, 9_000, "11", "1");
    }

    #[test]
    fn bytes_count_as_batches_do() {
        check(8, 1_000, "5122", "51");
        check(8, 1_000, "1117", "1117");
    }

    #[test]
    fn a_bound_of_one_and_an_element_beyond_the_bound_leave_no_sender_waiting() {
        check(1, 9_000, "1", "1");
        check(1, 9_000, "11", "11");
        check(8, 100, "9", "9");
        check(8, 1, "99", "99");
    }

    #[test]
    fn markers_are_not_counted() {
        check(4, 9_000, "w11|11ww.", "w11");
        check(1, 9_000, "w|1.", "w|1");
    }

    #[test]
    fn a_queue_that_is_given_up_wakes_its_sender() {
        let (mut queue, woken) = (Queue::default(), Arc::new(Woken::default()));
        queue.wait_for_room(&Waker::from(woken.clone()));
        queue.clear();
        assert!(woken.0.load(Relaxed));
    }
}
