//! One value per key.

use super::{BatchInput, Cbor, Codec, Place, Schema, State, StateDecl, StateFault, StateHandle, StateKind, declaration};
use crate::bindings::weir::operator::types::{Effects, KeyedColumn, ValueUpdate};
use crate::columns::{empty_column, empty_keyed_column, end_of, push_u32, u32s};
use crate::error::Result;
use std::marker::PhantomData;

/// The value of the record's key. `C` is [`Cbor`] for serde types, or [`Raw`](super::Raw) for a [`RawState`](super::RawState).
pub struct ValueState<T, C = Cbor> {
    place: Place,
    /// One for each key of the batch; none where the input is not keyed.
    slots: Vec<Slot<T>>,
    /// What the encoded slots are ranges of.
    encoded: Vec<u8>,
    /// Keys that were set or cleared, in the order of the first time.
    changed: Vec<u32>,
    /// Bytes of the values set in the batch before: what this one will need.
    set_bytes: usize,
    codec: PhantomData<fn() -> C>,
}

enum Slot<T> {
    Absent,
    Encoded { start: u32, end: u32 },
    Read(T),
    Set(T),
    Cleared,
}

impl<T, C> ValueState<T, C> {
    pub(super) fn place_mut(&mut self) -> &mut Place {
        &mut self.place
    }
}

impl<T, C: Codec<T>> ValueState<T, C> {
    /// The value, if there is one.
    #[inline]
    pub fn get(&mut self) -> Result<Option<&T>> {
        // As a whole: what it gives borrows the handle.
        if self.place.reads.is_some() && !matches!(self.decoded()?, Slot::Absent | Slot::Cleared) {
            self.place.note_read();
        }
        match self.decoded()? {
            Slot::Read(value) | Slot::Set(value) => Ok(Some(value)),
            Slot::Absent | Slot::Encoded { .. } | Slot::Cleared => Ok(None),
        }
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&mut self, value: T) -> Result<()> {
        self.change(Slot::Set(value))
    }

    /// Removes the value.
    #[inline]
    pub fn clear(&mut self) -> Result<()> {
        self.change(Slot::Cleared)
    }

    /// Changes the value in place, beginning with the default where there is none, and returns what `change` returns.
    #[inline]
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R>
    where
        T: Default,
    {
        let slot = std::mem::replace(self.decoded()?, Slot::Absent);
        let fresh = !matches!(slot, Slot::Set(_) | Slot::Cleared);
        let mut value = match slot {
            Slot::Read(value) | Slot::Set(value) => value,
            Slot::Absent | Slot::Encoded { .. } | Slot::Cleared => T::default(),
        };
        let result = change(&mut value);
        self.slots[self.place.key as usize] = Slot::Set(value);
        if fresh {
            self.changed.push(self.place.key);
        }
        Ok(result)
    }

    #[inline]
    fn change(&mut self, to: Slot<T>) -> Result<()> {
        let Some(slot) = self.slots.get_mut(self.place.key as usize) else {
            return Err(self.place.no_key());
        };
        if !matches!(slot, Slot::Set(_) | Slot::Cleared) {
            self.changed.push(self.place.key);
        }
        *slot = to;
        Ok(())
    }

    /// The slot of the key that is shown, never [`Slot::Encoded`].
    #[inline]
    fn decoded(&mut self) -> Result<&mut Slot<T>> {
        let Some(slot) = self.slots.get_mut(self.place.key as usize) else {
            return Err(self.place.no_key());
        };
        if let Slot::Encoded { start, end } = *slot {
            match C::decode(&self.encoded[start as usize..end as usize]) {
                Ok(value) => *slot = Slot::Read(value),
                Err(error) => return Err(self.place.failed("decode", error)),
            }
        }
        Ok(slot)
    }

    /// The keyed column of what was set, and the keys that were cleared.
    fn written(&mut self) -> Result<ValueUpdate, StateFault> {
        let mut update = ValueUpdate { state: self.place.number, cleared: Vec::new(), set: empty_keyed_column() };
        let ValueUpdate { set, cleared, .. } = &mut update;
        set.keys.reserve_exact(4 * self.changed.len());
        set.items.ends.reserve_exact(4 * self.changed.len());
        set.items.data.reserve(self.set_bytes.min(64 * self.changed.len()));
        for &key in &self.changed {
            match &self.slots[key as usize] {
                Slot::Set(value) => {
                    if let Err(error) = C::encode(value, &mut set.items.data) {
                        return Err(StateFault { key, error: self.place.failed("encode", error) });
                    }
                    push_u32(&mut set.keys, key);
                    let end = end_of(&set.items.data);
                    push_u32(&mut set.items.ends, end);
                }
                Slot::Cleared => push_u32(cleared, key),
                Slot::Absent | Slot::Encoded { .. } | Slot::Read(_) => {}
            }
        }
        self.set_bytes = set.items.data.len();
        Ok(update)
    }
}

impl<T, C: Codec<T>> State for ValueState<T, C> {
    fn begin(&mut self, input: BatchInput, values: KeyedColumn) {
        self.changed.clear();
        self.slots.clear();
        self.slots.resize_with(input.keys(), || Slot::Absent);
        let mut start = 0;
        for (key, end) in u32s(&values.keys).zip(u32s(&values.items.ends)) {
            self.slots[key as usize] = Slot::Encoded { start, end };
            start = end;
        }
        self.encoded = values.items.data;
    }

    #[inline(always)]
    fn select(&mut self, key: u32) {
        self.place.key = key;
    }

    fn finish(&mut self, effects: &mut Effects) -> Result<(), StateFault> {
        if !self.changed.is_empty() {
            effects.values.push(self.written()?);
        }
        self.place.report_reads(&self.changed, effects);
        self.begin(BatchInput::Other, KeyedColumn { keys: Vec::new(), items: empty_column() });
        Ok(())
    }
}

impl<T, C: Codec<T>> StateHandle for ValueState<T, C> {
    fn new(number: u32, name: &'static str) -> Self {
        Self {
            place: Place::new(number, name),
            slots: Vec::new(),
            encoded: Vec::new(),
            changed: Vec::new(),
            set_bytes: 0,
            codec: PhantomData,
        }
    }

    fn declare(name: &str, version: u32) -> StateDecl {
        declaration(name, StateKind::Value, Schema::text(C::describe), version)
    }
}
