//! The promise of [`OutboxTarget`], as a suite that every target runs: nothing is lost, nothing doubled, and the order kept, whatever fails between any two
//! steps of the store and the target, and whoever wakes late.

use super::port::{ChunkBounds, OutboxOwner, OutboxSession, OutboxTarget};
use super::{
    Decisions, MAX_UNPUBLISHED, MarkerDecision, Outbox, OutboxEvent, OutboxLedger, PublisherAction, PublisherTask, target_identity,
};
use crate::checkpoint::{Append, JobLog, LineageRoot, LogEntry, Marker, MarkerKey, StagedObject, StagedOutput, StagedRecords, StateHandle};
use crate::element::{AttemptId, BatchBuilder, CheckpointId, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::storage::{Created, ObjectStorage, Store};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc};

/// A target, as the suite needs it.
pub trait TargetUnderTest: Sync {
    /// A client of it, as a process of its own has it, which publishes in such chunks.
    fn client(&self, bounds: ChunkBounds) -> Arc<dyn OutboxTarget>;
    /// The values that a reader sees, in order.
    fn seen(&self) -> BoxFuture<'_, Vec<Vec<u8>>>;
    /// Nothing is left of it: records, markers, fences.
    fn reset(&self) -> BoxFuture<'_, ()>;
}

/// What goes wrong with one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// It is refused, and nothing has happened.
    Refused,
    /// It is done, and nobody hears of it.
    AnswerLost,
    /// The process is killed in front of it.
    KilledBefore,
    /// The process is killed behind it.
    KilledBehind,
    /// The process stops in front of it, and goes on when another has published everything.
    Sleeps,
}

const ALL_WRONG: [Wrong; 5] = [Wrong::Refused, Wrong::AnswerLost, Wrong::KilledBefore, Wrong::KilledBehind, Wrong::Sleeps];

/// Counts the steps of a process, and lets one go wrong.
struct Steps {
    made: AtomicUsize,
    wrong: Option<(usize, Wrong)>,
    /// The process has come to where it is killed or sleeps.
    reached: Notify,
    wakes: Notify,
}

impl Steps {
    fn new(wrong: Option<(usize, Wrong)>) -> Arc<Self> {
        Arc::new(Self { made: AtomicUsize::new(0), wrong, reached: Notify::new(), wakes: Notify::new() })
    }

    async fn step<T>(&self, call: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let Some((_, wrong)) = self.wrong.filter(|(at, _)| *at == number) else { return call.await };
        let unknown = |what: &str| EngineError::new(ErrorKind::Retry, format!("step {number}: {what}"));
        match wrong {
            Wrong::Refused => Err(unknown("refused")),
            Wrong::AnswerLost => {
                _ = call.await;
                Err(unknown("the answer is lost"))
            }
            Wrong::KilledBefore => {
                self.reached.notify_one();
                std::future::pending().await
            }
            Wrong::KilledBehind => {
                _ = call.await;
                self.reached.notify_one();
                std::future::pending().await
            }
            Wrong::Sleeps => {
                self.reached.notify_one();
                self.wakes.notified().await;
                call.await
            }
        }
    }
}

/// A store or a target whose calls are steps.
struct Stepping<T>(T, Arc<Steps>);

impl Store for Stepping<Arc<dyn Store>> {
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        self.1.step(self.0.create(path, bytes)).boxed()
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        self.1.step(self.0.put(path, parts)).boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        self.1.step(self.0.get(path)).boxed()
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        self.1.step(self.0.list(folder)).boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        self.1.step(self.0.delete(path)).boxed()
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

impl OutboxTarget for Stepping<Arc<dyn OutboxTarget>> {
    fn connector(&self) -> &'static str {
        self.0.connector()
    }

    fn identity(&self) -> serde_json::Value {
        self.0.identity()
    }

    fn chunk_bounds(&self) -> ChunkBounds {
        self.0.chunk_bounds()
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        async move {
            let session = self.1.step(self.0.take_over(owner)).await?;
            Ok(Box::new(Stepping(session, self.1.clone())) as Box<dyn OutboxSession>)
        }
        .boxed()
    }
}

impl OutboxSession for Stepping<Box<dyn OutboxSession>> {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        self.1.step(self.0.marker(key)).boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        self.1.step(self.0.set_marker(key, marker)).boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        self.1.step(self.0.publish(key, records, marker)).boxed()
    }
}

/// A job's storage and what two processes of it know.
struct World<'a> {
    under_test: &'a dyn TargetUnderTest,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    /// A log of its own for each case: the markers of one never meet those of another.
    name: String,
}

const SINK: &str = "out";

impl<'a> World<'a> {
    fn new(under_test: &'a dyn TargetUnderTest, clock: &Arc<dyn Clock>, name: String) -> Self {
        Self { under_test, clock: clock.clone(), store: Arc::new(ObjectStorage::in_memory()), name }
    }

    fn key(&self, lineage: &str) -> MarkerKey {
        MarkerKey { log: self.name.clone(), lineage: lineage.into(), sink: SINK.into() }
    }

    fn owner(&self, attempt: u64) -> OutboxOwner {
        OutboxOwner { log: self.name.clone(), sink: SINK.into(), attempt: AttemptId(attempt) }
    }

    /// The log once this attempt has begun.
    async fn begin(&self, attempt: u64) -> JobLog {
        let mut log = JobLog::open(self.store.clone(), self.clock.clone()).await.expect("the log opens");
        let entry = LogEntry::Attempt {
            attempt: AttemptId(attempt),
            nonce: nonce(attempt),
            lineage: AttemptId(1),
            lineage_nonce: Some("1".into()),
            root: LineageRoot::Fresh,
            restored: None,
            probation: false,
            started_ms: 0,
        };
        assert_eq!(log.append(entry).await.expect("it appends"), Append::Done);
        log
    }

    /// Stages output of attempt 1 in objects of so many records. Values count up from `first`.
    async fn stage(&self, checkpoint_id: u64, first: usize, objects: &[usize]) -> StagedOutput {
        let (checkpoint_id, mut next, mut staged) = (CheckpointId(checkpoint_id), first, Vec::new());
        for (part, records) in objects.iter().enumerate() {
            let mut builder = BatchBuilder::new();
            (next..next + records).for_each(|number| builder.push(Some(b"key"), self.value(number).as_bytes(), None));
            next += records;
            let (batch, mut encoded) = (builder.finish(), StagedRecords::default());
            encoded.push(&batch, 0..batch.len(), usize::MAX);
            let finished = encoded.object(SINK, 0).finish();
            // Not where a log looks for what is left over: it begins behind this.
            let object = format!("staged/{checkpoint_id}-{part}");
            let handle = StateHandle { object, bytes: finished.bytes, checksum: finished.checksum };
            self.store.put(&handle.object, finished.parts).await.expect("it is stored");
            staged.push(StagedObject { handle, records: *records as u64 });
        }
        StagedOutput { checkpoint_id, attempt_nonce: nonce(1), objects: staged }
    }

    fn value(&self, number: usize) -> String {
        format!("{}:{number}", self.name)
    }

    /// A ledger of the lineage `1` with this output, all of it final.
    fn ledger(&self, outputs: &[StagedOutput]) -> OutboxLedger {
        let mut ledger = OutboxLedger::beginning(SINK, serde_json::json!(SINK), self.key("1"), None);
        outputs.iter().for_each(|output| ledger.on_complete(output.clone()));
        ledger.on_final(CheckpointId(u64::MAX));
        ledger
    }

    /// The publisher of a process whose steps are these, and where it tells.
    fn publisher(&self, process: Process, log: JobLog) -> (PublisherTask, mpsc::UnboundedReceiver<OutboxEvent>) {
        let Process { attempt, ledger, records, steps, decision } = process;
        let target = self.under_test.client(ChunkBounds { records, bytes: usize::MAX });
        let target: Arc<dyn OutboxTarget> = Arc::new(Stepping(target, steps.clone()));
        let attempts: BTreeSet<String> = (1..=attempt).map(nonce).collect();
        let outbox = Outbox::new(target, ledger, attempts, Decisions::new(decision), MAX_UNPUBLISHED);
        let (events, told) = mpsc::unbounded_channel();
        let store: Arc<dyn Store> = Arc::new(Stepping(self.store.clone(), steps));
        let (owner, nonce, clock) = (self.owner(attempt), nonce(attempt), self.clock.clone());
        (PublisherTask { outbox: Arc::new(outbox), owner, nonce, log, store, clock, events }, told)
    }

    /// Publishes until nothing is left to do. The error is the publisher's.
    async fn publish(&self, process: Process) -> Result<(), EngineError> {
        let log = self.begin(process.attempt).await;
        let (task, told) = self.publisher(process, log);
        let outbox = task.outbox.clone();
        idle(task, &outbox, told).await
    }

    /// The values that were published of this case, in order.
    async fn seen(&self) -> Vec<String> {
        let all = self.under_test.seen().await.into_iter().map(|value| String::from_utf8(value).expect("a value of the suite"));
        all.filter(|value| value.starts_with(&format!("{}:", self.name))).collect()
    }

    async fn check(&self, what: &str, numbers: impl Iterator<Item = usize>) {
        let expected: Vec<String> = numbers.map(|number| self.value(number)).collect();
        assert_eq!(self.seen().await, expected, "{}: {what}", self.name);
    }
}

/// A process, as far as it publishes.
struct Process {
    attempt: u64,
    ledger: OutboxLedger,
    /// Of its chunks.
    records: usize,
    steps: Arc<Steps>,
    decision: Option<MarkerDecision>,
}

impl Process {
    fn new(attempt: u64, ledger: OutboxLedger, records: usize) -> Self {
        Self { attempt, ledger, records, steps: Steps::new(None), decision: None }
    }
}

fn nonce(attempt: u64) -> String {
    format!("attempt-{attempt}")
}

/// Runs a publisher until it waits for more, or fails.
async fn idle(task: PublisherTask, outbox: &Outbox, mut told: mpsc::UnboundedReceiver<OutboxEvent>) -> Result<(), EngineError> {
    let failed = Arc::new(Mutex::new(None));
    let why = failed.clone();
    let waits = async {
        while let Some(event) = told.recv().await {
            match event {
                OutboxEvent::Progress if outbox.next() == PublisherAction::Wait => return,
                OutboxEvent::Progress => {}
                OutboxEvent::Failed(error) => return *why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            }
        }
    };
    let waits = pin!(waits);
    if let Either::Left(((), waits)) = select(pin!(task.run()), waits).await {
        waits.await;
    }
    let error = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    error.map_or(Ok(()), Err)
}

/// Runs the whole suite.
pub async fn target_suite(under_test: &dyn TargetUnderTest, clock: Arc<dyn Clock>) {
    for wrong in ALL_WRONG {
        let mut at = 0;
        while one_step_goes_wrong(under_test, &clock, at, wrong).await {
            at += 1;
        }
        assert!(at > 10, "{wrong:?}: a process makes more than {at} steps");
    }
    a_marker_that_does_not_fit_is_refused(under_test, &clock).await;
    an_older_publisher_changes_nothing(under_test, &clock).await;
    an_older_lineage_comes_first(under_test, &clock).await;
    a_target_that_was_reset_is_for_the_user_to_decide(under_test, &clock).await;
}

/// A process publishes three checkpoints, and its step number `at` goes wrong; another, which knows of nothing that was published and cuts other chunks,
/// goes on. False where it makes fewer steps.
async fn one_step_goes_wrong(under_test: &dyn TargetUnderTest, clock: &Arc<dyn Clock>, at: usize, wrong: Wrong) -> bool {
    let world = World::new(under_test, clock, format!("{wrong:?}-{at}").to_lowercase());
    let outputs = [world.stage(1, 0, &[5]).await, world.stage(3, 5, &[3, 4]).await, world.stage(4, 12, &[2]).await];
    let steps = Steps::new(Some((at, wrong)));
    let first = Process { steps: steps.clone(), ..Process::new(1, world.ledger(&outputs), 2) };
    let log = world.begin(1).await;
    let (task, told) = world.publisher(first, log);
    let outbox = task.outbox.clone();
    let mut publishing = Box::pin(idle(task, &outbox, told));
    let stopped = match select(&mut publishing, pin!(steps.reached.notified())).await {
        Either::Left((done, _)) => {
            done.expect("what may pass is tried again");
            false
        }
        Either::Right(((), _)) => true,
    };
    // A process that is killed is dropped; one that sleeps goes on when the other is done.
    let sleeper = (stopped && wrong == Wrong::Sleeps).then_some(publishing);
    world.publish(Process::new(2, world.ledger(&outputs), 3)).await.expect("the successor publishes what is left");
    world.check("behind the successor", 0..14).await;
    if let Some(sleeper) = sleeper {
        steps.wakes.notify_one();
        let ended = sleeper.await;
        let fenced = ended.as_ref().err().map(EngineError::kind) == Some(ErrorKind::Fenced);
        assert!(fenced || ended.is_ok(), "{}: the sleeper ended with {ended:?}", world.name);
        world.check("behind the sleeper", 0..14).await;
    }
    at < steps.made.load(Ordering::Relaxed)
}

async fn a_marker_that_does_not_fit_is_refused(under_test: &dyn TargetUnderTest, clock: &Arc<dyn Clock>) {
    let marker =
        |checkpoint_id, attempt, records| Marker { checkpoint_id: CheckpointId(checkpoint_id), attempt_nonce: nonce(attempt), records };
    let cases = [
        (marker(1, 1, 3), "behind what is known"),
        (marker(9, 1, 1), "ahead of the newest final checkpoint"),
        (marker(4, 1, 3), "ahead of the newest final checkpoint"),
        (marker(4, 7, 1), "which the job's log does not have"),
        (marker(9, 7, 1), "which the job's log does not have"),
        (marker(2, 1, 1), "which the job's log does not have"),
    ];
    for (number, (marker, expected)) in cases.into_iter().enumerate() {
        let world = World::new(under_test, clock, format!("misfit-{number}"));
        // Of checkpoint 1 all is known to be published.
        let outputs = [world.stage(1, 0, &[5]).await, world.stage(4, 5, &[2]).await];
        world.publish(Process::new(1, world.ledger(&outputs[..1]), 3)).await.expect("it is published");
        let mut session = under_test.client(ChunkBounds::default()).take_over(&world.owner(1)).await.expect("it takes over");
        session.set_marker(&world.key("1"), &marker).await.expect("it is set");
        drop(session);
        let mut known = world.ledger(&outputs).snapshot(None);
        known.lineages[0].published = outputs[0].marker(5);
        known.lineages[0].unpublished.remove(0);
        let ledger = || OutboxLedger::restored(known.clone());
        let error = world.publish(Process::new(2, ledger(), 3)).await.expect_err("it does not fit");
        assert!(error.to_string().contains(expected) && error.kind() == ErrorKind::FixInput, "{marker}: {error}");
        world.check("nothing more is published", 0..5).await;
        let decided = Process { decision: Some(MarkerDecision::Republish), ..Process::new(3, ledger(), 3) };
        world.publish(decided).await.expect("the user has decided");
        world.check("what is staged is published", 0..7).await;
    }
}

/// Whoever has taken over before neither publishes nor moves a marker.
async fn an_older_publisher_changes_nothing(under_test: &dyn TargetUnderTest, clock: &Arc<dyn Clock>) {
    let world = World::new(under_test, clock, "fenced".into());
    let (client, key) = (under_test.client(ChunkBounds::default()), world.key("1"));
    let mut old = client.take_over(&world.owner(1)).await.expect("it takes over");
    old.set_marker(&key, &Marker::default()).await.expect("it is set");
    let other = under_test.client(ChunkBounds::default());
    let mut new = other.take_over(&world.owner(2)).await.expect("it takes over");
    let mut builder = BatchBuilder::new();
    builder.push(None, world.value(0).as_bytes(), None);
    let (records, moved) = (builder.finish(), Marker { checkpoint_id: CheckpointId(1), attempt_nonce: nonce(1), records: 1 });
    assert!(old.publish(&key, &records, &moved).await.is_err(), "an old publisher publishes");
    assert!(old.set_marker(&key, &moved).await.is_err(), "an old publisher moves a marker");
    assert_eq!(new.marker(&key).await.expect("it is read"), Some(Marker::default()));
    world.check("nothing is published", 0..0).await;
    new.publish(&key, &records, &moved).await.expect("the newest publishes");
    world.check("it is published", 0..1).await;
}

/// What an older lineage holds as final is published first, against its own marker.
async fn an_older_lineage_comes_first(under_test: &dyn TargetUnderTest, clock: &Arc<dyn Clock>) {
    let world = World::new(under_test, clock, "lineages".into());
    let older = [world.stage(1, 0, &[5]).await, world.stage(2, 5, &[3]).await];
    let known = world.ledger(&older).snapshot(None);
    // A checkpoint of the old lineage says that there is a marker.
    let mut session = under_test.client(ChunkBounds::default()).take_over(&world.owner(1)).await.expect("it takes over");
    session.set_marker(&world.key("1"), &Marker::default()).await.expect("it is set");
    let mut ledger = OutboxLedger::beginning(SINK, serde_json::json!(SINK), world.key("2"), Some(known));
    ledger.on_complete(world.stage(3, 8, &[4]).await);
    ledger.on_final(CheckpointId(3));
    world.publish(Process::new(2, ledger, 2)).await.expect("both are published");
    world.check("the older lineage first", 0..12).await;
}

async fn a_target_that_was_reset_is_for_the_user_to_decide(under_test: &dyn TargetUnderTest, clock: &Arc<dyn Clock>) {
    for decision in [None, Some(MarkerDecision::Republish), Some(MarkerDecision::AssumePublished)] {
        let world = World::new(under_test, clock, format!("reset-{decision:?}").to_lowercase());
        let outputs = [world.stage(1, 0, &[5]).await, world.stage(2, 5, &[3]).await];
        world.publish(Process::new(1, world.ledger(&outputs[..1]), 2)).await.expect("it is published");
        under_test.reset().await;
        let known = world.ledger(&outputs).snapshot(None);
        let process = Process { decision, ..Process::new(2, OutboxLedger::restored(known), 2) };
        let published = world.publish(process).await;
        match decision {
            None => {
                let error = published.expect_err("it is refused").to_string();
                assert!(error.contains("has no marker"), "{error}");
                world.check("nothing is published", 0..0).await;
            }
            Some(MarkerDecision::Republish) => world.check("all that is staged is published", 0..8).await,
            Some(MarkerDecision::AssumePublished) => world.check("nothing is published", 0..0).await,
        }
    }
    // The identity is what tells that a target is another one.
    let client = under_test.client(ChunkBounds::default());
    assert_eq!(target_identity(&*client)["connector"], client.connector());
}
