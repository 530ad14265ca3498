//! One task's sending side: partitions what its operators emit, collects transport batches, and hands them to the channels.
//!
//! [`Output::emit`] never waits: full batches queue up here, bounded by what one call of an operator may emit, and the task does not
//! work on the next element before [`Output::poll_drain`] is ready. A barrier takes its place behind them in each queue.

use super::{ChannelSender, GateClosed, Partitioner, Partitioning};
use crate::element::{BatchBuilder, RecordBatch, StreamElement, key_hash};
use crate::exchange::partitioner::KeylessRecord;
use crate::runtime::Monotonic;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A transport batch is closed at this many records,
const BATCH_RECORDS: usize = 1_024;
/// or at this many bytes,
const BATCH_BYTES: usize = 256 << 10;
/// or when its first record has waited this long.
pub const LINGER: Duration = Duration::from_millis(10);

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
    builders: Vec<BatchBuilder>,
    /// True where batches go through whole, without being copied into a builder.
    whole: bool,
    hashed: bool,
}

struct ChannelOutput {
    sender: ChannelSender,
    queued: VecDeque<StreamElement>,
}

impl Output {
    /// Adds an edge and returns its number; see [`Partitioner::new`].
    pub fn add_edge(&mut self, partitioning: Partitioning, senders: Vec<ChannelSender>, owners: &[u16], start: usize) -> usize {
        let channels: Vec<_> = senders.into_iter().map(|sender| ChannelOutput { sender, queued: VecDeque::new() }).collect();
        self.edges.push(EdgeOutput {
            partitioner: Partitioner::new(partitioning, channels.len(), owners, start),
            builders: channels.iter().map(|_| BatchBuilder::new()).collect(),
            whole: channels.len() == 1,
            hashed: partitioning == Partitioning::Key,
            channels,
        });
        self.edges.len() - 1
    }

    /// Takes records for `edge`.
    pub fn emit(&mut self, edge: usize, batch: RecordBatch, now: Monotonic) -> Result<(), KeylessRecord> {
        let edge = &mut self.edges[edge];
        if edge.whole && edge.builders[0].is_empty() && batch.len() >= BATCH_RECORDS / 2 {
            let batch = if edge.hashed { hashed(batch)? } else { batch };
            edge.channels[0].queued.push_back(StreamElement::Batch(Arc::new(batch)));
            return Ok(());
        }
        edge.partitioner.partition(&batch, &mut edge.builders)?;
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
    pub fn linger_deadline(&self) -> Option<Monotonic> {
        self.open_since.map(|since| since + LINGER)
    }

    /// Closes open batches and sends a barrier, a watermark or the end of the input behind them on every channel of every edge, in one
    /// step. Markers do not wait for room; those behind a batch that waits go with it.
    pub fn send_marker(&mut self, marker: &StreamElement) {
        self.flush();
        for channel in self.edges.iter_mut().flat_map(|edge| &mut edge.channels) {
            channel.queued.push_back(marker.clone());
        }
    }

    /// Hands queued elements to the channels; ready when none is left.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GateClosed>> {
        let mut drained = true;
        for channel in self.edges.iter_mut().flat_map(|edge| &mut edge.channels) {
            drained &= channel.drain(cx)?;
        }
        if drained { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl EdgeOutput {
    fn close_full_batches(&mut self) {
        for (builder, channel) in self.builders.iter_mut().zip(&mut self.channels) {
            if builder.len() >= BATCH_RECORDS || builder.byte_len() >= BATCH_BYTES {
                channel.queued.push_back(StreamElement::Batch(Arc::new(builder.take_and_make_room())));
            }
        }
    }

    fn close_open_batches(&mut self) {
        for (builder, channel) in self.builders.iter_mut().zip(&mut self.channels) {
            if !builder.is_empty() {
                channel.queued.push_back(StreamElement::Batch(Arc::new(builder.take())));
            }
        }
    }
}

fn hashed(mut batch: RecordBatch) -> Result<RecordBatch, KeylessRecord> {
    if !batch.keyless().is_empty() {
        return Err(KeylessRecord);
    }
    let hashes = batch.keys().iter().map(key_hash).collect();
    batch.set_hashes(hashes);
    Ok(batch)
}

impl ChannelOutput {
    /// Hands over as much as there is room for; true where nothing is left.
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<bool, GateClosed> {
        while let Some(element) = self.queued.front() {
            match element {
                StreamElement::Batch(batch) => match self.sender.poll_send(cx, batch) {
                    Poll::Ready(sent) => sent?,
                    Poll::Pending => return Ok(false),
                },
                marker => self.sender.send_marker(marker.clone())?,
            }
            self.queued.pop_front();
        }
        Ok(true)
    }
}
