//! Where an entry keeps each declared state: the first value state in the entry itself, the others in cells beside it.
//!
//! The last of several value states is a mark in the entry while its value is one small byte, as that which says that a window is open: an entry that has nothing
//! else in cells needs none.

use super::block::BlockReader;
use super::{StateDescriptor, StateKind};
use crate::error::{EngineError, ErrorKind};

/// Where a state of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the entry.
    InEntry,
    /// A mark in the entry, or the cell of this index.
    Marked(usize),
    /// The entry's cell of this index.
    Cell(usize),
}

/// The declared states, and the place of each.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    states: Vec<StateDescriptor>,
    places: Vec<Place>,
    cells: usize,
}

impl Layout {
    pub fn new(states: &[StateDescriptor]) -> Self {
        let first_value = states.iter().position(|state| state.kind == StateKind::Value);
        let last_value = states.iter().rposition(|state| state.kind == StateKind::Value);
        let mut cells = 0..;
        let mut cell = || cells.next().expect("states are few");
        let place = |state| match Some(state) {
            value if value == first_value => Place::InEntry,
            value if value == last_value => Place::Marked(cell()),
            _ => Place::Cell(cell()),
        };
        let places: Vec<_> = (0..states.len()).map(place).collect();
        Self { states: states.to_vec(), cells: places.iter().filter(|place| **place != Place::InEntry).count(), places }
    }

    /// True where keys are keys in their windows.
    pub fn are_units(&self) -> bool {
        super::are_units(&self.states)
    }

    /// The declared states.
    pub fn states(&self) -> &[StateDescriptor] {
        &self.states
    }

    /// The place of `state`. Panics where it is not declared or not of this kind.
    #[inline]
    pub fn place(&self, state: usize, kind: StateKind) -> Place {
        let declared = self.states[state].kind;
        assert!(declared == kind, "state {state} is a {declared:?} state, not a {kind:?} state");
        self.places[state]
    }

    /// The place of `state`, whatever its kind. Panics where it is not declared.
    pub(crate) fn place_of_any(&self, state: usize) -> Place {
        self.places[state]
    }

    /// Number of cells of an entry that has any.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// The block's states against those declared here.
    pub(crate) fn check_block(&self, reader: &BlockReader<'_>, states: &[Option<usize>]) -> Result<(), EngineError> {
        let stored = reader.states();
        if stored.len() != states.len() {
            return Err(reader.corrupt(format!("it has {} states where the checkpoint names {}", stored.len(), states.len())));
        }
        for (stored, &here) in stored.iter().zip(states) {
            let Some(here) = here else { continue };
            let declared = &self.states[here];
            let (name, version) = (&declared.name, declared.version);
            if stored.kind != declared.kind {
                return Err(reader.corrupt(format!("state {name:?} is declared as {:?} and stored as {:?}", declared.kind, stored.kind)));
            }
            if stored.version != version {
                let message = format!("state {name:?} is stored in version {} and declared in version {version}", stored.version);
                return Err(EngineError::new(ErrorKind::FixInput, message)
                    .with_hint("declare the stored version, or a newer one to which the operator migrates"));
            }
        }
        Ok(())
    }

    /// The error for a key that has the block's state `index`, which is not declared here.
    pub fn gone(index: usize) -> EngineError {
        let message = format!("a key has state {index} of the checkpoint, which the operator no longer declares");
        EngineError::new(ErrorKind::FixInput, message).with_hint("declare the state again")
    }
}
