//! Looks into the state of a completed checkpoint, without the operators' code: all that is needed is in the metadata and the state objects.
//!
//! Where the two come from does not matter: [`CheckpointState`] is given a store and the metadata of a checkpoint whose objects lie there.
//! Nothing here changes anything. Keyed state is read key group by key group (`KeyedReader`), each put together from the whole object
//! and the deltas behind it; memory is bounded by the objects of one subtask. A broadcast state is the copy of the first subtask.

mod diff;
mod keyed;
mod size;
#[cfg(test)]
mod test_writer;
#[cfg(test)]
mod tests;

pub use diff::{Change, KeyDifference, StateChanges, StoredPayload, diff};
pub(crate) use keyed::KeyedReader;
pub use size::StateSize;

use crate::checkpoint::{CheckpointMetadata, SectionKind, SubtaskSnapshot, VertexIdentity, read_state_object};
use crate::error::EngineError;
use crate::runtime::Clock;
use crate::state::{BroadcastState, StateDescriptor};
use crate::storage::Store;

/// The state in a checkpoint.
#[derive(Clone, Copy)]
pub struct CheckpointState<'a> {
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    metadata: &'a CheckpointMetadata,
}

/// The state of one operator in a checkpoint.
#[derive(Clone, Copy)]
pub struct OperatorState<'a> {
    from: CheckpointState<'a>,
    id: &'a str,
    declared: &'a [StateDescriptor],
    subtasks: &'a [SubtaskSnapshot],
}

impl<'a> CheckpointState<'a> {
    /// The state of the checkpoint with this metadata, whose objects `store` has. `clock` is for retries.
    pub fn new(store: &'a dyn Store, clock: &'a dyn Clock, metadata: &'a CheckpointMetadata) -> Self {
        Self { store, clock, metadata }
    }

    /// The operators in the order of the graph, those without state among them.
    pub fn operators(&self) -> impl Iterator<Item = OperatorState<'a>> {
        let from = *self;
        from.metadata.vertices.iter().filter_map(move |vertex| match from.metadata.graph.vertices.get(&vertex.id)? {
            VertexIdentity::Operator { states, .. } => {
                Some(OperatorState { from, id: &vertex.id, declared: states, subtasks: &vertex.subtasks })
            }
            VertexIdentity::Source { .. } => None,
        })
    }

    /// The operator with this id.
    pub fn operator(&self, id: &str) -> Option<OperatorState<'a>> {
        self.operators().find(|operator| operator.id == id)
    }
}

impl<'a> OperatorState<'a> {
    /// Its id.
    pub fn id(&self) -> &'a str {
        self.id
    }

    /// The states that it declared, keyed and broadcast.
    pub fn declared(&self) -> &'a [StateDescriptor] {
        self.declared
    }

    /// Reads its keyed state.
    pub fn keyed(&self) -> KeyedReader<'a> {
        KeyedReader::new(*self)
    }

    /// The first subtask's copy of its broadcast states; `None` where it declares none.
    pub async fn broadcast(&self) -> Result<Option<BroadcastState>, EngineError> {
        let Some(mut state) = BroadcastState::new(self.declared) else { return Ok(None) };
        let first = self.subtasks.iter().find(|subtask| subtask.index == 0);
        let Some(handle) = first.and_then(|subtask| subtask.broadcast.as_ref()) else { return Ok(Some(state)) };
        let reader = read_state_object(self.from.store, self.from.clock, handle).await.map_err(|error| self.reading(error))?;
        let same: Vec<_> = (0..self.declared.len()).map(Some).collect();
        for section in reader.sections() {
            let section = section.map_err(|error| self.reading(error))?;
            if section.kind == SectionKind::Broadcast && section.operator == self.id {
                let restored = state.restore(section.payload, &same);
                restored.map_err(|error| self.reading(error.context(reader.object())))?;
            }
        }
        Ok(Some(state))
    }

    /// Says of an error that it came up while this state was read.
    fn reading(&self, error: EngineError) -> EngineError {
        error.context(format!("look into the state of {}", self.id))
    }
}
