//! The form in which the keys of one key group are stored: part of the format of checkpoints.
//!
//! ```text
//! block   = number-of-states *(kind version) number-of-keys *key
//! key     = bytes number-of-present-states *state
//! state   = state-index payload                ; indexes ascend
//! payload = bytes                              ; value
//!         | count *bytes                       ; list, in the order of its items
//!         | count *(bytes bytes)               ; map: entry and value, entries strictly ascending
//! bytes   = length, and as many bytes
//! kind    = 0 value | 1 list | 2 map | 3 broadcast              ; declared, but kept by no key
//! ```
//!
//! Every number is LEB128. `version` is the schema version under which the block's values were written; blocks of one checkpoint
//! may differ in it. A key has one present state at least, a list one item, a map one entry. What is read is checked before it is
//! believed: nothing is allocated by a length in the block.

use super::varint::{put_bytes, put_number, take_bytes, take_number};
use super::{StateDescriptor, StateKind, key_group_of, key_hash, unit_hash};
use crate::error::{EngineError, ErrorKind};

/// More than any operator declares; bounds what a block's header may ask for.
pub(crate) const MAX_STATES: u64 = 65_536;

/// A state as the block's writer declared it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockState {
    /// What it holds.
    pub kind: StateKind,
    /// The schema version of its values in this block.
    pub version: u32,
}

/// One state of a key as it stands in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The value.
    Value(&'a [u8]),
    /// The items in order.
    List(Vec<&'a [u8]>),
    /// Entries and values in byte order of the entries.
    Map(Vec<MapEntry<'a>>),
}

/// A map's entry and its value.
pub type MapEntry<'a> = (&'a [u8], &'a [u8]);

/// Appends the header of a block that holds `keys` keys.
pub(super) fn write_header(out: &mut Vec<u8>, states: &[StateDescriptor], keys: usize) {
    let states: Vec<_> = states.iter().map(|state| BlockState { kind: state.kind, version: state.version }).collect();
    write_block_header(out, &states, keys);
}

/// Appends the header of a block that holds `keys` keys.
pub(super) fn write_block_header(out: &mut Vec<u8>, states: &[BlockState], keys: usize) {
    put_number(out, states.len() as u64);
    for state in states {
        put_number(out, kind_number(state.kind));
        put_number(out, u64::from(state.version));
    }
    put_number(out, keys as u64);
}

/// Appends a key that is followed by `states` states.
pub(super) fn write_key(out: &mut Vec<u8>, key: &[u8], states: usize) {
    put_bytes(out, key);
    put_number(out, states as u64);
}

fn kind_number(kind: StateKind) -> u64 {
    match kind {
        StateKind::Value => 0,
        StateKind::List => 1,
        StateKind::Map => 2,
        StateKind::Broadcast => 3,
    }
}

/// Reads a block key by key: `BlockReader::next_key`, then each of its states with `BlockReader::next_state`.
pub struct BlockReader<'a> {
    length: usize,
    rest: &'a [u8],
    states: Vec<BlockState>,
    keys: u64,
    keys_left: u64,
    states_left: u64,
    /// The lowest index that the next state of the current key may have.
    next_index: u64,
}

impl<'a> BlockReader<'a> {
    /// Reads the header.
    pub fn open(block: &'a [u8]) -> Result<Self, EngineError> {
        let states = Vec::new();
        let mut reader = Self { length: block.len(), rest: block, states, keys: 0, keys_left: 0, states_left: 0, next_index: 0 };
        let states = reader.number("the number of states")?;
        if states > MAX_STATES {
            return Err(reader.corrupt(format!("it names {states} states, and {MAX_STATES} is the most there can be")));
        }
        for state in 0..states {
            let state = reader.state(state)?;
            reader.states.push(state);
        }
        reader.keys = reader.number("the number of keys")?;
        reader.keys_left = reader.keys;
        Ok(reader)
    }

    fn state(&mut self, state: u64) -> Result<BlockState, EngineError> {
        let kind = match self.number("a state's kind")? {
            0 => StateKind::Value,
            1 => StateKind::List,
            2 => StateKind::Map,
            3 => StateKind::Broadcast,
            other => return Err(self.corrupt(format!("state {state} has the unknown kind {other}"))),
        };
        let version = self.number("a state's version")?;
        let version = u32::try_from(version).map_err(|_| self.corrupt(format!("state {state} has version {version}, beyond 32 bits")))?;
        Ok(BlockState { kind, version })
    }

    /// The states that the block's keys may have.
    pub fn states(&self) -> &[BlockState] {
        &self.states
    }

    /// True where it holds no keys.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// Number of keys as far as the block's length allows it: good to reserve room by.
    pub(crate) fn keys_hint(&self) -> usize {
        const SMALLEST_KEY: usize = 4;
        (self.keys as usize).min(self.length / SMALLEST_KEY)
    }

    /// The next key, once all states of the one before have been read; `None` at the end of the block.
    pub(crate) fn next_key(&mut self) -> Result<Option<&'a [u8]>, EngineError> {
        assert_eq!(self.states_left, 0, "a key's states are read before the next key");
        if self.keys_left == 0 {
            return match self.rest.len() {
                0 => Ok(None),
                left => Err(self.corrupt(format!("{left} bytes follow its last key"))),
            };
        }
        self.keys_left -= 1;
        let key = self.bytes("a key")?;
        self.states_left = self.number("the number of a key's states")?;
        self.next_index = 0;
        if self.states_left == 0 {
            return Err(self.corrupt("a key has no state".into()));
        }
        Ok(Some(key))
    }

    /// The next state of the current key, by its index in [`BlockReader::states`]; `None` after its last.
    pub(crate) fn next_state(&mut self) -> Result<Option<(usize, Payload<'a>)>, EngineError> {
        if self.states_left == 0 {
            return Ok(None);
        }
        let index = self.number("a state's index")?;
        let Some(state) = usize::try_from(index).ok().and_then(|index| self.states.get(index)).copied() else {
            return Err(self.corrupt(format!("a key has state {index}, but there are {} states", self.states.len())));
        };
        if index < self.next_index {
            return Err(self.corrupt(format!("a key's states do not ascend at state {index}")));
        }
        self.next_index = index + 1;
        self.states_left -= 1;
        let payload = match state.kind {
            StateKind::Value => Payload::Value(self.bytes("a value")?),
            StateKind::List => Payload::List(self.list()?),
            StateKind::Map => Payload::Map(self.map()?),
            StateKind::Broadcast => return Err(self.corrupt(format!("a key has state {index}, which is a broadcast state"))),
        };
        Ok(Some((index as usize, payload)))
    }

    fn list(&mut self) -> Result<Vec<&'a [u8]>, EngineError> {
        let count = self.count("a list")?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.bytes("a list's item")?);
        }
        Ok(items)
    }

    fn map(&mut self) -> Result<Vec<MapEntry<'a>>, EngineError> {
        let count = self.count("a map")?;
        let mut entries: Vec<MapEntry<'a>> = Vec::new();
        for _ in 0..count {
            let entry = self.bytes("a map's entry")?;
            if entries.last().is_some_and(|&(before, _)| before >= entry) {
                return Err(self.corrupt("the entries of a map do not ascend".into()));
            }
            entries.push((entry, self.bytes("the value of a map's entry")?));
        }
        Ok(entries)
    }

    fn count(&mut self, of: &str) -> Result<u64, EngineError> {
        match self.number(&format!("the length of {of}"))? {
            0 => Err(self.corrupt(format!("{of} is empty"))),
            count => Ok(count),
        }
    }

    fn number(&mut self, what: &str) -> Result<u64, EngineError> {
        take_number(&mut self.rest).map_err(|malformed| self.corrupt(malformed.says(what)))
    }

    fn bytes(&mut self, what: &str) -> Result<&'a [u8], EngineError> {
        take_bytes(&mut self.rest).map_err(|malformed| self.corrupt(malformed.says(what)))
    }

    /// Refuses a key of the block, or of the delta that it ends, that does not belong to the key group. `are_units`: its keys are keys in their windows.
    pub(super) fn check_group(&self, key: &[u8], key_group: u32, (max_parallelism, are_units): (u32, bool)) -> Result<(), EngineError> {
        let hash = if are_units { unit_hash(key) } else { key_hash(key) };
        let group = key_group_of(hash, max_parallelism);
        if group == key_group {
            return Ok(());
        }
        Err(self.corrupt(format!("the key {} belongs to key group {group}", key.escape_ascii())))
    }

    /// The error for a key that a block may not have again.
    pub(super) fn key_twice(&self, key: &[u8]) -> EngineError {
        self.corrupt(format!("the key {} is there twice", key.escape_ascii()))
    }

    /// What is wrong with the block, with where it was noticed.
    pub(crate) fn corrupt(&self, what: String) -> EngineError {
        let at = self.length - self.rest.len();
        let key = self.keys - self.keys_left;
        EngineError::new(ErrorKind::Corrupt, format!("state block of {} bytes is damaged at byte {at} (key {key}): {what}", self.length))
    }
}
