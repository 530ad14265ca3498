//! A backend as tests like it: whatever it has to wait for is waited for, and what fails is tried again until it succeeds.

use crate::element::{CheckpointId, Column};
use crate::error::{EngineError, ErrorKind};
use crate::state::{KeySlot, SelectedKeys, SnapshotFile, StateBackend, StateSnapshot, StateTime, StoredFile, ValuesOfKeys, key_hash};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::task::{Context, Poll, Waker};

/// Tries of one call, and polls of one wait, at most: far more than a backend that works at all needs.
const PATIENCE: usize = 10_000;

/// What one snapshot wrote.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// Key groups and their blocks or deltas, in ascending order.
    Blocks(Vec<(u32, Vec<u8>)>),
    /// Names of files and their contents, in ascending order.
    Files(Vec<(String, Vec<u8>)>),
}

impl Written {
    /// True where nothing was written.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Blocks(blocks) => blocks.is_empty(),
            Self::Files(files) => files.is_empty(),
        }
    }
}

/// A backend that does not fail with [`ErrorKind::Retry`].
pub struct SteadyBackend(Box<dyn StateBackend>);

/// What `call` gives in the end.
fn again<T>(mut call: impl FnMut() -> Result<T, EngineError>) -> T {
    for _ in 0..PATIENCE {
        match call() {
            Ok(done) => return done,
            Err(error) if error.kind() == ErrorKind::Retry => {}
            Err(error) => panic!("a state backend failed: {error}"),
        }
    }
    panic!("a state backend failed {PATIENCE} times in a row");
}

impl SteadyBackend {
    /// `backend`, waited for.
    pub fn new(backend: Box<dyn StateBackend>) -> Self {
        Self(backend)
    }

    /// Prefetches distinct keys and looks them up.
    pub fn lookup(&mut self, keys: &[impl AsRef<[u8]>]) -> Vec<KeySlot> {
        let hashes: Vec<u64> = keys.iter().map(|key| key_hash(key.as_ref())).collect();
        self.lookup_hashed(keys, &hashes)
    }

    /// The same of keys whose hashes are told.
    pub fn lookup_hashed(&mut self, keys: &[impl AsRef<[u8]>], hashes: &[u64]) -> Vec<KeySlot> {
        let mut column = Column::new();
        keys.iter().for_each(|key| column.push(key.as_ref()));
        let selected = SelectedKeys { keys: &column, hashes, time: StateTime::NONE };
        if self.0.prefetches() {
            again(|| self.prefetch(selected));
        }
        let mut slots = vec![KeySlot { group: u32::MAX, entry: 0, hash: 0 }];
        again(|| self.0.lookup(selected, &mut slots));
        assert_eq!(slots.len(), keys.len(), "lookup gives one slot for each key");
        slots
    }

    fn prefetch(&mut self, selected: SelectedKeys<'_>) -> Result<(), EngineError> {
        for _ in 0..PATIENCE {
            if let Poll::Ready(prefetched) = self.0.poll_prefetch(selected, &mut Context::from_waker(Waker::noop())) {
                return prefetched;
            }
        }
        panic!("a prefetch is not over after {PATIENCE} polls");
    }

    /// Looks one key up.
    pub fn slot(&mut self, key: &[u8]) -> KeySlot {
        self.lookup(&[key])[0]
    }

    /// See [`StateBackend::gather_values`].
    pub fn gather_values(&self, slots: &[KeySlot], state: usize, max_bytes: usize, present: &mut Vec<u32>, values: &mut Column) {
        again(|| self.0.gather_values(slots, state, max_bytes, present, values));
    }

    /// See [`StateBackend::value`].
    pub fn value(&self, slot: &KeySlot, state: usize) -> Option<Vec<u8>> {
        read(|out| self.0.value(slot, state, out))
    }

    /// See [`StateBackend::set_value`].
    pub fn set_value(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, value: &[u8]) {
        again(|| self.0.set_value(slot, key, state, value));
    }

    /// See [`StateBackend::set_values`].
    pub fn set_values(&mut self, slots: &mut [KeySlot], keys: &Column, state: usize, set: ValuesOfKeys<'_>) {
        again(|| self.0.set_values(slots, keys, state, set));
    }

    /// See [`StateBackend::list_len`].
    pub fn list_len(&self, slot: &KeySlot, state: usize) -> u64 {
        again(|| self.0.list_len(slot, state))
    }

    /// See [`StateBackend::list_read`].
    pub fn list_read(&self, slot: &KeySlot, state: usize, start: u64, max_bytes: usize, out: &mut Column) -> Option<u64> {
        again(|| self.0.list_read(slot, state, start, max_bytes, out))
    }

    /// See [`StateBackend::list_append`].
    pub fn list_append(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, item: &[u8]) {
        again(|| self.0.list_append(slot, key, state, item));
    }

    /// See [`StateBackend::list_pop_front`].
    pub fn list_pop_front(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, count: u64) {
        again(|| self.0.list_pop_front(slot, key, state, count));
    }

    /// See [`StateBackend::list_truncate`].
    pub fn list_truncate(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, len: u64) {
        again(|| self.0.list_truncate(slot, key, state, len));
    }

    /// See [`StateBackend::map_get`].
    pub fn map_get(&self, slot: &KeySlot, state: usize, entry: &[u8]) -> Option<Vec<u8>> {
        read(|out| self.0.map_get(slot, state, entry, out))
    }

    /// See [`StateBackend::map_scan`].
    pub fn map_scan(
        &self,
        slot: &KeySlot,
        state: usize,
        start: Option<&[u8]>,
        max_bytes: usize,
        entries: &mut Column,
        values: &mut Column,
    ) -> Option<Vec<u8>> {
        again(|| self.0.map_scan(slot, state, start, max_bytes, entries, values))
    }

    /// See [`StateBackend::map_put`].
    pub fn map_put(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8], value: &[u8]) {
        again(|| self.0.map_put(slot, key, state, entry, value));
    }

    /// See [`StateBackend::map_remove`].
    pub fn map_remove(&mut self, slot: &mut KeySlot, key: &[u8], state: usize, entry: &[u8]) {
        again(|| self.0.map_remove(slot, key, state, entry));
    }

    /// See [`StateBackend::clear`].
    pub fn clear(&mut self, slot: &mut KeySlot, key: &[u8], state: usize) {
        again(|| self.0.clear(slot, key, state));
    }

    /// See [`StateBackend::remove_key`].
    pub fn remove_key(&mut self, slot: &mut KeySlot, key: &[u8]) {
        again(|| self.0.remove_key(slot, key));
    }

    /// See [`StateBackend::move_key`].
    pub fn move_key(&mut self, from: (&mut KeySlot, &[u8]), to: (&mut KeySlot, &[u8])) {
        again(|| self.0.move_key((&mut *from.0, from.1), (&mut *to.0, to.1)));
    }

    /// See [`StateBackend::next_keys`].
    pub fn next_keys(&self, from: u64, most: usize) -> Option<(Vec<Vec<u8>>, u64)> {
        let mut keys = Column::new();
        let next = self.0.next_keys(from, most, &mut keys)?;
        Some((keys.iter().map(<[u8]>::to_vec).collect(), next))
    }

    /// See [`StateBackend::keys`].
    pub fn each_value(&self, state: usize) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut all = BTreeMap::new();
        again(|| {
            all.clear();
            self.0.each_value(state, &mut |key, value| {
                let twice = all.insert(key.to_vec(), value.to_vec());
                assert_eq!(twice, None, "the key {} comes twice", key.escape_ascii());
            })
        });
        all
    }

    /// See [`StateBackend`].
    pub fn keys(&self) -> u64 {
        self.0.keys()
    }

    /// See [`StateBackend::bytes`].
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// See [`StateBackend::state_bytes`].
    pub fn state_bytes(&self, slot: &KeySlot, state: usize) -> u64 {
        again(|| self.0.state_bytes(slot, state))
    }

    /// See [`StateBackend::snapshot`].
    pub fn snapshot(&mut self, checkpoint_id: CheckpointId, base: Option<CheckpointId>) -> StateSnapshot {
        again(|| self.0.snapshot(checkpoint_id, base))
    }

    /// What a snapshot as of now writes, of a backend that writes blocks.
    pub fn blocks(&mut self, checkpoint_id: CheckpointId, base: Option<CheckpointId>) -> Vec<(u32, Vec<u8>)> {
        match write(&mut self.snapshot(checkpoint_id, base)).0 {
            Written::Blocks(blocks) => blocks,
            Written::Files(_) => panic!("the backend's snapshots are files"),
        }
    }

    /// See [`StateBackend::changed_since`].
    pub fn changed_since(&self, base: CheckpointId) -> Option<u64> {
        self.0.changed_since(base)
    }

    /// See [`StateBackend::retire`].
    pub fn retire(&mut self, base: CheckpointId) {
        self.0.retire(base);
    }

    /// See [`StateBackend::restore`].
    pub fn restore(&mut self, key_group: u32, block: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.0.restore(key_group, block, states)
    }

    /// See [`StateBackend::restore_delta`].
    pub fn restore_delta(&mut self, key_group: u32, delta: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.0.restore_delta(key_group, delta, states)
    }

    /// See [`StateBackend::restore_file`].
    pub fn restore_file(&mut self, subtask: u32, name: &str, contents: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        self.0.restore_file(&StoredFile { subtask, name, contents: contents.to_vec().into() }, states)
    }
}

/// One item that a read appends, where there is one. A read that fails, or finds nothing, appends nothing.
fn read(mut read: impl FnMut(&mut Column) -> Result<bool, EngineError>) -> Option<Vec<u8>> {
    let mut out = Column::new();
    out.push(b"what was there before");
    let found = again(|| read(&mut out));
    assert_eq!(out.len(), 1 + usize::from(found), "a read appends what it finds, once");
    found.then(|| out.get(1).to_vec())
}

/// All that a snapshot writes, and the bytes of the whole state that it says there are.
pub fn write(snapshot: &mut StateSnapshot) -> (Written, u64) {
    match snapshot {
        StateSnapshot::Blocks(snapshot) => {
            let mut blocks: Vec<(u32, Vec<u8>)> = Vec::new();
            let bytes = snapshot.write(&mut |group, block| blocks.push((group, block.to_vec()))).expect("a snapshot is written");
            ascending(&blocks);
            (Written::Blocks(blocks), bytes)
        }
        StateSnapshot::Files(snapshot) => {
            let read = |file: &dyn SnapshotFile| (file.name().to_owned(), again(|| file.read()).concat());
            let mut files: Vec<_> = snapshot.files.iter().map(|file| read(&**file)).collect();
            files.sort();
            ascending(&files);
            (Written::Files(files), snapshot.state_bytes)
        }
    }
}

fn ascending<T: Ord + Debug>(parts: &[(T, Vec<u8>)]) {
    assert!(parts.is_sorted_by(|(a, _), (b, _)| a < b), "parts come in ascending order, each once");
}
