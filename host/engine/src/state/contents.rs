//! All that is kept of one key, or of a key in one of its windows, as it is taken out, changed or made one with another's, and put back.

use crate::element::Column;
use crate::error::EngineError;
use crate::state::{KeySlot, StateBackend, StateDescriptor, StateKind};
use std::collections::BTreeMap;

/// Of each state what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents(pub Vec<Content>);

/// What is kept of one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Absent,
    Value(Vec<u8>),
    List(Column),
    Map(BTreeMap<Vec<u8>, Vec<u8>>),
}

impl Contents {
    /// What is kept under a slot.
    pub fn read(backend: &dyn StateBackend, slot: &KeySlot, states: &[StateDescriptor]) -> Result<Self, EngineError> {
        let of = |(number, state): (usize, &StateDescriptor)| Content::read(backend, slot, number, state.kind);
        states.iter().enumerate().map(of).collect::<Result<_, _>>().map(Self)
    }

    /// Puts it in the place of what is kept under a slot.
    pub fn write(&self, backend: &mut dyn StateBackend, slot: &mut KeySlot, unit: &[u8]) -> Result<(), EngineError> {
        self.0.iter().enumerate().try_for_each(|(number, content)| content.write(backend, slot, (unit, number)))
    }
}

impl Content {
    /// What is kept of a state, which is of this kind, under a slot.
    pub fn read(backend: &dyn StateBackend, slot: &KeySlot, state: usize, kind: StateKind) -> Result<Self, EngineError> {
        match kind {
            StateKind::Value => {
                let mut value = Column::new();
                Ok(if backend.value(slot, state, &mut value)? { Self::Value(value.into_parts().0) } else { Self::Absent })
            }
            StateKind::List => {
                let mut items = Column::new();
                let mut next = Some(0);
                while let Some(start) = next {
                    next = backend.list_read(slot, state, start, usize::MAX, &mut items)?;
                }
                Ok(if items.is_empty() { Self::Absent } else { Self::List(items) })
            }
            StateKind::Map => {
                let (mut entries, mut values) = (Column::new(), Column::new());
                let mut next = backend.map_scan(slot, state, None, usize::MAX, &mut entries, &mut values)?;
                while let Some(start) = next {
                    next = backend.map_scan(slot, state, Some(&start), usize::MAX, &mut entries, &mut values)?;
                }
                let all: BTreeMap<_, _> = entries.iter().map(<[u8]>::to_vec).zip(values.iter().map(<[u8]>::to_vec)).collect();
                Ok(if all.is_empty() { Self::Absent } else { Self::Map(all) })
            }
            // It is of no key.
            StateKind::Broadcast => Ok(Self::Absent),
        }
    }

    /// Puts it in the place of what is kept of a state of a key.
    pub fn write(&self, backend: &mut dyn StateBackend, slot: &mut KeySlot, (key, state): (&[u8], usize)) -> Result<(), EngineError> {
        backend.clear(slot, key, state)?;
        self.put(backend, slot, (key, state))
    }

    /// Sets the value, appends the items, or puts the entries; what is there besides stays.
    pub fn put(&self, backend: &mut dyn StateBackend, slot: &mut KeySlot, (key, state): (&[u8], usize)) -> Result<(), EngineError> {
        match self {
            Self::Absent => Ok(()),
            Self::Value(value) => backend.set_value(slot, key, state, value),
            Self::List(items) => items.iter().try_for_each(|item| backend.list_append(slot, key, state, item)),
            Self::Map(entries) => entries.iter().try_for_each(|(entry, value)| backend.map_put(slot, key, state, entry, value)),
        }
    }

    /// What `changed` makes of the value, of each item or of each entry's value; what it gives nothing for is gone.
    pub fn filter_map(self, changed: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        match self {
            Self::Absent => Self::Absent,
            Self::Value(value) => changed(&value).map_or(Self::Absent, Self::Value),
            Self::List(items) => {
                let mut kept = Column::new();
                items.iter().filter_map(changed).for_each(|item| kept.push(&item));
                Self::List(kept)
            }
            Self::Map(entries) => Self::Map(entries.into_iter().filter_map(|(entry, value)| Some((entry, changed(&value)?))).collect()),
        }
    }
}
