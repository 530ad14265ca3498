//! How many windows of a key may be open, and what is left of one that failed.

use super::*;
use crate::state::{KeyGroupRange, MemoryBackendFactory, StateDescriptor, StateKind, StateTime, WindowKind, key_hash, window_state};

const MAX: u32 = 3;

/// State of all keys in windows of ten ms, [`MAX`] of a key.
fn keyed_state() -> KeyedState {
    late_state(0)
}

/// The same, where windows take records for so long behind their ends.
fn late_state(lateness: i64) -> KeyedState {
    let settings = WindowSettings { max_per_key: MAX, lateness, ..WindowSettings::new(WindowKind::Tumbling { size: 10, offset: 0 }) };
    let count = StateDescriptor { name: "count".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None };
    let states = vec![count, window_state(&settings)];
    let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: 8 }, 8);
    KeyedState::new(states, backend).with_windows(settings, None)
}

/// Puts records, of a key and a time each, into windows, as far as that can be done in one call; how many those are, or why the first is not.
fn put(state: &mut KeyedState, records: &[(&str, i64)]) -> Result<usize, Unwindowed> {
    let (mut keys, mut hashes, mut times) = (Column::new(), Vec::new(), Vec::new());
    for (key, time) in records {
        keys.push(key.as_bytes());
        hashes.push(key_hash(key.as_bytes()));
        times.push(*time);
    }
    match state.select(CallKeys::new(&keys, &hashes, &[]).of_records(&times), 0..records.len()) {
        Ok(selected) => {
            let all: Vec<u32> = (0..state.keys().len() as u32).collect();
            let mut values = Column::new();
            all.iter().for_each(|_| values.push(b"1"));
            state.set_values(&all, 0, &values).expect("memory does not fail");
            state.accept().expect("memory does not fail");
            Ok(selected)
        }
        Err(SelectError::Unwindowed(refused)) => Err(refused),
        Err(error) => panic!("{error:?}"),
    }
}

/// Closes what is due at `watermark`; how many windows those are.
fn close(state: &mut KeyedState, watermark: i64) -> usize {
    fire(state, watermark, &[])
}

/// What is due at `watermark` fires, and these of the firings fail; how many there are.
fn fire(state: &mut KeyedState, watermark: i64, failing: &[usize]) -> usize {
    state.time = StateTime { watermark, ..StateTime::NONE };
    let (mut units, mut hashes, mut reasons, mut times) = (Column::new(), Vec::new(), Vec::new(), Vec::new());
    while let Some((due, ())) = state.take_window((watermark, 0), |_, _| Some(())) {
        units.push(due.unit.as_slice());
        hashes.push(unit_hash(due.unit.as_slice()));
        reasons.push(due.reason as u32);
        times.push(due.time);
    }
    let fired = state.begin_firing(CallKeys::new(&units, &hashes, &[]), &reasons, &times).expect("memory does not fail");
    failing.iter().for_each(|firing| state.drop_fired(*firing));
    state.end_firing().expect("memory does not fail");
    fired.len()
}

#[test]
fn a_key_has_as_many_open_windows_as_it_may_and_not_one_more() {
    let mut state = keyed_state();
    assert_eq!(put(&mut state, &[("a", 0), ("a", 10), ("b", 20), ("a", 20), ("a", 29)]), Ok(5));
    assert_eq!(state.open_windows(), Some(4), "each of each key");
    // As far as the first that would be one too many; that one is said to be when it is the first.
    assert_eq!(put(&mut state, &[("b", 31), ("a", 5), ("a", 32), ("b", 0)]), Ok(2));
    let refused = put(&mut state, &[("a", 32), ("b", 0)]).unwrap_err();
    assert_eq!(refused.record, 0);
    assert!(refused.why.contains("its key a has 3 open windows") && refused.why.contains("limits.windows-per-key"), "{}", refused.why);
    assert_eq!(put(&mut state, &[("b", 0), ("b", 45)]), Ok(1), "two of them have three now");
    // Where one is closed there is room for another, and for one alone.
    assert_eq!(close(&mut state, 9), 2);
    assert_eq!(put(&mut state, &[("a", 32), ("a", 40)]), Ok(1));
    assert_eq!(put(&mut state, &[("b", 40)]), Ok(1));
    assert!(put(&mut state, &[("b", 50)]).is_err() && put(&mut state, &[("a", 40)]).is_err());
    assert_eq!(close(&mut state, i64::MAX), 6);
    assert_eq!(state.key_count(), 0);
}

#[test]
fn many_different_windows_of_many_keys_are_none_too_many() {
    let mut state = keyed_state();
    let names: Vec<String> = (0..40).map(|key| format!("key {key}")).collect();
    for (number, name) in names.iter().enumerate() {
        let time = number as i64 * 10;
        assert_eq!(put(&mut state, &[(name, time), (name, time + 1), (name, time + 10)]), Ok(3));
    }
    assert_eq!(state.key_count(), 80);
    assert_eq!(put(&mut state, &[("key 7", 0)]), Ok(1));
    assert!(put(&mut state, &[("key 7", 1_000)]).is_err(), "it has three, counted when they had to be");
    assert_eq!(put(&mut state, &[("key 8", 1_000)]), Ok(1));
}

#[test]
fn nothing_is_left_of_a_window_that_failed_though_it_would_take_late_records() {
    let mut state = late_state(20);
    assert_eq!(put(&mut state, &[("a", 0), ("b", 0), ("a", 10)]), Ok(3));
    assert_eq!(fire(&mut state, 9, &[0]), 2);
    assert_eq!(state.key_count(), 2, "that of the other key waits for late records, and one of the same key goes on");
    assert_eq!(put(&mut state, &[("a", 5)]), Ok(1), "what comes late opens it anew");
    state.on_event_time(i64::MAX);
    assert_eq!((fire(&mut state, 19, &[]), state.key_count()), (2, 3));
    assert_eq!((fire(&mut state, i64::MAX, &[]), state.key_count()), (0, 0));
}
