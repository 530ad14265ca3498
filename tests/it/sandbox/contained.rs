//! With `on-failure = "fail"` a fault is an error that says who, what and where; nothing of its batch shows.

use super::faults::{FAULTS, Fault, MALFORMED, OPERATOR, bench, limits, settings};
use weir_engine::ErrorKind;
use weir_tests::sandbox::{Bench, Record, faulty};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings};

const KEYS: [&str; 2] = ["a", "b"];

fn records(pairs: &[(&str, &str)]) -> Vec<Record> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The fault fails its batch with this error, which leaves outputs, state and the next batch alone.
fn check(fault: Fault) {
    let mut bench = bench(OnFailure::Fail);
    bench.run(&records(&[("a", "x"), ("b", "malformed")])).expect("no fault");
    let (before, _) = (bench.state_of(&KEYS), bench.take());
    let error = bench.run(&records(&[("a", "y"), ("b", fault.value), ("a", "z")])).expect_err(fault.value);
    let text = error.to_string();
    assert!(text.starts_with(&format!("operator \"{OPERATOR}\" subtask 0")), "{}: {text}", fault.value);
    assert!(text.contains(fault.error), "{}: {text}", fault.value);
    let backtrace = text.contains("wasm backtrace") && text.contains("faulty.wasm!");
    assert_eq!(backtrace, fault.backtrace, "{}: {text}", fault.value);
    assert_eq!((error.kind(), error.is_guest_fault()), (ErrorKind::Restart, true), "{}", fault.value);
    assert_eq!(bench.take(), (Vec::new(), Vec::new()), "{}", fault.value);
    assert_eq!((bench.state_of(&KEYS), bench.quarantined()), (before, 0), "{}", fault.value);
    bench.run(&records(&[("a", "y")])).expect("the next batch has a new instance");
    assert_eq!(bench.take().0[0].value, "y#2", "{}", fault.value);
}

#[test]
fn every_fault_is_an_error_without_effect() {
    FAULTS.into_iter().for_each(check);
}

#[test]
fn all_malformed_effects_are_refused_by_the_rule_that_they_break() {
    for fault in MALFORMED {
        check(fault);
        let mut bench = bench(OnFailure::Fail);
        let error = bench.run(&records(&[("a", fault.value)])).expect_err(fault.value).to_string();
        assert!(error.contains("the plugin returned malformed effects: "), "{}: {error}", fault.value);
    }
}

#[test]
fn a_failure_names_the_key_of_the_record_that_it_blames() {
    let error = bench(OnFailure::Fail).run(&records(&[("a", "x"), ("b", "fail")])).expect_err("fails").to_string();
    assert!(error.starts_with("operator \"shaky\" subtask 0 at key \"b\": the plugin failed on record 1 of the batch"), "{error}");
}

#[test]
fn state_that_a_batch_may_not_have_cannot_be_reached() {
    let mut bench = bench(OnFailure::Fail);
    for value in ["read:list-key", "read:map-key", "read:scan-key"] {
        let error = bench.run_unkeyed(&records(&[("a", value)])).expect_err(value).to_string();
        assert!(error.contains("this batch's input is not keyed"), "{value}: {error}");
    }
}

#[test]
fn more_records_than_one_call_may_return_are_the_output_limit() {
    let limits = Limits { output_records: 2, ..limits() };
    let mut bench = Bench::open(faulty(EngineMode::Fuel), OperatorSettings { limits, ..settings(OnFailure::Fail) }).expect("opens");
    let error = bench.run(&records(&[("a", "x"), ("a", "y"), ("a", "z")])).expect_err("three").to_string();
    assert!(error.contains("returned too much: 3 records from one call, and 2 are the most"), "{error}");
}

#[test]
fn a_flood_of_log_lines_is_dropped_and_no_fault() {
    let mut bench = bench(OnFailure::Fail);
    bench.run(&records(&[("a", "log:2000"), ("a", "log-long:100000"), ("a", "x")])).expect("no fault");
    assert_eq!(bench.take().0[2].value, "x#1");
}

#[test]
fn faults_in_open_fail_the_job_whatever_on_failure_says() {
    let quarantine = OnFailure::Quarantine { limit: Default::default() };
    let check = |config: &str, expect: &str| {
        for on_failure in [OnFailure::Fail, quarantine] {
            let settings = OperatorSettings { config: config.into(), ..settings(on_failure) };
            let error = Bench::open(faulty(EngineMode::Fuel), settings).err().unwrap_or_else(|| panic!("{config} opens"));
            let text = error.to_string();
            assert!(text.starts_with("operator \"shaky\" subtask 0: open: ") && text.contains(expect), "{config}: {text}");
            assert_eq!((error.kind(), error.is_guest_fault()), (ErrorKind::FixInput, true), "{config}");
        }
    };
    check(r#"{"open":"trap"}"#, "the plugin trapped: wasm trap: wasm `unreachable`");
    check(r#"{"open":"trap"}"#, "wasm backtrace");
    check(r#"{"open":"panic"}"#, "as requested");
    check(r#"{"open":"spin"}"#, "the plugin did not return within 100ms (limits.time-per-batch)");
    check(r#"{"open":"alloc"}"#, "the plugin ran out of memory");
    check(r#"{"open":"fail"}"#, "the plugin refused to open: failed as requested");
    check(r#"{"open":"read:list-key"}"#, "list-length was called in open");
    check(r#"{"opne":"fail"}"#, "unknown field `opne`");
    check("nonsense", "the plugin refused to open: ");
}

#[test]
fn a_fault_at_every_record_is_asked_for_by_the_config() {
    let settings = OperatorSettings { config: r#"{"record":"divide"}"#.into(), ..settings(OnFailure::Fail) };
    let mut bench = Bench::open(faulty(EngineMode::Fuel), settings).expect("opens");
    assert!(bench.run(&records(&[("a", "x")])).expect_err("divides").to_string().contains("divide by zero"));
}

#[test]
fn a_guest_that_spins_is_stopped_by_the_clock_too() {
    let mut bench = Bench::open(faulty(EngineMode::Epoch), settings(OnFailure::Fail)).expect("opens");
    for value in ["spin", "log"] {
        let error = bench.run(&records(&[("a", value)])).expect_err(value).to_string();
        assert!(error.contains("did not return within 100ms (limits.time-per-batch)") && error.contains("wasm backtrace"), "{error}");
    }
}
