//! What keyed state costs per key: lookup, gather and set by the batch, snapshots, copy-on-write, memory.
//!
//! `cargo bench -p weir-engine --bench state`. Keys and values have 16 bytes, a batch has 1,024 distinct random keys.
//! Numbers of keys may be named behind `--`.

use std::time::{Duration, Instant};
use weir_engine::Column;
use weir_engine::element::CheckpointId;
use weir_engine::state::{
    BlockSnapshot, KeyGroupRange, KeySlot, MemoryBackendFactory, SelectedKeys, StateBackend, StateDescriptor, StateKind, StateSnapshot,
    StateTime, key_hash,
};

const BATCH: usize = 1_024;
const ROUNDS: usize = 7;
const SNAPSHOTS: u64 = 3;
const MAX_PARALLELISM: u32 = 128;

/// Bytes of memory that the process occupies; 0 where the system does not say it in Linux's way.
fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).map_or(0, |pages| pages * PAGE_BYTES)
}

/// Keys of a batch with their hashes.
struct Batch {
    keys: Column,
    hashes: Vec<u64>,
}

impl Batch {
    fn selected(&self) -> SelectedKeys<'_> {
        SelectedKeys { keys: &self.keys, hashes: &self.hashes, time: StateTime::NONE }
    }
}

/// What a batch needs again and again.
#[derive(Default)]
struct Scratch {
    slots: Vec<KeySlot>,
    present: Vec<u32>,
    values: Column,
}

fn main() {
    let asked: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![1_000_000, 100_000, 1_000] } else { asked };
    // Later fills reuse what earlier ones left: the first alone says what the keys take.
    let before = resident_bytes();
    let first = fill(sizes[0]);
    println!("{} bytes of resident memory for each of {} keys", (resident_bytes() - before) / first.keys(), first.keys());
    drop(first);
    sizes.into_iter().for_each(measure);
}

fn measure(keys: u64) {
    let mut rng = fastrand::Rng::with_seed(keys);
    let (mut backend, filled) = timed(|| fill(keys));
    println!("{keys} keys: {} per key to insert", per(filled, keys));

    let mut scratch = Scratch::default();
    let batches: Vec<Batch> = (0..(400_000 / BATCH)).map(|_| batch(keys, &mut rng)).collect();
    report("lookup, gather, set", &batches, |batch| update(&mut *backend, batch, &mut scratch));
    report("lookup alone", &batches, |batch| backend.lookup(batch.selected(), &mut scratch.slots).expect("memory"));

    for number in 1..=SNAPSHOTS {
        snapshot(&mut *backend, CheckpointId(number), keys, &mut rng, &mut scratch);
    }
    restore(&mut *backend, keys);
    report("lookup, gather, set afterwards", &batches, |batch| update(&mut *backend, batch, &mut scratch));
}

/// A snapshot that is held while a hundredth of the keys change, and then written.
fn snapshot(backend: &mut dyn StateBackend, checkpoint_id: CheckpointId, keys: u64, rng: &mut fastrand::Rng, scratch: &mut Scratch) {
    let touched: Vec<Batch> = (0..(keys as usize / 100).div_ceil(BATCH)).map(|_| batch(keys, rng)).collect();
    let (mut snapshot, taken) = timed(|| blocks_of(backend, checkpoint_id));
    let (_, copied) = timed(|| touched.iter().for_each(|batch| update(backend, batch, scratch)));
    let mut written = 0;
    let (_, wrote) = timed(|| snapshot.write(&mut |_, block| written += block.len()).expect("memory"));
    let per_update = per(copied, (touched.len() * BATCH) as u64);
    println!("  snapshot taken in {taken:?}; {per_update} per update while it is held; {written} bytes written in {wrote:?}");
}

fn blocks_of(backend: &mut dyn StateBackend, checkpoint_id: CheckpointId) -> Box<dyn BlockSnapshot> {
    match backend.snapshot(checkpoint_id, None).expect("memory") {
        StateSnapshot::Blocks(blocks) => blocks,
        StateSnapshot::Files(_) => unreachable!("the state is in memory"),
    }
}

fn restore(backend: &mut dyn StateBackend, keys: u64) {
    let mut blocks = Vec::new();
    let mut snapshot = blocks_of(backend, CheckpointId(SNAPSHOTS + 1));
    snapshot.write(&mut |group, block| blocks.push((group, block.to_vec()))).expect("memory");
    let mut restored = create();
    let (_, took) = timed(|| {
        for (group, block) in &blocks {
            restored.restore(*group, block, &[Some(0)]).expect("the block was just written");
        }
    });
    assert_eq!(restored.keys(), keys);
    println!("  restored in {took:?}");
}

fn create() -> Box<dyn StateBackend> {
    let states = [StateDescriptor { name: "v".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None }];
    MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: MAX_PARALLELISM }, MAX_PARALLELISM)
}

fn fill(keys: u64) -> Box<dyn StateBackend> {
    let mut backend = create();
    let mut slots = Vec::new();
    let mut next = 0;
    while next < keys {
        let end = (next + BATCH as u64).min(keys);
        let batch = batch_of(next..end);
        backend.lookup(batch.selected(), &mut slots).expect("memory");
        batch.keys.iter().zip(&mut slots).for_each(|(key, slot)| backend.set_value(slot, key, 0, &[0; 16]).expect("memory"));
        next = end;
    }
    backend
}

/// Distinct random keys.
fn batch(keys: u64, rng: &mut fastrand::Rng) -> Batch {
    let mut chosen: Vec<u64> = (0..BATCH).map(|_| rng.u64(0..keys)).collect();
    chosen.sort_unstable();
    chosen.dedup();
    rng.shuffle(&mut chosen);
    batch_of(chosen.into_iter())
}

fn batch_of(numbers: impl Iterator<Item = u64>) -> Batch {
    let mut keys = Column::new();
    numbers.for_each(|number| keys.push(format!("key-{number:012}").as_bytes()));
    let hashes = keys.iter().map(key_hash).collect();
    Batch { keys, hashes }
}

/// What `keyed-count` does with a batch's state.
fn update(backend: &mut dyn StateBackend, batch: &Batch, scratch: &mut Scratch) {
    backend.lookup(batch.selected(), &mut scratch.slots).expect("memory");
    scratch.present.clear();
    scratch.values.clear();
    backend.gather_values(&scratch.slots, 0, usize::MAX, &mut scratch.present, &mut scratch.values).expect("memory");
    for (&index, value) in scratch.present.iter().zip(scratch.values.iter()) {
        let mut value: [u8; 16] = value.try_into().expect("values have 16 bytes");
        value[0] = value[0].wrapping_add(1);
        backend.set_value(&mut scratch.slots[index as usize], batch.keys.get(index as usize), 0, &value).expect("memory");
    }
}

/// Runs every batch some times over, each timed alone, so that what else the machine does shows in few of the times.
fn report(what: &str, batches: &[Batch], mut run: impl FnMut(&Batch)) {
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        took.extend(batches.iter().map(|batch| timed(|| run(batch)).1 * 1_000 / batch.hashes.len() as u32));
    }
    took.sort_unstable();
    let at = |percent: usize| took[percent * (took.len() - 1) / 100].as_nanos() as f64 / 1_000.0;
    println!("  {what}: {:.1} ns per key (10 % below {:.1}, 90 % below {:.1})", at(50), at(10), at(90));
}

fn per(took: Duration, of: u64) -> String {
    format!("{:.1} ns", took.as_nanos() as f64 / of as f64)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = run();
    (result, started.elapsed())
}
