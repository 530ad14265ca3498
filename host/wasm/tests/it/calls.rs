//! What a well-behaved guest sees and does.

use crate::support::{Bench, NONE, Out, Setup, batch, puppet, quarantine, values};
use weir_engine::element::BatchBuilder;
use weir_engine::{Column, ErrorKind, OperatorFactory};
use weir_wasm::{EngineMode, Limits, OperatorSettings, WasmOperatorFactory};

fn bench() -> Bench {
    Bench::new(Setup::default())
}

#[test]
fn counts_live_in_keyed_state_from_batch_to_batch() {
    let mut bench = bench();
    assert_eq!(values(&bench.keyed(&[("a", "x"), ("b", "y"), ("a", "z")]).unwrap()), ["x=1", "y=1", "z=2"]);
    assert_eq!(values(&bench.keyed(&[("b", "x"), ("c", "x"), ("", "x")]).unwrap()), ["x=2", "x=1", "x=1"]);
}

#[test]
fn records_inherit_key_and_time_of_their_cause() {
    let outs = bench().keyed(&[("a", "drop"), ("b", "x")]).unwrap();
    assert_eq!(outs, [Out { output: 0, key: Some("b".into()), value: "x=1".into(), timestamp: 1 }]);
    let outs = bench().unkeyed(&[(None, "x"), (Some(""), "drop"), (Some(""), "y"), (None, "z")]).unwrap();
    let keys: Vec<_> = outs.iter().map(|out| (out.key.as_deref(), out.value.as_str(), out.timestamp)).collect();
    assert_eq!(keys, [(None, "x", 0), (Some(""), "y", 2), (None, "z", 3)]);
}

#[test]
fn hashes_travel_on_with_inherited_keys() {
    let mut builder = BatchBuilder::new();
    builder.push_hashed(b"a", 7, b"x", NONE);
    builder.push_hashed(b"b", 8, b"drop", NONE);
    builder.push_hashed(b"c", 9, b"x", NONE);
    let input = builder.finish();
    let outs = bench().run(&input, true).unwrap();
    assert_eq!(outs.iter().map(|out| (out.key.as_deref(), out.timestamp)).collect::<Vec<_>>(), [(Some("a"), NONE), (Some("c"), NONE)]);
}

#[test]
fn an_input_without_keyed_state_may_carry_keys_but_changes_none() {
    let mut bench = bench();
    assert_eq!(values(&bench.unkeyed(&[(Some("a"), "x"), (None, "y")]).unwrap()), ["x", "y"]);
    assert_eq!(values(&bench.keyed(&[("a", "x")]).unwrap()), ["x=1"]);
}

#[test]
fn long_and_heavy_batches_are_cut_without_a_trace() {
    let long: Vec<(String, String)> = (0..5_000).map(|i| (format!("k{}", i % 700), format!("v{i}"))).collect();
    let records: Vec<(&str, &str)> = long.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let whole = bench().keyed(&records).unwrap();
    assert_eq!(whole.len(), 5_000);
    let limits = Limits { batch_bytes: Some(3_000), ..Limits::default() };
    let cut = Bench::new(Setup { limits, ..Setup::default() }).keyed(&records).unwrap();
    assert_eq!(whole, cut);
    let unkeyed: Vec<(Option<&str>, &str)> = records.iter().map(|(key, value)| (value.ends_with('3').then_some(*key), *value)).collect();
    let outs = bench().unkeyed(&unkeyed).unwrap();
    assert!(outs.iter().zip(&unkeyed).all(|(out, (key, value))| out.key.as_deref() == *key && out.value == *value));
}

#[test]
fn lists_and_maps_are_read_by_page_as_of_the_start_of_the_call() {
    let mut bench = bench();
    bench.keyed(&[("a", "append one"), ("b", "append other"), ("a", "append two"), ("a", "append three")]).unwrap();
    let outs = bench.keyed(&[("c", "list 100"), ("a", "append four"), ("a", "list 4"), ("a", "list 1000"), ("b", "list 0")]).unwrap();
    assert_eq!(values(&outs), ["0 in 1: ", "3 in 3: one,two,three", "3 in 1: one,two,three", "1 in 1: other"]);

    bench.keyed(&[("a", "put k2=2"), ("a", "put k1=1"), ("a", "put k3=3")]).unwrap();
    let outs = bench.keyed(&[("a", "put k1=9"), ("a", "map 1000"), ("a", "map 1"), ("a", "get k3,nope,k1"), ("b", "map 10")]).unwrap();
    assert_eq!(values(&outs), ["1: k1=1,k2=2,k3=3", "3: k1=1,k2=2,k3=3", "[0, 2] 3,1", "1: "]);
    assert_eq!(values(&bench.keyed(&[("a", "get k1")]).unwrap()), ["[0] 9"]);
}

#[test]
fn an_empty_batch_is_no_call() {
    // The config makes every call but an instance's first trap.
    let mut bench = Bench::new(Setup { config: "\"stale\"", ..Setup::default() });
    assert_eq!(values(&bench.keyed(&[]).unwrap()), [""; 0]);
    assert_eq!(values(&bench.keyed(&[("a", "x")]).unwrap()), ["x=1"]);
}

#[test]
fn the_context_is_the_batchs() {
    let mut bench = bench();
    bench.watermark = 77;
    assert_eq!(values(&bench.keyed(&[("a", "context")]).unwrap()), ["0 77 1000"]);
}

#[test]
fn a_key_whose_state_alone_is_too_large_is_named() {
    let limits = Limits { batch_bytes: Some(4), ..Limits::default() };
    let mut bench = Bench::new(Setup { limits, ..Setup::default() });
    bench.keyed(&[("big", "x")]).unwrap();
    let error = bench.keyed(&[("big", "x")]).unwrap_err();
    assert!(error.to_string().contains("operator \"op\" subtask 0: the state of key \"big\" alone has 12 bytes"), "{error}");
}

#[test]
fn time_and_fuel_give_the_same_effects() {
    let records = batch((0..100).map(|_| (Some("k"), "x")));
    let run = |mode| Bench::new(Setup { mode, ..Setup::default() }).run(&records, true).unwrap();
    assert_eq!(run(EngineMode::Epoch), run(EngineMode::Fuel));
}

#[test]
fn fuel_is_the_same_in_every_run_grows_with_the_work_and_outlives_a_fault() {
    let fuel = || {
        let mut bench = Bench::new(Setup { on_failure: quarantine(), ..Setup::default() });
        let mut spent = vec![bench.fuel_spent().expect("fuel is counted")];
        for records in [&[("a", "x")][..], &[("a", "x"), ("b", "x"), ("c", "x")], &[("a", "trap")], &[("a", "x")]] {
            bench.keyed(records).unwrap();
            spent.push(bench.fuel_spent().expect("fuel is counted"));
        }
        spent.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    let spent = fuel();
    assert_eq!(spent, fuel());
    assert!(spent[0] > 0 && spent[1] > spent[0] && spent[2] > 0 && spent[3] > spent[0], "{spent:?}");
    assert_eq!(Bench::new(Setup { mode: EngineMode::Epoch, ..Setup::default() }).fuel_spent(), None);
}

#[test]
fn migrate_answers_with_one_value_for_each_or_is_refused() {
    let plugin = puppet(EngineMode::Fuel);
    let mut values = Column::new();
    values.push(b"a");
    values.push(b"");
    let limits = Limits::default();
    let migrated = plugin.migrate(0, 1, &values, &limits).unwrap();
    assert_eq!(migrated.iter().collect::<Vec<_>>(), [&b"a!"[..], b"!"]);
    let refused = |from| plugin.migrate(0, from, &values, &limits).unwrap_err().to_string();
    assert!(refused(2).contains("migrate state \"count\" of plugin \"puppet\" from version 2: "), "{}", refused(2));
    assert!(refused(2).contains("cannot come from version 2"));
    assert!(refused(3).contains("0 values where there have to be 2"));
    assert!(refused(4).contains("log was called in migrate"), "{}", refused(4));
    assert!(refused(5).contains("did not return within 1s"), "{}", refused(5));
    assert!(refused(6).contains("ran out of memory"), "{}", refused(6));
    assert!(refused(7).contains("returned too much"), "{}", refused(7));
}

#[test]
fn an_operator_migrates_within_its_own_limits() {
    let limits = Limits { batch_bytes: Some(4), ..Limits::default() };
    let settings = OperatorSettings { operator: "op".into(), config: "\"refuse\"".into(), limits, on_failure: quarantine() };
    let migrator = WasmOperatorFactory::new(puppet(EngineMode::Fuel), settings).unwrap().migrator().unwrap();
    assert_eq!(migrator.batch_bytes(), 4);
    let migrated = |value: &[u8], from| {
        let mut values = Column::new();
        values.push(value);
        migrator.migrate(0, from, &values)
    };
    // Nothing is opened, and a fault is no record that could be set aside: it fails the job.
    assert_eq!(migrated(b"abcd", 1).unwrap().data(), b"abcd!");
    let fault = migrated(b"abcd", 2).unwrap_err();
    assert_eq!((fault.kind(), fault.is_guest_fault()), (ErrorKind::FixInput, true));
    let error = migrated(b"abcde", 1).unwrap_err();
    assert!(error.to_string().contains("one value has 5 bytes, and a call may have 4"), "{error}");
}
