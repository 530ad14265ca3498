//! JSON objects of the storage: one line with magic, format version, checksum, body.
//!
//! `{"magic":"weir-log","format":1,"checksum":"1a2b3c4d","body":{…}}`: the checksum is CRC-32C over the body's text. Sealing what was
//! opened gives the same bytes again, and opening insists on it: a flipped bit anywhere is an error.

use crate::error::{EngineError, ErrorKind};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    magic: &'a str,
    format: u32,
    checksum: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// `body` as an object of this magic.
pub fn seal(magic: &str, body: &impl Serialize) -> Bytes {
    let body = serde_json::value::to_raw_value(body).expect("the storage's own types are JSON");
    let checksum = format!("{:08x}", crc32c::crc32c(body.get().as_bytes()));
    let envelope = Envelope { magic, format: FORMAT, checksum: &checksum, body: &body };
    let mut line = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    line.push(b'\n');
    line.into()
}

/// The body of `object`, whose bytes are `bytes`.
pub fn open<T: DeserializeOwned>(object: &str, magic: &str, bytes: &[u8]) -> Result<T, EngineError> {
    let corrupt = |what: String| EngineError::new(ErrorKind::Corrupt, format!("read {object}: {what}"));
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| corrupt(format!("not an object of weir: {error}")))?;
    if envelope.magic != magic {
        return Err(corrupt(format!("it is a `{}`, not a `{magic}`", envelope.magic)));
    }
    if envelope.format != FORMAT {
        return Err(corrupt(format!("format {} is not known here; this weir reads format {FORMAT}", envelope.format)));
    }
    let checksum = format!("{:08x}", crc32c::crc32c(envelope.body.get().as_bytes()));
    if checksum != envelope.checksum {
        return Err(corrupt(format!("wrong checksum: {checksum}, it says {}", envelope.checksum)));
    }
    let mut canonical = serde_json::to_vec(&envelope).expect("an envelope is JSON");
    canonical.push(b'\n');
    if canonical != bytes {
        return Err(corrupt("it was changed outside its body".into()));
    }
    serde_json::from_str(envelope.body.get()).map_err(|error| corrupt(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
