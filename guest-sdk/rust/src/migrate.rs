//! One value of an older version of a state, as [`Operator::migrate`](crate::Operator::migrate) gets it.

use crate::cbor;
use crate::error::{Error, Result};
use crate::state::{Codec, Raw, RawState};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One encoded value of an older version of a state.
#[derive(Clone, Copy, Debug)]
pub struct OldValue<'a> {
    pub(crate) operator: &'static str,
    pub(crate) state: &'a str,
    pub(crate) from_version: u32,
    pub(crate) bytes: &'a [u8],
}

impl<'a> OldValue<'a> {
    /// The value as it was stored.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value, of a state that was kept as CBOR: as a serde type of the old shape.
    pub fn decode<Old: DeserializeOwned>(&self) -> Result<Old> {
        cbor::decode(self.bytes).map_err(|error| self.failed("decode", error.into()))
    }

    /// The new value, of a state that was kept as CBOR and is. `Old` has the fields that the type had then.
    pub fn map<Old: DeserializeOwned, New: Serialize>(&self, change: impl FnOnce(Old) -> New) -> Result<Vec<u8>> {
        cbor::to_vec(&change(self.decode()?)).map_err(|error| self.failed("encode", error.into()))
    }

    /// The same of a state whose bytes were the author's own, and are.
    pub fn map_raw<Old: RawState, New: RawState>(&self, change: impl FnOnce(Old) -> New) -> Result<Vec<u8>> {
        self.recode::<Raw, Raw, Old, New>(change)
    }

    /// The same where the encoding changes, too: `value.recode::<Raw, Cbor, _, _>(|old: TotalsV1| Totals { … })`.
    pub fn recode<From: Codec<Old>, To: Codec<New>, Old, New>(&self, change: impl FnOnce(Old) -> New) -> Result<Vec<u8>> {
        let old = From::decode(self.bytes).map_err(|error| self.failed("decode", error))?;
        let mut bytes = Vec::new();
        To::encode(&change(old), &mut bytes).map_err(|error| self.failed("encode", error))?;
        Ok(bytes)
    }

    /// The error for a state or version that the operator has no way from. It fails the job, which keeps its checkpoint.
    pub fn unknown(&self) -> Result<Vec<u8>> {
        let Self { operator, state, from_version, .. } = self;
        Err(Error::new(format_args!("{operator} cannot migrate state `{state}` from version {from_version}")))
    }

    fn failed(&self, attempt: &str, error: Error) -> Error {
        error.during(format_args!("{attempt} state `{}` of version {}", self.state, self.from_version))
    }
}
