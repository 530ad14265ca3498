//! A backend that waits and fails on purpose, drawn from the simulation's seed, and whose snapshots are files.
//!
//! It keeps its state in the memory backend behind it, and insists on what the port promises it: that every key that is looked up was in the last
//! prefetch, at the same times. A snapshot has a file for each key group, named by its contents: a group that has not changed is the same file again.
//! One more file says how the others are to be read, and never changes.

use crate::element::{CheckpointId, Column};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::Simulator;
use crate::state::{
    BackendPlace, FileSnapshot, KeyGroupRange, KeySlot, MemoryBackendFactory, SelectedKeys, SnapshotFile, StateBackend,
    StateBackendFactory, StateSnapshot, StateTime, StoredFile, ValuesOfKeys, key_hash,
};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// The word for its files.
const FORMAT: &str = "faulty";
/// The name of the file that never changes.
const LAYOUT: &str = "layout";
/// What the file that never changes has in it.
const BY_KEY_GROUP: &[u8] = b"a file for each key group";
/// Polls that a prefetch takes at most.
const POLLS: u64 = 20;

/// How often, out of 1,000 calls, each fault strikes.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateFaultPlan {
    /// So many prefetches of a thousand take up to 20 polls.
    pub slow: u64,
    /// A prefetch takes up to so many ms.
    pub slow_ms: u64,
    /// A prefetch fails.
    pub prefetch: u64,
    /// A read fails, or a write, a snapshot, the reading of a file.
    pub failed: u64,
}

/// Makes such backends.
pub struct FaultyBackendFactory {
    inner: MemoryBackendFactory,
    dice: Dice,
    prefetched: Times,
}

/// The times of all prefetches.
type Times = Arc<Mutex<Vec<StateTime>>>;

impl FaultyBackendFactory {
    /// With the faults of `plan`, drawn from `simulator`'s seed.
    pub fn new(simulator: Simulator, plan: StateFaultPlan) -> Self {
        Self { inner: MemoryBackendFactory::new(7), dice: Dice { simulator, plan }, prefetched: Times::default() }
    }

    /// The times of all prefetches that its backends have made.
    pub fn prefetched(&self) -> Vec<StateTime> {
        self.prefetched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl StateBackendFactory for FaultyBackendFactory {
    fn open(&self, place: &BackendPlace<'_>) -> Result<Box<dyn StateBackend>, EngineError> {
        self.dice.strike(&format!("open the state of {} subtask {}", place.operator, place.subtask))?;
        let (inner, range) = (self.inner.open(place)?, place.range);
        let (dice, prefetch, fetched) = (self.dice.clone(), Prefetch::Over, BTreeSet::new());
        Ok(Box::new(FaultyBackend { inner, range, dice, prefetch, fetched, time: StateTime::NONE, prefetched: self.prefetched.clone() }))
    }
}

#[derive(Clone)]
struct Dice {
    simulator: Simulator,
    plan: StateFaultPlan,
}

impl Dice {
    fn strikes(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.simulator.draw(1_000) < per_mille
    }

    fn strike(&self, what: &str) -> Result<(), EngineError> {
        self.fail(self.plan.failed, what)
    }

    fn fail(&self, per_mille: u64, what: &str) -> Result<(), EngineError> {
        match self.strikes(per_mille) {
            true => Err(EngineError::new(ErrorKind::Retry, format!("{what}: injected failure of the state backend"))),
            false => Ok(()),
        }
    }

    fn prefetch(&self) -> Prefetch {
        if !self.strikes(self.plan.slow) {
            return Prefetch::Polls(0);
        }
        if self.plan.slow_ms == 0 || self.simulator.draw(2) == 0 {
            return Prefetch::Polls(self.simulator.draw(POLLS));
        }
        let clock = self.simulator.runtime().clock;
        let deadline = clock.now() + Duration::from_millis(1 + self.simulator.draw(self.plan.slow_ms));
        Prefetch::Until(clock.sleep_until(deadline))
    }
}

/// How far a prefetch has come.
enum Prefetch {
    /// None is under way.
    Over,
    /// It takes so many more polls.
    Polls(u64),
    /// It takes as long as this does.
    Until(BoxFuture<'static, ()>),
}

struct FaultyBackend {
    inner: Box<dyn StateBackend>,
    range: KeyGroupRange,
    dice: Dice,
    prefetch: Prefetch,
    /// The keys of the last prefetch.
    fetched: BTreeSet<Vec<u8>>,
    /// The times that the last prefetch was given.
    time: StateTime,
    prefetched: Times,
}

impl StateBackend for FaultyBackend {
    fn prefetches(&self) -> bool {
        true
    }

    fn poll_prefetch(&mut self, keys: SelectedKeys<'_>, cx: &mut Context<'_>) -> Poll<Result<(), EngineError>> {
        if let Prefetch::Over = self.prefetch {
            self.fetched.clear();
            self.prefetch = self.dice.prefetch();
        }
        match &mut self.prefetch {
            Prefetch::Over | Prefetch::Polls(0) => {}
            Prefetch::Polls(left) => {
                *left -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Prefetch::Until(over) => std::task::ready!(over.poll_unpin(cx)),
        }
        self.prefetch = Prefetch::Over;
        self.dice.fail(self.dice.plan.prefetch, "prefetch")?;
        self.fetched.extend(keys.keys.iter().map(<[u8]>::to_vec));
        self.time = keys.time;
        self.prefetched.lock().unwrap_or_else(PoisonError::into_inner).push(keys.time);
        Poll::Ready(Ok(()))
    }

    fn lookup(&mut self, keys: SelectedKeys<'_>, slots: &mut Vec<KeySlot>) -> Result<(), EngineError> {
        for key in keys.keys.iter() {
            assert!(self.fetched.contains(key), "the key {} is looked up and was not prefetched", key.escape_ascii());
        }
        assert_eq!(keys.time, self.time, "a lookup at another time than the prefetch");
        self.dice.strike("look keys up")?;
        self.inner.lookup(keys, slots)
    }

    fn gather_values(
        &self,
        slots: &[KeySlot],
        state: usize,
        max_bytes: usize,
        present: &mut Vec<u32>,
        values: &mut Column,
    ) -> Result<(), EngineError> {
        self.dice.strike("gather values")?;
        self.inner.gather_values(slots, state, max_bytes, present, values)
    }

    fn value(&self, slot: &KeySlot, state: usize, out: &mut Column) -> Result<bool, EngineError> {
        self.dice.strike("read a value")?;
        self.inner.value(slot, state, out)
    }

    fn set_value(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, value: &[u8]) -> Result<(), EngineError> {
        self.dice.strike("set a value")?;
        self.inner.set_value(slot, key, state, value)
    }

    fn set_values(&mut self, slots: &mut [KeySlot], keys: &Column, state: usize, set: ValuesOfKeys<'_>) -> Result<(), EngineError> {
        self.dice.strike("set values")?;
        self.inner.set_values(slots, keys, state, set)
    }

    fn list_len(&self, slot: &KeySlot, state: usize) -> Result<u64, EngineError> {
        self.dice.strike("count items")?;
        self.inner.list_len(slot, state)
    }

    fn list_read(&self, slot: &KeySlot, state: usize, start: u64, max_bytes: usize, out: &mut Column) -> Result<Option<u64>, EngineError> {
        self.dice.strike("read items")?;
        self.inner.list_read(slot, state, start, max_bytes, out)
    }

    fn list_append(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, item: &[u8]) -> Result<(), EngineError> {
        self.dice.strike("append an item")?;
        self.inner.list_append(slot, key, state, item)
    }

    fn list_pop_front(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, count: u64) -> Result<(), EngineError> {
        self.dice.strike("remove items")?;
        self.inner.list_pop_front(slot, key, state, count)
    }

    fn list_truncate(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, len: u64) -> Result<(), EngineError> {
        self.dice.strike("remove items")?;
        self.inner.list_truncate(slot, key, state, len)
    }

    fn map_get(&self, slot: &KeySlot, state: usize, entry: &[u8], out: &mut Column) -> Result<bool, EngineError> {
        self.dice.strike("read an entry")?;
        self.inner.map_get(slot, state, entry, out)
    }

    fn map_scan(
        &self,
        slot: &KeySlot,
        state: usize,
        start: Option<&[u8]>,
        max_bytes: usize,
        entries: &mut Column,
        values: &mut Column,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        self.dice.strike("read entries")?;
        self.inner.map_scan(slot, state, start, max_bytes, entries, values)
    }

    fn map_put(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.dice.strike("put an entry")?;
        self.inner.map_put(slot, key, state, entry, value)
    }

    fn map_remove(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8]) -> Result<(), EngineError> {
        self.dice.strike("remove an entry")?;
        self.inner.map_remove(slot, key, state, entry)
    }

    fn clear(&mut self, slot: &mut KeySlot, key: &[u8], state: usize) -> Result<(), EngineError> {
        self.dice.strike("clear a state")?;
        self.inner.clear(slot, key, state)
    }

    fn remove_key(&mut self, slot: &mut KeySlot, key: &[u8]) -> Result<(), EngineError> {
        self.dice.strike("remove a key")?;
        self.inner.remove_key(slot, key)
    }

    fn move_key(&mut self, from: (&mut KeySlot, &[u8]), to: (&mut KeySlot, &[u8])) -> Result<(), EngineError> {
        self.dice.strike("move a key")?;
        self.inner.move_key(from, to)
    }

    fn each_value(&self, state: usize, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), EngineError> {
        self.dice.strike("read every value")?;
        self.inner.each_value(state, each)
    }

    fn keys(&self) -> u64 {
        self.inner.keys()
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    fn state_bytes(&self, slot: &KeySlot, state: usize) -> Result<u64, EngineError> {
        self.dice.strike("weigh a state")?;
        self.inner.state_bytes(slot, state)
    }

    fn snapshot(&mut self, checkpoint_id: CheckpointId, _base: Option<CheckpointId>) -> Result<StateSnapshot, EngineError> {
        self.dice.strike("take a snapshot")?;
        let StateSnapshot::Blocks(mut blocks) = self.inner.snapshot(checkpoint_id, None)? else {
            unreachable!("the memory backend writes blocks")
        };
        let mut files: Vec<Box<dyn SnapshotFile>> = Vec::new();
        let state_bytes = blocks.write(&mut |key_group, block| {
            let name = format!("{key_group}-{:016x}", key_hash(block));
            files.push(Box::new(GroupFile {
                name,
                contents: [&key_group.to_le_bytes()[..], block].concat().into(),
                dice: self.dice.clone(),
            }));
        })?;
        if !files.is_empty() {
            let (name, contents) = (LAYOUT.to_owned(), Bytes::from_static(BY_KEY_GROUP));
            files.push(Box::new(GroupFile { name, contents, dice: self.dice.clone() }));
        }
        Ok(StateSnapshot::Files(FileSnapshot { format: FORMAT, keys: blocks.keys(), state_bytes, files }))
    }

    fn changed_since(&self, _base: CheckpointId) -> Option<u64> {
        None
    }

    fn retire(&mut self, base: CheckpointId) {
        self.inner.retire(base);
    }

    fn restore(&mut self, key_group: u32, block: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.inner.restore(key_group, block, states)
    }

    fn restore_delta(&mut self, key_group: u32, delta: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.inner.restore_delta(key_group, delta, states)
    }

    fn file_format(&self) -> Option<&'static str> {
        Some(FORMAT)
    }

    fn restore_file(&mut self, file: &StoredFile<'_>, states: &[Option<usize>]) -> Result<(), EngineError> {
        if file.name == LAYOUT {
            assert_eq!(file.contents, BY_KEY_GROUP, "a file that is shared is the one that was stored");
            return Ok(());
        }
        let cut_off = || EngineError::new(ErrorKind::Corrupt, format!("restore the file {}: it is cut off", file.name));
        let (key_group, block) = file.contents.split_first_chunk::<4>().ok_or_else(cut_off)?;
        match u32::from_le_bytes(*key_group) {
            key_group if self.range.contains(key_group) => self.inner.restore(key_group, block, states),
            _another_subtasks => Ok(()),
        }
    }
}

/// The state of one key group, or how it is laid out.
struct GroupFile {
    name: String,
    contents: Bytes,
    dice: Dice,
}

impl SnapshotFile for GroupFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self) -> Result<Vec<Bytes>, EngineError> {
        self.dice.strike("read a file")?;
        // In two parts, as a longer one would be.
        let mut front = self.contents.clone();
        let back = front.split_off(front.len() / 2);
        Ok(vec![front, back])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::conformance;

    #[test]
    fn a_backend_that_waits_and_fails_and_keeps_files_keeps_every_promise_too() {
        let plan = StateFaultPlan { slow: 300, slow_ms: 0, prefetch: 100, failed: 100 };
        conformance::check_backend(&FaultyBackendFactory::new(Simulator::new(5), plan));
    }
}
