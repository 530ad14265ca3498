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
//! kind    = 0 value | 1 list | 2 map
//! ```
//!
//! Every number is LEB128. `version` is the schema version under which the block's values were written; blocks of one checkpoint
//! may differ in it. A key has one present state at least, a list one item, a map one entry. What is read is checked before it is
//! believed: nothing is allocated by a length in the block.

use super::varint::{Malformed, put_bytes, put_number, take_bytes, take_number};
use super::{StateDescriptor, StateKind};
use crate::error::{EngineError, ErrorKind};

/// More than any operator declares; bounds what a block's header may ask for.
pub const MAX_STATES: u64 = 65_536;

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
        StateKind::Broadcast => panic!("broadcast state is not kept by key and has no place in a block"),
    }
}

/// Reads a block key by key: [`BlockReader::next_key`], then each of its states with [`BlockReader::next_state`].
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

    /// Number of keys as far as the block's length allows it: good to reserve room by.
    pub fn keys_hint(&self) -> usize {
        const SMALLEST_KEY: usize = 4;
        (self.keys as usize).min(self.length / SMALLEST_KEY)
    }

    /// The next key, once all states of the one before have been read; `None` at the end of the block.
    pub fn next_key(&mut self) -> Result<Option<&'a [u8]>, EngineError> {
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
    pub fn next_state(&mut self) -> Result<Option<(usize, Payload<'a>)>, EngineError> {
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
            StateKind::Broadcast => unreachable!("the header's kinds have been checked"),
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
        take_number(&mut self.rest).map_err(|malformed| self.malformed(what, malformed))
    }

    fn bytes(&mut self, what: &str) -> Result<&'a [u8], EngineError> {
        take_bytes(&mut self.rest).map_err(|malformed| self.malformed(what, malformed))
    }

    fn malformed(&self, what: &str, malformed: Malformed) -> EngineError {
        self.corrupt(match malformed {
            Malformed::Truncated => format!("it ends inside {what}"),
            Malformed::Overflow => format!("{what} does not fit 64 bits"),
            Malformed::PastTheEnd { length, left } => format!("{what} is said to have {length} bytes, but {left} are left"),
        })
    }

    /// What is wrong with the block, with where it was noticed.
    pub fn corrupt(&self, what: String) -> EngineError {
        let at = self.length - self.rest.len();
        let key = self.keys - self.keys_left;
        EngineError::new(ErrorKind::Corrupt, format!("state block of {} bytes is damaged at byte {at} (key {key}): {what}", self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptors() -> Vec<StateDescriptor> {
        let state = |name: &str, kind, version| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version, ttl_ms: None };
        vec![state("v", StateKind::Value, 3), state("l", StateKind::List, 1), state("m", StateKind::Map, 300)]
    }

    fn block() -> Vec<u8> {
        let mut out = Vec::new();
        write_header(&mut out, &descriptors(), 2);
        write_key(&mut out, b"first", 3);
        put_number(&mut out, 0);
        put_bytes(&mut out, b"value");
        put_number(&mut out, 1);
        put_number(&mut out, 2);
        put_bytes(&mut out, b"a");
        put_bytes(&mut out, b"");
        put_number(&mut out, 2);
        put_number(&mut out, 2);
        for part in [&b"x"[..], b"1", b"xy", b"2"] {
            put_bytes(&mut out, part);
        }
        write_key(&mut out, b"", 1);
        put_number(&mut out, 0);
        put_bytes(&mut out, &[7; 200]);
        out
    }

    type Key = (Vec<u8>, Vec<(usize, String)>);

    fn read(block: &[u8]) -> Result<Vec<Key>, EngineError> {
        let mut reader = BlockReader::open(block)?;
        let mut keys = Vec::new();
        while let Some(key) = reader.next_key()? {
            let mut states = Vec::new();
            while let Some((index, payload)) = reader.next_state()? {
                states.push((index, format!("{payload:?}")));
            }
            keys.push((key.to_vec(), states));
        }
        Ok(keys)
    }

    /// Reads `block` after `change`, and looks for `expect` in the error.
    fn check(change: impl FnOnce(&mut Vec<u8>), expect: &str) {
        let mut block = block();
        change(&mut block);
        let error = read(&block).expect_err(expect);
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
    }

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let keys = read(&block()).unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0].0, b"first");
        assert_eq!(keys[0].1.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(keys[0].1[1].1, format!("{:?}", Payload::List(vec![b"a", b""])));
        assert_eq!(keys[1], (vec![], vec![(0, format!("{:?}", Payload::Value(&[7; 200])))]));
        let block = block();
        let versions: Vec<u32> = BlockReader::open(&block).unwrap().states().iter().map(|state| state.version).collect();
        assert_eq!(versions, [3, 1, 300]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(|block| block.truncate(block.len() - 1), "a value is said to have 200 bytes, but 199 are left");
        check(|block| block.push(0), "1 bytes follow its last key");
        check(|block| block[1] = 9, "state 0 has the unknown kind 9");
        check(|block| block[8] = 3, "ends inside a key");
        check(|block| block[9] = 0xff, "a key is said to have 13183 bytes");
        check(|block| block[15] = 0, "a key has no state");
        check(|block| block[16] = 5, "a key has state 5, but there are 3 states");
        check(|block| block[23] = 0, "a key's states do not ascend at state 0");
        check(|block| block[24] = 0, "a list is empty");
        check(|block| block[31] = b'z', "the entries of a map do not ascend");
    }

    #[test]
    fn every_truncation_is_refused_and_no_flipped_bit_panics() {
        let block = block();
        for length in 0..block.len() {
            read(&block[..length]).expect_err("a truncated block was accepted");
        }
        for bit in 0..8 * block.len() {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = read(&flipped);
        }
    }

    #[test]
    fn random_bytes_are_refused_or_read_without_a_panic() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..rng.usize(0..64)).map(|_| if rng.bool() { rng.u8(0..4) } else { rng.u8(..) }).collect();
            let _ = read(&bytes);
        }
    }
}
