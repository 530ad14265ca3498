//! What was stored of an operator's states, in the shape in which it is restored: without states that are dropped, with old values migrated, and with the stamps
//! of the times to live that there are now.
//!
//! Blocks, deltas and broadcast sections are rewritten as bytes before a backend reads them: so backends know one version of each state, and
//! what needs no change is not touched. Indexes of states stay those of the checkpoint.

use super::block::{BlockReader, BlockState, Payload, write_block_header, write_key};
use super::broadcast_reader::BroadcastReader;
use super::delta::{Delta, write_removed_keys};
use super::lifetime::{JudgedBy, STAMP_BYTES};
use super::migrate::{Migrated, Migration};
use super::redeclared::{KeyTimes, Redeclared};
use super::timers::{Times, may_be_of_timer_by};
use super::varint::{put_bytes, put_number};
use super::{StateDescriptor, StateMigrator, TimeDomain};
use crate::error::EngineError;
use std::borrow::Cow;
use std::sync::Arc;

/// How the states of one operator in a checkpoint become those that it has now.
#[derive(Clone)]
pub struct StateRewrite {
    places: Vec<Option<usize>>,
    declared: Arc<[StateDescriptor]>,
    /// For each state of the checkpoint how it was declared; none where they were as those of now are.
    stored: Arc<[StateDescriptor]>,
    migrator: Option<Arc<dyn StateMigrator>>,
}

impl StateRewrite {
    /// `places`: for each state of the checkpoint its index among those that are `declared` now; `None`: it is dropped.
    pub fn new(places: Vec<Option<usize>>, declared: &[StateDescriptor], migrator: Option<Arc<dyn StateMigrator>>) -> Self {
        Self { places, declared: declared.into(), stored: Arc::new([]), migrator }
    }

    /// The same, of states that were declared so. What has or had a time to live is stamped, or not any more.
    pub fn of(self, stored: &[StateDescriptor]) -> Self {
        Self { stored: stored.into(), ..self }
    }

    /// How long what is kept of a state of the checkpoint lived and lives.
    fn lives(&self, stored: usize) -> Redeclared {
        let now = self.places.get(stored).copied().flatten().and_then(|place| self.declared.get(place)).and_then(|declared| declared.ttl);
        Redeclared { was: self.stored.get(stored).map_or(now, |stored| stored.ttl), now }
    }

    /// For each state of the checkpoint its index now. Of those without one nothing is left in what is rewritten.
    pub fn places(&self) -> &[Option<usize>] {
        &self.places
    }

    /// True where what was stored of states that were declared as `stored` is restored as it is: none is dropped, no value migrated and nothing stamped anew, and
    /// nothing that had expired might live again.
    pub fn keeps(&self, stored: &[StateDescriptor]) -> bool {
        let keeps = |(place, stored): (&Option<usize>, &StateDescriptor)| {
            place.and_then(|place| self.declared.get(place)).is_some_and(|declared| declared.version == stored.version)
        };
        let live_as_they_did = (0..stored.len()).all(|stored| !self.lives(stored).changes());
        live_as_they_did && self.places.len() == stored.len() && self.places.iter().zip(stored).all(keeps)
    }

    /// A block of keyed state, of a key group for which the checkpoint had come to these times.
    pub(crate) fn block<'b>(&self, block: &'b [u8], times: JudgedBy) -> Result<Cow<'b, [u8]>, EngineError> {
        if !self.changes_block(&BlockReader::open(block)?) {
            return Ok(Cow::Borrowed(block));
        }
        let mut out = Vec::with_capacity(block.len());
        self.write_block(block, times, &mut out)?;
        Ok(Cow::Owned(out))
    }

    /// A delta of keyed state, of such a group. A key of which only dropped states are left, or what had expired, is removed.
    pub(crate) fn delta<'b>(&self, delta: &'b [u8], times: JudgedBy) -> Result<Cow<'b, [u8]>, EngineError> {
        let (mut removed, block) = Delta::parts(delta)?;
        if !self.changes_block(&BlockReader::open(block)?) {
            return Ok(Cow::Borrowed(delta));
        }
        let (mut out, mut rewritten) = (Vec::with_capacity(delta.len()), Vec::with_capacity(block.len()));
        removed.extend(self.write_block(block, times, &mut rewritten)?);
        write_removed_keys(&mut out, removed);
        out.extend_from_slice(&rewritten);
        Ok(Cow::Owned(out))
    }

    /// A section of broadcast state.
    pub fn broadcast<'b>(&self, section: &'b [u8]) -> Result<Cow<'b, [u8]>, EngineError> {
        let (mut reader, mut states, mut rewritten, mut out) = (BroadcastReader::open(section)?, 0, false, Vec::new());
        while let Some(state) = reader.next_state()? {
            let (version, mut entries) = (reader.version()?, Vec::new());
            reader.entries(|entry, value| entries.push((entry, value)))?;
            let stored = usize::try_from(state).unwrap_or(usize::MAX);
            rewritten |= self.is_dropped(stored);
            if self.is_dropped(stored) {
                continue;
            }
            states += 1;
            put_number(&mut out, state);
            let (mut migrated, mut version_now) = (None, version);
            if let Some((mut migration, to)) = u32::try_from(version).ok().and_then(|version| self.migration(stored, version)) {
                entries.iter().try_for_each(|(entry, value)| migration.push(entry, value))?;
                (migrated, version_now, rewritten) = (Some(migration.finish()?), u64::from(to), true);
            }
            put_number(&mut out, version_now);
            write_payload(&mut out, &Payload::Map(entries), &mut migrated, |stored| (None, stored));
        }
        if !rewritten {
            return Ok(Cow::Borrowed(section));
        }
        let mut whole = Vec::with_capacity(out.len() + 1);
        put_number(&mut whole, states);
        whole.extend_from_slice(&out);
        Ok(Cow::Owned(whole))
    }

    fn is_dropped(&self, stored: usize) -> bool {
        self.places.get(stored) == Some(&None)
    }

    /// How values of the checkpoint's state `stored`, which are of `version`, are migrated, and to which version; `None`: they stay. What there is no way for, a
    /// newer version among it, is refused by the backend.
    fn migration(&self, stored: usize, version: u32) -> Option<(Migration<'_>, u32)> {
        let place = self.places.get(stored).copied().flatten()?;
        let (declared, migrator) = (self.declared.get(place)?, self.migrator.as_deref()?);
        (version < declared.version).then(|| (Migration::new(migrator, place, declared, version), declared.version))
    }

    fn changes_block(&self, reader: &BlockReader<'_>) -> bool {
        let changes = |(stored, state): (usize, &BlockState)| {
            self.is_dropped(stored) || self.migration(stored, state.version).is_some() || self.lives(stored).changes()
        };
        reader.states().iter().enumerate().any(changes)
    }

    /// Appends the block rewritten. Returns the keys of which nothing is left.
    fn write_block<'b>(&self, block: &'b [u8], times: JudgedBy, out: &mut Vec<u8>) -> Result<Vec<&'b [u8]>, EngineError> {
        let (mut migrated, keys) = self.migrate_block(block, times)?;
        let mut reader = BlockReader::open(block)?;
        let version = |(stored, state): (usize, &BlockState)| {
            let version = self.migration(stored, state.version).map_or(state.version, |(_, version)| version);
            BlockState { kind: state.kind, version }
        };
        let states: Vec<_> = reader.states().iter().enumerate().map(version).collect();
        write_block_header(out, &states, keys);
        let mut gone = Vec::new();
        while let Some(key) = reader.next_key()? {
            let Kept { states, times } = self.kept(&mut reader, times)?;
            if states.is_empty() {
                gone.push(key);
                continue;
            }
            write_key(out, key, states.len());
            for (stored, payload) in &states {
                put_number(out, *stored as u64);
                let lives = self.lives(*stored);
                write_payload(out, payload, &mut migrated[*stored], |stored| lives.stamped(stored, &times));
            }
        }
        Ok(gone)
    }

    /// The migrated values of each state of the block that is migrated, in the order of the block; and the number of keys of which something is left.
    fn migrate_block(&self, block: &[u8], times: JudgedBy) -> Result<(Vec<Option<Migrated>>, usize), EngineError> {
        let mut reader = BlockReader::open(block)?;
        let migration = |(stored, state): (usize, &BlockState)| Some(self.migration(stored, state.version)?.0);
        let mut migrations: Vec<_> = reader.states().iter().enumerate().map(migration).collect();
        let mut keys = 0;
        while let Some(key) = reader.next_key()? {
            let Kept { states, times } = self.kept(&mut reader, times)?;
            keys += usize::from(!states.is_empty());
            for (stored, payload) in &states {
                if let Some(migration) = &mut migrations[*stored] {
                    let lives = self.lives(*stored);
                    push(migration, key, payload, |stored| lives.stamped(stored, &times).1)?;
                }
            }
        }
        let finished = migrations.into_iter().map(|migration| migration.map(Migration::finish).transpose());
        Ok((finished.collect::<Result<_, _>>()?, keys))
    }

    /// What of the key that `reader` is at is restored, before it is migrated and stamped: not what is dropped, and not what had expired.
    fn kept<'b>(&self, reader: &mut BlockReader<'b>, group: JudgedBy) -> Result<Kept<'b>, EngineError> {
        const DOMAINS: [TimeDomain; 2] = [TimeDomain::Event, TimeDomain::Processing];
        let (mut states, mut first_due) = (Vec::new(), [None; 2]);
        while let Some((stored, payload)) = reader.next_state()? {
            if self.is_dropped(stored) {
                continue;
            }
            for (domain, first_due) in DOMAINS.into_iter().zip(&mut first_due) {
                let is_timer = self.stored.get(stored).is_some_and(|state| may_be_of_timer_by(state, domain));
                if let (Payload::Value(times), true) = (&payload, is_timer) {
                    *first_due = (*first_due).into_iter().chain(Times(times).iter()).min();
                }
            }
            states.push((stored, payload));
        }
        let earliest = DOMAINS.into_iter().zip(first_due).fold(group, |earliest, (domain, first_due)| match first_due {
            Some(due) => earliest.at(domain, due.min(group.of(domain).0)),
            None => earliest,
        });
        let times = KeyTimes { group, earliest };
        states.retain_mut(|(stored, payload)| self.lives(*stored).retain_living(payload, &times));
        Ok(Kept { states, times })
    }
}

/// What is restored of a key: its states by their number in the checkpoint.
struct Kept<'b> {
    states: Vec<(usize, Payload<'b>)>,
    times: KeyTimes,
}

/// Hands a payload's values on, which `value_of` finds in what is stored.
fn push<'b>(
    migration: &mut Migration<'_>,
    key: &[u8],
    payload: &Payload<'b>,
    value_of: impl Fn(&'b [u8]) -> &'b [u8],
) -> Result<(), EngineError> {
    match payload {
        Payload::Value(value) => migration.push(key, value_of(value)),
        Payload::List(items) => items.iter().try_for_each(|item| migration.push(key, value_of(item))),
        Payload::Map(entries) => entries.iter().try_for_each(|(_, value)| migration.push(key, value_of(value))),
    }
}

/// Appends what is to be in the place of something that was stored as this value: migrated, where values are, and with this stamp.
fn put_renewed(out: &mut Vec<u8>, (stamp, value): (Option<i64>, &[u8]), migrated: &mut Option<Migrated>) {
    let value = migrated.as_mut().map_or(value, Migrated::next);
    match stamp {
        None => put_bytes(out, value),
        Some(stamp) => {
            put_number(out, (STAMP_BYTES + value.len()) as u64);
            out.extend_from_slice(&stamp.to_le_bytes());
            out.extend_from_slice(value);
        }
    }
}

/// Appends a payload; `stamped` says of what is stored which stamp it is to have, and its value.
fn write_payload<'b>(
    out: &mut Vec<u8>,
    payload: &Payload<'b>,
    migrated: &mut Option<Migrated>,
    stamped: impl Fn(&'b [u8]) -> (Option<i64>, &'b [u8]),
) {
    match payload {
        Payload::Value(value) => put_renewed(out, stamped(value), migrated),
        Payload::List(items) => {
            put_number(out, items.len() as u64);
            items.iter().for_each(|item| put_renewed(out, stamped(item), migrated));
        }
        Payload::Map(entries) => {
            put_number(out, entries.len() as u64);
            for (entry, value) in entries {
                put_bytes(out, entry);
                put_renewed(out, stamped(value), migrated);
            }
        }
    }
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
