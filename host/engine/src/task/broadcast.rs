//! Broadcast state of one operator's subtask: which inputs may change it, and what of it goes into a checkpoint.

use crate::checkpoint::{SectionKind, StateObjectWriter};
use crate::error::EngineError;
use crate::state::{BroadcastAccess, BroadcastState, StateAllowance, StateDescriptor};
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

    /// Fills it from a section, whose states have these places here.
    pub(super) fn restore(&mut self, section: &[u8], places: &[Option<usize>]) -> Result<(), EngineError> {
        self.state.restore(section, places)
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
