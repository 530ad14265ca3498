//! What was written, restored into two backends that share the key groups between them: each is its part of the state as it was.

use super::model::Model;
use super::{ALL_GROUPS, MAX_PARALLELISM, SAME_STATES, SteadyBackend, Written, descriptors, made, restore};
use crate::state::{KeyGroupRange, StateBackendFactory, key_group_of, key_hash};
use fastrand::Rng;

/// Restores a whole snapshot with the deltas behind it, cut at a random key group, and compares with `model`; `keys` are all that either can have.
pub(super) fn check(
    factory: &dyn StateBackendFactory,
    chain: &[&Written],
    model: &Model,
    keys: &[Vec<u8>],
    rng: &mut Rng,
) -> [SteadyBackend; 2] {
    let middle = rng.u32(0..=MAX_PARALLELISM);
    [KeyGroupRange { end: middle, ..ALL_GROUPS }, KeyGroupRange { start: middle, ..ALL_GROUPS }].map(|range| {
        let mut part = made(factory, &descriptors(), range);
        restore_chain(&mut part, chain, range);
        let in_range = |key: &&[u8]| range.contains(key_group_of(key_hash(key), MAX_PARALLELISM));
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).filter(in_range).collect();
        model.restricted_to(range, MAX_PARALLELISM).check(&mut part, &keys, rng);
        part
    })
}

/// Restores a snapshot: everything first, then each delta on the way to it.
fn restore_chain(backend: &mut SteadyBackend, chain: &[&Written], range: KeyGroupRange) {
    let (whole, deltas) = chain.split_first().expect("a chain begins with a whole snapshot");
    restore(backend, whole, range);
    for delta in deltas {
        let Written::Blocks(delta) = delta else { panic!("files are no deltas") };
        for (group, delta) in delta.iter().filter(|(group, _)| range.contains(*group)) {
            backend.restore_delta(*group, delta, &SAME_STATES).unwrap_or_else(|error| panic!("delta of key group {group}: {error}"));
        }
    }
}
