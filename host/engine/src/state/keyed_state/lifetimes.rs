//! States with a time to live: what is read is judged by the call's times, what is written is stamped with them.

use super::KeyedState;
use crate::element::{Column, NO_TIMESTAMP};
use crate::error::EngineError;
use crate::state::contents::Content;
use crate::state::event_time_began::EventTimeBegan;
use crate::state::lifetime::{ExpiredFront, JudgedBy, StateTtl, stamped};
use crate::state::size::entry_bytes;
use crate::state::{CallKeys, KeyGroupRange, KeySlot, StateBackend, StateDescriptor, StateKind, StateTime, TimeDomain, ValuesOfKeys};
use std::ops::Range;

/// Bytes of a list or map that are looked at in one step, about.
pub(super) const LOOKED_AT_BYTES: usize = 4_096;

/// Times to live of one subtask's states.
pub(super) struct Lifetimes {
    /// For each state its own.
    pub(super) ttls: Vec<Option<StateTtl>>,
    pub(super) judged_by: JudgedBy,
    /// When event time began for key groups that a checkpoint knew of.
    pub(super) began: EventTimeBegan,
    /// For each selected key when it did, where they differ in that.
    began_of_keys: Vec<i64>,
    /// For each selected key the time of its timers, in a call of such as go by this time.
    of_timers: Option<(TimeDomain, Vec<i64>)>,
    /// Where in the backend's keys the next are that are cleaned up.
    pub(super) cursor: u64,
    /// The entry at which the next part of a long map begins.
    pub(super) map_cursor: Option<Vec<u8>>,
}

impl Lifetimes {
    /// `None` where no state has one.
    pub fn of(states: &[StateDescriptor]) -> Option<Box<Self>> {
        let ttls: Vec<_> = states.iter().map(|state| state.ttl).collect();
        let any = ttls.iter().any(Option::is_some);
        any.then(|| {
            let (began, began_of_keys) = Default::default();
            Box::new(Self { ttls, judged_by: JudgedBy::NONE, began, began_of_keys, of_timers: None, cursor: 0, map_cursor: None })
        })
    }

    /// A call is of these times.
    pub fn tell(&mut self, time: StateTime) {
        self.judged_by.tell(time.watermark, time.processing_time);
        self.of_timers = None;
    }

    /// What judges a key with this hash that no call has selected, at a time.
    pub(super) fn judged_for(&self, hash: u64, time: StateTime) -> JudgedBy {
        let mut judged_by = self.judged_by;
        judged_by.tell(time.watermark, time.processing_time);
        judged_by.since(self.began.of_hash(hash))
    }

    fn judged_by(&self, key: usize) -> JudgedBy {
        let judged_by = self.began_of_keys.get(key).map_or(self.judged_by, |began| self.judged_by.since(*began));
        match &self.of_timers {
            Some((time, of_keys)) => of_keys.get(key).map_or(judged_by, |now| judged_by.at(*time, *now)),
            None => judged_by,
        }
    }

    /// What is stored is not to be seen any more. `None`: the state has no time to live.
    #[inline]
    pub fn ttl(&self, state: usize) -> Option<&StateTtl> {
        self.ttls.get(state)?.as_ref()
    }

    fn is_expired(&self, key: usize, ttl: &StateTtl, stored: &[u8]) -> bool {
        self.judged_by(key).is_expired(ttl, stamped(stored).0)
    }

    /// What is written now.
    fn stamp(&self, key: usize, ttl: &StateTtl) -> i64 {
        self.judged_by(key).of(ttl.time).0
    }
}

fn with_stamp(stamp: i64, bytes: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&stamp.to_le_bytes());
    into.extend_from_slice(bytes);
}

pub(super) fn with_other_stamp(stamp: i64, stored: &[u8]) -> Vec<u8> {
    let mut renewed = Vec::with_capacity(stored.len());
    with_stamp(stamp, stamped(stored).1, &mut renewed);
    renewed
}

impl KeyedState {
    /// The lifetimes, where the state has one.
    #[inline]
    pub(super) fn ttl_of(&self, state: usize) -> Option<(&Lifetimes, &StateTtl)> {
        let lifetimes = self.lifetimes.as_deref()?;
        Some((lifetimes, lifetimes.ttl(state)?))
    }

    /// When event time began for the subtask's key groups, which are those of `range`; nothing where no state lives by it.
    pub(crate) fn event_time_began(&self, range: KeyGroupRange) -> Vec<(KeyGroupRange, i64)> {
        let Some(lifetimes) = &self.lifetimes else { return Vec::new() };
        if !lifetimes.ttls.iter().flatten().any(|ttl| ttl.time == TimeDomain::Event) {
            return Vec::new();
        }
        lifetimes.began.capture(lifetimes.judged_by.first_event(), range)
    }

    /// A checkpoint that is restored knew when event time had begun for these of the subtask's key groups, which are those of `range`, of so many in all.
    pub(crate) fn restore_event_time_began(&mut self, began: Vec<(KeyGroupRange, i64)>, range: KeyGroupRange, max_parallelism: u32) {
        let Some(lifetimes) = &mut self.lifetimes else { return };
        lifetimes.began = EventTimeBegan::new(began, max_parallelism);
        // As a rule they have all begun together, and no key has to be asked for its group.
        if let Some(all) = lifetimes.began.of_all(range) {
            lifetimes.judged_by = lifetimes.judged_by.since(all);
            lifetimes.began = EventTimeBegan::default();
        }
    }

    /// Keys have been selected: of timers' keys what is kept is judged by the time at which those were due.
    pub(super) fn judge_selected(&mut self, of: CallKeys<'_>, range: Range<usize>) -> Result<(), EngineError> {
        let Self { lifetimes: Some(lifetimes), distinct, timers, .. } = self else { return Ok(()) };
        lifetimes.began_of_keys.clear();
        if !lifetimes.began.is_empty() {
            lifetimes.began_of_keys.extend(distinct.hashes.iter().map(|hash| lifetimes.began.of_hash(*hash)));
        }
        let first = of.timers.get(range.start).and_then(|&timer| timers.as_ref()?.domain(timer as usize));
        lifetimes.of_timers = first.map(|time| {
            let mut of_keys = vec![NO_TIMESTAMP; distinct.hashes.len()];
            distinct.key_of.iter().zip(&of.due[range]).for_each(|(&key, due)| of_keys[key as usize] = *due);
            (time, of_keys)
        });
        self.shorten_lists()
    }

    /// The selected keys' lists lose what has expired: their positions are those of what is left.
    fn shorten_lists(&mut self) -> Result<(), EngineError> {
        let Self { lifetimes: Some(lifetimes), backend, slots, distinct, states, .. } = self else { return Ok(()) };
        for (state, _) in states.iter().enumerate().filter(|(_, state)| state.kind == StateKind::List) {
            let Some(ttl) = lifetimes.ttl(state) else { continue };
            for (key, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.entry != KeySlot::ABSENT) {
                let expired = count_expired(&**backend, slot, state, |item| lifetimes.is_expired(key, ttl, item))?;
                if expired > 0 {
                    backend.list_pop_front(slot, distinct.keys.get(key), state, expired)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn gather_living(
        &self,
        state: usize,
        max_bytes: usize,
        present: &mut Vec<u32>,
        values: &mut Column,
    ) -> Result<(), EngineError> {
        let Some((lifetimes, ttl)) = self.ttl_of(state) else { return Ok(()) };
        // One by one: what bounds them is what lives, and what is stored is more.
        let mut stored = Column::new();
        for (key, slot) in self.slots.iter().enumerate() {
            stored.clear();
            if self.backend.value(slot, state, &mut stored)? && !lifetimes.is_expired(key, ttl, stored.get(0)) {
                present.push(key as u32);
                values.push(stamped(stored.get(0)).1);
                if values.byte_len() > max_bytes {
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn living_value(&self, key: usize, state: usize, out: &mut Column) -> Result<bool, EngineError> {
        let Some((lifetimes, ttl)) = self.ttl_of(state) else { return Ok(false) };
        let mut stored = Column::new();
        let is_there = self.backend.value(&self.slots[key], state, &mut stored)? && !lifetimes.is_expired(key, ttl, stored.get(0));
        if is_there {
            out.push(stamped(stored.get(0)).1);
        }
        Ok(is_there)
    }

    /// `bytes` as they are kept of a key; `None` where the state has no time to live.
    pub(super) fn as_stamped(&self, key: usize, state: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        let (lifetimes, ttl) = self.ttl_of(state)?;
        let mut stored = Vec::with_capacity(bytes.len() + 8);
        with_stamp(lifetimes.stamp(key, ttl), bytes, &mut stored);
        Some(stored)
    }

    pub(super) fn set_stamped(&mut self, keys: &[u32], state: usize, values: &Column) -> Result<(), EngineError> {
        let Some((lifetimes, ttl)) = self.ttl_of(state) else { return Ok(()) };
        let mut stored = Column::with_capacity(values.len(), values.data().len() + 8 * values.len());
        for (&key, value) in keys.iter().zip(values.iter()) {
            let stamp = lifetimes.stamp(key as usize, ttl);
            stored.push_with(|bytes| with_stamp(stamp, value, bytes));
        }
        self.backend.set_values(&mut self.slots, &self.distinct.keys, state, ValuesOfKeys { keys, values: &stored })
    }

    /// An item is no older than the one in front of it: what has expired is in front.
    pub(super) fn append_stamped(&mut self, key: usize, state: usize, item: &[u8]) -> Result<(), EngineError> {
        let Some((lifetimes, ttl)) = self.ttl_of(state) else { return Ok(()) };
        let mut stamp = lifetimes.stamp(key, ttl);
        if lifetimes.of_timers.is_some()
            && let len @ 1.. = self.backend.list_len(&self.slots[key], state)?
        {
            let mut last = Column::new();
            self.backend.list_read(&self.slots[key], state, len - 1, 1, &mut last)?;
            stamp = stamp.max(stamped(last.get(0)).0);
        }
        let mut stored = Vec::with_capacity(item.len() + 8);
        with_stamp(stamp, item, &mut stored);
        self.backend.list_append(&mut self.slots[key], self.distinct.keys.get(key), state, &stored)
    }

    pub(super) fn living_items(
        &self,
        key: usize,
        state: usize,
        start: u64,
        max_bytes: usize,
        out: &mut Column,
    ) -> Result<Option<u64>, EngineError> {
        let mut stored = Column::new();
        let next = self.backend.list_read(&self.slots[key], state, start, max_bytes, &mut stored)?;
        stored.iter().for_each(|item| out.push(stamped(item).1));
        Ok(next)
    }

    pub(super) fn living_entry(&self, key: usize, state: usize, entry: &[u8], out: &mut Column) -> Result<bool, EngineError> {
        let Some((lifetimes, ttl)) = self.ttl_of(state) else { return Ok(false) };
        let mut stored = Column::new();
        let is_there = self.backend.map_get(&self.slots[key], state, entry, &mut stored)? && !lifetimes.is_expired(key, ttl, stored.get(0));
        if is_there {
            out.push(stamped(stored.get(0)).1);
        }
        Ok(is_there)
    }

    /// What is stored of a state of a key, with its stamps, and what has expired of it.
    pub(crate) fn stored(&self, key: usize, state: usize) -> Result<Content, EngineError> {
        Content::read(&*self.backend, &self.slots[key], state, self.states[state].kind)
    }

    /// Puts what has been taken by [`Self::stored`] behind what is there, with the stamps that it had.
    pub(crate) fn put_stored(&mut self, key: usize, state: usize, stored: &Content) -> Result<(), EngineError> {
        stored.put(&mut *self.backend, &mut self.slots[key], (self.distinct.keys.get(key), state))
    }

    /// What is stored of an entry counts as, with its stamp and though it has expired; 0 where nothing is.
    pub fn stored_entry_bytes(&self, key: usize, state: usize, entry: &[u8]) -> Result<u64, EngineError> {
        let mut stored = Column::new();
        let is_there = self.backend.map_get(&self.slots[key], state, entry, &mut stored)?;
        Ok(if is_there { entry_bytes(entry, stored.get(0)) } else { 0 })
    }

    /// As the backend scans; what has expired is passed over, however much that is.
    pub(super) fn scan_living(
        &self,
        (key, state): (usize, usize),
        start: Option<&[u8]>,
        max_bytes: usize,
        (entries, values): (&mut Column, &mut Column),
    ) -> Result<Option<Vec<u8>>, EngineError> {
        let Some((lifetimes, ttl)) = self.ttl_of(state) else { return Ok(None) };
        let mut from = start.map(<[u8]>::to_vec);
        loop {
            let (mut names, mut stored) = (Column::new(), Column::new());
            let next = self.backend.map_scan(&self.slots[key], state, from.as_deref(), max_bytes, &mut names, &mut stored)?;
            let before = entries.len();
            for (name, stored) in names.iter().zip(stored.iter()).filter(|(_, stored)| !lifetimes.is_expired(key, ttl, stored)) {
                entries.push(name);
                values.push(stamped(stored).1);
            }
            match next {
                Some(next) if entries.len() == before => from = Some(next),
                next => return Ok(next),
            }
        }
    }

    /// What is kept of a state of a key has been read: where its time to live counts from that, it begins anew.
    pub fn touch(&mut self, key: usize, state: usize) -> Result<(), EngineError> {
        let Some((lifetimes, ttl)) = self.ttl_of(state).filter(|(_, ttl)| ttl.refresh_on_read) else { return Ok(()) };
        let (judged_by, ttl) = (lifetimes.judged_by(key), *ttl);
        let stamp = judged_by.of(ttl.time).0;
        let name = self.distinct.keys.get(key);
        let (backend, slot) = (&mut *self.backend, &mut self.slots[key]);
        let renewed = |stored: &[u8]| with_other_stamp(stamp.max(stamped(stored).0), stored);
        let content = Content::read(backend, slot, state, self.states[state].kind)?;
        let living = |stored: &[u8]| (!judged_by.is_expired(&ttl, stamped(stored).0)).then(|| renewed(stored));
        content.filter_map(living).write(backend, slot, (name, state))
    }
}

/// How many of a list's items, from the front on, have expired.
pub(super) fn count_expired(
    backend: &dyn StateBackend,
    slot: &KeySlot,
    state: usize,
    is_expired: impl Fn(&[u8]) -> bool,
) -> Result<u64, EngineError> {
    let (mut front, mut bytes) = (ExpiredFront::default(), 1);
    let mut items = Column::new();
    loop {
        items.clear();
        let next = backend.list_read(slot, state, (front.expired + front.unstamped) as u64, bytes, &mut items)?;
        let is_past = items.iter().all(|item| front.goes_past(stamped(item).0, is_expired(item)));
        if next.is_none() || !is_past {
            return Ok(front.expired as u64);
        }
        bytes = LOOKED_AT_BYTES;
    }
}

#[cfg(test)]
#[path = "lifetimes_tests.rs"]
mod tests;
