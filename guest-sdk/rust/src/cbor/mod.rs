//! CBOR in its deterministic form (RFC 8949, section 4.2) for serde: the one encoding of typed state, in every language.
//!
//! One value has one encoding: shortest integers and lengths, definite lengths only, the shortest float that keeps the value
//! (every NaN is `f97e00`), map keys in the bytewise order of their encodings, no key twice, no tags. Decoding accepts that form and no
//! other, never panics and is bounded: nesting by [`MAX_DEPTH`], allocation by the bytes that are there.
//!
//! Serde's data model is laid out as `wit/schema.md` says: structs are maps from field name to value, an enum case without a value is
//! its name, one with a value a map of one entry, `None` and `()` are null. The well-kept CBOR crates for serde write maps in
//! the order in which they are given, or in the length-first order of older rules, so this is written here.

mod de;
mod float;
mod head;
mod map;
mod ser;
#[cfg(test)]
mod tests;

use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// How deep values may be nested: deep enough for any state, shallow enough for a guest's stack.
pub const MAX_DEPTH: usize = 64;

/// A value that cannot be encoded, or bytes that are not the deterministic encoding of the value asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CborError(pub(crate) String);

impl CborError {
    #[cold]
    fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CborError {}

impl serde::ser::Error for CborError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

impl serde::de::Error for CborError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }
}

/// Appends the encoding of `value` to `out`. After an error `out` may end in a part of it.
pub fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), CborError> {
    value.serialize(&mut ser::Encoder { out, depth: 0 })
}

/// The encoding of `value`.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CborError> {
    let mut out = Vec::new();
    encode(value, &mut out)?;
    Ok(out)
}

/// The value that `bytes`, all of them, encode.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CborError> {
    let mut decoder = de::Decoder::new(bytes);
    let value = T::deserialize(&mut decoder)?;
    decoder.finish()?;
    Ok(value)
}
