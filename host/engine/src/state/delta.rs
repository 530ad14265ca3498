//! The form in which the changes of one key group are stored: part of the format of checkpoints.
//!
//! ```text
//! delta = number-of-removed *bytes block      ; removed keys, strictly ascending, then the keys that changed
//! ```
//!
//! Numbers and `bytes` are those of a block (`block.rs`). Removals come first: a key that is removed and in the block has been removed and has
//! come again, or has moved; it ends up with what the block says. A key of the block has all its states there and loses all that it had
//! before. A removed key may be one that was never stored, where it came and went between two checkpoints. A delta without any change is
//! not written, and refused.

use super::block::BlockReader;
use super::entry::Key;
use super::varint::{put_bytes, put_number, take_bytes, take_number};
use crate::error::{EngineError, ErrorKind};

/// Appends what stands in front of a delta's block. `removed` in any order; repeated keys are written once.
pub(super) fn write_removed<'a>(out: &mut Vec<u8>, removed: impl Iterator<Item = &'a Key>) {
    write_removed_keys(out, removed.map(Key::as_slice).collect());
}

/// The same of keys as bytes.
pub(super) fn write_removed_keys(out: &mut Vec<u8>, mut removed: Vec<&[u8]>) {
    removed.sort_unstable();
    removed.dedup();
    put_number(out, removed.len() as u64);
    removed.into_iter().for_each(|key| put_bytes(out, key));
}

/// A delta whose removed keys have been read.
pub(super) struct Delta<'a> {
    /// Keys to remove, ascending.
    pub removed: Vec<&'a [u8]>,
    /// Keys to put.
    pub block: BlockReader<'a>,
}

impl<'a> Delta<'a> {
    /// Reads the removed keys and the block's header.
    pub fn open(delta: &'a [u8]) -> Result<Self, EngineError> {
        let (removed, rest) = Self::parts(delta)?;
        let block = BlockReader::open(rest)?;
        if removed.is_empty() && block.is_empty() {
            return Err(corrupt(delta, rest, "it changes nothing"));
        }
        Ok(Self { removed, block })
    }

    /// The removed keys, and the block behind them.
    pub fn parts(delta: &'a [u8]) -> Result<(Vec<&'a [u8]>, &'a [u8]), EngineError> {
        let mut rest = delta;
        let removed = take_removed(&mut rest).map_err(|what| corrupt(delta, rest, &what))?;
        Ok((removed, rest))
    }
}

fn take_removed<'a>(rest: &mut &'a [u8]) -> Result<Vec<&'a [u8]>, String> {
    let count = take_number(rest).map_err(|malformed| malformed.says("the number of removed keys"))?;
    let mut removed: Vec<&[u8]> = Vec::new();
    for _ in 0..count {
        let key = take_bytes(rest).map_err(|malformed| malformed.says("a removed key"))?;
        if removed.last().is_some_and(|&before| before >= key) {
            return Err("the removed keys do not ascend".into());
        }
        removed.push(key);
    }
    Ok(removed)
}

fn corrupt(delta: &[u8], rest: &[u8], what: &str) -> EngineError {
    let message = format!("state delta of {} bytes is damaged at byte {}: {what}", delta.len(), delta.len() - rest.len());
    EngineError::new(ErrorKind::Corrupt, message)
}
