//! The default state backend: everything in memory, one table for each key group.
//!
//! A batch's keys are looked up in two passes, the indexes first and the entries second, so that the cache misses of different keys
//! overlap. A snapshot shares the entries chunk by chunk, and a chunk is copied when it is written to while a snapshot holds it.
//! The tables' hash is seeded and is not the one that routes keys: all keys of a group have the latter's remainder in common, and
//! whoever chooses keys can compute it.

use super::backend::{BackendPlace, KeySlot, SelectedKeys, StateBackend, StateBackendFactory, ValuesOfKeys};
use super::changes::{ChangeHistory, SinceBase};
use super::entry::Entry;
use super::group_table::GroupTable;
use super::layout::{Layout, Place};
use super::list_state::ListState;
use super::map_state::MapState;
use super::memory_snapshot::{GroupSnapshot, MemorySnapshot};
use super::size::{item_bytes, key_bytes};
use super::{KeyGroupRange, StateDescriptor, StateKind, StateSnapshot, key_group_of};
use crate::element::{CheckpointId, Column};
use crate::error::EngineError;
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// Makes backends that keep their state in memory.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBackendFactory {
    seed: u64,
    memory: Option<u64>,
}

impl MemoryBackendFactory {
    /// `seed` is that of the tables' hash. It shows in nothing but speed, and should not be known to whoever chooses the keys.
    pub fn new(seed: u64) -> Self {
        Self { seed, memory: None }
    }

    /// The same, with a bound on what a job's subtasks may keep together.
    pub fn with_memory(self, bytes: Option<u64>) -> Self {
        Self { memory: bytes, ..self }
    }

    /// An empty backend for `range` of `max_parallelism` groups.
    pub fn create(&self, states: &[StateDescriptor], range: KeyGroupRange, max_parallelism: u32) -> Box<dyn StateBackend> {
        assert!(range.end <= max_parallelism || range.is_empty(), "{range:?} runs past {max_parallelism} key groups");
        let tables = (range.start..range.end).map(|_| GroupTable::default()).collect();
        let hasher = FixedState::with_seed(self.seed);
        Box::new(MemoryBackend {
            layout: Arc::new(Layout::new(states)),
            range,
            max_parallelism,
            hasher,
            tables,
            history: ChangeHistory::default(),
            bytes: 0,
        })
    }
}

impl StateBackendFactory for MemoryBackendFactory {
    fn open(&self, place: &BackendPlace<'_>) -> Result<Box<dyn StateBackend>, EngineError> {
        Ok(self.create(place.states, place.range, place.max_parallelism))
    }

    fn memory(&self) -> Option<u64> {
        self.memory
    }
}

pub(super) struct MemoryBackend {
    pub(super) layout: Arc<Layout>,
    pub(super) range: KeyGroupRange,
    pub(super) max_parallelism: u32,
    hasher: FixedState,
    /// One for each group of `range`.
    pub(super) tables: Vec<GroupTable>,
    /// What has changed since which snapshot.
    history: ChangeHistory,
    /// What all keys with their states count as.
    pub(super) bytes: u64,
}

impl MemoryBackend {
    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        let hash = hasher.finish();
        (hash ^ hash >> 32) as u32
    }

    #[inline]
    pub(super) fn table(&self, group: u32) -> &GroupTable {
        &self.tables[(group - self.range.start) as usize]
    }

    #[inline]
    pub(super) fn table_mut(&mut self, group: u32) -> &mut GroupTable {
        &mut self.tables[(group - self.range.start) as usize]
    }

    /// Starts reading the slot's entry. What it returns means nothing.
    #[inline]
    pub(super) fn touch_entry(&self, slot: &KeySlot) -> u32 {
        self.table(slot.group).touch_entry(slot.entry)
    }

    #[inline]
    pub(super) fn entry(&self, slot: &KeySlot) -> Option<&Entry> {
        (slot.entry != KeySlot::ABSENT).then(|| self.table(slot.group).entry(slot.entry))
    }

    /// The key's entry, which is made where there is none. The caller gives it a state.
    #[inline(always)]
    pub(super) fn entry_mut(&mut self, slot: &mut KeySlot, key: &[u8]) -> &mut Entry {
        if slot.entry == KeySlot::ABSENT {
            self.bytes += key_bytes(key);
            slot.entry = self.table_mut(slot.group).insert(slot.hash, key);
        }
        self.table_mut(slot.group).entry_mut(slot.entry)
    }

    /// Changes a list that is there, and forgets it where no item is left.
    fn shorten(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, shorten: impl FnOnce(&mut ListState)) {
        let (cell, cells) = (self.cell(state, StateKind::List), self.layout.cells());
        let list = self.entry_mut(slot, key).list_mut(cell, cells);
        let before = list.bytes();
        shorten(list);
        let (after, is_empty) = (list.bytes(), list.len() == 0);
        self.bytes -= before - after;
        if is_empty {
            self.remove(slot, key, state);
        }
    }

    /// The list that a list state holds of a key.
    fn list(&self, slot: &KeySlot, state: usize) -> Option<&ListState> {
        let place = self.layout.place(state, StateKind::List);
        self.entry(slot)?.list(place)
    }

    /// The map that a map state holds of a key.
    fn map(&self, slot: &KeySlot, state: usize) -> Option<&MapState> {
        let place = self.layout.place(state, StateKind::Map);
        self.entry(slot)?.map(place)
    }

    /// The cell of a list or map state.
    fn cell(&self, state: usize, kind: StateKind) -> usize {
        match self.layout.place(state, kind) {
            Place::Cell(cell) => cell,
            Place::InEntry | Place::Marked(_) => unreachable!("only a value state is kept in the entry"),
        }
    }
}

impl StateBackend for MemoryBackend {
    fn lookup(&mut self, SelectedKeys { keys, hashes, time: _ }: SelectedKeys<'_>, slots: &mut Vec<KeySlot>) -> Result<(), EngineError> {
        assert_eq!(keys.len(), hashes.len(), "one hash for each key");
        slots.clear();
        slots.extend(keys.iter().zip(hashes).map(|(key, &routing_hash)| {
            let group = key_group_of(routing_hash, self.max_parallelism);
            KeySlot { group, entry: KeySlot::ABSENT, hash: self.hash(key) }
        }));
        self.find_entries(keys, slots);
        Ok(())
    }

    fn gather_values(
        &self,
        slots: &[KeySlot],
        state: usize,
        max_bytes: usize,
        present: &mut Vec<u32>,
        values: &mut Column,
    ) -> Result<(), EngineError> {
        self.gather(slots, state, max_bytes, present, values);
        Ok(())
    }

    fn value(&self, slot: &KeySlot, state: usize, out: &mut Column) -> Result<bool, EngineError> {
        let place = self.layout.place(state, StateKind::Value);
        Ok(self.entry(slot).and_then(|entry| entry.value(place)).map(|value| out.push(value)).is_some())
    }

    fn set_value(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, value: &[u8]) -> Result<(), EngineError> {
        let place = self.layout.place(state, StateKind::Value);
        let cells = self.layout.cells();
        let before = self.entry_mut(slot, key).set_value(place, cells, value);
        self.bytes = self.bytes + value.len() as u64 - before;
        Ok(())
    }

    fn set_values(&mut self, slots: &mut [KeySlot], keys: &Column, state: usize, set: ValuesOfKeys<'_>) -> Result<(), EngineError> {
        self.set_together(slots, keys, state, set);
        Ok(())
    }

    fn list_len(&self, slot: &KeySlot, state: usize) -> Result<u64, EngineError> {
        Ok(self.list(slot, state).map_or(0, ListState::len))
    }

    fn list_read(&self, slot: &KeySlot, state: usize, start: u64, max_bytes: usize, out: &mut Column) -> Result<Option<u64>, EngineError> {
        Ok(self.list(slot, state).and_then(|list| list.read(start, max_bytes, out)))
    }

    fn list_append(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, item: &[u8]) -> Result<(), EngineError> {
        let (cell, cells) = (self.cell(state, StateKind::List), self.layout.cells());
        self.entry_mut(slot, key).list_mut(cell, cells).append(item);
        self.bytes += item_bytes(item);
        Ok(())
    }

    fn list_pop_front(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, count: u64) -> Result<(), EngineError> {
        if count > 0 && self.list(slot, state).is_some() {
            self.shorten(slot, key, state, |list| list.pop_front(count));
        }
        Ok(())
    }

    fn list_truncate(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, len: u64) -> Result<(), EngineError> {
        if self.list(slot, state).is_some_and(|list| len < list.len()) {
            self.shorten(slot, key, state, |list| list.truncate(len));
        }
        Ok(())
    }

    fn map_get(&self, slot: &KeySlot, state: usize, entry: &[u8], out: &mut Column) -> Result<bool, EngineError> {
        Ok(self.map(slot, state).and_then(|map| map.get(entry)).map(|value| out.push(value)).is_some())
    }

    fn map_scan(
        &self,
        slot: &KeySlot,
        state: usize,
        start: Option<&[u8]>,
        max_bytes: usize,
        entries: &mut Column,
        values: &mut Column,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.map(slot, state).and_then(|map| map.scan(start, max_bytes, entries, values)))
    }

    fn map_put(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8], value: &[u8]) -> Result<(), EngineError> {
        let (cell, cells) = (self.cell(state, StateKind::Map), self.layout.cells());
        let map = self.entry_mut(slot, key).map_mut(cell, cells);
        let before = map.bytes();
        map.put(entry, value);
        let after = map.bytes();
        self.bytes = self.bytes + after - before;
        Ok(())
    }

    fn map_remove(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8]) -> Result<(), EngineError> {
        if self.map(slot, state).is_none_or(|map| map.get(entry).is_none()) {
            return Ok(());
        }
        let (cell, cells) = (self.cell(state, StateKind::Map), self.layout.cells());
        let map = self.entry_mut(slot, key).map_mut(cell, cells);
        let before = map.bytes();
        map.remove(entry);
        let (after, is_empty) = (map.bytes(), map.is_empty());
        self.bytes -= before - after;
        if is_empty {
            self.remove(slot, key, state);
        }
        Ok(())
    }

    fn clear(&mut self, slot: &mut KeySlot, key: &[u8], state: usize) -> Result<(), EngineError> {
        self.remove(slot, key, state);
        Ok(())
    }

    fn remove_key(&mut self, slot: &mut KeySlot, key: &[u8]) -> Result<(), EngineError> {
        self.take_key(slot, key);
        Ok(())
    }

    fn move_key(&mut self, from: (&mut KeySlot, &[u8]), to: (&mut KeySlot, &[u8])) -> Result<(), EngineError> {
        self.give_key(from, to);
        Ok(())
    }

    fn each_value(&self, state: usize, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), EngineError> {
        let place = self.layout.place(state, StateKind::Value);
        for entry in self.tables.iter().flat_map(GroupTable::entries) {
            if let Some(value) = entry.value(place) {
                each(entry.key.as_slice(), value);
            }
        }
        Ok(())
    }

    fn next_keys(&self, from: u64, most: usize, keys: &mut Column) -> Option<u64> {
        Some(self.keys_behind(from, most, keys))
    }

    fn keys(&self) -> u64 {
        self.tables.iter().map(|table| table.len() as u64).sum()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn state_bytes(&self, slot: &KeySlot, state: usize) -> Result<u64, EngineError> {
        let place = self.layout.place_of_any(state);
        Ok(self.entry(slot).map_or(0, |entry| entry.bytes_at(place)))
    }

    fn snapshot(&mut self, checkpoint_id: CheckpointId, base: Option<CheckpointId>) -> Result<StateSnapshot, EngineError> {
        assert!(base.is_none_or(|base| self.history.knows(base)), "a snapshot since {base:?}, of which nothing is remembered");
        let mut changes = Vec::with_capacity(self.tables.len());
        let mut groups = Vec::new();
        for (number, (key_group, table)) in (self.range.start..).zip(&mut self.tables).enumerate() {
            let newest = table.take_changes();
            let since = base.map(|base| {
                let mut since = self.history.since(base, number);
                since.add(&newest);
                since
            });
            changes.push(newest);
            if table.len() > 0 || since.as_ref().is_some_and(|since| !since.is_empty()) {
                groups.push(capture(key_group, table, since));
            }
        }
        self.history.on_snapshot(checkpoint_id, changes);
        Ok(StateSnapshot::Blocks(Box::new(MemorySnapshot::new(self.layout.clone(), groups))))
    }

    fn changed_since(&self, base: CheckpointId) -> Option<u64> {
        let count = |(number, table): (usize, &GroupTable)| {
            let mut since = self.history.since(base, number);
            since.add_entries(&table.changed());
            since.count() + table.removed()
        };
        self.history.knows(base).then(|| self.tables.iter().enumerate().map(count).sum())
    }

    fn retire(&mut self, base: CheckpointId) {
        self.history.retire(base);
    }

    fn restore(&mut self, key_group: u32, block: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.restore_block(key_group, block, states)
    }

    fn restore_delta(&mut self, key_group: u32, delta: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.apply_delta(key_group, delta, states)
    }
}

/// A table's part of a snapshot: all of it, or what has changed since a base.
fn capture(key_group: u32, table: &mut GroupTable, since: Option<SinceBase>) -> GroupSnapshot {
    let chunks = table.capture(since.as_ref().map(|since| &since.changed[..]));
    GroupSnapshot { key_group, keys: table.len(), chunks, removed: since.map(|since| since.removed), sizes: table.sizes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::conformance::{self, SteadyBackend};

    #[test]
    fn the_memory_backend_keeps_every_promise_of_a_state_backend() {
        conformance::check_backend(&MemoryBackendFactory::new(1));
    }

    #[test]
    fn snapshots_do_not_depend_on_the_hash_seed() {
        let blocks = |seed| {
            let states = [StateDescriptor { name: "v".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None }];
            let mut backend = SteadyBackend::new(MemoryBackendFactory::new(seed).create(&states, KeyGroupRange { start: 0, end: 4 }, 4));
            let keys: Vec<[u8; 4]> = (0..1_000_u32).map(u32::to_le_bytes).collect();
            let mut slots = backend.lookup(&keys);
            keys.iter().zip(&mut slots).for_each(|(key, slot)| backend.set_value(slot, key, 0, key));
            keys.iter().zip(&mut slots).step_by(3).for_each(|(key, slot)| backend.clear(slot, key, 0));
            backend.blocks(CheckpointId(1), None)
        };
        assert_eq!(blocks(1), blocks(2));
    }
}
