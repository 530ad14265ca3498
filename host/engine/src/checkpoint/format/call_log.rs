//! The calls of an operator as they are kept and stored: the payload of a section of kind [`SectionKind::CallLog`](super::SectionKind::CallLog).
//!
//! ```text
//! payload = bytes number-of-calls *call    ; the bytes are the stretch that the calls are of, as JSON
//! call    = batch | timers | windows | reached
//! batch   = input keyed watermark processing-time number-of-records *record    ; a record is described in `records.rs`
//! keyed   = 0 | 1
//! timers  = 0 2 watermark processing-time number-of-timers *timer
//! timer   = bytes number due    ; the key, the declared timer, and when it was due
//! windows = 0 4 watermark processing-time number-of-windows *timer    ; the key of state, the number of the reason, and when it was due
//! reached = 0 3 watermark processing-time    ; the watermark reached the operator
//! bytes   = length, and as many bytes
//! ```
//!
//! A call with a batch is stored as it was before there were any others.
//!
//! An object holds the calls of one operator's subtask, stretch by stretch: from one barrier to the next. A stretch may take several sections
//! in a row, which say the same of it; one without calls takes one. Sections stand under the operator's id and, in place of a key group, the
//! subtask's number. Times are 8 bytes, little-endian, other numbers LEB128.

use super::records::{early, put_record, take_byte, take_i64, take_record};
use crate::element::{BatchBuilder, CheckpointId, Column, RecordBatch, key_hash};
use crate::state::varint::{put_bytes, put_number, take_bytes, take_number};
use crate::state::{CallKeys, unit_hash};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bytes of records after which another section is begun: a payload is copied on its way into the object.
const SECTION_BYTES: usize = 1 << 20;
/// What a call counts for besides its records.
const CALL_BYTES: usize = 256;
/// What a fired timer counts for besides its key.
const TIMER_BYTES: usize = 24;
/// What a call at a watermark counts for: there may be many.
const WATERMARK_BYTES: usize = 64;

/// In the place of a batch's `keyed`: the call is of fired timers.
const TIMERS: u8 = 2;
/// The call is at a watermark.
const WATERMARK: u8 = 3;
/// The call is of windows that are due.
const WINDOWS: u8 = 4;

/// What an operator's subtask is called with. Nothing else of its task happens within a call.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorCall {
    /// Event time up to which all inputs are complete, ms.
    pub watermark: i64,
    /// Milliseconds since the Unix epoch.
    pub processing_time: i64,
    /// What there is to do.
    pub kind: CallKind,
}

/// What there is to do in a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallKind {
    /// Records are to be worked off.
    Batch {
        /// The declared input's number.
        input: u32,
        /// Whether the batch came over a `key` edge.
        keyed: bool,
        /// The records.
        batch: Arc<RecordBatch>,
    },
    /// Timers are due, and their keys' states are what the call is about.
    Timers(Arc<FiredTimers>),
    /// Windows are due: the key of state of each, in the place of a timer's number that of the reason, and when it was due.
    Windows(Arc<FiredTimers>),
    /// The watermark has come to where the call says it is.
    Watermark,
}

/// Timers that are due, of each key all those of one time.
///
/// Invariant: the lists are parallel, and the hashes are those of the keys. They are not stored, but computed when a call is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FiredTimers {
    keys: Column,
    hashes: Vec<u64>,
    timers: Vec<u32>,
    due: Vec<i64>,
}

impl FiredTimers {
    /// Adds the declared timer number `timer` of a key, whose XXH3-64 is `hash`. It was due at `due` ms.
    pub fn push(&mut self, key: &[u8], hash: u64, timer: u32, due: i64) {
        debug_assert!(hash == key_hash(key) || hash == unit_hash(key), "the hash of the key {}", key.escape_ascii());
        self.keys.push(key);
        self.hashes.push(hash);
        self.timers.push(timer);
        self.due.push(due);
    }

    /// Those of them whose places `keep` names.
    pub(crate) fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut only = Self::default();
        for place in (0..self.len()).filter(|&place| keep(place)) {
            only.push(self.keys.get(place), self.hashes[place], self.timers[place], self.due[place]);
        }
        only
    }

    /// Number of timers.
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// True where there is no timer.
    pub fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }

    /// The key of each.
    pub fn keys(&self) -> &Column {
        &self.keys
    }

    /// The hash of each key.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The number of each declared timer.
    pub fn timers(&self) -> &[u32] {
        &self.timers
    }

    /// When each was due, ms.
    pub fn due(&self) -> &[i64] {
        &self.due
    }
}

impl<'a> From<&'a FiredTimers> for CallKeys<'a> {
    fn from(fired: &'a FiredTimers) -> Self {
        // A timer is a key's.
        Self::new(&fired.keys, &fired.hashes, &[]).of_timers(&fired.timers, &fired.due)
    }
}

/// All calls of one subtask between two barriers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// Where it is.
    pub header: StretchHeader,
    /// In the order in which they were made.
    pub calls: Vec<OperatorCall>,
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

impl OperatorCall {
    /// What keeping it takes, about.
    pub fn byte_len(&self) -> usize {
        match &self.kind {
            CallKind::Batch { batch, .. } => batch.byte_len() + CALL_BYTES,
            CallKind::Timers(fired) | CallKind::Windows(fired) => fired.keys.byte_len() + fired.len() * TIMER_BYTES + CALL_BYTES,
            CallKind::Watermark => WATERMARK_BYTES,
        }
    }

    /// The keys whose states the call may read and change; `None`: it is of no keys.
    pub fn keys(&self) -> Option<CallKeys<'_>> {
        match &self.kind {
            CallKind::Batch { keyed: true, batch, .. } => Some(batch.into()),
            CallKind::Timers(fired) | CallKind::Windows(fired) => Some(CallKeys::from(&**fired)),
            CallKind::Batch { keyed: false, .. } | CallKind::Watermark => None,
        }
    }
}

impl Stretch {
    /// One that begins behind the barrier of a checkpoint, or where the attempt does.
    pub fn behind(behind: Option<CheckpointId>) -> Self {
        Self { header: StretchHeader { behind, cut_off: false }, calls: Vec::new() }
    }
}

/// A stretch as the payloads of its sections.
pub fn write_calls(stretch: &Stretch) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = Some(stretch.calls.as_slice());
    std::iter::from_fn(move || {
        let calls = rest.take()?;
        let mut bytes = 0;
        let fits = |call: &&OperatorCall| {
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

fn payload(header: &StretchHeader, calls: &[OperatorCall]) -> Vec<u8> {
    let mut out = Vec::with_capacity(calls.iter().map(OperatorCall::byte_len).sum::<usize>() + 64);
    put_bytes(&mut out, &serde_json::to_vec(header).expect("a header is JSON"));
    put_number(&mut out, calls.len() as u64);
    for call in calls {
        put_call(&mut out, call);
    }
    out
}

fn put_call(out: &mut Vec<u8>, call: &OperatorCall) {
    let (input, kind) = match &call.kind {
        CallKind::Batch { input, keyed, .. } => (*input, u8::from(*keyed)),
        CallKind::Timers(_) => (0, TIMERS),
        CallKind::Windows(_) => (0, WINDOWS),
        CallKind::Watermark => (0, WATERMARK),
    };
    put_number(out, u64::from(input));
    out.push(kind);
    out.extend_from_slice(&call.watermark.to_le_bytes());
    out.extend_from_slice(&call.processing_time.to_le_bytes());
    match &call.kind {
        CallKind::Batch { batch, .. } => {
            put_number(out, batch.len() as u64);
            (0..batch.len()).for_each(|record| put_record(out, batch, record));
        }
        CallKind::Timers(fired) | CallKind::Windows(fired) => {
            put_number(out, fired.len() as u64);
            for ((key, timer), due) in fired.keys.iter().zip(&fired.timers).zip(&fired.due) {
                put_bytes(out, key);
                put_number(out, u64::from(*timer));
                out.extend_from_slice(&due.to_le_bytes());
            }
        }
        CallKind::Watermark => {}
    }
}

/// Reads a section's payload: a stretch, or a part of one. An error says what is wrong with it.
pub fn read_calls(payload: &[u8]) -> Result<Stretch, String> {
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

fn take_call(rest: &mut &[u8]) -> Result<OperatorCall, String> {
    let input = take_number(rest).map_err(early)?;
    let input = u32::try_from(input).map_err(|_too_large| format!("a call is of input {input}"))?;
    let kind = take_byte(rest)?;
    let (watermark, processing_time) = (take_i64(rest)?, take_i64(rest)?);
    let kind = match (kind, input) {
        (0 | 1, _) => {
            let mut builder = BatchBuilder::new();
            for _ in 0..take_number(rest).map_err(early)? {
                take_record(rest, &mut builder)?;
            }
            CallKind::Batch { input, keyed: kind == 1, batch: Arc::new(builder.finish()) }
        }
        (TIMERS, 0) => CallKind::Timers(Arc::new(take_timers(rest, key_hash)?)),
        (WINDOWS, 0) => CallKind::Windows(Arc::new(take_timers(rest, unit_hash)?)),
        (WATERMARK, 0) => CallKind::Watermark,
        (other, input) => return Err(format!("a call of input {input} is of kind {other}")),
    };
    Ok(OperatorCall { watermark, processing_time, kind })
}

fn take_timers(rest: &mut &[u8], hash_of: fn(&[u8]) -> u64) -> Result<FiredTimers, String> {
    let mut fired = FiredTimers::default();
    for _ in 0..take_number(rest).map_err(early)? {
        let key = take_bytes(rest).map_err(early)?;
        let timer = take_number(rest).map_err(early)?;
        let timer = u32::try_from(timer).map_err(|_too_large| format!("a call is of timer {timer}"))?;
        fired.push(key, hash_of(key), timer, take_i64(rest)?);
    }
    Ok(fired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::NO_TIMESTAMP;

    fn call(input: u32, processing_time: i64, records: &[(Option<&str>, &str)]) -> OperatorCall {
        let mut builder = BatchBuilder::new();
        records.iter().for_each(|(key, value)| builder.push(key.map(str::as_bytes), value.as_bytes(), Some(-7)));
        let kind = CallKind::Batch { input, keyed: input == 0, batch: Arc::new(builder.finish()) };
        OperatorCall { watermark: NO_TIMESTAMP, processing_time, kind }
    }

    fn reached(watermark: i64) -> OperatorCall {
        OperatorCall { watermark, processing_time: -1, kind: CallKind::Watermark }
    }

    fn timers() -> OperatorCall {
        let mut fired = FiredTimers::default();
        [(&b"a"[..], 0, 7), (b"a", 1, 7), (b"", 300, -8)].iter().for_each(|&(key, timer, due)| fired.push(key, key_hash(key), timer, due));
        OperatorCall { watermark: 9, processing_time: 1, kind: CallKind::Timers(Arc::new(fired)) }
    }

    fn stretch() -> Stretch {
        let calls =
            vec![call(0, 5, &[(Some("a"), "1"), (Some(""), "")]), call(1, -6, &[(None, "rule")]), call(300, 7, &[]), reached(8), timers()];
        Stretch { header: StretchHeader { behind: Some(CheckpointId(9)), cut_off: true }, calls }
    }

    #[test]
    fn calls_come_back_in_order_with_their_times_and_batches() {
        let payloads: Vec<_> = write_calls(&stretch()).collect();
        assert_eq!(payloads.len(), 1);
        assert_eq!(read_calls(&payloads[0]), Ok(stretch()));
        let empty = Stretch::behind(None);
        assert_eq!(write_calls(&empty).map(|payload| read_calls(&payload)).collect::<Vec<_>>(), [Ok(empty)]);
    }

    #[test]
    fn a_long_stretch_takes_several_sections() {
        let long = "x".repeat(SECTION_BYTES / 2);
        let calls = vec![call(0, 0, &[(Some("k"), &long)]); 5];
        let stretch = Stretch { calls, ..Stretch::behind(Some(CheckpointId(1))) };
        let parts: Vec<_> = write_calls(&stretch).map(|payload| read_calls(&payload).expect("as it was written")).collect();
        assert_eq!(
            parts.iter().map(|part| (part.header, part.calls.len())).collect::<Vec<_>>(),
            [2, 2, 1].map(|calls| (stretch.header, calls))
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let payload = write_calls(&stretch()).next().expect("a section");
        for length in 0..payload.len() {
            assert!(read_calls(&payload[..length]).is_err(), "cut off at {length}");
        }
        assert!(read_calls(&[&payload[..], b"x"].concat()).is_err());
    }

    #[test]
    fn counts_that_the_bytes_do_not_bear_out_are_refused() {
        let mut payload = Vec::new();
        put_bytes(&mut payload, b"{\"behind\":null,\"cut_off\":false}");
        put_number(&mut payload, u64::MAX);
        assert!(read_calls(&payload).is_err());
    }
}
