//! All that is kept of one key, or of a key in one of its windows, as it is taken out, changed or made one with another's, and put back.

use crate::element::Column;
use crate::error::{EngineError, ErrorKind};
use crate::state::{KeySlot, StateBackend, StateDescriptor, StateKind, StateMerger};
use std::collections::BTreeMap;

/// Of each state what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents(pub Vec<Content>);

/// What is kept of one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
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

    /// Takes the value of a state out.
    pub fn take_value(&mut self, state: usize) -> Option<Vec<u8>> {
        match std::mem::replace(&mut self.0[state], Content::Absent) {
            Content::Value(value) => Some(value),
            Content::Absent | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Sets the value of a state.
    pub fn set_value(&mut self, state: usize, value: Vec<u8>) {
        self.0[state] = Content::Value(value);
    }

    /// Nothing of these many states.
    pub fn none(states: usize) -> Self {
        Self(vec![Content::Absent; states])
    }

    /// What is kept of the window that this one, which starts first, and a later one become.
    pub fn merged(self, later: Self, merger: Option<&dyn StateMerger>) -> Result<Self, EngineError> {
        let both = self.0.into_iter().zip(later.0).enumerate();
        both.map(|(state, (earlier, later))| merged(state, earlier, later, merger)).collect::<Result<_, _>>().map(Self)
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

fn merged(state: usize, earlier: Content, later: Content, merger: Option<&dyn StateMerger>) -> Result<Content, EngineError> {
    Ok(match (earlier, later) {
        (Content::Absent, only) | (only, Content::Absent) => only,
        (Content::Value(earlier), Content::Value(later)) => {
            let mut both = one_of(merger, state, std::iter::once((&earlier[..], &later[..])))?;
            Content::Value(both.pop().unwrap_or_default())
        }
        (Content::List(mut earlier), Content::List(later)) => {
            earlier.extend_from(&later, 0..later.len());
            Content::List(earlier)
        }
        (Content::Map(mut earlier), Content::Map(later)) => {
            let shared = earlier.iter().filter_map(|(entry, value)| Some((&value[..], &later.get(entry)?[..])));
            let values = one_of(merger, state, shared)?;
            let names: Vec<Vec<u8>> = earlier.keys().filter(|entry| later.contains_key(*entry)).cloned().collect();
            earlier.extend(later);
            earlier.extend(names.into_iter().zip(values));
            Content::Map(earlier)
        }
        (Content::Value(_) | Content::List(_) | Content::Map(_), _) => {
            return Err(EngineError::new(ErrorKind::Bug, format!("state {state} of two windows is of two kinds")));
        }
    })
}

/// One value for each pair.
fn one_of<'a>(
    merger: Option<&dyn StateMerger>,
    state: usize,
    pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Vec<Vec<u8>>, EngineError> {
    let (mut earlier, mut later) = (Column::new(), Column::new());
    for (of_earlier, of_later) in pairs {
        earlier.push(of_earlier);
        later.push(of_later);
    }
    if earlier.is_empty() {
        return Ok(Vec::new());
    }
    let Some(merger) = merger else {
        return Err(EngineError::new(
            ErrorKind::FixInput,
            format!("state {state} has values in two windows that become one, and nothing merges them"),
        ));
    };
    let both = merger.merge(state, &earlier, &later)?;
    if both.len() != earlier.len() {
        let message = format!("merging {} values of state {state} gave {}", earlier.len(), both.len());
        return Err(EngineError::new(ErrorKind::FixInput, message).from_guest());
    }
    Ok(both.iter().map(<[u8]>::to_vec).collect())
}
