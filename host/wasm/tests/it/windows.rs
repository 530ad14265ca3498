//! Windows: what a windowed operator is given and may do, and what becomes of a window that it fails on.

use crate::support::{Bench, Out, Setup, quarantine, reports, values, windowed_puppet};
use std::time::Duration;
use weir_engine::state::{FiredWindow, FiredWindows, NO_BOUND, Window, WindowReason, key_hash};
use weir_wasm::Limits;

/// The puppet's states, by number.
const COUNT: usize = 0;
const ITEMS: usize = 1;

fn bench(setup: Setup) -> Bench {
    Bench::of(windowed_puppet(), setup).unwrap()
}

/// A window that is complete.
fn firing(start: i64, end: i64) -> FiredWindow {
    FiredWindow { window: Window { start, end }, reason: WindowReason::OnTime, revision: 0, timestamp: end.saturating_sub(1) }
}

fn push(fired: &mut FiredWindows, key: &str, firing: FiredWindow, replaces: &[Window]) {
    let unit = [&(firing.window.start ^ i64::MIN).to_be_bytes(), key.as_bytes()].concat();
    fired.push(&unit, key_hash(key.as_bytes()), firing, replaces.iter().copied());
}

/// Windows of these keys that are complete: from 0 to 10, from 10 to 20 and so on.
fn complete(keys: &[&str]) -> FiredWindows {
    let mut fired = FiredWindows::default();
    (0..).step_by(10).zip(keys).for_each(|(start, key)| push(&mut fired, key, firing(start, start + 10), &[]));
    fired
}

/// Sets what is kept of windows that fire: the count of each, from 1 on, and a list of two.
fn keep(bench: &mut Bench, fired: &FiredWindows) {
    bench.state.select(fired, 0..fired.len()).unwrap();
    for unit in 0..fired.len() {
        bench.state.set_value(unit, COUNT, &(1 + unit as u64).to_le_bytes()).unwrap();
        bench.state.list_append(unit, ITEMS, b"x").unwrap();
        bench.state.list_append(unit, ITEMS, b"y").unwrap();
    }
}

fn told(outs: &[Out]) -> Vec<(&str, &str, i64)> {
    outs.iter().map(|out| (out.key.as_deref().unwrap(), out.value.as_str(), out.timestamp)).collect()
}

#[test]
fn a_window_that_fires_is_told_with_its_bounds_why_and_how_often_and_brings_its_state() {
    let mut fired = FiredWindows::default();
    push(&mut fired, "a", FiredWindow { revision: 3, reason: WindowReason::Correction, ..firing(-10, 0) }, &[]);
    push(
        &mut fired,
        "b",
        FiredWindow { reason: WindowReason::Early, ..firing(0, 10) },
        &[Window { start: 0, end: 4 }, Window { start: 6, end: 10 }],
    );
    push(&mut fired, "a", firing(0, 10), &[]);
    push(&mut fired, "a", FiredWindow { timestamp: 77, ..firing(NO_BOUND, NO_BOUND) }, &[]);
    let mut bench = bench(Setup::default());
    keep(&mut bench, &fired);
    let outs = bench.fire_windows(&fired).unwrap();
    let unbounded = format!("{NO_BOUND}..{NO_BOUND} on-time#0=4");
    let expect = [
        ("a", "-10..0 correction#3=1", -1),
        ("b", "0..10 early#0 for 0..4 for 6..10=2", 9),
        ("a", "0..10 on-time#0=3", 9),
        ("a", unbounded.as_str(), 77),
    ];
    assert_eq!(told(&outs), expect);
    assert_eq!(bench.metrics.own.get()["calls"], 1);
}

#[test]
fn a_window_that_fires_reads_its_lists_the_broadcast_state_and_the_time() {
    let mut bench = bench(Setup::default());
    bench.broadcast(&["rule a=1"]).unwrap();
    bench.watermark = 44;
    let fired = complete(&["!rules 10", "!list 1", "!context"]);
    keep(&mut bench, &fired);
    assert_eq!(values(&bench.fire_windows(&fired).unwrap()), ["1: a=1", "2 in 2: x,y", "0 44 1000"]);
}

#[test]
fn windows_are_cut_by_the_bytes_that_they_bring() {
    let mut bench = bench(Setup { limits: Limits { batch_bytes: Some(200), ..Limits::default() }, ..Setup::default() });
    let names: Vec<String> = (0..100).map(|key| format!("k{key}")).collect();
    let fired = complete(&names.iter().map(String::as_str).collect::<Vec<_>>());
    keep(&mut bench, &fired);
    let outs = bench.fire_windows(&fired).unwrap();
    let expect: Vec<String> = (0..100).map(|at| format!("{}..{} on-time#0={}", 10 * at, 10 * at + 10, at + 1)).collect();
    assert_eq!(values(&outs), expect);
    assert!(bench.metrics.own.get()["calls"] > 5);
}

#[test]
fn records_are_counted_and_emit_nothing() {
    let mut bench = bench(Setup::default());
    assert!(bench.keyed(&[("a", "x"), ("b", "x"), ("a", "x"), ("a", "bounds")]).unwrap().is_empty());
    bench.state.select(&crate::support::batch([(Some("a"), "")].into_iter()), 0..1).unwrap();
    assert_eq!(bench.state.copied_value(0, COUNT).unwrap(), Some(2_u64.to_le_bytes().to_vec()));
    for emits in ["emit y", "pass", "pass-side"] {
        let error = bench.keyed(&[("a", "x"), ("a", emits)]).unwrap_err().to_string();
        assert!(error.contains("`process` of a windowed operator changes state and emits nothing"), "{error}");
    }
    let error = bench.broadcast(&["emit y"]).unwrap_err().to_string();
    assert!(error.contains("output 0: `process` of a windowed operator"), "{error}");
}

#[test]
fn a_window_that_fires_changes_nothing() {
    let mut bench = bench(Setup::default());
    for changes in ["!append x", "!put a=1", "!update", "!set 0 5", "!rule a=1", "!pop 1"] {
        let error = bench.fire_windows(&complete(&["a", changes])).unwrap_err().to_string();
        assert!(error.contains("`on-windows` reads the state of windows and emits; it changes nothing"), "{changes}: {error}");
    }
    let error = bench.fire_windows(&complete(&["!pass"])).unwrap_err().to_string();
    assert!(error.contains("only records of a batch pass, and this call was given windows"), "{error}");
}

#[test]
fn a_fault_names_its_window() {
    let mut bench = bench(Setup::default());
    let error = bench.fire_windows(&complete(&["a", "!fail no such row"])).unwrap_err();
    let wanted = "operator \"op\" subtask 0 at key \"!fail no such row\", window 1970-01-01T00:00:00.010Z to 1970-01-01T00:00:00.020Z: the plugin failed on firing 1 of those of the call: no such row (";
    assert!(error.to_string().starts_with(wanted) && error.is_guest_fault(), "{error}");
    assert!(error.hint().unwrap().contains("sets such a window aside"), "{error:?}");
    let mut fired = FiredWindows::default();
    push(&mut fired, "!fail bad", firing(NO_BOUND, NO_BOUND), &[]);
    let error = bench.fire_windows(&fired).unwrap_err().to_string();
    assert!(error.starts_with("operator \"op\" subtask 0 at key \"!fail bad\": the plugin failed on firing 0"), "{error}");
}

#[test]
fn a_poison_window_is_set_aside_wherever_it_stands_and_the_others_speak_as_without_it() {
    for poison in ["trap", "fail bad", "fail-batch bad", "fail-other bad", "update", "spin"] {
        for at in [0, 4, 9] {
            let poison = format!("!{poison}");
            let keys: Vec<_> = (0..10).map(|i| if i == at { poison.as_str() } else { ["a", "b", "c"][i % 3] }).collect();
            let fired = complete(&keys);
            let limits = Limits { time_per_batch: Duration::from_millis(300), ..Limits::default() };
            let mut bench = bench(Setup { limits, on_failure: quarantine(), ..Setup::default() });
            keep(&mut bench, &fired);
            let outs = bench.fire_windows(&fired).unwrap();
            let good = |i: &usize| *i != at;
            let expect: Vec<_> = (0..10).filter(good).map(|i| format!("{}..{} on-time#0={}", 10 * i, 10 * i + 10, i + 1)).collect();
            assert_eq!(values(&outs), expect, "{poison} at {at}");
            let reports = reports(&outs);
            let [report] = &reports[..] else { panic!("one report: {reports:?}") };
            let start = 10 * at as i64;
            assert_eq!(report["window"], serde_json::json!({ "start": start, "end": start + 10 }));
            assert_eq!((&report["key"], &report["reason"], &report["revision"]), (&poison.as_str().into(), &"on-time".into(), &0.into()));
            assert_eq!(report["timestamp"], start + 9);
            assert_eq!(bench.metrics.quarantined.get(), 1);
        }
    }
}

#[test]
fn on_probation_a_poison_window_fails_the_job() {
    let mut bench = bench(Setup { on_failure: quarantine(), ..Setup::default() });
    bench.set_probation();
    let error = bench.fire_windows(&complete(&["a", "!fail bad"])).unwrap_err();
    assert!(error.to_string().contains("the plugin failed on firing 1"), "{error}");
}
