//! One channel's queue: elements in order, and beside them the barriers with the place that each has among them.
//!
//! A barrier waits behind the elements that were sent before it, unless it overtakes: then the gate takes it out at once, and the
//! batches that it overtook are still there to be recorded, because its place among them is known.

use super::ChannelBounds;
use crate::element::{Barrier, RecordBatch, StreamElement};
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
    /// Batches, watermarks, the end of the input; no barriers.
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
            StreamElement::Watermark(_) => {}
        }
        self.elements.push_back(element);
    }

    /// Takes the oldest element or barrier out, and wakes a sender that waits for room.
    pub fn pop(&mut self, bounds: &ChannelBounds) -> Option<StreamElement> {
        if let Some(barrier) = self.pop_barrier() {
            return Some(StreamElement::Barrier(barrier));
        }
        let element = self.elements.pop_front()?;
        self.popped += 1;
        if let StreamElement::Batch(batch) = &element {
            self.batches -= 1;
            self.bytes -= batch.byte_len();
            if self.has_room(bounds) {
                self.wake_sender();
            }
        }
        Some(element)
    }

    /// Takes a barrier out that has nothing in front of it.
    pub fn pop_barrier(&mut self) -> Option<Barrier> {
        let reached = self.barriers.front().is_some_and(|queued| queued.behind == self.popped);
        if reached { self.barriers.pop_front().map(|queued| queued.barrier) } else { None }
    }

    /// Takes the oldest barrier out where it, or a newer one in this queue, is one that overtakes: barriers never overtake barriers, so
    /// a newer one carries it along. With it come the batches in front of it, which stay in the queue.
    pub fn pop_overtaking(&mut self, overtakes: impl Fn(&Barrier) -> bool) -> Option<(Barrier, Vec<Arc<RecordBatch>>)> {
        if !self.barriers.iter().any(|queued| overtakes(&queued.barrier)) {
            return None;
        }
        let queued = self.barriers.pop_front()?;
        Some((queued.barrier, self.batches_before(queued.behind)))
    }

    /// All batches that wait.
    pub fn waiting_batches(&self) -> Vec<Arc<RecordBatch>> {
        self.batches_before(u64::MAX)
    }

    /// The barriers that wait.
    pub fn waiting_barriers(&self) -> impl Iterator<Item = &Barrier> {
        self.barriers.iter().map(|queued| &queued.barrier)
    }

    /// Whether another batch may be sent.
    pub fn has_room(&self, bounds: &ChannelBounds) -> bool {
        self.batches < bounds.batches && self.bytes < bounds.bytes
    }

    /// Remembers who waits for room.
    pub fn wait_for_room(&mut self, sender: &Waker) {
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
            StreamElement::Watermark(_) | StreamElement::Barrier(_) | StreamElement::EndOfInput => None,
        };
        self.elements.iter().take(count).filter_map(batch).collect()
    }
}
