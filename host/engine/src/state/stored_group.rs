//! The keys of one key group read straight from what snapshots wrote, a block and the deltas behind it, without a backend: for looking into
//! a checkpoint.
//!
//! Keys and payloads are borrowed from the blocks and deltas. Those are checked as a restore checks them, but for schema versions: each state
//! tells the version that it was written under, and what that means is the reader's to say.

use super::block::{BlockReader, Payload};
use super::delta::Delta;
use super::{StateDescriptor, are_units};
use crate::error::EngineError;
use std::collections::BTreeMap;

/// The keys of one key group with their states, in byte order.
pub struct StoredGroup<'a> {
    key_group: u32,
    max_parallelism: u32,
    declared: &'a [StateDescriptor],
    keys: StoredKeys<'a>,
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

impl<'a> StoredGroup<'a> {
    /// An empty key group of an operator that declared these states.
    pub fn new(key_group: u32, max_parallelism: u32, declared: &'a [StateDescriptor]) -> Self {
        Self { key_group, max_parallelism, declared, keys: StoredKeys::new() }
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

    /// All of it.
    pub fn into_keys(self) -> StoredKeys<'a> {
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
