//! Random batches of random changes, with snapshots in between that are written late and restored elsewhere.

use super::model::{Model, ModelKey};
use super::{ALL_GROUPS, LIST, MAP, SECOND_VALUE, SteadyBackend, VALUE, Written, backend, halves, restore, written};
use crate::element::{CheckpointId, Column};
use crate::state::{KeySlot, StateBackendFactory, StateSnapshot, ValuesOfKeys};
use fastrand::Rng;

const BATCHES: usize = 120;
const CHANGES_PER_KEY: usize = 4;
const OUTSTANDING_SNAPSHOTS: usize = 3;

/// A run: the keys that it knows, one backend, its model, and snapshots with the model as it was then.
struct Run<'a> {
    factory: &'a dyn StateBackendFactory,
    rng: Rng,
    keys: Vec<Vec<u8>>,
    backend: SteadyBackend,
    model: Model,
    snapshots: Vec<(StateSnapshot, Model)>,
    taken: u64,
}

pub(super) fn check(factory: &dyn StateBackendFactory, mut rng: Rng) {
    let keys = keys(&mut rng);
    let mut run = Run { factory, rng, keys, backend: backend(factory), model: Model::default(), snapshots: Vec::new(), taken: 0 };
    for batch in 0..BATCHES {
        run.change();
        match run.rng.u8(0..8) {
            0 => run.take_snapshot(),
            1 => run.check_a_snapshot(),
            2 => run.go_on_from_a_snapshot(),
            _ => {}
        }
        if batch % 8 == 0 {
            run.check();
        }
    }
    while !run.snapshots.is_empty() {
        run.check_a_snapshot();
    }
    run.check();
}

/// Distinct keys of all lengths: few in some runs, so that each changes often, and many in others.
pub(super) fn keys(rng: &mut Rng) -> Vec<Vec<u8>> {
    let count = *rng.choice(&[3, 40, 700]).expect("there are choices");
    let mut keys: Vec<Vec<u8>> = (0..count).map(|n: u32| [&n.to_be_bytes()[..], &bytes(rng)].concat()).collect();
    keys.push(Vec::new());
    keys.push(vec![0]);
    rng.shuffle(&mut keys);
    keys
}

/// Mostly short, some around the lengths where a backend may keep them elsewhere, or in fewer bits, a few long.
fn bytes(rng: &mut Rng) -> Vec<u8> {
    let length = match rng.u8(0..20) {
        0 => 0,
        16.. => return vec![rng.u8(0..10)],
        1..=8 => rng.usize(0..12),
        9..=14 => rng.usize(12..40),
        _ => rng.usize(40..600),
    };
    (0..length).map(|_| rng.u8(..)).collect()
}

impl Run<'_> {
    /// One batch: some keys looked up together, some of them changed.
    fn change(&mut self) {
        let share = self.rng.usize(1..=4);
        let rng = &mut self.rng;
        let batch: Vec<&[u8]> = self.keys.iter().filter(|_| rng.usize(0..share) == 0).map(Vec::as_slice).collect();
        let mut slots = self.backend.lookup(&batch);
        set_several(&mut self.backend, &mut self.model, &mut slots, &batch, rng);
        for _ in 0..rng.usize(0..=CHANGES_PER_KEY * batch.len()) {
            let at = rng.usize(0..batch.len());
            change_key(&mut self.backend, &mut self.model, &mut slots[at], batch[at], rng);
        }
        move_some(&mut self.backend, &mut self.model, &mut slots, &batch, rng);
    }

    fn check(&mut self) {
        let keys: Vec<&[u8]> = self.keys.iter().map(Vec::as_slice).collect();
        self.model.check(&mut self.backend, &keys, &mut self.rng);
    }

    fn take_snapshot(&mut self) {
        if self.snapshots.len() < OUTSTANDING_SNAPSHOTS {
            self.taken += 1;
            self.snapshots.push((self.backend.snapshot(CheckpointId(self.taken), None), self.model.clone()));
        }
    }

    fn any_snapshot(&mut self) -> Option<(Written, Model)> {
        let at = (!self.snapshots.is_empty()).then(|| self.rng.usize(0..self.snapshots.len()))?;
        let (snapshot, model) = self.snapshots.swap_remove(at);
        Some((written(snapshot), model))
    }

    /// Restores a snapshot into two backends that share its groups, and compares both with the model as it was then.
    fn check_a_snapshot(&mut self) {
        let Some((written, model)) = self.any_snapshot() else { return };
        halves::check(self.factory, &[&written], &model, &self.keys, &mut self.rng);
    }

    /// Throws the backend away, as after a failure, and goes on with a restored one.
    fn go_on_from_a_snapshot(&mut self) {
        let Some((written, model)) = self.any_snapshot() else { return };
        self.backend = backend(self.factory);
        restore(&mut self.backend, &written, ALL_GROUPS);
        self.model = model;
        self.check();
    }
}

/// Values of some of a batch's keys, in any order, set at once.
fn set_several(backend: &mut SteadyBackend, model: &mut Model, slots: &mut [KeySlot], batch: &[&[u8]], rng: &mut Rng) {
    let state = *rng.choice(&[(VALUE, 0), (SECOND_VALUE, 1)]).expect("there are choices");
    let mut chosen: Vec<u32> = (0..batch.len() as u32).filter(|_| rng.bool()).collect();
    rng.shuffle(&mut chosen);
    let (mut keys, mut values) = (Column::new(), Column::new());
    batch.iter().for_each(|key| keys.push(key));
    for &key in &chosen {
        let value = bytes(rng);
        values.push(&value);
        model.change(batch[key as usize], |states| states.values[state.1] = Some(value));
    }
    backend.set_values(slots, &keys, state.0, ValuesOfKeys { keys: &chosen, values: &values });
}

/// Some of a batch's keys are given all that others of their groups have; some of these have it back at once.
pub(super) fn move_some(backend: &mut SteadyBackend, model: &mut Model, slots: &mut [KeySlot], batch: &[&[u8]], rng: &mut Rng) {
    for _ in 0..batch.len().min(8) {
        let (from, to) = (rng.usize(0..batch.len()), rng.usize(0..batch.len()));
        let is_there = model.keys().contains_key(batch[to]);
        let Ok([of_from, of_to]) = slots.get_disjoint_mut([from, to]) else { continue };
        if is_there || of_from.group != of_to.group {
            continue;
        }
        backend.move_key((of_from, batch[from]), (of_to, batch[to]));
        if rng.bool() {
            backend.move_key((of_to, batch[to]), (of_from, batch[from]));
        } else if let Some(states) = model.keys().get(batch[from]).cloned() {
            model.change(batch[from], |states| *states = ModelKey::default());
            model.change(batch[to], |there| *there = states);
        }
    }
}

/// One random change of one key, in the backend and in the model.
pub(super) fn change_key(backend: &mut SteadyBackend, model: &mut Model, slot: &mut KeySlot, key: &[u8], rng: &mut Rng) {
    let value_state = *rng.choice(&[(VALUE, 0), (SECOND_VALUE, 1)]).expect("there are choices");
    // Entries of a map are few, so that they meet again.
    let entry = [vec![rng.u8(0..40)], vec![b'e'; rng.usize(0..2) * 30]].concat();
    let bytes = bytes(rng);
    match rng.u8(0..24) {
        0..=7 => {
            backend.set_value(slot, key, value_state.0, &bytes);
            model.change(key, |states| states.values[value_state.1] = Some(bytes));
        }
        8..=10 => {
            backend.list_append(slot, key, LIST, &bytes);
            model.change(key, |states| states.list.push(bytes));
        }
        11..=13 => {
            backend.map_put(slot, key, MAP, &entry, &bytes);
            model.change(key, |states| drop(states.map.insert(entry, bytes)));
        }
        14..=16 => {
            backend.map_remove(slot, key, MAP, &entry);
            model.change(key, |states| drop(states.map.remove(&entry)));
        }
        20 => {
            let count = rng.usize(0..4);
            backend.list_pop_front(slot, key, LIST, count as u64);
            model.change(key, |states| drop(states.list.drain(..count.min(states.list.len()))));
        }
        21 => {
            let len = rng.usize(0..6);
            backend.list_truncate(slot, key, LIST, len as u64);
            model.change(key, |states| states.list.truncate(len));
        }
        17 => {
            backend.clear(slot, key, LIST);
            model.change(key, |states| states.list.clear());
        }
        18 => {
            backend.clear(slot, key, MAP);
            model.change(key, |states| states.map.clear());
        }
        19 => {
            backend.remove_key(slot, key);
            model.change(key, |states| *states = ModelKey::default());
        }
        _ => {
            backend.clear(slot, key, value_state.0);
            model.change(key, |states| states.values[value_state.1] = None);
        }
    }
}
