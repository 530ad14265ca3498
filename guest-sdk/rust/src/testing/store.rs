//! State in memory: plain maps that effects are applied to.

use super::lifetimes::Stamps;
use super::record::vecs;
use crate::bindings::weir::operator::types::{
    BroadcastUpdate, Effects, KeyCounts, KeyedColumn, ListUpdate, MapUpdate, StateDecl, StateKind, Timers, ValueUpdate,
};
use crate::columns::{empty_keyed_column, items, push_item, push_u32, u32s};
use std::collections::{BTreeMap, BTreeSet};

/// The state number and the key.
pub(super) type Of = (u32, Vec<u8>);

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
    /// Of states with a time to live.
    pub(super) stamps: Stamps,
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

    /// Makes one of the state of several keys, which are in order, under the key `into`: lists stand one behind the other, and of two values, or of those of two
    /// entries, `merge` makes one.
    pub(super) fn join(
        &mut self,
        parts: &[Vec<u8>],
        into: &[u8],
        merge: impl Fn(u32, &[u8], &[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<(), String> {
        let mut joined = Self::default();
        let at = |number: u32| (number, into.to_vec());
        for part in parts {
            for (number, value) in take_of(&mut self.values, part) {
                let both = match joined.values.remove(&at(number)) {
                    Some(earlier) => merge(number, &earlier, &value)?,
                    None => value,
                };
                joined.values.insert(at(number), both);
            }
            for (number, list) in take_of(&mut self.lists, part) {
                joined.lists.entry(at(number)).or_default().extend(list);
            }
            for (number, map) in take_of(&mut self.maps, part) {
                let joined = joined.maps.entry(at(number)).or_default();
                for (entry, value) in map {
                    let both = match joined.remove(&entry) {
                        Some(earlier) => merge(number, &earlier, &value)?,
                        None => value,
                    };
                    joined.insert(entry, both);
                }
            }
        }
        self.values.extend(joined.values);
        self.lists.extend(joined.lists);
        self.maps.extend(joined.maps);
        Ok(())
    }

    /// Forgets all state of a key.
    pub(super) fn forget(&mut self, key: &[u8]) {
        take_of(&mut self.values, key);
        take_of(&mut self.lists, key);
        take_of(&mut self.maps, key);
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

/// Takes out what is kept for a key, by the number of its state.
fn take_of<T>(kept: &mut BTreeMap<Of, T>, key: &[u8]) -> BTreeMap<u32, T> {
    kept.extract_if(.., |(_, of), _| of == key).map(|((number, _), taken)| (number, taken)).collect()
}

fn set_timers<'a>(timer: u32, of: &'a Timers, keys: &'a [Vec<u8>]) -> impl Iterator<Item = SetTimer> + 'a {
    let times = of.times.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
    u32s(&of.keys).zip(times).map(move |(key, time)| SetTimer { time, key: keys[key as usize].clone(), timer })
}

/// Keys with the state's number, and a count for each.
pub(super) fn counted<'a>(state: u32, counts: &'a KeyCounts, keys: &'a [Vec<u8>]) -> impl Iterator<Item = (Of, usize)> + 'a {
    let numbers = counts.counts.as_chunks::<8>().0.iter().map(|bytes| usize::try_from(u64::from_le_bytes(*bytes)).unwrap_or(usize::MAX));
    named(state, &counts.keys, keys).zip(numbers)
}

/// The keys of a `u32s` of key indexes, with the state's number.
fn named<'a>(state: u32, indexes: &'a [u8], keys: &'a [Vec<u8>]) -> impl Iterator<Item = Of> + 'a {
    u32s(indexes).map(move |index| (state, keys[index as usize].clone()))
}
