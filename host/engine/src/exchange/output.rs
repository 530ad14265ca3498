//! One task's sending side: partitions what its operators emit, collects transport batches, and sends them into the channels.
//!
//! [`Output::emit`] never waits: batches go into their channel whatever its bounds say, and the task does not work on the next element
//! before [`Output::poll_room`] is ready. So nothing waits here that a barrier would have to pass: what is in flight is in the receivers'
//! queues, or still in an open batch, which a barrier closes.

use super::{ChannelSender, GateClosed, Partitioner, Partitioning, Room};
use crate::element::{BatchBuilder, Progress, RecordBatch, Selection, StreamElement, key_hash};
use crate::exchange::partitioner::KeylessRecord;
use crate::runtime::Monotonic;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A transport batch is closed at this many records.
pub(crate) const BATCH_RECORDS: usize = 1_024;
/// A transport batch is closed at this many bytes.
pub(crate) const BATCH_BYTES: usize = 256 << 10;
/// A transport batch is closed when its first record has waited this long.
pub(crate) const LINGER: Duration = Duration::from_millis(10);

/// All edges of one task.
#[derive(Default)]
pub struct Output {
    edges: Vec<EdgeOutput>,
    /// When the first record of an open batch came.
    open_since: Option<Monotonic>,
}

struct EdgeOutput {
    partitioner: Partitioner,
    channels: Vec<ChannelOutput>,
    /// One for each channel; one alone where all channels are sent the same, in shared batches.
    builders: Vec<BatchBuilder>,
    hashed: bool,
}

struct ChannelOutput {
    sender: ChannelSender,
    /// What the last send came to.
    state: Result<Room, GateClosed>,
}

impl Output {
    /// Adds an edge and returns its number; see [`Partitioner::new`].
    pub(crate) fn add_edge(&mut self, partitioning: Partitioning, senders: Vec<ChannelSender>, owners: &[u16], start: usize) -> usize {
        let channels: Vec<_> = senders.into_iter().map(|sender| ChannelOutput { sender, state: Ok(Room::Left) }).collect();
        let builders = if partitioning == Partitioning::Broadcast { 1 } else { channels.len() };
        self.edges.push(EdgeOutput {
            partitioner: Partitioner::new(partitioning, channels.len(), owners, start),
            builders: std::iter::repeat_with(BatchBuilder::new).take(builders).collect(),
            hashed: partitioning == Partitioning::Key,
            channels,
        });
        self.edges.len() - 1
    }

    /// Takes records for `edge`. Many that all channels are sent, or the only one, are passed on as they are, shared with whoever else has their batch.
    pub fn emit(&mut self, edge: usize, records: Selection, now: Monotonic) -> Result<(), KeylessRecord> {
        let edge = &mut self.edges[edge];
        if edge.builders.len() == 1 && edge.builders[0].is_empty() && records.len() >= BATCH_RECORDS / 2 {
            let batch = records.compact();
            let batch = if edge.hashed { hashed(batch)? } else { batch };
            edge.send(0, batch);
            return Ok(());
        }
        edge.partitioner.partition(&records, &mut edge.builders)?;
        edge.close_full_batches();
        if self.open_since.is_none() && edge.builders.iter().any(|builder| !builder.is_empty()) {
            self.open_since = Some(now);
        }
        Ok(())
    }

    /// Closes every open batch.
    pub fn flush(&mut self) {
        self.open_since = None;
        self.edges.iter_mut().for_each(EdgeOutput::close_open_batches);
    }

    /// When the open batches have to be closed; `None` where there is none.
    pub(crate) fn linger_deadline(&self) -> Option<Monotonic> {
        self.open_since.map(|since| since + LINGER)
    }

    /// Closes open batches and sends a barrier, a watermark or the end of the input behind them on every channel of every edge, in one
    /// step.
    pub(crate) fn send_marker(&mut self, marker: &StreamElement) {
        self.flush();
        for channel in self.edges.iter_mut().flat_map(|edge| &mut edge.channels) {
            channel.send(marker.clone());
        }
    }

    /// Closes the open batches of an edge and sends progress of time behind them, on every channel.
    pub(crate) fn send_progress(&mut self, edge: usize, progress: Progress) {
        let edge = &mut self.edges[edge];
        edge.close_open_batches();
        edge.channels.iter_mut().for_each(|channel| channel.send(StreamElement::Progress(progress)));
    }

    /// Ready when every channel has room.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GateClosed>> {
        let mut room = true;
        for channel in self.edges.iter_mut().flat_map(|edge| &mut edge.channels) {
            room &= channel.poll_room(cx)?.is_ready();
        }
        if room { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl EdgeOutput {
    fn close_full_batches(&mut self) {
        for number in 0..self.builders.len() {
            let builder = &mut self.builders[number];
            if builder.len() >= BATCH_RECORDS || builder.byte_len() >= BATCH_BYTES {
                let batch = builder.take_and_make_room();
                self.send(number, Arc::new(batch));
            }
        }
    }

    fn close_open_batches(&mut self) {
        for number in 0..self.builders.len() {
            if !self.builders[number].is_empty() {
                let batch = self.builders[number].take();
                self.send(number, Arc::new(batch));
            }
        }
    }

    /// Sends what a builder has gathered: to its channel, or to all where there is one builder for all.
    fn send(&mut self, builder: usize, batch: Arc<RecordBatch>) {
        let to = if self.builders.len() == 1 { 0..self.channels.len() } else { builder..builder + 1 };
        self.channels[to].iter_mut().for_each(|channel| channel.send(StreamElement::Batch(batch.clone())));
    }
}

/// The batch with the hash of each key where nobody else has it; else as it is, and the receiver hashes them.
fn hashed(mut batch: Arc<RecordBatch>) -> Result<Arc<RecordBatch>, KeylessRecord> {
    if !batch.keyless().is_empty() {
        return Err(KeylessRecord);
    }
    if !batch.hashes().is_empty() {
        return Ok(batch);
    }
    if let Some(own) = Arc::get_mut(&mut batch) {
        let hashes = own.keys().iter().map(key_hash).collect();
        own.set_hashes(hashes);
    }
    Ok(batch)
}

impl ChannelOutput {
    /// A receiver that is gone shows in [`Self::poll_room`].
    fn send(&mut self, element: StreamElement) {
        let sent = self.sender.send(element);
        self.state = self.state.and(sent);
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GateClosed>> {
        match self.state? {
            Room::Left => Poll::Ready(Ok(())),
            Room::Full => {
                let polled = self.sender.poll_room(cx);
                if let Poll::Ready(room) = polled {
                    self.state = room.map(|()| Room::Left);
                }
                polled
            }
        }
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
