//! The golden file of records in flight: what was once written is read for ever, and written the same.

use super::*;
use crate::element::{BatchBuilder, NO_TIMESTAMP, RecordBatch};
use crate::exchange::Partitioning;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/in-flight-v1.bin");

fn channels() -> [InFlightChannel; 2] {
    let edge = |from: &str, input, partitioning| EdgeIdentity {
        from: from.into(),
        output: "out".into(),
        to: "enrich".into(),
        input,
        partitioning,
    };
    let schema = RecordSchema { id: "flight".into(), version: 2 };
    [
        InFlightChannel { edge: edge("flights", 0, Partitioning::Key), sender: 3, schema: Some(schema) },
        InFlightChannel { edge: edge("rules", 1, Partitioning::Broadcast), sender: 0, schema: None },
    ]
}

fn batch(records: &[(Option<&str>, &str, Option<i64>)]) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    records.iter().for_each(|(key, value, time)| builder.push(key.map(str::as_bytes), value.as_bytes(), *time));
    builder.finish()
}

/// The first channel's: keys, the empty key, a long value, times of both signs and none.
fn keyed() -> RecordBatch {
    let long = "x".repeat(200);
    batch(&[(Some("N14228"), "11", Some(1_356_994_800_000)), (Some(""), "", None), (Some("N24211"), &long, Some(-5))])
}

fn keyless() -> RecordBatch {
    batch(&[(None, "UA is United", Some(0)), (None, "", None)])
}

fn written() -> Vec<u8> {
    let [flights, rules] = channels();
    let mut object = StateObjectWriter::new();
    object.section(SectionKind::InFlight, "enrich", 1, &write_in_flight(&flights, [keyed()].iter()));
    object.section(SectionKind::InFlight, "enrich", 1, &write_in_flight(&rules, [keyless()].iter()));
    object.finish().parts.concat()
}

#[test]
fn the_golden_file_of_records_in_flight_is_written_byte_for_byte() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let now = written();
    let differs = golden.iter().zip(&now).position(|(golden, now)| golden != now);
    assert!(golden == now, "{} bytes in the file, {} written now, the first difference is at {differs:?}", golden.len(), now.len());
}

#[test]
fn the_golden_file_of_records_in_flight_is_read_with_all_its_contents() {
    let golden = std::fs::read(FILE).expect("the golden file is in the repository");
    let reader = StateObjectReader::open("in-flight-v1.bin", golden.into()).unwrap();
    let mut read = Vec::new();
    for section in reader.sections().map(Result::unwrap) {
        assert_eq!((section.kind, section.operator, section.key_group), (SectionKind::InFlight, "enrich", 1));
        read.push(read_in_flight(section.payload).unwrap());
    }
    let [flights, rules] = channels();
    assert_eq!(read, [(flights, vec![keyed()]), (rules, vec![keyless()])]);
    assert_eq!(read[0].1[0].timestamps(), [1_356_994_800_000, NO_TIMESTAMP, -5]);
}
