//! The model of a backend: ordered maps, and nothing clever.

use super::{LIST, MAP, SECOND_VALUE, SteadyBackend, VALUE, list, map};
use crate::element::Column;
use crate::state::{KeyGroupRange, KeySlot, key_group_of, key_hash, size};
use std::collections::BTreeMap;

type Bytes = Vec<u8>;

/// The states of one key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ModelKey {
    pub values: [Option<Bytes>; 2],
    pub list: Vec<Bytes>,
    pub map: BTreeMap<Bytes, Bytes>,
}

impl ModelKey {
    /// Of each state, in the suite's order, what it counts as.
    fn bytes(&self) -> [u64; 4] {
        let value = |which: usize| self.values[which].as_ref().map_or(0, |value| value.len() as u64);
        let list = self.list.iter().map(|item| size::item_bytes(item)).sum();
        let map = self.map.iter().map(|(entry, value)| size::entry_bytes(entry, value)).sum();
        [value(0), list, map, value(1)]
    }
}

/// The states of all keys; a key without state is not there.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    keys: BTreeMap<Bytes, ModelKey>,
}

impl Model {
    /// Changes a key's states.
    pub fn change(&mut self, key: &[u8], change: impl FnOnce(&mut ModelKey)) {
        let states = self.keys.entry(key.to_vec()).or_default();
        change(states);
        if *states == ModelKey::default() {
            self.keys.remove(key);
        }
    }

    /// The model of a backend that was given the blocks of `range` alone.
    pub fn restricted_to(&self, range: KeyGroupRange, max_parallelism: u32) -> Self {
        let keys = self.keys.clone().into_iter();
        Self { keys: keys.filter(|(key, _)| range.contains(key_group_of(key_hash(key), max_parallelism))).collect() }
    }

    /// The keys with their states.
    pub fn keys(&self) -> &BTreeMap<Bytes, ModelKey> {
        &self.keys
    }

    /// Compares everything that the backend says of `keys` with the model; these are all the keys that either can have.
    pub fn check(&self, backend: &mut SteadyBackend, keys: &[&[u8]], rng: &mut fastrand::Rng) {
        assert_eq!(backend.keys(), self.keys.len() as u64, "number of keys");
        let slots = backend.lookup(keys);
        self.check_sizes(backend, keys, &slots);
        self.check_gathered(backend, keys, &slots);
        let absent = ModelKey::default();
        for (key, slot) in keys.iter().zip(&slots) {
            let expected = self.keys.get(*key).unwrap_or(&absent);
            assert_eq!(read(backend, slot, rng), *expected, "states of the key {}", key.escape_ascii());
            for (entry, value) in &expected.map {
                assert_eq!(backend.map_get(slot, MAP, entry).as_deref(), Some(&value[..]));
            }
            assert_eq!(backend.map_get(slot, MAP, b"no such entry"), None);
        }
    }

    /// What is held counts as what it is, however it came to be held.
    fn check_sizes(&self, backend: &SteadyBackend, keys: &[&[u8]], slots: &[KeySlot]) {
        let all: u64 = self.keys.iter().map(|(key, states)| size::key_bytes(key) + states.bytes().iter().sum::<u64>()).sum();
        assert_eq!(backend.bytes(), all, "bytes of all keys");
        let absent = ModelKey::default();
        for (key, slot) in keys.iter().zip(slots) {
            let expected = self.keys.get(*key).unwrap_or(&absent).bytes();
            let bytes = [VALUE, LIST, MAP, SECOND_VALUE].map(|state| backend.state_bytes(slot, state));
            assert_eq!(bytes, expected, "bytes of the states of the key {}", key.escape_ascii());
        }
    }

    fn check_gathered(&self, backend: &SteadyBackend, keys: &[&[u8]], slots: &[KeySlot]) {
        for (state, which) in [(VALUE, 0), (SECOND_VALUE, 1)] {
            let (mut present, mut values) = (vec![77], Column::new());
            values.push(b"what was there before");
            backend.gather_values(slots, state, usize::MAX, &mut present, &mut values);
            let value = |key: &&[u8]| self.keys.get(*key).and_then(|states| states.values[which].as_deref());
            let expected: Vec<(u32, &[u8])> = (0..).zip(keys).filter_map(|(index, key)| Some((index, value(key)?))).collect();
            let gathered: Vec<(u32, &[u8])> = present.into_iter().zip(values.iter()).skip(1).collect();
            assert_eq!(gathered, expected, "gathered values of state {state}");
        }
    }
}

/// A key's states as the backend has them, lists and maps read in pages of a random size.
fn read(backend: &SteadyBackend, slot: &KeySlot, rng: &mut fastrand::Rng) -> ModelKey {
    let value = |state| backend.value(slot, state);
    let mut max_bytes = || if rng.bool() { rng.usize(0..200) } else { usize::MAX };
    let list = list(backend, slot, max_bytes());
    let map = map(backend, slot, max_bytes());
    assert!(map.is_sorted_by(|(a, _), (b, _)| a < b), "entries come in byte order, each once");
    ModelKey { values: [value(VALUE), value(SECOND_VALUE)], list, map: map.into_iter().collect() }
}
