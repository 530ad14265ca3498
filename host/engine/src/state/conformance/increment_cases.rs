//! What people think of when a snapshot writes only what has changed since another.

use super::{
    ALL_GROUPS, LIST, MAP, MAX_PARALLELISM, SAME_STATES, SteadyBackend, VALUE, Written, backend, descriptors, list, made, restore, write,
    written,
};
use crate::element::CheckpointId;
use crate::error::ErrorKind;
use crate::state::{KeyGroupRange, StateBackendFactory};

/// Runs every case on a backend of its own.
pub(super) fn check_all(factory: &dyn StateBackendFactory) {
    for case in [
        nothing_changed_is_nothing_written,
        only_what_changed_is_written,
        what_an_aborted_checkpoint_wrote_is_in_the_next,
        a_key_that_came_and_went_leaves_nothing,
        a_removed_key_that_came_again_has_its_new_states_alone,
        a_list_that_lost_items_is_in_the_next,
        a_delta_that_does_not_belong_is_refused,
    ] {
        case(factory);
    }
}

fn set(backend: &mut SteadyBackend, key: &[u8], value: &[u8]) {
    let mut of_key = backend.slot(key);
    backend.set_value(&mut of_key, key, VALUE, value);
}

fn id(number: u64) -> CheckpointId {
    CheckpointId(number)
}

/// A backend with `keys` keys of four bytes, of which snapshot 1 has been taken.
fn filled(factory: &dyn StateBackendFactory, keys: u32) -> (SteadyBackend, Written) {
    let mut backend = backend(factory);
    (0..keys).for_each(|key| set(&mut backend, &key.to_le_bytes(), b"old"));
    let full = written(backend.snapshot(id(1), None));
    (backend, full)
}

/// Bytes that a checkpoint with `base` below it stores: of blocks all that is written, of files those that the base has not.
fn stored_bytes(written: &Written, base: &Written) -> usize {
    match (written, base) {
        (Written::Blocks(blocks), _) => blocks.iter().map(|(_, block)| block.len()).sum(),
        (Written::Files(files), Written::Files(of_base)) => {
            let is_shared = |name: &String| of_base.iter().any(|(other, _)| other == name);
            files.iter().filter(|(name, _)| !is_shared(name)).map(|(_, contents)| contents.len()).sum()
        }
        (Written::Files(_), Written::Blocks(_)) => panic!("a backend's snapshots are blocks or files"),
    }
}

fn nothing_changed_is_nothing_written(factory: &dyn StateBackendFactory) {
    let (mut backend, full) = filled(factory, 200);
    let base = match &full {
        Written::Blocks(_) => {
            assert_eq!((backend.changed_since(id(1)), backend.changed_since(id(7))), (Some(0), None));
            Some(id(1))
        }
        Written::Files(_) => None,
    };
    let mut snapshot = backend.snapshot(id(2), base);
    let (written, bytes) = write(&mut snapshot);
    let (_, all) = write(&mut backend.snapshot(id(3), None));
    assert_eq!((stored_bytes(&written, &full), bytes, snapshot.keys()), (0, all, 200));
}

fn only_what_changed_is_written(factory: &dyn StateBackendFactory) {
    let (mut backend, full) = filled(factory, 2_000);
    set(&mut backend, &7_u32.to_le_bytes(), b"new");
    match &full {
        Written::Blocks(full) => {
            assert_eq!(backend.changed_since(id(1)), Some(1));
            let delta = backend.blocks(id(2), Some(id(1)));
            assert_eq!(delta.len(), 1);
            assert!(delta[0].1.len() < 40, "{} bytes for one key of {} groups", delta[0].1.len(), full.len());
        }
        Written::Files(_) => {
            let (stored, all) =
                (stored_bytes(&written(backend.snapshot(id(2), None)), &full), stored_bytes(&full, &Written::Files(vec![])));
            assert!(0 < stored && stored < all, "{stored} of {all} bytes for one key");
        }
    }
}

/// The snapshot since `base`, where the backend remembers what has changed since then.
fn since(backend: &mut SteadyBackend, checkpoint: u64, base: u64) -> Written {
    let base = Some(id(base)).filter(|&base| backend.changed_since(base).is_some());
    written(backend.snapshot(id(checkpoint), base))
}

fn what_an_aborted_checkpoint_wrote_is_in_the_next(factory: &dyn StateBackendFactory) {
    let (mut backend, full) = filled(factory, 10);
    set(&mut backend, b"first", b"1");
    drop(backend.snapshot(id(2), Some(id(1))));
    set(&mut backend, b"second", b"2");
    if let Written::Blocks(_) = full {
        assert_eq!((backend.changed_since(id(1)), backend.changed_since(id(2))), (Some(2), Some(1)));
    }
    let delta = since(&mut backend, 3, 1);
    let mut restored = restored(factory, &full, &delta);
    for (key, value) in [(&b"first"[..], &b"1"[..]), (b"second", b"2")] {
        let of_key = restored.slot(key);
        assert_eq!(restored.value(&of_key, VALUE).as_deref(), Some(value));
    }
}

fn a_key_that_came_and_went_leaves_nothing(factory: &dyn StateBackendFactory) {
    let (mut backend, full) = filled(factory, 10);
    for key in 0..1_000_u32 {
        let key = [&b"passing"[..], &key.to_le_bytes()].concat();
        let mut of_key = backend.slot(&key);
        backend.list_append(&mut of_key, &key, LIST, b"item");
        backend.clear(&mut of_key, &key, LIST);
    }
    let delta = since(&mut backend, 2, 1);
    let bytes = stored_bytes(&delta, &full);
    assert!(bytes < 200, "{bytes} bytes for no change");
}

fn a_removed_key_that_came_again_has_its_new_states_alone(factory: &dyn StateBackendFactory) {
    let (mut backend, _) = filled(factory, 0);
    let mut k = backend.slot(b"k");
    backend.set_value(&mut k, b"k", VALUE, b"old");
    backend.map_put(&mut k, b"k", MAP, b"e", b"old");
    set(&mut backend, b"stays away", b"old");
    let full = written(backend.snapshot(id(2), None));
    let mut k = backend.slot(b"k");
    backend.clear(&mut k, b"k", VALUE);
    backend.clear(&mut k, b"k", MAP);
    backend.list_append(&mut k, b"k", LIST, b"new");
    let mut away = backend.slot(b"stays away");
    backend.clear(&mut away, b"stays away", VALUE);
    let delta = since(&mut backend, 3, 2);
    let mut restored = restored(factory, &full, &delta);
    let k = restored.slot(b"k");
    assert_eq!((restored.keys(), restored.value(&k, VALUE), restored.map_get(&k, MAP, b"e")), (1, None, None));
    assert_eq!(restored.list_len(&k, LIST), 1);
}

fn a_list_that_lost_items_is_in_the_next(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let keys: [&[u8]; 3] = [b"front", b"back", b"all"];
    for key in keys {
        let mut of_key = backend.slot(key);
        (0..4_u8).for_each(|item| backend.list_append(&mut of_key, key, LIST, &[item]));
    }
    let full = written(backend.snapshot(id(1), None));
    let [mut front, mut back, mut all] = keys.map(|key| backend.slot(key));
    backend.list_truncate(&mut front, b"front", LIST, 4);
    assert_eq!(stored_bytes(&since(&mut backend, 2, 1), &full), 0, "what removes no item changes nothing");
    backend.list_pop_front(&mut front, b"front", LIST, 3);
    backend.list_truncate(&mut back, b"back", LIST, 1);
    backend.list_truncate(&mut all, b"all", LIST, 0);
    let delta = since(&mut backend, 3, 1);
    let mut restored = restored(factory, &full, &delta);
    let lists = keys.map(|key| {
        let of_key = restored.slot(key);
        list(&restored, &of_key, 0)
    });
    assert_eq!(lists, [vec![vec![3]], vec![vec![0]], vec![]]);
}

/// A backend that restores a snapshot and what came of one behind it: of files the later ones are all there are.
fn restored(factory: &dyn StateBackendFactory, full: &Written, later: &Written) -> SteadyBackend {
    let mut restored = backend(factory);
    match later {
        Written::Blocks(deltas) => {
            restore(&mut restored, full, ALL_GROUPS);
            deltas.iter().for_each(|(group, delta)| restored.restore_delta(*group, delta, &SAME_STATES).expect("it was just written"));
        }
        Written::Files(_) => restore(&mut restored, later, ALL_GROUPS),
    }
    restored
}

fn a_delta_that_does_not_belong_is_refused(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    set(&mut backend, b"k", b"1");
    drop(backend.snapshot(id(1), None));
    let mut k = backend.slot(b"k");
    backend.clear(&mut k, b"k", VALUE);
    set(&mut backend, b"k", b"2");
    let Written::Blocks(mut deltas) = since(&mut backend, 2, 1) else { return };
    let (group, delta) = deltas.remove(0);
    let other = (group + 1) % MAX_PARALLELISM;
    let range = KeyGroupRange { start: group, end: group + 1 };
    let refused = |range, group, delta: &[u8], states: &[Option<usize>]| {
        let mut restored = made(factory, &descriptors(), range);
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
