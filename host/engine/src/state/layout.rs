//! Where an entry keeps each declared state: the first value state in the entry itself, the others in cells beside it.

use super::{StateDescriptor, StateKind};

/// Where a state of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the entry.
    InEntry,
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
        let mut cells = 0..;
        let mut place = |state| match first_value {
            Some(first) if first == state => Place::InEntry,
            Some(_) | None => Place::Cell(cells.next().expect("states are few")),
        };
        let places: Vec<_> = (0..states.len()).map(&mut place).collect();
        Self { states: states.to_vec(), cells: places.iter().filter(|place| matches!(place, Place::Cell(_))).count(), places }
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
    pub fn place_of_any(&self, state: usize) -> Place {
        self.places[state]
    }

    /// Number of cells of an entry that has any.
    pub fn cells(&self) -> usize {
        self.cells
    }
}
