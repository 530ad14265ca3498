//! With `on-failure = "quarantine"` the poison records, and no others, are set aside; everything else is as if they had never been there.

use super::faults::{FAULTS, Fault, MALFORMED, OPERATOR, bench, limits, settings};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_engine::ErrorKind;
use weir_tests::sandbox::{Bench, Emitted, Record, faulty};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, QuarantineLimit};

/// Records of a batch.
const BATCH: usize = 24;
const KEYS: [&str; 5] = ["k0", "k1", "k2", "k3", "k4"];

fn quarantine() -> OnFailure {
    OnFailure::Quarantine { limit: QuarantineLimit::default() }
}

/// A batch with a fault at each place that `poison` knows.
fn batch(poison: &BTreeMap<usize, Fault>) -> Vec<Record> {
    let value = |place: usize| poison.get(&place).map_or_else(|| format!("v{place}"), |fault| fault.value.to_owned());
    (0..BATCH).map(|place| (KEYS[place % KEYS.len()].to_owned(), value(place))).collect()
}

/// What good records come to. Their times are their places, which differ where the poison is left out.
fn effects(emitted: Vec<Emitted>) -> Vec<Emitted> {
    emitted.into_iter().map(|record| Emitted { timestamp: None, ..record }).collect()
}

/// Runs the batch with poison, and another behind it; and both without, on a guest that never fails.
fn check(poison: &BTreeMap<usize, Fault>) {
    let places: Vec<usize> = poison.keys().copied().collect();
    let mixed = batch(poison);
    let good: Vec<Record> = mixed.iter().enumerate().filter(|(place, _)| !poison.contains_key(place)).map(|(_, r)| r.clone()).collect();

    let (mut tried, mut calm) = (bench(quarantine()), bench(OnFailure::Fail));
    tried.run(&mixed).unwrap_or_else(|error| panic!("{poison:?}: {error}"));
    calm.run(&good).expect("no poison");
    let ((emitted, reports), (wanted, _)) = (tried.take(), calm.take());
    let times: Vec<i64> = emitted.iter().filter_map(|record| record.timestamp).collect();
    let good_places: Vec<i64> = (0..BATCH).filter(|place| !poison.contains_key(place)).map(|place| place as i64).collect();
    assert_eq!(times, good_places, "{poison:?}");
    assert_eq!(effects(emitted), effects(wanted), "{poison:?}");
    assert_eq!(tried.state_of(&KEYS), calm.state_of(&KEYS), "{poison:?}");
    assert_eq!(reports.len(), places.len(), "{poison:?}: {reports:?}");
    reports.iter().zip(poison).for_each(|(report, (&place, fault))| check_report(report, place, *fault));
    assert_eq!(tried.quarantined(), places.len() as u64);

    let next = batch(&BTreeMap::new());
    tried.run(&next).expect("no poison");
    calm.run(&next).expect("no poison");
    assert_eq!(tried.take(), calm.take(), "{poison:?}");
}

fn check_report(report: &Value, place: usize, fault: Fault) {
    let fields: Vec<&str> = report.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, ["backtrace", "error", "key", "operator", "timestamp", "value"], "{report}");
    assert_eq!(report["operator"], OPERATOR);
    assert_eq!(report["key"], KEYS[place % KEYS.len()], "{report}");
    assert_eq!(report["value"], fault.value, "{report}");
    assert_eq!(report["timestamp"], place as i64, "{report}");
    assert!(report["error"].as_str().is_some_and(|error| error.contains(fault.error)), "{fault:?}: {report}");
    let trace = report["backtrace"].as_str();
    assert_eq!(trace.is_some_and(|trace| trace.contains("faulty.wasm!")), fault.backtrace, "{report}");
}

/// The same fault in each of these places.
fn at(fault: Fault, places: &[usize]) -> BTreeMap<usize, Fault> {
    places.iter().map(|&place| (place, fault)).collect()
}

fn all_faults() -> Vec<Fault> {
    FAULTS.into_iter().chain(MALFORMED).collect()
}

#[test]
fn each_fault_is_found_first_in_the_middle_last_and_several_times() {
    for fault in all_faults() {
        for places in [&[0][..], &[11], &[BATCH - 1], &[0, 1, 12, BATCH - 1]] {
            check(&at(fault, places));
        }
    }
}

#[test]
fn a_batch_of_nothing_but_one_fault_leaves_reports_alone() {
    let every: Vec<usize> = (0..BATCH).collect();
    all_faults().into_iter().for_each(|fault| check(&at(fault, &every)));
}

#[test]
fn any_mixture_of_faults_is_told_apart() {
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        // One rule is broken in one batch: two spoilings of one column may mend each other.
        let faults = [&FAULTS[..], &[MALFORMED[rng.usize(0..MALFORMED.len())]; 4]].concat();
        let share = rng.usize(2..12);
        let mut draw = |place| (rng.usize(0..share) == 0).then(|| (place, faults[rng.usize(0..faults.len())]));
        check(&(0..BATCH).filter_map(&mut draw).collect());
    }
}

#[test]
fn under_the_clock_poison_is_found_as_well() {
    for value in ["trap", "alloc", "flood:300000", "fail", "unnamed", "malformed:ends-odd", "spin"] {
        let mut bench = Bench::open(faulty(EngineMode::Epoch), settings(quarantine())).expect("opens");
        let records = ["x", value, "y"].map(|value| ("k".to_owned(), value.to_owned()));
        bench.run(&records).unwrap_or_else(|error| panic!("{value}: {error}"));
        let (emitted, reports) = bench.take();
        assert_eq!(emitted.iter().map(|record| record.value.as_str()).collect::<Vec<_>>(), ["x#1", "y#2"], "{value}");
        assert_eq!(reports.iter().map(|report| report["value"].as_str()).collect::<Vec<_>>(), [Some(value)]);
    }
}

#[test]
fn an_answer_that_is_too_long_only_as_a_whole_sets_nothing_aside() {
    let limits = Limits { output_records: 5, ..limits() };
    let mut bench = Bench::open(faulty(EngineMode::Fuel), OperatorSettings { limits, ..settings(quarantine()) }).expect("opens");
    bench.run(&batch(&BTreeMap::new())).expect("halves are short enough");
    let (emitted, reports) = bench.take();
    assert_eq!((emitted.len(), reports.len()), (BATCH, 0));
}

#[test]
fn more_poison_than_the_limit_fails_the_job_for_good() {
    let limit = QuarantineLimit { records: 3, ..QuarantineLimit::default() };
    for fault in [FAULTS[0], FAULTS[12], MALFORMED[0]] {
        let mut bench = bench(OnFailure::Quarantine { limit });
        bench.run(&batch(&at(fault, &[3, 4, 20]))).expect("three are allowed");
        let error = bench.run(&batch(&at(fault, &[8]))).expect_err("a fourth is not");
        let text = error.to_string();
        assert!(text.starts_with("operator \"shaky\" subtask 0: 4 of "), "{text}");
        assert!(text.contains("records were quarantined; 3 are the most"), "{text}");
        assert_eq!((error.kind(), error.is_guest_fault()), (ErrorKind::FixInput, true));
        assert!(error.hint().is_some_and(|hint| hint.contains("quarantine output")));
    }
}

#[test]
fn more_than_one_percent_fails_the_job_once_enough_have_been_seen() {
    let limit = QuarantineLimit { records: 1_000, share_percent: 10, share_from: 100 };
    let mut bench = bench(OnFailure::Quarantine { limit });
    let tenth = batch(&at(FAULTS[0], &[1, 2, 3]));
    for _ in 0..4 {
        bench.run(&tenth).expect("fewer than a hundred records");
    }
    let error = bench.run(&tenth).expect_err("3 of 24 are more than a tenth").to_string();
    assert!(error.contains("and 10 % once 100 have been seen"), "{error}");
}
