//! A list per key: appended to, read from a position on or from the front, shortened at either end, cleared.

use super::list_change::{Change, View};
use super::{BatchInput, Cbor, Codec, Place, Schema, State, StateDecl, StateFault, StateHandle, StateKind, declaration};
use crate::bindings::weir::operator::types::{Column, Effects, KeyCounts, KeyedColumn, ListUpdate};
use crate::columns::{empty_column, empty_keyed_column, item, items, push_item, u32_count};
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

impl<T, C> ListState<T, C> {
    pub(super) fn place_mut(&mut self) -> &mut Place {
        &mut self.place
    }
}

impl<T, C: Codec<T>> ListState<T, C> {
    /// Number of items.
    pub fn len(&self) -> Result<u64> {
        Ok(self.view()?.len())
    }

    /// True where the list has no item.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Item `index`, from 0, if there is one.
    pub fn get(&self, index: u64) -> Result<Option<T>> {
        let view = self.view()?;
        if index < view.stored {
            let page = host::list_read(self.place.number, self.place.key, view.first + index, 1);
            return items(&page.items).next().map(|bytes| self.decode(bytes)).transpose();
        }
        let appended = view.change.and_then(|change| change.appended.get(index - view.stored));
        appended.map(|bytes| self.decode(bytes)).transpose()
    }

    /// The items in order.
    pub fn iter(&self) -> Result<ListIter<'_, T, C>> {
        Ok(ListIter { state: self, view: self.view()?, page: empty_column(), at: 0, next: 0 })
    }

    /// Adds an item at the end.
    pub fn append(&mut self, value: &T) -> Result<()> {
        let mut encoded = Vec::new();
        C::encode(value, &mut encoded).map_err(|error| self.place.failed("encode an item of", error))?;
        push_item(&mut self.change_mut()?.appended.items, &encoded);
        Ok(())
    }

    /// Removes the first `count` items, or all where there are fewer.
    pub fn pop_front(&mut self, count: u64) -> Result<()> {
        let stored = self.view()?.stored;
        self.change_mut()?.pop_front(count, stored);
        Ok(())
    }

    /// Removes all items behind the first `len`; nothing where there are no more.
    pub fn truncate(&mut self, len: u64) -> Result<()> {
        let stored = self.view()?.stored;
        self.change_mut()?.truncate(len, stored);
        Ok(())
    }

    /// Removes all items.
    pub fn clear(&mut self) -> Result<()> {
        let change = self.change_mut()?;
        *change = Change { cleared: true, ..Change::of(change.key) };
        Ok(())
    }

    /// The list as it is now.
    fn view(&self) -> Result<View<'_>> {
        let change = match self.slots.get(self.place.key as usize) {
            None => return Err(self.place.no_key()),
            Some(&UNCHANGED) => None,
            Some(&index) => Some(&self.changes[index as usize]),
        };
        let stored = || host::list_length(self.place.number, self.place.key);
        Ok(match change {
            None => View { change, first: 0, stored: stored() },
            Some(change) if change.cleared => View { change: Some(change), first: 0, stored: 0 },
            Some(change) => {
                let left = stored().saturating_sub(change.popped);
                View { change: Some(change), first: change.popped, stored: change.kept.map_or(left, |kept| kept.min(left)) }
            }
        })
    }

    /// The change of the shown key, which is made where there is none.
    fn change_mut(&mut self) -> Result<&mut Change> {
        let key = self.place.key;
        let Some(slot) = self.slots.get_mut(key as usize) else { return Err(self.place.no_key()) };
        if *slot == UNCHANGED {
            *slot = self.changes.len() as u32;
            self.changes.push(Change::of(key));
        }
        Ok(&mut self.changes[*slot as usize])
    }

    /// Every item that is handed out comes through here.
    fn decode(&self, bytes: &[u8]) -> Result<T> {
        self.place.note_read();
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
        let none = || KeyCounts { keys: Vec::new(), counts: Vec::new() };
        let state = self.place.number;
        let mut update = ListUpdate { state, cleared: Vec::new(), popped: none(), truncated: none(), append: empty_keyed_column() };
        self.changes.iter().for_each(|change| change.add_to(&mut update));
        if !self.changes.is_empty() {
            effects.lists.push(update);
        }
        self.place.report_reads(&[], effects);
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
    view: View<'a>,
    page: Column,
    /// The next item of the page.
    at: usize,
    /// The list's item that comes next.
    next: u64,
}

impl<T, C: Codec<T>> Iterator for ListIter<'_, T, C> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let index = self.next;
        self.next += 1;
        if index >= self.view.stored {
            let bytes = self.view.change?.appended.get(index - self.view.stored)?;
            return Some(self.state.decode(bytes));
        }
        if self.at == u32_count(&self.page.ends) {
            let place = &self.state.place;
            self.page = host::list_read(place.number, place.key, self.view.first + index, PAGE_BYTES).items;
            self.at = 0;
        }
        self.at += 1;
        Some(self.state.decode(item(&self.page, self.at - 1)))
    }
}
