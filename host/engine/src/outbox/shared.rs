//! The outboxes of one attempt, as its parts share them: the log writer adds what is complete, the attempt says what is final, the publishers publish, and
//! the sinks' subtasks stop while too much waits.

use super::publisher::{Publisher, PublisherAction, PublisherEvent};
use super::refusal::Decisions;
use super::{OutboxLedger, OutboxTarget};
use crate::checkpoint::{OutboxSnapshot, StagedOutput};
use crate::element::CheckpointId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// The outboxes of one attempt, by the sink's place in the graph.
#[derive(Default)]
pub struct Outboxes(BTreeMap<usize, Arc<Outbox>>);

/// One sink's outbox.
pub struct Outbox {
    sink: String,
    target: Arc<dyn OutboxTarget>,
    decisions: Decisions,
    max_unpublished: u64,
    state: Mutex<State>,
    /// Wakes the publisher.
    more: Notify,
}

struct State {
    publisher: Publisher,
    /// Why the target was not reached last, while it is not.
    trouble: Option<String>,
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
    /// Why the target was not reached last, while it is not.
    pub trouble: Option<String>,
}

impl Outbox {
    /// The outbox of a sink with this ledger. `attempts`: the nonces of all attempts that the log has.
    pub fn new(
        target: Arc<dyn OutboxTarget>,
        ledger: OutboxLedger,
        attempts: BTreeSet<String>,
        decisions: Decisions,
        max_unpublished: u64,
    ) -> Self {
        let sink = ledger.sink().to_owned();
        let publisher = Publisher::new(ledger, attempts, decisions.of(&sink));
        let state = Mutex::new(State { publisher, trouble: None, stopped: Vec::new() });
        Self { sink, target, decisions, max_unpublished, state, more: Notify::new() }
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
                state.trouble = None;
            }
            std::mem::take(&mut state.stopped)
        };
        stopped.into_iter().for_each(Waker::wake);
    }

    /// The target was not reached, or the storage.
    pub fn on_trouble(&self, trouble: String) {
        self.lock().trouble = Some(trouble);
        self.on(PublisherEvent::Lost);
    }

    /// Waits until the publisher may have more to do.
    pub async fn more(&self) {
        self.more.notified().await;
    }

    /// What a checkpoint that has staged `output` says of the sink.
    pub fn snapshot(&self, output: Option<&StagedOutput>) -> OutboxSnapshot {
        self.lock().publisher.ledger().snapshot(output)
    }

    fn on_complete(&self, output: StagedOutput) {
        self.lock().publisher.ledger_mut().on_complete(output);
    }

    fn on_final(&self, up_to: CheckpointId) {
        self.lock().publisher.ledger_mut().on_final(up_to);
        self.more.notify_one();
    }

    fn is_full(&self) -> bool {
        self.lock().publisher.ledger().unpublished_bytes() >= self.max_unpublished
    }

    /// Ready where a subtask that stands directly behind a barrier may go on. Behind a barrier of its own attempt it waits for the marker, too: without it no
    /// checkpoint completes, and what is not complete is not counted.
    pub fn poll_open(&self, behind_own_barrier: bool, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let full = state.publisher.ledger().unpublished_bytes() >= self.max_unpublished;
        if !full && (state.publisher.has_marker() || !behind_own_barrier) {
            return Poll::Ready(());
        }
        if !state.stopped.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.stopped.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// What is shown of it.
    pub fn status(&self) -> OutboxStatus {
        let state = self.lock();
        let ledger = state.publisher.ledger();
        let (unpublished, unpublished_bytes) = (ledger.unpublished(), ledger.unpublished_bytes());
        OutboxStatus { sink: self.sink.clone(), unpublished, unpublished_bytes, trouble: state.trouble.clone() }
    }
}

impl Outboxes {
    /// Of these sinks, by their place in the graph.
    pub fn new(sinks: BTreeMap<usize, Arc<Outbox>>) -> Self {
        Self(sinks)
    }

    /// True where no sink has one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Outbox>> {
        self.0.values()
    }

    /// The one of the sink at this place.
    pub fn of(&self, vertex: usize) -> Option<&Arc<Outbox>> {
        self.0.get(&vertex)
    }

    /// What a checkpoint says of them for which these sinks have staged output.
    pub fn snapshots(&self, outputs: &BTreeMap<usize, StagedOutput>) -> Vec<OutboxSnapshot> {
        self.0.iter().map(|(vertex, outbox)| outbox.snapshot(outputs.get(vertex))).collect()
    }

    /// The log says that the checkpoint of these outputs is complete.
    pub fn on_complete(&self, outputs: BTreeMap<usize, StagedOutput>) {
        for (vertex, output) in outputs {
            self.0[&vertex].on_complete(output);
        }
    }

    /// Every complete checkpoint up to this one is final: what is staged of it is published from now on.
    pub fn on_final(&self, up_to: CheckpointId) {
        self.all().for_each(|outbox| outbox.on_final(up_to));
    }

    /// Sinks whose target is not known to have a marker of this lineage: no checkpoint may complete yet.
    pub fn without_marker(&self) -> Vec<&str> {
        self.all().filter(|outbox| !outbox.lock().publisher.has_marker()).map(|outbox| outbox.sink()).collect()
    }

    /// Sinks with output of checkpoints up to this one that is not published.
    pub fn unpublished(&self, up_to: CheckpointId) -> Vec<&str> {
        let waits = |outbox: &&Arc<Outbox>| !outbox.lock().publisher.ledger().is_published_up_to(up_to);
        self.all().filter(waits).map(|outbox| outbox.sink()).collect()
    }

    /// A sink of which as much waits as may.
    pub fn full(&self) -> Option<&str> {
        self.all().find(|outbox| outbox.is_full()).map(|outbox| outbox.sink())
    }

    /// True where sinks stop behind their next barrier, or have stopped.
    pub fn stop_sinks(&self) -> bool {
        self.full().is_some() || !self.without_marker().is_empty()
    }

    /// What is shown of them.
    pub fn status(&self) -> Vec<OutboxStatus> {
        self.all().map(|outbox| outbox.status()).collect()
    }
}
