//! How a state's values become bytes: deterministic CBOR for any serde type, or bytes of the author's own where speed counts.

use super::{Schema, StateType};
use crate::cbor;
use crate::error::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};

/// An encoding of `T`.
pub trait Codec<T> {
    /// Describes the encoded type.
    fn describe(to: &mut Schema);
    /// What `bytes`, all of them, encode.
    fn decode(bytes: &[u8]) -> Result<T>;
    /// Appends the encoding of `value` to `out`.
    fn encode(value: &T, out: &mut Vec<u8>) -> Result<()>;
}

/// Deterministic CBOR: the encoding that every language reads.
#[derive(Clone, Copy, Debug)]
pub enum Cbor {}

impl<T: Serialize + DeserializeOwned + StateType> Codec<T> for Cbor {
    fn describe(to: &mut Schema) {
        to.nested::<T>();
    }

    fn decode(bytes: &[u8]) -> Result<T> {
        Ok(cbor::decode(bytes)?)
    }

    fn encode(value: &T, out: &mut Vec<u8>) -> Result<()> {
        Ok(cbor::encode(value, out)?)
    }
}

/// The bytes of a [`RawState`].
#[derive(Clone, Copy, Debug)]
pub enum Raw {}

impl<T: RawState> Codec<T> for Raw {
    fn describe(to: &mut Schema) {
        to.scalar("raw");
    }

    #[inline]
    fn decode(bytes: &[u8]) -> Result<T> {
        match T::decode(bytes) {
            Some(value) => Ok(value),
            None => Err(Error::new(format_args!("{} bytes are no {}", bytes.len(), std::any::type_name::<T>()))),
        }
    }

    #[inline]
    fn encode(value: &T, out: &mut Vec<u8>) -> Result<()> {
        value.encode(out);
        Ok(())
    }
}

/// A type with bytes of its own. The same value must always have the same bytes.
pub trait RawState: Sized {
    /// What `bytes`, all of them, stand for; `None` where they stand for nothing.
    fn decode(bytes: &[u8]) -> Option<Self>;
    /// Appends the bytes of this value to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

impl RawState for Vec<u8> {
    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> RawState for [u8; N] {
    #[inline]
    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// Eight bytes, little-endian.
impl RawState for u64 {
    #[inline]
    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
}

/// Eight bytes, little-endian.
impl RawState for i64 {
    #[inline]
    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
}
