//! What a guest may keep: a key that passes its limit is a record's fault, a subtask that does fails the job.

use crate::support::{Bench, Setup, quarantine, reports, values};
use std::sync::Arc;
use weir_engine::ErrorKind;
use weir_engine::state::{KeyedState, StateAllowance, StatePool};
use weir_wasm::Limits;

fn limits(state_bytes_per_key: u64) -> Limits {
    Limits { state_bytes_per_key, ..Limits::default() }
}

fn append(bytes: usize) -> String {
    format!("append {}", "x".repeat(bytes))
}

#[test]
fn a_key_that_grows_too_large_is_a_fault_without_effect() {
    let mut bench = Bench::new(Setup { limits: limits(1_000), ..Setup::default() });
    bench.keyed(&[("a", &append(600)), ("b", &append(900))]).unwrap();
    let error = bench.keyed(&[("b", "x"), ("a", &append(600))]).unwrap_err();
    assert!(error.is_guest_fault());
    let text = error.to_string();
    assert!(
        text.starts_with("operator \"op\" subtask 0: the plugin keeps too much: the state of key \"a\" would have 1208 bytes, and 1000"),
        "{text}"
    );
    assert_eq!(values(&bench.keyed(&[("b", "y"), ("a", "list 0")]).unwrap()), ["y=1", &format!("1 in 1: {}", "x".repeat(600))]);
}

#[test]
fn the_record_that_makes_a_key_too_large_is_set_aside_and_others_of_the_key_go_on() {
    let mut bench = Bench::new(Setup { limits: limits(1_000), on_failure: quarantine(), ..Setup::default() });
    let (large, small) = (append(600), append(10));
    let outs = bench.keyed(&[("a", &large), ("b", &large), ("a", &large), ("a", &small), ("a", "put k=v"), ("a", "x")]).unwrap();
    let reports = reports(&outs);
    assert_eq!(reports.iter().map(|report| report["timestamp"].as_u64()).collect::<Vec<_>>(), [Some(2)]);
    assert!(reports[0]["error"].as_str().unwrap().contains("limits.state-bytes-per-key"), "{}", reports[0]);
    let outs = bench.keyed(&[("a", "list 10000"), ("a", "map 100"), ("b", "list 10000")]).unwrap();
    let expect = format!("2 in 1: {0},{1}", "x".repeat(600), "x".repeat(10));
    assert_eq!(values(&outs), [&expect, "1: k=v", &format!("1 in 1: {}", "x".repeat(600))]);
}

#[test]
fn state_that_is_larger_than_the_limit_of_today_goes_on_without_growing() {
    let mut bench = Bench::new(Setup { limits: limits(100), ..Setup::default() });
    let mut builder = weir_engine::element::BatchBuilder::new();
    builder.push(Some(b"a"), b"", None);
    bench.state.select(&builder.finish(), 0..1).unwrap();
    bench.state.list_append(0, 1, &[b'x'; 500]).unwrap();
    bench.state.set_value(0, 0, &1_u64.to_le_bytes()).unwrap();
    assert_eq!(values(&bench.keyed(&[("a", "x"), ("b", "x")]).unwrap()), ["x=2", "x=1"]);
    assert!(bench.keyed(&[("a", &append(1))]).unwrap_err().to_string().contains("would have 517 bytes, and 100 are the most"));
}

#[test]
fn a_subtask_that_keeps_too_much_fails_the_job_even_where_records_are_set_aside() {
    let mut bench = Bench::new(Setup { on_failure: quarantine(), ..Setup::default() });
    let allowance = StateAllowance::new("operator \"op\" subtask 0".into(), Some(1_000), StatePool::new(None), Arc::default());
    bench.state = std::mem::replace(&mut bench.state, KeyedState::placeholder()).within(allowance);
    bench.keyed(&[("a", &append(900))]).unwrap();
    assert!(bench.metrics.plugin.limits.get().is_empty());
    let error = bench.keyed(&[("b", "x")]).and_then(|_| bench.keyed(&[("c", "x")])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FixInput);
    let text = error.to_string();
    assert!(text.contains("operator \"op\" subtask 0: its state would have"), "{text}");
    assert!(text.contains("bytes, and 1000 are the most (limits.state-bytes)"), "{text}");
    assert_eq!(bench.metrics.plugin.limits.get(), [("state-bytes".to_owned(), 1)].into());
    assert!(error.hint().is_some_and(|hint| hint.contains("limits.state-bytes")), "{error:?}");
}

#[test]
fn what_a_guest_counts_is_summed_up_over_calls_that_had_an_effect() {
    let mut bench = Bench::new(Setup { on_failure: quarantine(), ..Setup::default() });
    bench.keyed(&[("a", "x"), ("b", "x")]).unwrap();
    bench.keyed(&[("a", "trap")]).unwrap();
    bench.keyed(&[("a", "x")]).unwrap();
    assert_eq!(bench.metrics.own.get(), [("calls".to_owned(), 2)].into());
}
