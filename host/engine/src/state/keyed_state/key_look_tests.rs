use super::*;
use crate::state::{
    CallKeys, KeyGroupRange, MemoryBackendFactory, StateDescriptor, TimeDomain, WindowKind, WindowSettings, start_of_unit, window_state,
};
use futures_util::FutureExt;

const GROUPS: u32 = 8;

fn descriptor(name: &str, kind: StateKind, ttl: Option<StateTtl>) -> StateDescriptor {
    StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl }
}

/// State of these states, and of windows where there are some.
fn state_of(mut states: Vec<StateDescriptor>, window: Option<WindowSettings>) -> KeyedState {
    states.extend(window.as_ref().map(window_state));
    let backend = MemoryBackendFactory::new(1).create(&states, KeyGroupRange { start: 0, end: GROUPS }, GROUPS);
    let state = KeyedState::new(states, backend);
    window.into_iter().fold(state, |state, window| state.with_windows(window, None))
}

/// Selects a key at a time of records, as a call does.
fn select(state: &mut KeyedState, key: &str, time: StateTime, record: i64) {
    let (mut keys, hashes) = (Column::new(), [key_hash(key.as_bytes())]);
    keys.push(key.as_bytes());
    let of = CallKeys::new(&keys, &hashes, &[]).of_records(std::slice::from_ref(&record));
    state.prefetch(of, time).now_or_never().expect("memory does not wait").expect("memory does not fail");
    assert_eq!(state.select(of, 0..1).expect("it has a key"), 1);
}

fn at(watermark: i64) -> StateTime {
    StateTime { watermark, processing_time: 1_000 }
}

fn look(state: &mut KeyedState, key: &str, time: StateTime) -> KeyLook {
    state.look_at(key.as_bytes(), time).now_or_never().expect("memory does not wait").expect("memory does not fail")
}

#[test]
fn a_look_finds_all_that_a_key_has_and_nothing_of_another() {
    let kinds = [("value", StateKind::Value), ("list", StateKind::List), ("map", StateKind::Map), ("empty", StateKind::Value)];
    let mut state = state_of(kinds.map(|(name, kind)| descriptor(name, kind, None)).to_vec(), None);
    for key in ["a", "b"] {
        select(&mut state, key, at(0), 0);
        state.set_value(0, 0, key.as_bytes()).expect("memory does not fail");
    }
    select(&mut state, "a", at(0), 0);
    ["1", "2"].iter().for_each(|item| state.list_append(0, 1, item.as_bytes()).expect("memory does not fail"));
    state.map_put(0, 2, b"entry", b"of a").expect("memory does not fail");
    let found = look(&mut state, "a", at(0));
    assert!(!found.truncated && found.units.len() == 1 && found.units[0].stored_key == b"a");
    let contents: Vec<_> = found.units[0].states.iter().map(|of| (of.state, of.content.payload(), of.truncated)).collect();
    let expect = [
        (0, Some(Payload::Value(b"a")), false),
        (1, Some(Payload::List(vec![b"1", b"2"])), false),
        (2, Some(Payload::Map(vec![(b"entry", b"of a")])), false),
    ];
    assert_eq!(contents, expect);
    assert_eq!(look(&mut state, "b", at(0)).units[0].states.len(), 1);
    assert_eq!(look(&mut state, "c", at(0)), KeyLook::default(), "a key that is not there does not come to be by it");
    assert_eq!(state.key_count(), 2);
}

#[test]
fn what_has_expired_is_not_found_and_stays_for_the_call_that_removes_it() {
    let ttl = |ms| Some(StateTtl { ms, time: TimeDomain::Event, refresh_on_read: true });
    let kinds = [("value", StateKind::Value), ("list", StateKind::List), ("map", StateKind::Map)];
    let mut state = state_of(kinds.map(|(name, kind)| descriptor(name, kind, ttl(10))).to_vec(), None);
    for (time, name) in [(100, b"old"), (105, b"new")] {
        select(&mut state, "a", at(time), 0);
        state.set_value(0, 0, name).expect("memory does not fail");
        state.list_append(0, 1, name).expect("memory does not fail");
        state.map_put(0, 2, name, b"1").expect("memory does not fail");
    }
    let bytes = state.bytes();
    let found = look(&mut state, "a", at(112));
    let contents: Vec<_> = found.units[0].states.iter().map(|of| of.content.payload().expect("it is short")).collect();
    assert_eq!(contents, [Payload::Value(b"new"), Payload::List(vec![b"new"]), Payload::Map(vec![(b"new", b"1")])]);
    assert_eq!(look(&mut state, "a", at(115)), KeyLook::default());
    assert_eq!(state.bytes(), bytes, "nothing is removed by it");
    assert_eq!(look(&mut state, "a", at(112)), found, "and nothing begins anew, or is judged by its time");
}

#[test]
fn a_key_that_has_more_than_is_read_is_cut() {
    let kinds = [("list", StateKind::List), ("map", StateKind::Map), ("value", StateKind::Value), ("not set", StateKind::List)];
    let mut state = state_of(kinds.map(|(name, kind)| descriptor(name, kind, None)).to_vec(), None);
    select(&mut state, "a", at(0), 0);
    let items = LOOK_BYTES / 2;
    (0..items).for_each(|_| state.list_append(0, 0, b"").expect("memory does not fail"));
    (0..3).for_each(|entry: u8| state.map_put(0, 1, &[entry], b"1").expect("memory does not fail"));
    state.set_value(0, 2, &vec![0; LOOK_BYTES]).expect("memory does not fail");
    let found = look(&mut state, "a", at(0));
    let states = &found.units[0].states;
    assert_eq!(states.iter().map(|of| (of.state, of.truncated)).collect::<Vec<_>>(), [(0, true), (1, true), (2, true)]);
    let LookedContent::List(read) = &states[0].content else { panic!("{:?}", states[0].state) };
    assert!(read.len() <= LOOK_BYTES / 4 + 1, "items without a byte count, too: {}", read.len());
    assert_eq!(states[2].content, LookedContent::Value(None));
}

#[test]
fn a_key_is_found_in_each_of_its_open_windows() {
    for (kind, times, starts) in [
        (WindowKind::Tumbling { size: 10, offset: 0 }, vec![3, 25, 27], vec![20, 0]),
        (WindowKind::Hopping { size: 10, every: 5, offset: 0 }, vec![12], vec![10, 5]),
        (WindowKind::Session { gap: 5 }, vec![3, 40], vec![40, 3]),
        (WindowKind::Count { records: 5 }, vec![3, 4], vec![0]),
        (WindowKind::Global, vec![3, 40], vec![i64::MIN]),
    ] {
        let mut state = state_of(vec![descriptor("count", StateKind::Value, None)], Some(WindowSettings::new(kind)));
        for (key, times) in [("a", times), ("b", vec![33])] {
            for time in times {
                select(&mut state, key, at(0), time);
                (0..state.keys().len()).for_each(|unit| state.set_value(unit, 0, b"1").expect("memory does not fail"));
                state.accept().expect("memory does not fail");
            }
        }
        let found = look(&mut state, "a", at(0));
        let windows: Vec<i64> = found.units.iter().map(|unit| start_of_unit(&unit.stored_key)).collect();
        assert_eq!(windows, starts, "{kind:?}");
        assert!(found.units.iter().all(|unit| unit.states[0].content == LookedContent::Value(Some(b"1".to_vec()))), "{kind:?}");
    }
}
