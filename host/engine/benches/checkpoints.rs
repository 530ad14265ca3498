//! What a checkpoint of keyed state costs when a part of the keys has changed since the one before: bytes, time, the longest pause; and how
//! long restoring takes, from one object and from one with deltas behind it.
//!
//! `cargo bench -p weir-engine --features testing --bench checkpoints`. One task with 1,000,000 keys; keys and values have 16 bytes, a batch has 1,024 keys.
//! The task's own code takes, writes and restores; the storage is a folder, written with fsync. Percentages may be named behind `--`.

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use weir_engine::checkpoint::{CheckpointBases, StateHandle, SubtaskSnapshot};
use weir_engine::element::{AttemptId, CheckpointId};
use weir_engine::operator::{OperatorDescriptor, OperatorFactory, Subtask};
use weir_engine::runtime::{Runtime, TaskGroup, ThreadRuntime};
use weir_engine::state::{
    KeyGroupRange, KeyedState, SelectedKeys, StateBackend, StateDescriptor, StateKind, StateRewrite, StateTime, key_hash,
};
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::task::{Chain, InFlight, KeyedRestore, SnapshotContext, Snapshots, TaskEvent, TaskEvents, TimesOfGroups};
use weir_engine::time::WatermarkFloors;
use weir_engine::{Column, EngineError, Operator, OperatorContext, RecordBatch};

const KEYS: u64 = 1_000_000;
const BATCH: usize = 1_024;
const CHECKPOINTS: u64 = 8;
const MAX_PARALLELISM: u32 = support::MAX_PARALLELISM;
const RANGE: KeyGroupRange = KeyGroupRange { start: 0, end: MAX_PARALLELISM };
const OPERATOR: &str = "op";

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let percentages = if asked.is_empty() { vec![1, 10, 100] } else { asked };
    let threads = ThreadRuntime::new(2).expect("threads start");
    percentages.into_iter().for_each(|percent| measure(&threads, percent));
    threads.shutdown();
}

fn measure(threads: &ThreadRuntime, percent: usize) {
    println!("{percent} % of {KEYS} keys change between checkpoints");
    let folder = Folder::new();
    let mut bench = Bench::new(threads, &folder);
    let mut keys: Vec<u64> = (0..KEYS).collect();
    bench.update(&keys);
    let mut rng = fastrand::Rng::with_seed(7);
    let mut taken = Vec::new();
    for _ in 0..CHECKPOINTS {
        rng.shuffle(&mut keys);
        let changes = &keys[..KEYS as usize * percent / 100];
        taken.push(bench.checkpoint(changes));
    }
    let (first, last) = (&taken[0].part, &taken[CHECKPOINTS as usize - 1].part);
    for (number, checkpoint) in taken.iter().enumerate() {
        let Checkpoint { pause, duration, slowest_batch, part } = checkpoint;
        let what = if part.deltas.is_empty() { "whole" } else { "delta" };
        let bytes = part.deltas.last().or(part.state.as_ref()).map_or(0, |handle| handle.bytes);
        println!(
            "  checkpoint {}: {what}, {bytes:>9} bytes in {:>6.1} ms; pause {:.2} ms, slowest batch meanwhile {:.2} ms",
            number + 1,
            ms(*duration),
            ms(*pause),
            ms(*slowest_batch)
        );
    }
    println!("  slowest batch between checkpoints {:.2} ms", ms(bench.slowest_batch));
    for (what, part) in [("one object", first), ("the last checkpoint", last)] {
        let handles: Vec<StateHandle> = part.state.iter().chain(&part.deltas).cloned().collect();
        let bytes: u64 = handles.iter().map(|handle| handle.bytes).sum();
        let took = bench.restore(handles.clone());
        println!("  restored from {what}: {} objects, {bytes} bytes in {:.1} ms", handles.len(), ms(took));
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("weir-checkpoints-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a writable folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One task whose state is changed directly.
struct Bench<'a> {
    threads: &'a ThreadRuntime,
    runtime: Runtime,
    store: Arc<dyn Store>,
    bases: Arc<CheckpointBases>,
    chain: Chain,
    snapshots: Snapshots,
    events: mpsc::UnboundedReceiver<(usize, TaskEvent)>,
    next: CheckpointId,
    slowest_batch: Duration,
}

struct Checkpoint {
    pause: Duration,
    duration: Duration,
    slowest_batch: Duration,
    part: SubtaskSnapshot,
}

impl<'a> Bench<'a> {
    fn new(threads: &'a ThreadRuntime, folder: &Folder) -> Self {
        let runtime = threads.runtime();
        let opened = threads.block_on(ObjectStorage::open("file:.", &folder.0, "bench", threads.control()));
        let store: Arc<dyn Store> = Arc::new(opened.expect("the folder is there"));
        let bases = Arc::<CheckpointBases>::default();
        let (sender, events) = mpsc::unbounded_channel();
        let snapshots = Snapshots::new(SnapshotContext {
            store: store.clone(),
            clock: runtime.clock.clone(),
            group: TaskGroup::new(runtime.spawn.clone(), Arc::new(|name: &str, message: &str| panic!("{name}: {message}"))),
            bases: bases.clone(),
            committers: Arc::new(|_| None),
            attempt: AttemptId(1),
            nonce: "nonce".into(),
            head: OPERATOR.into(),
            index: 0,
            edges: Arc::new([]),
            events: TaskEvents::new(0, sender),
        });
        let chain = chain(&runtime);
        Self { threads, runtime, store, bases, chain, snapshots, events, next: CheckpointId(1), slowest_batch: Duration::ZERO }
    }

    fn update(&mut self, keys: &[u64]) {
        let backend = state_of(&mut self.chain).backend_mut();
        keys.chunks(BATCH).for_each(|batch| update(backend, batch));
    }

    /// Takes a checkpoint, and changes keys while it is being written and afterwards.
    fn checkpoint(&mut self, changes: &[u64]) -> Checkpoint {
        let checkpoint_id = self.next;
        self.next = CheckpointId(checkpoint_id.0 + 1);
        self.bases.on_triggered(checkpoint_id);
        let started = now();
        self.snapshots.take(checkpoint_id, &mut self.chain, None, InFlight::Nothing).expect("the task is whole");
        let pause = started.elapsed();
        let mut slowest_batch = Duration::ZERO;
        let mut written = None;
        for batch in changes.chunks(BATCH) {
            if written.is_none() {
                written = self.events.try_recv().ok().map(|event| (event, started.elapsed()));
            }
            let batch_started = now();
            let backend = state_of(&mut self.chain).backend_mut();
            update(backend, batch);
            let slowest = if written.is_none() { &mut slowest_batch } else { &mut self.slowest_batch };
            *slowest = (*slowest).max(batch_started.elapsed());
        }
        let (event, duration) = written.unwrap_or_else(|| {
            let event = self.threads.block_on(self.events.recv()).expect("the writer answers");
            (event, started.elapsed())
        });
        let (_, TaskEvent::Acknowledged { mut parts, .. }) = event else { panic!("{event:?}") };
        self.bases.on_completed(checkpoint_id);
        Checkpoint { pause, duration, slowest_batch, part: parts.remove(0).1 }
    }

    fn restore(&self, handles: Vec<StateHandle>) -> Duration {
        let mut chain = chain(&self.runtime);
        let restore = KeyedRestore {
            operator: OPERATOR.into(),
            range: RANGE,
            rewrite: StateRewrite::new(vec![Some(0)], &states(), None),
            times: TimesOfGroups { floors: WatermarkFloors::default(), began: WatermarkFloors::default(), processing_time: 0 },
            handles,
            files: None,
            store: self.store.clone(),
            clock: self.runtime.clock.clone(),
        };
        let started = now();
        self.threads.block_on(restore.run(state_of(&mut chain).backend_mut())).expect("what was written is restored");
        let took = started.elapsed();
        assert_eq!(state_of(&mut chain).key_count(), KEYS);
        took
    }
}

/// Stands where an operator has to.
struct Nothing;

/// Makes [`Nothing`], with one value state.
struct NothingFactory(OperatorDescriptor);

impl OperatorFactory for NothingFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _: &Subtask, _: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Nothing))
    }
}

impl Operator for Nothing {
    fn process(&mut self, _: u32, _: &Arc<RecordBatch>, _: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        Ok(())
    }
}

fn states() -> Vec<StateDescriptor> {
    vec![StateDescriptor { name: "v".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None }]
}

fn chain(runtime: &Runtime) -> Chain {
    let factory = NothingFactory(OperatorDescriptor { states: states(), ..OperatorDescriptor::default() });
    support::chain(runtime, OPERATOR, Arc::new(factory), None)
}

/// The state of the only operator.
fn state_of(chain: &mut Chain) -> &mut KeyedState {
    chain.operators().next().and_then(|subtask| subtask.keyed_state()).expect("the operator has keyed state")
}

/// Looks a batch up and sets every key's value.
fn update(backend: &mut dyn StateBackend, batch: &[u64]) {
    let (mut keys, mut slots) = (Column::new(), Vec::new());
    batch.iter().for_each(|number| keys.push(format!("key-{number:012}").as_bytes()));
    let hashes: Vec<u64> = keys.iter().map(key_hash).collect();
    backend.lookup(SelectedKeys { keys: &keys, hashes: &hashes, time: StateTime::NONE }, &mut slots).expect("memory");
    for ((key, slot), number) in keys.iter().zip(&mut slots).zip(batch) {
        backend.set_value(slot, key, 0, &u128::from(*number).to_le_bytes()).expect("memory");
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}
