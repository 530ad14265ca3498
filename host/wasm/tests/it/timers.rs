//! Timers: what a guest sets and deletes, what it is given when they are due, and what becomes of one that it fails on.

use crate::support::{Bench, Setup, quarantine, reports, values};
use std::time::Duration;
use weir_wasm::Limits;

#[test]
fn timers_are_set_and_deleted_by_records_and_by_timers() {
    let mut bench = Bench::new(Setup::default());
    bench.keyed(&[("a", "set 0 7"), ("a", "set 0 7"), ("a", "set 0 -3"), ("b", "set 1 9"), ("a", "x")]).unwrap();
    assert_eq!((bench.timers("a", 0), bench.timers("a", 1), bench.timers("b", 1)), (vec![-3, 7], vec![], vec![9]));
    bench.keyed(&[("a", "delete 0 7"), ("a", "delete 0 8"), ("a", "set 0 11"), ("b", "delete 1 9")]).unwrap();
    assert_eq!((bench.timers("a", 0), bench.timers("b", 1)), (vec![-3, 11], vec![]));
    bench.fire(&[("!set 0 5", 0, 1)]).unwrap();
    assert_eq!(bench.timers("!set 0 5", 0), [5]);
}

#[test]
fn a_timer_that_is_due_brings_its_key_with_its_state_and_what_it_emits_has_its_time() {
    let mut bench = Bench::new(Setup::default());
    bench.keyed(&[("a", "x"), ("b", "x"), ("a", "x"), ("a", "append 1"), ("a", "append 2")]).unwrap();
    let outs = bench.fire(&[("b", 0, 5), ("a", 1, 7), ("b", 1, 5), ("a", 0, 7)]).unwrap();
    assert_eq!(values(&outs), ["due@5=2", "tick@7=3", "tick@5=3", "due@7=4"]);
    let told: Vec<_> = outs.iter().map(|out| (out.key.as_deref(), out.timestamp)).collect();
    assert_eq!(told, [(Some("b"), 5), (Some("a"), 7), (Some("b"), 5), (Some("a"), 7)]);
    assert_eq!(values(&bench.keyed(&[("a", "x")]).unwrap()), ["x=5"]);
    bench.keyed(&[("!list 1", "append 1"), ("!list 1", "append 2")]).unwrap();
    assert_eq!(values(&bench.fire(&[("!list 1", 0, 5)]).unwrap()), ["2 in 2: 1,2"]);
}

#[test]
fn a_call_of_timers_is_told_the_time_and_may_read_broadcast_state() {
    let mut bench = Bench::new(Setup::default());
    bench.watermark = 44;
    bench.broadcast(&["rule a=1"]).unwrap();
    assert_eq!(values(&bench.fire(&[("!context", 0, 5)]).unwrap()), ["0 44 1000"]);
    assert_eq!(values(&bench.fire(&[("!rules 10", 0, 5)]).unwrap()), ["1: a=1"]);
    let error = bench.fire(&[("!rule a=2", 0, 5)]).unwrap_err().to_string();
    assert!(error.contains("is updated as broadcast state, and this batch is no broadcast"), "{error}");
}

#[test]
fn timers_are_cut_by_the_bytes_that_they_bring() {
    let limits = Limits { batch_bytes: Some(200), ..Limits::default() };
    let mut bench = Bench::new(Setup { limits, ..Setup::default() });
    let names: Vec<String> = (0..100).map(|key| format!("k{key}")).collect();
    let timers: Vec<_> = names.iter().map(|name| (name.as_str(), 0, 5)).collect();
    assert_eq!(bench.fire(&timers).unwrap().len(), 100);
    let calls = bench.metrics.own.get()["calls"];
    assert!(calls > 5, "{calls}");
}

#[test]
fn a_fault_names_its_timer_and_has_no_effect() {
    let mut bench = Bench::new(Setup::default());
    let error = bench.fire(&[("a", 0, 5), ("!fail no such row", 1, 6)]).unwrap_err();
    let wanted = "operator \"op\" subtask 0 at key \"!fail no such row\", timer \"tick\" due at 1970-01-01T00:00:00.006Z: the plugin failed on timer 1 of those that are due: no such row (";
    assert!(error.to_string().starts_with(wanted), "{error}");
    assert!(error.is_guest_fault());
    let error = bench.fire(&[("!pass", 0, 5)]).unwrap_err().to_string();
    assert!(error.contains("passes: only records of a batch pass, and this call was given timers"), "{error}");
    let error = bench.keyed(&[("a", "set 0 7"), ("a", "wrong timer")]).unwrap_err().to_string();
    assert!(error.contains("malformed effects: timer 2 is named, but 2 are declared"), "{error}");
    let error = bench.keyed(&[("a", "set 0 7"), ("a", "delete 0 7")]).unwrap_err().to_string();
    assert!(error.contains("timer 0: key 0 at 7 is both set and deleted"), "{error}");
    assert_eq!((values(&bench.keyed(&[("a", "x")]).unwrap()), bench.timers("a", 0)), (vec!["x=1"], vec![]));
}

#[test]
fn a_poison_timer_is_set_aside_wherever_it_stands_and_the_others_do_as_without_it() {
    for poison in ["trap", "fail bad", "fail-batch bad", "fail-other bad", "pass", "spin"] {
        for at in [0, 4, 9] {
            let poison = format!("!{poison}");
            let mixed: Vec<_> = (0..10).map(|i| (if i == at { poison.as_str() } else { ["a", "b", "c"][i % 3] }, 0, 50)).collect();
            let good: Vec<_> = mixed.iter().copied().filter(|(key, ..)| *key != poison).collect();
            let wanted = Bench::new(Setup::default()).fire(&good).unwrap();
            let limits = Limits { time_per_batch: Duration::from_millis(300), ..Limits::default() };
            let mut bench = Bench::new(Setup { limits, on_failure: quarantine(), ..Setup::default() });
            let outs = bench.fire(&mixed).unwrap();
            assert_eq!(values(&outs), values(&wanted), "{poison} at {at}");
            let reports = reports(&outs);
            let told: Vec<_> =
                reports.iter().map(|report| (report["key"].as_str(), &report["timer"], report["timestamp"].as_i64())).collect();
            assert_eq!(told, [(Some(poison.as_str()), &"due".into(), Some(50))]);
            assert_eq!(bench.metrics.quarantined.get(), 1);
        }
    }
}

#[test]
fn on_probation_a_poison_timer_fails_the_job() {
    let mut bench = Bench::new(Setup { on_failure: quarantine(), ..Setup::default() });
    bench.set_probation();
    let error = bench.fire(&[("a", 0, 5), ("!fail bad", 0, 5)]).unwrap_err();
    assert!(error.to_string().contains("the plugin failed on timer 1"), "{error}");
}

#[test]
fn timers_count_as_state_of_their_key() {
    let limits = Limits { state_bytes_per_key: 40, ..Limits::default() };
    let mut bench = Bench::new(Setup { limits, ..Setup::default() });
    (0..5).for_each(|time| drop(bench.keyed(&[("a", &format!("set 0 {time}"))]).unwrap()));
    // One that is set already, and another in the place of one, make it no larger.
    bench.keyed(&[("a", "set 0 4")]).unwrap();
    bench.keyed(&[("a", "set 0 9"), ("a", "delete 0 4")]).unwrap();
    let error = bench.keyed(&[("a", "set 1 7")]).unwrap_err().to_string();
    assert!(error.contains("the state of key \"a\" would have 48 bytes, and 40 are the most"), "{error}");
    assert_eq!(bench.timers("a", 0), [0, 1, 2, 3, 9]);
}

#[test]
fn a_timer_that_the_version_that_runs_does_not_declare_is_refused() {
    let error = Bench::new(Setup::default()).fire(&[("a", 2, 5)]).unwrap_err();
    assert!(error.to_string().contains("timer 2 is due, but 2 are declared"), "{error}");
}
