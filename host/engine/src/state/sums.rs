//! What is kept of a window to which that of a later one is added: a sum takes what the later one has, however much the first has already.

use super::contents::{Content, Contents};
use super::{KeySlot, StateBackend, StateMerger};
use crate::element::Column;
use crate::error::{EngineError, ErrorKind};
use std::collections::BTreeMap;

/// What of one state was there before something is added to it: as much as it takes to have that again.
#[derive(Debug)]
pub(super) enum Before {
    /// Nothing is added.
    Same,
    /// The value.
    Value(Option<Vec<u8>>),
    /// How long the list was.
    Items(u64),
    /// The values of the entries that are added.
    Entries(BTreeMap<Vec<u8>, Option<Vec<u8>>>),
}

impl Before {
    /// What is there of a state to which `added` is added.
    pub fn read(backend: &dyn StateBackend, slot: &KeySlot, state: usize, added: &Content) -> Result<Self, EngineError> {
        Ok(match added {
            Content::Absent => Self::Same,
            Content::Value(_) => {
                let mut value = Column::new();
                Self::Value(backend.value(slot, state, &mut value)?.then(|| value.into_parts().0))
            }
            Content::List(_) => Self::Items(backend.list_len(slot, state)?),
            Content::Map(entries) => {
                let of_entry = |entry: &Vec<u8>| {
                    let mut value = Column::new();
                    let is_there = backend.map_get(slot, state, entry, &mut value)?;
                    Ok((entry.clone(), is_there.then(|| value.into_parts().0)))
                };
                Self::Entries(entries.keys().map(of_entry).collect::<Result<_, EngineError>>()?)
            }
        })
    }

    /// Has it as it was.
    pub fn write_back(&self, backend: &mut dyn StateBackend, slot: &mut KeySlot, (unit, state): (&[u8], usize)) -> Result<(), EngineError> {
        match self {
            Self::Same => Ok(()),
            Self::Value(None) => backend.clear(slot, unit, state),
            Self::Value(Some(value)) => backend.set_value(slot, unit, state, value),
            Self::Items(len) => backend.list_truncate(slot, unit, state, *len),
            Self::Entries(entries) => entries.iter().try_for_each(|(entry, value)| match value {
                None => backend.map_remove(slot, unit, state, entry),
                Some(value) => backend.map_put(slot, unit, state, entry, value),
            }),
        }
    }

    /// What is put in its place, or behind it, where `later` is added.
    fn sum(&self, state: usize, later: Content, merger: Option<&dyn StateMerger>) -> Result<Content, EngineError> {
        Ok(match (self, later) {
            (Self::Value(Some(earlier)), Content::Value(later)) => {
                let mut both = one_of(merger, state, std::iter::once((&earlier[..], &later[..])))?;
                Content::Value(both.pop().unwrap_or_default())
            }
            (Self::Entries(earlier), Content::Map(mut later)) => {
                let shared = earlier.iter().filter_map(|(entry, value)| Some((&value.as_ref()?[..], &later.get(entry)?[..])));
                let values = one_of(merger, state, shared)?;
                let names = earlier.iter().filter(|(_, value)| value.is_some()).map(|(entry, _)| entry.clone());
                let merged: Vec<(Vec<u8>, Vec<u8>)> = names.zip(values).collect();
                later.extend(merged);
                Content::Map(later)
            }
            (Self::Same | Self::Value(_) | Self::Items(_) | Self::Entries(_), later) => later,
        })
    }
}

/// What is to be put so that something else is added, for each state: worked out from what is there `before`.
pub(super) fn sums(before: &[Before], later: Contents, merger: Option<&dyn StateMerger>) -> Result<Contents, EngineError> {
    let both = before.iter().zip(later.0).enumerate();
    both.map(|(state, (before, later))| before.sum(state, later, merger)).collect::<Result<_, _>>().map(Contents)
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
