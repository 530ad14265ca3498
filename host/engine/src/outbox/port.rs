//! The port of an outbox: what a target has to offer, and how a sink says that it has one.
//!
//! A target has transactions and keeps markers in them; or it has none, leaves out records whose ids it has seen, and keeps markers beside them
//! ([`Atomicity`]). Nothing is asked of it between two chunks: nothing is held open from checkpoint to checkpoint, while a job is down, or through a
//! probation.

use crate::checkpoint::{Marker, MarkerKey};
use crate::element::{AttemptId, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::ConnectorIo;
use crate::sink::{Delivery, Sink, SinkAttempt, SinkWriter, WriterContext};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::sync::Arc;
use std::time::Duration;

/// Who publishes: a target keeps every older publisher of the same log and sink out, also one of another lineage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxOwner {
    /// The nonce of the job's log.
    pub log: String,
    /// The sink's name in its markers.
    pub sink: String,
    /// The attempt. A target that can compare refuses an older one than it has seen, with [`ErrorKind::Fenced`].
    pub attempt: AttemptId,
    /// The user has decided that this attempt goes on although the target may have seen newer ones, which the job's log has lost: none is refused for
    /// that then, and what counts as the newest from now on is this one.
    pub over_newer: bool,
}

/// How much goes into one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkBounds {
    /// Records at most; one at least.
    pub records: usize,
    /// No record is added to a chunk that has so many bytes of keys, values and headers.
    pub bytes: usize,
}

impl Default for ChunkBounds {
    fn default() -> Self {
        Self { records: 100_000, bytes: 16 << 20 }
    }
}

/// What of a chunk takes effect together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atomicity {
    /// All of it, with the marker.
    Transactions,
    /// Each record by itself, and the marker behind the last of them. What of a chunk was there before a failure is there when it is published again, so
    /// the target takes a record with its id ([`record_ids`](super::record_ids)) and leaves out one whose id it remembers.
    IdsRemembered {
        /// For how long it does, from when it took the record; `None`: for as long as it exists. What is published again later than this is there twice.
        /// Ids are forgotten with the records where the target is emptied: else what is published again there would be left out.
        remembered: Option<Duration>,
    },
}

/// A place that output is published to.
///
/// Errors: of kind [`ErrorKind::Retry`] and [`ErrorKind::Restart`] the outcome is unknown; the publisher takes over anew, reads the marker and goes on, for
/// as long as it takes. After [`ErrorKind::Fenced`] it does so where the job is still its own, unless it is kept out of taking over: then the job's log is not what it
/// was, and the job ends, as after any other.
pub trait OutboxTarget: Send + Sync {
    /// The connector's name in job files.
    fn connector(&self) -> &'static str;

    /// What tells this target from others of the connector: address and name, and nothing secret. It is kept in checkpoints. Where it changes, the
    /// markers are looked for in another place.
    fn identity(&self) -> serde_json::Value;

    /// How much may go into one transaction.
    fn chunk_bounds(&self) -> ChunkBounds {
        ChunkBounds::default()
    }

    /// How many bytes of output of complete checkpoints may wait for it: what the job file says; `None`: it does not, see [`OutboxRoom`](super::OutboxRoom).
    fn max_unpublished(&self) -> Option<u64> {
        None
    }

    /// What of a chunk takes effect together. `weir check` says so of a target without transactions.
    fn atomicity(&self) -> Atomicity {
        Atomicity::Transactions
    }

    /// Whether a chunk may go on from the records of one checkpoint to those of the next, where so little waits of each: its marker is that of the last record, and does
    /// not tell how many of the records in front are of which checkpoint. So not where the target says of a record which one of its checkpoint it is, as one does that
    /// takes records by their ids. Without a word of the target's it may where it has transactions.
    fn spans_checkpoints(&self) -> bool {
        self.atomicity() == Atomicity::Transactions
    }

    /// Sees whether output can be published to it: [`Sink::look`].
    fn look<'a>(&'a self, io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        let _ = io;
        ready(Ok(())).boxed()
    }

    /// Whether these records may be staged. Each subtask of the sink asks so of each batch, before any checkpoint has it: what can be told of a record without the target has
    /// to be told here. A record that is found to be wrong when it is published is in a complete checkpoint by then, and every run that goes on from there meets it
    /// again; one that is refused here ends the attempt in front of the checkpoint, and a mended job goes on. It is called where records are worked off, so it asks nobody and
    /// waits for nothing. Without a word of the target's all may.
    fn admit(&self, records: &RecordBatch) -> Result<(), EngineError> {
        let _ = records;
        Ok(())
    }

    /// Keeps out every publisher of `owner`'s log and sink that took over before: nothing of theirs takes effect once this has returned, and what has
    /// taken effect until then shows in the markers. (A marker that was read before would not do: an old publisher could move it on.)
    ///
    /// A target without transactions promises that of the markers: it has to compare who moves them. An old publisher's records may still come, up to the
    /// end of the chunk under way, where its marker is refused. Those that its successor publishes as well are there once, and in order, for as
    /// long as ids are remembered, because each of the two sends them in order from a marker on. Those that its successor does not publish, because the user has given them up, may be there. A
    /// target that can compare the same of each record refuses them.
    ///
    /// [`ErrorKind::Fenced`] says that the target has seen a newer attempt, and nothing else: whatever may pass is [`ErrorKind::Retry`].
    ///
    /// The target is polled on a control thread and must not block there; what its client needs beside itself, as the task of a database's connection, is
    /// started on `io` and ends with the attempt.
    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>>;
}

/// What a publisher has that has taken over. Each call takes effect as a whole or not at all, but for [`Self::publish`] of a target without transactions.
pub trait OutboxSession: Send {
    /// The marker under `key`; `None`: there is none. A target that cannot say answers with an error.
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>>;

    /// Puts a marker in place, whatever is there.
    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Publishes `records` in their order, behind all that was published before, and moves the marker under `key` on to `marker`: a chunk, as large as
    /// [`OutboxTarget::chunk_bounds`] allows where so much waits of a checkpoint.
    ///
    /// Without transactions: record by record, each with its id of [`record_ids`](super::record_ids) and when the one before it is there for good; the
    /// marker behind the last one.
    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>>;
}

/// A sink whose output goes through an outbox.
pub struct OutboxSink {
    target: Arc<dyn OutboxTarget>,
}

impl OutboxSink {
    /// A sink that publishes to `target`.
    pub fn new(target: Arc<dyn OutboxTarget>) -> Self {
        Self { target }
    }
}

impl Sink for OutboxSink {
    fn connector(&self) -> &'static str {
        self.target.connector()
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn look<'a>(&'a self, io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        self.target.look(io)
    }

    fn outbox(&self) -> Option<Arc<dyn OutboxTarget>> {
        Some(self.target.clone())
    }

    fn prepare_attempt<'a>(&'a self, _attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        ready(Ok(())).boxed()
    }

    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        let vertex = &context.subtask.vertex;
        let message = format!("{vertex}: what an outbox sink is given is staged by the engine, it has no writer of its own");
        Err(EngineError::new(ErrorKind::Bug, message))
    }
}

/// What is kept of a target in checkpoints.
pub fn target_identity(target: &dyn OutboxTarget) -> serde_json::Value {
    serde_json::json!({"connector": target.connector(), "target": target.identity()})
}
