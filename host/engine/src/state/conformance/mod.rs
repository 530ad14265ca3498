//! What every [`StateBackend`] promises, as a suite that each implementation runs from one test.
//!
//! The cases that people think of are written out one by one; the rest is found by doing random things to a backend and to a
//! model of it, an ordered map, and comparing the two. Everything panics with what differed.

mod cases;
mod increment_cases;
mod increments;
mod model;
mod random;
mod stored;

use super::{KeyGroupRange, KeySlot, StateBackend, StateBackendFactory, StateDescriptor, StateKind, StateSnapshot, key_hash};
use crate::element::Column;

/// Number of random runs of the suite, each from a seed of its own.
const RANDOM_RUNS: u64 = 24;

/// Runs the whole suite. A random run that fails prints its seed; [`check_backend_with_seed`] repeats it.
pub fn check_backend(factory: &dyn StateBackendFactory) {
    cases::check_all(factory);
    increment_cases::check_all(factory);
    (1..=RANDOM_RUNS).for_each(|seed| check_backend_with_seed(factory, seed));
}

/// One random run.
pub fn check_backend_with_seed(factory: &dyn StateBackendFactory, seed: u64) {
    let _named = SeedOfAPanic(seed);
    random::check(factory, fastrand::Rng::with_seed(seed));
    increments::check(factory, fastrand::Rng::with_seed(seed));
}

/// Named where the run panics.
struct SeedOfAPanic(u64);

impl Drop for SeedOfAPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("conformance of the state backend: seed {0} failed; check_backend_with_seed(…, {0}) repeats it", self.0);
        }
    }
}

/// The states that the suite declares: two of value, so that one is never the backend's favourite, one list, one map.
const VALUE: usize = 0;
const LIST: usize = 1;
const MAP: usize = 2;
const SECOND_VALUE: usize = 3;

fn descriptors() -> Vec<StateDescriptor> {
    let kinds = [("value", StateKind::Value), ("list", StateKind::List), ("map", StateKind::Map), ("second", StateKind::Value)];
    let state = |(name, kind): (&str, _)| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl_ms: None };
    kinds.into_iter().map(state).collect()
}

/// Every state of a block is the same state here.
const SAME_STATES: [Option<usize>; 4] = [Some(0), Some(1), Some(2), Some(3)];

const MAX_PARALLELISM: u32 = 8;
const ALL_GROUPS: KeyGroupRange = KeyGroupRange { start: 0, end: MAX_PARALLELISM };

/// A backend of all groups with the suite's states.
fn backend(factory: &dyn StateBackendFactory) -> Box<dyn StateBackend> {
    factory.create(&descriptors(), ALL_GROUPS, MAX_PARALLELISM)
}

/// Looks distinct keys up.
fn lookup(backend: &mut dyn StateBackend, keys: &[&[u8]]) -> Vec<KeySlot> {
    let mut column = Column::new();
    keys.iter().for_each(|key| column.push(key));
    let hashes: Vec<u64> = keys.iter().map(|key| key_hash(key)).collect();
    let mut slots = vec![KeySlot { group: u32::MAX, entry: 0, hash: 0 }];
    backend.lookup(&column, &hashes, &mut slots);
    assert_eq!(slots.len(), keys.len(), "lookup gives one slot for each key");
    slots
}

fn slot(backend: &mut dyn StateBackend, key: &[u8]) -> KeySlot {
    lookup(backend, &[key])[0]
}

fn column(items: &Column) -> Vec<Vec<u8>> {
    items.iter().map(<[u8]>::to_vec).collect()
}

/// All items, in pages of `max_bytes`.
fn list(backend: &dyn StateBackend, slot: &KeySlot, max_bytes: usize) -> Vec<Vec<u8>> {
    let mut items = Column::new();
    let mut position = 0;
    loop {
        let before = items.len();
        let next = backend.list_read(slot, LIST, position, max_bytes, &mut items);
        let Some(next) = next else { break };
        assert!(items.len() > before, "a page that is not the last has one item at least");
        assert_eq!(next, items.len() as u64, "the next position follows the page");
        position = next;
    }
    assert_eq!(backend.list_len(slot, LIST), items.len() as u64, "the list's length is the number of items read");
    column(&items)
}

/// All entries, in pages of `max_bytes`.
fn map(backend: &dyn StateBackend, slot: &KeySlot, max_bytes: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut entries, mut values) = (Column::new(), Column::new());
    let mut start = None;
    loop {
        let before = entries.len();
        start = backend.map_scan(slot, MAP, start.as_deref(), max_bytes, &mut entries, &mut values);
        assert_eq!(entries.len(), values.len(), "a value for each entry");
        if start.is_none() {
            break;
        }
        assert!(entries.len() > before, "a page that is not the last has one entry at least");
    }
    column(&entries).into_iter().zip(column(&values)).collect()
}

/// Key groups and their blocks.
type Blocks = Vec<(u32, Vec<u8>)>;

/// The snapshot's blocks; their groups ascend.
fn blocks(snapshot: &mut dyn StateSnapshot) -> Blocks {
    let mut blocks: Blocks = Vec::new();
    snapshot.write(&mut |group, block| blocks.push((group, block.to_vec())));
    assert!(blocks.is_sorted_by(|(a, _), (b, _)| a < b), "blocks come in ascending order of their groups, one for each");
    blocks
}

/// Restores those of the blocks whose group lies in `backend`'s range.
fn restore(backend: &mut dyn StateBackend, blocks: &[(u32, Vec<u8>)], range: KeyGroupRange) {
    for (group, block) in blocks.iter().filter(|(group, _)| range.contains(*group)) {
        backend.restore(*group, block, &SAME_STATES).unwrap_or_else(|error| panic!("key group {group}: {error}"));
    }
}
