//! Fills the state of one operator's subtask from the state objects of a checkpoint.

use super::{BroadcastRestore, Chain, NodeBody};
use crate::checkpoint::{Section, SectionKind, StateHandle, StateObjectReader, Store, read_state_object};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::state::{KeyGroupRange, StateBackend, StateRewrite};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Objects that are being read, or have been and wait for those before them: deltas are many and small, and each is a request to the storage.
const READS: usize = 8;

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
    /// The operator's id in the checkpoint, which names its sections.
    pub operator: String,
    /// The subtask's key groups.
    pub range: KeyGroupRange,
    /// What becomes of its states.
    pub rewrite: StateRewrite,
    /// The objects: for each subtask that wrote some the whole one, and the deltas behind it in order.
    pub handles: Vec<StateHandle>,
    /// Where they are.
    pub store: Arc<dyn Store>,
    /// The clock for retries.
    pub clock: Arc<dyn Clock>,
}

impl KeyedRestore {
    /// Reads the objects, several at once, and restores the sections in range in order.
    pub async fn run(&self, chain: &mut Chain) -> Result<(), EngineError> {
        let node = &mut chain.nodes[self.node];
        let NodeBody::Operator { state: Some(state), .. } = &mut node.body else {
            let message = format!("{}: the checkpoint holds keyed state for it, and it has none", self.operator);
            return Err(EngineError::new(ErrorKind::Bug, message));
        };
        let read = |handle| async move {
            let reader = self.read(handle).await.map_err(|error| error.about_object(&handle.object))?;
            Ok((handle, reader))
        };
        let reads: Vec<_> = self.handles.iter().map(read).collect();
        let mut readers = stream::iter(reads).buffered(READS);
        while let Some((handle, reader)) = readers.try_next().await? {
            self.apply(&reader, state.backend_mut()).map_err(|error: EngineError| error.about_object(&handle.object))?;
        }
        Ok(())
    }

    async fn read(&self, handle: &StateHandle) -> Result<StateObjectReader, EngineError> {
        let reader = read_state_object(&*self.store, &*self.clock, handle).await;
        reader.map_err(|error| error.context(format!("restore {}", self.operator)))
    }

    fn apply(&self, reader: &StateObjectReader, backend: &mut dyn StateBackend) -> Result<(), EngineError> {
        for section in reader.sections() {
            let Section { kind, operator, key_group, payload } = section?;
            if operator != self.operator || !self.range.contains(key_group) {
                continue;
            }
            let restored = match kind {
                SectionKind::KeyedState => {
                    self.rewrite.block(payload).and_then(|block| backend.restore(key_group, &block, self.rewrite.places()))
                }
                SectionKind::Delta => {
                    self.rewrite.delta(payload).and_then(|delta| backend.restore_delta(key_group, &delta, self.rewrite.places()))
                }
                SectionKind::Timers
                | SectionKind::WatermarkFloors
                | SectionKind::TtlStamps
                | SectionKind::Broadcast
                | SectionKind::InFlight
                | SectionKind::Committables
                | SectionKind::OperatorState => continue,
            };
            restored.map_err(|error| error.context(format!("restore {}: {}: key group {key_group}", self.operator, reader.object())))?;
        }
        Ok(())
    }
}
