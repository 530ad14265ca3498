//! Fills the tables of the memory backend from what snapshots wrote. A failure leaves a part behind; the caller gives the backend up.

use super::block::{BlockReader, Payload};
use super::delta::Delta;
use super::group_table::GroupTable;
use super::layout::Layout;
use super::memory_backend::MemoryBackend;
use super::size::key_bytes;
use super::{KeyGroupRange, KeySlot, StateBackend};
use crate::error::{EngineError, ErrorKind};

impl MemoryBackend {
    /// See [`StateBackend::restore`].
    pub(super) fn restore_block(&mut self, key_group: u32, block: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.check_range(key_group)?;
        let reader = BlockReader::open(block)?;
        self.table_mut(key_group).reserve(reader.keys_hint());
        self.restore_keys(key_group, reader, states, |_, _| false)
    }

    /// See [`StateBackend::restore_delta`].
    pub(super) fn apply_delta(&mut self, key_group: u32, delta: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.check_range(key_group)?;
        let Delta { removed, block } = Delta::open(delta)?;
        // Fresh from here on is what this delta puts.
        drop(self.table_mut(key_group).take_changes());
        for key in removed {
            block.check_group(key, key_group, (self.max_parallelism, self.layout.are_units()))?;
            let hash = self.hash(key);
            let table = self.table_mut(key_group);
            match table.find(hash, key) {
                KeySlot::ABSENT => {}
                entry => {
                    let bytes = key_bytes(key) + table.entry(entry).bytes();
                    table.remove(hash, entry);
                    self.bytes -= bytes;
                }
            }
        }
        self.restore_keys(key_group, block, states, |table, entry| {
            let older = !table.is_fresh(entry);
            if older {
                table.renew(entry);
            }
            older
        })
    }

    fn check_range(&self, key_group: u32) -> Result<(), EngineError> {
        if self.range.contains(key_group) {
            return Ok(());
        }
        let KeyGroupRange { start, end } = self.range;
        let message = format!("restore key group {key_group}: this subtask has key groups {start} to {end}, the end excluded");
        Err(EngineError::new(ErrorKind::Bug, message))
    }

    /// Puts the keys of a block. `replaces` makes room for one that the table has, or refuses.
    fn restore_keys(
        &mut self,
        key_group: u32,
        mut reader: BlockReader<'_>,
        states: &[Option<usize>],
        replaces: impl Fn(&mut GroupTable, u32) -> bool,
    ) -> Result<(), EngineError> {
        self.layout.check_block(&reader, states)?;
        while let Some(key) = reader.next_key()? {
            reader.check_group(key, key_group, (self.max_parallelism, self.layout.are_units()))?;
            let hash = self.hash(key);
            let table = self.table_mut(key_group);
            let entry = table.find(hash, key);
            if entry != KeySlot::ABSENT {
                let older = table.entry(entry).bytes();
                if !replaces(table, entry) {
                    return Err(reader.key_twice(key));
                }
                self.bytes -= older;
            }
            let mut slot = KeySlot { group: key_group, entry, hash };
            while let Some((index, payload)) = reader.next_state()? {
                let state = states[index].ok_or_else(|| Layout::gone(index))?;
                self.restore_state(&mut slot, key, state, payload)?;
            }
        }
        Ok(())
    }

    fn restore_state(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, payload: Payload<'_>) -> Result<(), EngineError> {
        match payload {
            Payload::Value(value) => self.set_value(slot, key, state, value),
            Payload::List(items) => items.into_iter().try_for_each(|item| self.list_append(slot, key, state, item)),
            Payload::Map(entries) => entries.into_iter().try_for_each(|(entry, value)| self.map_put(slot, key, state, entry, value)),
        }
    }
}
