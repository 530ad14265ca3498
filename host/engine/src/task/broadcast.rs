//! Broadcast state of one operator's subtask: which inputs may change it, what of it goes into a checkpoint, and how it comes back.
//!
//! At a restore the new subtask j takes the copy of the old subtask j mod (old parallelism), whatever the new parallelism is, and the
//! broadcast records that were in flight to that same subtask: with these all copies have seen the same records at a barrier.

use super::{Chain, NodeBody};
use crate::checkpoint::{CheckpointMetadata, SectionKind, StateHandle, StateObjectWriter, Store, read_state_object};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Clock;
use crate::state::{BroadcastAccess, BroadcastState, StateAllowance, StateDescriptor, StateRewrite};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Broadcast state stands in sections of no key group.
const NO_KEY_GROUP: u32 = 0;

/// A node's broadcast state with its `broadcast` inputs.
pub struct NodeBroadcast {
    state: BroadcastState,
    inputs: BTreeSet<u32>,
}

impl NodeBroadcast {
    /// Of an operator that declares `states` and whose `inputs` are fed by `broadcast` edges. `None` where it declares no broadcast state.
    pub fn new(states: &[StateDescriptor], inputs: BTreeSet<u32>) -> Option<Box<Self>> {
        BroadcastState::new(states).map(|state| Box::new(Self { state, inputs }))
    }

    /// The same, kept within an allowance.
    pub fn within(mut self: Box<Self>, allowance: Arc<StateAllowance>) -> Box<Self> {
        self.state = self.state.within(allowance);
        self
    }

    /// The state as it is.
    pub fn state(&self) -> &BroadcastState {
        &self.state
    }

    /// What a batch of `input` may do with it.
    pub fn access(&mut self, input: u32) -> BroadcastAccess<'_> {
        if self.inputs.contains(&input) { BroadcastAccess::Write(&mut self.state) } else { BroadcastAccess::Read(&self.state) }
    }

    /// The state as of now; `None` where there is nothing to keep.
    pub fn capture(&self) -> Option<BroadcastState> {
        (!self.state.is_empty()).then(|| self.state.captured())
    }
}

/// The object that holds what was captured of `operator`.
pub(super) fn object(operator: &str, captured: &BroadcastState) -> StateObjectWriter {
    let (mut payload, mut object) = (Vec::new(), StateObjectWriter::new());
    captured.write(&mut payload);
    object.section(SectionKind::Broadcast, operator, NO_KEY_GROUP, &payload);
    object
}

/// What one operator's subtask restores of broadcast state.
pub struct BroadcastRestore {
    /// The operator's place in the chain.
    node: usize,
    /// The operator's id in the checkpoint.
    operator: String,
    rewrite: StateRewrite,
    handle: StateHandle,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl BroadcastRestore {
    /// For subtask `index` of the operator at `node`, which goes on with the checkpoint's `operator`. `None` where the copy that it takes has no
    /// entries, or the checkpoint knows no broadcast state of the operator.
    pub fn of(
        metadata: &CheckpointMetadata,
        (operator, rewrite): (&str, StateRewrite),
        (index, node): (u32, usize),
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        let parts = &metadata.vertex(operator)?.subtasks;
        let copy = index.checked_rem(parts.len() as u32)?;
        let handle = parts.iter().find(|part| part.index == copy)?.broadcast.clone()?;
        Some(Self { node, operator: operator.to_owned(), rewrite, handle, store, clock })
    }

    /// Reads the object and fills the node's broadcast state.
    pub async fn run(self, chain: &mut Chain) -> Result<(), EngineError> {
        let NodeBody::Operator { broadcast: Some(broadcast), .. } = &mut chain.nodes[self.node].body else {
            let message = format!("{}: the checkpoint holds broadcast state for it, and it has none", self.operator);
            return Err(EngineError::new(ErrorKind::Bug, message));
        };
        let reader = read_state_object(&*self.store, &*self.clock, &self.handle).await;
        let reader = reader.map_err(|error| error.context(format!("restore {}", self.operator)))?;
        for section in reader.sections() {
            let section = section?;
            if section.kind == SectionKind::Broadcast && section.operator == self.operator {
                let rewritten = self.rewrite.broadcast(section.payload);
                let restored = rewritten.and_then(|section| broadcast.state.restore(&section, self.rewrite.places()));
                restored.map_err(|error| error.context(format!("restore {}: {}", self.operator, reader.object())))?;
            }
        }
        Ok(())
    }
}
