//! The queues in front of an input gate: ours, inspectable, bounded in batches and in bytes.
//!
//! Barriers, watermarks and end of input neither count against the bound nor wait for it. All channels of a gate share one
//! lock, which is held for a push or a pop and never across anything slow.

use crate::element::{RecordBatch, StreamElement};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// How much may wait in one channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelBounds {
    /// Batches.
    pub batches: usize,
    /// Bytes of all batches together; one batch may pass it.
    pub bytes: usize,
}

impl Default for ChannelBounds {
    fn default() -> Self {
        Self { batches: 8, bytes: 2 << 20 }
    }
}

/// The receiving task is gone: the dataflow is being torn down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateClosed;

/// The queues of one gate.
pub(super) struct Channels {
    state: Mutex<ChannelsState>,
    bounds: ChannelBounds,
}

pub(super) struct ChannelsState {
    pub queues: Vec<Queue>,
    /// The gate's task, while it waits.
    pub receiver: Option<Waker>,
    closed: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    elements: VecDeque<StreamElement>,
    batches: usize,
    bytes: usize,
    /// The sending task, while it waits for room.
    sender: Option<Waker>,
}

impl Queue {
    /// Takes the oldest element out and wakes a sender that waits for room.
    pub fn pop(&mut self, bounds: &ChannelBounds) -> Option<StreamElement> {
        let element = self.elements.pop_front()?;
        if let StreamElement::Batch(batch) = &element {
            self.batches -= 1;
            self.bytes -= batch.byte_len();
            if self.has_room(bounds)
                && let Some(sender) = self.sender.take()
            {
                sender.wake();
            }
        }
        Some(element)
    }

    fn has_room(&self, bounds: &ChannelBounds) -> bool {
        self.batches < bounds.batches && self.bytes < bounds.bytes
    }
}

impl Channels {
    pub fn new(count: usize, bounds: ChannelBounds) -> Arc<Self> {
        let queues = std::iter::repeat_with(Queue::default).take(count).collect();
        Arc::new(Self { state: Mutex::new(ChannelsState { queues, receiver: None, closed: false }), bounds })
    }

    pub fn lock(&self) -> MutexGuard<'_, ChannelsState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn bounds(&self) -> &ChannelBounds {
        &self.bounds
    }

    /// Refuses what is sent from now on and wakes every sender, so that it learns.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for queue in &mut state.queues {
            queue.elements.clear();
            if let Some(sender) = queue.sender.take() {
                sender.wake();
            }
        }
    }
}

/// The sending end of one channel.
pub struct ChannelSender {
    channels: Arc<Channels>,
    channel: usize,
}

impl ChannelSender {
    pub(super) fn new(channels: Arc<Channels>, channel: usize) -> Self {
        Self { channels, channel }
    }

    /// Sends a batch; where there is no room nothing is sent, and the task is woken when there is.
    pub fn poll_send(&self, cx: &mut Context<'_>, batch: &Arc<RecordBatch>) -> Poll<Result<(), GateClosed>> {
        let mut state = self.channels.lock();
        if state.closed {
            return Poll::Ready(Err(GateClosed));
        }
        let queue = &mut state.queues[self.channel];
        if !queue.has_room(&self.channels.bounds) {
            queue.sender = Some(cx.waker().clone());
            return Poll::Pending;
        }
        queue.batches += 1;
        queue.bytes += batch.byte_len();
        queue.elements.push_back(StreamElement::Batch(batch.clone()));
        wake_receiver(&mut state);
        Poll::Ready(Ok(()))
    }

    /// Sends a watermark, a barrier or the end of the input, at once. Panics for a batch.
    pub fn send_marker(&self, marker: StreamElement) -> Result<(), GateClosed> {
        assert!(!matches!(marker, StreamElement::Batch(_)), "a batch waits for room");
        let mut state = self.channels.lock();
        if state.closed {
            return Err(GateClosed);
        }
        state.queues[self.channel].elements.push_back(marker);
        wake_receiver(&mut state);
        Ok(())
    }
}

fn wake_receiver(state: &mut ChannelsState) {
    if let Some(receiver) = state.receiver.take() {
        receiver.wake();
    }
}
