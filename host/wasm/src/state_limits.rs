//! What checked effects would make of the state, weighed before any of them is applied.
//!
//! A key that would pass its limit is the fault of the record that grows it; a subtask that would pass its own fails the job. Neither limit
//! refuses what makes state smaller or leaves it as large as it is: state that is there already may be larger than today's limits allow.
//!
//! Most batches are far from any limit, and for them the sum of what they add is all that is looked at. Only what could pass a limit is weighed
//! exactly, with what it takes the place of.

mod list_cuts;

use crate::effects::{BroadcastUpdate, ChangedKey, Effects, KeyedColumn, MapUpdate, ValueUpdate};
use crate::fault::GuestFault;
use crate::limits::Limits;
use list_cuts::list_cuts;
use std::collections::{BTreeMap, BTreeSet};
use weir_engine::EngineError;
use weir_engine::shown_text::printable_key;
use weir_engine::state::size::{ENTRY_OVERHEAD, entry_bytes, item_bytes, key_bytes};
use weir_engine::state::{BroadcastState, KeyedState, StateKind, WINDOW_STATE};

/// What a timer that is set counts as.
const TIMER_BYTES: u64 = 8;

/// What a stamp counts as: it stands with each value, item and entry of a state with a time to live.
const STAMP_BYTES: u64 = 8;

/// What each value, item and entry of a state counts as besides its own bytes.
fn stamp_bytes(keyed: &KeyedState, state: usize) -> u64 {
    if keyed.states()[state].ttl.is_some() { STAMP_BYTES } else { 0 }
}

/// Effects and the state that they are to change.
#[derive(Clone, Copy)]
pub(crate) struct Weighed<'a> {
    pub(crate) effects: &'a Effects,
    pub(crate) keyed: Option<&'a KeyedState>,
    pub(crate) broadcast: Option<&'a BroadcastState>,
}

impl Weighed<'_> {
    /// Refuses a key, or an entry of broadcast state, that would pass its limit: that is the inner error, the outer one is the state's.
    pub(crate) fn check_keys(&self, limits: &Limits) -> Result<Result<(), GuestFault>, EngineError> {
        let limit = limits.state_bytes_per_key;
        if let Some(keyed) = self.keyed
            && !self.fits_whatever_there_is(keyed, limit)
            && self.may_pass(keyed, limit)?
            && let Err(fault) = self.check_exactly(keyed, limit)?
        {
            return Ok(Err(fault));
        }
        for update in &self.effects.broadcasts {
            for (entry, value) in update.put.iter().zip(update.values.iter()) {
                let bytes = (entry.len() + value.len()) as u64;
                if bytes > limit {
                    return Ok(Err(too_much(
                        format!("an entry of broadcast state \"{}\" would have {bytes} bytes", printable_key(entry)),
                        limit,
                    )));
                }
            }
        }
        Ok(Ok(()))
    }

    /// True where a key passes the limit, were nothing in the place of what is added to it.
    fn may_pass(&self, keyed: &KeyedState, limit: u64) -> Result<bool, EngineError> {
        for (key, &added) in self.added_by_key(keyed).iter().enumerate().filter(|(_, added)| **added > 0) {
            if keyed.key_bytes(key)?.saturating_add(added) > limit {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// True where each key has one value, and not even all new ones together pass the limit. What the host keeps of a window beside it does not grow by effects.
    fn fits_whatever_there_is(&self, keyed: &KeyedState, limit: u64) -> bool {
        let guests = keyed.states().iter().filter(|state| state.name != WINDOW_STATE);
        let mut kinds = guests.map(|state| state.kind).filter(|&kind| kind != StateKind::Broadcast);
        let one_value = kinds.next() == Some(StateKind::Value) && kinds.next().is_none();
        one_value
            && self.effects.timers.is_empty()
            && self.effects.values.iter().map(|update| set_bytes(keyed, update)).sum::<u64>() <= limit
    }

    /// For each of the batch's keys what is added to it at most.
    fn added_by_key(&self, keyed: &KeyedState) -> Vec<u64> {
        let mut added = vec![0; keyed.keys().len()];
        let Effects { values, lists, maps, timers, .. } = self.effects;
        for update in timers {
            update.set.keys.iter().for_each(|&key| added[key as usize] += TIMER_BYTES);
        }
        for update in values {
            let stamp = stamp_bytes(keyed, update.state);
            update.set.each(|key, value| added[key as usize] += value.len() as u64 + stamp);
        }
        for update in lists {
            let stamp = stamp_bytes(keyed, update.state);
            update.append.each(|key, item| added[key as usize] += item_bytes(item) + stamp);
        }
        for update in maps {
            let stamp = stamp_bytes(keyed, update.state);
            each_put(update, |key, entry, value| added[key as usize] += entry_bytes(entry, value) + stamp);
        }
        added
    }

    fn check_exactly(&self, keyed: &KeyedState, limit: u64) -> Result<Result<(), GuestFault>, EngineError> {
        for (key, change) in self.changes(keyed)? {
            let before = keyed.key_bytes(key as usize)?;
            let after = before + change.added - change.gone;
            if after > limit && after > before {
                return Ok(Err(too_much(
                    format!("the state of key \"{}\" would have {after} bytes", printable_key(keyed.keys().get(key as usize))),
                    limit,
                )));
            }
        }
        Ok(Ok(()))
    }

    /// What becomes of each key that is named, in one pass over everything.
    fn changes(&self, keyed: &KeyedState) -> Result<BTreeMap<u32, Change>, EngineError> {
        let mut changes = Changes::default();
        let held = |key: u32, state: usize| keyed.state_bytes(key as usize, state);
        let Effects { values, lists, maps, timers, .. } = self.effects;
        for update in timers {
            for ChangedKey { key, deleted, set } in update.by_key() {
                let there = |times: &[i64]| keyed.count_timers(key as usize, update.timer, times);
                let (gone, new) = (there(deleted)?, set.len() - there(set)?);
                if new + gone > 0 {
                    changes.of(key, TIMER_BYTES * new as u64, TIMER_BYTES * gone as u64)?;
                }
            }
        }
        for update in values {
            update.cleared.iter().try_for_each(|&key| changes.of(key, 0, held(key, update.state)?))?;
            let stamp = stamp_bytes(keyed, update.state);
            update.set.try_each(|key, value| changes.of(key, value.len() as u64 + stamp, held(key, update.state)?))?;
        }
        for update in lists {
            let stamp = stamp_bytes(keyed, update.state);
            let cleared = distinct(&update.cleared);
            cleared.iter().try_for_each(|&key| changes.of(key, 0, held(key, update.state)?))?;
            for (key, cut) in list_cuts(update, &cleared) {
                changes.of(key, 0, cut.bytes(keyed, key as usize, update.state)?)?;
            }
            update.append.try_each(|key, item| changes.of(key, item_bytes(item) + stamp, 0))?;
        }
        for update in maps {
            let cleared = distinct(&update.cleared);
            cleared.iter().try_for_each(|&key| changes.of(key, 0, held(key, update.state)?))?;
            let stamp = stamp_bytes(keyed, update.state);
            let old = |key: u32, entry: &[u8]| match cleared.contains(&key) {
                true => Ok(0),
                false => keyed.stored_entry_bytes(key as usize, update.state, entry),
            };
            update.removed.try_each(|key, entry| changes.of(key, 0, old(key, entry)?))?;
            for ((&key, entry), value) in update.put.keys.iter().zip(update.put.items.iter()).zip(update.values.iter()) {
                changes.of(key, entry_bytes(entry, value) + stamp, old(key, entry)?)?;
            }
        }
        Ok(changes.0)
    }

    /// Refuses effects that would have the subtask keep more than it may.
    pub(crate) fn check_subtask(&self) -> Result<(), EngineError> {
        let allowance = self.keyed.and_then(|keyed| keyed.allowance()).or_else(|| self.broadcast?.allowance());
        let Some(allowance) = allowance else { return Ok(()) };
        // A batch of another input is not given the keyed state.
        let keyed = self.keyed.map_or_else(|| allowance.keyed(), KeyedState::bytes);
        let bytes = keyed + self.broadcast.map_or(0, BroadcastState::bytes);
        if allowance.check(bytes, bytes.saturating_add(self.most_added())).is_ok() {
            return Ok(());
        }
        allowance.check(bytes, self.exactly(bytes)?)
    }

    /// What the subtask's state would gain, were nothing in the place of what comes.
    fn most_added(&self) -> u64 {
        let Effects { values, lists, maps, broadcasts, timers, .. } = self.effects;
        let mut new_keys: usize = timers.iter().map(|update| update.set.keys.len()).sum();
        let mut added = TIMER_BYTES * new_keys as u64;
        for column in values.iter().map(|update| &update.set).chain(lists.iter().map(|update| &update.append)) {
            // No item counts as more than an entry, with its stamp or without.
            added += column.items.data().len() as u64 + (ENTRY_OVERHEAD + STAMP_BYTES) * column.keys.len() as u64;
            new_keys += column.keys.len();
        }
        for update in maps {
            added += (update.put.items.data().len() + update.values.data().len()) as u64;
            added += (ENTRY_OVERHEAD + STAMP_BYTES) * update.put.keys.len() as u64;
            new_keys += update.put.keys.len();
        }
        for update in broadcasts {
            added += (update.put.data().len() + update.values.data().len()) as u64 + ENTRY_OVERHEAD * update.put.len() as u64;
        }
        let keys = self.keyed.filter(|_| new_keys > 0).map_or(0, |keyed| keyed.keys().data().len() as u64);
        added + keys + key_bytes(&[]) * new_keys as u64
    }

    /// What the subtask's state would come to, `bytes` being what there is.
    fn exactly(&self, bytes: u64) -> Result<u64, EngineError> {
        let mut grown = bytes;
        if let Some(keyed) = self.keyed {
            for (key, change) in self.changes(keyed)? {
                let entry = if keyed.is_known(key as usize) { 0 } else { key_bytes(keyed.keys().get(key as usize)) };
                grown = grown + entry + change.added - change.gone;
            }
        }
        for (broadcast, update) in
            self.broadcast.into_iter().flat_map(|all| self.effects.broadcasts.iter().map(move |update| (all, update)))
        {
            grown = grown + broadcast_after(broadcast, update) - broadcast.state_bytes(update.state);
        }
        Ok(grown)
    }
}

/// What one key's state would gain and lose.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    added: u64,
    gone: u64,
}

/// What becomes of each key.
#[derive(Default)]
struct Changes(BTreeMap<u32, Change>);

impl Changes {
    fn of(&mut self, key: u32, added: u64, gone: u64) -> Result<(), EngineError> {
        let change = self.0.entry(key).or_default();
        (change.added, change.gone) = (change.added + added, change.gone + gone);
        Ok(())
    }
}

fn distinct(keys: &[u32]) -> BTreeSet<u32> {
    keys.iter().copied().collect()
}

/// What a broadcast state would count as.
fn broadcast_after(broadcast: &BroadcastState, update: &BroadcastUpdate) -> u64 {
    let old = |entry: &[u8]| if update.cleared { None } else { broadcast.get(update.state, entry) };
    let before = if update.cleared { 0 } else { broadcast.state_bytes(update.state) };
    let gone: u64 = update.removed.iter().chain(update.put.iter()).map(|entry| replaced(entry, old(entry))).sum();
    let added: u64 = update.put.iter().zip(update.values.iter()).map(|(entry, value)| entry_bytes(entry, value)).sum();
    before + added - gone
}

/// What an entry that is written over or removed counted as.
fn replaced(entry: &[u8], old: Option<&[u8]>) -> u64 {
    old.map_or(0, |old| entry_bytes(entry, old))
}

/// What the values of an update come to.
fn set_bytes(keyed: &KeyedState, update: &ValueUpdate) -> u64 {
    update.set.items.data().len() as u64 + stamp_bytes(keyed, update.state) * update.set.keys.len() as u64
}

/// Each entry that is put: its key, the entry, its value.
fn each_put(update: &MapUpdate, mut each: impl FnMut(u32, &[u8], &[u8])) {
    for ((&key, entry), value) in update.put.keys.iter().zip(update.put.items.iter()).zip(update.values.iter()) {
        each(key, entry, value);
    }
}

impl KeyedColumn {
    fn each(&self, mut each: impl FnMut(u32, &[u8])) {
        self.keys.iter().zip(self.items.iter()).for_each(|(&key, item)| each(key, item));
    }

    fn try_each(&self, mut each: impl FnMut(u32, &[u8]) -> Result<(), EngineError>) -> Result<(), EngineError> {
        self.keys.iter().zip(self.items.iter()).try_for_each(|(&key, item)| each(key, item))
    }
}

fn too_much(what: String, limit: u64) -> GuestFault {
    GuestFault::StateLimit { what, limit }
}

#[cfg(test)]
mod tests;
