//! Right effects: two elements in each list, and nothing in them is empty that can lie.

use super::super::tests::{column_of, headers_of, keyed, u32s};
use super::wit;
use weir_engine::operator::{OperatorDescriptor, OutputDescriptor, TimerDescriptor};
use weir_engine::state::{StateDescriptor, StateKind, StateTtl, TimeDomain};

/// What the call was given.
pub(super) const COUNT: usize = 3;
/// Distinct keys of the call, the last of which no right effects name.
pub(super) const KEYS: u32 = 4;
/// States and timers that are declared.
pub(super) const STATES: u32 = 12;
pub(super) const TIMERS: u32 = 2;
/// A value and a list state that no right effects name.
pub(super) const SPARE_VALUE: u32 = 10;
pub(super) const SPARE_LIST: u32 = 11;

/// Two states of each kind and two whose time to live counts from the last read, and the spare ones.
pub(super) fn descriptor() -> OperatorDescriptor {
    use StateKind::{Broadcast, List, Map, Value};
    let ttl = StateTtl { ms: 7, time: TimeDomain::Event, refresh_on_read: true };
    let kinds = [Value, Value, List, List, Map, Map, Broadcast, Broadcast, Value, Value, Value, List];
    let state = |(number, kind)| StateDescriptor {
        name: format!("s{number}"),
        kind,
        schema: "raw".into(),
        version: 1,
        ttl: matches!(number, 8 | 9).then_some(ttl),
    };
    let timer = |name: &str| TimerDescriptor { name: name.into(), event_time: true };
    OperatorDescriptor {
        outputs: vec![OutputDescriptor::default(); 2],
        states: kinds.into_iter().enumerate().map(state).collect(),
        timers: vec![timer("due"), timer("late")],
        ..OperatorDescriptor::default()
    }
}

fn s64s(integers: &[i64]) -> Vec<u8> {
    bytemuck::cast_slice(integers).to_vec()
}

fn counts(keys: &[u32], counts: &[i64]) -> wit::KeyCounts {
    wit::KeyCounts { keys: u32s(keys), counts: s64s(counts) }
}

/// Two made records. Records pass in the first output alone, where they may.
pub(super) fn of_output(output: u32, passes: bool) -> wit::Output {
    let passing = output == 0 && passes;
    wit::Output {
        output,
        passes: if passing { vec![0b101] } else { vec![] },
        cause: u32s(if passing { &[0, 2] } else { &[2, 0] }),
        values: column_of(&["a", ""]),
        valueless: u32s(&[1]),
        keys: column_of(&["", "k"]),
        keyless: u32s(&[0]),
        headers: Some(headers_of(&[1, 2], &["h", "i"], &["1", "2"])),
        timestamps: s64s(&[1, -2]),
    }
}

fn of_timer(timer: u32) -> wit::TimerUpdate {
    let set = wit::Timers { keys: u32s(&[1, 0]), times: s64s(&[5, 7]) };
    wit::TimerUpdate { timer, set, deleted: wit::Timers { keys: u32s(&[1, 0]), times: s64s(&[7, -1]) } }
}

/// An answer that has all there is, more than any call may have.
pub(super) fn everything(passes: bool) -> wit::Effects {
    let value = |state| wit::ValueUpdate { state, cleared: u32s(&[1]), set: keyed(&[0, 2], &["v", "w"]) };
    let list = |state| wit::ListUpdate {
        state,
        cleared: u32s(&[0, 0]),
        popped: counts(&[0, 1], &[1, -1]),
        truncated: counts(&[1, 2], &[0, 9]),
        append: keyed(&[0, 0, 1], &["a", "b", "c"]),
    };
    let map = |state| wit::MapUpdate {
        state,
        cleared: u32s(&[2]),
        removed: keyed(&[0], &["e"]),
        put: keyed(&[1, 0], &["e", "f"]),
        values: column_of(&["1", "2"]),
    };
    let broadcast = |state| wit::BroadcastUpdate {
        state,
        cleared: true,
        removed: column_of(&["a"]),
        put: column_of(&["b", ""]),
        values: column_of(&["1", ""]),
    };
    let metric = |name: &str| wit::Metric { name: name.into(), delta: -1 };
    wit::Effects {
        outputs: [0, 1].map(|output| of_output(output, passes)).into(),
        values: [0, 1].map(value).into(),
        lists: [2, 3].map(list).into(),
        maps: [4, 5].map(map).into(),
        broadcasts: [6, 7].map(broadcast).into(),
        touched: [8, 9].map(|state| wit::Touch { state, keys: u32s(&[1, 0]) }).into(),
        timers: [0, 1].map(of_timer).into(),
        metrics: vec![metric("rows.read"), metric("rows.kept")],
    }
}
