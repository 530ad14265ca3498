//! What a guest reads in the middle of a call: the seam's other half, implemented by whoever holds the state.

use std::any::Any;
use weir_engine::{Column, EngineError};

/// State that is too large to travel with a call, as of the call's start. It is lent for the time of the call and given back with the answer, so
/// that it may own what it reads from.
///
/// Whatever the guest asks for has been checked: `state` is a declared state of the right kind, `key` is smaller than the number of the call's keys,
/// `max_bytes` is bounded. An error fails the operator and never blames the guest or a record.
pub trait CollectionReads: Any + Send {
    /// Number of items of a key's list.
    fn list_len(&mut self, key: usize, state: usize) -> Result<u64, EngineError>;

    /// Appends the items of a key's list from position `start` on to `items`, one at least where there is one, until they pass `max_bytes`. The
    /// position that follows; `None` at the end.
    fn list_read(&mut self, key: usize, state: usize, start: u64, max_bytes: usize, items: &mut Column)
    -> Result<Option<u64>, EngineError>;

    /// Appends the value of an entry of a key's map to `values`. False where there is no such entry.
    fn map_get(&mut self, key: usize, state: usize, entry: &[u8], values: &mut Column) -> Result<bool, EngineError>;

    /// Appends the entries of a key's map from `from` on, in byte order, one at least where there is one, until they pass its bytes. The entry that
    /// follows; `None` at the end.
    fn map_scan(&mut self, key: usize, state: usize, from: ScanFrom<'_>, page: &mut ScanPage) -> Result<Option<Vec<u8>>, EngineError>;

    /// As [`Self::map_get`], of a broadcast state.
    fn broadcast_get(&mut self, state: usize, entry: &[u8], values: &mut Column) -> Result<bool, EngineError>;

    /// As [`Self::map_scan`], of a broadcast state.
    fn broadcast_scan(&mut self, state: usize, from: ScanFrom<'_>, page: &mut ScanPage) -> Result<Option<Vec<u8>>, EngineError>;
}

/// Where a scan begins, and how far it goes.
#[derive(Clone, Copy, Debug)]
pub struct ScanFrom<'a> {
    /// The first entry; `None`: the first there is.
    pub start: Option<&'a [u8]>,
    /// Bytes of entries and values after which the page ends.
    pub max_bytes: usize,
}

/// Entries of a map and their values.
#[derive(Clone, Debug, Default)]
pub struct ScanPage {
    /// In byte order.
    pub entries: Column,
    /// One for each entry.
    pub values: Column,
}
