//! The keys of one key group read straight from what snapshots wrote, a block and the deltas behind it, without a backend: for looking into
//! a checkpoint.
//!
//! Keys and payloads are borrowed from the blocks and deltas. Those are checked as a restore checks them, but for schema versions: each state
//! tells the version that it was written under, and what that means is the reader's to say.

use super::block::{BlockReader, Payload};
use super::delta::Delta;
use super::lifetime::{JudgedBy, retain_living, stamped};
use super::{StateDescriptor, are_units};
use crate::error::EngineError;
use std::collections::BTreeMap;

/// The keys of one key group with their states, in byte order.
pub struct StoredGroup<'a> {
    key_group: u32,
    max_parallelism: u32,
    declared: &'a [StateDescriptor],
    keys: StoredKeys<'a>,
    /// What has a time to live is judged by this.
    judged_by: JudgedBy,
}

/// Keys in byte order, each with the states that it has, by ascending index.
pub type StoredKeys<'a> = BTreeMap<&'a [u8], Vec<StoredState<'a>>>;

/// One state of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredState<'a> {
    /// Its index among the states that the operator declared.
    pub index: usize,
    /// The schema version that its values were written under.
    pub version: u32,
    /// What it holds.
    pub payload: Payload<'a>,
}

impl StoredState<'_> {
    /// Takes the stamps off, and what has expired out. False where nothing is left.
    fn keep_living(&mut self, is_expired: impl Fn(i64) -> bool) -> bool {
        let any = retain_living(&mut self.payload, is_expired);
        match &mut self.payload {
            Payload::Value(value) => *value = stamped(value).1,
            Payload::List(items) => items.iter_mut().for_each(|item| *item = stamped(item).1),
            Payload::Map(entries) => entries.iter_mut().for_each(|(_, value)| *value = stamped(value).1),
        }
        any
    }
}

impl<'a> StoredGroup<'a> {
    /// An empty key group of an operator that declared these states.
    pub fn new(key_group: u32, max_parallelism: u32, declared: &'a [StateDescriptor]) -> Self {
        Self { key_group, max_parallelism, declared, keys: StoredKeys::new(), judged_by: JudgedBy::NONE }
    }

    /// The same, where event time has come to `watermark`, having begun at `began` where that is known, and the clock to `now`: what has expired by then is not there.
    pub(crate) fn at(mut self, (began, watermark): (i64, i64), now: i64) -> Self {
        self.judged_by.tell(watermark, now);
        self.judged_by = self.judged_by.since(began);
        self
    }

    /// Takes the keys of the group's block, which comes first.
    pub(crate) fn add_block(&mut self, block: &'a [u8]) -> Result<(), EngineError> {
        let reader = BlockReader::open(block)?;
        if !self.keys.is_empty() {
            return Err(reader.corrupt("its key group has keys already".into()));
        }
        self.keys = self.read(reader)?;
        Ok(())
    }

    /// Applies a delta behind all that it builds on.
    pub(crate) fn apply_delta(&mut self, delta: &'a [u8]) -> Result<(), EngineError> {
        let Delta { removed, block } = Delta::open(delta)?;
        for key in removed {
            block.check_group(key, self.key_group, (self.max_parallelism, are_units(self.declared)))?;
            self.keys.remove(key);
        }
        self.keys.extend(self.read(block)?);
        Ok(())
    }

    /// All of it that has not expired, without stamps.
    pub fn into_keys(mut self) -> StoredKeys<'a> {
        if self.declared.iter().any(|state| state.ttl.is_some()) {
            let (declared, judged_by) = (self.declared, self.judged_by);
            self.keys.retain(|_, states| {
                states.retain_mut(|state| {
                    declared[state.index].ttl.is_none_or(|ttl| state.keep_living(|stamp| judged_by.is_expired(&ttl, stamp)))
                });
                !states.is_empty()
            });
        }
        self.keys
    }

    fn read(&self, mut reader: BlockReader<'a>) -> Result<StoredKeys<'a>, EngineError> {
        let stored = reader.states().to_vec();
        if !stored.iter().map(|state| state.kind).eq(self.declared.iter().map(|state| state.kind)) {
            return Err(reader.corrupt("its states are not those that the checkpoint names".into()));
        }
        let mut keys = StoredKeys::new();
        while let Some(key) = reader.next_key()? {
            reader.check_group(key, self.key_group, (self.max_parallelism, are_units(self.declared)))?;
            let mut states = Vec::new();
            while let Some((index, payload)) = reader.next_state()? {
                states.push(StoredState { index, version: stored[index].version, payload });
            }
            if keys.insert(key, states).is_some() {
                return Err(reader.key_twice(key));
            }
        }
        Ok(keys)
    }
}
