//! Snapshots that write only what has changed: with what they build on, they are the state as it was.

use super::model::Model;
use super::random::{change_key, keys};
use super::{ALL_GROUPS, Blocks, LIST, MAP, MAX_PARALLELISM, SAME_STATES, VALUE, backend, blocks, descriptors, lookup, restore, slot};
use crate::element::CheckpointId;
use crate::error::ErrorKind;
use crate::state::{KeyGroupRange, StateBackend, StateBackendFactory, StateSnapshot, key_group_of, key_hash};
use fastrand::Rng;
use std::collections::BTreeMap;

const STEPS: usize = 200;
/// Snapshots that are taken and not yet written, or written and neither complete nor aborted.
const IN_FLIGHT: usize = 4;

/// What a snapshot wrote, and what it builds on.
#[derive(Clone)]
struct Written {
    base: Option<CheckpointId>,
    parts: Blocks,
    /// What it said of the whole state's size,
    bytes: u64,
    /// and number of keys.
    keys: u64,
}

/// Restores a snapshot: everything first, then each delta on the way to it.
fn restore_chain(backend: &mut dyn StateBackend, all: &BTreeMap<CheckpointId, Written>, of: CheckpointId, range: KeyGroupRange) {
    let Written { base, parts, .. } = &all[&of];
    let Some(base) = base else { return restore(backend, parts, range) };
    restore_chain(backend, all, *base, range);
    for (group, delta) in parts.iter().filter(|(group, _)| range.contains(*group)) {
        backend.restore_delta(*group, delta, &SAME_STATES).unwrap_or_else(|error| panic!("delta of key group {group}: {error}"));
    }
}

/// A backend whose checkpoints are taken, written late but in order, completed in any order or aborted.
struct Run<'a> {
    factory: &'a dyn StateBackendFactory,
    rng: Rng,
    keys: Vec<Vec<u8>>,
    backend: Box<dyn StateBackend>,
    model: Model,
    next: CheckpointId,
    /// Taken, not written.
    taken: Vec<(CheckpointId, Option<CheckpointId>, Box<dyn StateSnapshot>, Model)>,
    /// Written, not complete.
    pending: BTreeMap<CheckpointId, Model>,
    completed: BTreeMap<CheckpointId, Model>,
    written: BTreeMap<CheckpointId, Written>,
    deltas: usize,
}

pub(super) fn check_random(factory: &dyn StateBackendFactory, mut rng: Rng) {
    let keys = keys(&mut rng);
    let mut run = Run {
        factory,
        rng,
        keys,
        backend: backend(factory),
        model: Model::default(),
        next: CheckpointId(1),
        taken: Vec::new(),
        pending: BTreeMap::new(),
        completed: BTreeMap::new(),
        written: BTreeMap::new(),
        deltas: 0,
    };
    for _ in 0..STEPS {
        match run.rng.u8(0..12) {
            0..=1 => run.take(),
            2..=3 => run.write_next(),
            4 => run.complete_one(),
            5 => run.abort_one(),
            6 => run.restore_one(),
            _ => run.change(),
        }
    }
    run.restore_one();
    assert!(run.deltas > 0, "the run wrote no delta");
}

impl Run<'_> {
    fn change(&mut self) {
        let share = *self.rng.choice(&[1, 2, 10, 50]).expect("there are choices");
        let rng = &mut self.rng;
        let batch: Vec<&[u8]> = self.keys.iter().filter(|_| rng.usize(0..share) == 0).map(Vec::as_slice).collect();
        let mut slots = lookup(&mut *self.backend, &batch);
        for _ in 0..batch.len() {
            let at = rng.usize(0..batch.len());
            change_key(&mut *self.backend, &mut self.model, &mut slots[at], batch[at], rng);
            if rng.u8(0..4) == 0 {
                (0..descriptors().len()).for_each(|state| self.backend.clear(&mut slots[at], batch[at], state));
                self.model.change(batch[at], |states| *states = Default::default());
            }
        }
    }

    /// Takes a snapshot since the newest completed one, or since another that is remembered, or of everything.
    fn take(&mut self) {
        if self.taken.len() + self.pending.len() >= IN_FLIGHT {
            return;
        }
        let newest = self.completed.keys().next_back().copied();
        let any = self.rng.choice(self.completed.keys().copied());
        let base = *self.rng.choice(&[newest, newest, newest, any, None]).expect("there are choices");
        let base = base.filter(|&base| self.backend.changed_since(base).is_some());
        if let Some(base) = newest.filter(|_| self.rng.bool()) {
            self.backend.retire(base);
            assert!(self.backend.changed_since(base).is_some(), "the snapshot for {base} is remembered: none before it is a base");
        }
        let base = base.filter(|&base| self.backend.changed_since(base).is_some());
        let snapshot = self.backend.snapshot(self.next, base);
        self.taken.push((self.next, base, snapshot, self.model.clone()));
        self.next = CheckpointId(self.next.0 + 1);
    }

    fn write_next(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let (id, base, mut snapshot, model) = self.taken.remove(0);
        let mut parts = Vec::new();
        let bytes = snapshot.write(&mut |group, part| parts.push((group, part.to_vec())));
        self.deltas += usize::from(base.is_some() && !parts.is_empty());
        self.written.insert(id, Written { base, parts, bytes, keys: snapshot.keys() });
        self.pending.insert(id, model);
    }

    fn complete_one(&mut self) {
        let Some(id) = self.rng.choice(self.pending.keys().copied()) else { return };
        let model = self.pending.remove(&id).expect("it is pending");
        self.completed.insert(id, model);
        // A completed checkpoint aborts the older ones.
        self.pending.retain(|&pending, _| pending > id);
    }

    fn abort_one(&mut self) {
        if let Some(id) = self.rng.choice(self.pending.keys().copied()) {
            self.pending.remove(&id);
        }
    }

    /// Restores a completed checkpoint into two backends that share its groups, and compares both with the model as it was.
    fn restore_one(&mut self) {
        let Some(id) = self.rng.choice(self.completed.keys().copied()) else { return };
        let model = &self.completed[&id];
        let (mut bytes, mut keys_restored) = (0, 0);
        let middle = self.rng.u32(0..=MAX_PARALLELISM);
        for range in [KeyGroupRange { start: 0, end: middle }, KeyGroupRange { start: middle, end: MAX_PARALLELISM }] {
            let mut part = self.factory.create(&descriptors(), range, MAX_PARALLELISM);
            restore_chain(&mut *part, &self.written, id, range);
            let in_range = |key: &&[u8]| range.contains(key_group_of(key_hash(key), MAX_PARALLELISM));
            let keys: Vec<&[u8]> = self.keys.iter().map(Vec::as_slice).filter(in_range).collect();
            model.restricted_to(range, MAX_PARALLELISM).check(&mut *part, &keys, &mut self.rng);
            keys_restored += part.keys();
            bytes += part.snapshot(id, None).write(&mut |_, _| {});
        }
        let written = &self.written[&id];
        assert_eq!((written.keys, written.bytes), (keys_restored, bytes), "keys and bytes of the whole state at checkpoint {id}");
    }
}

/// Runs every case.
pub(super) fn check_cases(factory: &dyn StateBackendFactory) {
    for case in [
        nothing_changed_is_nothing_written,
        only_what_changed_is_written,
        what_an_aborted_checkpoint_wrote_is_in_the_next,
        a_key_that_came_and_went_leaves_nothing,
        a_removed_key_that_came_again_has_its_new_states_alone,
        a_delta_that_does_not_belong_is_refused,
    ] {
        case(factory);
    }
}

fn set(backend: &mut dyn StateBackend, key: &[u8], value: &[u8]) {
    let mut of_key = slot(backend, key);
    backend.set_value(&mut of_key, key, VALUE, value);
}

fn id(number: u64) -> CheckpointId {
    CheckpointId(number)
}

/// A backend with `keys` keys of four bytes, of which snapshot 1 has been taken.
fn filled(factory: &dyn StateBackendFactory, keys: u32) -> (Box<dyn StateBackend>, Blocks) {
    let mut backend = backend(factory);
    (0..keys).for_each(|key| set(&mut *backend, &key.to_le_bytes(), b"old"));
    let full = blocks(&mut *backend.snapshot(id(1), None));
    (backend, full)
}

fn nothing_changed_is_nothing_written(factory: &dyn StateBackendFactory) {
    let (mut backend, full) = filled(factory, 200);
    assert_eq!((backend.changed_since(id(1)), backend.changed_since(id(7))), (Some(0), None));
    let mut snapshot = backend.snapshot(id(2), Some(id(1)));
    let mut parts = 0;
    let bytes = snapshot.write(&mut |_, _| parts += 1);
    let all: usize = full.iter().map(|(_, block)| block.len()).sum();
    assert_eq!((parts, bytes, snapshot.keys()), (0, all as u64, 200));
}

fn only_what_changed_is_written(factory: &dyn StateBackendFactory) {
    let (mut backend, full) = filled(factory, 2_000);
    set(&mut *backend, &7_u32.to_le_bytes(), b"new");
    assert_eq!(backend.changed_since(id(1)), Some(1));
    let delta = blocks(&mut *backend.snapshot(id(2), Some(id(1))));
    assert_eq!(delta.len(), 1);
    assert!(delta[0].1.len() < 40, "{} bytes for one key of {} groups", delta[0].1.len(), full.len());
}

fn what_an_aborted_checkpoint_wrote_is_in_the_next(factory: &dyn StateBackendFactory) {
    let (mut backend, full) = filled(factory, 10);
    set(&mut *backend, b"first", b"1");
    drop(backend.snapshot(id(2), Some(id(1))));
    set(&mut *backend, b"second", b"2");
    assert_eq!((backend.changed_since(id(1)), backend.changed_since(id(2))), (Some(2), Some(1)));
    let delta = blocks(&mut *backend.snapshot(id(3), Some(id(1))));
    let mut restored = restored(factory, &full, &delta);
    for (key, value) in [(&b"first"[..], &b"1"[..]), (b"second", b"2")] {
        let of_key = slot(&mut *restored, key);
        assert_eq!(restored.value(&of_key, VALUE), Some(value));
    }
}

fn a_key_that_came_and_went_leaves_nothing(factory: &dyn StateBackendFactory) {
    let (mut backend, _) = filled(factory, 10);
    for key in 0..1_000_u32 {
        let key = [&b"passing"[..], &key.to_le_bytes()].concat();
        let mut of_key = slot(&mut *backend, &key);
        backend.list_append(&mut of_key, &key, LIST, b"item");
        backend.clear(&mut of_key, &key, LIST);
    }
    let delta = blocks(&mut *backend.snapshot(id(2), Some(id(1))));
    let bytes: usize = delta.iter().map(|(_, delta)| delta.len()).sum();
    assert!(bytes < 200, "{bytes} bytes for no change");
}

fn a_removed_key_that_came_again_has_its_new_states_alone(factory: &dyn StateBackendFactory) {
    let (mut backend, _) = filled(factory, 0);
    let mut k = slot(&mut *backend, b"k");
    backend.set_value(&mut k, b"k", VALUE, b"old");
    backend.map_put(&mut k, b"k", MAP, b"e", b"old");
    set(&mut *backend, b"stays away", b"old");
    let full = blocks(&mut *backend.snapshot(id(2), None));
    let mut k = slot(&mut *backend, b"k");
    backend.clear(&mut k, b"k", VALUE);
    backend.clear(&mut k, b"k", MAP);
    backend.list_append(&mut k, b"k", LIST, b"new");
    let mut away = slot(&mut *backend, b"stays away");
    backend.clear(&mut away, b"stays away", VALUE);
    let delta = blocks(&mut *backend.snapshot(id(3), Some(id(2))));
    let mut restored = restored(factory, &full, &delta);
    let k = slot(&mut *restored, b"k");
    assert_eq!((restored.keys(), restored.value(&k, VALUE), restored.map_get(&k, MAP, b"e")), (1, None, None));
    assert_eq!(restored.list_len(&k, LIST), 1);
}

fn restored(factory: &dyn StateBackendFactory, full: &Blocks, delta: &Blocks) -> Box<dyn StateBackend> {
    let mut restored = backend(factory);
    restore(&mut *restored, full, ALL_GROUPS);
    delta.iter().for_each(|(group, delta)| restored.restore_delta(*group, delta, &SAME_STATES).expect("it was just written"));
    restored
}

fn a_delta_that_does_not_belong_is_refused(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    set(&mut *backend, b"k", b"1");
    drop(backend.snapshot(id(1), None));
    let mut k = slot(&mut *backend, b"k");
    backend.clear(&mut k, b"k", VALUE);
    set(&mut *backend, b"k", b"2");
    let (group, delta) = blocks(&mut *backend.snapshot(id(2), Some(id(1)))).remove(0);
    let other = (group + 1) % MAX_PARALLELISM;
    let range = KeyGroupRange { start: group, end: group + 1 };
    let refused = |range, group, delta: &[u8], states: &[Option<usize>]| {
        let mut restored = factory.create(&descriptors(), range, MAX_PARALLELISM);
        restored.restore_delta(group, delta, states).expect_err("a delta that does not belong here was applied").kind()
    };
    assert_eq!(refused(range, other, &delta, &SAME_STATES), ErrorKind::Bug, "a group of another subtask");
    assert_eq!(refused(ALL_GROUPS, other, &delta, &SAME_STATES), ErrorKind::Corrupt, "a removed key of another group");
    assert_eq!(refused(range, group, &delta, &SAME_STATES[..3]), ErrorKind::Corrupt, "another number of states");
    assert_eq!(refused(range, group, &delta, &[None, Some(1), Some(2), Some(3)]), ErrorKind::FixInput, "a state that is gone");
    for length in 0..delta.len() {
        assert_eq!(refused(range, group, &delta[..length], &SAME_STATES), ErrorKind::Corrupt, "{length} bytes of it");
    }
}
