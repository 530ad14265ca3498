//! Each limit of an operator: what passes it is named by the operator and by the limit's name in a job file, and is counted.

use super::faults::{OPERATOR, limits, settings};
use std::collections::BTreeMap;
use std::time::Duration;
use weir_engine::EngineError;
use weir_tests::sandbox::{Answer, Bench, Record, WatGuest, engine, faulty};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin, QuarantineLimit};

fn with(limits: Limits, on_failure: OnFailure) -> OperatorSettings {
    OperatorSettings { limits, ..settings(on_failure) }
}

fn batch(values: &[&str]) -> Vec<Record> {
    values.iter().map(|value| ("a".to_owned(), (*value).to_owned())).collect()
}

fn passed(bench: &Bench) -> BTreeMap<String, u64> {
    bench.metrics().plugin.limits.get()
}

/// A batch of `value` passes the limit `name` of `plugin`.
#[track_caller]
fn check_of(plugin: Plugin, limits: Limits, value: &str, name: &str) {
    let mut bench = Bench::open(plugin, with(limits, OnFailure::Fail)).expect("opens");
    let error = bench.run(&batch(&[value])).expect_err(name);
    let text = error.to_string();
    assert!(text.starts_with(&format!("operator \"{OPERATOR}\" subtask 0")) && text.contains(&format!("(limits.{name})")), "{text}");
    assert!(error.is_guest_fault());
    assert_eq!(passed(&bench), [(name.to_owned(), 1)].into(), "{text}");
}

#[track_caller]
fn check(limits: Limits, value: &str, name: &str) {
    check_of(faulty(EngineMode::Fuel), limits, value, name);
}

#[test]
fn what_passes_a_limit_is_told_by_its_name_and_counted() {
    check(limits(), "alloc", "memory");
    check(limits(), "spin", "time-per-batch");
    check(Limits { fuel_per_record: Some(100_000), ..limits() }, "spin", "fuel-per-record");
    check(limits(), "flood:300000", "output-bytes");
    check(limits(), "records:2000", "output-records");
    check(Limits { state_bytes_per_key: 7, ..limits() }, "x", "state-bytes-per-key");
    for flood in ["timers:3000", "items:3000", "entries:3000"] {
        check(Limits { state_bytes_per_key: 20_000, ..limits() }, flood, "state-bytes-per-key");
    }
    let grows = "(table $t 0 funcref) (func $grow
        (loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 100)) (i32.const -1)))) unreachable)";
    let table = WatGuest::default().with(grows).before("process", "(call $grow)");
    check_of(table.load("table.wasm", engine(EngineMode::Fuel)).expect("loads"), limits(), "x", "table-elements");
}

#[test]
fn what_is_kept_little_by_little_comes_to_the_limit_all_the_same() {
    let few = Limits { state_bytes_per_key: 20_000, ..limits() };
    let mut bench = Bench::open(faulty(EngineMode::Fuel), with(few, OnFailure::Fail)).expect("opens");
    let kept = (0..1_000).take_while(|_| bench.run(&batch(&["items:100"])).is_ok()).count();
    assert!((10..=24).contains(&kept), "800 bytes and what an item takes besides, {kept} times");
    assert_eq!(passed(&bench), [("state-bytes-per-key".to_owned(), 1)].into());
}

#[test]
fn what_a_subtask_keeps_beyond_its_limit_fails_the_job_by_the_limits_name_and_is_counted() {
    let quarantine = OnFailure::Quarantine { limit: QuarantineLimit::default() };
    let mut bench =
        Bench::open(faulty(EngineMode::Fuel), with(Limits { state_bytes: Some(20_000), ..limits() }, quarantine)).expect("opens");
    let error = (0..1_000).find_map(|_| bench.run(&batch(&["items:100"])).err()).expect("it comes to its limit");
    let text = error.to_string();
    assert!(text.starts_with(&format!("operator \"{OPERATOR}\" subtask 0: its state would have ")), "{text}");
    assert!(text.contains(" 20000 are the most (limits.state-bytes)") && !error.is_guest_fault(), "{text}");
    assert_eq!((passed(&bench), bench.quarantined()), ([("state-bytes".to_owned(), 1)].into(), 0));
    bench.run(&batch(&["items:100"])).expect_err("no record is set aside for it, and what adds as much is refused again");
    assert_eq!(passed(&bench), [("state-bytes".to_owned(), 2)].into());
}

#[test]
fn a_table_that_begins_with_too_much_keeps_the_operator_from_opening() {
    let large = WatGuest::default().with("(table 10001 funcref)").load("table.wasm", engine(EngineMode::Fuel)).expect("loads");
    let open = |elements| Bench::open(large.clone(), with(Limits { table_elements: elements, ..limits() }, OnFailure::Fail));
    let error = open(10_000).err().expect("too many").to_string();
    let expect = "operator \"shaky\" subtask 0: open: the plugin ran out of table elements: it wanted 10001 and may have 10000 (limits.table-elements)";
    assert!(error.starts_with(expect), "{error}");
    assert!(open(10_001).is_ok());
}

/// It traps where it gets the elements that it asks for.
#[test]
fn a_guest_that_is_refused_elements_and_goes_on_has_done_nothing_wrong() {
    let asks = "(table $t 0 funcref) (func $ask
        (if (i32.ne (table.grow $t (ref.null func) (i32.const 20000)) (i32.const -1)) (then unreachable)))";
    let plugin =
        WatGuest::default().with(asks).before("process", "(call $ask)").load("asks.wasm", engine(EngineMode::Fuel)).expect("loads");
    let ran = |elements| {
        let limits = Limits { table_elements: elements, ..limits() };
        let mut bench = Bench::open(plugin.clone(), with(limits, OnFailure::Fail)).expect("opens");
        (bench.run(&batch(&["x"])), passed(&bench))
    };
    let (refused, counted) = ran(19_999);
    refused.expect("it is refused them, and that is no fault");
    assert_eq!(counted, BTreeMap::new());
    let (granted, _) = ran(20_000);
    assert!(granted.is_err_and(|error| error.to_string().contains("`unreachable`")), "with one more it gets them");
}

#[test]
fn lines_over_the_share_are_counted() {
    let limits = Limits { log_bytes_per_s: 1_000, ..limits() };
    let mut bench = Bench::open(faulty(EngineMode::Fuel), with(limits, OnFailure::Fail)).expect("opens");
    bench.run(&batch(&["log:100"])).expect("no fault");
    let dropped = passed(&bench)["log-bytes-per-second"];
    assert!((93..100).contains(&dropped), "{dropped}");
    bench.run(&batch(&["log:100"])).expect("no fault");
    assert_eq!(passed(&bench)["log-bytes-per-second"], dropped + 100, "the second is still the same");
}

/// What counting is for does not depend on how a guest is interrupted.
fn fuel_of(mode: EngineMode, fuel_per_record: Option<u64>) -> u64 {
    let limits = Limits { time_per_batch: Duration::from_secs(30), fuel_per_record, ..limits() };
    let mut bench = Bench::open(faulty(mode), with(limits, OnFailure::Fail)).expect("opens");
    bench.run(&batch(&["x", "y", "z"])).expect("no fault");
    bench.metrics().plugin.fuel.get()
}

#[test]
fn fuel_is_counted_where_it_is_asked_for_and_is_the_same_on_every_machine() {
    let asked = fuel_of(EngineMode::Epoch, Some(1 << 40));
    assert!(asked > 1_000, "{asked}");
    assert_eq!(fuel_of(EngineMode::Epoch, Some(1 << 40)), asked);
    assert_eq!(fuel_of(EngineMode::Fuel, None), asked);
    assert_eq!(fuel_of(EngineMode::Epoch, None), 0, "nobody counts");
}

#[test]
fn the_record_that_burns_too_much_fuel_is_set_aside_also_where_time_is_by_the_clock() {
    let quarantine = OnFailure::Quarantine { limit: QuarantineLimit::default() };
    let limits = Limits { time_per_batch: Duration::from_secs(600), fuel_per_record: Some(1_000_000), ..limits() };
    let mut bench = Bench::open(faulty(EngineMode::Epoch), with(limits, quarantine)).expect("opens");
    bench.run(&batch(&["x", "spin", "y"])).expect("one is set aside");
    let (emitted, reports) = bench.take();
    assert_eq!(emitted.iter().map(|record| record.value.as_str()).collect::<Vec<_>>(), ["x#1", "y#2"]);
    assert!(
        reports[0]["error"].as_str().is_some_and(|error| error.contains("more than 3000000 fuel in one call (limits.fuel-per-record)"))
    );
    assert_eq!(reports.len(), 1);
}

/// Runs `batches` batches, each of which leaks so many bytes.
fn leaking(limits: Limits, bytes: usize, batches: usize) -> (Result<(), EngineError>, Bench) {
    let mut bench = Bench::open(faulty(EngineMode::Fuel), with(limits, OnFailure::Fail)).expect("opens");
    let leak = format!("leak:{bytes}");
    let ran = (0..batches).try_for_each(|_| bench.run(&batch(&[&leak, "x"])));
    (ran, bench)
}

#[test]
fn an_instance_that_has_grown_is_replaced_between_two_calls_and_nobody_sees_it() {
    let (ran, mut bench) = leaking(limits(), 300_000, 100);
    ran.expect("no call comes near the limit");
    let counted: Vec<String> = bench.take().0.into_iter().map(|record| record.value).filter(|value| !value.is_empty()).collect();
    assert_eq!(counted, (1..=100).map(|count| format!("x#{count}")).collect::<Vec<_>>());
    let recycled = bench.metrics().plugin.recycled.get();
    // Beyond 6 MiB, where one begins with somewhat more than 1 MiB.
    assert!((4..=8).contains(&recycled), "{recycled}");
    assert_eq!(passed(&bench), BTreeMap::new());
}

#[test]
fn an_instance_that_may_grow_to_its_limit_fails_there() {
    let (ran, bench) = leaking(Limits { recycle_memory: Some(limits().memory), ..limits() }, 300_000, 100);
    assert!(ran.is_err_and(|error| error.to_string().contains("(limits.memory)")));
    assert_eq!(bench.metrics().plugin.recycled.get(), 0);
}

#[test]
fn an_instance_that_begins_with_more_than_the_bound_is_kept_as_long_as_it_does_not_grow() {
    let small = Limits { recycle_memory: Some(1 << 16), ..limits() };
    let mut answer = Answer::nothing();
    answer.bytes_at(b"");
    let plugin = WatGuest::default().answering(&answer).load("steady.wasm", engine(EngineMode::Fuel)).expect("loads");
    let mut bench = Bench::open(plugin, with(small, OnFailure::Fail)).expect("opens");
    (0..10).for_each(|_| bench.run(&batch(&["x"])).expect("no fault"));
    assert_eq!(bench.metrics().plugin.recycled.get(), 0);
}
