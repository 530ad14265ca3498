//! What was stored of an operator's states, in the shape in which it is restored: without states that are dropped, and with old values migrated.
//!
//! Blocks, deltas and broadcast sections are rewritten as bytes before a backend reads them: so backends know one version of each state, and
//! what needs no change is not touched. Indexes of states stay those of the checkpoint.

use super::block::{BlockReader, BlockState, Payload, write_block_header, write_key};
use super::broadcast_reader::BroadcastReader;
use super::delta::{Delta, write_removed_keys};
use super::migrate::{Migrated, Migration};
use super::varint::{put_bytes, put_number};
use super::{STAMP_BYTES, StateDescriptor, StateMigrator, stamped};
use crate::element::NO_TIMESTAMP;
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

    /// What becomes of the stamps of a state of the checkpoint.
    fn stamps(&self, stored: usize) -> Stamps {
        let now = self.places.get(stored).copied().flatten().and_then(|place| self.declared.get(place)).and_then(|declared| declared.ttl);
        match (self.stored.get(stored).map_or(now, |stored| stored.ttl), now) {
            (None, None) => Stamps::None,
            (None, Some(_)) => Stamps::Added,
            (Some(_), None) => Stamps::Removed,
            (Some(was), Some(now)) if was.time == now.time => Stamps::Kept,
            (Some(_), Some(_)) => Stamps::Renewed,
        }
    }

    /// For each state of the checkpoint its index now. Of those without one nothing is left in what is rewritten.
    pub fn places(&self) -> &[Option<usize>] {
        &self.places
    }

    /// True where what was stored of states that were declared as `stored` is restored as it is: none is dropped and no value migrated.
    pub fn keeps(&self, stored: &[StateDescriptor]) -> bool {
        let keeps = |(place, stored): (&Option<usize>, &StateDescriptor)| {
            place.and_then(|place| self.declared.get(place)).is_some_and(|declared| declared.version == stored.version)
        };
        let same_stamps = (0..stored.len()).all(|stored| !self.stamps(stored).change());
        same_stamps && self.places.len() == stored.len() && self.places.iter().zip(stored).all(keeps)
    }

    /// A block of keyed state.
    pub fn block<'b>(&self, block: &'b [u8]) -> Result<Cow<'b, [u8]>, EngineError> {
        if !self.changes_block(&BlockReader::open(block)?) {
            return Ok(Cow::Borrowed(block));
        }
        let mut out = Vec::with_capacity(block.len());
        self.write_block(block, &mut out)?;
        Ok(Cow::Owned(out))
    }

    /// A delta of keyed state. A key of which only dropped states are left is removed.
    pub fn delta<'b>(&self, delta: &'b [u8]) -> Result<Cow<'b, [u8]>, EngineError> {
        let (mut removed, block) = Delta::parts(delta)?;
        if !self.changes_block(&BlockReader::open(block)?) {
            return Ok(Cow::Borrowed(delta));
        }
        let (mut out, mut rewritten) = (Vec::with_capacity(delta.len()), Vec::with_capacity(block.len()));
        removed.extend(self.write_block(block, &mut rewritten)?);
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
            write_payload(&mut out, &Payload::Map(entries), &mut migrated, Stamps::None);
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
            self.is_dropped(stored) || self.migration(stored, state.version).is_some() || self.stamps(stored).change()
        };
        reader.states().iter().enumerate().any(changes)
    }

    /// Appends the block rewritten. Returns the keys of which nothing is left.
    fn write_block<'b>(&self, block: &'b [u8], out: &mut Vec<u8>) -> Result<Vec<&'b [u8]>, EngineError> {
        let (mut migrated, keys) = self.migrate_block(block)?;
        let mut reader = BlockReader::open(block)?;
        let version = |(stored, state): (usize, &BlockState)| {
            let version = self.migration(stored, state.version).map_or(state.version, |(_, version)| version);
            BlockState { kind: state.kind, version }
        };
        let states: Vec<_> = reader.states().iter().enumerate().map(version).collect();
        write_block_header(out, &states, keys);
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        while let Some(key) = reader.next_key()? {
            kept.clear();
            while let Some((stored, payload)) = reader.next_state()? {
                if !self.is_dropped(stored) {
                    kept.push((stored, payload));
                }
            }
            if kept.is_empty() {
                gone.push(key);
                continue;
            }
            write_key(out, key, kept.len());
            for (stored, payload) in &kept {
                put_number(out, *stored as u64);
                write_payload(out, payload, &mut migrated[*stored], self.stamps(*stored));
            }
        }
        Ok(gone)
    }

    /// The migrated values of each state of the block that is migrated, in the order of the block; and the number of keys of which something is left.
    fn migrate_block(&self, block: &[u8]) -> Result<(Vec<Option<Migrated>>, usize), EngineError> {
        let mut reader = BlockReader::open(block)?;
        let migration = |(stored, state): (usize, &BlockState)| Some(self.migration(stored, state.version)?.0);
        let mut migrations: Vec<_> = reader.states().iter().enumerate().map(migration).collect();
        let mut keys = 0;
        while let Some(key) = reader.next_key()? {
            let mut left = false;
            while let Some((stored, payload)) = reader.next_state()? {
                left |= !self.is_dropped(stored);
                if let Some(migration) = &mut migrations[stored] {
                    push(migration, key, &payload, self.stamps(stored))?;
                }
            }
            keys += usize::from(left);
        }
        let finished = migrations.into_iter().map(|migration| migration.map(Migration::finish).transpose());
        Ok((finished.collect::<Result<_, _>>()?, keys))
    }
}

/// What becomes of the stamps of a state's values, items and entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamps {
    /// There are none.
    None,
    Kept,
    /// It has a time to live now: what is there is as old as the first time that is told.
    Added,
    Removed,
    /// It goes by another time now: likewise.
    Renewed,
}

impl Stamps {
    fn change(self) -> bool {
        !matches!(self, Self::None | Self::Kept)
    }

    /// The stamp of what is stored, where it is to have one, and what it is of.
    fn of(self, stored: &[u8]) -> (Option<i64>, &[u8]) {
        match self {
            Self::None => (None, stored),
            Self::Added => (Some(NO_TIMESTAMP), stored),
            Self::Removed => (None, stamped(stored).1),
            Self::Kept => (Some(stamped(stored).0), stamped(stored).1),
            Self::Renewed => (Some(NO_TIMESTAMP), stamped(stored).1),
        }
    }
}

fn push(migration: &mut Migration<'_>, key: &[u8], payload: &Payload<'_>, stamps: Stamps) -> Result<(), EngineError> {
    match payload {
        Payload::Value(value) => migration.push(key, stamps.of(value).1),
        Payload::List(items) => items.iter().try_for_each(|item| migration.push(key, stamps.of(item).1)),
        Payload::Map(entries) => entries.iter().try_for_each(|(_, value)| migration.push(key, stamps.of(value).1)),
    }
}

/// Appends what is to be in the place of `stored`: migrated, where values are, and stamped as it is to be.
fn put_renewed(out: &mut Vec<u8>, stored: &[u8], migrated: &mut Option<Migrated>, stamps: Stamps) {
    let (stamp, value) = stamps.of(stored);
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

fn write_payload(out: &mut Vec<u8>, payload: &Payload<'_>, migrated: &mut Option<Migrated>, stamps: Stamps) {
    match payload {
        Payload::Value(value) => put_renewed(out, value, migrated, stamps),
        Payload::List(items) => {
            put_number(out, items.len() as u64);
            items.iter().for_each(|item| put_renewed(out, item, migrated, stamps));
        }
        Payload::Map(entries) => {
            put_number(out, entries.len() as u64);
            for (entry, value) in entries {
                put_bytes(out, entry);
                put_renewed(out, value, migrated, stamps);
            }
        }
    }
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
