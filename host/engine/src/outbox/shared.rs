//! One sink's outbox, as the parts of an attempt share it: its publisher does what comes next and tells what has happened, and the sink's subtasks stop while
//! too much waits.

use super::publisher::{Publisher, PublisherAction, PublisherEvent};
use super::refusal::Decisions;
use super::{OutboxLedger, OutboxRoom, OutboxTarget};
use crate::checkpoint::{LogEntry, OutboxSnapshot, StagedOutput};
use crate::element::CheckpointId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// One sink's outbox.
pub struct Outbox {
    sink: String,
    target: Arc<dyn OutboxTarget>,
    decisions: Decisions,
    room: OutboxRoom,
    state: Mutex<State>,
    /// Wakes the publisher.
    more: Notify,
}

struct State {
    publisher: Publisher,
    /// The target is not reached: how often it has been tried since it was.
    retries: u64,
    /// The last try that has failed.
    last_error: Option<PublishingError>,
    /// When the checkpoints were complete whose output waits, in ms since the Unix epoch.
    completed: BTreeMap<CheckpointId, i64>,
    /// Subtasks that have stopped.
    stopped: Vec<Waker>,
}

/// What of an outbox is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxStatus {
    /// The sink's id.
    pub sink: String,
    /// Checkpoints whose output waits.
    pub unpublished: BTreeSet<CheckpointId>,
    /// The bytes of the output that waits.
    pub unpublished_bytes: u64,
    /// As much waits as may.
    pub is_full: bool,
    /// When the oldest of them was complete, in ms since the Unix epoch.
    pub oldest_completed_ms: Option<i64>,
    /// How often the target has been tried since it was reached; 0: it is reached.
    pub retries: u64,
    /// The last try that has failed in this attempt.
    pub last_error: Option<PublishingError>,
}

/// A try to publish that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishingError {
    /// Why.
    pub message: String,
    /// When, in ms since the Unix epoch.
    pub at_ms: i64,
}

impl State {
    fn is_full(&self, room: OutboxRoom) -> bool {
        room.is_full_with(self.publisher.ledger().waiting_room())
    }

    fn with_trouble(&self, what: String) -> String {
        match &self.last_error {
            Some(error) if self.retries > 0 => format!("{what} ({})", error.message),
            Some(_) | None => what,
        }
    }
}

impl Outbox {
    /// The outbox of a sink with this ledger. `attempts`: the nonces of all attempts that the log has.
    pub fn new(
        target: Arc<dyn OutboxTarget>,
        ledger: OutboxLedger,
        attempts: BTreeSet<String>,
        decisions: Decisions,
        room: OutboxRoom,
    ) -> Self {
        let sink = ledger.sink().to_owned();
        let publisher = Publisher::new(ledger, attempts, decisions.of(&sink));
        let state = Mutex::new(State { publisher, retries: 0, last_error: None, completed: BTreeMap::new(), stopped: Vec::new() });
        Self { sink, target, decisions, room, state, more: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sink's id.
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// The sink's name in its markers.
    pub fn marker_name(&self) -> String {
        self.lock().publisher.ledger().marker_name().to_owned()
    }

    /// Where it publishes.
    pub fn target(&self) -> &Arc<dyn OutboxTarget> {
        &self.target
    }

    /// What its publisher does next.
    pub fn next(&self) -> PublisherAction {
        self.lock().publisher.next()
    }

    /// Something has happened to its publisher. Subtasks that have stopped look again.
    pub fn on(&self, event: PublisherEvent) {
        let stopped = {
            let mut state = self.lock();
            state.publisher.on(event);
            if state.publisher.is_publishing() {
                self.decisions.on_used(&self.sink);
                state.retries = 0;
            }
            std::mem::take(&mut state.stopped)
        };
        stopped.into_iter().for_each(Waker::wake);
    }

    /// The target was not reached, or the storage.
    pub fn on_trouble(&self, error: PublishingError) {
        {
            let mut state = self.lock();
            (state.retries, state.last_error) = (state.retries + 1, Some(error));
        }
        self.on(PublisherEvent::Lost);
    }

    /// What waits of runs before was complete when these say so.
    pub(super) fn on_log(&self, entries: &[LogEntry]) {
        let mut state = self.lock();
        let waiting = state.publisher.ledger().unpublished();
        let completed = entries.iter().filter_map(|entry| match entry {
            LogEntry::Completed { checkpoint_id, completed_ms, .. } if waiting.contains(checkpoint_id) => {
                Some((*checkpoint_id, *completed_ms))
            }
            _ => None,
        });
        state.completed.extend(completed);
    }

    /// Waits until the publisher may have more to do.
    pub async fn more(&self) {
        self.more.notified().await;
    }

    /// What a checkpoint that has staged `output` says of the sink.
    pub fn snapshot(&self, output: Option<&StagedOutput>) -> OutboxSnapshot {
        self.lock().publisher.ledger().snapshot(output)
    }

    pub(super) fn on_complete(&self, output: StagedOutput, completed_ms: i64) {
        let mut state = self.lock();
        let oldest = state.publisher.ledger().unpublished().first().copied().unwrap_or(output.checkpoint_id);
        state.completed.retain(|id, _| *id >= oldest);
        state.completed.insert(output.checkpoint_id, completed_ms);
        state.publisher.ledger_mut().on_complete(output);
    }

    pub(super) fn on_final(&self, up_to: CheckpointId) {
        self.lock().publisher.ledger_mut().on_final(up_to);
        self.more.notify_one();
    }

    /// True while what the user has decided of the sink has not been followed.
    pub fn is_decided(&self) -> bool {
        self.lock().publisher.is_decided()
    }

    pub(super) fn is_full(&self) -> bool {
        self.lock().is_full(self.room)
    }

    /// Ready where a subtask that stands directly behind a barrier may go on. Behind a barrier of its own attempt it waits for the marker, too: without it no
    /// checkpoint completes, and what is not complete is not counted.
    pub fn poll_open(&self, behind_own_barrier: bool, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.is_full(self.room) && (state.publisher.has_marker() || !behind_own_barrier) {
            return Poll::Ready(());
        }
        if !state.stopped.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.stopped.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// True where no output of a checkpoint up to this one waits.
    pub(super) fn is_published_up_to(&self, checkpoint_id: CheckpointId) -> bool {
        self.lock().publisher.ledger().is_published_up_to(checkpoint_id)
    }

    pub(super) fn has_marker(&self) -> bool {
        self.lock().publisher.has_marker()
    }

    /// What its subtasks stop for behind their next barrier, and why the target was not reached. `None`: they do not.
    pub(super) fn what_stops_it(&self) -> Option<String> {
        let state = self.lock();
        let what = match (state.is_full(self.room), state.publisher.has_marker()) {
            (true, _) => format!("as much output of the sink `{}` waits to be published as may", self.sink),
            (false, false) => format!("the target of the sink `{}` has not answered yet", self.sink),
            (false, true) => return None,
        };
        Some(state.with_trouble(what))
    }

    /// What waits of checkpoints up to this one, and why the target was not reached. `None`: nothing.
    pub(super) fn what_waits(&self, up_to: CheckpointId) -> Option<String> {
        let state = self.lock();
        let waits = state.publisher.ledger().unpublished().range(..=up_to).count();
        let checkpoints = if waits == 1 { "a checkpoint".to_owned() } else { format!("{waits} checkpoints") };
        (waits > 0).then(|| state.with_trouble(format!("output of {checkpoints} of the sink `{}`", self.sink)))
    }

    /// Why nothing is published, while the target is not reached and is tried again.
    pub(crate) fn trouble(&self) -> Option<String> {
        let state = self.lock();
        state.last_error.as_ref().filter(|_| state.retries > 0).map(|error| error.message.clone())
    }

    /// What is shown of it.
    pub fn status(&self) -> OutboxStatus {
        let state = self.lock();
        let ledger = state.publisher.ledger();
        let (unpublished, unpublished_bytes) = (ledger.unpublished(), ledger.waiting_room().bytes);
        let oldest_completed_ms = unpublished.first().and_then(|oldest| state.completed.get(oldest).copied());
        let (sink, is_full, retries, last_error) = (self.sink.clone(), state.is_full(self.room), state.retries, state.last_error.clone());
        OutboxStatus { sink, unpublished, unpublished_bytes, is_full, oldest_completed_ms, retries, last_error }
    }
}
