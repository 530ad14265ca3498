//! How much each of an operator's states holds.

use super::OperatorState;
use crate::error::EngineError;
use crate::state::{Payload, StateKind};

/// How much one state holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSize {
    /// Number of keys that have it; of a broadcast state, which has none, 0.
    pub keys: u64,
    /// Number of values, items or entries.
    pub entries: u64,
    /// Bytes of these, a map's entries included.
    pub bytes: u64,
}

impl StateSize {
    /// Counts what a key has, or a broadcast state's copy.
    fn add(&mut self, payload: &Payload<'_>) {
        let (entries, bytes) = match payload {
            Payload::Value(value) => (1, value.len()),
            Payload::List(items) => (items.len(), items.iter().map(|item| item.len()).sum()),
            Payload::Map(entries) => (entries.len(), entries.iter().map(|(entry, value)| entry.len() + value.len()).sum()),
        };
        self.entries += entries as u64;
        self.bytes += bytes as u64;
    }
}

impl OperatorState<'_> {
    /// The size of each declared state, in order. Reads all of the operator's state.
    pub async fn sizes(&self) -> Result<Vec<StateSize>, EngineError> {
        let mut sizes = vec![StateSize::default(); self.declared().len()];
        let mut keyed = self.keyed();
        for key_group in keyed.key_groups() {
            for stored in keyed.group(key_group).await?.values().flatten() {
                let size = &mut sizes[stored.index];
                size.keys += 1;
                size.add(&stored.payload);
            }
        }
        if let Some(broadcast) = self.broadcast().await? {
            let declared = sizes.iter_mut().zip(self.declared()).enumerate();
            for (index, (size, _)) in declared.filter(|(_, (_, state))| state.kind == StateKind::Broadcast) {
                size.add(&Payload::Map(broadcast.entries(index).collect()));
            }
        }
        Ok(sizes)
    }
}
