//! The golden files of records in flight: what was once written is read for ever, and written the same.

use super::*;
use crate::element::{BatchBuilder, NO_TIMESTAMP, RecordBatch};
use crate::exchange::Partitioning;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/in-flight-v1.bin");
const LATE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/in-flight-v1-late.bin");

fn edge(from: &str, output: &str, input: u32, partitioning: Partitioning) -> EdgeIdentity {
    EdgeIdentity { from: from.into(), output: output.into(), to: "enrich".into(), input, partitioning }
}

fn channels() -> [InFlightChannel; 2] {
    let schema = RecordSchema { id: "flight".into(), version: 2 };
    [
        InFlightChannel { edge: edge("flights", "out", 0, Partitioning::Key), sender: 3, schema: Some(schema) },
        InFlightChannel { edge: edge("rules", "out", 1, Partitioning::Broadcast), sender: 0, schema: None },
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

/// The channel that records take which came too late for their windows, and the one of what was set aside there.
fn late_channels() -> [InFlightChannel; 2] {
    let of = |output| InFlightChannel { edge: edge("traffic", output, 0, Partitioning::Forward), sender: 1, schema: None };
    [of("late"), of("quarantine")]
}

/// A record that came too late, with its key and its time, also before 1970 and of the empty key.
fn late() -> RecordBatch {
    let line = |key: &str, time: i64| {
        format!(
            "{{\"key\":\"{key}\",\"late_ms\":900001,\"operator\":\"traffic\",\"timestamp\":{time},\"value\":\"7\",\"window\":{{\"end\":0,\"start\":-3600000}}}}"
        )
    };
    batch(&[(Some("EWR"), &line("EWR", -5), Some(-5)), (Some(""), &line("", -3_600_000), Some(-3_600_000))])
}

/// A window that the guest failed on, at the time that it would have emitted at; one without bounds has none.
fn set_aside() -> RecordBatch {
    let line = "{\"operator\":\"traffic\",\"key\":\"JFK\",\"window\":null,\"reason\":\"on-time\",\"revision\":0,\"timestamp\":null,\"error\":\"it traps\"}";
    batch(&[(Some("JFK"), line, None), (Some("LGA"), line, Some(1_356_998_399_999))])
}

/// The files with what they hold.
fn files() -> [(&'static str, [(InFlightChannel, RecordBatch); 2]); 2] {
    let ([flights, rules], [of_late, of_quarantine]) = (channels(), late_channels());
    [(FILE, [(flights, keyed()), (rules, keyless())]), (LATE_FILE, [(of_late, late()), (of_quarantine, set_aside())])]
}

fn written(channels: &[(InFlightChannel, RecordBatch)]) -> Vec<u8> {
    let mut object = StateObjectWriter::new();
    for (channel, batch) in channels {
        object.section(SectionKind::InFlight, "enrich", 1, &write_in_flight(channel, [batch].into_iter()));
    }
    object.finish().parts.concat()
}

#[test]
fn the_golden_files_of_records_in_flight_are_written_byte_for_byte() {
    for (file, channels) in files() {
        let golden = std::fs::read(file).expect("the golden file is in the repository");
        let now = written(&channels);
        let differs = golden.iter().zip(&now).position(|(golden, now)| golden != now);
        assert!(golden == now, "{file}: {} bytes, {} written now, the first difference is at {differs:?}", golden.len(), now.len());
    }
}

#[test]
fn the_golden_files_of_records_in_flight_are_read_with_all_their_contents() {
    for (file, channels) in files() {
        let golden = std::fs::read(file).expect("the golden file is in the repository");
        let reader = StateObjectReader::open(file, golden.into()).unwrap();
        let mut read = Vec::new();
        for section in reader.sections().map(Result::unwrap) {
            assert_eq!((section.kind, section.operator, section.key_group), (SectionKind::InFlight, "enrich", 1));
            read.push(read_in_flight(section.payload).unwrap());
        }
        assert_eq!(read, channels.map(|(channel, batch)| (channel, vec![batch])));
    }
    assert_eq!(keyed().timestamps(), [1_356_994_800_000, NO_TIMESTAMP, -5]);
}
