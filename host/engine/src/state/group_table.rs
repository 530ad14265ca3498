//! The keys of one key group: an index from hash to entry number, over entries in chunks.
//!
//! Entries are numbered in the order in which keys came; a removed key leaves a hole for a later one. The order of a snapshot is
//! that of the numbers, so it depends on what was done to the table and on nothing else.

use super::KeySlot;
use super::chunk::{CHUNK_ENTRIES, Chunk, Slab};
use super::entry::{Entry, Key};
use super::index::Index;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct GroupTable {
    index: Index,
    chunks: Vec<Chunk>,
    /// Entries that were used and are holes now.
    free: Vec<u32>,
    /// Entries from here on were never used.
    unused: u32,
}

impl GroupTable {
    /// Number of keys.
    #[inline]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Starts reading what [`GroupTable::candidate`] will read. What it returns means nothing.
    #[inline]
    pub fn touch_index(&self, hash: u32) -> u32 {
        self.index.touch(hash)
    }

    /// Starts reading an entry. What it returns means nothing.
    #[inline]
    pub fn touch_entry(&self, entry: u32) -> u32 {
        let at = entry as usize;
        self.chunks.get(at / CHUNK_ENTRIES).and_then(|chunk| chunk.entries().get(at % CHUNK_ENTRIES)).map_or(0, Entry::touch)
    }

    /// An entry whose key has this hash, and likely the one that is looked for; reads the index alone.
    #[inline]
    pub fn candidate(&self, hash: u32) -> u32 {
        self.index.find(hash, |_| true).unwrap_or(KeySlot::ABSENT)
    }

    /// The entry of `key`, which may be none though another key has the same hash.
    pub fn find(&self, hash: u32, key: &[u8]) -> u32 {
        self.index.find(hash, |entry| self.entry(entry).key.is(key)).unwrap_or(KeySlot::ABSENT)
    }

    /// An entry by its number.
    #[inline]
    pub fn entry(&self, entry: u32) -> &Entry {
        let at = entry as usize;
        &self.chunks[at / CHUNK_ENTRIES].entries()[at % CHUNK_ENTRIES]
    }

    /// An entry to write to; its chunk is copied where a snapshot holds it.
    #[inline]
    pub fn entry_mut(&mut self, entry: u32) -> &mut Entry {
        let at = entry as usize;
        &mut self.chunks[at / CHUNK_ENTRIES].entries_mut()[at % CHUNK_ENTRIES]
    }

    /// Makes an entry for a key that has none; the caller gives it its first state.
    pub fn insert(&mut self, hash: u32, key: &[u8]) -> u32 {
        debug_assert_eq!(self.find(hash, key), KeySlot::ABSENT, "key {key:?} has an entry already");
        let entry = self.free.pop().unwrap_or_else(|| self.next_unused());
        self.index.insert(hash, entry);
        self.entry_mut(entry).key = Key::new(key);
        entry
    }

    /// Takes out an entry that has no state left.
    pub fn remove(&mut self, hash: u32, entry: u32) {
        debug_assert!(self.entry(entry).is_hole(), "entry {entry} still has state");
        self.index.remove(hash, entry);
        *self.entry_mut(entry) = Entry::default();
        self.free.push(entry);
    }

    /// Makes room for `keys` more keys in the index.
    pub fn reserve(&mut self, keys: usize) {
        self.index.reserve(keys);
    }

    /// Shares all entries with a snapshot.
    pub fn share(&mut self) -> Vec<Arc<Slab>> {
        self.chunks.iter_mut().map(Chunk::share).collect()
    }

    fn next_unused(&mut self) -> u32 {
        let entry = self.unused;
        assert!(entry < KeySlot::ABSENT, "a key group is full: it holds {entry} keys");
        let (chunk, at) = (entry as usize / CHUNK_ENTRIES, entry as usize % CHUNK_ENTRIES);
        match self.chunks.get_mut(chunk) {
            None => self.chunks.push(if chunk == 0 { Chunk::first() } else { Chunk::full() }),
            Some(last) if at == last.entries().len() => last.grow(),
            Some(_) => {}
        }
        self.unused += 1;
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::layout::Place;

    fn put(table: &mut GroupTable, hash: u32, key: &[u8]) -> u32 {
        let entry = table.insert(hash, key);
        table.entry_mut(entry).set_value(Place::InEntry, 0, key);
        entry
    }

    #[test]
    fn keys_of_the_same_hash_are_told_apart() {
        let mut table = GroupTable::default();
        let entries: Vec<u32> = (0..200_u8).map(|key| put(&mut table, 7, &[key])).collect();
        for key in 0..200_u8 {
            assert_eq!(table.find(7, &[key]), entries[usize::from(key)]);
        }
        assert_eq!(table.find(7, b"another"), KeySlot::ABSENT);
        assert_ne!(table.candidate(7), KeySlot::ABSENT);
        assert_eq!(table.candidate(8), KeySlot::ABSENT);
    }

    #[test]
    fn a_removed_key_leaves_room_for_another() {
        let mut table = GroupTable::default();
        for key in 0..100_u8 {
            put(&mut table, u32::from(key), &[key]);
        }
        for key in 0..100_u8 {
            let entry = table.find(u32::from(key), &[key]);
            table.entry_mut(entry).clear(Place::InEntry);
            table.remove(u32::from(key), entry);
            assert_eq!(put(&mut table, 1_000 + u32::from(key), &[key, key]), entry);
        }
        assert_eq!((table.len(), table.unused), (100, 100));
    }

    #[test]
    fn a_write_copies_its_chunk_only_while_a_snapshot_holds_it() {
        let mut table = GroupTable::default();
        for key in 0..200_u8 {
            put(&mut table, u32::from(key), &[key]);
        }
        let shared = table.share();
        table.entry_mut(70).set_value(Place::InEntry, 0, b"new");
        let same: Vec<bool> = shared.iter().zip(&table.chunks).map(|(a, b)| a.entries().as_ptr() == b.entries().as_ptr()).collect();
        assert_eq!(same, [true, false, true, true]);
        assert_eq!(shared[1].entries()[6].value(Place::InEntry), Some(&[70][..]));
        let before = table.chunks[0].entries().as_ptr();
        drop(shared);
        table.entry_mut(3).set_value(Place::InEntry, 0, b"new");
        assert_eq!(table.chunks[0].entries().as_ptr(), before);
    }
}
