//! Random state that is written, rewritten and restored, against a plain model of the values; and what is refused.

use super::*;
use crate::element::{CheckpointId, Column};
use crate::error::ErrorKind;
use crate::state::conformance::SteadyBackend;
use crate::state::migrate::MIGRATED_VALUES;
use crate::state::{BroadcastState, KeyGroupRange, KeySlot, MemoryBackendFactory, StateKind};
use std::collections::BTreeMap;
use std::sync::Mutex;

#[path = "rewrite_lifetimes_tests.rs"]
mod lifetimes;

const GROUPS: KeyGroupRange = KeyGroupRange { start: 0, end: 2 };
const KINDS: [StateKind; 4] = [StateKind::Value, StateKind::List, StateKind::Map, StateKind::Value];

/// States of these names; `a2` is one of version 2.
fn states(names: &str, kinds: &[StateKind]) -> Vec<StateDescriptor> {
    let state = |(name, kind): (&str, &StateKind)| {
        let (name, version) = name.split_at(1);
        StateDescriptor { name: name.into(), kind: *kind, schema: "raw".into(), version: version.parse().expect("a version"), ttl: None }
    };
    names.split(' ').zip(kinds).map(state).collect()
}

/// Puts the state's number and the old version in front of each value, and remembers the sizes of its batches.
#[derive(Default)]
struct Marking(Mutex<Vec<usize>>);

const BATCH_BYTES: u64 = 40;

impl StateMigrator for Marking {
    fn migrate(&self, state: usize, from_version: u32, values: &Column) -> Result<Column, EngineError> {
        assert!(values.data().len() as u64 <= BATCH_BYTES || values.len() == 1, "{} bytes", values.data().len());
        self.0.lock().expect("no panic").push(values.len());
        let mut migrated = Column::new();
        values.iter().for_each(|value| migrated.push(&marked(state, from_version, value)));
        Ok(migrated)
    }

    fn batch_bytes(&self) -> u64 {
        BATCH_BYTES
    }
}

fn marked(state: usize, from_version: u32, value: &[u8]) -> Vec<u8> {
    [format!("{state}<{from_version}:").as_bytes(), value].concat()
}

/// For each key of each state its value, items or entries, all as lists of (entry, value).
type Model = BTreeMap<(Vec<u8>, usize), Vec<(Vec<u8>, Vec<u8>)>>;

struct Backend {
    states: Vec<StateDescriptor>,
    backend: SteadyBackend,
    model: Model,
}

impl Backend {
    fn new(states: Vec<StateDescriptor>) -> Self {
        let backend = SteadyBackend::new(MemoryBackendFactory::new(1).create(&states, GROUPS, GROUPS.end));
        Self { states, backend, model: Model::new() }
    }

    fn slot(&mut self, key: &[u8]) -> KeySlot {
        self.backend.slot(key)
    }

    /// Sets, appends, puts or clears at random.
    fn change(&mut self, rng: &mut fastrand::Rng) {
        let (key, state, value) = ([b'k', rng.u8(..12)], rng.usize(..self.states.len()), vec![b'v'; rng.usize(..30)]);
        let mut slot = self.slot(&key);
        let kept = self.model.entry((key.to_vec(), state)).or_default();
        match (self.states[state].kind, rng.u8(..4)) {
            (_, 0) => {
                self.backend.clear(&mut slot, &key, state);
                kept.clear();
            }
            (StateKind::Value, _) => {
                self.backend.set_value(&mut slot, &key, state, &value);
                *kept = vec![(Vec::new(), value)];
            }
            (StateKind::List, _) => {
                self.backend.list_append(&mut slot, &key, state, &value);
                kept.push((Vec::new(), value));
            }
            (StateKind::Map | StateKind::Broadcast, _) => {
                let entry = vec![rng.u8(..5)];
                self.backend.map_put(&mut slot, &key, state, &entry, &value);
                kept.retain(|(other, _)| *other != entry);
                kept.push((entry, value));
                kept.sort();
            }
        }
        self.model.retain(|_, kept| !kept.is_empty());
    }

    fn contents(&mut self) -> Model {
        let mut contents = Model::new();
        for key in (0..12).map(|key| [b'k', key]) {
            let slot = self.slot(&key);
            for (state, declared) in self.states.iter().enumerate() {
                let (mut entries, mut values) = (Column::new(), Column::new());
                match declared.kind {
                    StateKind::Value => self.backend.value(&slot, state).into_iter().for_each(|value| values.push(&value)),
                    StateKind::List => _ = self.backend.list_read(&slot, state, 0, usize::MAX, &mut values),
                    StateKind::Map | StateKind::Broadcast => {
                        _ = self.backend.map_scan(&slot, state, None, usize::MAX, &mut entries, &mut values);
                    }
                }
                let entry = |at: usize| if entries.is_empty() { Vec::new() } else { entries.get(at).to_vec() };
                let kept: Vec<_> = values.iter().enumerate().map(|(at, value)| (entry(at), value.to_vec())).collect();
                if !kept.is_empty() {
                    contents.insert((key.to_vec(), state), kept);
                }
            }
        }
        contents
    }
}

/// What `model` becomes by `rewrite`.
fn rewritten(model: &Model, stored: &[StateDescriptor], rewrite: &StateRewrite) -> Model {
    let mut now = Model::new();
    for ((key, state), kept) in model {
        let Some(place) = rewrite.places()[*state] else { continue };
        let version = stored[*state].version;
        let migrate = |value: &Vec<u8>| match version < rewrite.declared[place].version {
            true => marked(place, version, value),
            false => value.clone(),
        };
        now.insert((key.clone(), place), kept.iter().map(|(entry, value)| (entry.clone(), migrate(value))).collect());
    }
    now
}

/// Random state of the states `was`, restored as the states `now` from a whole snapshot and deltas behind it.
#[track_caller]
fn check(was: &str, now: &str, places: [Option<usize>; 4], kinds_now: &[StateKind]) {
    for seed in 0..30 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let stored = states(was, &KINDS);
        let mut before = Backend::new(stored.clone());
        let mut after = Backend::new(states(now, kinds_now));
        let rewrite = StateRewrite::new(places.to_vec(), &after.states, Some(Arc::new(Marking::default())));
        for checkpoint in 1..=5 {
            (0..rng.usize(..40)).for_each(|_| before.change(&mut rng));
            let base = (checkpoint > 1).then(|| CheckpointId(checkpoint - 1));
            for (group, bytes) in before.backend.blocks(CheckpointId(checkpoint), base) {
                match base {
                    None => after.backend.restore(group, &rewrite.block(&bytes, JudgedBy::NONE).unwrap(), rewrite.places()).unwrap(),
                    Some(_) => {
                        after.backend.restore_delta(group, &rewrite.delta(&bytes, JudgedBy::NONE).unwrap(), rewrite.places()).unwrap()
                    }
                }
            }
            assert_eq!(before.contents(), before.model, "seed {seed}");
            assert_eq!(after.contents(), rewritten(&before.model, &stored, &rewrite), "seed {seed}, checkpoint {checkpoint}");
            let keys: std::collections::BTreeSet<_> = after.contents().into_keys().map(|(key, _)| key).collect();
            assert_eq!(after.backend.keys(), keys.len() as u64, "seed {seed}: a key without state is gone");
        }
    }
}

#[test]
fn states_that_stay_are_restored_in_another_order() {
    check("a1 b1 c1 d1", "d1 c1 b1 a1", [Some(3), Some(2), Some(1), Some(0)], &[KINDS[3], KINDS[2], KINDS[1], KINDS[0]]);
}

#[test]
fn older_values_items_and_entries_are_migrated_from_their_version() {
    check("a1 b1 c2 d4", "a2 b1 c5 d4", [0, 1, 2, 3].map(Some), &KINDS);
    check("a1 b1 c2 d4", "d5 c2 b7 a1", [Some(3), Some(2), Some(1), Some(0)], &[KINDS[3], KINDS[2], KINDS[1], KINDS[0]]);
}

#[test]
fn what_is_dropped_leaves_nothing_behind_and_new_states_begin_empty() {
    check("a1 b1 c1 d1", "a1", [Some(0), None, None, None], &KINDS);
    check("a1 b1 c1 d1", "x1 b2", [None, Some(1), None, None], &KINDS);
}

#[test]
fn what_needs_no_change_is_not_touched() {
    let (stored, mut backend) = (states("a1 b1 c1 d1", &KINDS), Backend::new(states("a1 b1 c1 d1", &KINDS)));
    (0..50).for_each(|_| backend.change(&mut fastrand::Rng::with_seed(3)));
    let rewrite = StateRewrite::new(vec![Some(0), Some(1), Some(2), Some(3)], &stored, None);
    for (_, block) in backend.backend.blocks(CheckpointId(1), None) {
        assert!(matches!(rewrite.block(&block, JudgedBy::NONE), Ok(Cow::Borrowed(_))));
    }
}

#[test]
fn a_batch_is_bounded_in_values_and_bytes() {
    let stored = states("a1", &[StateKind::List]);
    let mut backend = Backend::new(stored.clone());
    let mut slot = backend.slot(b"k");
    (0..2_500).for_each(|_| backend.backend.list_append(&mut slot, b"k", 0, b""));
    [30, 5, 10, 41, 100, 1].iter().for_each(|&bytes| backend.backend.list_append(&mut slot, b"k", 0, &vec![7; bytes]));
    let marking = Arc::new(Marking::default());
    let rewrite = StateRewrite::new(vec![Some(0)], &states("a2", &[StateKind::List]), Some(marking.clone()));
    backend.backend.blocks(CheckpointId(1), None).iter().for_each(|(_, block)| _ = rewrite.block(block, JudgedBy::NONE).unwrap());
    assert_eq!(MIGRATED_VALUES, 1_024);
    assert_eq!(*marking.0.lock().unwrap(), [1_024, 1_024, 452 + 2, 1, 1, 1, 1]);
}

/// Loses the last value of each batch.
struct Losing;

impl StateMigrator for Losing {
    fn migrate(&self, _state: usize, from_version: u32, values: &Column) -> Result<Column, EngineError> {
        if from_version == 2 {
            return Err(EngineError::new(ErrorKind::FixInput, "no way from 2"));
        }
        let mut migrated = Column::new();
        values.iter().skip(1).for_each(|value| migrated.push(value));
        Ok(migrated)
    }

    fn batch_bytes(&self) -> u64 {
        1_000
    }
}

#[test]
fn as_many_values_come_out_as_went_in() {
    let refused = |was: &str| {
        let mut backend = Backend::new(states(was, &KINDS));
        let mut slot = backend.slot(b"k");
        backend.backend.set_value(&mut slot, b"k", 0, b"value");
        let rewrite = StateRewrite::new(vec![Some(0)], &states("a3", &KINDS), Some(Arc::new(Losing)));
        let blocks = backend.backend.blocks(CheckpointId(1), None);
        rewrite.block(&blocks[0].1, JudgedBy::NONE).unwrap_err().to_string()
    };
    assert_eq!(refused("a1"), "migrate state \"a\" from version 1 to 3: 1 values went in and 0 came out");
    assert_eq!(refused("a2"), "1 values from the key \"k\" on: no way from 2");
}

#[test]
fn broadcast_state_is_rewritten_like_keyed_state() {
    let kinds = [StateKind::Broadcast; 3];
    let entries = |state: &BroadcastState, number: usize| {
        let (mut entries, mut values) = (Column::new(), Column::new());
        state.scan(number, None, usize::MAX, &mut entries, &mut values);
        entries
            .iter()
            .zip(values.iter())
            .map(|(entry, value)| format!("{}={}", entry.escape_ascii(), value.escape_ascii()))
            .collect::<Vec<_>>()
    };
    let mut before = BroadcastState::new(&states("a1 b1 c1", &kinds)).unwrap();
    for (state, entry) in [(0, "x"), (0, "y"), (1, "x"), (2, "x")] {
        before.put(state, entry.as_bytes(), format!("{state}{entry}").as_bytes());
    }
    let mut section = Vec::new();
    before.write(&mut section);
    let declared = states("c1 a3", &kinds);
    let rewrite = StateRewrite::new(vec![Some(1), None, Some(0)], &declared, Some(Arc::new(Marking::default())));
    let mut after = BroadcastState::new(&declared).unwrap();
    after.restore(&rewrite.broadcast(&section).unwrap(), rewrite.places()).unwrap();
    assert_eq!((entries(&after, 0), entries(&after, 1)), (vec!["x=2x".into()], vec!["x=1<1:0x".into(), "y=1<1:0y".into()]));
    let same = StateRewrite::new(vec![Some(0), Some(1), Some(2)], &states("a1 b1 c1", &kinds), None);
    assert!(matches!(same.broadcast(&section), Ok(Cow::Borrowed(_))));
    // Damage is refused whatever is rewritten.
    for length in 0..section.len() {
        assert!(rewrite.broadcast(&section[..length]).is_err(), "{length} bytes were accepted");
    }
}
