//! A list per key: appended to, read from a position on or from the front, cleared.

use super::{BatchInput, Cbor, Codec, Place, Schema, State, StateDecl, StateFault, StateHandle, StateKind, declaration};
use crate::bindings::weir::operator::types::{Column, Effects, KeyedColumn, ListUpdate};
use crate::columns::{empty_column, empty_keyed_column, end_of, item, items, push_item, push_u32, u32_count};
use crate::error::Result;
use crate::host::{self, PAGE_BYTES};
use std::marker::PhantomData;

/// The list of the record's key. It stays with the host; reads fetch what they ask for, page by page.
pub struct ListState<T, C = Cbor> {
    place: Place,
    /// For each key of the batch its change, or [`UNCHANGED`]; none where the input is not keyed.
    slots: Vec<u32>,
    changes: Vec<Change>,
    codec: PhantomData<fn() -> (T, C)>,
}

const UNCHANGED: u32 = u32::MAX;

/// What the batch did to one key's list.
struct Change {
    key: u32,
    cleared: bool,
    appended: Column,
}

impl<T, C: Codec<T>> ListState<T, C> {
    /// Number of items.
    pub fn len(&self) -> Result<u64> {
        let change = self.change()?;
        let appended = change.map_or(0, |change| u32_count(&change.appended.ends) as u64);
        Ok(self.stored_len(change) + appended)
    }

    /// True where the list has no item.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Item `index`, from 0, if there is one.
    pub fn get(&self, index: u64) -> Result<Option<T>> {
        let change = self.change()?;
        let stored = self.stored_len(change);
        if index < stored {
            let page = host::list_read(self.place.number, self.place.key, index, 1);
            return items(&page.items).next().map(|bytes| self.decode(bytes)).transpose();
        }
        let Some(change) = change else { return Ok(None) };
        let appended = usize::try_from(index - stored).ok().filter(|&at| at < u32_count(&change.appended.ends));
        appended.map(|at| self.decode(item(&change.appended, at))).transpose()
    }

    /// The items in order.
    pub fn iter(&self) -> Result<ListIter<'_, T, C>> {
        let change = self.change()?;
        let next = if change.is_some_and(|change| change.cleared) { None } else { Some(0) };
        Ok(ListIter { state: self, page: empty_column(), at: 0, next, appended: change.map(|change| &change.appended), appended_at: 0 })
    }

    /// Adds an item at the end.
    pub fn append(&mut self, value: &T) -> Result<()> {
        let key = self.place.key;
        let mut encoded = Vec::new();
        C::encode(value, &mut encoded).map_err(|error| self.place.failed("encode an item of", error))?;
        let index = self.change_mut(key)?;
        push_item(&mut self.changes[index].appended, &encoded);
        Ok(())
    }

    /// Removes all items.
    pub fn clear(&mut self) -> Result<()> {
        let index = self.change_mut(self.place.key)?;
        let change = &mut self.changes[index];
        change.cleared = true;
        change.appended = empty_column();
        Ok(())
    }

    fn stored_len(&self, change: Option<&Change>) -> u64 {
        if change.is_some_and(|change| change.cleared) { 0 } else { host::list_length(self.place.number, self.place.key) }
    }

    fn change(&self) -> Result<Option<&Change>> {
        match self.slots.get(self.place.key as usize) {
            None => Err(self.place.no_key()),
            Some(&UNCHANGED) => Ok(None),
            Some(&index) => Ok(Some(&self.changes[index as usize])),
        }
    }

    /// The index of the key's change, which is made where there is none.
    fn change_mut(&mut self, key: u32) -> Result<usize> {
        let Some(slot) = self.slots.get_mut(key as usize) else { return Err(self.place.no_key()) };
        if *slot == UNCHANGED {
            *slot = self.changes.len() as u32;
            self.changes.push(Change { key, cleared: false, appended: empty_column() });
        }
        Ok(*slot as usize)
    }

    fn decode(&self, bytes: &[u8]) -> Result<T> {
        C::decode(bytes).map_err(|error| self.place.failed("decode an item of", error))
    }
}

impl<T, C: Codec<T>> State for ListState<T, C> {
    fn begin(&mut self, input: BatchInput, _values: KeyedColumn) {
        self.changes.clear();
        self.slots.clear();
        self.slots.resize(input.keys(), UNCHANGED);
    }

    #[inline(always)]
    fn select(&mut self, key: u32) {
        self.place.key = key;
    }

    fn finish(&mut self, effects: &mut Effects) -> Result<(), StateFault> {
        let mut update = ListUpdate { state: self.place.number, cleared: Vec::new(), append: empty_keyed_column() };
        for change in &self.changes {
            if change.cleared {
                push_u32(&mut update.cleared, change.key);
            }
            for bytes in items(&change.appended) {
                push_u32(&mut update.append.keys, change.key);
                update.append.items.data.extend_from_slice(bytes);
                let end = end_of(&update.append.items.data);
                push_u32(&mut update.append.items.ends, end);
            }
        }
        if !self.changes.is_empty() {
            effects.lists.push(update);
        }
        self.begin(BatchInput::Other, empty_keyed_column());
        Ok(())
    }
}

impl<T, C: Codec<T>> StateHandle for ListState<T, C> {
    fn new(number: u32, name: &'static str) -> Self {
        Self { place: Place::new(number, name), slots: Vec::new(), changes: Vec::new(), codec: PhantomData }
    }

    fn declare(name: &str, version: u32) -> StateDecl {
        declaration(name, StateKind::List, Schema::text(C::describe), version)
    }
}

/// The items of a list: those that are stored, page by page, then those that the batch appended.
pub struct ListIter<'a, T, C = Cbor> {
    state: &'a ListState<T, C>,
    page: Column,
    at: usize,
    next: Option<u64>,
    appended: Option<&'a Column>,
    appended_at: usize,
}

impl<T, C: Codec<T>> Iterator for ListIter<'_, T, C> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        while self.at == u32_count(&self.page.ends) {
            let Some(start) = self.next else { return self.next_appended() };
            let page = host::list_read(self.state.place.number, self.state.place.key, start, PAGE_BYTES);
            (self.page, self.at, self.next) = (page.items, 0, page.next);
        }
        self.at += 1;
        Some(self.state.decode(item(&self.page, self.at - 1)))
    }
}

impl<T, C: Codec<T>> ListIter<'_, T, C> {
    fn next_appended(&mut self) -> Option<Result<T>> {
        let appended = self.appended.filter(|appended| self.appended_at < u32_count(&appended.ends))?;
        self.appended_at += 1;
        Some(self.state.decode(item(appended, self.appended_at - 1)))
    }
}
