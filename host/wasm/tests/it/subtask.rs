//! A windowed operator in a subtask of the engine's: what is kept of a window behind its firing.

use crate::support::{quarantine, windowed_puppet};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use weir_engine::element::{BatchBuilder, KeyGroupRange};
use weir_engine::operator::{CallKind, FiredTimers, OperatorCall, QUARANTINE_OUTPUT, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{MemoryBackendFactory, WindowKind, WindowSettings, key_hash};
use weir_engine::task::{OperatorSubtask, SubtaskPlace};
use weir_wasm::{Limits, OperatorSettings, WasmOperatorFactory};

/// Why windows are due, by number.
const ON_TIME: u32 = 0;
const CORRECTION: u32 = 2;

/// A subtask of the puppet that sets aside what it fails on, with windows of 10 ms that take records for 100 ms more.
fn subtask() -> OperatorSubtask {
    let settings = OperatorSettings { operator: "op".into(), config: "{}".into(), limits: Limits::default(), on_failure: quarantine() };
    let windows = WindowSettings { lateness: 100, ..WindowSettings::new(WindowKind::Tumbling { size: 10, offset: 0 }) };
    let place = SubtaskPlace {
        subtask: Subtask { vertex: "op".into(), index: 0, parallelism: 1 },
        factory: Arc::new(WasmOperatorFactory::new(windowed_puppet(), settings).unwrap()),
        schemas: vec![None, None],
        broadcast_inputs: BTreeSet::new(),
        window: Some(windows),
        key_groups: Some(KeyGroupRange { start: 0, end: 128 }),
        max_parallelism: 128,
    };
    OperatorSubtask::new(place, &MemoryBackendFactory::new(1), Arc::default(), Simulator::new(1).runtime().clock).unwrap()
}

/// What comes of a call: the output and the value of each record.
fn call(subtask: &mut OperatorSubtask, watermark: i64, kind: CallKind) -> Vec<(u32, String)> {
    let call = OperatorCall { watermark, processing_time: 1_000, kind };
    let Poll::Ready(emitted) = std::pin::pin!(subtask.call(&call)).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("state in memory is there")
    };
    let values = |(output, records): (u32, weir_engine::element::Selection)| {
        let values: Vec<_> = records.compact().values().iter().map(|value| (output, String::from_utf8_lossy(value).into_owned())).collect();
        values
    };
    emitted.unwrap().into_iter().flat_map(values).collect()
}

/// A record of each key at 5 ms.
fn records(subtask: &mut OperatorSubtask, watermark: i64, keys: &[&str]) {
    let mut builder = BatchBuilder::new();
    keys.iter().for_each(|key| builder.push(Some(key.as_bytes()), b"x", Some(5)));
    let batch = Arc::new(builder.finish());
    assert_eq!(call(subtask, watermark, CallKind::Batch { input: 0, keyed: true, batch }), []);
}

/// The windows of these keys from 0 to 10 ms are due.
fn fire(subtask: &mut OperatorSubtask, watermark: i64, keys: &[&str], reason: u32) -> Vec<(u32, String)> {
    let mut due = FiredTimers::default();
    for key in keys {
        let unit = [&i64::MIN.to_be_bytes(), key.as_bytes()].concat();
        due.push(&unit, key_hash(key.as_bytes()), reason, 9);
    }
    call(subtask, watermark, CallKind::Windows(Arc::new(due)))
}

#[test]
fn of_a_window_that_is_set_aside_nothing_is_kept_and_the_others_speak_again() {
    const POISON: &str = "!fail bad";
    let mut subtask = subtask();
    records(&mut subtask, i64::MIN, &["a", POISON, "b", POISON]);
    assert_eq!(subtask.keyed_state().unwrap().key_count(), 3);
    let keys = ["a", POISON, "b"];
    let told = fire(&mut subtask, 9, &keys, ON_TIME);
    assert_eq!(told.iter().map(|(output, _)| *output).collect::<Vec<_>>(), [0, QUARANTINE_OUTPUT, 0]);
    assert_eq!(subtask.keyed_state().unwrap().key_count(), 2);
    records(&mut subtask, 9, &["a", POISON]);
    let told = fire(&mut subtask, 9, &keys, CORRECTION);
    let [(0, spoken), (QUARANTINE_OUTPUT, report)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(spoken, "0..10 correction#1=2");
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    assert_eq!((&report["key"], &report["revision"]), (&POISON.into(), &0.into()), "it began anew");
}
