//! The hash that a record carries with its key, from the first `key` edge on. Key groups are made of it (`element/key_group.rs`), so it is part of
//! the format of checkpoints.

use xxhash_rust::xxh3::xxh3_64;

/// XXH3-64 of a key's bytes, seed 0.
#[inline]
pub fn key_hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}
