//! The golden files of an operator's calls: what was once written is read for ever, and written the same.

use super::*;
use crate::element::{BatchBuilder, CheckpointId, NO_TIMESTAMP, key_hash};
use std::sync::Arc;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/recording-v1.bin");
const LATER_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/recording-v1-watermarks.bin");
const WINDOWS_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/recording-v1-windows.bin");

fn call(input: u32, watermark: i64, processing_time: i64, records: &[(Option<&str>, &str, Option<i64>)]) -> OperatorCall {
    let mut builder = BatchBuilder::new();
    records.iter().for_each(|(key, value, time)| builder.push(key.map(str::as_bytes), value.as_bytes(), *time));
    OperatorCall { watermark, processing_time, kind: CallKind::Batch { input, keyed: input == 0, batch: Arc::new(builder.finish()) } }
}

/// Two stretches: keys, the empty key, a long value, times of both signs and none; and one that is cut off, behind a checkpoint.
fn stretches() -> [Stretch; 2] {
    let long = "x".repeat(200);
    let flights = call(
        0,
        NO_TIMESTAMP,
        1_700_000_000_000,
        &[(Some("N14228"), "11", Some(1_356_994_800_000)), (Some(""), "", None), (Some("N24211"), &long, Some(-5))],
    );
    let rules = call(300, 1_356_994_800_000, -1, &[(None, "UA is United", Some(0)), (None, "", None)]);
    [
        Stretch { calls: vec![flights, rules.clone()], ..Stretch::behind(None) },
        Stretch { header: StretchHeader { behind: Some(CheckpointId(7)), cut_off: true }, calls: vec![rules] },
    ]
}

/// The same with calls at watermarks and of fired timers between those with batches, which came later.
fn later_stretches() -> [Stretch; 2] {
    let mut fired = FiredTimers::default();
    [(&b"N14228"[..], 0, 1_356_994_800_000), (b"", 2, -7)].iter().for_each(|&(key, timer, due)| fired.push(key, key_hash(key), timer, due));
    let at = |watermark, kind| OperatorCall { watermark, processing_time: 1_700_000_000_001, kind };
    let [mut first, mut second] = stretches();
    first.calls.insert(1, at(1_356_994_800_000, CallKind::Watermark));
    second.calls.push(at(i64::MAX, CallKind::Timers(Arc::new(fired))));
    second.calls.push(at(i64::MAX, CallKind::Watermark));
    [first, second]
}

/// The first with a call of windows that are due behind it, which came last: keys in their windows, why each is due, and since when.
fn stretches_with_windows() -> [Stretch; 2] {
    let mut due = FiredTimers::default();
    for (start, key, reason, time) in [(1_356_994_800_000, "EWR", 0, 1_356_998_399_999), (-3_600_000, "", 3, -1), (i64::MIN, "JFK", 2, 7)] {
        let unit = [&(start ^ i64::MIN).to_be_bytes(), key.as_bytes()].concat();
        due.push(&unit, key_hash(key.as_bytes()), reason, time);
    }
    let [mut first, second] = stretches();
    first.calls.push(OperatorCall { watermark: i64::MAX, processing_time: 1_700_000_000_001, kind: CallKind::Windows(Arc::new(due)) });
    [first, second]
}

fn written(stretches: &[Stretch]) -> Vec<u8> {
    let mut object = StateObjectWriter::new();
    for payload in stretches.iter().flat_map(|stretch| write_calls(stretch).collect::<Vec<_>>()) {
        object.section(SectionKind::CallLog, "enrich", 1, &payload);
    }
    object.finish().parts.concat()
}

/// The files with what they hold.
fn files() -> [(&'static str, [Stretch; 2]); 3] {
    [(FILE, stretches()), (LATER_FILE, later_stretches()), (WINDOWS_FILE, stretches_with_windows())]
}

#[test]
fn the_golden_files_of_calls_are_written_byte_for_byte() {
    for (file, stretches) in files() {
        let golden = std::fs::read(file).expect("the golden file is in the repository");
        let now = written(&stretches);
        let differs = golden.iter().zip(&now).position(|(golden, now)| golden != now);
        assert!(golden == now, "{file}: {} bytes, {} written now, the first difference is at {differs:?}", golden.len(), now.len());
    }
}

#[test]
fn the_golden_files_of_calls_are_read_with_all_their_contents() {
    for (file, stretches) in files() {
        let golden = std::fs::read(file).expect("the golden file is in the repository");
        let reader = StateObjectReader::open(file, golden.into()).unwrap();
        let mut read = Vec::new();
        for section in reader.sections().map(Result::unwrap) {
            assert_eq!((section.kind, section.operator, section.key_group), (SectionKind::CallLog, "enrich", 1));
            read.push(read_calls(section.payload).unwrap());
        }
        assert_eq!(read, stretches);
    }
}
