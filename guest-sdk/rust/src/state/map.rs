//! A map per key: entries are read one by one or scanned in the order of their encoded keys, put, removed, cleared.

use super::{Cbor, Codec, Place, Schema, State, StateDecl, StateFault, StateHandle, StateKind, declaration};
use crate::bindings::weir::operator::collections::MapPage;
use crate::bindings::weir::operator::types::{Effects, KeyedColumn, MapUpdate};
use crate::columns::{empty_column, empty_keyed_column, item, items, push_item, push_u32, u32_count};
use crate::error::Result;
use crate::host::{self, PAGE_BYTES};
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::marker::PhantomData;

/// The map of the record's key. It stays with the host; an entry that was read once is kept for the batch.
pub struct MapState<K, V, C = Cbor> {
    place: Place,
    /// For each key of the batch its view, or [`UNSEEN`]; none where the input is not keyed.
    slots: Vec<u32>,
    views: Vec<View>,
    /// The encoded key of the entry that is looked for.
    entry: Vec<u8>,
    types: PhantomData<(K, V, C)>,
}

const UNSEEN: u32 = u32::MAX;

/// What the batch read and did of one key's map.
struct View {
    key: u32,
    cleared: bool,
    entries: BTreeMap<Vec<u8>, Entry>,
}

enum Entry {
    /// Read from the host; `None` where it has no such entry.
    Read(Option<Vec<u8>>),
    Put(Vec<u8>),
    Removed,
}

impl Entry {
    fn value(&self) -> Option<&[u8]> {
        match self {
            Entry::Read(value) => value.as_deref(),
            Entry::Put(value) => Some(value),
            Entry::Removed => None,
        }
    }
}

impl<K, V, C: Codec<K> + Codec<V>> MapState<K, V, C> {
    /// The value of an entry, if there is one.
    pub fn get(&mut self, key: &K) -> Result<Option<V>> {
        self.find(key)?;
        let view = &self.views[self.slots[self.place.key as usize] as usize];
        let value = view.entries.get(&self.entry).and_then(Entry::value);
        value.map(|bytes| decode::<V, C>(&self.place, bytes)).transpose()
    }

    /// True where there is such an entry.
    pub fn contains(&mut self, key: &K) -> Result<bool> {
        self.find(key)?;
        let view = &self.views[self.slots[self.place.key as usize] as usize];
        Ok(view.entries.get(&self.entry).is_some_and(|entry| entry.value().is_some()))
    }

    /// Sets the value of an entry.
    pub fn put(&mut self, key: &K, value: &V) -> Result<()> {
        let mut encoded = Vec::new();
        <C as Codec<V>>::encode(value, &mut encoded).map_err(|error| self.place.failed("encode a value of", error))?;
        self.write(key, Entry::Put(encoded))
    }

    /// Removes an entry, if there is one.
    pub fn remove(&mut self, key: &K) -> Result<()> {
        self.write(key, Entry::Removed)
    }

    /// Removes all entries.
    pub fn clear(&mut self) -> Result<()> {
        let index = self.view()?;
        let view = &mut self.views[index];
        view.cleared = true;
        view.entries.clear();
        Ok(())
    }

    /// The entries, in the byte order of their encoded keys.
    pub fn iter(&mut self) -> Result<MapIter<'_, K, V, C>> {
        let index = self.view()?;
        let view = &self.views[index];
        let next = if view.cleared { Next::End } else { Next::First };
        Ok(MapIter {
            place: &self.place,
            stored: Stored { page: empty_page(), at: 0, next },
            own: view.entries.iter().peekable(),
            types: PhantomData,
        })
    }

    /// True where the map has no entry.
    pub fn is_empty(&mut self) -> Result<bool> {
        Ok(self.iter()?.next_encoded().is_none())
    }

    /// Encodes `key` into `self.entry` and sees to it that the view knows the entry.
    fn find(&mut self, key: &K) -> Result<()> {
        let index = self.view()?;
        self.encode_key(key)?;
        let view = &mut self.views[index];
        if view.entries.contains_key(&self.entry) {
            return Ok(());
        }
        let value = if view.cleared { None } else { stored_value(&self.place, &self.entry) };
        view.entries.insert(self.entry.clone(), Entry::Read(value));
        Ok(())
    }

    fn write(&mut self, key: &K, entry: Entry) -> Result<()> {
        let index = self.view()?;
        self.encode_key(key)?;
        self.views[index].entries.insert(self.entry.clone(), entry);
        Ok(())
    }

    fn encode_key(&mut self, key: &K) -> Result<()> {
        self.entry.clear();
        <C as Codec<K>>::encode(key, &mut self.entry).map_err(|error| self.place.failed("encode a key of", error))
    }

    /// The index of the shown key's view, which is made where there is none.
    fn view(&mut self) -> Result<usize> {
        let Some(slot) = self.slots.get_mut(self.place.key as usize) else { return Err(self.place.no_key()) };
        if *slot == UNSEEN {
            *slot = self.views.len() as u32;
            self.views.push(View { key: self.place.key, cleared: false, entries: BTreeMap::new() });
        }
        Ok(*slot as usize)
    }
}

fn stored_value(place: &Place, entry: &[u8]) -> Option<Vec<u8>> {
    let mut wanted = empty_column();
    push_item(&mut wanted, entry);
    let found = host::map_get(place.number, place.key, &wanted);
    items(&found.items).next().map(<[u8]>::to_vec)
}

fn decode<T, C: Codec<T>>(place: &Place, bytes: &[u8]) -> Result<T> {
    C::decode(bytes).map_err(|error| place.failed("decode an entry of", error))
}

impl<K, V, C: Codec<K> + Codec<V>> State for MapState<K, V, C> {
    fn begin(&mut self, keys: Option<usize>, _values: KeyedColumn) {
        self.views.clear();
        self.slots.clear();
        self.slots.resize(keys.unwrap_or(0), UNSEEN);
    }

    #[inline(always)]
    fn select(&mut self, key: u32) {
        self.place.key = key;
    }

    fn finish(&mut self, effects: &mut Effects) -> Result<(), StateFault> {
        let state = self.place.number;
        let mut update =
            MapUpdate { state, cleared: Vec::new(), removed: empty_keyed_column(), put: empty_keyed_column(), values: empty_column() };
        for view in &self.views {
            view.add_to(&mut update);
        }
        if !(update.cleared.is_empty() && update.removed.keys.is_empty() && update.put.keys.is_empty()) {
            effects.maps.push(update);
        }
        self.begin(None, empty_keyed_column());
        Ok(())
    }
}

impl View {
    fn add_to(&self, update: &mut MapUpdate) {
        if self.cleared {
            push_u32(&mut update.cleared, self.key);
        }
        for (name, entry) in &self.entries {
            match entry {
                Entry::Read(_) => {}
                Entry::Put(value) => {
                    push_u32(&mut update.put.keys, self.key);
                    push_item(&mut update.put.items, name);
                    push_item(&mut update.values, value);
                }
                Entry::Removed if self.cleared => {}
                Entry::Removed => {
                    push_u32(&mut update.removed.keys, self.key);
                    push_item(&mut update.removed.items, name);
                }
            }
        }
    }
}

impl<K, V, C: Codec<K> + Codec<V>> StateHandle for MapState<K, V, C> {
    fn new(number: u32, name: &'static str) -> Self {
        Self { place: Place::new(number, name), slots: Vec::new(), views: Vec::new(), entry: Vec::new(), types: PhantomData }
    }

    fn declare(name: &str, version: u32) -> StateDecl {
        let schema = Schema::text_of_map(<C as Codec<K>>::describe, <C as Codec<V>>::describe);
        declaration(name, StateKind::Map, schema, version)
    }
}

/// The entries of a map: what is stored, page by page, with what the batch wrote laid over it.
pub struct MapIter<'a, K, V, C = Cbor> {
    place: &'a Place,
    stored: Stored,
    own: Peekable<btree_map::Iter<'a, Vec<u8>, Entry>>,
    types: PhantomData<(K, V, C)>,
}

impl<K, V, C: Codec<K> + Codec<V>> Iterator for MapIter<'_, K, V, C> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Result<(K, V)>> {
        let (key, value) = self.next_encoded()?;
        let decoded = decode::<K, C>(self.place, &key).and_then(|key| Ok((key, decode::<V, C>(self.place, &value)?)));
        Some(decoded)
    }
}

impl<K, V, C> MapIter<'_, K, V, C> {
    fn next_encoded(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        loop {
            let stored = self.stored.peek(self.place);
            let own = self.own.next_if(|(name, _)| stored.is_none_or(|(stored, _)| name.as_slice() <= stored));
            let Some((name, entry)) = own else {
                let (name, value) = stored.map(|(name, value)| (name.to_vec(), value.to_vec()))?;
                self.stored.at += 1;
                return Some((name, value));
            };
            if stored.is_some_and(|(stored, _)| stored == name.as_slice()) {
                self.stored.at += 1;
            }
            if let Some(value) = entry.value() {
                return Some((name.clone(), value.to_vec()));
            }
        }
    }
}

/// The stored entries that a scan has fetched and not yet shown.
struct Stored {
    page: MapPage,
    at: usize,
    next: Next,
}

/// Where the next page begins.
enum Next {
    First,
    From(Vec<u8>),
    End,
}

impl Stored {
    /// The next stored entry, after fetching its page.
    fn peek(&mut self, place: &Place) -> Option<(&[u8], &[u8])> {
        while self.at == u32_count(&self.page.entries.ends) {
            let start = match std::mem::replace(&mut self.next, Next::End) {
                Next::First => None,
                Next::From(start) => Some(start),
                Next::End => return None,
            };
            let mut page = host::map_scan(place.number, place.key, start.as_deref(), PAGE_BYTES);
            if let Some(next) = page.next.take() {
                self.next = Next::From(next);
            }
            (self.page, self.at) = (page, 0);
        }
        Some((item(&self.page.entries, self.at), item(&self.page.values, self.at)))
    }
}

fn empty_page() -> MapPage {
    MapPage { entries: empty_column(), values: empty_column(), next: None }
}
