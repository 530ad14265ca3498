//! What an operator's states hold of some keys, taken out of them: to compare, to show, and to put back.

use crate::element::Column;
use crate::error::EngineError;
use crate::state::{BroadcastState, Content, KeyedState, StateDescriptor, StateKind, WINDOW_STATE, WindowKind, key_of_unit, put_unit};
use std::collections::{BTreeMap, BTreeSet};

/// What one state holds of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The value of a value state, or of an entry of a broadcast state.
    Value(Vec<u8>),
    /// The items of a list state.
    List(Vec<Vec<u8>>),
    /// The entries of a map state with their values.
    Map(Vec<(Vec<u8>, Vec<u8>)>),
}

/// A state by its number, and a key of it; of a broadcast state an entry.
pub type StateKey = (usize, Vec<u8>);

/// What states hold. A key of which a state holds nothing is not among them.
pub type Contents = BTreeMap<StateKey, Held>;

/// What states hold, taken out of them to be put back.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// What can be seen of it.
    pub held: Contents,
    /// What has a time to live as it is stored, with the times at which it was written: it lives no longer for having been put back.
    stamped: BTreeMap<StateKey, Content>,
}

impl Taken {
    /// What needs no stamps to be put back.
    pub fn of(held: Contents) -> Self {
        Self { held, stamped: BTreeMap::new() }
    }

    /// Adds what the selected keys have.
    pub fn add_selected(&mut self, state: &KeyedState) -> Result<(), EngineError> {
        for (key, bytes) in state.unit_keys().iter().enumerate() {
            for (number, declared) in state.states().iter().enumerate() {
                let Some(held) = held(state, key, number, declared)? else { continue };
                if declared.ttl.is_some() {
                    self.stamped.insert((number, bytes.to_vec()), state.stored(key, number)?);
                }
                self.held.insert((number, bytes.to_vec()), held);
            }
        }
        Ok(())
    }
}

fn held(state: &KeyedState, key: usize, number: usize, declared: &StateDescriptor) -> Result<Option<Held>, EngineError> {
    let (mut items, mut values) = (Column::new(), Column::new());
    let owned = |column: &Column| column.iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
    Ok(match declared.kind {
        StateKind::Value => state.copied_value(key, number)?.map(Held::Value),
        StateKind::List => {
            state.list_read(key, number, 0, usize::MAX, &mut items)?;
            (!items.is_empty()).then(|| Held::List(owned(&items)))
        }
        StateKind::Map => {
            state.map_scan(key, number, None, usize::MAX, &mut items, &mut values)?;
            (!items.is_empty()).then(|| Held::Map(owned(&items).into_iter().zip(owned(&values)).collect()))
        }
        StateKind::Broadcast => None,
    })
}

/// Adds all entries of the broadcast states among `states`.
pub(super) fn of_broadcast(state: &BroadcastState, states: &[StateDescriptor], contents: &mut Contents) {
    for number in (0..states.len()).filter(|&number| state.is_declared(number)) {
        let (mut entries, mut values) = (Column::new(), Column::new());
        state.scan(number, None, usize::MAX, &mut entries, &mut values);
        let held = entries.iter().zip(values.iter()).map(|(entry, value)| ((number, entry.to_vec()), Held::Value(value.to_vec())));
        contents.extend(held);
    }
}

/// The same of an operator with these states, where the counts that are open are numbered from 0, key by key. What number one has depends on whether the one in front
/// of it was full in an earlier call or in its own, so on how the records were cut; nothing else does.
pub(super) fn numbered_anew(contents: &Contents, states: &[StateDescriptor]) -> Contents {
    let kind = states.iter().find(|state| state.name == WINDOW_STATE).and_then(|state| WindowKind::of_described(&state.schema));
    if !matches!(kind, Some(WindowKind::Count { .. })) {
        return contents.clone();
    }
    let mut next = BTreeMap::<(usize, &[u8]), i64>::new();
    let mut anew = Contents::new();
    for ((state, unit), held) in contents {
        let key = key_of_unit(unit);
        let number = next.entry((*state, key)).or_default();
        let mut unit = Vec::with_capacity(key.len() + 8);
        put_unit(*number, key, &mut unit);
        *number += 1;
        anew.insert((*state, unit), held.clone());
    }
    anew
}

/// Makes the selected keys hold just what was taken of them.
pub(super) fn put_back(state: &mut KeyedState, taken: &Taken) -> Result<(), EngineError> {
    let keys: Vec<Vec<u8>> = state.unit_keys().iter().map(<[u8]>::to_vec).collect();
    let keyed: Vec<usize> = (0..state.states().len()).filter(|&number| state.states()[number].kind != StateKind::Broadcast).collect();
    for (key, bytes) in keys.into_iter().enumerate() {
        for &number in &keyed {
            state.clear(key, number)?;
        }
        for &number in &keyed {
            let of = (number, bytes.clone());
            if let Some(stored) = taken.stamped.get(&of) {
                state.put_stored(key, number, stored)?;
                continue;
            }
            match taken.held.get(&of) {
                None => {}
                Some(Held::Value(value)) => state.set_value(key, number, value)?,
                Some(Held::List(items)) => items.iter().try_for_each(|item| state.list_append(key, number, item))?,
                Some(Held::Map(entries)) => entries.iter().try_for_each(|(entry, value)| state.map_put(key, number, entry, value))?,
            }
        }
    }
    Ok(())
}

/// Makes the broadcast states hold just what `contents` has.
pub(super) fn put_back_broadcast(state: &mut BroadcastState, states: usize, contents: &Contents) {
    for number in 0..states {
        if state.is_declared(number) {
            state.clear(number);
        }
    }
    for ((number, entry), held) in contents {
        match held {
            Held::Value(value) => state.put(*number, entry, value),
            Held::List(_) | Held::Map(_) => unreachable!("an entry of a broadcast state has one value"),
        }
    }
}

/// The state keys of either, in order.
pub(super) fn keys_of<'a>(a: &'a Contents, b: &'a Contents) -> BTreeSet<&'a StateKey> {
    a.keys().chain(b.keys()).collect()
}
