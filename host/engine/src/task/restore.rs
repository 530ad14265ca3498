//! Fills the keyed state of one operator's subtask from the state objects of a checkpoint.

use super::{Chain, NodeBody};
use crate::checkpoint::{SectionKind, StateHandle, Store, read_state_object};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::state::KeyGroupRange;
use std::sync::Arc;

/// What one operator's subtask restores: every object that may hold keys of its range.
pub struct StateRestore {
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

impl StateRestore {
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
                    let object = format!("{}/{}", self.store.location(), handle.object);
                    restored
                        .map_err(|error| error.context(format!("restore {}: {object}: key group {}", self.operator, section.key_group)))?;
                }
            }
        }
        Ok(())
    }
}
