//! What the memory backend does with whole states and keys: takes them out, gives a key what another had, goes through all.

use super::backend::KeySlot;
use super::entry::{Entry, KeyStates};
use super::memory_backend::MemoryBackend;
use super::size::key_bytes;
use crate::element::Column;

impl MemoryBackend {
    /// Removes all that a state holds of a key.
    pub(super) fn remove(&mut self, slot: &mut KeySlot, key: &[u8], state: usize) {
        let place = self.layout.place_of_any(state);
        if let Some(before) = self.entry(slot).filter(|entry| entry.find(place).is_some()).map(|entry| entry.bytes_at(place)) {
            self.entry_mut(slot, key).clear(place);
            self.bytes -= before;
            self.remove_if_hole(slot, key);
        }
    }

    /// Forgets the key where it has no state left.
    fn remove_if_hole(&mut self, slot: &mut KeySlot, key: &[u8]) {
        let table = self.table_mut(slot.group);
        if table.entry(slot.entry).is_hole() {
            table.remove(slot.hash, slot.entry);
            slot.entry = KeySlot::ABSENT;
            self.bytes -= key_bytes(key);
        }
    }

    /// Takes a key out with all its states; `None`: it has none.
    pub(super) fn take_key(&mut self, slot: &mut KeySlot, key: &[u8]) -> Option<KeyStates> {
        let bytes = self.entry(slot).map(Entry::bytes)?;
        self.bytes -= bytes + key_bytes(key);
        let entry = std::mem::replace(&mut slot.entry, KeySlot::ABSENT);
        let table = self.table_mut(slot.group);
        let states = table.entry_mut(entry).take_states();
        table.remove(slot.hash, entry);
        Some(states)
    }

    /// See [`StateBackend::move_key`](super::StateBackend::move_key).
    pub(super) fn give_key(&mut self, (from, from_key): (&mut KeySlot, &[u8]), (to, to_key): (&mut KeySlot, &[u8])) {
        if let Some(states) = self.take_key(from, from_key) {
            let entry = self.entry_mut(to, to_key);
            entry.put_states(states);
            self.bytes += entry.bytes();
        }
    }

    /// See [`StateBackend::next_keys`](super::StateBackend::next_keys): the upper half is the table, the lower the entry.
    pub(super) fn keys_behind(&self, from: u64, most: usize, keys: &mut Column) -> u64 {
        let (mut table, mut entry) = ((from >> 32) as usize, from as u32);
        // Holes and empty groups are gone past, but not for ever.
        for _ in 0..4 * most {
            if keys.len() == most {
                break;
            }
            match self.tables.get(table).map(|table| table.entry_at(entry)) {
                None => (table, entry) = (0, 0),
                Some(None) => (table, entry) = (table + 1, 0),
                Some(Some(found)) => {
                    if !found.is_hole() {
                        keys.push(found.key.as_slice());
                    }
                    entry += 1;
                }
            }
        }
        (table as u64) << 32 | u64::from(entry)
    }
}
