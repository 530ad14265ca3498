//! Poison records are set aside, and every other record sees exactly what it would have seen without them.

use crate::support::{Bench, Setup, quarantine, reports, values};
use std::time::Duration;
use weir_engine::ErrorKind;
use weir_wasm::{EngineMode, Limits, OnFailure, QuarantineLimit};

fn bench() -> Bench {
    let limits = Limits { time_per_batch: Duration::from_millis(300), ..Limits::default() };
    Bench::new(Setup { limits, on_failure: quarantine(), ..Setup::default() })
}

/// Runs 60 records of 7 keys with poison in between: all others come out as if it were not there.
fn check(poison: &str, at: &[usize], expect: &str) {
    let plain: Vec<(String, String)> = (0..60).map(|i| (format!("k{}", i % 7), format!("v{i}"))).collect();
    let good: Vec<(&str, &str)> = (0..60).filter(|i| !at.contains(i)).map(|i| (plain[i].0.as_str(), plain[i].1.as_str())).collect();
    let mixed: Vec<(&str, &str)> =
        (0..60).map(|i| (plain[i].0.as_str(), if at.contains(&i) { poison } else { plain[i].1.as_str() })).collect();
    let wanted = Bench::new(Setup::default()).keyed(&good).unwrap();

    let mut bench = bench();
    let outs = bench.keyed(&mixed).unwrap();
    assert_eq!(values(&outs), values(&wanted), "{poison}");
    let reports = reports(&outs);
    assert_eq!(reports.iter().map(|report| report["timestamp"].as_u64().unwrap() as usize).collect::<Vec<_>>(), at, "{poison}");
    assert_eq!(bench.metrics.quarantined.get(), at.len() as u64);
    for report in reports {
        assert_eq!((&report["operator"], report["value"].as_str()), (&"op".into(), Some(poison)));
        assert!(report["error"].as_str().unwrap().contains(expect), "{report}");
        assert_eq!(report["key"].as_str().unwrap(), format!("k{}", report["timestamp"].as_u64().unwrap() % 7));
    }
}

#[test]
fn every_kind_of_poison_is_found_wherever_it_stands() {
    for at in [&[0][..], &[59], &[17], &[0, 1, 2], &[5, 30, 59]] {
        check("trap", at, "unreachable");
        check("fail bad row", at, "failed on record 0 of the batch: bad row");
        check("fail-batch bad batch", at, "bad batch");
        check("fail-other somebody", at, "somebody");
        check("wrong output", at, "output 9 is named");
    }
    check("eat", &[17], "ran out of memory");
    check("flood", &[3, 40], "more than 16777216 bytes");
    check("spin", &[11], "did not return within 300ms");
}

#[test]
fn a_batch_of_poison_leaves_nothing_but_reports() {
    let outs = bench().keyed(&[("a", "trap"); 20]).unwrap();
    assert_eq!((reports(&outs).len(), values(&outs).len()), (20, 0));
}

#[test]
fn traps_are_reported_with_their_backtrace() {
    let outs = bench().keyed(&[("a", "trap")]).unwrap();
    assert!(reports(&outs)[0]["backtrace"].as_str().unwrap().contains("guest@0.2.0#process"));
}

#[test]
fn a_record_that_fails_only_on_a_used_instance_is_not_poison() {
    let mut bench = Bench::new(Setup { config: "\"stale\"", on_failure: quarantine(), ..Setup::default() });
    assert_eq!(values(&bench.keyed(&[("a", "x"), ("a", "x")]).unwrap()), ["x=1", "x=2"]);
    let outs = bench.keyed(&[("a", "x"), ("b", "x"), ("a", "x")]).unwrap();
    assert_eq!((values(&outs), reports(&outs).len()), (vec!["x=3", "x=1", "x=4"], 0));
}

#[test]
fn too_many_quarantined_records_fail_the_job_for_good() {
    let limit = QuarantineLimit { records: 3, ..QuarantineLimit::default() };
    let mut bench = Bench::new(Setup { on_failure: OnFailure::Quarantine { limit }, ..Setup::default() });
    bench.keyed(&[("a", "trap"); 3]).unwrap();
    let error = bench.keyed(&[("a", "trap")]).unwrap_err();
    assert!(error.to_string().contains("4 of 4 records were quarantined; 3 are the most"), "{error}");
    assert_eq!(error.kind(), ErrorKind::FixInput);
}

fn spinning(seconds_per_batch: f64, records: &[(&str, &str)]) -> Result<Vec<crate::support::Out>, weir_engine::EngineError> {
    let limits = Limits { time_per_batch: Duration::from_secs_f64(seconds_per_batch), ..Limits::default() };
    Bench::new(Setup { limits, on_failure: quarantine(), ..Setup::default() }).keyed(records)
}

#[test]
fn narrowing_gives_up_when_its_budget_is_spent() {
    let error = spinning(2.0, &[("a", "spin"); 8]).unwrap_err();
    assert!(error.to_string().contains("gave up after 10s of narrowing"), "{error}");
    assert!(error.is_guest_fault());
}

#[test]
fn a_batch_that_may_take_long_has_a_budget_in_proportion() {
    let outs = spinning(5.0, &[("a", "x"), ("a", "spin"), ("b", "spin"), ("b", "x")]).unwrap();
    assert_eq!((values(&outs), reports(&outs).len()), (vec!["x=1", "x=1"], 2));
}

#[test]
fn a_record_that_is_found_out_when_the_budget_is_spent_is_set_aside_all_the_same() {
    // Halves and records take two batches' times, each full try takes one more, and the budget is four.
    let outs = spinning(2.5, &[("a", "spin"); 3]).unwrap();
    assert_eq!(reports(&outs).len(), 3);
}

#[test]
fn later_records_of_a_quarantined_key_go_on_also_under_the_clock() {
    let mut bench = Bench::new(Setup { mode: EngineMode::Epoch, on_failure: quarantine(), ..Setup::default() });
    let outs = bench.keyed(&[("a", "x"), ("a", "trap"), ("a", "x")]).unwrap();
    assert_eq!(values(&outs), ["x=1", "x=2"]);
    assert_eq!(values(&bench.keyed(&[("a", "x")]).unwrap()), ["x=3"]);
}
