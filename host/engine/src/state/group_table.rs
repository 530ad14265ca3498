//! The keys of one key group: an index from hash to entry number, over entries in chunks.
//!
//! Entries are numbered in the order in which keys came; a removed key leaves a hole for a later one. The order of a snapshot is
//! that of the numbers, so it depends on what was done to the table and on nothing else.
//!
//! The table notes what a later snapshot has to write: entries that were written to (by chunk), and keys that are gone. Of these only such
//! as the last snapshot held are noted, so keys that come and go between two snapshots leave nothing behind.

use super::KeySlot;
use super::changes::Changes;
use super::chunk::{CHUNK_ENTRIES, Chunk};
use super::entry::{Entry, Key};
use super::index::Index;
use super::memory_snapshot::{CapturedChunk, StoredSizes};
use std::sync::Arc;

#[derive(Default)]
pub(super) struct GroupTable {
    index: Index,
    chunks: Vec<Chunk>,
    /// Entries that were used and are holes now.
    free: Vec<u32>,
    /// Entries from here on were never used.
    unused: u32,
    /// For each chunk a bit for each entry: its key has come since the last snapshot.
    fresh: Vec<u64>,
    /// Keys that the last snapshot held and that are gone since, each once.
    removed: Vec<Key>,
    /// Filled in by whoever writes the snapshots.
    sizes: StoredSizes,
}

/// Chunk and place in it of an entry.
#[inline]
fn place(entry: u32) -> (usize, usize) {
    (entry as usize / CHUNK_ENTRIES, entry as usize % CHUNK_ENTRIES)
}

impl GroupTable {
    /// Number of keys.
    #[inline]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Starts reading what [`GroupTable::candidate`] will read. What it returns means nothing.
    #[inline]
    pub(crate) fn touch_index(&self, hash: u32) -> u32 {
        self.index.touch(hash)
    }

    /// Starts reading an entry. What it returns means nothing.
    #[inline]
    pub(crate) fn touch_entry(&self, entry: u32) -> u32 {
        let (chunk, at) = place(entry);
        self.chunks.get(chunk).and_then(|chunk| chunk.entries().get(at)).map_or(0, Entry::touch)
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

    /// All entries, holes among them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.chunks.iter().flat_map(|chunk| chunk.entries())
    }

    /// An entry by its number, which may be a hole; `None`: there are not so many.
    pub fn entry_at(&self, entry: u32) -> Option<&Entry> {
        (entry < self.unused).then(|| self.entry(entry))
    }

    /// An entry by its number.
    #[inline]
    pub fn entry(&self, entry: u32) -> &Entry {
        let (chunk, at) = place(entry);
        &self.chunks[chunk].entries()[at]
    }

    /// An entry to write to; its chunk is copied where a snapshot holds it.
    #[inline]
    pub(crate) fn entry_mut(&mut self, entry: u32) -> &mut Entry {
        let (chunk, at) = place(entry);
        self.chunks[chunk].entry_mut(at)
    }

    /// Makes an entry for a key that has none; the caller gives it its first state.
    pub fn insert(&mut self, hash: u32, key: &[u8]) -> u32 {
        debug_assert_eq!(self.find(hash, key), KeySlot::ABSENT, "key {key:?} has an entry already");
        let entry = self.free.pop().unwrap_or_else(|| self.next_unused());
        self.index.insert(hash, entry);
        self.entry_mut(entry).key = Key::new(key);
        self.mark_fresh(entry);
        entry
    }

    /// Takes an entry out with what state it has.
    pub fn remove(&mut self, hash: u32, entry: u32) {
        self.index.remove(hash, entry);
        let gone = std::mem::take(self.entry_mut(entry));
        let (chunk, at) = place(entry);
        if self.is_fresh(entry) {
            self.fresh[chunk] &= !(1 << at);
        } else {
            self.removed.push(gone.key);
        }
        self.free.push(entry);
    }

    /// Drops all state of an entry, whose key counts as fresh from then on; the caller gives it state again.
    pub fn renew(&mut self, entry: u32) {
        self.entry_mut(entry).clear_all();
        self.mark_fresh(entry);
    }

    /// True where the entry's key has come, or was renewed, since the last [`GroupTable::take_changes`].
    pub(crate) fn is_fresh(&self, entry: u32) -> bool {
        let (chunk, at) = place(entry);
        self.fresh.get(chunk).is_some_and(|fresh| fresh >> at & 1 == 1)
    }

    fn mark_fresh(&mut self, entry: u32) {
        let (chunk, at) = place(entry);
        if self.fresh.len() <= chunk {
            self.fresh.resize(chunk + 1, 0);
        }
        self.fresh[chunk] |= 1 << at;
    }

    /// Makes room for `keys` more keys in the index.
    pub fn reserve(&mut self, keys: usize) {
        self.index.reserve(keys);
    }

    /// What has changed since the last call.
    pub(crate) fn take_changes(&mut self) -> Changes {
        self.fresh.fill(0);
        let removed = Arc::new(std::mem::take(&mut self.removed));
        Changes { changed: self.chunks.iter_mut().map(Chunk::take_changed).collect(), removed }
    }

    /// Entries that [`GroupTable::take_changes`] would give: a bit for each, by chunk.
    pub fn changed(&self) -> Vec<u64> {
        self.chunks.iter().map(Chunk::changed).collect()
    }

    /// Number of removed keys that [`GroupTable::take_changes`] would give.
    pub fn removed(&self) -> u64 {
        self.removed.len() as u64
    }

    /// Shares with a snapshot the chunks with entries that are `wanted`: a bit for each entry, by chunk; `None`: all.
    pub fn capture(&mut self, wanted: Option<&[u64]>) -> Vec<CapturedChunk> {
        let wanted_of = |number: usize| wanted.map_or(u64::MAX, |wanted| wanted.get(number).copied().unwrap_or(0));
        let chunks = self.chunks.iter_mut().enumerate().map(|(number, chunk)| (number, wanted_of(number), chunk));
        let wanted = chunks.filter(|(_, entries, _)| *entries != 0);
        wanted.map(|(number, entries, chunk)| CapturedChunk { number, entries, slab: chunk.share() }).collect()
    }

    /// Where the sizes of the entries are kept as they were last written.
    pub fn sizes(&self) -> StoredSizes {
        self.sizes.clone()
    }

    fn next_unused(&mut self) -> u32 {
        let entry = self.unused;
        assert!(entry < KeySlot::ABSENT, "a key group is full: it holds {entry} keys");
        let (chunk, at) = place(entry);
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
        let shared = table.capture(None);
        table.entry_mut(70).set_value(Place::InEntry, 0, b"new");
        let same: Vec<bool> = shared.iter().zip(&table.chunks).map(|(a, b)| a.slab.entries().as_ptr() == b.entries().as_ptr()).collect();
        assert_eq!(same, [true, false, true, true]);
        assert_eq!(shared[1].slab.entries()[6].value(Place::InEntry), Some(&[70][..]));
        let before = table.chunks[0].entries().as_ptr();
        drop(shared);
        table.entry_mut(3).set_value(Place::InEntry, 0, b"new");
        assert_eq!(table.chunks[0].entries().as_ptr(), before);
    }

    /// What has changed since the last call: entries, and removed keys.
    fn changes(table: &mut GroupTable) -> (Vec<u32>, Vec<Vec<u8>>) {
        let changes = table.take_changes();
        let changed = (0..table.unused).filter(|&entry| changes.changed[place(entry).0] >> place(entry).1 & 1 == 1);
        (changed.collect(), changes.removed.iter().map(|key| key.as_slice().to_vec()).collect())
    }

    #[test]
    fn changes_are_the_entries_written_to_and_the_keys_that_the_last_snapshot_held() {
        let mut table = GroupTable::default();
        (0..100_u8).for_each(|key| _ = put(&mut table, 7, &[key]));
        assert_eq!(changes(&mut table), ((0..100).collect(), vec![]));
        table.entry_mut(66).set_value(Place::InEntry, 0, b"new");
        table.remove(7, 3);
        // Another key takes its place, goes, and the first comes again and goes again.
        assert_eq!(put(&mut table, 8, b"other"), 3);
        table.remove(8, 3);
        assert_eq!(put(&mut table, 7, &[3]), 3);
        table.remove(7, 3);
        assert_eq!(changes(&mut table), (vec![3, 66], vec![vec![3]]));
        assert_eq!(changes(&mut table), (vec![], vec![]));
    }
}
