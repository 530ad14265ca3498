//! One operator's keyed state as the operator sees it: by call, through the distinct keys of the call's records or timers.

mod clean_up;
mod firing;
mod key_look;
mod lifetimes;
mod timers;
mod windowed;

pub use self::key_look::{KeyLook, LOOK_BYTES, LookedContent, LookedState, LookedUnit};

use self::lifetimes::Lifetimes;
use super::distinct_keys::DistinctKeys;
use super::no_backend::NoBackend;
use super::timers::Timers;
use super::windows::Windows;
use super::{
    CallKeys, KeySlot, SelectedKeys, StateAllowance, StateBackend, StateDescriptor, StateSnapshot, StateTime, TimeDomain, ValuesOfKeys,
    Window,
};
use crate::element::{CheckpointId, Column};
use crate::error::{EngineError, ErrorKind};
use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;

/// A record without a key came over a `key` edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyless {
    /// The record's index in the batch.
    pub record: usize,
}

/// Why the keys of records could not be selected.
#[derive(Clone, Debug)]
pub enum SelectError {
    /// One of the records has none.
    Keyless(Keyless),
    /// This one cannot be put into a window.
    Unwindowed(Unwindowed),
    /// The backend failed.
    Failed(EngineError),
}

/// A record that cannot be put into a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwindowed {
    /// The record's index in the batch.
    pub record: usize,
    /// Why it cannot.
    pub why: String,
    /// Whether that is because its key has as many windows as it may.
    pub is_beyond_limit: bool,
}

impl SelectError {
    /// The backend's error, or what `keyless` makes of a record without a key.
    pub fn into_error(self, keyless: impl FnOnce(Keyless) -> EngineError) -> EngineError {
        match self {
            Self::Keyless(record) => keyless(record),
            Self::Unwindowed(Unwindowed { record, why, .. }) => {
                EngineError::new(ErrorKind::FixInput, format!("record {record} of the batch: {why}"))
            }
            Self::Failed(error) => error,
        }
    }
}

/// Keyed state of one subtask, with the distinct keys of the call that is being made.
///
/// [`KeyedState::select`] names the keys; everything else addresses them by their index in [`KeyedState::keys`]. There is no way
/// to reach another key. A call's keys are prefetched before any is selected: only that waits. Everything that reads or writes fails where the
/// backend does, and has changed nothing then.
pub struct KeyedState {
    states: Vec<StateDescriptor>,
    backend: Box<dyn StateBackend>,
    /// The times of the call that is being made.
    time: StateTime,
    distinct: DistinctKeys,
    /// One for each distinct key.
    slots: Vec<KeySlot>,
    /// How much may be kept; `None`: nobody counts.
    allowance: Option<Arc<StateAllowance>>,
    /// Timers of the keys, where the operator declares some.
    timers: Option<Box<Timers>>,
    /// Room for what is read of a timer.
    times: Column,
    /// Windows that records are put into, where the operator is windowed.
    windows: Option<Box<Windows>>,
    /// Times to live, where some state has one.
    lifetimes: Option<Box<Lifetimes>>,
}

impl KeyedState {
    /// State behind `backend`, which was made with `states`.
    pub fn new(states: Vec<StateDescriptor>, backend: Box<dyn StateBackend>) -> Self {
        let lifetimes = Lifetimes::of(&states);
        Self {
            states,
            backend,
            time: StateTime::NONE,
            distinct: DistinctKeys::default(),
            slots: Vec::new(),
            allowance: None,
            timers: None,
            times: Column::new(),
            windows: None,
            lifetimes,
        }
    }

    /// The same, with timers of these domains: the last of the states are theirs, one for each.
    pub fn with_timers(self, domains: Vec<TimeDomain>) -> Self {
        let first_state = self.states.len() - domains.len();
        Self { timers: (!domains.is_empty()).then(|| Box::new(Timers::new(first_state, domains))), ..self }
    }

    /// The same, kept within an allowance.
    pub fn within(self, allowance: Arc<StateAllowance>) -> Self {
        Self { allowance: Some(allowance), ..self }
    }

    /// How much may be kept, where that is bounded.
    pub fn allowance(&self) -> Option<&Arc<StateAllowance>> {
        self.allowance.as_ref()
    }

    /// State of no keys behind no backend: what stands in for the real one while that is lent out. Costs nothing to make;
    /// anything but dropping it panics.
    pub fn placeholder() -> Self {
        Self::new(Vec::new(), Box::new(NoBackend))
    }

    /// All states, those of timers at the end.
    pub fn states(&self) -> &[StateDescriptor] {
        &self.states
    }

    /// The states that the operator declares.
    pub fn declared(&self) -> &[StateDescriptor] {
        let of_host = self.timers.as_ref().map(|timers| timers.first_state).or(self.windows.as_ref().map(|windows| windows.state));
        &self.states[..of_host.unwrap_or(self.states.len())]
    }

    /// Times to live are judged by these times from now on.
    pub(crate) fn tell(&mut self, time: StateTime) {
        if let Some(lifetimes) = &mut self.lifetimes {
            lifetimes.tell(time);
        }
    }

    /// A call that brings `of` is about to be made: brings the states of these keys to where reads find them, where the backend has to wait for that.
    /// Records without a key are the operator's to refuse. What was selected is selected no more.
    pub async fn prefetch(&mut self, of: CallKeys<'_>, time: StateTime) -> Result<(), EngineError> {
        self.reject()?;
        self.time = time;
        self.tell(time);
        if !self.backend.prefetches() || !of.keyless.is_empty() {
            return Ok(());
        }
        if self.is_of_records(of) {
            let (units, hashes) = self.units_of(of);
            self.distinct.gather_units(&units, &hashes);
        } else {
            self.distinct.gather(of, 0..of.len());
        }
        let Self { backend, distinct: DistinctKeys { keys, hashes, .. }, .. } = self;
        let selected = SelectedKeys { keys, hashes, time };
        poll_fn(|cx| backend.poll_prefetch(selected, cx)).await
    }

    /// Selects the distinct keys of those of the call's records, timers or windows that are in `range`, in the order of the first of each, and looks each up
    /// once. How many of the range it could select together, one at least: where records are put into windows, one that would change a window of those
    /// in front of it waits for the next call. What was selected before, and has not been accepted, is rejected.
    pub fn select<'a>(&mut self, of: impl Into<CallKeys<'a>>, range: Range<usize>) -> Result<usize, SelectError> {
        self.select_keys(of.into(), range)
    }

    fn select_keys(&mut self, of: CallKeys<'_>, range: Range<usize>) -> Result<usize, SelectError> {
        if let Some(&record) = of.keyless.iter().find(|&&record| range.contains(&(record as usize))) {
            return Err(SelectError::Keyless(Keyless { record: record as usize }));
        }
        if self.is_windowed() {
            return if self.is_of_records(of) { self.select_windows(of, range) } else { self.select_units(of, range) };
        }
        self.distinct.gather(of, range.clone());
        let Self { backend, distinct: DistinctKeys { keys, hashes, .. }, slots, time, .. } = self;
        backend.lookup(SelectedKeys { keys, hashes, time: *time }, slots).map_err(SelectError::Failed)?;
        if self.lifetimes.is_some() {
            self.judge_selected(of, range.clone()).map_err(SelectError::Failed)?;
        }
        Ok(range.len())
    }

    /// The distinct keys; where records are put into windows, a key for each of its windows.
    pub fn keys(&self) -> &Column {
        self.keys_of_units().unwrap_or(&self.distinct.keys)
    }

    /// For each selected record, timer or window the index of its key; where [`Self::rows`] says so, for each row.
    pub fn key_of(&self) -> &[u32] {
        &self.distinct.key_of
    }

    /// What stands for the selected records where that is not each of them once: for each row the index of its record in the batch, ascending. One that is in
    /// several windows has a row for each, and one that comes too late has none.
    pub fn rows(&self) -> Option<&[u32]> {
        self.planned_rows()
    }

    /// For each of [`Self::keys`] the window that it stands for, where records are put into windows whose bounds are known.
    pub fn windows(&self) -> Option<&[Window]> {
        self.planned_windows()
    }

    /// Appends, for each selected key that has a value of `state`, its index to `present` and the value to `values`, until they pass `max_bytes`;
    /// see [`StateBackend::gather_values`].
    pub fn gather_values(&self, state: usize, max_bytes: usize, present: &mut Vec<u32>, values: &mut Column) -> Result<(), EngineError> {
        match self.ttl_of(state) {
            Some(_) => self.gather_living(state, max_bytes, present, values),
            None => self.backend.gather_values(&self.slots, state, max_bytes, present, values),
        }
    }

    /// Appends a key's value to `out`. False where there is none.
    #[inline]
    pub fn value(&self, key: usize, state: usize, out: &mut Column) -> Result<bool, EngineError> {
        match self.ttl_of(state) {
            Some(_) => self.living_value(key, state, out),
            None => self.backend.value(&self.slots[key], state, out),
        }
    }

    /// A copy of a key's value, for whoever reads few.
    pub fn copied_value(&self, key: usize, state: usize) -> Result<Option<Vec<u8>>, EngineError> {
        let mut out = Column::new();
        Ok(self.value(key, state, &mut out)?.then(|| out.into_parts().0))
    }

    /// Sets a key's value.
    #[inline]
    pub fn set_value(&mut self, key: usize, state: usize, value: &[u8]) -> Result<(), EngineError> {
        let stamped = self.as_stamped(key, state, value);
        self.backend.set_value(&mut self.slots[key], self.distinct.keys.get(key), state, stamped.as_deref().unwrap_or(value))
    }

    /// Sets the values of several keys: a value for each of `keys`, in order.
    pub fn set_values(&mut self, keys: &[u32], state: usize, values: &Column) -> Result<(), EngineError> {
        if self.ttl_of(state).is_some() {
            return self.set_stamped(keys, state, values);
        }
        self.backend.set_values(&mut self.slots, &self.distinct.keys, state, ValuesOfKeys { keys, values })
    }

    /// Number of items of a key's list.
    pub fn list_len(&self, key: usize, state: usize) -> Result<u64, EngineError> {
        self.backend.list_len(&self.slots[key], state)
    }

    /// See [`StateBackend::list_read`].
    pub fn list_read(&self, key: usize, state: usize, start: u64, max_bytes: usize, out: &mut Column) -> Result<Option<u64>, EngineError> {
        match self.ttl_of(state) {
            Some(_) => self.living_items(key, state, start, max_bytes, out),
            None => self.backend.list_read(&self.slots[key], state, start, max_bytes, out),
        }
    }

    /// Appends one item to a key's list.
    pub fn list_append(&mut self, key: usize, state: usize, item: &[u8]) -> Result<(), EngineError> {
        if self.ttl_of(state).is_some() {
            return self.append_stamped(key, state, item);
        }
        self.backend.list_append(&mut self.slots[key], self.distinct.keys.get(key), state, item)
    }

    /// Removes the first `count` items of a key's list, or all where there are fewer.
    pub fn list_pop_front(&mut self, key: usize, state: usize, count: u64) -> Result<(), EngineError> {
        self.backend.list_pop_front(&mut self.slots[key], self.distinct.keys.get(key), state, count)
    }

    /// Removes all items of a key's list behind the first `len`.
    pub fn list_truncate(&mut self, key: usize, state: usize, len: u64) -> Result<(), EngineError> {
        self.backend.list_truncate(&mut self.slots[key], self.distinct.keys.get(key), state, len)
    }

    /// Appends the value of an entry of a key's map to `out`. False where the entry is not there.
    pub fn map_get(&self, key: usize, state: usize, entry: &[u8], out: &mut Column) -> Result<bool, EngineError> {
        match self.ttl_of(state) {
            Some(_) => self.living_entry(key, state, entry, out),
            None => self.backend.map_get(&self.slots[key], state, entry, out),
        }
    }

    /// See [`StateBackend::map_scan`].
    pub fn map_scan(
        &self,
        key: usize,
        state: usize,
        start: Option<&[u8]>,
        max_bytes: usize,
        entries: &mut Column,
        values: &mut Column,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        match self.ttl_of(state) {
            Some(_) => self.scan_living((key, state), start, max_bytes, (entries, values)),
            None => self.backend.map_scan(&self.slots[key], state, start, max_bytes, entries, values),
        }
    }

    /// Puts an entry into a key's map.
    pub fn map_put(&mut self, key: usize, state: usize, entry: &[u8], value: &[u8]) -> Result<(), EngineError> {
        let stamped = self.as_stamped(key, state, value);
        self.backend.map_put(&mut self.slots[key], self.distinct.keys.get(key), state, entry, stamped.as_deref().unwrap_or(value))
    }

    /// Removes an entry of a key's map.
    pub fn map_remove(&mut self, key: usize, state: usize, entry: &[u8]) -> Result<(), EngineError> {
        self.backend.map_remove(&mut self.slots[key], self.distinct.keys.get(key), state, entry)
    }

    /// Removes all that `state` holds for a key.
    pub fn clear(&mut self, key: usize, state: usize) -> Result<(), EngineError> {
        self.backend.clear(&mut self.slots[key], self.distinct.keys.get(key), state)
    }

    /// Number of keys.
    pub fn key_count(&self) -> u64 {
        self.backend.keys()
    }

    /// What all keys with their states count as: see [`super::size`].
    pub fn bytes(&self) -> u64 {
        self.backend.bytes()
    }

    /// What one state of a key counts as.
    pub fn state_bytes(&self, key: usize, state: usize) -> Result<u64, EngineError> {
        self.backend.state_bytes(&self.slots[key], state)
    }

    /// What all states of a key count as, without the key itself.
    pub fn key_bytes(&self, key: usize) -> Result<u64, EngineError> {
        (0..self.states.len()).map(|state| self.state_bytes(key, state)).sum()
    }

    /// True where the key has an entry, whatever is in it.
    pub fn is_known(&self, key: usize) -> bool {
        self.slots[key].entry != KeySlot::ABSENT
    }

    /// See [`StateBackend::changed_since`].
    pub(crate) fn changed_since(&self, base: CheckpointId) -> Option<u64> {
        self.backend.changed_since(base)
    }

    /// See [`StateBackend::snapshot`].
    pub fn snapshot(&mut self, checkpoint_id: CheckpointId, base: Option<CheckpointId>) -> Result<StateSnapshot, EngineError> {
        self.backend.snapshot(checkpoint_id, base)
    }

    /// See [`StateBackend::retire`].
    pub fn retire(&mut self, base: CheckpointId) {
        self.backend.retire(base);
    }

    /// The backend, to restore into.
    pub fn backend_mut(&mut self) -> &mut dyn StateBackend {
        &mut *self.backend
    }
}
