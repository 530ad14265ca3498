//! Times to live in the test host: what is kept is stamped when it is written, judged once a call as the engine judges it, and gone where it has expired.

use super::TestHost;
use super::store::{Of, Store};
use crate::bindings::weir::operator::types::{Effects, KeyedColumn, StateDecl, TimeDomain, Ttl};
use crate::columns::{items, u32s};
use crate::context::NO_TIMESTAMP;
use crate::operator::Operator;
use std::collections::BTreeMap;

/// By which times what is kept is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct JudgedBy {
    event: i64,
    /// The first that there was: what was written before any is as old as this.
    first_event: i64,
    processing: i64,
    first_processing: i64,
}

impl JudgedBy {
    const NONE: Self = Self { event: NO_TIMESTAMP, first_event: NO_TIMESTAMP, processing: NO_TIMESTAMP, first_processing: NO_TIMESTAMP };

    /// A call is of these times. The end of event time says nothing: by it nothing expires.
    fn told(mut self, watermark: i64, processing_time: i64) -> Self {
        if watermark != i64::MAX {
            self.event = watermark;
        }
        self.processing = processing_time;
        if self.first_event == NO_TIMESTAMP {
            self.first_event = self.event;
        }
        if self.first_processing == NO_TIMESTAMP {
            self.first_processing = processing_time;
        }
        self
    }

    fn at(mut self, domain: TimeDomain, now: i64) -> Self {
        match domain {
            TimeDomain::Event => self.event = now,
            TimeDomain::Processing => self.processing = now,
        }
        self
    }

    fn stamp(&self, ttl: &Ttl) -> i64 {
        match ttl.domain {
            TimeDomain::Event => self.event,
            TimeDomain::Processing => self.processing,
        }
    }

    fn is_expired(&self, ttl: &Ttl, stamp: i64) -> bool {
        let (now, first) = match ttl.domain {
            TimeDomain::Event => (self.event, self.first_event),
            TimeDomain::Processing => (self.processing, self.first_processing),
        };
        let since = if stamp == NO_TIMESTAMP { first } else { stamp };
        now != NO_TIMESTAMP && since != NO_TIMESTAMP && now.saturating_sub(since) >= i64::try_from(ttl.ms).unwrap_or(i64::MAX)
    }
}

/// The times of the call that is made.
pub(super) struct CallTimes {
    judged_by: JudgedBy,
    /// For each key of the call the time at which its timers were due, in a call of such as go by this time.
    of_timers: Option<(TimeDomain, Vec<i64>)>,
}

impl Default for CallTimes {
    fn default() -> Self {
        Self { judged_by: JudgedBy::NONE, of_timers: None }
    }
}

impl CallTimes {
    fn of(&self, key: usize) -> JudgedBy {
        match &self.of_timers {
            Some((domain, due)) => self.judged_by.at(*domain, due[key]),
            None => self.judged_by,
        }
    }
}

/// When what is kept was written, of states with a time to live. What has none was written before there was any time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamps {
    values: BTreeMap<Of, i64>,
    lists: BTreeMap<Of, Vec<i64>>,
    maps: BTreeMap<Of, BTreeMap<Vec<u8>, i64>>,
}

impl<O: Operator> TestHost<O> {
    /// A call that brings the state of these keys is about to be made, with timers where it says for which time of which domain. What of them has expired is gone.
    pub(super) fn begin_call(&mut self, keys: &[Vec<u8>], of_timers: Option<(TimeDomain, Vec<i64>)>) {
        let judged_by = self.times.judged_by.told(self.watermark, self.processing_time);
        self.times = CallTimes { judged_by, of_timers };
        for (index, key) in keys.iter().enumerate() {
            self.store.expire(&self.descriptor.states, key, self.times.of(index));
        }
    }

    /// What is there of one key now, for the test to look at.
    pub(super) fn living(&self, key: &[u8]) -> Store {
        let mut store = self.store.only(key, self.descriptor.states.len() as u32);
        store.expire(&self.descriptor.states, key, self.times.judged_by.told(self.watermark, self.processing_time));
        store
    }
}

impl Store {
    /// What is kept of one key, but for its timers.
    fn only(&self, key: &[u8], states: u32) -> Self {
        let mut only = Self::default();
        for of in (0..states).map(|number| (number, key.to_vec())) {
            only.values.extend(self.values.get(&of).map(|value| (of.clone(), value.clone())));
            only.lists.extend(self.lists.get(&of).map(|list| (of.clone(), list.clone())));
            only.maps.extend(self.maps.get(&of).map(|map| (of.clone(), map.clone())));
            only.stamps.values.extend(self.stamps.values.get(&of).map(|stamp| (of.clone(), *stamp)));
            only.stamps.lists.extend(self.stamps.lists.get(&of).map(|stamps| (of.clone(), stamps.clone())));
            only.stamps.maps.extend(self.stamps.maps.get(&of).map(|stamps| (of.clone(), stamps.clone())));
        }
        only
    }

    /// Removes what has expired of a key.
    fn expire(&mut self, states: &[StateDecl], key: &[u8], judged_by: JudgedBy) {
        for (number, ttl) in (0..).zip(states).filter_map(|(number, state)| Some((number, state.ttl?))) {
            let of = (number, key.to_vec());
            let is_expired = |stamp: Option<&i64>| judged_by.is_expired(&ttl, stamp.copied().unwrap_or(NO_TIMESTAMP));
            if is_expired(self.stamps.values.get(&of)) {
                self.stamps.values.remove(&of);
                self.values.remove(&of);
            }
            if let Some(list) = self.lists.get_mut(&of) {
                let stamps = self.stamps.lists.entry(of.clone()).or_default();
                stamps.resize(list.len(), NO_TIMESTAMP);
                let expired = stamps.iter().take_while(|&stamp| is_expired(Some(stamp))).count();
                stamps.drain(..expired);
                list.drain(..expired);
            }
            if let Some(map) = self.maps.get_mut(&of) {
                let stamps = self.stamps.maps.entry(of.clone()).or_default();
                map.retain(|entry, _| !is_expired(stamps.get(entry)));
                stamps.retain(|entry, _| map.contains_key(entry));
            }
        }
        self.forget_empty();
    }

    /// Stamps what a call is about to write, and what it has read, before its effects are applied.
    pub(super) fn stamp(&mut self, effects: &Effects, states: &[StateDecl], keys: &[Vec<u8>], times: &CallTimes) {
        let stamp_of = |state: u32, key: u32| Some(times.of(key as usize).stamp(states[state as usize].ttl.as_ref()?));
        let of = |state: u32, key: u32| (state, keys[key as usize].clone());
        for touch in &effects.touched {
            let ttl = states[touch.state as usize].ttl;
            assert!(
                ttl.is_some_and(|ttl| ttl.refresh_on_read),
                "state {} is touched and has no time to live that counts from reads",
                touch.state
            );
            for key in u32s(&touch.keys) {
                self.touch(&of(touch.state, key), times.of(key as usize).stamp(&ttl.expect("looked at")));
            }
        }
        for update in effects.values.iter().filter(|update| states[update.state as usize].ttl.is_some()) {
            u32s(&update.cleared).for_each(|key| _ = self.stamps.values.remove(&of(update.state, key)));
            for key in u32s(&update.set.keys) {
                self.stamps.values.extend(stamp_of(update.state, key).map(|stamp| (of(update.state, key), stamp)));
            }
        }
        for update in effects.lists.iter().filter(|update| states[update.state as usize].ttl.is_some()) {
            let stamps = &mut self.stamps.lists;
            u32s(&update.cleared).for_each(|key| _ = stamps.remove(&of(update.state, key)));
            for (of, count) in super::store::counted(update.state, &update.popped, keys) {
                let stamps = stamps.entry(of).or_default();
                stamps.drain(..stamps.len().min(count));
            }
            for (of, len) in super::store::counted(update.state, &update.truncated, keys) {
                stamps.entry(of).or_default().truncate(len);
            }
            for key in u32s(&update.append.keys) {
                let stamps = stamps.entry(of(update.state, key)).or_default();
                // No item is older than the one in front of it, also where a timer was due before that was written.
                let last = stamps.last().copied();
                stamps.extend(stamp_of(update.state, key).max(last));
            }
        }
        for update in effects.maps.iter().filter(|update| states[update.state as usize].ttl.is_some()) {
            u32s(&update.cleared).for_each(|key| _ = self.stamps.maps.remove(&of(update.state, key)));
            each(&update.removed, |key, entry| _ = self.stamps.maps.entry(of(update.state, key)).or_default().remove(entry));
            each(&update.put, |key, entry| {
                let stamp = stamp_of(update.state, key).map(|stamp| (entry.to_vec(), stamp));
                self.stamps.maps.entry(of(update.state, key)).or_default().extend(stamp);
            });
        }
    }

    /// What is there of a state of a key begins anew.
    fn touch(&mut self, of: &Of, now: i64) {
        let renewed = |stamp: Option<&i64>| stamp.copied().unwrap_or(NO_TIMESTAMP).max(now);
        if self.values.contains_key(of) {
            self.stamps.values.insert(of.clone(), renewed(self.stamps.values.get(of)));
        }
        if let Some(list) = self.lists.get(of) {
            let stamps = self.stamps.lists.entry(of.clone()).or_default();
            stamps.resize(list.len(), NO_TIMESTAMP);
            stamps.iter_mut().for_each(|stamp| *stamp = renewed(Some(&*stamp)));
        }
        for entry in self.maps.get(of).into_iter().flat_map(BTreeMap::keys) {
            let stamps = self.stamps.maps.entry(of.clone()).or_default();
            stamps.insert(entry.clone(), renewed(stamps.get(entry)));
        }
    }

    /// Nothing is kept of lists and maps without contents.
    pub(super) fn forget_empty(&mut self) {
        self.lists.retain(|_, list| !list.is_empty());
        self.maps.retain(|_, map| !map.is_empty());
        self.stamps.lists.retain(|of, _| self.lists.contains_key(of));
        self.stamps.maps.retain(|of, _| self.maps.contains_key(of));
    }
}

fn each(column: &KeyedColumn, mut each: impl FnMut(u32, &[u8])) {
    u32s(&column.keys).zip(items(&column.items)).for_each(|(key, item)| each(key, item));
}
