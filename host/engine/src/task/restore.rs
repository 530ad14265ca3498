//! Fills the state of one operator's subtask from the state objects of a checkpoint.

use super::{BroadcastRestore, Chain, NodeBody};
use crate::checkpoint::{SectionKind, StateHandle, Store, VertexIdentity, read_state_object};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::state::{KeyGroupRange, StateDescriptor};
use std::sync::Arc;

/// What one operator's subtask restores of one kind of state.
pub enum StateRestore {
    /// Keyed state.
    Keyed(KeyedRestore),
    /// Broadcast state.
    Broadcast(BroadcastRestore),
}

impl StateRestore {
    /// Reads it and fills the chain.
    pub async fn run(self, chain: &mut Chain) -> Result<(), EngineError> {
        match self {
            Self::Keyed(restore) => restore.run(chain).await,
            Self::Broadcast(restore) => restore.run(chain).await,
        }
    }
}

/// The keyed state that one operator's subtask restores: every object that may hold keys of its range.
pub struct KeyedRestore {
    /// The operator's place in the chain.
    pub node: usize,
    /// The operator's id, which names its sections.
    pub operator: String,
    /// The subtask's key groups.
    pub range: KeyGroupRange,
    /// For each state of the checkpoint its index now.
    pub states: Vec<Option<usize>>,
    /// The objects.
    pub handles: Vec<StateHandle>,
    /// Where they are.
    pub store: Arc<dyn Store>,
    /// The clock for retries.
    pub clock: Arc<dyn Clock>,
}

impl KeyedRestore {
    /// Reads the objects and restores the sections in range.
    pub async fn run(self, chain: &mut Chain) -> Result<(), EngineError> {
        let node = &mut chain.nodes[self.node];
        let NodeBody::Operator { state: Some(state), .. } = &mut node.body else {
            let message = format!("{}: the checkpoint holds keyed state for it, and it has none", self.operator);
            return Err(EngineError::new(ErrorKind::Bug, message));
        };
        for handle in &self.handles {
            let reader = read_state_object(&*self.store, &*self.clock, handle).await;
            let reader = reader.map_err(|error| error.context(format!("restore {}", self.operator)))?;
            for section in reader.sections() {
                let section = section?;
                if section.kind == SectionKind::KeyedState && section.operator == self.operator && self.range.contains(section.key_group) {
                    let restored = state.backend_mut().restore(section.key_group, section.payload, &self.states);
                    restored.map_err(|error| {
                        error.context(format!("restore {}: {}: key group {}", self.operator, reader.object(), section.key_group))
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// For each state that `stored` declared its index among `states`, by name and kind; `None` where it is gone. Nothing of what is no operator.
pub fn places_now(stored: &VertexIdentity, states: &[StateDescriptor]) -> Option<Vec<Option<usize>>> {
    let VertexIdentity::Operator { states: stored, .. } = stored else { return None };
    let place_now = |stored: &StateDescriptor| states.iter().position(|state| state.name == stored.name && state.kind == stored.kind);
    Some(stored.iter().map(place_now).collect())
}
