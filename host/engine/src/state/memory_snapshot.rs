//! State as of one moment: shared chunks, written out as blocks while the tables go on.

use super::backend::StateSnapshot;
use super::block::{write_header, write_key};
use super::chunk::Slab;
use super::entry::{Entry, Found};
use super::layout::Layout;
use super::varint::{put_bytes, put_number};
use std::sync::Arc;

/// The entries of one key group that has keys.
pub(super) struct GroupSnapshot {
    pub key_group: u32,
    pub keys: usize,
    pub slabs: Vec<Arc<Slab>>,
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

    fn write_group(&self, group: &GroupSnapshot, out: &mut Vec<u8>) {
        write_header(out, self.layout.states(), group.keys);
        let mut written = 0;
        for entry in group.slabs.iter().flat_map(|slab| slab.entries()).filter(|entry| !entry.is_hole()) {
            self.write_entry(entry, out);
            written += 1;
        }
        assert_eq!(written, group.keys, "key group {} was captured with another number of keys", group.key_group);
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

impl StateSnapshot for MemorySnapshot {
    fn keys(&self) -> u64 {
        self.keys
    }

    fn write_blocks(&mut self, write: &mut dyn FnMut(u32, &[u8])) {
        let mut block = Vec::new();
        for group in std::mem::take(&mut self.groups) {
            block.clear();
            self.write_group(&group, &mut block);
            write(group.key_group, &block);
        }
    }
}
