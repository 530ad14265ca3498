//! That what is not asked for is unharmed, and that every fault that can be seen natively is one.

use super::*;
use crate::guest::Component;
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use weir_guest::Instance;
use weir_guest::bindings::exports::weir::operator::guest::{self as exports, Guest};
use weir_guest::bindings::weir::operator::types::{Batch, Column, Headers, KeyedColumn};
use weir_guest::testing::{TestHost, TestRecord};

const SUBTASK: exports::Subtask = exports::Subtask { index: 0, parallelism: 1, seed: 0 };
const CONTEXT: exports::Context = exports::Context { input: 0, watermark: i64::MIN, processing_time: 0 };

/// A batch of one record under one key, as the host would hand it in.
fn batch(value: &str) -> Batch {
    let one = |item: &[u8]| Column { data: item.to_vec(), ends: (item.len() as u32).to_le_bytes().to_vec() };
    let none = || KeyedColumn { keys: Vec::new(), items: Column { data: Vec::new(), ends: Vec::new() } };
    Batch {
        keys: one(b"k"),
        key_of: vec![0; 4],
        keyless: Vec::new(),
        values: one(value.as_bytes()),
        valueless: Vec::new(),
        headers: Headers { ends: Vec::new(), names: none().items, values: none().items },
        timestamps: vec![0; 8],
        states: vec![none(), none(), none()],
        windows: None,
    }
}

fn process(value: &str) -> Result<exports::Effects, exports::Failure> {
    Component::open("{}".into(), vec![None], SUBTASK).expect("opens");
    Component::process(CONTEXT, batch(value))
}

#[test]
fn what_is_no_request_is_counted_and_echoed() {
    let mut host = TestHost::<Faulty>::open("{}").expect("opens");
    host.send(&[TestRecord::new("a").key("k"), TestRecord::new("b").key("k")]).expect("no fault");
    host.set_keyed(0, false);
    host.send(&[TestRecord::new("c")]).expect("no fault");
    let values: Vec<_> = host.emitted().iter().map(|record| record.value.as_slice()).collect();
    assert_eq!(values, [&b"a#1"[..], b"b#2", b"c"]);
}

#[test]
fn every_kind_of_malformed_effects_differs_from_sound_ones() {
    let mut instance = Instance::<Faulty>::open("{}", vec![None], SUBTASK).expect("opens");
    let sound = instance.process(CONTEXT, batch("malformed:")).expect("no fault");
    let mut seen = BTreeSet::from([format!("{sound:?}")]);
    for kind in malformed::KINDS {
        let mut effects = sound.clone();
        assert!(malformed::spoil(kind, &mut effects), "{kind} is not known");
        assert!(seen.insert(format!("{effects:?}")), "{kind} gives the same as another kind, or as none");
    }
}

#[test]
fn an_unknown_kind_is_refused_by_name() {
    let failure = process("malformed:nothing").expect_err("no such kind");
    assert_eq!(failure.message, "effects cannot be malformed like `nothing`");
}

#[test]
fn failures_name_their_record_or_do_not_or_name_another() {
    let cause = |value: &str| process(value).map(|_| ()).map_err(|failure| failure.cause);
    assert_eq!(cause("fail"), Err(Some(0)));
    assert_eq!(cause("unnamed"), Err(None));
    assert_eq!(cause("astray"), Err(Some(u32::MAX)));
    assert_eq!(cause("x"), Ok(()));
}

#[test]
fn panics_are_panics() {
    for fault in ["trap", "panic", "divide", "index"] {
        assert!(catch_unwind(|| faults::commit(fault.as_bytes(), &mut Vec::new())).is_err(), "{fault}");
    }
}

#[test]
fn bounded_faults_keep_to_their_bound() {
    let mut out = Vec::new();
    assert!(faults::commit(b"flood:10", &mut out).is_ok_and(|done| done));
    assert_eq!(out.len(), 10);
    assert!(faults::commit(b"alloc:100", &mut out).is_ok_and(|done| done));
    assert!(faults::commit(b"harmless", &mut out).is_ok_and(|done| !done));
    assert!(faults::commit(b"read:mind", &mut out).is_err());
    let effects = process("records:7").expect("no fault");
    assert_eq!(effects.outputs[0].cause.len(), 4 * 7);
}

#[test]
fn the_config_asks_for_faults_too() {
    let error = TestHost::<Faulty>::open(r#"{"open":"fail"}"#).err().expect("fails in open");
    assert_eq!(error, "failed as requested");
    let mut host = TestHost::<Faulty>::open(r#"{"record":"flood:3"}"#).expect("opens");
    host.send(&[TestRecord::new("a").key("k")]).expect("no fault");
    assert_eq!(host.emitted()[0].value, b"xxx");
}
