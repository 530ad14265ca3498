//! Records that pass as they came, absent values, headers, and lists that are shortened, with a real guest.

use crate::support::{Bench, Setup, quarantine, reports, values};
use std::sync::Arc;
use weir_engine::element::{BatchBuilder, RecordBatch, Selection};
use weir_wasm::Limits;

/// Records with these values, every third without a key, each with its number as time.
fn records<'a>(values: impl IntoIterator<Item = &'a str>) -> Arc<RecordBatch> {
    let mut builder = BatchBuilder::new();
    for (record, value) in values.into_iter().enumerate() {
        builder.push((record % 3 > 0).then_some(b"k"), value.as_bytes(), Some(record as i64));
    }
    Arc::new(builder.finish())
}

fn bench() -> Bench {
    Bench::new(Setup::default())
}

/// Where the selected records stand in the batch that they are shared of.
#[track_caller]
fn places(selection: &Selection, batch: &Arc<RecordBatch>) -> Vec<u32> {
    assert!(Arc::ptr_eq(selection.batch(), batch), "what passes is not copied");
    selection.records().map_or_else(|| (0..batch.len() as u32).collect(), <[u32]>::to_vec)
}

#[test]
fn a_batch_that_passes_whole_goes_on_as_the_same_batch() {
    let batch = records(vec!["pass"; 1_000]);
    let emitted = bench().emitted(&batch).unwrap();
    assert_eq!(emitted.len(), 1);
    assert!(emitted[0].1.records().is_none() && Arc::ptr_eq(emitted[0].1.batch(), &batch));
}

#[test]
fn some_records_go_on_as_a_selection_of_the_shared_batch_to_each_output_by_itself() {
    let batch = records(["pass", "pass-side", "drop", "pass", "pass-side"]);
    let emitted = bench().emitted(&batch).unwrap();
    let shown: Vec<_> = emitted.iter().map(|(output, selection)| (*output, places(selection, &batch))).collect();
    assert_eq!(shown, [(0, vec![0, 3]), (1, vec![1, 4])]);
}

#[test]
fn what_is_cut_into_several_calls_passes_without_a_copy_too() {
    let batch = records((0..3_000).map(|record| if record % 5 == 0 { "drop" } else { "pass" }));
    for limits in [Limits::default(), Limits { batch_bytes: Some(2_000), ..Limits::default() }] {
        let emitted = Bench::new(Setup { limits, ..Setup::default() }).emitted(&batch).unwrap();
        assert!(emitted.len() > 1, "one for each call");
        let passed: Vec<u32> = emitted.iter().flat_map(|(_, selection)| places(selection, &batch)).collect();
        assert_eq!(passed, (0..3_000).filter(|record| record % 5 > 0).collect::<Vec<_>>());
    }
}

#[test]
fn a_record_that_passes_stands_before_what_it_emits_and_between_what_its_neighbours_do() {
    let batch = records(["x", "pass", "pass-and y", "drop", "z", "pass"]);
    let emitted = bench().emitted(&batch).unwrap();
    let [(0, selection)] = &emitted[..] else { panic!("one output") };
    let merged = selection.clone().compact();
    let shown: Vec<_> =
        (0..merged.len()).map(|record| (merged.values().get(record), merged.key(record), merged.timestamps()[record])).collect();
    let k = Some(&b"k"[..]);
    let expect = [(&b"x"[..], None, 0), (b"pass", k, 1), (b"pass-and y", k, 2), (b"y", k, 2), (b"z", k, 4), (b"pass", k, 5)];
    assert_eq!(shown, expect);
}

#[test]
fn neighbours_of_a_record_that_is_set_aside_pass_all_the_same() {
    let batch = records(["pass", "trap", "pass", "pass"]);
    let mut bench = Bench::new(Setup { on_failure: quarantine(), ..Setup::default() });
    let emitted = bench.emitted(&batch).unwrap();
    let passed: Vec<u32> = emitted.iter().filter(|(output, _)| *output == 0).flat_map(|(_, selection)| places(selection, &batch)).collect();
    assert_eq!(passed, [0, 2, 3]);
}

#[test]
fn passes_that_break_a_rule_are_malformed_and_the_record_is_set_aside() {
    let mut bench = Bench::new(Setup { on_failure: quarantine(), ..Setup::default() });
    let outs = bench.unkeyed(&[(Some("a"), "x"), (Some("b"), "wrong passes")]).unwrap();
    let error = reports(&outs)[0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("malformed effects: output 0: passes names a record behind the last of the 1 there are"), "{error}");
    assert_eq!(values(&outs), ["x"]);
}

#[test]
fn an_absent_value_is_seen_as_absent_and_can_be_emitted() {
    let mut builder = BatchBuilder::new();
    builder.push(Some(b"a"), b"", None);
    builder.push_valueless(Some(b"b"), None);
    builder.push(Some(b"c"), b"absent", Some(5));
    let emitted = bench().emitted(&Arc::new(builder.finish())).unwrap();
    let out = emitted[0].1.clone().compact();
    assert_eq!((0..out.len()).map(|record| out.value(record)).collect::<Vec<_>>(), [Some(&b""[..]), Some(b"no value"), None]);
    assert_eq!((out.key(2), out.timestamps()[2]), (Some(&b"c"[..]), 5));
}

#[test]
fn headers_are_seen_and_inherited_wherever_the_batch_is_cut() {
    let mut builder = BatchBuilder::new();
    for record in 0..40_u8 {
        builder.push(Some(b"a"), b"headers", None);
        (0..record % 3).for_each(|header| builder.push_header(&[b'a' + header], record.to_string().as_bytes()));
    }
    let batch = Arc::new(builder.finish());
    for limits in [Limits::default(), Limits { batch_bytes: Some(90), ..Limits::default() }] {
        let emitted = Bench::new(Setup { limits, ..Setup::default() }).emitted(&batch).unwrap();
        let mut builder = BatchBuilder::new();
        emitted.iter().for_each(|(_, selection)| builder.append(&selection.clone().compact(), 0..selection.len(), false));
        let out = builder.finish();
        for record in 0..40 {
            let expect: Vec<String> = (0..record % 3).map(|header| format!("{}={record}", (b'a' + header as u8) as char)).collect();
            assert_eq!(String::from_utf8_lossy(out.values().get(record)), expect.join(","));
            assert!(out.headers_of(record).eq(batch.headers_of(record)), "record {record}");
        }
    }
}

#[test]
fn a_list_is_shortened_at_either_end_before_it_is_appended_to() {
    let mut bench = bench();
    let one = |bench: &mut Bench, value: &str| bench.keyed(&[("a", value)]).unwrap();
    bench.keyed(&[("a", "append 1"), ("a", "append 2"), ("a", "append 3"), ("a", "append 4"), ("b", "append x")]).unwrap();
    bench.keyed(&[("a", "append 5"), ("a", "truncate 2"), ("a", "pop 1")]).unwrap();
    assert_eq!(values(&one(&mut bench, "list 1000")), ["3 in 1: 2,3,5"]);
    one(&mut bench, &format!("pop {}", u64::MAX));
    assert_eq!(values(&one(&mut bench, "list 1000")), ["0 in 1: "]);
    assert_eq!(values(&bench.keyed(&[("b", "list 1000")]).unwrap()), ["1 in 1: x"]);
}
