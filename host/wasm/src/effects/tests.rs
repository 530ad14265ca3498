//! One mistake at a time, against effects that are right.

use super::*;
use weir_engine::operator::{InputDescriptor, OutputDescriptor, TimerDescriptor};
use weir_engine::state::{StateDescriptor, StateKind, StateTtl, TimeDomain};

pub(super) fn descriptor() -> OperatorDescriptor {
    let state = |name: &str, kind| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl: None };
    let living = |name: &str, refresh_on_read| StateDescriptor {
        ttl: Some(StateTtl { ms: 7, time: TimeDomain::Event, refresh_on_read }),
        ..state(name, StateKind::Value)
    };
    let (value, list, map) = (state("value", StateKind::Value), state("list", StateKind::List), state("map", StateKind::Map));
    OperatorDescriptor {
        inputs: vec![InputDescriptor::default()],
        outputs: vec![OutputDescriptor::default(); 2],
        states: vec![value, list, map, living("read", true), living("written", false)],
        timers: vec![TimerDescriptor { name: "due".into(), event_time: true }],
        ..OperatorDescriptor::default()
    }
}

pub(super) fn u32s(integers: &[u32]) -> Vec<u8> {
    bytemuck::cast_slice(integers).to_vec()
}

pub(super) fn column_of(items: &[&str]) -> wit::ColumnResult {
    let ends: Vec<u32> = items
        .iter()
        .scan(0, |end, item| {
            Some({
                *end += item.len() as u32;
                *end
            })
        })
        .collect();
    wit::ColumnResult { data: items.concat().into_bytes(), ends: u32s(&ends) }
}

pub(super) fn keyed(keys: &[u32], items: &[&str]) -> wit::KeyedColumnResult {
    wit::KeyedColumnResult { keys: u32s(keys), items: column_of(items) }
}

pub(super) fn headers_of(ends: &[u32], names: &[&str], values: &[&str]) -> wit::HeadersResult {
    wit::HeadersResult { ends: u32s(ends), names: column_of(names), values: column_of(values) }
}

fn counts(keys: &[u32], counts: &[u64]) -> wit::KeyCounts {
    wit::KeyCounts { keys: u32s(keys), counts: bytemuck::cast_slice(counts).to_vec() }
}

fn timers(pairs: &[(u32, i64)]) -> wit::Timers {
    let (keys, times): (Vec<u32>, Vec<i64>) = pairs.iter().copied().unzip();
    wit::Timers { keys: u32s(&keys), times: bytemuck::cast_slice(&times).to_vec() }
}

/// Effects of a call with three records of two keys: right in every part.
pub(super) fn right() -> wit::Effects {
    let output = wit::Output {
        output: 1,
        passes: vec![],
        cause: u32s(&[0, 2]),
        values: column_of(&["a", ""]),
        valueless: u32s(&[1]),
        keys: column_of(&["k", ""]),
        keyless: u32s(&[1]),
        headers: Some(headers_of(&[0, 2], &["h", "h"], &["1", ""])),
        timestamps: bytemuck::cast_slice(&[1_i64, 2]).to_vec(),
    };
    wit::Effects {
        outputs: vec![output],
        values: vec![wit::ValueUpdate { state: 0, cleared: u32s(&[1]), set: keyed(&[0], &["v"]) }],
        lists: vec![wit::ListUpdate {
            state: 1,
            cleared: u32s(&[0, 0]),
            popped: counts(&[0, 1], &[1, u64::MAX]),
            truncated: counts(&[1], &[0]),
            append: keyed(&[0, 0, 1], &["a", "b", "c"]),
        }],
        maps: vec![wit::MapUpdate {
            state: 2,
            cleared: vec![],
            removed: keyed(&[0], &["e"]),
            put: keyed(&[1, 0], &["e", "f"]),
            values: column_of(&["1", "2"]),
        }],
        broadcasts: vec![],
        touched: vec![wit::Touch { state: 3, keys: u32s(&[1, 0]) }],
        timers: vec![wit::TimerUpdate { timer: 0, set: timers(&[(1, 5), (0, 7), (1, 5)]), deleted: timers(&[(1, 7), (0, -1)]) }],
        metrics: vec![wit::Metric { name: "rows.read".into(), delta: -1 }],
    }
}

pub(super) fn checked(raw: wit::Effects, keys: Option<usize>) -> Result<Effects, GuestFault> {
    let (descriptor, limits) = (descriptor(), Limits { output_records: 5, ..Limits::default() });
    Effects::check(raw, &Called { descriptor: &descriptor, limits: &limits, count: 3, given: Given::Records { broadcast: false }, keys })
}

#[track_caller]
pub(super) fn check(mistake: impl FnOnce(&mut wit::Effects), expect: &str) {
    let mut raw = right();
    mistake(&mut raw);
    let fault = checked(raw, Some(2)).expect_err(expect).to_string();
    assert!(fault.contains(expect), "{expect:?} wanted: {fault}");
}

#[test]
fn effects_without_a_mistake_are_taken() {
    let effects = checked(right(), Some(2)).unwrap();
    assert_eq!(effects.outputs[0].cause, [0, 2]);
    assert_eq!(effects.outputs[0].timestamps, Some(vec![1, 2]));
    assert_eq!(effects.values[0].set.keys, [0]);
    assert_eq!((&effects.lists[0].popped.keys, &effects.lists[0].popped.counts), (&vec![0, 1], &vec![1, u64::MAX]));
    assert_eq!(effects.maps[0].values.get(1), b"2");
    assert_eq!(effects.touched, [Touched { state: 3, keys: vec![1, 0] }]);
    assert_eq!(effects.metrics, [("rows.read".to_string(), -1)]);
}

#[test]
fn outputs_with_a_mistake_are_refused() {
    check(|e| e.outputs[0].output = 2, "output 2 is named, but 2 are declared");
    check(|e| e.outputs[0].output = u32::MAX, "output 4294967295 is named");
    check(|e| e.outputs.push(e.outputs[0].clone()), "output 1 is named twice");
    check(|e| e.outputs[0].cause = u32s(&[0, 3]), "output 1: cause names record 3, but the batch has 3");
    check(|e| e.outputs[0].cause = vec![0; 7], "cause: 7 bytes are no multiple of 4");
    check(|e| e.outputs[0].cause = u32s(&[0]), "values has 2 items where there have to be 1");
    check(|e| e.outputs[0].values.ends = u32s(&[1, 0]), "values: the end of item 1 is smaller");
    check(|e| e.outputs[0].values.ends = u32s(&[1, 9]), "values: the last end is 9 but there are 1 bytes");
    check(|e| e.outputs[0].values.ends = vec![1, 0, 0], "values: ends: 3 bytes are no multiple of 4");
    check(|e| e.outputs[0].keys = column_of(&["k"]), "keyless names record 1, but keys has 1 items");
    check(|e| (e.outputs[0].keys, e.outputs[0].keyless) = (column_of(&["k"]), vec![]), "keys has 1 items where there have to be 2");
    check(|e| e.outputs[0].keyless = u32s(&[1, 1]), "keyless does not ascend");
    check(|e| e.outputs[0].keyless = u32s(&[0]), "record 0 is keyless, but its item in keys is not empty");
    check(|e| e.outputs[0].timestamps.truncate(8), "timestamps has 1 items where there have to be 2");
    check(|e| e.outputs[0].timestamps.truncate(9), "timestamps: 9 bytes are no multiple of 8");
    check(|e| e.outputs[0].cause = u32s(&[0; 6]), "6 records from one call, and 5 are the most");
}

#[test]
fn state_updates_with_a_mistake_are_refused() {
    check(|e| e.values[0].state = 5, "state 5 is named, but 5 are declared");
    check(|e| e.values.push(e.values[0].clone()), "state 0 is named twice");
    check(|e| e.values[0].state = 1, "state 1: \"list\" is updated as a Value, but declared as a List");
    check(|e| e.lists[0].state = 0, "state 0 is named twice");
    check(|e| e.values[0].set.keys = u32s(&[2]), "state 0: set names key 2, but the batch has 2");
    check(|e| e.values[0].cleared = u32s(&[u32::MAX]), "cleared names key 4294967295");
    check(|e| e.values[0].cleared = u32s(&[0]), "key 0 is named twice");
    check(|e| e.values[0].set = keyed(&[0, 0], &["a", "b"]), "key 0 is named twice");
    check(|e| e.values[0].set = keyed(&[0], &["a", "b"]), "set has 2 items where there have to be 1");
    check(|e| e.lists[0].append.keys = u32s(&[0, 0, 2]), "state 1: append names key 2");
    check(|e| e.lists[0].append.items.data.clear(), "state 1: append: the last end is 3 but there are 0 bytes");
    check(|e| e.lists[0].popped = counts(&[2], &[1]), "state 1: popped names key 2, but the batch has 2");
    check(|e| e.lists[0].popped = counts(&[1, 1], &[1, 1]), "state 1: popped names key 1 twice");
    check(|e| e.lists[0].popped = counts(&[1, 0], &[1]), "state 1: popped has 1 items where there have to be 2");
    check(|e| e.lists[0].popped.counts.truncate(9), "state 1: popped: counts: 9 bytes are no multiple of 8");
    check(|e| e.lists[0].truncated = counts(&[0, 0], &[1, 1]), "state 1: truncated names key 0 twice");
    check(|e| e.lists[0].truncated.keys.truncate(3), "state 1: truncated: keys: 3 bytes are no multiple of 4");
    check(|e| e.maps[0].values = column_of(&["1"]), "state 2: values has 1 items where there have to be 2");
    check(|e| e.maps[0].put = keyed(&[0, 0], &["f", "f"]), "an entry of key 0 is named twice: f");
    check(|e| e.maps[0].put = keyed(&[0, 0], &["e", "f"]), "an entry of key 0 is named twice: e");
}

#[test]
fn what_this_batch_cannot_have_is_refused() {
    let fault = checked(right(), None).unwrap_err().to_string();
    assert!(fault.contains("state 0: the batch's input is not keyed"), "{fault}");
    let without = wit::Effects { values: vec![], lists: vec![], maps: vec![], ..right() };
    let fault = checked(without, None).unwrap_err().to_string();
    assert!(fault.contains("timer 0: the batch's input is not keyed, so it may set and delete no timers"), "{fault}");
    let none = || column_of(&[]);
    check(
        |e| e.broadcasts.push(wit::BroadcastUpdate { state: 0, cleared: true, removed: none(), put: none(), values: none() }),
        "state 0 is updated as broadcast state",
    );
    check(|e| e.metrics[0].name = String::new(), "a metric is named \"\"");
    check(|e| e.metrics = vec![e.metrics[0].clone(); 257], "257 metrics in one call");
}

#[test]
fn reads_with_a_mistake_are_refused() {
    check(|e| e.touched[0].state = 5, "touched state 5 is named, but 5 are declared");
    check(|e| e.touched.push(e.touched[0].clone()), "touched state 3 is named twice");
    check(|e| e.touched[0].keys = u32s(&[2]), "touched state 3: touched names key 2, but the batch has 2");
    check(|e| e.touched[0].keys = u32s(&[1, 1]), "touched state 3: key 1 is named twice");
    check(|e| e.touched[0].keys.truncate(3), "touched state 3: keys: 3 bytes are no multiple of 4");
    check(|e| e.touched[0].state = 0, "touched state 0: \"value\" has no time to live that counts from its last read");
    check(|e| e.touched[0].state = 4, "touched state 4: \"written\" has no time to live that counts from its last read");
    let without = wit::Effects { values: vec![], lists: vec![], maps: vec![], timers: vec![], ..right() };
    let fault = checked(without, None).unwrap_err().to_string();
    assert!(fault.contains("touched state 3: the batch's input is not keyed"), "{fault}");
}

#[test]
fn timers_are_put_in_order_and_with_a_mistake_refused() {
    let update = checked(right(), Some(2)).unwrap().timers.remove(0);
    assert_eq!((&update.set.keys, &update.set.times), (&vec![0, 1], &vec![7, 5]));
    assert_eq!((&update.deleted.keys, &update.deleted.times), (&vec![0, 1], &vec![-1, 7]));
    let by_key: Vec<_> = update.by_key().map(|ChangedKey { key, deleted, set }| (key, deleted.to_vec(), set.to_vec())).collect();
    assert_eq!(by_key, [(0, vec![-1], vec![7]), (1, vec![7], vec![5])]);
    check(|e| e.timers[0].timer = 1, "timer 1 is named, but 1 are declared");
    check(|e| e.timers.push(e.timers[0].clone()), "timer 0 is named twice");
    check(|e| e.timers[0].set = timers(&[(2, 5)]), "timer 0: set names key 2, but the batch has 2");
    check(|e| e.timers[0].deleted = timers(&[(u32::MAX, 5)]), "timer 0: deleted names key 4294967295");
    check(|e| e.timers[0].set = timers(&[(1, 7)]), "timer 0: key 1 at 7 is both set and deleted");
    check(|e| e.timers[0].set.times.truncate(8), "timer 0: set has 1 items where there have to be 3");
    check(|e| e.timers[0].deleted.times.truncate(9), "timer 0: deleted: times: 9 bytes are no multiple of 8");
    check(|e| e.timers[0].deleted.keys.truncate(3), "timer 0: deleted: keys: 3 bytes are no multiple of 4");
}

/// Effects of a call of a broadcast input, with this update of state 5, which is a broadcast state.
fn broadcast(update: wit::BroadcastUpdate, broadcast: bool) -> Result<Effects, GuestFault> {
    let mut descriptor = descriptor();
    descriptor.states.push(StateDescriptor { name: "rules".into(), kind: StateKind::Broadcast, ..descriptor.states[0].clone() });
    let limits = Limits::default();
    let raw = wit::Effects {
        outputs: vec![],
        values: vec![],
        lists: vec![],
        maps: vec![],
        touched: vec![],
        broadcasts: vec![update],
        timers: vec![],
        metrics: vec![],
    };
    Effects::check(raw, &Called { descriptor: &descriptor, limits: &limits, count: 3, given: Given::Records { broadcast }, keys: None })
}

fn rules() -> wit::BroadcastUpdate {
    wit::BroadcastUpdate { state: 5, cleared: true, removed: column_of(&["a"]), put: column_of(&["b", ""]), values: column_of(&["1", ""]) }
}

#[test]
fn broadcast_updates_are_taken_from_a_broadcast_alone_and_with_a_mistake_refused() {
    let taken = broadcast(rules(), true).unwrap().broadcasts.remove(0);
    assert_eq!((taken.state, taken.cleared, taken.removed.len(), taken.put.get(0), taken.values.get(1)), (5, true, 1, &b"b"[..], &b""[..]));
    let fault = broadcast(rules(), false).unwrap_err().to_string();
    assert!(fault.contains("state 5 is updated as broadcast state, and this batch is no broadcast"), "{fault}");
    let refused = |mistake: fn(&mut wit::BroadcastUpdate), expect: &str| {
        let mut update = rules();
        mistake(&mut update);
        let fault = broadcast(update, true).expect_err(expect).to_string();
        assert!(fault.contains(expect), "{expect:?} wanted: {fault}");
    };
    refused(|u| u.state = 6, "state 6 is named, but 6 are declared");
    refused(|u| u.state = 2, "state 2: \"map\" is updated as a Broadcast, but declared as a Map");
    refused(|u| u.values = column_of(&["1"]), "state 5: values has 1 items where there have to be 2");
    refused(|u| u.put = column_of(&["b", "b"]), "state 5: an entry is named twice: b");
    refused(|u| u.removed = column_of(&["b"]), "state 5: an entry is named twice: b");
    refused(|u| u.removed.data.clear(), "state 5: removed: the last end is 1 but there are 0 bytes");
    refused(|u| u.put.ends.truncate(7), "state 5: put: ends: 7 bytes are no multiple of 4");
}
