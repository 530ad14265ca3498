//! The channels in front of an input gate: ours, inspectable, bounded in batches and in bytes.
//!
//! Sending never waits: a sender that has filled a channel works on nothing more until there is room ([`ChannelSender::poll_room`]). So a
//! channel passes its bounds by what one call of an operator emits at most, and a barrier is with the receiver at once,
//! whatever stands in front of it. All channels of a gate share one lock, which is held for a push or a pop and never across anything slow.

use super::queue::Queue;
use crate::element::StreamElement;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// How much may wait in one channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelBounds {
    /// Batches.
    pub batches: usize,
    /// Bytes of all batches together.
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

/// Whether a channel takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It does.
    Left,
    /// Its bounds are reached: `ChannelSender::poll_room` says when it does again.
    Full,
}

/// The queues of one gate.
pub(super) struct Channels {
    state: Mutex<ChannelsState>,
    bounds: ChannelBounds,
}

pub(super) struct ChannelsState {
    pub queues: Vec<Queue>,
    /// The gate's task, while it waits.
    pub receiver: Option<Waker>,
    /// Set when a barrier or the end of an input comes, which the gate may have to see before the batches in front of it.
    pub news: bool,
    closed: bool,
}

impl Channels {
    pub fn new(count: usize, bounds: ChannelBounds) -> Arc<Self> {
        let queues = std::iter::repeat_with(Queue::default).take(count).collect();
        Arc::new(Self { state: Mutex::new(ChannelsState { queues, receiver: None, news: false, closed: false }), bounds })
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
        state.queues.iter_mut().for_each(Queue::clear);
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

    /// Appends an element, at once; says whether there is room for more.
    pub fn send(&self, element: StreamElement) -> Result<Room, GateClosed> {
        let mut state = self.channels.lock();
        if state.closed {
            return Err(GateClosed);
        }
        match element {
            StreamElement::Barrier(_) | StreamElement::EndOfInput => state.news = true,
            StreamElement::Batch(_) | StreamElement::Progress(_) => {}
        }
        let queue = &mut state.queues[self.channel];
        queue.push(element);
        let room = if queue.has_room(&self.channels.bounds) { Room::Left } else { Room::Full };
        if let Some(receiver) = state.receiver.take() {
            receiver.wake();
        }
        Ok(room)
    }

    /// Ready when the channel takes more; until then the task is woken when it does.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), GateClosed>> {
        let mut state = self.channels.lock();
        if state.closed {
            return Poll::Ready(Err(GateClosed));
        }
        let queue = &mut state.queues[self.channel];
        if queue.has_room(&self.channels.bounds) {
            return Poll::Ready(Ok(()));
        }
        queue.wait_for_room(cx.waker());
        Poll::Pending
    }
}
