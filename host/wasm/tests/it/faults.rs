//! Each way to misbehave is contained and named; none has an effect.

use crate::support::{Bench, Setup, engine, puppet, puppet_path, values};
use std::time::Duration;
use weir_engine::ErrorKind;
use weir_wasm::{EngineMode, Limits, Plugin};

/// The instruction fails the batch with this message, has no effect, and does not keep the next batch from working.
fn check(instruction: &str, expect: &str) {
    check_limits(Limits { time_per_batch: Duration::from_millis(300), ..Limits::default() }, instruction, expect);
}

fn check_limits(limits: Limits, instruction: &str, expect: &str) {
    let mut bench = Bench::new(Setup { limits, ..Setup::default() });
    bench.keyed(&[("a", "before")]).unwrap();
    let error = bench.keyed(&[("a", "counted"), ("a", instruction)]).unwrap_err();
    assert!(error.to_string().contains(expect), "{instruction}: {error}");
    assert!(error.to_string().starts_with("operator \"op\" subtask 0"), "{error}");
    assert!(error.is_guest_fault());
    assert_eq!(error.kind(), ErrorKind::Restart);
    assert_eq!(values(&bench.keyed(&[("a", "after")]).unwrap()), ["after=2"], "{instruction}");
}

#[test]
fn a_trap_carries_the_panic_and_the_backtrace() {
    check("trap", "wasm `unreachable` instruction executed");
    check("trap", "wasm backtrace:\n");
    check("trap", "guest@0.2.0#process");
    check("cry over spilt milk", "its last error line: over spilt milk");
    // The first line ends with the plugin's file and the beginning of its digest.
    check("trap", &format!("(plugin {} {})\n", puppet_path().display(), &puppet(EngineMode::Fuel).component().digest[..8]));
}

#[test]
fn a_fault_names_the_file_of_its_own_operator_also_where_another_one_has_the_same_bytes() {
    let (engine, bytes) = (engine(EngineMode::Fuel), std::fs::read(puppet_path()).unwrap());
    let plugins = ["first.wasm", "second.wasm"].map(|name| (name, Plugin::from_bytes(name, &bytes, &engine).unwrap()));
    for (name, plugin) in plugins {
        let error = Bench::of(plugin, Setup::default()).unwrap().keyed(&[("a", "trap")]).unwrap_err().to_string();
        assert!(error.contains(&format!("(plugin {name} ")), "{error}");
    }
}

#[test]
fn a_guest_that_never_returns_is_interrupted_by_fuel_and_by_time() {
    check("spin", "did not return within 300ms");
    let limits = Limits { time_per_batch: Duration::from_millis(50), ..Limits::default() };
    let mut bench = Bench::new(Setup { mode: EngineMode::Epoch, limits, ..Setup::default() });
    let error = bench.keyed(&[("a", "spin")]).unwrap_err().to_string();
    assert!(error.contains("did not return within 50ms (limits.time-per-batch)"), "{error}");
}

#[test]
fn memory_stack_and_output_are_bounded() {
    check("eat", "ran out of memory");
    check("eat", "may have 67108864 (limits.memory)");
    check("flood", "more than 16777216 bytes from one call");
    check_limits(Limits { output_records: 10, ..Limits::default() }, "many 11", "12 records from one call, and 10 are the most");
}

#[test]
fn whoever_runs_out_of_stack_cannot_say_at_which_record_and_is_told_it() {
    check(
        "recurse",
        "operator \"op\" subtask 0 at key \"a\", record 1 of the batch: the plugin trapped: wasm trap: call stack exhausted (plugin ",
    );
    for culprit in [0, 1, 36, 98, 99] {
        let keys: Vec<String> = (0..100).map(|key| format!("k{key}")).collect();
        let value = |at: usize| if at == culprit { "recurse" } else { "x" };
        let records: Vec<_> = keys.iter().enumerate().map(|(at, key)| (key.as_str(), value(at))).collect();
        let mut bench = Bench::new(Setup::default());
        let error = bench.keyed(&records).unwrap_err();
        let place = format!("operator \"op\" subtask 0 at key \"k{culprit}\", record {culprit} of the batch: the plugin trapped");
        assert!(error.to_string().starts_with(&place), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.starts_with("`on-failure = \"quarantine\"`")));
        assert_eq!(values(&bench.keyed(&[("k0", "after")]).unwrap()), ["after=1"], "nothing has had an effect");
    }
}

#[test]
fn memory_that_runs_out_while_the_batch_is_handed_in_is_the_memory_limit() {
    let limits = Limits { memory: 2 << 20, batch_bytes: Some(64 << 20), ..Limits::default() };
    let mut bench = Bench::new(Setup { limits, ..Setup::default() });
    let large = "x".repeat(4 << 20);
    let error = bench.keyed(&[("a", &large)]).unwrap_err().to_string();
    assert!(error.contains("ran out of memory") && error.contains("may have 2097152"), "{error}");
}

#[test]
fn memory_that_was_refused_hides_no_later_fault() {
    let refused = "; earlier in this call it was refused memory: it wanted ";
    check("hungry recurse", "the plugin trapped: wasm trap: call stack exhausted");
    check("hungry recurse", refused);
    check("hungry cry over spilt milk", &format!("its last error line: over spilt milk{refused}"));
    check("hungry peek 1", "list-length names key 1, but the batch has 1");
    check("hungry flood", "more than 16777216 bytes from one call");
    check("hungry fail no such row", "failed on record 1 of the batch: no such row");
    check("hungry spin", "did not return within 300ms");
    check("hungry eat", "the plugin ran out of memory");
}

#[test]
fn malformed_effects_are_refused_with_what_is_wrong() {
    check("wrong output", "malformed effects: output 9 is named, but 2 are declared");
    check("wrong cause", "cause names record 77, but the batch has 2");
    check("wrong ends", "values: ");
    check("wrong key", "set names key 4008636142, but the batch has 1");
    check("wrong metric", "a metric is named \"\\u{1b}[2J\"");
}

#[test]
fn a_failure_is_told_with_its_record() {
    check(
        "fail no such tail number",
        "operator \"op\" subtask 0 at key \"a\": the plugin failed on record 1 of the batch: no such tail number (plugin ",
    );
    check("fail no\u{202e}such\ntail\u{200b}number", "failed on record 1 of the batch: no\\u{202e}such (plugin ");
    check("fail no\u{202e}such\ntail\u{200b}number", ")\n    tail\\u{200b}number");
    check("fail-batch all of it", "failed on the batch: all of it");
}

#[test]
fn host_calls_reach_no_other_key_and_no_other_state() {
    check("peek 1", "list-length names key 1, but the batch has 1");
    check("peek 4294967295", "list-length names key 4294967295");
    check("peek-state 0", "list-length names state 0, \"count\", whose kind is Value");
    check("peek-state 6", "list-length names state 6, but 6 are declared");
    let error = Bench::new(Setup::default()).unkeyed(&[(Some("a"), "list 10")]).unwrap_err().to_string();
    assert!(error.contains("this batch's input is not keyed"), "{error}");
}

#[test]
fn a_plugin_that_does_not_open_fails_the_job() {
    let refused = |config| Bench::try_new(Setup { config, ..Setup::default() }).err().unwrap();
    assert!(refused("\"refuse\"").to_string().contains("open: the plugin refused to open: no such mode"));
    assert!(refused("\"panic\"").to_string().contains("the plugin trapped"));
    assert!(refused("\"spin\"").to_string().contains("did not return within 1s"));
    assert_eq!(refused("\"refuse\"").kind(), ErrorKind::FixInput);
}
