//! The host calls of a guest, natively: answered from the state of the test host whose call is running on this thread.

use super::record::vecs;
use super::store::{Map, Store};
use crate::bindings::weir::operator::collections::{ListPage, MapPage};
use crate::bindings::weir::operator::logging::Level;
use crate::bindings::weir::operator::types::{Column, KeyedColumn};
use crate::columns::{empty_column, empty_keyed_column, push_item, push_u32};
use std::cell::RefCell;
use std::ops::Bound;

/// A call that is running.
#[derive(Default)]
pub(super) struct Call {
    pub(super) store: Store,
    /// The call's keys; none outside `process` and `on_timers`, and where the input is not keyed.
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) logs: Vec<(Level, String)>,
}

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// Runs `guest` with `call` behind its imports, and returns the call as it is afterwards.
pub(super) fn during<T>(call: Call, guest: impl FnOnce() -> T) -> (Call, T) {
    CALL.set(Some(call));
    let result = guest();
    (CALL.take().unwrap_or_default(), result)
}

fn with_key<T>(state: u32, key: u32, read: impl FnOnce(&Store, (u32, Vec<u8>)) -> T) -> T {
    CALL.with_borrow(|call| {
        let call = call.as_ref().expect("collections are read within `process` and `on_timers` only");
        let name = call.keys.get(key as usize).expect("a key of the batch").clone();
        read(&call.store, (state, name))
    })
}

fn with_store<T>(read: impl FnOnce(&Store) -> T) -> T {
    CALL.with_borrow(|call| read(&call.as_ref().expect("collections are read within `process` and `on_timers` only").store))
}

pub(crate) fn list_length(state: u32, key: u32) -> u64 {
    with_key(state, key, |store, of| store.lists.get(&of).map_or(0, |list| list.len() as u64))
}

pub(crate) fn list_read(state: u32, key: u32, start: u64, max_bytes: u32) -> ListPage {
    with_key(state, key, |store, of| {
        let list = store.lists.get(&of).map_or(&[][..], Vec::as_slice);
        let mut items = empty_column();
        for (index, item) in (0..).zip(list).skip(usize::try_from(start).unwrap_or(usize::MAX)) {
            if !items.ends.is_empty() && items.data.len() + item.len() > max_bytes as usize {
                return ListPage { items, next: Some(index) };
            }
            push_item(&mut items, item);
        }
        ListPage { items, next: None }
    })
}

pub(crate) fn map_get(state: u32, key: u32, entries: &Column) -> KeyedColumn {
    with_key(state, key, |store, of| get(store.maps.get(&of), entries))
}

pub(crate) fn map_scan(state: u32, key: u32, start: Option<&[u8]>, max_bytes: u32) -> MapPage {
    with_key(state, key, |store, of| scan(store.maps.get(&of), start, max_bytes))
}

pub(crate) fn broadcast_get(state: u32, entries: &Column) -> KeyedColumn {
    with_store(|store| get(store.broadcasts.get(&state), entries))
}

pub(crate) fn broadcast_scan(state: u32, start: Option<&[u8]>, max_bytes: u32) -> MapPage {
    with_store(|store| scan(store.broadcasts.get(&state), start, max_bytes))
}

fn get(map: Option<&Map>, entries: &Column) -> KeyedColumn {
    let mut found = empty_keyed_column();
    for (index, entry) in (0..).zip(vecs(entries)) {
        if let Some(value) = map.and_then(|map| map.get(&entry)) {
            push_u32(&mut found.keys, index);
            push_item(&mut found.items, value);
        }
    }
    found
}

fn scan(map: Option<&Map>, start: Option<&[u8]>, max_bytes: u32) -> MapPage {
    let (mut entries, mut values) = (empty_column(), empty_column());
    let from = start.map_or(Bound::Unbounded, Bound::Included);
    for (name, value) in map.iter().flat_map(|map| map.range::<[u8], _>((from, Bound::Unbounded))) {
        let bytes = entries.data.len() + values.data.len() + name.len() + value.len();
        if !entries.ends.is_empty() && bytes > max_bytes as usize {
            return MapPage { entries, values, next: Some(name.clone()) };
        }
        push_item(&mut entries, name);
        push_item(&mut values, value);
    }
    MapPage { entries, values, next: None }
}

/// Keeps the line for the test; outside of a test host's call it goes to standard error.
pub(crate) fn log(level: Level, message: &str) {
    CALL.with_borrow_mut(|call| match call {
        Some(call) => call.logs.push((level, message.to_owned())),
        None => eprintln!("{level:?}: {message}"),
    });
}
