//! How the counters of simulated jobs keep what they count: in a form that has a version, so that none passes for another, and beside marks that come and go.

use super::operators::descriptor;
use std::sync::Arc;
use weir_engine::element::Column;
use weir_engine::operator::OperatorDescriptor;
use weir_engine::runtime::Simulator;
use weir_engine::state::{KeyedState, StateDescriptor, StateKind, StateMerger, StateMigrator};
use weir_engine::{EngineError, ErrorKind};

/// The state that comes and goes: how far has been counted.
pub(super) const MARKS: &str = "marks";

/// Where a counter keeps its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// In front of its own states.
    First,
    /// Behind them.
    Last,
}

/// How a counter keeps its states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The version of its numbers.
    form: u32,
    marks: Option<Marks>,
    /// States of its own.
    own: usize,
}

/// A state without a time to live, in a version that never changes.
pub(super) fn state(name: &str, kind: StateKind) -> StateDescriptor {
    StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl: None }
}

impl Kept {
    /// In the first form, and without marks.
    pub const USUAL: Self = Self { form: 1, marks: None, own: 0 };

    /// In this form.
    pub fn new(form: u32, marks: Option<Marks>) -> Self {
        Self { form, marks, own: 0 }
    }

    /// A state of numbers.
    pub fn numbers(self, name: &str, kind: StateKind) -> StateDescriptor {
        StateDescriptor { schema: format!("raw{}", self.form), version: self.form, ..state(name, kind) }
    }

    /// The descriptor of a counter with states of its own; its marks are of kind `marks`. From then on it is known where states are.
    pub fn describe(&mut self, name: &str, mut states: Vec<StateDescriptor>, marks: StateKind) -> OperatorDescriptor {
        self.own = states.len();
        if let Some(place) = self.marks_at() {
            states.insert(place, state(MARKS, marks));
        }
        descriptor(name, states)
    }

    /// The same of a counter in windows; `merged`: those of its own states that are merged value by value.
    pub fn describe_windowed(&mut self, name: &str, states: Vec<StateDescriptor>, merged: usize) -> OperatorDescriptor {
        let described = self.describe(name, states, StateKind::Value);
        let mut merging: Vec<usize> = [Some(self.at(merged)), self.marks_at()].into_iter().flatten().collect();
        merging.sort_unstable();
        OperatorDescriptor { windowed: true, merging, ..described }
    }

    /// The place of a counter's own state.
    pub fn at(self, own: usize) -> usize {
        own + usize::from(self.marks == Some(Marks::First))
    }

    fn marks_at(self) -> Option<usize> {
        self.marks.map(|marks| if marks == Marks::First { 0 } else { self.own })
    }

    /// A number as it is stored.
    pub fn write(self, number: u64) -> Vec<u8> {
        write(number, self.form)
    }

    /// A number that is stored.
    pub fn read(self, bytes: &[u8]) -> u64 {
        read(bytes, self.form)
    }

    /// The number that a value state of the counter has of this key.
    pub fn number(self, state: &KeyedState, key: usize, own: usize) -> Result<Option<u64>, EngineError> {
        Ok(state.copied_value(key, self.at(own))?.map(|bytes| self.read(&bytes)))
    }

    /// Marks that a key has been counted so far.
    pub fn mark(self, state: &mut KeyedState, key: usize, count: u64) -> Result<(), EngineError> {
        let Some(marks) = self.marks_at() else { return Ok(()) };
        check(state.copied_value(key, marks)?.as_deref(), count)?;
        state.set_value(key, marks, &write(count, 1))
    }

    /// Nothing more is counted of a key.
    pub fn unmark(self, state: &mut KeyedState, key: usize) -> Result<(), EngineError> {
        self.marks_at().map_or(Ok(()), |marks| state.clear(key, marks))
    }

    /// Marks that an entry of a key has been counted so far.
    pub fn mark_entry(self, state: &mut KeyedState, key: usize, entry: &[u8], count: u64) -> Result<(), EngineError> {
        let (Some(marks), mut before) = (self.marks_at(), Column::new()) else { return Ok(()) };
        let is_marked = state.map_get(key, marks, entry, &mut before)?;
        check(is_marked.then(|| before.get(0)), count)?;
        state.map_put(key, marks, entry, &write(count, 1))
    }

    /// Nothing more is counted of an entry.
    pub fn unmark_entry(self, state: &mut KeyedState, key: usize, entry: &[u8]) -> Result<(), EngineError> {
        self.marks_at().map_or(Ok(()), |marks| state.map_remove(key, marks, entry))
    }
}

/// A mark is older than what has been counted: while there are none, counting goes on.
fn check(mark: Option<&[u8]>, count: u64) -> Result<(), EngineError> {
    match mark.map(|mark| read(mark, 1)) {
        Some(mark) if mark >= count => {
            Err(EngineError::new(ErrorKind::FixInput, format!("it is marked as counted to {mark}, and now to {count}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A number in this form, which stands behind it.
fn write(number: u64, form: u32) -> Vec<u8> {
    [&number.to_le_bytes()[..], &form.to_le_bytes()].concat()
}

fn read(bytes: &[u8], form: u32) -> u64 {
    let (number, of) = bytes.split_at(8);
    assert_eq!(of, form.to_le_bytes(), "an operator sees only its own form of the state");
    u64::from_le_bytes(number.try_into().expect("eight bytes"))
}

/// Brings numbers of another form to the one that is declared.
pub(super) struct FormMigrator {
    simulator: Simulator,
    states: Vec<StateDescriptor>,
    /// It fails now and then.
    is_bad: bool,
}

impl FormMigrator {
    /// To the forms of these states.
    pub fn new(simulator: Simulator, states: &[StateDescriptor], is_bad: bool) -> Arc<Self> {
        Arc::new(Self { simulator, states: states.to_vec(), is_bad })
    }
}

impl StateMigrator for FormMigrator {
    fn migrate(&self, state: usize, from_version: u32, values: &Column) -> Result<Column, EngineError> {
        if self.is_bad && self.simulator.draw(4) == 0 {
            return Err(EngineError::new(ErrorKind::FixInput, "injected failure of a migration"));
        }
        let mut migrated = Column::new();
        values.iter().for_each(|value| migrated.push(&write(read(value, from_version), self.states[state].version)));
        Ok(migrated)
    }

    fn batch_bytes(&self) -> u64 {
        100
    }
}

/// Numbers of windows that become one add up.
pub(super) struct Adding(pub Vec<StateDescriptor>);

impl StateMerger for Adding {
    fn merge(&self, state: usize, earlier: &Column, later: &Column) -> Result<Column, EngineError> {
        let (mut sums, form) = (Column::new(), self.0[state].version);
        earlier.iter().zip(later.iter()).for_each(|(one, other)| sums.push(&write(read(one, form) + read(other, form), form)));
        Ok(sums)
    }
}
