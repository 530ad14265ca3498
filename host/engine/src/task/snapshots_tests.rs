//! What becomes of a checkpoint that is given up while a task writes it.

use super::super::CallLogBudget;
use super::*;
use crate::runtime::Simulator;
use crate::state::{SnapshotFile, StateDescriptor, StateKind};
use crate::storage::{Created, ObjectStorage};
use bytes::Bytes;
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
    let declared = StateDescriptor { name: "rates".into(), kind: StateKind::Broadcast, schema: "raw".into(), version: 1, ttl_ms: None };
    let mut broadcast = BroadcastState::new(&[declared]).unwrap();
    broadcast.put(0, b"eur", b"1");
    let calls = Some(vec![Arc::new(KeptStretch::behind(None, CallLogBudget::new(0)))]);
    Capture::Operator { vertex: 0, capture: SubtaskCapture { operator: operator.into(), keyed: None, broadcast: Some(broadcast), calls } }
}

struct Named(&'static str);

impl SnapshotFile for Named {
    fn name(&self) -> &str {
        self.0
    }
    fn read(&self) -> Result<Vec<Bytes>, EngineError> {
        Ok(vec![Bytes::from_static(self.0.as_bytes()), Bytes::from_static(b"behind")])
    }
}

/// An operator whose keyed state is in two files: it writes two objects.
fn in_files(operator: &str) -> Capture {
    let files: Vec<Box<dyn SnapshotFile>> = vec![Box::new(Named("one")), Box::new(Named("two"))];
    let keyed = Some(StateSnapshot::Files(FileSnapshot { format: "test", keys: 1, state_bytes: 9, files }));
    Capture::Operator { vertex: 0, capture: SubtaskCapture { operator: operator.into(), keyed, broadcast: None, calls: None } }
}

/// How many objects are written, and how many are left, where the checkpoint is given up while the `nth` is written.
fn written_and_left(nth: usize) -> (usize, usize) {
    let (of_objects, _) = written(nth, [captured("a"), captured("b")], &StoredBefore::default());
    let (of_files, _) = written(nth, [in_files("a"), in_files("b")], &StoredBefore::default());
    assert_eq!(of_objects, of_files);
    of_objects
}

/// The same of these captures, and the parts, where it is not given up.
fn written(nth: usize, captures: [Capture; 2], stored: &StoredBefore) -> ((usize, usize), Option<CompletedTasks>) {
    let simulator = Simulator::new(1);
    let runtime = simulator.runtime();
    let bases = Arc::new(CheckpointBases::default());
    bases.on_triggered(CHECKPOINT);
    let store = Arc::new(GivesUp { inner: ObjectStorage::in_memory(), bases: bases.clone(), nth, puts: Mutex::new(0) });
    let (events, mut told) = mpsc::unbounded_channel();
    let context = SnapshotContext {
        store: store.clone(),
        clock: runtime.clock.clone(),
        group: TaskGroup::new(runtime.spawn.clone(), Arc::new(|_, _| {})),
        bases,
        committers: Arc::new(|_| None),
        attempt: AttemptId(1),
        nonce: "n".into(),
        head: "op".into(),
        index: 0,
        edges: Arc::new([]),
        events: TaskEvents::new(0, events),
    };
    let written = write(&context, stored, CHECKPOINT, Extent::Whole, captures.into());
    let parts = match written.now_or_never().expect("memory waits for nothing") {
        Ok(parts) => {
            assert_eq!(parts.len(), 2);
            Some(parts)
        }
        Err(WriteError::GivenUp) => None,
        Err(WriteError::Upload(error) | WriteError::Sink(error)) => panic!("{error}"),
    };
    assert_eq!(parts.is_none(), nth < 4, "behind the last object there is nothing to be given up here");
    assert!(told.try_recv().is_err(), "nobody waits for it any more");
    let left = store.inner.list("").now_or_never().unwrap().unwrap().len();
    let puts = *store.puts.lock().unwrap();
    ((puts, left), parts)
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
