//! A map of the whole subtask, filled by broadcast records and read with every record.

use super::map::MapIter;
use super::overlay::{Overlay, Stored, Written};
use super::{BatchInput, Cbor, Codec, Place, Schema, State, StateDecl, StateFault, StateHandle, StateKind, declaration};
use crate::bindings::weir::operator::types::{BroadcastUpdate, Effects, KeyedColumn};
use crate::columns::{empty_column, empty_keyed_column, push_item};
use crate::error::Result;
use std::marker::PhantomData;

/// A map that each subtask keeps a copy of. Any record may read it; it is changed by the records of inputs that are declared with
/// [`Input::broadcast`](crate::Input::broadcast), which every subtask is given. So that the copies stay alike, a change must depend on
/// nothing but these records and this state.
pub struct BroadcastState<K, V, C = Cbor> {
    place: Place,
    map: Overlay,
    /// The batch's input is a broadcast one.
    writable: bool,
    /// The encoded key of the entry that is looked for.
    entry: Vec<u8>,
    types: PhantomData<(K, V, C)>,
}

impl<K, V, C: Codec<K> + Codec<V>> BroadcastState<K, V, C> {
    /// The value of an entry, if there is one.
    pub fn get(&mut self, key: &K) -> Result<Option<V>> {
        let (place, value) = self.find(key)?;
        value.map(|bytes| place.decode::<V, C>(bytes)).transpose()
    }

    /// True where there is such an entry.
    pub fn contains(&mut self, key: &K) -> Result<bool> {
        Ok(self.find(key)?.1.is_some())
    }

    /// The entries, in the byte order of their encoded keys.
    pub fn iter(&mut self) -> MapIter<'_, K, V, C> {
        MapIter { place: &self.place, scan: self.map.scan(self.stored()), types: PhantomData }
    }

    /// True where the map has no entry.
    pub fn is_empty(&mut self) -> bool {
        self.iter().scan.next().is_none()
    }

    /// Sets the value of an entry. An error where the record's input is no broadcast input.
    pub fn put(&mut self, key: &K, value: &V) -> Result<()> {
        self.check_writable()?;
        self.place.encode_entry::<K, C>(key, &mut self.entry)?;
        let value = self.place.encoded::<V, C>(value)?;
        self.map.put(&self.entry, value);
        Ok(())
    }

    /// Removes an entry, if there is one. An error where the record's input is no broadcast input.
    pub fn remove(&mut self, key: &K) -> Result<()> {
        self.check_writable()?;
        self.place.encode_entry::<K, C>(key, &mut self.entry)?;
        self.map.remove(&self.entry);
        Ok(())
    }

    /// Removes all entries. An error where the record's input is no broadcast input.
    pub fn clear(&mut self) -> Result<()> {
        self.check_writable()?;
        self.map.clear();
        Ok(())
    }

    fn find(&mut self, key: &K) -> Result<(&Place, Option<&[u8]>)> {
        self.place.encode_entry::<K, C>(key, &mut self.entry)?;
        let stored = self.stored();
        Ok((&self.place, self.map.get(&self.entry, stored)))
    }

    fn check_writable(&self) -> Result<()> {
        if self.writable { Ok(()) } else { Err(self.place.no_broadcast()) }
    }
}

impl<K, V, C> BroadcastState<K, V, C> {
    fn stored(&self) -> Stored {
        Stored::Broadcast { state: self.place.number }
    }
}

impl<K, V, C: Codec<K> + Codec<V>> State for BroadcastState<K, V, C> {
    fn begin(&mut self, input: BatchInput, _values: KeyedColumn) {
        self.map = Overlay::default();
        self.writable = match input {
            BatchInput::Broadcast => true,
            BatchInput::Keyed { .. } | BatchInput::Other => false,
        };
    }

    /// It belongs to no key.
    #[inline(always)]
    fn select(&mut self, _key: u32) {}

    fn finish(&mut self, effects: &mut Effects) -> Result<(), StateFault> {
        let (state, cleared) = (self.place.number, self.map.is_cleared());
        let mut update = BroadcastUpdate { state, cleared, removed: empty_column(), put: empty_column(), values: empty_column() };
        for written in self.map.written() {
            match written {
                Written::Put(entry, value) => {
                    push_item(&mut update.put, entry);
                    push_item(&mut update.values, value);
                }
                Written::Removed(entry) => push_item(&mut update.removed, entry),
            }
        }
        if cleared || !(update.removed.ends.is_empty() && update.put.ends.is_empty()) {
            effects.broadcasts.push(update);
        }
        self.begin(BatchInput::Other, empty_keyed_column());
        Ok(())
    }
}

impl<K, V, C: Codec<K> + Codec<V>> StateHandle for BroadcastState<K, V, C> {
    fn new(number: u32, name: &'static str) -> Self {
        Self { place: Place::new(number, name), map: Overlay::default(), writable: false, entry: Vec::new(), types: PhantomData }
    }

    fn declare(name: &str, version: u32) -> StateDecl {
        let schema = Schema::text_of_map(<C as Codec<K>>::describe, <C as Codec<V>>::describe);
        declaration(name, StateKind::Broadcast, schema, version)
    }
}
