//! What has expired is removed a little behind each call, and what was written before there was any time is stamped with the first.

use super::KeyedState;
use super::lifetimes::{LOOKED_AT_BYTES, count_expired, with_other_stamp};
use crate::element::{Column, NO_TIMESTAMP};
use crate::error::EngineError;
use crate::state::contents::Content;
use crate::state::lifetime::{JudgedBy, StateTtl, stamped};
use crate::state::{KeySlot, SelectedKeys, StateBackend, StateKind, TimeDomain, key_hash, unit_hash};

/// Keys that are looked at behind each call, at most.
const CLEANED_KEYS: usize = 2_048;
/// A list that counts as more keeps items without a stamp as they are: all of it would have to be written anew.
const STAMPED_LIST_BYTES: u64 = 65_536;

impl KeyedState {
    /// A call of so many records is over: of a few keys, each in its turn, what has expired is removed. They are keys of any group, so event time is that to which
    /// all of them have come at least: `watermark`.
    pub(crate) fn clean_up(&mut self, records: usize, watermark: i64) -> Result<(), EngineError> {
        let Self { lifetimes: Some(lifetimes), backend, states, time, .. } = self else { return Ok(()) };
        let mut keys = Column::new();
        // More than may come with the call: else keys that come once and never again would come faster than they go.
        let wanted = (1 + records + records / 4).min(CLEANED_KEYS);
        let Some(cursor) = backend.next_keys(lifetimes.cursor, wanted, &mut keys) else { return Ok(()) };
        lifetimes.cursor = cursor;
        let judged_by = lifetimes.judged_by.at(TimeDomain::Event, watermark);
        let hash_of = if self.windows.is_some() { unit_hash } else { key_hash };
        let hashes: Vec<u64> = keys.iter().map(hash_of).collect();
        let mut slots = Vec::new();
        backend.lookup(SelectedKeys { keys: &keys, hashes: &hashes, time: *time }, &mut slots)?;
        for ((key, slot), hash) in keys.iter().zip(&mut slots).zip(&hashes) {
            let judged_by = judged_by.since(lifetimes.began.of_hash(*hash));
            for (state, descriptor) in states.iter().enumerate() {
                let Some(ttl) = lifetimes.ttls[state].filter(|_| slot.entry != KeySlot::ABSENT) else { continue };
                let of = Cleaned { key, state, judged_by: &judged_by, ttl: &ttl };
                match descriptor.kind {
                    StateKind::Value => of.value(&mut **backend, slot)?,
                    StateKind::List => of.list(&mut **backend, slot)?,
                    StateKind::Map => of.map(&mut **backend, slot, &mut lifetimes.map_cursor)?,
                    StateKind::Broadcast => {}
                }
            }
        }
        Ok(())
    }
}

/// A state of a key that is cleaned up.
struct Cleaned<'a> {
    key: &'a [u8],
    state: usize,
    judged_by: &'a JudgedBy,
    ttl: &'a StateTtl,
}

impl Cleaned<'_> {
    fn is_expired(&self, stored: &[u8]) -> bool {
        self.judged_by.is_expired(self.ttl, stamped(stored).0)
    }

    /// The stamp of what was written before there was any time: the first that was told, so that it counts from there in later runs too, and no later than now for all
    /// keys that are cleaned up. `None`: it has another, or there is none yet.
    fn first_stamp(&self, stored: &[u8]) -> Option<i64> {
        let (now, first) = self.judged_by.of(self.ttl.time);
        (stamped(stored).0 == NO_TIMESTAMP && first.min(now) != NO_TIMESTAMP).then(|| first.min(now))
    }

    fn value(&self, backend: &mut dyn StateBackend, slot: &mut KeySlot) -> Result<(), EngineError> {
        let mut stored = Column::new();
        if !backend.value(slot, self.state, &mut stored)? {
            return Ok(());
        }
        match self.first_stamp(stored.get(0)) {
            _ if self.is_expired(stored.get(0)) => backend.clear(slot, self.key, self.state),
            Some(stamp) => backend.set_value(slot, self.key, self.state, &with_other_stamp(stamp, stored.get(0))),
            None => Ok(()),
        }
    }

    fn list(&self, backend: &mut dyn StateBackend, slot: &mut KeySlot) -> Result<(), EngineError> {
        let expired = count_expired(backend, slot, self.state, |item| self.is_expired(item))?;
        backend.list_pop_front(slot, self.key, self.state, expired)?;
        let mut first = Column::new();
        backend.list_read(slot, self.state, 0, 1, &mut first)?;
        let Some(stamp) = first.iter().next().and_then(|first| self.first_stamp(first)) else { return Ok(()) };
        if backend.state_bytes(slot, self.state)? > STAMPED_LIST_BYTES {
            return Ok(());
        }
        let items = Content::read(backend, slot, self.state, StateKind::List)?;
        // An item is no younger than the one behind it.
        let Content::List(column) = &items else { return Ok(()) };
        let oldest = column.iter().map(|item| stamped(item).0).filter(|stamp| *stamp != NO_TIMESTAMP).min();
        let stamp = oldest.map_or(stamp, |oldest| oldest.min(stamp));
        let renewed = |item: &[u8]| Some(if stamped(item).0 == NO_TIMESTAMP { with_other_stamp(stamp, item) } else { item.to_vec() });
        items.filter_map(renewed).write(backend, slot, (self.key, self.state))
    }

    /// Of a map that is long a part: the one at its front, and one that begins where such a part has ended before, so that none stays out of reach.
    fn map(&self, backend: &mut dyn StateBackend, slot: &mut KeySlot, cursor: &mut Option<Vec<u8>>) -> Result<(), EngineError> {
        let Some(behind_front) = self.part_of_map(backend, slot, None)? else { return Ok(()) };
        let from = cursor.take().filter(|from| *from > behind_front).unwrap_or(behind_front);
        *cursor = self.part_of_map(backend, slot, Some(&from))?;
        Ok(())
    }

    /// Cleans up some entries from `from` on. Where the next ones begin.
    fn part_of_map(&self, backend: &mut dyn StateBackend, slot: &mut KeySlot, from: Option<&[u8]>) -> Result<Option<Vec<u8>>, EngineError> {
        let (mut names, mut stored) = (Column::new(), Column::new());
        let next = backend.map_scan(slot, self.state, from, LOOKED_AT_BYTES, &mut names, &mut stored)?;
        for (entry, stored) in names.iter().zip(stored.iter()) {
            if self.is_expired(stored) {
                backend.map_remove(slot, self.key, self.state, entry)?;
            } else if let Some(stamp) = self.first_stamp(stored) {
                backend.map_put(slot, self.key, self.state, entry, &with_other_stamp(stamp, stored))?;
            }
        }
        Ok(next)
    }
}
