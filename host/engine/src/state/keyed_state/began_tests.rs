//! What was written before there was any event time is as old as the first that was told, in every run that comes behind.

use super::*;
use crate::state::event_time_began::EventTimeBegan;
use crate::state::{Payload, key_group_of, key_hash};

const ALL: KeyGroupRange = KeyGroupRange { start: 0, end: GROUPS };
type Began = Vec<(KeyGroupRange, i64)>;

/// A state whose keys have the value and the entry of this name from before there was any time.
fn written_before(keys: &[&str]) -> KeyedState {
    let mut state = selected(keys, NO_TIMESTAMP);
    for key in 0..keys.len() {
        state.set_value(key, VALUE, b"value").unwrap();
        state.map_put(key, MAP, b"entry", b"value").unwrap();
    }
    state
}

/// The blocks of a snapshot.
fn snapshot(state: &mut KeyedState) -> Vec<(u32, Vec<u8>)> {
    let Ok(StateSnapshot::Blocks(mut snapshot)) = state.snapshot(CheckpointId(1), None) else { panic!("it is blocks") };
    let mut blocks = Vec::new();
    snapshot.write(&mut |group, block| blocks.push((group, block.to_vec()))).unwrap();
    blocks
}

/// A run behind a checkpoint that knew this.
fn restarted(blocks: &[(u32, Vec<u8>)], began: &Began) -> KeyedState {
    let mut state = made();
    for (group, block) in blocks {
        state.backend_mut().restore(*group, block, &[Some(0), Some(1), Some(2), Some(3)]).unwrap();
    }
    state.restore_event_time_began(began.clone(), ALL, GROUPS);
    state
}

/// Which of these keys have the value, and which the entry, in a first call of this time. The value lives for 20 ms, the entry for 10.
fn first_call(mut state: KeyedState, keys: &[&str], watermark: i64) -> (Vec<bool>, Vec<bool>) {
    select(&mut state, keys, watermark);
    let has_entry = |key| state.map_get(key, MAP, b"entry", &mut Column::new()).unwrap();
    (0..keys.len()).map(|key| (state.copied_value(key, VALUE).unwrap().is_some(), has_entry(key))).unzip()
}

#[test]
fn what_was_written_before_event_time_began_is_as_old_as_that_in_every_run() {
    let mut state = written_before(&["a"]);
    assert_eq!(state.event_time_began(ALL), [], "nothing has been told");
    select(&mut state, &["a"], 100);
    select(&mut state, &["a"], 105);
    let (blocks, began) = (snapshot(&mut state), state.event_time_began(ALL));
    assert_eq!(began, [(ALL, 100)]);
    let at = |watermark| first_call(restarted(&blocks, &began), &["a"], watermark);
    assert_eq!([109, 110, 119, 120].map(|watermark| at(watermark).0[0]), [true, true, true, false]);
    assert_eq!([109, 110].map(|watermark| at(watermark).1[0]), [true, false]);
    // And so it stays, whatever the runs are told in between.
    let mut next = restarted(&blocks, &began);
    select(&mut next, &["b"], 115);
    assert_eq!(next.event_time_began(ALL), [(ALL, 100)]);
    // Where a checkpoint does not know it the first time of the run is the first.
    assert_eq!(first_call(restarted(&blocks, &Vec::new()), &["a"], 500).0, [true]);
}

/// Two keys of different groups.
fn two_groups() -> ([String; 2], [u32; 2]) {
    let names: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    let group = |name: &str| key_group_of(key_hash(name.as_bytes()), GROUPS);
    let other = names.iter().find(|name| group(name) != group(&names[0])).expect("they are in all groups");
    ([names[0].clone(), other.clone()], [group(&names[0]), group(other)])
}

#[test]
fn groups_for_which_it_began_at_different_times_keep_these_where_they_come_together() {
    let ([early, late], groups) = two_groups();
    let keys = [&*early, &*late];
    let blocks = snapshot(&mut written_before(&keys));
    let of = |group: u32, began| (KeyGroupRange { start: group, end: group + 1 }, began);
    let began = vec![of(groups[0], 100), of(groups[1], 107)];
    let at = |watermark| first_call(restarted(&blocks, &began), &keys, watermark).0;
    assert_eq!([119, 120, 126, 127].map(at), [vec![true, true], vec![false, true], vec![false, true], vec![false, false]]);
    let mut state = restarted(&blocks, &began);
    select(&mut state, &["else"], 122);
    let mut kept: Vec<_> = state.event_time_began(ALL).into_iter().filter(|(_, began)| *began < 122).collect();
    kept.sort_by_key(|(_, began)| *began);
    assert_eq!(kept, began, "what a checkpoint knew goes on");
    // The cleaning up stamps with that, too.
    (0..5).for_each(|_| state.clean_up(16, 122).unwrap());
    let cleaned = snapshot(&mut state);
    assert_eq!(first_call(restarted(&cleaned, &Vec::new()), &keys, 126).0, [false, true]);
    assert_eq!(first_call(restarted(&cleaned, &Vec::new()), &keys, 127).0, [false, false]);
    assert!(EventTimeBegan::new(began, GROUPS).of_all(ALL).is_none());
}

#[test]
fn whoever_looks_into_a_checkpoint_sees_what_a_run_would() {
    let blocks = snapshot(&mut written_before(&["a"]));
    let states = descriptors();
    let shown = |began, watermark| {
        let mut stored = StoredGroup::new(blocks[0].0, GROUPS, &states).at((began, watermark), 0);
        stored.add_block(&blocks[0].1).unwrap();
        let values = |states: Vec<crate::state::StoredState<'_>>| {
            states.into_iter().filter(|state| matches!(state.payload, Payload::Value(_))).count()
        };
        stored.into_keys().into_values().map(values).sum::<usize>()
    };
    assert_eq!([shown(100, 119), shown(100, 120), shown(NO_TIMESTAMP, 120)], [1, 0, 1]);
}
