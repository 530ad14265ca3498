//! A record as it is stored, wherever records are: in flight, in a call log, or staged.
//!
//! ```text
//! record  = parts [key] [value] timestamp [headers]
//! parts   = 1 where there is a key + 2 where there is no value + 4 where there are headers    ; one byte
//! key     = bytes
//! value   = bytes
//! headers = number *(bytes bytes)              ; names and values
//! bytes   = length, and as many bytes
//! ```
//!
//! A record that has a value and no headers is stored as it was before there were any others.
//!
//! A length is LEB128, a timestamp is 8 bytes, little-endian.

use crate::element::{BatchBuilder, RecordBatch};
use crate::exchange::{BATCH_BYTES, BATCH_RECORDS};
use crate::state::varint::{Malformed, put_bytes, put_number, take_bytes, take_number};

/// A key follows.
const KEY: u8 = 1;
/// No value follows.
const NO_VALUE: u8 = 2;
/// Headers follow.
const HEADERS: u8 = 4;

/// Appends record `record` of `batch`.
pub(super) fn put_record(out: &mut Vec<u8>, batch: &RecordBatch, record: usize) {
    let (key, value, headers) = (batch.key(record), batch.value(record), batch.headers_of(record).count());
    out.push(u8::from(key.is_some()) * KEY + u8::from(value.is_none()) * NO_VALUE + u8::from(headers > 0) * HEADERS);
    [key, value].into_iter().flatten().for_each(|bytes| put_bytes(out, bytes));
    out.extend_from_slice(&batch.timestamps()[record].to_le_bytes());
    if headers > 0 {
        put_number(out, headers as u64);
        for (name, value) in batch.headers_of(record) {
            put_bytes(out, name);
            put_bytes(out, value);
        }
    }
}

/// Takes a record off the front of `rest`. An error says what is wrong with it.
pub(super) fn take_record(rest: &mut &[u8], builder: &mut BatchBuilder) -> Result<(), String> {
    let parts = take_byte(rest)?;
    if parts & !(KEY | NO_VALUE | HEADERS) != 0 {
        return Err(format!("a record begins with {parts}"));
    }
    let key = if parts & KEY != 0 { Some(take_bytes(rest).map_err(early)?) } else { None };
    let value = if parts & NO_VALUE != 0 { None } else { Some(take_bytes(rest).map_err(early)?) };
    let timestamp = Some(take_i64(rest)?);
    match value {
        Some(value) => builder.push(key, value, timestamp),
        None => builder.push_valueless(key, timestamp),
    }
    if parts & HEADERS != 0 {
        for _ in 0..take_number(rest).map_err(early)? {
            let (name, value) = (take_bytes(rest).map_err(early)?, take_bytes(rest).map_err(early)?);
            builder.push_header(name, value);
        }
    }
    Ok(())
}

/// Reads a count and as many records, behind which nothing is left, into batches as channels carry them. An error says what is wrong with them.
pub(super) fn read_records(payload: &[u8]) -> Result<Vec<RecordBatch>, String> {
    let mut rest = payload;
    let records = take_number(&mut rest).map_err(early)?;
    let (mut batches, mut builder) = (Vec::new(), BatchBuilder::new());
    for _ in 0..records {
        take_record(&mut rest, &mut builder)?;
        if builder.len() >= BATCH_RECORDS || builder.byte_len() >= BATCH_BYTES {
            batches.push(builder.take());
        }
    }
    if !rest.is_empty() {
        return Err(format!("{} bytes are left behind its last record", rest.len()));
    }
    if !builder.is_empty() {
        batches.push(builder.take());
    }
    Ok(batches)
}

/// Takes a byte off the front of `rest`.
pub(super) fn take_byte(rest: &mut &[u8]) -> Result<u8, String> {
    let (&byte, behind) = rest.split_first().ok_or("a record ends early")?;
    *rest = behind;
    Ok(byte)
}

/// Takes 8 bytes, little-endian, off the front of `rest`.
pub(super) fn take_i64(rest: &mut &[u8]) -> Result<i64, String> {
    let (number, behind) = rest.split_first_chunk().ok_or("a record ends early")?;
    *rest = behind;
    Ok(i64::from_le_bytes(*number))
}

/// What is wrong where bytes or a number cannot be taken.
pub(super) fn early(_: Malformed) -> String {
    "a record ends early".to_owned()
}
