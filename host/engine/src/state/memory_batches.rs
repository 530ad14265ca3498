//! What the memory backend does with many keys at once: finds their entries, gathers their values, sets them. Each loop first starts the reads of the
//! entries that the next one needs.

use super::StateKind;
use super::backend::{KeySlot, ValuesOfKeys};
use super::memory_backend::MemoryBackend;
use crate::element::Column;
use std::hint::black_box;

/// So many values are read or set behind one loop that reads their entries: of a whole batch's few are in the nearest cache.
const TOGETHER: usize = 32;

impl MemoryBackend {
    /// Finds the entries of keys whose hashes are in `slots`. Each loop does so little for a key that the reads of many keys are under
    /// way at once; two of the loops read for that alone. At 1,000,000 keys they halve the time, at 100,000 they save a tenth.
    pub(super) fn find_entries(&self, keys: &Column, slots: &mut [KeySlot]) {
        black_box(slots.iter().fold(0, |sum, slot| sum ^ self.table(slot.group).touch_index(slot.hash)));
        slots.iter_mut().for_each(|slot| slot.entry = self.table(slot.group).candidate(slot.hash));
        black_box(slots.iter().fold(0, |sum, slot| sum ^ self.touch_entry(slot)));
        for (key, slot) in keys.iter().zip(slots) {
            let table = self.table(slot.group);
            if slot.entry != KeySlot::ABSENT && !table.entry(slot.entry).key.is(key) {
                slot.entry = table.find(slot.hash, key);
            }
        }
    }

    /// See [`StateBackend::gather_values`](super::StateBackend::gather_values).
    pub(super) fn gather(&self, slots: &[KeySlot], state: usize, max_bytes: usize, present: &mut Vec<u32>, values: &mut Column) {
        let place = self.layout.place(state, StateKind::Value);
        for (number, block) in slots.chunks(TOGETHER).enumerate() {
            black_box(block.iter().fold(0, |sum, slot| sum ^ self.touch_entry(slot)));
            for (slot, index) in block.iter().zip(number * TOGETHER..) {
                if let Some(value) = self.entry(slot).and_then(|entry| entry.value(place)) {
                    present.push(index as u32);
                    values.push(value);
                    if values.byte_len() > max_bytes {
                        return;
                    }
                }
            }
        }
    }

    /// See [`StateBackend::set_values`](super::StateBackend::set_values).
    pub(super) fn set_together(&mut self, slots: &mut [KeySlot], keys: &Column, state: usize, set: ValuesOfKeys<'_>) {
        let (place, cells) = (self.layout.place(state, StateKind::Value), self.layout.cells());
        for (number, block) in set.keys.chunks(TOGETHER).enumerate() {
            black_box(block.iter().fold(0, |sum, &key| sum ^ self.touch_entry(&slots[key as usize])));
            for (&key, value) in block.iter().zip(number * TOGETHER..) {
                let (key, value) = (key as usize, set.values.get(value));
                let before = self.entry_mut(&mut slots[key], keys.get(key)).set_value(place, cells, value);
                self.bytes = self.bytes + value.len() as u64 - before;
            }
        }
    }
}
