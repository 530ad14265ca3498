//! The backend of keyed state that is lent out: see [`super::KeyedState::placeholder`].

use super::{KeySlot, SelectedKeys, StateBackend, StateSnapshot, ValuesOfKeys};
use crate::element::{CheckpointId, Column};
use crate::error::EngineError;

/// Panics whatever it is asked for.
pub(super) struct NoBackend;

const LENT: &str = "keyed state was used while it was lent out";

impl StateBackend for NoBackend {
    fn prefetches(&self) -> bool {
        unreachable!("{LENT}")
    }
    fn lookup(&mut self, _: SelectedKeys<'_>, _: &mut Vec<KeySlot>) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn gather_values(&self, _: &[KeySlot], _: usize, _: usize, _: &mut Vec<u32>, _: &mut Column) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn value(&self, _: &KeySlot, _: usize, _: &mut Column) -> Result<bool, EngineError> {
        unreachable!("{LENT}")
    }
    fn set_value(&mut self, _: &mut KeySlot, _: &[u8], _: usize, _: &[u8]) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn set_values(&mut self, _: &mut [KeySlot], _: &Column, _: usize, _: ValuesOfKeys<'_>) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn list_len(&self, _: &KeySlot, _: usize) -> Result<u64, EngineError> {
        unreachable!("{LENT}")
    }
    fn list_read(&self, _: &KeySlot, _: usize, _: u64, _: usize, _: &mut Column) -> Result<Option<u64>, EngineError> {
        unreachable!("{LENT}")
    }
    fn list_append(&mut self, _: &mut KeySlot, _: &[u8], _: usize, _: &[u8]) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn list_pop_front(&mut self, _: &mut KeySlot, _: &[u8], _: usize, _: u64) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn list_truncate(&mut self, _: &mut KeySlot, _: &[u8], _: usize, _: u64) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn map_get(&self, _: &KeySlot, _: usize, _: &[u8], _: &mut Column) -> Result<bool, EngineError> {
        unreachable!("{LENT}")
    }
    fn map_scan(
        &self,
        _: &KeySlot,
        _: usize,
        _: Option<&[u8]>,
        _: usize,
        _: &mut Column,
        _: &mut Column,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        unreachable!("{LENT}")
    }
    fn map_put(&mut self, _: &mut KeySlot, _: &[u8], _: usize, _: &[u8], _: &[u8]) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn map_remove(&mut self, _: &mut KeySlot, _: &[u8], _: usize, _: &[u8]) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn clear(&mut self, _: &mut KeySlot, _: &[u8], _: usize) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn remove_key(&mut self, _: &mut KeySlot, _: &[u8]) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn move_key(&mut self, _: (&mut KeySlot, &[u8]), _: (&mut KeySlot, &[u8])) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn each_value(&self, _: usize, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn keys(&self) -> u64 {
        unreachable!("{LENT}")
    }
    fn bytes(&self) -> u64 {
        unreachable!("{LENT}")
    }
    fn state_bytes(&self, _: &KeySlot, _: usize) -> Result<u64, EngineError> {
        unreachable!("{LENT}")
    }
    fn snapshot(&mut self, _: CheckpointId, _: Option<CheckpointId>) -> Result<StateSnapshot, EngineError> {
        unreachable!("{LENT}")
    }
    fn changed_since(&self, _: CheckpointId) -> Option<u64> {
        unreachable!("{LENT}")
    }
    fn retire(&mut self, _: CheckpointId) {
        unreachable!("{LENT}")
    }
    fn restore(&mut self, _: u32, _: &[u8], _: &[Option<usize>]) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
    fn restore_delta(&mut self, _: u32, _: &[u8], _: &[Option<usize>]) -> Result<(), EngineError> {
        unreachable!("{LENT}")
    }
}
