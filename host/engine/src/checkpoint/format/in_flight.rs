//! Records in flight as they are stored: the payload of a section of kind [`SectionKind::InFlight`](super::SectionKind::InFlight).
//!
//! ```text
//! payload = bytes number-of-records *record    ; the bytes are the channel, as JSON; a record is described in `records.rs`
//! bytes   = length, and as many bytes
//! ```
//!
//! A section holds the records of one channel in order; it stands under the receiving vertex's id and, in place of a key group, the receiving
//! subtask's number. Lengths and counts are LEB128. Records are stored and not batches, so that a checkpoint restores at any parallelism; there
//! are none of a sender's: what has been sent lies in the receiver's queue.

use super::records::{early, put_record, read_records};
use super::{EdgeIdentity, RecordSchema};
use crate::element::RecordBatch;
use crate::state::varint::{put_bytes, put_number, take_bytes};
use serde::{Deserialize, Serialize};

/// Which channel records were on, and what they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFlightChannel {
    /// The edge.
    pub edge: EdgeIdentity,
    /// The sending subtask.
    pub sender: u32,
    /// What the sending operator declares of its output's records.
    pub schema: Option<RecordSchema>,
}

/// Records of `channel` as a section's payload.
pub fn write_in_flight<'a>(channel: &InFlightChannel, batches: impl Iterator<Item = &'a RecordBatch> + Clone) -> Vec<u8> {
    let records: usize = batches.clone().map(RecordBatch::len).sum();
    let bytes: usize = batches.clone().map(RecordBatch::byte_len).sum();
    let mut out = Vec::with_capacity(bytes + 4 * records + 256);
    put_bytes(&mut out, &serde_json::to_vec(channel).expect("a channel is JSON"));
    put_number(&mut out, records as u64);
    for batch in batches {
        (0..batch.len()).for_each(|record| put_record(&mut out, batch, record));
    }
    out
}

/// Reads a section's payload. An error says what is wrong with it.
pub fn read_in_flight(payload: &[u8]) -> Result<(InFlightChannel, Vec<RecordBatch>), String> {
    let mut rest = payload;
    let channel = serde_json::from_slice(take_bytes(&mut rest).map_err(early)?).map_err(|error| format!("its channel: {error}"))?;
    Ok((channel, read_records(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::BatchBuilder;
    use crate::exchange::Partitioning;

    fn channel() -> InFlightChannel {
        let edge = EdgeIdentity { from: "in".into(), output: "out".into(), to: "count".into(), input: 1, partitioning: Partitioning::Key };
        InFlightChannel { edge, sender: 3, schema: Some(RecordSchema { id: "flight".into(), version: 2 }) }
    }

    fn batch(records: &[(Option<&str>, &str, Option<i64>)]) -> RecordBatch {
        let mut builder = BatchBuilder::new();
        records.iter().for_each(|(key, value, time)| builder.push(key.map(str::as_bytes), value.as_bytes(), *time));
        builder.finish()
    }

    #[test]
    fn records_come_back_in_order_with_keys_and_times() {
        let batches = [batch(&[(Some("a"), "1", Some(-5)), (None, "", None)]), batch(&[(Some(""), "3", Some(7))])];
        let payload = write_in_flight(&channel(), batches.iter());
        let whole = batch(&[(Some("a"), "1", Some(-5)), (None, "", None), (Some(""), "3", Some(7))]);
        assert_eq!(read_in_flight(&payload), Ok((channel(), vec![whole])));
        let many = batch(&vec![(None, "v", None); 2_500]);
        let (_, batches) = read_in_flight(&write_in_flight(&channel(), [many].iter())).unwrap();
        assert_eq!(batches.iter().map(RecordBatch::len).collect::<Vec<_>>(), [1_024, 1_024, 452]);
    }

    /// A record without a value, and one with headers.
    fn with_headers() -> RecordBatch {
        let mut builder = BatchBuilder::new();
        builder.push_valueless(Some(b"gone"), Some(9));
        builder.push(None, b"", None);
        builder.push_header(b"trace", b"\xff");
        builder.push_header(b"trace", b"");
        builder.push(Some(b"k"), b"v", None);
        builder.finish()
    }

    #[test]
    fn absent_values_and_headers_come_back() {
        let payload = write_in_flight(&channel(), [with_headers()].iter());
        assert_eq!(read_in_flight(&payload), Ok((channel(), vec![with_headers()])));
    }

    #[test]
    fn every_truncation_is_refused() {
        let batches = [batch(&[(Some("k"), "v", None), (None, "w", Some(1))]), with_headers()];
        let payload = write_in_flight(&channel(), batches.iter());
        for length in 0..payload.len() {
            assert!(read_in_flight(&payload[..length]).is_err(), "cut off at {length}");
        }
        assert!(read_in_flight(&[&payload[..], b"x"].concat()).is_err());
    }
}
