//! What every [`StateBackend`](super::StateBackend) promises, as a suite that each implementation runs from one test.
//!
//! The cases that people think of are written out one by one; the rest is found by doing random things to a backend and to a
//! model of it, an ordered map, and comparing the two. Everything panics with what differed. A backend may fail with
//! [`ErrorKind::Retry`](crate::ErrorKind) as often as it likes: what it promises must hold as if it had not.

mod cases;
mod faulty_backend;
mod halves;
mod increment_cases;
mod increments;
mod model;
mod random;
mod steady;
mod stored;

pub use faulty_backend::{FaultyBackendFactory, StateFaultPlan};
pub use steady::{SteadyBackend, Written, write};

use super::{BackendPlace, KeyGroupRange, KeySlot, StateBackendFactory, StateDescriptor, StateKind, StateSnapshot};
use crate::element::Column;
use crate::error::EngineError;

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
    let state = |(name, kind): (&str, _)| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl: None };
    kinds.into_iter().map(state).collect()
}

/// Every state of a block is the same state here.
const SAME_STATES: [Option<usize>; 4] = [Some(0), Some(1), Some(2), Some(3)];

const MAX_PARALLELISM: u32 = 8;
const ALL_GROUPS: KeyGroupRange = KeyGroupRange { start: 0, end: MAX_PARALLELISM };

/// A backend of these states and groups.
fn made(factory: &dyn StateBackendFactory, states: &[StateDescriptor], range: KeyGroupRange) -> SteadyBackend {
    let place = BackendPlace { operator: "op", subtask: 0, states, range, max_parallelism: MAX_PARALLELISM };
    let opened = (0..100).find_map(|_| factory.open(&place).ok());
    SteadyBackend::new(opened.expect("a backend that fails now and then opens in the end"))
}

/// A backend of all groups with the suite's states.
fn backend(factory: &dyn StateBackendFactory) -> SteadyBackend {
    made(factory, &descriptors(), ALL_GROUPS)
}

fn column(items: &Column) -> Vec<Vec<u8>> {
    items.iter().map(<[u8]>::to_vec).collect()
}

/// All items, in pages of `max_bytes`.
fn list(backend: &SteadyBackend, slot: &KeySlot, max_bytes: usize) -> Vec<Vec<u8>> {
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
fn map(backend: &SteadyBackend, slot: &KeySlot, max_bytes: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
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

/// What a snapshot writes.
fn written(mut snapshot: StateSnapshot) -> Written {
    write(&mut snapshot).0
}

/// Restores what was written: the blocks whose group lies in `backend`'s range, or every file.
fn restore(backend: &mut SteadyBackend, written: &Written, range: KeyGroupRange) {
    restore_as(backend, written, range, &SAME_STATES).unwrap_or_else(|error| panic!("{error}"));
}

fn restore_as(backend: &mut SteadyBackend, written: &Written, range: KeyGroupRange, states: &[Option<usize>]) -> Result<(), EngineError> {
    match written {
        Written::Blocks(blocks) => {
            let mut inside = blocks.iter().filter(|(group, _)| range.contains(*group));
            inside.try_for_each(|(group, block)| backend.restore(*group, block, states))
        }
        Written::Files(files) => files.iter().try_for_each(|(name, contents)| backend.restore_file(0, name, contents, states)),
    }
}
