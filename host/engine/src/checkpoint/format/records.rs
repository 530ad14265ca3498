//! A record as it is stored, wherever records are: in flight, or in a recording.
//!
//! ```text
//! record = 0 bytes timestamp                  ; value; there is no key
//!        | 1 bytes bytes timestamp            ; key and value
//! bytes  = length, and as many bytes
//! ```
//!
//! A length is LEB128, a timestamp is 8 bytes, little-endian.

use crate::element::{BatchBuilder, RecordBatch};
use crate::state::varint::{Malformed, put_bytes, take_bytes};

/// Appends record `record` of `batch`.
pub(super) fn put_record(out: &mut Vec<u8>, batch: &RecordBatch, record: usize) {
    match batch.key(record) {
        None => out.push(0),
        Some(key) => {
            out.push(1);
            put_bytes(out, key);
        }
    }
    put_bytes(out, batch.values().get(record));
    out.extend_from_slice(&batch.timestamps()[record].to_le_bytes());
}

/// Takes a record off the front of `rest`. An error says what is wrong with it.
pub(super) fn take_record(rest: &mut &[u8], builder: &mut BatchBuilder) -> Result<(), String> {
    let key = match take_byte(rest)? {
        0 => None,
        1 => Some(take_bytes(rest).map_err(early)?),
        other => return Err(format!("a record begins with {other}")),
    };
    let value = take_bytes(rest).map_err(early)?;
    builder.push(key, value, Some(take_i64(rest)?));
    Ok(())
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
