//! The engine's state behind [`CollectionReads`]: the keyed state of the batch and the broadcast state, for the time of a call.

use crate::reads::{CollectionReads, ScanFrom, ScanPage};
use std::any::Any;
use weir_engine::state::{BroadcastState, KeyedState};
use weir_engine::{Column, EngineError};

/// Keyed state that has been moved here, with a placeholder where it was, and a capture of the broadcast state.
pub(crate) struct EngineReads {
    keyed: Option<KeyedState>,
    broadcast: Option<BroadcastState>,
}

impl EngineReads {
    /// Moves the keyed state out, until [`EngineReads::give_back`].
    pub(crate) fn lend(keyed: Option<&mut KeyedState>, broadcast: Option<&BroadcastState>) -> Box<dyn CollectionReads> {
        let keyed = keyed.map(|keyed| std::mem::replace(keyed, KeyedState::placeholder()));
        Box::new(Self { keyed, broadcast: broadcast.cloned() })
    }

    /// Puts the keyed state where it was. The capture of the broadcast state goes: it would make the next change to it a copy.
    pub(crate) fn give_back(reads: Box<dyn CollectionReads>, keyed: Option<&mut KeyedState>) {
        let reads: Box<dyn Any> = reads;
        let reads = reads.downcast::<Self>().expect("what was lent comes back");
        if let (Some(place), Some(lent)) = (keyed, reads.keyed) {
            *place = lent;
        }
    }

    fn keyed(&self) -> &KeyedState {
        self.keyed.as_ref().expect("a key is asked for in a keyed call alone")
    }

    fn broadcast(&self) -> &BroadcastState {
        self.broadcast.as_ref().expect("an operator that declares broadcast state has it in every call")
    }
}

impl CollectionReads for EngineReads {
    fn list_len(&mut self, key: usize, state: usize) -> Result<u64, EngineError> {
        self.keyed().list_len(key, state)
    }

    fn list_read(
        &mut self,
        key: usize,
        state: usize,
        start: u64,
        max_bytes: usize,
        items: &mut Column,
    ) -> Result<Option<u64>, EngineError> {
        self.keyed().list_read(key, state, start, max_bytes, items)
    }

    fn map_get(&mut self, key: usize, state: usize, entry: &[u8], values: &mut Column) -> Result<bool, EngineError> {
        self.keyed().map_get(key, state, entry, values)
    }

    fn map_scan(&mut self, key: usize, state: usize, from: ScanFrom<'_>, page: &mut ScanPage) -> Result<Option<Vec<u8>>, EngineError> {
        self.keyed().map_scan(key, state, from.start, from.max_bytes, &mut page.entries, &mut page.values)
    }

    fn broadcast_get(&mut self, state: usize, entry: &[u8], values: &mut Column) -> Result<bool, EngineError> {
        Ok(self.broadcast().get(state, entry).inspect(|value| values.push(value)).is_some())
    }

    fn broadcast_scan(&mut self, state: usize, from: ScanFrom<'_>, page: &mut ScanPage) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.broadcast().scan(state, from.start, from.max_bytes, &mut page.entries, &mut page.values))
    }
}
