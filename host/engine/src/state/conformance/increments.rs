//! Random checkpoints that write only what has changed: each, with what it builds on, is the state as it was.

use super::model::Model;
use super::random::{change_key, keys, move_some};
use super::{SteadyBackend, Written, backend, descriptors, halves, stored, write};
use crate::element::CheckpointId;
use crate::state::{StateBackendFactory, StateSnapshot};
use fastrand::Rng;
use std::collections::BTreeMap;

const STEPS: usize = 200;
/// Snapshots that are taken and not yet written, or written and neither complete nor aborted.
const IN_FLIGHT: usize = 4;

/// What a snapshot wrote, and what it builds on.
#[derive(Clone)]
struct Stored {
    base: Option<CheckpointId>,
    parts: Written,
    /// What it said of the whole state's size.
    bytes: u64,
    /// What it said of the whole state's number of keys.
    keys: u64,
}

/// A snapshot that is yet to be written, with the model as it was.
struct Taken {
    id: CheckpointId,
    base: Option<CheckpointId>,
    snapshot: StateSnapshot,
    model: Model,
}

/// What a snapshot and all that it builds on wrote, oldest first.
fn parts(all: &BTreeMap<CheckpointId, Stored>, of: CheckpointId) -> Vec<&Written> {
    let Stored { base, parts: own, .. } = &all[&of];
    let mut chain = base.map(|base| parts(all, base)).unwrap_or_default();
    chain.push(own);
    chain
}

/// A backend whose checkpoints are taken, written late but in order, completed in any order or aborted.
struct Run<'a> {
    factory: &'a dyn StateBackendFactory,
    rng: Rng,
    keys: Vec<Vec<u8>>,
    backend: SteadyBackend,
    model: Model,
    next: CheckpointId,
    /// Taken, not written.
    taken: Vec<Taken>,
    /// Written, not complete.
    pending: BTreeMap<CheckpointId, Model>,
    completed: BTreeMap<CheckpointId, Model>,
    written: BTreeMap<CheckpointId, Stored>,
    deltas: usize,
    /// The backend's snapshots are files: there are no deltas.
    files: bool,
}

pub(super) fn check(factory: &dyn StateBackendFactory, mut rng: Rng) {
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
        files: false,
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
    assert!(run.files || run.deltas > 0, "the run wrote no delta");
}

impl Run<'_> {
    fn change(&mut self) {
        let share = *self.rng.choice(&[1, 2, 10, 50]).expect("there are choices");
        let rng = &mut self.rng;
        let batch: Vec<&[u8]> = self.keys.iter().filter(|_| rng.usize(0..share) == 0).map(Vec::as_slice).collect();
        let mut slots = self.backend.lookup(&batch);
        for _ in 0..batch.len() {
            let at = rng.usize(0..batch.len());
            change_key(&mut self.backend, &mut self.model, &mut slots[at], batch[at], rng);
            if rng.u8(0..4) == 0 {
                (0..descriptors().len()).for_each(|state| self.backend.clear(&mut slots[at], batch[at], state));
                self.model.change(batch[at], |states| *states = Default::default());
            }
        }
        move_some(&mut self.backend, &mut self.model, &mut slots, &batch, rng);
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
            assert!(
                self.files || self.backend.changed_since(base).is_some(),
                "the snapshot for {base} is remembered: none before it is a base"
            );
        }
        let base = base.filter(|&base| self.backend.changed_since(base).is_some());
        let snapshot = self.backend.snapshot(self.next, base);
        self.taken.push(Taken { id: self.next, base, snapshot, model: self.model.clone() });
        self.next = CheckpointId(self.next.0 + 1);
    }

    fn write_next(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let Taken { id, base, mut snapshot, model } = self.taken.remove(0);
        let (parts, bytes) = write(&mut snapshot);
        self.files = matches!(parts, Written::Files(_));
        self.deltas += usize::from(base.is_some() && !parts.is_empty());
        self.written.insert(id, Stored { base, parts, bytes, keys: snapshot.keys() });
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
        let chain = parts(&self.written, id);
        stored::check(&chain, model);
        let mut halves = halves::check(self.factory, &chain, model, &self.keys, &mut self.rng);
        let keys: u64 = halves.iter().map(SteadyBackend::keys).sum();
        let bytes: u64 = halves.iter_mut().map(|half| write(&mut half.snapshot(id, None)).1).sum();
        let written = &self.written[&id];
        assert_eq!((written.keys, written.bytes), (keys, bytes), "keys and bytes of the whole state at checkpoint {id}");
    }
}
