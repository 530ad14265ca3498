//! Recorded calls of an operator as they are stored: the payload of a section of kind [`SectionKind::Recording`](super::SectionKind::Recording).
//!
//! ```text
//! payload = bytes number-of-calls *call    ; the bytes are the stretch that the calls are of, as JSON
//! call    = input keyed watermark processing-time number-of-records *record    ; a record is described in `records.rs`
//! keyed   = 0 | 1
//! bytes   = length, and as many bytes
//! ```
//!
//! An object holds the calls of one operator's subtask, stretch by stretch: from one barrier to the next. A stretch may take several sections
//! in a row, which say the same of it; one without calls takes one. Sections stand under the operator's id and, in place of a key group, the
//! subtask's number. Times are 8 bytes, little-endian, other numbers LEB128.

use super::records::{early, put_record, take_byte, take_i64, take_record};
use crate::element::{BatchBuilder, CheckpointId, RecordBatch};
use crate::state::varint::{put_bytes, put_number, take_bytes, take_number};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bytes of records after which another section is begun: a payload is copied on its way into the object.
const SECTION_BYTES: usize = 1 << 20;
/// What a call counts for besides its records.
const CALL_BYTES: usize = 256;

/// What an operator was called with.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCall {
    /// The declared input's number.
    pub input: u32,
    /// Whether the batch came over a `key` edge.
    pub keyed: bool,
    /// Event time up to which all inputs were complete, ms.
    pub watermark: i64,
    /// ms since the Unix epoch.
    pub processing_time: i64,
    /// The records.
    pub batch: Arc<RecordBatch>,
}

/// All calls of one subtask between two barriers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Where it is.
    pub header: StretchHeader,
    /// In the order in which they were made.
    pub calls: Vec<RecordedCall>,
}

/// Which stretch calls are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StretchHeader {
    /// The checkpoint whose barrier it begins behind, or that the attempt restored; `None`: the attempt began without state, or with a savepoint.
    pub behind: Option<CheckpointId>,
    /// There were more calls, for which there was no room.
    pub cut_off: bool,
}

impl RecordedCall {
    /// What keeping it takes, about.
    pub fn byte_len(&self) -> usize {
        self.batch.byte_len() + CALL_BYTES
    }
}

impl Stretch {
    /// One that begins behind the barrier of a checkpoint, or where the attempt does.
    pub fn behind(behind: Option<CheckpointId>) -> Self {
        Self { header: StretchHeader { behind, cut_off: false }, calls: Vec::new() }
    }

    /// What keeping its calls takes, about.
    pub fn byte_len(&self) -> usize {
        self.calls.iter().map(RecordedCall::byte_len).sum()
    }
}

/// A stretch as the payloads of its sections.
pub fn write_recording(stretch: &Stretch) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = Some(stretch.calls.as_slice());
    std::iter::from_fn(move || {
        let calls = rest.take()?;
        let mut bytes = 0;
        let fits = |call: &&RecordedCall| {
            let before = bytes;
            bytes += call.byte_len();
            before < SECTION_BYTES
        };
        let fit = calls.iter().take_while(fits).count();
        let (section, behind) = calls.split_at(fit);
        rest = (!behind.is_empty()).then_some(behind);
        Some(payload(&stretch.header, section))
    })
}

fn payload(header: &StretchHeader, calls: &[RecordedCall]) -> Vec<u8> {
    let mut out = Vec::with_capacity(calls.iter().map(RecordedCall::byte_len).sum::<usize>() + 64);
    put_bytes(&mut out, &serde_json::to_vec(header).expect("a header is JSON"));
    put_number(&mut out, calls.len() as u64);
    for call in calls {
        put_number(&mut out, u64::from(call.input));
        out.push(u8::from(call.keyed));
        out.extend_from_slice(&call.watermark.to_le_bytes());
        out.extend_from_slice(&call.processing_time.to_le_bytes());
        put_number(&mut out, call.batch.len() as u64);
        (0..call.batch.len()).for_each(|record| put_record(&mut out, &call.batch, record));
    }
    out
}

/// Reads a section's payload: a stretch, or a part of one. An error says what is wrong with it.
pub fn read_recording(payload: &[u8]) -> Result<Stretch, String> {
    let mut rest = payload;
    let header = serde_json::from_slice(take_bytes(&mut rest).map_err(early)?).map_err(|error| format!("its stretch: {error}"))?;
    let mut stretch = Stretch { header, calls: Vec::new() };
    for _ in 0..take_number(&mut rest).map_err(early)? {
        stretch.calls.push(take_call(&mut rest)?);
    }
    if !rest.is_empty() {
        return Err(format!("{} bytes are left behind its last call", rest.len()));
    }
    Ok(stretch)
}

fn take_call(rest: &mut &[u8]) -> Result<RecordedCall, String> {
    let input = take_number(rest).map_err(early)?;
    let input = u32::try_from(input).map_err(|_too_large| format!("a call is of input {input}"))?;
    let keyed = match take_byte(rest)? {
        0 => false,
        1 => true,
        other => return Err(format!("a call's keys are {other}")),
    };
    let (watermark, processing_time) = (take_i64(rest)?, take_i64(rest)?);
    let mut builder = BatchBuilder::new();
    for _ in 0..take_number(rest).map_err(early)? {
        take_record(rest, &mut builder)?;
    }
    Ok(RecordedCall { input, keyed, watermark, processing_time, batch: Arc::new(builder.finish()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::NO_TIMESTAMP;

    fn call(input: u32, processing_time: i64, records: &[(Option<&str>, &str)]) -> RecordedCall {
        let mut builder = BatchBuilder::new();
        records.iter().for_each(|(key, value)| builder.push(key.map(str::as_bytes), value.as_bytes(), Some(-7)));
        RecordedCall { input, keyed: input == 0, watermark: NO_TIMESTAMP, processing_time, batch: Arc::new(builder.finish()) }
    }

    fn stretch() -> Stretch {
        let calls = vec![call(0, 5, &[(Some("a"), "1"), (Some(""), "")]), call(1, -6, &[(None, "rule")]), call(300, 7, &[])];
        Stretch { header: StretchHeader { behind: Some(CheckpointId(9)), cut_off: true }, calls }
    }

    #[test]
    fn calls_come_back_in_order_with_their_times_and_batches() {
        let payloads: Vec<_> = write_recording(&stretch()).collect();
        assert_eq!(payloads.len(), 1);
        assert_eq!(read_recording(&payloads[0]), Ok(stretch()));
        let empty = Stretch::behind(None);
        assert_eq!(write_recording(&empty).map(|payload| read_recording(&payload)).collect::<Vec<_>>(), [Ok(empty)]);
    }

    #[test]
    fn a_long_stretch_takes_several_sections() {
        let long = "x".repeat(SECTION_BYTES / 2);
        let calls = vec![call(0, 0, &[(Some("k"), &long)]); 5];
        let stretch = Stretch { calls, ..Stretch::behind(Some(CheckpointId(1))) };
        let parts: Vec<_> = write_recording(&stretch).map(|payload| read_recording(&payload).expect("as it was written")).collect();
        assert_eq!(
            parts.iter().map(|part| (part.header, part.calls.len())).collect::<Vec<_>>(),
            [2, 2, 1].map(|calls| (stretch.header, calls))
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let payload = write_recording(&stretch()).next().expect("a section");
        for length in 0..payload.len() {
            assert!(read_recording(&payload[..length]).is_err(), "cut off at {length}");
        }
        assert!(read_recording(&[&payload[..], b"x"].concat()).is_err());
    }

    #[test]
    fn counts_that_the_bytes_do_not_bear_out_are_refused() {
        let mut payload = Vec::new();
        put_bytes(&mut payload, b"{\"behind\":null,\"cut_off\":false}");
        put_number(&mut payload, u64::MAX);
        assert!(read_recording(&payload).is_err());
    }
}
