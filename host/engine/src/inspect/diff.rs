//! What changed in an operator's state from one checkpoint to another.
//!
//! States are matched by name, and a state's keys compared by the bytes of what they hold. A broadcast state has no keys; its entries are compared
//! in their place. A side without the operator, or without the state, holds nothing.

use super::{KeyedReader, OperatorState};
use crate::error::{EngineError, ErrorKind};
use crate::state::{BroadcastState, Payload, StateDescriptor, StateKind, StoredState};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

/// How many of a state's keys changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateChanges {
    /// Keys that only the later checkpoint has.
    pub added: u64,
    /// Keys that only the earlier one has.
    pub removed: u64,
    /// Keys whose contents differ.
    pub changed: u64,
    /// Keys that are the same in both.
    pub unchanged: u64,
}

/// What a key has of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPayload<'a> {
    /// The state as it was declared.
    pub state: &'a StateDescriptor,
    /// The schema version that the payload was written under.
    pub version: u32,
    /// The payload; of a broadcast state's entry its value.
    pub payload: Payload<'a>,
}

/// A key that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDifference<'a> {
    /// The name of the state.
    pub state: &'a str,
    /// The key; in a broadcast state the entry.
    pub key: &'a [u8],
    /// What happened to it.
    pub change: Change<'a>,
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<'a> {
    /// It has come.
    Added(&'a StoredPayload<'a>),
    /// It has gone.
    Removed(&'a StoredPayload<'a>),
    /// It was this and is that.
    Changed(&'a StoredPayload<'a>, &'a StoredPayload<'a>),
}

/// Compares an operator's state `before` with that `after`. Tells `each` of every difference, keyed states first, in the order of key groups and
/// keys, until it breaks. The counts of every state by name, as far as the comparison went.
pub async fn diff(
    before: Option<OperatorState<'_>>,
    after: Option<OperatorState<'_>>,
    each: &mut (dyn FnMut(&KeyDifference<'_>) -> ControlFlow<()> + Send),
) -> Result<BTreeMap<String, StateChanges>, EngineError> {
    let declared = before.iter().chain(&after).flat_map(OperatorState::declared);
    let mut counts = declared.map(|state| (state.name.clone(), StateChanges::default())).collect();
    let (mut was, mut is) = (before.map(|side| side.keyed()), after.map(|side| side.keyed()));
    for key_group in key_groups(was.as_ref(), is.as_ref())? {
        let (was, is) = (keyed(was.as_mut(), key_group).await?, keyed(is.as_mut(), key_group).await?);
        if compare(&was, &is, &mut counts, each).is_break() {
            return Ok(counts);
        }
    }
    let (was, is) = (copy(before).await?, copy(after).await?);
    // Nothing follows that a break could keep from being compared.
    _ = compare(&broadcast(before, was.as_ref()), &broadcast(after, is.as_ref()), &mut counts, each);
    Ok(counts)
}

/// What one side has, by key and by the name of the state.
type Side<'a> = BTreeMap<(&'a [u8], &'a str), StoredPayload<'a>>;

fn key_groups(before: Option<&KeyedReader<'_>>, after: Option<&KeyedReader<'_>>) -> Result<Range<u32>, EngineError> {
    match (before.map(KeyedReader::key_groups), after.map(KeyedReader::key_groups)) {
        (Some(was), Some(is)) if was != is => {
            let message = format!("compare two checkpoints: one has {} key groups and the other {}", was.end, is.end);
            Err(EngineError::new(ErrorKind::FixInput, message))
        }
        (Some(groups), _) | (None, Some(groups)) => Ok(groups),
        (None, None) => Ok(0..0),
    }
}

async fn keyed<'r>(reader: Option<&'r mut KeyedReader<'_>>, key_group: u32) -> Result<Side<'r>, EngineError> {
    let Some(reader) = reader else { return Ok(Side::new()) };
    let declared = reader.declared();
    let payload = |StoredState { index, version, payload }| StoredPayload { state: &declared[index], version, payload };
    let keys = reader.group(key_group).await?.into_iter();
    let states = keys.flat_map(|(key, states)| states.into_iter().map(move |state| (key, payload(state))));
    Ok(states.map(|(key, payload)| ((key, payload.state.name.as_str()), payload)).collect())
}

async fn copy(side: Option<OperatorState<'_>>) -> Result<Option<BroadcastState>, EngineError> {
    match side {
        Some(operator) => operator.broadcast().await,
        None => Ok(None),
    }
}

fn broadcast<'a>(side: Option<OperatorState<'a>>, copy: Option<&'a BroadcastState>) -> Side<'a> {
    let (Some(operator), Some(copy)) = (side, copy) else { return Side::new() };
    let states = operator.declared().iter().enumerate().filter(|(_, state)| state.kind == StateKind::Broadcast);
    let entries = states.flat_map(|(index, state)| copy.entries(index).map(move |(entry, value)| (state, entry, value)));
    // A copy is read only where all of it was written under the declared versions.
    let payload = |state: &'a StateDescriptor, value| StoredPayload { state, version: state.version, payload: Payload::Value(value) };
    entries.map(|(state, entry, value)| ((entry, state.name.as_str()), payload(state, value))).collect()
}

/// Counts what differs between the two sides, and tells of it.
fn compare(
    before: &Side<'_>,
    after: &Side<'_>,
    counts: &mut BTreeMap<String, StateChanges>,
    each: &mut (dyn FnMut(&KeyDifference<'_>) -> ControlFlow<()> + Send),
) -> ControlFlow<()> {
    let all: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    for (key, state) in all {
        let counts = counts.get_mut(state).expect("all declared states are counted");
        let (count, change) = match (before.get(&(key, state)), after.get(&(key, state))) {
            (Some(was), Some(is)) if was.payload != is.payload => (&mut counts.changed, Some(Change::Changed(was, is))),
            (Some(_), Some(_)) => (&mut counts.unchanged, None),
            (Some(was), None) => (&mut counts.removed, Some(Change::Removed(was))),
            (None, Some(is)) => (&mut counts.added, Some(Change::Added(is))),
            (None, None) => unreachable!("every key is of one side at least"),
        };
        *count += 1;
        if let Some(change) = change {
            each(&KeyDifference { state, key, change })?;
        }
    }
    ControlFlow::Continue(())
}
