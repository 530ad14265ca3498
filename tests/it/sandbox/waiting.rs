//! Traps that wait for something: for the call of some number, for a restore, for one key.

use super::faults::settings;
use weir_tests::sandbox::{Bench, Record, faulty};
use weir_wasm::{EngineMode, OnFailure, OperatorSettings, QuarantineLimit};

/// Each is once in a batch.
const KEYS: u64 = 8;

fn bench(config: &str, on_failure: OnFailure) -> Bench {
    let settings = OperatorSettings { config: config.into(), ..settings(on_failure) };
    Bench::open(faulty(EngineMode::Fuel), settings).expect("opens")
}

fn quarantine() -> OnFailure {
    OnFailure::Quarantine { limit: QuarantineLimit::default() }
}

fn batch(number: u64) -> Vec<Record> {
    (KEYS * number..KEYS * (number + 1)).map(|record| (format!("k{}", record % KEYS), format!("v{record}"))).collect()
}

fn expected(batches: u64, without: Option<u64>) -> Vec<String> {
    let count = |record: u64| record / KEYS + 1;
    (0..KEYS * batches).filter(|record| Some(record % KEYS) != without).map(|record| format!("v{record}#{}", count(record))).collect()
}

fn values(bench: &mut Bench) -> (Vec<String>, usize) {
    let (emitted, reports) = bench.take();
    (emitted.into_iter().map(|record| record.value).collect(), reports.len())
}

#[test]
fn what_only_the_third_call_of_an_instance_fails_on_is_nobodys_fault() {
    let mut bench = bench(r#"{"trap":{"call":3}}"#, quarantine());
    (0..20).for_each(|number| bench.run(&batch(number)).expect("a new instance does it"));
    assert_eq!(values(&mut bench), (expected(20, None), 0));
}

#[test]
fn without_quarantine_the_third_call_fails_the_task_once() {
    let mut bench = bench(r#"{"trap":{"call":3}}"#, OnFailure::Fail);
    (0..2).for_each(|number| bench.run(&batch(number)).expect("not yet"));
    let error = bench.run(&batch(2)).expect_err("the third").to_string();
    assert!(error.contains("trapped as configured"), "{error}");
    bench.run(&batch(2)).expect("a new instance does it");
    assert_eq!(values(&mut bench), (expected(3, None), 0));
}

#[test]
fn what_fails_at_one_key_takes_nothing_from_the_others() {
    let mut bench = bench(r#"{"trap":{"key":"k2"}}"#, quarantine());
    (0..10).for_each(|number| bench.run(&batch(number)).expect("the others go on"));
    assert_eq!(values(&mut bench), (expected(10, Some(2)), 10));
    assert_eq!(bench.quarantined(), 10);
}

#[test]
fn what_fails_wherever_there_is_state_already_fails_behind_a_restore_and_sets_its_records_aside() {
    let mut bench = bench(r#"{"trap":"restored"}"#, quarantine());
    (0..3).for_each(|number| bench.run(&batch(number)).expect("it began with nothing"));
    assert_eq!(values(&mut bench), (expected(3, None), 0));
    bench.reopen(r#"{"trap":"restored"}"#);
    bench.run(&batch(3)).expect("all are set aside");
    assert_eq!(values(&mut bench), (Vec::new(), 8));
    // A key that has nothing yet is none of those.
    bench.run(&[("new".to_owned(), "w".to_owned())]).expect("no fault");
    assert_eq!(values(&mut bench), (vec!["w#1".to_owned()], 0));
}
