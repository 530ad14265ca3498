//! State as of one moment: shared chunks, written out as blocks or deltas while the tables go on.

use super::block::{write_header, write_key};
use super::chunk::{CHUNK_ENTRIES, Slab};
use super::delta::write_removed;
use super::entry::{Entry, Found, Key};
use super::layout::Layout;
use super::snapshot::BlockSnapshot;
use super::varint::{put_bytes, put_number};
use crate::error::EngineError;
use std::sync::{Arc, Mutex, PoisonError};

/// Entries of one chunk.
pub(super) struct CapturedChunk {
    /// The chunk's place in its table.
    pub number: usize,
    /// A bit for each entry that is to be written; those of holes mean nothing.
    pub entries: u64,
    pub slab: Arc<Slab>,
}

impl CapturedChunk {
    /// The entries to be written with their numbers in the table, holes among them.
    fn wanted(&self) -> impl Iterator<Item = (usize, &Entry)> {
        let wanted = self.slab.entries().iter().enumerate().filter(|(at, _)| self.entries >> at & 1 == 1);
        wanted.map(|(at, entry)| (self.number * CHUNK_ENTRIES + at, entry))
    }
}

/// The entries of one key group that has keys, or in which something has changed.
pub(super) struct GroupSnapshot {
    pub key_group: u32,
    /// Number of keys of the whole group.
    pub keys: usize,
    pub chunks: Vec<CapturedChunk>,
    /// Keys that are gone since the base; `None`: there is no base, and `chunks` are all that there are.
    pub removed: Option<Vec<Arc<Vec<Key>>>>,
    pub sizes: StoredSizes,
}

/// The bytes of each entry of a table as they were last written, which tell the size of the whole when only a part is written.
#[derive(Clone, Default)]
pub(super) struct StoredSizes(Arc<Mutex<Sizes>>);

#[derive(Default)]
struct Sizes {
    of_entry: Vec<u32>,
    total: u64,
}

impl Sizes {
    fn set(&mut self, entry: usize, bytes: usize) {
        if entry >= self.of_entry.len() {
            self.of_entry.resize(entry + 1, 0);
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut self.of_entry[entry], bytes);
        self.total = self.total + u64::from(bytes) - u64::from(before);
    }
}

/// Lets each group's entries go once they are written, so that later writes to them need no copy. Writes everything once.
pub(super) struct MemorySnapshot {
    layout: Arc<Layout>,
    keys: u64,
    groups: Vec<GroupSnapshot>,
}

impl MemorySnapshot {
    /// `groups` in ascending order.
    pub fn new(layout: Arc<Layout>, groups: Vec<GroupSnapshot>) -> Self {
        Self { layout, keys: groups.iter().map(|group| group.keys as u64).sum(), groups }
    }

    /// Writes the group's block or delta. False where there is nothing to write.
    fn write_group(&self, group: &GroupSnapshot, out: &mut Vec<u8>) -> bool {
        let wanted = || group.chunks.iter().flat_map(CapturedChunk::wanted);
        let keys = wanted().filter(|(_, entry)| !entry.is_hole()).count();
        match &group.removed {
            None => assert_eq!(keys, group.keys, "key group {} was captured with another number of keys", group.key_group),
            Some(removed) => write_removed(out, removed.iter().flat_map(|removed| removed.iter())),
        }
        write_header(out, self.layout.states(), keys);
        let mut sizes = group.sizes.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, entry) in wanted() {
            let before = out.len();
            if !entry.is_hole() {
                self.write_entry(entry, out);
            }
            sizes.set(number, out.len() - before);
        }
        keys > 0 || group.removed.as_ref().is_some_and(|removed| !removed.is_empty())
    }

    /// Bytes of the block of the whole group.
    fn whole_bytes(&self, group: &GroupSnapshot) -> u64 {
        if group.keys == 0 {
            return 0;
        }
        let mut header = Vec::new();
        write_header(&mut header, self.layout.states(), group.keys);
        header.len() as u64 + group.sizes.0.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    fn write_entry(&self, entry: &Entry, out: &mut Vec<u8>) {
        let states = 0..self.layout.states().len();
        let present = |state: usize| entry.find(self.layout.place_of_any(state)).map(|found| (state, found));
        write_key(out, entry.key.as_slice(), states.clone().filter_map(present).count());
        for (state, found) in states.filter_map(present) {
            put_number(out, state as u64);
            match found {
                Found::Value(value) => put_bytes(out, value),
                Found::List(list) => list.write(out),
                Found::Map(map) => map.write(out),
            }
        }
    }
}

impl BlockSnapshot for MemorySnapshot {
    fn keys(&self) -> u64 {
        self.keys
    }

    fn write(&mut self, write: &mut dyn FnMut(u32, &[u8])) -> Result<u64, EngineError> {
        let mut bytes = 0;
        let mut out = Vec::new();
        for group in std::mem::take(&mut self.groups) {
            out.clear();
            if self.write_group(&group, &mut out) {
                write(group.key_group, &out);
            }
            bytes += self.whole_bytes(&group);
        }
        Ok(bytes)
    }
}
