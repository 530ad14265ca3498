//! The port that every keyed-state backend implements. Its conformance suite is `state::conformance`, with the feature `testing`.

use super::{KeyGroupRange, StateDescriptor};
use crate::element::{CheckpointId, Column};
use crate::error::EngineError;

/// Where a key's entry is, from lookup to apply within one batch. Worthless afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySlot {
    /// The key's group.
    pub group: u32,
    /// The entry within the group; [`KeySlot::ABSENT`] until the key gets one.
    pub entry: u32,
    /// The backend's own hash of the key.
    pub hash: u32,
}

impl KeySlot {
    /// `entry` of a key that has no state.
    pub const ABSENT: u32 = u32::MAX;
}

/// The state of one operator's keys in one subtask's range of key groups.
///
/// States are addressed by their index in the descriptors that the backend was made with; every method panics where the index or the
/// state's kind does not fit: callers have checked what a guest says. A write to an absent key gives it an entry and updates the slot.
pub trait StateBackend: Send {
    /// Looks keys up, all of them, index first and entries second, so that cache misses overlap. `hashes` are their XXH3-64.
    /// Every key's group lies in the backend's range. Replaces the contents of `slots`.
    fn lookup(&mut self, keys: &Column, hashes: &[u64], slots: &mut Vec<KeySlot>);

    /// Appends, for each slot that has a value of `state`, its index to `present` and the value to `values`. Stops behind the value with which
    /// `values` passes `max_bytes`: 1,024 keys of 16 MiB are more than a column holds.
    fn gather_values(&self, slots: &[KeySlot], state: usize, max_bytes: usize, present: &mut Vec<u32>, values: &mut Column);
    /// The value of one key.
    fn value(&self, slot: &KeySlot, state: usize) -> Option<&[u8]>;
    /// Sets a value.
    fn set_value(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, value: &[u8]);

    /// Number of items of a list.
    fn list_len(&self, slot: &KeySlot, state: usize) -> u64;
    /// Appends items from position `start` on to `out`: one at least where there is one, no more than `max_bytes` bytes otherwise.
    /// The position that follows, where items are left.
    fn list_read(&self, slot: &KeySlot, state: usize, start: u64, max_bytes: usize, out: &mut Column) -> Option<u64>;
    /// Appends one item.
    fn list_append(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, item: &[u8]);
    /// Removes the first `count` items, or all where there are fewer.
    fn list_pop_front(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, count: u64);
    /// Removes all items behind the first `len`; nothing where there are no more.
    fn list_truncate(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, len: u64);

    /// The value of a map's entry.
    fn map_get(&self, slot: &KeySlot, state: usize, entry: &[u8]) -> Option<&[u8]>;
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
    ) -> Option<Vec<u8>>;
    /// Puts an entry.
    fn map_put(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8], value: &[u8]);
    /// Removes an entry; nothing where it is not there.
    fn map_remove(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8]);

    /// Removes the value, all items or all entries of one key. A key without any state left is gone.
    fn clear(&mut self, slot: &mut KeySlot, key: &[u8], state: usize);

    /// Number of keys.
    fn keys(&self) -> u64;
    /// What all keys with their states count as: see [`super::size`]. Costs nothing to ask for.
    fn bytes(&self) -> u64;
    /// What one state of a key counts as, without the key itself; 0 where the key has none.
    fn state_bytes(&self, slot: &KeySlot, state: usize) -> u64;

    /// Captures everything as of now, or, where there is a `base`, what has changed since the snapshot for that checkpoint, without copying it:
    /// what is written later does not show. Quick at any size. Checkpoint ids rise; [`StateBackend::changed_since`] knows the base.
    fn snapshot(&mut self, checkpoint_id: CheckpointId, base: Option<CheckpointId>) -> Box<dyn StateSnapshot>;

    /// Number of keys that changed or were removed since the snapshot for `base`, at most; `None` where that is not remembered any more.
    fn changed_since(&self, base: CheckpointId) -> Option<u64>;

    /// No snapshot before the one for `base` will be asked for as a base: what only they need may be forgotten.
    fn retire(&mut self, base: CheckpointId);

    /// Adds a block that a [`StateSnapshot`] wrote. `states[i]` is the index here of the block's state `i`; `None` where it is gone (refused
    /// where a key has such a state). Called before the first lookup. Keys outside the backend's range are an error.
    fn restore(&mut self, key_group: u32, block: &[u8], states: &[Option<usize>]) -> Result<(), EngineError>;

    /// Applies what a snapshot wrote of the changes since its base: removes keys, and puts others in the place of what they were. Otherwise as
    /// [`StateBackend::restore`], and behind all that the base consists of.
    fn restore_delta(&mut self, key_group: u32, delta: &[u8], states: &[Option<usize>]) -> Result<(), EngineError>;
}

/// State as of one moment, to be written in the background.
pub trait StateSnapshot: Send {
    /// Number of keys of the whole state.
    fn keys(&self) -> u64;
    /// Calls `write` with the block of each key group that has keys, or with the delta of each that has changed since the base, in ascending
    /// order. Memory for one at a time. Returns the bytes of the whole state's blocks, which is right where the backend's snapshots are written
    /// in the order in which they were taken, from the base on at least.
    fn write(&mut self, write: &mut dyn FnMut(u32, &[u8])) -> u64;
}

/// Makes the backend of each subtask.
pub trait StateBackendFactory: Send + Sync {
    /// An empty backend for `range` of `max_parallelism` groups.
    fn create(&self, states: &[StateDescriptor], range: KeyGroupRange, max_parallelism: u32) -> Box<dyn StateBackend>;

    /// Bytes of state that a job's subtasks may keep together, but for those that have a limit of their own; `None`: nobody counts.
    fn memory(&self) -> Option<u64> {
        None
    }
}
