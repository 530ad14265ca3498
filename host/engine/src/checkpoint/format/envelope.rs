//! JSON objects of the storage: one line with magic, format version, checksum, body.
//!
//! `{"magic":"weir-log","format":1,"checksum":"1a2b3c4d","body":{…}}`: the checksum is CRC-32C over the body's text. Sealing what was
//! opened gives the same bytes again, and opening insists on it: a flipped bit anywhere is an error. Each magic counts its own formats.

use crate::error::{EngineError, ErrorKind};
use crate::shown_text::printable;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The format of every object that has known only one.
const FORMAT: u32 = 1;
/// Bytes of what an error says of an object.
const SAID_BYTES: usize = 500;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    magic: &'a str,
    format: u32,
    checksum: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// What is in an object, before it is read.
pub struct Opened<'a> {
    object: &'a str,
    /// The format that it is written in.
    pub format: u32,
    body: &'a RawValue,
}

impl Opened<'_> {
    /// Its body, as this format has it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, EngineError> {
        serde_json::from_str(self.body.get()).map_err(|error| corrupt(self.object, error))
    }
}

/// `body` as an object of this magic, in its only format.
pub fn seal(magic: &str, body: &impl Serialize) -> Bytes {
    seal_as(magic, FORMAT, body)
}

/// `body` as an object of this magic, in one of its formats.
pub(crate) fn seal_as(magic: &str, format: u32, body: &impl Serialize) -> Bytes {
    let body = serde_json::value::to_raw_value(body).expect("the storage's own types are JSON");
    let checksum = format!("{:08x}", crc32c::crc32c(body.get().as_bytes()));
    line(&Envelope { magic, format, checksum: &checksum, body: &body }).into()
}

/// The body of `object`, whose bytes are `bytes`, in its only format.
pub fn open<T: DeserializeOwned>(object: &str, magic: &str, bytes: &[u8]) -> Result<T, EngineError> {
    open_up_to(object, magic, FORMAT, bytes)?.read()
}

/// `object`, whose bytes are `bytes`, in any format up to `newest`.
pub(crate) fn open_up_to<'a>(object: &'a str, magic: &str, newest: u32, bytes: &'a [u8]) -> Result<Opened<'a>, EngineError> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| corrupt(object, format!("not an object of weir: {error}")))?;
    let Envelope { magic: found, format, checksum, body } = envelope;
    if found != magic {
        return Err(corrupt(object, format!("it is a `{found}`, not a `{magic}`")));
    }
    if !(1..=newest).contains(&format) {
        let known = if newest == 1 { "format 1".to_owned() } else { format!("formats 1 to {newest}") };
        let error = corrupt(object, format!("format {format} is not known here; this weir reads {known}"));
        return Err(error.with_hint("run it with the weir that wrote it, or a newer one"));
    }
    let computed = format!("{:08x}", crc32c::crc32c(body.get().as_bytes()));
    if computed != checksum {
        return Err(corrupt(object, format!("wrong checksum: {computed}, it says {checksum}")));
    }
    if line(&envelope) != bytes {
        return Err(corrupt(object, "it was changed outside its body"));
    }
    Ok(Opened { object, format, body })
}

fn line(envelope: &Envelope) -> Vec<u8> {
    let mut line = serde_json::to_vec(envelope).expect("an envelope is JSON");
    line.push(b'\n');
    line
}

/// What a reader of JSON says of an object may quote it, and whoever wrote it may have written anything.
/// The error of an object that is not what it should be.
pub(super) fn corrupt(object: &str, what: impl std::fmt::Display) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, format!("read {object}: {}", printable(&what.to_string(), SAID_BYTES)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_quotes_of_an_object_is_fit_to_be_shown() {
        #[derive(Debug, Deserialize)]
        enum Known {}
        let sealed = seal("weir-test", &"eva\u{1b}[31m\u{202e}");
        let error = open::<Known>("o", "weir-test", &sealed).expect_err("unknown").to_string();
        assert!(error.contains("eva\\u{1b}[31m\\u{202e}"), "{error}");
        assert!(open::<Known>("o", "weir-test", &seal("weir-test", &"x".repeat(10_000))).expect_err("unknown").to_string().len() < 600);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused_by_name() {
        let sealed = seal("weir-test", &serde_json::json!({"a": 1, "b": ["x", "y"]}));
        assert_eq!(open::<serde_json::Value>("o", "weir-test", &sealed).unwrap()["a"], 1);
        for byte in 0..sealed.len() {
            for bit in 0..8 {
                let mut flipped = sealed.to_vec();
                flipped[byte] ^= 1 << bit;
                let error = open::<serde_json::Value>("the-object", "weir-test", &flipped).expect_err("a flipped bit");
                assert!(error.to_string().contains("the-object") && error.kind() == ErrorKind::Corrupt, "{error}");
            }
            assert!(open::<serde_json::Value>("o", "weir-test", &sealed[..byte]).is_err(), "truncated at {byte}");
        }
    }
}
