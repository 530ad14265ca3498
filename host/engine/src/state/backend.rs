//! The port that every keyed-state backend implements. Its conformance suite is `state::conformance`, with the feature `testing`.

use super::{KeyGroupRange, StateDescriptor, StateSnapshot, StoredFile};
use crate::element::{CheckpointId, Column, NO_TIMESTAMP};
use crate::error::{EngineError, ErrorKind};
use std::task::{Context, Poll};

/// Where a key's entry is, from lookup to apply within one batch. Worthless afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySlot {
    /// The key's group.
    pub group: u32,
    /// The entry within the group; `KeySlot::ABSENT` until the key gets one.
    pub entry: u32,
    /// The backend's own hash of the key.
    pub hash: u32,
}

impl KeySlot {
    /// `entry` of a key that has no state.
    pub(crate) const ABSENT: u32 = u32::MAX;
}

/// The times of one call of an operator. What is judged by time, is judged by these, once for the whole call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateTime {
    /// Event time up to which all inputs are complete, ms.
    pub watermark: i64,
    /// Milliseconds since the Unix epoch.
    pub processing_time: i64,
}

impl StateTime {
    /// Before any call.
    pub const NONE: Self = Self { watermark: NO_TIMESTAMP, processing_time: 0 };
}

/// Distinct keys of one call, each of a group in the backend's range.
#[derive(Clone, Copy, Debug)]
pub struct SelectedKeys<'a> {
    /// The keys.
    pub keys: &'a Column,
    /// The XXH3-64 of each.
    pub hashes: &'a [u64],
    /// The call's times.
    pub time: StateTime,
}

/// Values of keys that were looked up together.
#[derive(Clone, Copy, Debug)]
pub struct ValuesOfKeys<'a> {
    /// The places that the keys had in the lookup.
    pub keys: &'a [u32],
    /// A value for each of `keys`.
    pub values: &'a Column,
}

impl<'a> ValuesOfKeys<'a> {
    /// Each key's place and its value.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = (usize, &'a [u8])> {
        self.keys.iter().map(|&key| key as usize).zip(self.values.iter())
    }
}

/// The state of one operator's keys in one subtask's range of key groups.
///
/// A backend may wait in one place: [`StateBackend::poll_prefetch`], which the engine calls in front of each call of the operator with all keys that
/// the call may select. Everything else may fail, and takes no longer than a local disk does. What fails has changed nothing, and may be tried again;
/// the engine does not: it ends the attempt, and the next one goes on from the newest completed checkpoint.
///
/// States are addressed by their index in the descriptors that the backend was made with; every method panics where the index or the
/// state's kind does not fit: callers have checked what a guest says. A write to an absent key gives it an entry and updates the slot. Nothing that is
/// read is borrowed: it is appended to what the caller brings. Reads and writes are of the time of the last lookup.
pub trait StateBackend: Send {
    /// True where [`StateBackend::poll_prefetch`] has something to do. Asked once for each call; where it is false a call's keys are not even gathered.
    fn prefetches(&self) -> bool {
        false
    }

    /// Brings the states of keys to where they are read without waiting, until the next prefetch. Polled with the same keys until it is ready; dropped
    /// where the task ends meanwhile.
    fn poll_prefetch(&mut self, keys: SelectedKeys<'_>, cx: &mut Context<'_>) -> Poll<Result<(), EngineError>> {
        let _ = (keys, cx);
        Poll::Ready(Ok(()))
    }

    /// Looks keys up, all of them, index first and entries second, so that cache misses overlap. Where the backend prefetches, they are among those
    /// of the last prefetch. Replaces the contents of `slots`.
    fn lookup(&mut self, keys: SelectedKeys<'_>, slots: &mut Vec<KeySlot>) -> Result<(), EngineError>;

    /// Appends, for each slot that has a value of `state`, its index to `present` and the value to `values`. Stops behind the value with which
    /// `values` passes `max_bytes`: 1,024 keys of 16 MiB are more than a column holds.
    fn gather_values(
        &self,
        slots: &[KeySlot],
        state: usize,
        max_bytes: usize,
        present: &mut Vec<u32>,
        values: &mut Column,
    ) -> Result<(), EngineError>;
    /// Appends the value of one key. False where there is none.
    fn value(&self, slot: &KeySlot, state: usize, out: &mut Column) -> Result<bool, EngineError>;
    /// Sets a value.
    fn set_value(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, value: &[u8]) -> Result<(), EngineError>;

    /// Sets the values of several of the keys that were looked up, one after the other; `slots` and `keys` are those of the whole lookup. Where it
    /// fails, those in front of the failing one may be set.
    fn set_values(&mut self, slots: &mut [KeySlot], keys: &Column, state: usize, set: ValuesOfKeys<'_>) -> Result<(), EngineError> {
        set.iter().try_for_each(|(key, value)| self.set_value(&mut slots[key], keys.get(key), state, value))
    }

    /// Number of items of a list.
    fn list_len(&self, slot: &KeySlot, state: usize) -> Result<u64, EngineError>;
    /// Appends items from position `start` on to `out`: one at least where there is one, no more than `max_bytes` bytes otherwise.
    /// The position that follows, where items are left.
    fn list_read(&self, slot: &KeySlot, state: usize, start: u64, max_bytes: usize, out: &mut Column) -> Result<Option<u64>, EngineError>;
    /// Appends one item.
    fn list_append(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, item: &[u8]) -> Result<(), EngineError>;
    /// Removes the first `count` items, or all where there are fewer.
    fn list_pop_front(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, count: u64) -> Result<(), EngineError>;
    /// Removes all items behind the first `len`; nothing where there are no more.
    fn list_truncate(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, len: u64) -> Result<(), EngineError>;

    /// Appends the value of a map's entry. False where the entry is not there.
    fn map_get(&self, slot: &KeySlot, state: usize, entry: &[u8], out: &mut Column) -> Result<bool, EngineError>;
    /// Appends entries in byte order from `start` on (inclusive; `None`: the first), bounded as in [`StateBackend::list_read`].
    /// The entry that follows, where entries are left.
    fn map_scan(
        &self,
        slot: &KeySlot,
        state: usize,
        start: Option<&[u8]>,
        max_bytes: usize,
        entries: &mut Column,
        values: &mut Column,
    ) -> Result<Option<Vec<u8>>, EngineError>;
    /// Puts an entry.
    fn map_put(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8], value: &[u8]) -> Result<(), EngineError>;
    /// Removes an entry; nothing where it is not there.
    fn map_remove(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8]) -> Result<(), EngineError>;

    /// Removes the value, all items or all entries of one key. A key without any state left is gone.
    fn clear(&mut self, slot: &mut KeySlot, key: &[u8], state: usize) -> Result<(), EngineError>;

    /// Removes a key with all that it has.
    fn remove_key(&mut self, slot: &mut KeySlot, key: &[u8]) -> Result<(), EngineError>;

    /// Gives a key, which has nothing, all that another one of its key group has; that one has nothing then. Takes no longer the more that is.
    fn move_key(&mut self, from: (&mut KeySlot, &[u8]), to: (&mut KeySlot, &[u8])) -> Result<(), EngineError>;

    /// Tells of every key that has a value of `state`, in any order, with the value. Called behind a restore, and once in a run where more different
    /// windows are open than was to be expected, so it may cost what a restore does.
    fn each_value(&self, state: usize, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), EngineError>;

    /// Appends a few keys, `most` at most, those that follow `from`, and says what the ones behind them follow; behind the last comes the first again. 0 is in front
    /// of all. Keys that come and go meanwhile may be passed over, or be there twice; going on like this every other key comes, again and again.
    /// `None`: the backend does not tell its keys, and removes what has expired by itself, or never.
    fn next_keys(&self, from: u64, most: usize, keys: &mut Column) -> Option<u64> {
        let _ = (from, most, keys);
        None
    }

    /// Number of keys.
    fn keys(&self) -> u64;
    /// What all keys with their states count as: see [`super::size`]. Costs nothing to ask for.
    fn bytes(&self) -> u64;
    /// What one state of a key counts as, without the key itself; 0 where the key has none.
    fn state_bytes(&self, slot: &KeySlot, state: usize) -> Result<u64, EngineError>;

    /// Captures everything as of now, or, where there is a `base`, what has changed since the snapshot for that checkpoint, without copying it:
    /// what is written later does not show. Quick at any size. Checkpoint ids rise; [`StateBackend::changed_since`] knows the base.
    fn snapshot(&mut self, checkpoint_id: CheckpointId, base: Option<CheckpointId>) -> Result<StateSnapshot, EngineError>;

    /// Number of keys that changed or were removed since the snapshot for `base`, at most; `None` where that is not remembered any more, and always
    /// where snapshots are files: these are shared by name.
    fn changed_since(&self, base: CheckpointId) -> Option<u64>;

    /// No snapshot before the one for `base` will be asked for as a base: what only they need may be forgotten.
    fn retire(&mut self, base: CheckpointId);

    /// Adds a block that a [`super::BlockSnapshot`] wrote. `states[i]` is the index here of the block's state `i`; `None` where it is gone (refused
    /// where a key has such a state). Called before the first lookup. Keys outside the backend's range are an error.
    fn restore(&mut self, key_group: u32, block: &[u8], states: &[Option<usize>]) -> Result<(), EngineError>;

    /// Applies what a snapshot wrote of the changes since its base: removes keys, and puts others in the place of what they were. Otherwise as
    /// [`StateBackend::restore`], and behind all that the base consists of.
    fn restore_delta(&mut self, key_group: u32, delta: &[u8], states: &[Option<usize>]) -> Result<(), EngineError>;

    /// What the files are whose state [`StateBackend::restore_file`] takes: the word by which the backend's snapshots name their format. `None`: none.
    fn file_format(&self) -> Option<&'static str> {
        None
    }

    /// Adds the state of one file of a [`super::FileSnapshot`] of the backend's own format. Called before the first lookup, for every file of every subtask
    /// whose range overlapped the backend's. Keys outside the backend's range are left out.
    fn restore_file(&mut self, file: &StoredFile<'_>, states: &[Option<usize>]) -> Result<(), EngineError> {
        let _ = states;
        let message = format!("restore the file {}: this state backend keeps no state in files", file.name);
        Err(EngineError::new(ErrorKind::FixInput, message))
    }
}

/// Which subtask a backend is for, and what it keeps.
#[derive(Clone, Copy, Debug)]
pub struct BackendPlace<'a> {
    /// The operator's id. With the subtask it tells the backends of a process apart: one that keeps files names them by it.
    pub operator: &'a str,
    /// The subtask's number.
    pub subtask: u32,
    /// The declared states.
    pub states: &'a [StateDescriptor],
    /// The subtask's key groups.
    pub range: KeyGroupRange,
    /// The number of key groups of the whole job.
    pub max_parallelism: u32,
}

/// Makes the backend of each subtask.
pub trait StateBackendFactory: Send + Sync {
    /// An empty backend. One that cannot be opened (a folder that is not there, a disk that is full) is an error, and the attempt ends with it.
    fn open(&self, place: &BackendPlace<'_>) -> Result<Box<dyn StateBackend>, EngineError>;

    /// Bytes of state that a job's subtasks may keep together, but for those that have a limit of their own; `None`: nobody counts.
    fn memory(&self) -> Option<u64> {
        None
    }
}
