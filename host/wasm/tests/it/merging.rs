//! Values of windows that become one: what the guest makes of them, in an instance of its own.

use crate::support::{puppet, windowed_puppet};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::operator::OperatorFactory;
use weir_engine::state::StateMerger;
use weir_engine::{Column, EngineError};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin, WasmOperatorFactory};

/// The puppet's states, by number.
const COUNT: usize = 0;
const ENTRIES: usize = 2;

fn factory(plugin: Plugin, limits: Limits) -> WasmOperatorFactory {
    let settings = OperatorSettings { operator: "op".into(), config: "{}".into(), limits, on_failure: OnFailure::Fail };
    WasmOperatorFactory::new(plugin, settings).unwrap()
}

fn merger(limits: Limits) -> Arc<dyn StateMerger> {
    factory(windowed_puppet(), limits).merger().expect("its states merge")
}

fn column<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Column {
    let mut column = Column::new();
    items.into_iter().for_each(|item| column.push(item.as_ref()));
    column
}

/// What becomes of pairs of texts.
fn merged(merger: &dyn StateMerger, pairs: &[(&str, &str)]) -> Result<Vec<String>, EngineError> {
    let (earlier, later) = (column(pairs.iter().map(|pair| pair.0)), column(pairs.iter().map(|pair| pair.1)));
    let merged = merger.merge(ENTRIES, &earlier, &later)?;
    Ok(merged.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect())
}

#[test]
fn of_each_pair_the_guest_makes_one_the_earlier_first() {
    let merger = merger(Limits::default());
    assert_eq!(merged(&*merger, &[("a", "b"), ("", "c"), ("d", "")]).unwrap(), ["a+b", "+c", "d+"]);
    assert!(merged(&*merger, &[]).unwrap().is_empty());
    let counts = merger.merge(COUNT, &column([3_u64.to_le_bytes()]), &column([4_u64.to_le_bytes()])).unwrap();
    assert_eq!(counts.get(0), 7_u64.to_le_bytes());
}

#[test]
fn an_operator_whose_states_do_not_merge_has_no_merger() {
    assert!(factory(puppet(EngineMode::Fuel), Limits::default()).merger().is_none());
}

#[test]
fn the_instance_is_kept_until_it_faults() {
    let merger = merger(Limits::default());
    for before in ["0", "1", "2"] {
        assert_eq!(merged(&*merger, &[("calls", "")]).unwrap(), [before]);
    }
    assert!(merged(&*merger, &[("trap", "")]).is_err());
    assert_eq!(merged(&*merger, &[("calls", "")]).unwrap(), ["0"]);
}

#[test]
fn what_one_call_may_not_have_is_split_and_what_cannot_be_split_is_refused() {
    let merger = merger(Limits { batch_bytes: Some(20), ..Limits::default() });
    let pairs = [("1234567", "1234567"), ("1234567", ""), ("calls", "1"), ("a", "b")];
    assert_eq!(merged(&*merger, &pairs).unwrap(), ["1234567+1234567", "1234567+", "1", "a+b"]);
    let error = merged(&*merger, &[("a", "b"), ("12345678901", "1234567890")]).unwrap_err();
    assert_eq!(error.to_string(), "merge state \"entries\" of plugin \"puppet\": two values have 21 bytes, and a call may have 20");
    assert!(error.hint().unwrap().contains("limits.memory"));
}

#[test]
fn a_fault_names_the_plugin_the_state_and_what_was_wrong() {
    let merger = merger(Limits { time_per_batch: Duration::from_millis(50), output_bytes: 100, ..Limits::default() });
    let check = |earlier: &str, expect: &str| {
        let error = merged(&*merger, &[("a", "b"), (earlier, "x")]).expect_err(expect);
        let text = error.to_string();
        assert!(text.starts_with("merge state \"entries\" of plugin \"puppet\": ") && text.contains(expect), "{expect:?} wanted: {text}");
        assert!(text.contains("windowed_puppet.wasm") && error.is_guest_fault(), "{text}");
        assert_eq!(merged(&*merger, &[("a", "b")]).unwrap(), ["a+b"], "the next call has a new instance");
    };
    check("trap", "the plugin trapped");
    check("spin", "the plugin did not return within 50ms");
    check("refuse", "these two do not go together");
    check("few", "malformed effects: 1 values where there have to be 2");
    check("ends", "malformed effects: the last end is");
    check("log", "log was called in merge, which may call nothing of the host");
    check(&"y".repeat(200), "the plugin returned too much");
}
