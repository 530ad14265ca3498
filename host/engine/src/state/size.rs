//! How many bytes state counts as: about what it takes in memory, and the same for the same contents in every backend.
//!
//! Contents decide, and not what was done to come to them: a restored state counts as much as the one that was captured. What is small still
//! costs its entry, so that a plugin cannot fill the memory with state of no bytes.

/// What a key counts as besides its own bytes and its states.
pub(crate) const KEY_OVERHEAD: u64 = 64;
/// What an item of a list counts as besides its bytes.
pub(crate) const ITEM_OVERHEAD: u64 = 4;
/// What an entry of a map counts as besides its bytes and those of its value.
pub const ENTRY_OVERHEAD: u64 = 64;

/// A key, without its states.
#[inline]
pub fn key_bytes(key: &[u8]) -> u64 {
    key.len() as u64 + KEY_OVERHEAD
}

/// An item of a list.
#[inline]
pub fn item_bytes(item: &[u8]) -> u64 {
    item.len() as u64 + ITEM_OVERHEAD
}

/// An entry of a map or of a broadcast state.
#[inline]
pub fn entry_bytes(entry: &[u8], value: &[u8]) -> u64 {
    (entry.len() + value.len()) as u64 + ENTRY_OVERHEAD
}
