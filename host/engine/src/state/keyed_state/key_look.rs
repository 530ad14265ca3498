//! A look at all that is kept of one key, between two calls, for whoever asks a running job. Nothing is selected by it, touched or removed: the next call finds all as
//! it would have found it.
//!
//! What is read of a key is bounded, however much it has: a look holds the task up for as long as copying [`LOOK_BYTES`] takes.

use super::KeyedState;
use crate::element::{Column, key_hash};
use crate::error::EngineError;
use crate::state::lifetime::{ExpiredFront, JudgedBy, StateTtl, stamped};
use crate::state::windows::put_unit;
use crate::state::{KeySlot, Payload, SelectedKeys, StateBackend, StateKind, StateTime};
use std::future::poll_fn;

/// Bytes that are read of a key in one look.
pub const LOOK_BYTES: usize = 1 << 20;
/// Bytes that are read in one piece of a list or a map, about.
const PIECE_BYTES: usize = 16 << 10;
/// Windows of a key that are looked at.
const WINDOWS_MAX: usize = 256;

/// What a look has found of a key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyLook {
    /// One for the key, or for each of its open windows.
    pub units: Vec<LookedUnit>,
    /// True where the key has more windows than were looked at.
    pub truncated: bool,
}

/// What is kept of a key, or of a key in one of its windows.
#[derive(Clone, Debug, PartialEq)]
pub struct LookedUnit {
    /// The key under which it is kept: in a window it begins with that.
    pub stored_key: Vec<u8>,
    /// The states that it has, by ascending index.
    pub states: Vec<LookedState>,
}

/// What one state has.
#[derive(Clone, Debug, PartialEq)]
pub struct LookedState {
    /// Its index among all that are kept.
    pub state: usize,
    /// What it holds, or the beginning of that.
    pub content: LookedContent,
    /// True where it holds more than was read: a value that is too long is left out.
    pub truncated: bool,
}

/// What a state holds, without stamps, and without what has expired.
#[derive(Clone, Debug, PartialEq)]
pub enum LookedContent {
    /// The value; `None`: it is too long.
    Value(Option<Vec<u8>>),
    /// The items, in order.
    List(Column),
    /// The entries, in byte order, and the value of each.
    Map(Column, Column),
}

impl LookedContent {
    /// As it is stored; `None` of a value that is too long.
    pub fn payload(&self) -> Option<Payload<'_>> {
        match self {
            Self::Value(value) => value.as_deref().map(Payload::Value),
            Self::List(items) => Some(Payload::List(items.iter().collect())),
            Self::Map(entries, values) => Some(Payload::Map(entries.iter().zip(values.iter()).collect())),
        }
    }
}

/// Reads what is kept under one slot, as long as bytes are left.
struct Reader<'a> {
    backend: &'a dyn StateBackend,
    judged_by: JudgedBy,
    left: &'a mut usize,
}

impl KeyedState {
    /// Reads what is kept of a key at a time. Waits where the backend does.
    pub async fn look_at(&mut self, key: &[u8], time: StateTime) -> Result<KeyLook, EngineError> {
        self.reject()?;
        let hash = key_hash(key);
        let mut units = Column::new();
        let truncated = self.units_of_key(key, &mut units);
        let hashes = vec![hash; units.len()];
        let selected = SelectedKeys { keys: &units, hashes: &hashes, time };
        if self.backend.prefetches() {
            let backend = &mut self.backend;
            poll_fn(|cx| backend.poll_prefetch(selected, cx)).await?;
        }
        let mut slots = Vec::new();
        self.backend.lookup(selected, &mut slots)?;
        let judged_by = self.lifetimes.as_ref().map_or(JudgedBy::NONE, |lifetimes| lifetimes.judged_for(hash, time));
        let (mut left, mut look) = (LOOK_BYTES, KeyLook { units: Vec::new(), truncated });
        for (unit, slot) in units.iter().zip(&slots).filter(|(_, slot)| slot.entry != KeySlot::ABSENT) {
            let states = self.read_states(slot, &mut Reader { backend: &*self.backend, judged_by, left: &mut left })?;
            if !states.is_empty() {
                look.units.push(LookedUnit { stored_key: unit.to_vec(), states });
            }
        }
        Ok(look)
    }

    /// Appends what the key is kept under: itself, or a unit for each window that may be open. True where these are more.
    fn units_of_key(&self, key: &[u8], units: &mut Column) -> bool {
        let Some(windows) = &self.windows else {
            units.push(key);
            return false;
        };
        let starts = windows.starts_of(key);
        starts.iter().take(WINDOWS_MAX).for_each(|start| units.push_with(|bytes| put_unit(*start, key, bytes)));
        starts.len() > WINDOWS_MAX
    }

    fn read_states(&self, slot: &KeySlot, reader: &mut Reader<'_>) -> Result<Vec<LookedState>, EngineError> {
        let mut read = Vec::new();
        for (number, state) in self.states.iter().enumerate() {
            if self.backend.state_bytes(slot, number)? == 0 {
                continue;
            }
            let found = match state.kind {
                StateKind::Value => reader.value(slot, number, state.ttl.as_ref())?,
                StateKind::List => reader.list(slot, number, state.ttl.as_ref())?,
                StateKind::Map => reader.map(slot, number, state.ttl.as_ref())?,
                // It is of no key.
                StateKind::Broadcast => None,
            };
            read.extend(found.map(|(content, truncated)| LookedState { state: number, content, truncated }));
        }
        Ok(read)
    }
}

/// What a state holds, and whether it holds more; `None`: nothing.
type Found = Option<(LookedContent, bool)>;

impl Reader<'_> {
    fn is_expired(&self, ttl: Option<&StateTtl>, stored: &[u8]) -> bool {
        ttl.is_some_and(|ttl| self.judged_by.is_expired(ttl, stamped(stored).0))
    }

    fn value(&mut self, slot: &KeySlot, state: usize, ttl: Option<&StateTtl>) -> Result<Found, EngineError> {
        if self.backend.state_bytes(slot, state)? > *self.left as u64 {
            return Ok(Some((LookedContent::Value(None), true)));
        }
        let mut stored = Column::new();
        if !self.backend.value(slot, state, &mut stored)? || self.is_expired(ttl, stored.get(0)) {
            return Ok(None);
        }
        self.take(stored.byte_len());
        Ok(Some((LookedContent::Value(Some(without_stamp(ttl, stored.get(0)).to_vec())), false)))
    }

    /// What has expired stands in front.
    fn list(&mut self, slot: &KeySlot, state: usize, ttl: Option<&StateTtl>) -> Result<Found, EngineError> {
        let (mut all, mut next, mut front) = (Column::new(), Some(0), ttl.map(|_| ExpiredFront::default()));
        while let Some(start) = next.filter(|_| *self.left > 0) {
            let before = all.byte_len();
            next = self.backend.list_read(slot, state, start, PIECE_BYTES.min(*self.left), &mut all)?;
            self.take(all.byte_len() - before);
        }
        let expired = front.as_mut().map_or(0, |front| {
            all.iter().all(|item| front.goes_past(stamped(item).0, self.is_expired(ttl, item)));
            front.expired
        });
        let mut items = Column::new();
        all.iter().skip(expired).for_each(|item| items.push(without_stamp(ttl, item)));
        Ok((!items.is_empty() || next.is_some()).then_some((LookedContent::List(items), next.is_some())))
    }

    fn map(&mut self, slot: &KeySlot, state: usize, ttl: Option<&StateTtl>) -> Result<Found, EngineError> {
        let (mut entries, mut values) = (Column::new(), Column::new());
        let (mut from, mut is_more): (Option<Vec<u8>>, bool) = (None, true);
        while is_more && *self.left > 0 {
            let (mut names, mut stored) = (Column::new(), Column::new());
            from = self.backend.map_scan(slot, state, from.as_deref(), PIECE_BYTES.min(*self.left), &mut names, &mut stored)?;
            is_more = from.is_some();
            self.take(names.byte_len() + stored.byte_len());
            for (name, stored) in names.iter().zip(stored.iter()).filter(|(_, stored)| !self.is_expired(ttl, stored)) {
                entries.push(name);
                values.push(without_stamp(ttl, stored));
            }
        }
        Ok((is_more || !entries.is_empty()).then_some((LookedContent::Map(entries, values), is_more)))
    }

    fn take(&mut self, bytes: usize) {
        *self.left = self.left.saturating_sub(bytes);
    }
}

fn without_stamp<'b>(ttl: Option<&StateTtl>, stored: &'b [u8]) -> &'b [u8] {
    if ttl.is_some() { stamped(stored).1 } else { stored }
}

#[cfg(test)]
#[path = "key_look_tests.rs"]
mod tests;
