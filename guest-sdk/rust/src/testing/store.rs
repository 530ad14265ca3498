//! State in memory: plain maps that effects are applied to.

use super::record::vecs;
use crate::bindings::weir::operator::types::{
    BroadcastUpdate, Effects, KeyCounts, KeyedColumn, ListUpdate, MapUpdate, StateDecl, StateKind, Timers, ValueUpdate,
};
use crate::columns::{empty_keyed_column, items, push_item, push_u32, u32s};
use std::collections::{BTreeMap, BTreeSet};

/// The state number and the key.
type Of = (u32, Vec<u8>);

/// All state of an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Store {
    pub(super) values: BTreeMap<Of, Vec<u8>>,
    pub(super) lists: BTreeMap<Of, Vec<Vec<u8>>>,
    pub(super) maps: BTreeMap<Of, Map>,
    /// By the state's number.
    pub(super) broadcasts: BTreeMap<u32, Map>,
    /// Those that are set.
    pub(super) timers: BTreeSet<SetTimer>,
}

/// A timer that is set, in the order in which timers fire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SetTimer {
    pub(super) time: i64,
    pub(super) key: Vec<u8>,
    /// The declared timer's number.
    pub(super) timer: u32,
}

/// The entries of a map.
pub(super) type Map = BTreeMap<Vec<u8>, Vec<u8>>;

impl Store {
    /// The values of `keys`, one column for each declared state.
    pub(super) fn columns(&self, states: &[StateDecl], keys: &[Vec<u8>]) -> Vec<KeyedColumn> {
        (0..)
            .zip(states)
            .map(|(number, state)| if state.kind == StateKind::Value { self.column(number, keys) } else { empty_keyed_column() })
            .collect()
    }

    fn column(&self, number: u32, keys: &[Vec<u8>]) -> KeyedColumn {
        let mut column = empty_keyed_column();
        for (index, key) in (0..).zip(keys) {
            if let Some(value) = self.values.get(&(number, key.clone())) {
                push_u32(&mut column.keys, index);
                push_item(&mut column.items, value);
            }
        }
        column
    }

    /// Applies the state updates of a call whose batch has these keys.
    pub(super) fn apply(&mut self, effects: &Effects, keys: &[Vec<u8>]) {
        for update in &effects.values {
            self.apply_value(update, keys);
        }
        for update in &effects.lists {
            self.apply_list(update, keys);
        }
        for update in &effects.maps {
            self.apply_map(update, keys);
        }
        for update in &effects.broadcasts {
            self.apply_broadcast(update);
        }
        for update in &effects.timers {
            for timer in set_timers(update.timer, &update.deleted, keys) {
                self.timers.remove(&timer);
            }
            self.timers.extend(set_timers(update.timer, &update.set, keys));
        }
    }

    fn apply_value(&mut self, update: &ValueUpdate, keys: &[Vec<u8>]) {
        for key in named(update.state, &update.cleared, keys) {
            self.values.remove(&key);
        }
        for (key, value) in named(update.state, &update.set.keys, keys).zip(vecs(&update.set.items)) {
            self.values.insert(key, value);
        }
    }

    fn apply_list(&mut self, update: &ListUpdate, keys: &[Vec<u8>]) {
        for key in named(update.state, &update.cleared, keys) {
            self.lists.remove(&key);
        }
        for (key, count) in counted(update.state, &update.popped, keys) {
            let list = self.lists.entry(key).or_default();
            list.drain(..list.len().min(count));
        }
        for (key, len) in counted(update.state, &update.truncated, keys) {
            self.lists.entry(key).or_default().truncate(len);
        }
        for (key, item) in named(update.state, &update.append.keys, keys).zip(vecs(&update.append.items)) {
            self.lists.entry(key).or_default().push(item);
        }
        self.lists.retain(|_, list| !list.is_empty());
    }

    fn apply_map(&mut self, update: &MapUpdate, keys: &[Vec<u8>]) {
        for key in named(update.state, &update.cleared, keys) {
            self.maps.remove(&key);
        }
        for (key, entry) in named(update.state, &update.removed.keys, keys).zip(items(&update.removed.items)) {
            if let Some(map) = self.maps.get_mut(&key) {
                map.remove(entry);
            }
        }
        let put = vecs(&update.put.items).into_iter().zip(vecs(&update.values));
        for (key, (entry, value)) in named(update.state, &update.put.keys, keys).zip(put) {
            self.maps.entry(key).or_default().insert(entry, value);
        }
        self.maps.retain(|_, map| !map.is_empty());
    }

    fn apply_broadcast(&mut self, update: &BroadcastUpdate) {
        let map = self.broadcasts.entry(update.state).or_default();
        if update.cleared {
            map.clear();
        }
        items(&update.removed).for_each(|entry| drop(map.remove(entry)));
        map.extend(vecs(&update.put).into_iter().zip(vecs(&update.values)));
        self.broadcasts.retain(|_, map| !map.is_empty());
    }
}

fn set_timers<'a>(timer: u32, of: &'a Timers, keys: &'a [Vec<u8>]) -> impl Iterator<Item = SetTimer> + 'a {
    let times = of.times.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
    u32s(&of.keys).zip(times).map(move |(key, time)| SetTimer { time, key: keys[key as usize].clone(), timer })
}

/// Keys with the state's number, and a count for each.
fn counted<'a>(state: u32, counts: &'a KeyCounts, keys: &'a [Vec<u8>]) -> impl Iterator<Item = (Of, usize)> + 'a {
    let numbers = counts.counts.as_chunks::<8>().0.iter().map(|bytes| usize::try_from(u64::from_le_bytes(*bytes)).unwrap_or(usize::MAX));
    named(state, &counts.keys, keys).zip(numbers)
}

/// The keys of a `u32s` of key indexes, with the state's number.
fn named<'a>(state: u32, indexes: &'a [u8], keys: &'a [Vec<u8>]) -> impl Iterator<Item = Of> + 'a {
    u32s(indexes).map(move |index| (state, keys[index as usize].clone()))
}
