//! What becomes of a checkpoint that is given up while a task writes it, where its files are read, and how long a reader's answer is waited for.

mod given_up;

use super::super::{CallLogBudget, testing};
use super::*;
use crate::checkpoint::{CompletedTasks, EdgeIdentity, StateFile, StateFiles, StateHandle, SubtaskSnapshot};
use crate::element::{BatchBuilder, RecordBatch};
use crate::error::ErrorKind;
use crate::exchange::{InFlightBudget, InputChannel, Partitioning};
use crate::runtime::{SimulationEnd, Simulator, Spawn};
use crate::state::{BroadcastState, FileSnapshot, SnapshotFile, StateDescriptor, StateKind, StateSnapshot};
use crate::storage::{Created, ObjectStorage};
use crate::task::KeptStretch;
use crate::task::shared_files::TaskFiles;
use bytes::Bytes;
use futures_util::future::{pending, ready};
use std::cell::Cell;
use std::sync::Mutex;
use tokio::sync::mpsc;

const CHECKPOINT: CheckpointId = CheckpointId(7);

/// A store with which a checkpoint is given up while its `nth` object is written.
struct GivesUp {
    inner: ObjectStorage,
    bases: Arc<CheckpointBases>,
    nth: usize,
    puts: Mutex<usize>,
}

impl Store for GivesUp {
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        self.inner.create(path, bytes)
    }
    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        let mut puts = self.puts.lock().unwrap();
        *puts += 1;
        if *puts == self.nth {
            self.bases.on_failed(CHECKPOINT);
        }
        self.inner.put(path, parts)
    }
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        self.inner.get(path)
    }
    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        self.inner.list(folder)
    }
    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        self.inner.delete(path)
    }
    fn location(&self) -> String {
        self.inner.location()
    }
}

/// An operator that has broadcast state and keeps its calls: it writes two objects.
fn captured(operator: &str) -> Capture {
    let declared = StateDescriptor { name: "rates".into(), kind: StateKind::Broadcast, schema: "raw".into(), version: 1, ttl: None };
    let mut broadcast = BroadcastState::new(&[declared]).unwrap();
    broadcast.put(0, b"eur", b"1");
    let calls = Some(vec![Arc::new(KeptStretch::behind(None, CallLogBudget::new(0)))]);
    Capture::Operator {
        vertex: 0,
        capture: SubtaskCapture {
            operator: operator.into(),
            keyed: None,
            broadcast: Some(broadcast),
            calls,
            floors: Vec::new(),
            event_time_began: Vec::new(),
            processing_time: None,
            largest_timestamp: None,
        },
    }
}

thread_local! {
    /// True while something runs that may block.
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Runs what is started at once, and knows whether it may block.
struct AtOnce;

impl Spawn for AtOnce {
    fn spawn(&self, lane: Lane, name: &str, future: BoxFuture<'static, ()>) {
        MAY_BLOCK.set(lane == Lane::Blocking);
        assert!(future.now_or_never().is_some(), "{name} waits for something");
        MAY_BLOCK.set(false);
    }
}

struct Named(&'static str);

impl SnapshotFile for Named {
    fn name(&self) -> &str {
        self.0
    }
    fn read(&self) -> Result<Vec<Bytes>, EngineError> {
        assert!(MAY_BLOCK.get(), "a file is read where others wait behind it");
        Ok(vec![Bytes::from_static(self.0.as_bytes()), Bytes::from_static(b"behind")])
    }
}

/// An operator whose keyed state is in two files: it writes two objects.
fn in_files(operator: &str) -> Capture {
    let files: Vec<Box<dyn SnapshotFile>> = vec![Box::new(Named("one")), Box::new(Named("two"))];
    let keyed = Some(StateSnapshot::Files(FileSnapshot { format: "test", keys: 1, state_bytes: 9, files }));
    Capture::Operator {
        vertex: 0,
        capture: SubtaskCapture {
            operator: operator.into(),
            keyed,
            broadcast: None,
            calls: None,
            floors: Vec::new(),
            event_time_began: Vec::new(),
            processing_time: None,
            largest_timestamp: None,
        },
    }
}

/// How many objects are written, and how many are left, where the checkpoint is given up while the `nth` is written.
fn written_and_left(nth: usize) -> (usize, usize) {
    let (of_objects, _) = written(nth, [captured("a"), captured("b")], &StoredBefore::default());
    let (of_files, _) = written(nth, [in_files("a"), in_files("b")], &StoredBefore::default());
    assert_eq!(of_objects, of_files);
    of_objects
}

/// A task's snapshot while it is written.
struct Bench {
    context: SnapshotContext,
    store: Arc<GivesUp>,
    told: mpsc::UnboundedReceiver<(usize, TaskEvent)>,
}

impl Bench {
    /// The checkpoint is under way, and is given up while its `nth` object is written.
    fn new(nth: usize) -> Self {
        let runtime = Simulator::new(1).runtime();
        let bases = Arc::new(CheckpointBases::default());
        bases.on_triggered(CHECKPOINT);
        let store = Arc::new(GivesUp { inner: ObjectStorage::in_memory(), bases: bases.clone(), nth, puts: Mutex::new(0) });
        let (events, told) = mpsc::unbounded_channel();
        let edge = EdgeIdentity { from: "in".into(), output: "out".into(), to: "op".into(), input: 0, partitioning: Partitioning::Key };
        let context = SnapshotContext {
            store: store.clone(),
            clock: runtime.clock.clone(),
            group: TaskGroup::new(Arc::new(AtOnce), Arc::new(|task, message| panic!("{task}: {message}"))),
            bases,
            committers: Arc::new(|_| None),
            attempt: AttemptId(1),
            nonce: "n".into(),
            head: "op".into(),
            index: 0,
            edges: Arc::new([InFlightEdge { edge, schema: None }]),
            events: TaskEvents::new(0, events),
        };
        Self { context, store, told }
    }

    /// The parts; `None` where it is given up.
    fn parts(&self, written: impl Future<Output = Result<CompletedTasks, WriteError>>) -> Option<CompletedTasks> {
        match written.now_or_never().expect("memory waits for nothing") {
            Ok(parts) => Some(parts),
            Err(WriteError::GivenUp) => None,
            Err(WriteError::Upload(error) | WriteError::Sink(error)) => panic!("{error}"),
        }
    }

    fn write(&self, captures: impl Into<Vec<Capture>>, stored: &StoredBefore) -> Option<CompletedTasks> {
        self.parts(write(&self.context, stored, CHECKPOINT, Extent::Whole, captures.into()))
    }

    /// How many objects have been written, and how many are left.
    fn written_and_left(&self) -> (usize, usize) {
        let left = self.store.inner.list("").now_or_never().unwrap().unwrap().len();
        (*self.store.puts.lock().unwrap(), left)
    }
}

/// The same of these captures, and the parts, where it is not given up.
fn written(nth: usize, captures: [Capture; 2], stored: &StoredBefore) -> ((usize, usize), Option<CompletedTasks>) {
    let mut bench = Bench::new(nth);
    let parts = bench.write(captures, stored);
    assert!(parts.as_ref().is_none_or(|parts| parts.len() == 2));
    assert_eq!(parts.is_none(), nth < 4, "behind the last object there is nothing to be given up here");
    assert!(bench.told.try_recv().is_err(), "nobody waits for it any more");
    (bench.written_and_left(), parts)
}

#[test]
fn a_file_that_the_base_has_is_referred_to_and_not_uploaded_again() {
    let handle = |object: &str| StateHandle { object: object.into(), bytes: 1, checksum: 2 };
    let file = |name: &str| StateFile { name: name.into(), handle: handle("state/1-6-of-the-base") };
    let mut of_base = TaskFiles::default();
    of_base.add("a", &StateFiles { format: "test".into(), files: vec![file("one"), file("gone")] });
    let stored = StoredBefore { of_base: Arc::new(of_base), ..StoredBefore::default() };
    let ((puts, _), parts) = written(9, [in_files("a"), in_files("b")], &stored);
    let parts = parts.expect("it is not given up");
    let objects = |part: &SubtaskSnapshot| part.handles().map(|handle| handle.object.clone()).collect::<Vec<_>>();
    let new = |operator: &str, name: &str| format!("state/1-7-{operator}-0-n.{name}.file");
    assert_eq!((puts, objects(&parts[0].1)), (3, vec!["state/1-6-of-the-base".to_owned(), new("a", "two")]));
    assert_eq!(objects(&parts[1].1), [new("b", "one"), new("b", "two")], "files are one operator's own");
    let of_next = stored.files.of(Some(CHECKPOINT));
    assert_eq!((of_next.get("a", "one"), of_next.get("a", "gone")), (Some(&handle("state/1-6-of-the-base")), None));
}

#[test]
fn what_is_given_up_while_it_is_written_writes_no_further_object_and_leaves_none() {
    assert_eq!([1, 2, 3].map(written_and_left), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(written_and_left(9), (4, 4));
}

#[test]
fn what_is_given_up_while_it_waits_for_its_turn_writes_nothing_and_its_output_goes_with_the_next() {
    let bench = Bench::new(0);
    let (uncommitted, output) = (Uncommitted::default(), Committable { connector: "file".into(), payload: "7".into() });
    let prepared = ready(Ok(vec![output.clone()])).boxed();
    let sink = Capture::Sink { vertex: 1, uncommitted: uncommitted.clone(), prepared };
    bench.context.bases.on_failed(CHECKPOINT);
    assert!(bench.write([captured("a"), in_files("b"), sink], &StoredBefore::default()).is_none());
    assert_eq!(bench.written_and_left(), (0, 0));
    assert_eq!(uncommitted.add(CheckpointId(8), Vec::new()), [output]);
}

/// What a barrier has overtaken.
fn overtaken() -> InFlightRecords {
    let mut records = InFlightRecords::new(InFlightBudget::new(1 << 20));
    let from = InputChannel { node: 0, input: 0, keyed: true, edge: 0, sender: 0 };
    assert!(records.add(from, [Arc::new(keyed_batch())]));
    records
}

fn keyed_batch() -> RecordBatch {
    let mut builder = BatchBuilder::new();
    builder.push(Some(b"k"), b"v", None);
    builder.finish()
}

/// How many objects are written, and how many are left, of an operator with two of them and of what its barrier overtook, where the checkpoint is given
/// up while the `nth` is written.
fn with_records(nth: usize) -> (usize, usize) {
    let bench = Bench::new(nth);
    let parts = bench.write([captured("a")], &StoredBefore::default()).expect("it is given up behind the last");
    let written = bench.parts(write_records(&bench.context, CHECKPOINT, parts, overtaken()));
    assert_eq!(written.is_none(), nth == 2);
    bench.written_and_left()
}

#[test]
fn what_a_barrier_overtook_is_not_written_for_a_checkpoint_that_is_given_up() {
    assert_eq!(with_records(2), (2, 0));
    assert_eq!(with_records(9), (3, 3));
}

#[test]
fn a_reader_that_never_answers_to_a_checkpoint_is_waited_for_ten_seconds_and_holds_up_no_other() {
    let simulator = Simulator::new(1);
    let (runtime, (events, mut told)) = (simulator.runtime(), mpsc::unbounded_channel());
    let mut snapshots = testing::snapshots(&runtime, TaskEvents::new(0, events));
    snapshots.commit(CheckpointId(7), Some(pending().boxed()));
    snapshots.commit(CheckpointId(8), Some(ready(Err(EngineError::new(ErrorKind::Retry, "not now"))).boxed()));
    snapshots.commit(CheckpointId(9), Some(ready(Ok(())).boxed()));
    snapshots.commit(CheckpointId(10), None);
    let mut committed = Vec::new();
    let all_committed = || {
        while let Ok((_, TaskEvent::Committed(checkpoint_id))) = told.try_recv() {
            committed.push((checkpoint_id.0, runtime.clock.now()));
        }
        committed.len() == 4
    };
    assert_eq!(simulator.run_until(all_committed, 1_000), SimulationEnd::Finished);
    committed.sort_unstable();
    assert_eq!(committed, [(7, TOLD_MAX), (8, Duration::ZERO), (9, Duration::ZERO), (10, Duration::ZERO)]);
}
