//! The cases that people think of.

use super::*;
use crate::element::CheckpointId;
use crate::error::ErrorKind;
use crate::state::{key_group_of, key_hash};
use std::collections::BTreeMap;

const FIRST: CheckpointId = CheckpointId(1);

/// Runs every case on a backend of its own.
pub(super) fn check_all(factory: &dyn StateBackendFactory) {
    for case in [
        an_empty_value_is_not_an_absent_one,
        the_empty_key_is_a_key,
        a_key_is_gone_with_its_last_state,
        clearing_what_is_not_there_changes_nothing,
        states_of_a_key_do_not_touch_each_other,
        a_key_is_removed_with_all_that_it_has,
        a_key_is_given_all_that_another_has,
        gathering_stops_behind_the_value_that_passes_the_bound,
        pages_are_bounded_and_make_progress,
        a_scan_starts_anywhere,
        a_list_loses_items_at_either_end,
        a_list_without_items_is_gone,
        big_keys_values_items_and_maps_survive,
        every_value_of_a_state_is_told_of_once,
        going_on_through_the_keys_comes_to_every_one,
        a_snapshot_shows_the_moment_it_was_taken,
        a_group_is_restored_from_several_blocks,
        states_are_restored_under_their_new_index,
        what_does_not_belong_is_refused,
    ] {
        case(factory);
    }
}

fn an_empty_value_is_not_an_absent_one(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    assert_eq!(backend.value(&k, VALUE), None);
    backend.set_value(&mut k, b"k", VALUE, b"");
    backend.map_put(&mut k, b"k", MAP, b"", b"");
    backend.list_append(&mut k, b"k", LIST, b"");
    let k = backend.slot(b"k");
    assert_eq!((backend.value(&k, VALUE), backend.value(&k, SECOND_VALUE)), (Some(vec![]), None));
    assert_eq!((backend.map_get(&k, MAP, b""), backend.map_get(&k, MAP, b"e")), (Some(vec![]), None));
    assert_eq!(list(&backend, &k, 0), [b""]);
}

fn the_empty_key_is_a_key(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut empty = backend.slot(b"");
    backend.set_value(&mut empty, b"", VALUE, b"v");
    let slots = backend.lookup(&[&b"\0"[..], b""]);
    assert_eq!((backend.value(&slots[0], VALUE), backend.value(&slots[1], VALUE)), (None, Some(b"v".to_vec())));
}

fn a_key_is_gone_with_its_last_state(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    backend.set_value(&mut k, b"k", VALUE, b"1");
    backend.set_value(&mut k, b"k", SECOND_VALUE, b"2");
    backend.list_append(&mut k, b"k", LIST, b"i");
    backend.map_put(&mut k, b"k", MAP, b"e", b"v");
    backend.clear(&mut k, b"k", VALUE);
    backend.clear(&mut k, b"k", SECOND_VALUE);
    backend.clear(&mut k, b"k", LIST);
    assert_eq!(backend.keys(), 1);
    backend.map_remove(&mut k, b"k", MAP, b"e");
    assert_eq!(backend.keys(), 0);
    assert!(written(backend.snapshot(FIRST, None)).is_empty());
    // The slot still serves: the key comes back within the batch.
    backend.list_append(&mut k, b"k", LIST, b"again");
    assert_eq!((backend.keys(), list(&backend, &k, 0)), (1, vec![b"again".to_vec()]));
    assert_eq!(backend.value(&k, VALUE), None);
}

fn clearing_what_is_not_there_changes_nothing(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    (0..4).for_each(|state| backend.clear(&mut k, b"k", state));
    backend.map_remove(&mut k, b"k", MAP, b"e");
    assert_eq!(backend.keys(), 0);
    backend.set_value(&mut k, b"k", VALUE, b"v");
    backend.clear(&mut k, b"k", MAP);
    backend.map_remove(&mut k, b"k", MAP, b"e");
    assert_eq!((backend.keys(), backend.value(&k, VALUE)), (1, Some(b"v".to_vec())));
}

fn states_of_a_key_do_not_touch_each_other(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    backend.set_value(&mut k, b"k", SECOND_VALUE, b"2");
    assert_eq!(backend.value(&k, VALUE), None);
    backend.set_value(&mut k, b"k", VALUE, b"1");
    backend.clear(&mut k, b"k", SECOND_VALUE);
    assert_eq!((backend.value(&k, VALUE), backend.value(&k, SECOND_VALUE)), (Some(b"1".to_vec()), None));
}

fn a_key_is_removed_with_all_that_it_has(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut slots = backend.lookup(&[&b"k"[..], b"other", b"absent"]);
    for (key, slot) in [&b"k"[..], b"other"].into_iter().zip(&mut slots) {
        [VALUE, SECOND_VALUE].into_iter().for_each(|state| backend.set_value(slot, key, state, &[1]));
        backend.list_append(slot, key, LIST, b"i");
        backend.map_put(slot, key, MAP, b"e", b"v");
    }
    let of_both = backend.bytes();
    backend.remove_key(&mut slots[0], b"k");
    backend.remove_key(&mut slots[2], b"absent");
    assert_eq!((backend.keys(), backend.value(&slots[1], SECOND_VALUE)), (1, Some(vec![1])));
    assert!(backend.bytes() < of_both);
    // The slot still serves.
    backend.set_value(&mut slots[0], b"k", SECOND_VALUE, &[2]);
    let again = backend.slot(b"k");
    assert_eq!((backend.value(&again, VALUE), backend.value(&again, SECOND_VALUE)), (None, Some(vec![2])));
    assert!(list(&backend, &again, 0).is_empty() && backend.map_get(&again, MAP, b"e").is_none());
}

fn a_key_is_given_all_that_another_has(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let names: [&[u8]; 4] = [b"from", b"to", b"other", b"absent"];
    // Of one key group, as the units of a key are.
    let hashes = [7; 4];
    let mut slots = backend.lookup_hashed(&names, &hashes);
    let fill = |backend: &mut SteadyBackend, slots: &mut [KeySlot], place: usize| {
        backend.set_value(&mut slots[place], names[place], VALUE, &[9; 50]);
        backend.set_value(&mut slots[place], names[place], SECOND_VALUE, &[3]);
        (0..2_000).for_each(|_| backend.list_append(&mut slots[place], names[place], LIST, b"an item"));
        backend.map_put(&mut slots[place], names[place], MAP, b"e", b"v");
    };
    fill(&mut backend, &mut slots, 0);
    backend.set_value(&mut slots[2], names[2], VALUE, b"stays");
    let held = backend.snapshot(FIRST, None);
    let bytes = backend.bytes();
    let [from, to, _, absent] = &mut slots[..] else { unreachable!("there are four") };
    backend.move_key((from, names[0]), (to, names[1]));
    assert_eq!((backend.keys(), backend.bytes() + 2), (2, bytes), "its name is shorter by two");
    // What has nothing gives nothing.
    backend.move_key((absent, names[3]), (from, names[0]));
    let slots = backend.lookup_hashed(&names, &hashes);
    assert_eq!((backend.value(&slots[0], VALUE), list(&backend, &slots[0], 0).len()), (None, 0));
    assert_eq!((backend.value(&slots[1], VALUE), backend.value(&slots[1], SECOND_VALUE)), (Some(vec![9; 50]), Some(vec![3])));
    assert_eq!((list(&backend, &slots[1], 0).len(), backend.map_get(&slots[1], MAP, b"e")), (2_000, Some(b"v".to_vec())));
    assert_eq!(backend.value(&slots[2], VALUE), Some(b"stays".to_vec()));
    drop(held);
}

fn gathering_stops_behind_the_value_that_passes_the_bound(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let keys: [&[u8]; 5] = [b"1", b"2", b"3", b"4", b"5"];
    for key in keys.into_iter().filter(|key| *key != b"2") {
        let mut k = backend.slot(key);
        backend.set_value(&mut k, key, VALUE, &[key[0]; 96]);
    }
    let slots = backend.lookup(&keys);
    for (max_bytes, expect) in [(0, &[0][..]), (99, &[0]), (100, &[0, 2]), (250, &[0, 2, 3]), (usize::MAX, &[0, 2, 3, 4])] {
        let (mut present, mut values) = (Vec::new(), Column::new());
        backend.gather_values(&slots, VALUE, max_bytes, &mut present, &mut values);
        assert_eq!((&present[..], values.len()), (expect, expect.len()), "{max_bytes} bytes");
    }
}

fn pages_are_bounded_and_make_progress(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    let items: Vec<Vec<u8>> = (0..3_000_u32).map(|n| vec![n as u8; 1 + n as usize % 50]).collect();
    items.iter().for_each(|item| backend.list_append(&mut k, b"k", LIST, item));
    items.iter().enumerate().for_each(|(n, item)| backend.map_put(&mut k, b"k", MAP, &(n as u32).to_be_bytes(), item));
    for max_bytes in [0, 1, 60, 1_000, usize::MAX] {
        assert_eq!(list(&backend, &k, max_bytes), items);
        assert_eq!(map(&backend, &k, max_bytes).into_iter().map(|(_, value)| value).collect::<Vec<_>>(), items);
        let (mut page, mut values) = (Column::new(), Column::new());
        backend.list_read(&k, LIST, 100, max_bytes, &mut page);
        assert!(page.len() == 1 || page.data().len() <= max_bytes, "{} bytes in a page of {max_bytes}", page.data().len());
        page.clear();
        backend.map_scan(&k, MAP, None, max_bytes, &mut page, &mut values);
        let bytes = page.data().len() + values.data().len();
        assert!(page.len() == 1 || bytes <= max_bytes, "{bytes} bytes in a page of {max_bytes}");
    }
}

fn a_scan_starts_anywhere(factory: &dyn StateBackendFactory) {
    for entries in [3_u8, 100] {
        let mut backend = backend(factory);
        let mut k = backend.slot(b"k");
        (0..entries).for_each(|n| backend.map_put(&mut k, b"k", MAP, &[2 * n], &[n]));
        (0..entries).for_each(|n| backend.list_append(&mut k, b"k", LIST, &[n]));
        let first = |start: &[u8]| {
            let (mut page, mut values) = (Column::new(), Column::new());
            backend.map_scan(&k, MAP, Some(start), usize::MAX, &mut page, &mut values);
            page.iter().next().map(<[u8]>::to_vec)
        };
        assert_eq!((first(&[2]), first(&[2, 0]), first(&[3])), (Some(vec![2]), Some(vec![4]), Some(vec![4])));
        assert_eq!((first(&[]), first(&[255])), (Some(vec![0]), None));
        let mut page = Column::new();
        assert_eq!((backend.list_read(&k, LIST, u64::from(entries), 9, &mut page), page.len()), (None, 0));
        assert_eq!((backend.list_read(&k, LIST, u64::MAX, 9, &mut page), page.len()), (None, 0));
        assert_eq!((backend.list_read(&k, LIST, u64::from(entries) - 1, 9, &mut page), page.data()), (None, &[entries - 1][..]));
    }
}

fn a_list_loses_items_at_either_end(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    let items: Vec<Vec<u8>> = (0..3_000_u32).map(|n| vec![n as u8; n as usize % 50]).collect();
    items.iter().for_each(|item| backend.list_append(&mut k, b"k", LIST, item));
    backend.list_pop_front(&mut k, b"k", LIST, 700);
    assert!(list(&backend, &k, 1_000) == items[700..]);
    backend.list_truncate(&mut k, b"k", LIST, 1_300);
    assert!(list(&backend, &k, 1_000) == items[700..2_000]);
    // What changes nothing.
    backend.list_pop_front(&mut k, b"k", LIST, 0);
    backend.list_truncate(&mut k, b"k", LIST, 1_300);
    backend.list_truncate(&mut k, b"k", LIST, u64::MAX);
    // Positions are those of the items that are there.
    let mut page = Column::new();
    assert_eq!((backend.list_read(&k, LIST, 1_299, usize::MAX, &mut page), page.get(0)), (None, &items[1_999][..]));
    backend.list_append(&mut k, b"k", LIST, b"new");
    backend.list_pop_front(&mut k, b"k", LIST, 1_299);
    let mut restored = self::backend(factory);
    restore(&mut restored, &written(backend.snapshot(FIRST, None)), ALL_GROUPS);
    let k = restored.slot(b"k");
    assert_eq!(list(&restored, &k, 0), [&items[1_999][..], b"new"]);
}

fn a_list_without_items_is_gone(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    backend.list_pop_front(&mut k, b"k", LIST, 1);
    backend.list_truncate(&mut k, b"k", LIST, 0);
    assert_eq!((backend.keys(), backend.bytes()), (0, 0));
    for popped in [true, false] {
        (0..3).for_each(|_| backend.list_append(&mut k, b"k", LIST, b"item"));
        if popped {
            backend.list_pop_front(&mut k, b"k", LIST, u64::MAX);
        } else {
            backend.list_truncate(&mut k, b"k", LIST, 0);
        }
        assert_eq!((backend.keys(), backend.bytes(), backend.list_len(&k, LIST)), (0, 0, 0));
    }
}

fn big_keys_values_items_and_maps_survive(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let big: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    let mut k = backend.slot(&big);
    backend.set_value(&mut k, &big, VALUE, &big);
    backend.list_append(&mut k, &big, LIST, b"before");
    backend.list_append(&mut k, &big, LIST, &big);
    backend.list_append(&mut k, &big, LIST, b"behind");
    (0..5_000_u32).for_each(|n| backend.map_put(&mut k, &big, MAP, &n.to_be_bytes(), &big[..n as usize / 100]));
    let mut restored = self::backend(factory);
    restore(&mut restored, &written(backend.snapshot(FIRST, None)), ALL_GROUPS);
    let k = restored.slot(&big);
    assert!(restored.value(&k, VALUE).as_ref() == Some(&big));
    assert!(list(&restored, &k, 10) == [b"before".to_vec(), big.clone(), b"behind".to_vec()]);
    assert_eq!(map(&restored, &k, 100).len(), 5_000);
}

fn a_snapshot_shows_the_moment_it_was_taken(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut snapshots = Vec::new();
    for round in 0..5_u8 {
        let mut k = backend.slot(b"k");
        backend.set_value(&mut k, b"k", VALUE, &[round]);
        backend.list_append(&mut k, b"k", LIST, &[round]);
        backend.map_put(&mut k, b"k", MAP, &[round], &[round]);
        snapshots.push(backend.snapshot(CheckpointId(u64::from(round)), None));
    }
    let mut k = backend.slot(b"k");
    (0..4).for_each(|state| backend.clear(&mut k, b"k", state));
    for (round, snapshot) in (0..5_u8).zip(snapshots) {
        assert_eq!(snapshot.keys(), 1);
        let mut restored = self::backend(factory);
        restore(&mut restored, &written(snapshot), ALL_GROUPS);
        let k = restored.slot(b"k");
        assert_eq!(restored.value(&k, VALUE), Some(vec![round]));
        assert_eq!(list(&restored, &k, 0), (0..=round).map(|n| vec![n]).collect::<Vec<_>>());
        assert_eq!(map(&restored, &k, 0), (0..=round).map(|n| (vec![n], vec![n])).collect::<Vec<_>>());
    }
}

/// Values of two backends with different keys, written as blocks of the same groups, meet in one.
fn a_group_is_restored_from_several_blocks(factory: &dyn StateBackendFactory) {
    let mut restored = backend(factory);
    for part in 0..3_u32 {
        let mut backend = backend(factory);
        for n in (0..300_u32).filter(|n| n % 3 == part) {
            let key = n.to_le_bytes();
            let mut k = backend.slot(&key);
            backend.set_value(&mut k, &key, SECOND_VALUE, &key);
        }
        restore(&mut restored, &written(backend.snapshot(FIRST, None)), ALL_GROUPS);
    }
    assert_eq!(restored.keys(), 300);
    for n in 0..300_u32 {
        let k = restored.slot(&n.to_le_bytes());
        assert_eq!(restored.value(&k, SECOND_VALUE), Some(n.to_le_bytes().to_vec()));
    }
}

fn states_are_restored_under_their_new_index(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    backend.set_value(&mut k, b"k", VALUE, b"1");
    backend.set_value(&mut k, b"k", SECOND_VALUE, b"2");
    backend.list_append(&mut k, b"k", LIST, b"i");
    let written = written(backend.snapshot(FIRST, None));
    let mut states = descriptors();
    states.reverse();
    states.remove(1);
    let mut reordered = made(factory, &states, ALL_GROUPS);
    restore_as(&mut reordered, &written, ALL_GROUPS, &[Some(2), Some(1), None, Some(0)]).expect("no key has the state that is gone");
    let k = reordered.slot(b"k");
    assert_eq!((reordered.value(&k, 0), reordered.value(&k, 2), reordered.list_len(&k, 1)), (Some(b"2".to_vec()), Some(b"1".to_vec()), 1));
}

fn what_does_not_belong_is_refused(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let mut k = backend.slot(b"k");
    backend.set_value(&mut k, b"k", VALUE, b"1");
    // Files are the backend's own, and say themselves what is in them.
    let Written::Blocks(mut blocks) = written(backend.snapshot(FIRST, None)) else { return };
    let (group, block) = blocks.remove(0);
    assert_eq!(group, key_group_of(key_hash(b"k"), MAX_PARALLELISM));
    let other = (group + 1) % MAX_PARALLELISM;
    let range = KeyGroupRange { start: group, end: group + 1 };
    let refused = |range, group, block: &[u8], states: &[Option<usize>]| {
        let mut restored = made(factory, &descriptors(), range);
        restored.restore(group, block, states).expect_err("a block that does not belong here was restored").kind()
    };
    assert_eq!(refused(range, other, &block, &SAME_STATES), ErrorKind::Bug, "a group of another subtask");
    assert_eq!(refused(ALL_GROUPS, other, &block, &SAME_STATES), ErrorKind::Corrupt, "a key of another group");
    assert_eq!(refused(range, group, &block, &SAME_STATES[..3]), ErrorKind::Corrupt, "another number of states");
    assert_eq!(refused(range, group, &block, &[None, Some(1), Some(2), Some(3)]), ErrorKind::FixInput, "a state that is gone");
    assert_eq!(refused(range, group, &block, &[Some(1), None, None, None]), ErrorKind::Corrupt, "a state of another kind");
    assert_eq!(refused(range, group, &block[..block.len() - 1], &SAME_STATES), ErrorKind::Corrupt, "a truncated block");
    let twice = backend.restore(group, &block, &SAME_STATES).expect_err("a key was restored over another");
    assert_eq!(twice.kind(), ErrorKind::Corrupt);
}

fn going_on_through_the_keys_comes_to_every_one(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let names: Vec<Vec<u8>> = (0..300_u16).map(|number| number.to_be_bytes().to_vec()).collect();
    for name in &names {
        let mut slot = backend.slot(name);
        backend.set_value(&mut slot, name, VALUE, b"v");
    }
    for name in names.iter().step_by(3) {
        let mut slot = backend.slot(name);
        backend.clear(&mut slot, name, VALUE);
    }
    let (mut from, mut seen) = (0, BTreeMap::<Vec<u8>, u32>::new());
    for _ in 0..300 {
        let Some((keys, next)) = backend.next_keys(from, 7) else { return };
        assert!(keys.len() <= 7, "no more than are wanted");
        keys.into_iter().for_each(|key| *seen.entry(key).or_default() += 1);
        from = next;
    }
    let left: Vec<&Vec<u8>> = names.iter().enumerate().filter(|(number, _)| number % 3 != 0).map(|(_, name)| name).collect();
    assert!(seen.keys().eq(left), "those that are there, and no others: {seen:?}");
    let (least, most) = (seen.values().min(), seen.values().max());
    assert!(most <= least.map(|least| least + 1).as_ref(), "each comes as often as the others: {least:?} to {most:?} times");
}

fn every_value_of_a_state_is_told_of_once(factory: &dyn StateBackendFactory) {
    let mut backend = backend(factory);
    let keys: Vec<Vec<u8>> = (0..300_u32).map(|number| number.to_le_bytes()[..if number < 200 { 2 } else { 4 }].to_vec()).collect();
    let mut slots = backend.lookup(&keys);
    for (number, (key, slot)) in keys.iter().zip(&mut slots).enumerate() {
        backend.set_value(slot, key, if number % 3 == 0 { VALUE } else { SECOND_VALUE }, &number.to_le_bytes());
        if number % 6 == 0 {
            backend.clear(slot, key, VALUE);
        }
    }
    let told: BTreeMap<_, _> = backend.each_value(VALUE);
    let expect = keys.iter().enumerate().filter(|(number, _)| number % 3 == 0 && number % 6 != 0);
    assert_eq!(told, expect.map(|(number, key)| (key.clone(), number.to_le_bytes().to_vec())).collect());
    assert!(backend.each_value(SECOND_VALUE).len() == 200);
}
