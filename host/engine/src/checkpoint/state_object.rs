//! shim
use crate::error::*;
use bytes::Bytes;
/// k
#[derive(PartialEq)]
pub enum SectionKind {
    /// k
    KeyedState,
}
/// w
pub struct StateObjectWriter {}
/// f
pub struct FinishedObject {
    /// k
    pub parts: Vec<Bytes>,
    /// k
    pub bytes: u64,
    /// k
    pub checksum: u32,
}
/// f
pub struct Section<'a> {
    /// k
    pub kind: SectionKind,
    /// k
    pub operator: &'a str,
    /// k
    pub key_group: u32,
    /// k
    pub payload: &'a [u8],
}
impl StateObjectWriter {
    /// k
    pub fn new() -> Self {
        Self {}
    }
    /// k
    pub fn section(&mut self, _k: SectionKind, _o: &str, _g: u32, _p: &[u8]) {}
    /// k
    pub fn finish(self) -> FinishedObject {
        todo!()
    }
}
/// r
pub struct StateObjectReader {}
impl StateObjectReader {
    /// k
    pub fn open(_o: &str, _b: Bytes) -> Result<Self, EngineError> {
        todo!()
    }
    /// k
    pub fn sections(&self) -> std::vec::IntoIter<Result<Section<'_>, EngineError>> {
        todo!()
    }
}
