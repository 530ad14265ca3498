//! A map per key: entries are read one by one or scanned in the order of their encoded keys, put, removed, cleared.

use super::overlay::{Overlay, Scan, Stored, Written};
use super::{BatchInput, Cbor, Codec, Place, Schema, State, StateDecl, StateFault, StateHandle, StateKind, declaration};
use crate::bindings::weir::operator::types::{Effects, KeyedColumn, MapUpdate};
use crate::columns::{empty_column, empty_keyed_column, push_item, push_u32};
use crate::error::Result;
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

/// One key's map.
struct View {
    key: u32,
    map: Overlay,
}

impl<K, V, C> MapState<K, V, C> {
    pub(super) fn place_mut(&mut self) -> &mut Place {
        &mut self.place
    }
}

impl<K, V, C: Codec<K> + Codec<V>> MapState<K, V, C> {
    /// The value of an entry, if there is one.
    pub fn get(&mut self, key: &K) -> Result<Option<V>> {
        let (place, value) = self.find(key)?;
        value.map(|bytes| place.decode::<V, C>(bytes)).transpose()
    }

    /// True where there is such an entry.
    pub fn contains(&mut self, key: &K) -> Result<bool> {
        Ok(self.find(key)?.1.is_some())
    }

    /// Sets the value of an entry.
    pub fn put(&mut self, key: &K, value: &V) -> Result<()> {
        let index = self.view()?;
        self.place.encode_entry::<K, C>(key, &mut self.entry)?;
        let value = self.place.encoded::<V, C>(value)?;
        self.views[index].map.put(&self.entry, value);
        Ok(())
    }

    /// Removes an entry, if there is one.
    pub fn remove(&mut self, key: &K) -> Result<()> {
        let index = self.view()?;
        self.place.encode_entry::<K, C>(key, &mut self.entry)?;
        self.views[index].map.remove(&self.entry);
        Ok(())
    }

    /// Removes all entries.
    pub fn clear(&mut self) -> Result<()> {
        let index = self.view()?;
        self.views[index].map.clear();
        Ok(())
    }

    /// The entries, in the byte order of their encoded keys.
    pub fn iter(&mut self) -> Result<MapIter<'_, K, V, C>> {
        let index = self.view()?;
        let scan = self.views[index].map.scan(self.place.stored());
        Ok(MapIter { place: &self.place, scan, types: PhantomData })
    }

    /// True where the map has no entry.
    pub fn is_empty(&mut self) -> Result<bool> {
        Ok(self.iter()?.scan.next().is_none())
    }

    fn find(&mut self, key: &K) -> Result<(&Place, Option<&[u8]>)> {
        let index = self.view()?;
        self.place.encode_entry::<K, C>(key, &mut self.entry)?;
        let value = self.views[index].map.get(&self.entry, self.place.stored());
        if value.is_some() {
            self.place.note_read();
        }
        Ok((&self.place, value))
    }

    /// The index of the shown key's view, which is made where there is none.
    fn view(&mut self) -> Result<usize> {
        let Some(slot) = self.slots.get_mut(self.place.key as usize) else { return Err(self.place.no_key()) };
        if *slot == UNSEEN {
            *slot = self.views.len() as u32;
            self.views.push(View { key: self.place.key, map: Overlay::default() });
        }
        Ok(*slot as usize)
    }
}

impl Place {
    /// Where the shown key's map is.
    fn stored(&self) -> Stored {
        Stored::Keyed { state: self.number, key: self.key }
    }

    /// Encodes the key of an entry into `entry`.
    pub(super) fn encode_entry<K, C: Codec<K>>(&self, key: &K, entry: &mut Vec<u8>) -> Result<()> {
        entry.clear();
        C::encode(key, entry).map_err(|error| self.failed("encode a key of", error))
    }

    /// An encoded value.
    pub(super) fn encoded<V, C: Codec<V>>(&self, value: &V) -> Result<Vec<u8>> {
        let mut encoded = Vec::new();
        C::encode(value, &mut encoded).map_err(|error| self.failed("encode a value of", error))?;
        Ok(encoded)
    }

    /// An entry's key or value.
    pub(super) fn decode<T, C: Codec<T>>(&self, bytes: &[u8]) -> Result<T> {
        C::decode(bytes).map_err(|error| self.failed("decode an entry of", error))
    }
}

impl<K, V, C: Codec<K> + Codec<V>> State for MapState<K, V, C> {
    fn begin(&mut self, input: BatchInput, _values: KeyedColumn) {
        self.views.clear();
        self.slots.clear();
        self.slots.resize(input.keys(), UNSEEN);
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
        self.place.report_reads(&[], effects);
        self.begin(BatchInput::Other, empty_keyed_column());
        Ok(())
    }
}

impl View {
    fn add_to(&self, update: &mut MapUpdate) {
        if self.map.is_cleared() {
            push_u32(&mut update.cleared, self.key);
        }
        for written in self.map.written() {
            match written {
                Written::Put(entry, value) => {
                    push_u32(&mut update.put.keys, self.key);
                    push_item(&mut update.put.items, entry);
                    push_item(&mut update.values, value);
                }
                Written::Removed(entry) => {
                    push_u32(&mut update.removed.keys, self.key);
                    push_item(&mut update.removed.items, entry);
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
    pub(super) place: &'a Place,
    pub(super) scan: Scan<'a>,
    pub(super) types: PhantomData<(K, V, C)>,
}

impl<K, V, C: Codec<K> + Codec<V>> Iterator for MapIter<'_, K, V, C> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Result<(K, V)>> {
        let (key, value) = self.scan.next()?;
        self.place.note_read();
        Some(self.place.decode::<K, C>(&key).and_then(|key| Ok((key, self.place.decode::<V, C>(&value)?))))
    }
}
