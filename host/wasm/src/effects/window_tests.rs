//! What comes of a windowed operator's calls, one mistake at a time.

use super::tests::{descriptor, right, u32s};
use super::*;

/// What becomes of these effects in a call of a windowed operator, of three records or firings with two keys.
fn checked(raw: wit::Effects, given: Given) -> Result<Effects, GuestFault> {
    let descriptor = OperatorDescriptor { windowed: true, ..descriptor() };
    Effects::check(raw, &Called { descriptor: &descriptor, limits: &Limits::default(), count: 3, given, keys: Some(2) })
}

#[track_caller]
fn refused(raw: wit::Effects, given: Given, expect: &str) {
    let fault = checked(raw, given).expect_err(expect).to_string();
    assert!(fault.contains(expect), "{expect:?} wanted: {fault}");
}

const RECORDS: Given = Given::Records { broadcast: false };

/// Right effects without their records.
fn gathered() -> wit::Effects {
    wit::Effects { outputs: vec![], timers: vec![], ..right() }
}

/// Right effects without their changes.
fn spoken() -> wit::Effects {
    wit::Effects { values: vec![], lists: vec![], maps: vec![], timers: vec![], ..right() }
}

#[test]
fn records_change_state_and_emit_nothing() {
    let taken = checked(gathered(), RECORDS).unwrap();
    assert_eq!((taken.values.len(), taken.lists.len(), taken.maps.len(), taken.metrics.len()), (1, 1, 1, 1));
    refused(
        wit::Effects { outputs: right().outputs, ..gathered() },
        RECORDS,
        "output 1: `process` of a windowed operator changes state and",
    );
    let broadcast = Given::Records { broadcast: true };
    refused(spoken(), broadcast, "output 1: `process` of a windowed operator changes state and emits nothing");
    let output = |passes: &[u8]| wit::Output {
        passes: passes.to_vec(),
        cause: vec![],
        values: wit::ColumnResult { data: vec![], ends: vec![] },
        valueless: vec![],
        keys: wit::ColumnResult { data: vec![], ends: vec![] },
        keyless: vec![],
        timestamps: vec![],
        headers: None,
        ..right().outputs.remove(0)
    };
    refused(wit::Effects { outputs: vec![output(&[2])], ..gathered() }, RECORDS, "output 1: `process` of a windowed operator");
    for nothing in [&[][..], &[0]] {
        assert!(checked(wit::Effects { outputs: vec![output(nothing)], ..gathered() }, RECORDS).is_ok());
    }
}

#[test]
fn firings_emit_and_change_nothing() {
    let taken = checked(spoken(), Given::Windows).unwrap();
    assert_eq!((&taken.outputs[0].cause, taken.metrics.len()), (&vec![0, 2], 1));
    let changed = |state| format!("state {state}: `on-windows` reads the state of windows and emits; it changes nothing");
    refused(wit::Effects { values: right().values, ..spoken() }, Given::Windows, &changed(0));
    refused(wit::Effects { lists: right().lists, ..spoken() }, Given::Windows, &changed(1));
    refused(wit::Effects { maps: right().maps, ..spoken() }, Given::Windows, &changed(2));
    let none = || wit::ColumnResult { data: vec![], ends: vec![] };
    let rules = wit::BroadcastUpdate { state: 3, cleared: true, removed: none(), put: none(), values: none() };
    refused(wit::Effects { broadcasts: vec![rules], ..spoken() }, Given::Windows, &changed(3));
    refused(wit::Effects { timers: right().timers, ..spoken() }, Given::Windows, "timer 0: `on-windows` reads the state of windows");
    refused(
        wit::Effects { outputs: vec![wit::Output { passes: vec![1], ..right().outputs.remove(0) }], ..spoken() },
        Given::Windows,
        "output 1: passes: only records of a batch pass, and this call was given windows",
    );
    let far = wit::Output { cause: u32s(&[0, 3]), ..right().outputs.remove(0) };
    refused(wit::Effects { outputs: vec![far], ..spoken() }, Given::Windows, "cause names firing 3, but the batch has 3");
}
