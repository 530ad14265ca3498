//! The golden file of recorded calls: what was once written is read for ever, and written the same.

use super::*;
use crate::element::{BatchBuilder, CheckpointId, NO_TIMESTAMP};
use std::sync::Arc;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/recording-v1.bin");

fn call(input: u32, watermark: i64, processing_time: i64, records: &[(Option<&str>, &str, Option<i64>)]) -> RecordedCall {
    let mut builder = BatchBuilder::new();
    records.iter().for_each(|(key, value, time)| builder.push(key.map(str::as_bytes), value.as_bytes(), *time));
    RecordedCall { input, keyed: input == 0, watermark, processing_time, batch: Arc::new(builder.finish()) }
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

fn written() -> Vec<u8> {
    let mut object = StateObjectWriter::new();
    for payload in stretches().iter().flat_map(|stretch| write_recording(stretch).collect::<Vec<_>>()) {
        object.section(SectionKind::Recording, "enrich", 1, &payload);
    }
    object.finish().parts.concat()
}

#[test]
fn the_golden_file_of_recorded_calls_is_written_byte_for_byte() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let now = written();
    let differs = golden.iter().zip(&now).position(|(golden, now)| golden != now);
    assert!(golden == now, "{} bytes in the file, {} written now, the first difference is at {differs:?}", golden.len(), now.len());
}

#[test]
fn the_golden_file_of_recorded_calls_is_read_with_all_its_contents() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let reader = StateObjectReader::open("recording-v1.bin", golden.into()).unwrap();
    let mut read = Vec::new();
    for section in reader.sections().map(Result::unwrap) {
        assert_eq!((section.kind, section.operator, section.key_group), (SectionKind::Recording, "enrich", 1));
        read.push(read_recording(section.payload).unwrap());
    }
    assert_eq!(read, stretches());
}
