//! Broadcast state: a map of the whole subtask for each declared broadcast state, its entries in byte order.
//!
//! Every subtask keeps a copy of its own and changes it by the same broadcast records, so copies of one moment are alike and one may
//! stand in for another at a restore. A clone is a capture: it shares the maps, and a map is copied, as [`MapState`] copies, when it is
//! written to while a capture holds it.

use super::broadcast_reader::BroadcastReader;
use super::map_state::MapState;
use super::varint::put_number;
use super::{MapEntry, StateAllowance, StateDescriptor, StateKind};
use crate::element::Column;
use crate::error::{EngineError, ErrorKind};
use std::sync::Arc;

/// The broadcast states of one operator's subtask.
///
/// States are addressed by their index among all declared states; every method but [`BroadcastState::is_declared`] panics where that is
/// no broadcast state: callers have checked what a guest says.
#[derive(Clone)]
pub struct BroadcastState {
    declared: Arc<[StateDescriptor]>,
    /// One for each declared state; `None` where it is of another kind.
    maps: Vec<Option<Arc<MapState>>>,
    /// How much may be kept; `None`: nobody counts.
    allowance: Option<Arc<StateAllowance>>,
}

/// What a batch may do with its operator's broadcast states.
pub enum BroadcastAccess<'a> {
    /// The operator declares none.
    None,
    /// Read them: the batch did not come over a `broadcast` edge.
    Read(&'a BroadcastState),
    /// Read and change them: the batch came over a `broadcast` edge, so every other subtask gets the same records.
    Write(&'a mut BroadcastState),
}

impl BroadcastAccess<'_> {
    /// The states to read, where there are any.
    pub fn readable(&self) -> Option<&BroadcastState> {
        match self {
            Self::None => None,
            Self::Read(state) => Some(state),
            Self::Write(state) => Some(state),
        }
    }

    /// The states to change, where the batch may.
    pub fn writable(&mut self) -> Option<&mut BroadcastState> {
        match self {
            Self::None | Self::Read(_) => None,
            Self::Write(state) => Some(state),
        }
    }
}

impl BroadcastState {
    /// Empty maps for the broadcast states among `declared`; `None` where there are none.
    pub fn new(declared: &[StateDescriptor]) -> Option<Self> {
        let map = |state: &StateDescriptor| (state.kind == StateKind::Broadcast).then(Arc::default);
        let maps: Vec<_> = declared.iter().map(map).collect();
        maps.iter().any(Option::is_some).then(|| Self { declared: declared.into(), maps, allowance: None })
    }

    /// The same, kept within an allowance.
    pub fn within(self, allowance: Arc<StateAllowance>) -> Self {
        Self { allowance: Some(allowance), ..self }
    }

    /// The state as of now, which counts for nobody.
    pub(crate) fn captured(&self) -> Self {
        Self { allowance: None, ..self.clone() }
    }

    /// How much may be kept, where that is bounded.
    pub fn allowance(&self) -> Option<&Arc<StateAllowance>> {
        self.allowance.as_ref()
    }

    /// True where state `state` is declared as a broadcast state.
    pub fn is_declared(&self, state: usize) -> bool {
        self.maps.get(state).is_some_and(Option::is_some)
    }

    /// The value of an entry.
    pub fn get(&self, state: usize, entry: &[u8]) -> Option<&[u8]> {
        self.map(state).get(entry)
    }

    /// Appends entries in byte order from `start` on, bounded as in [`super::StateBackend::map_scan`]. The entry that follows, where entries are
    /// left.
    pub fn scan(&self, state: usize, start: Option<&[u8]>, max_bytes: usize, entries: &mut Column, values: &mut Column) -> Option<Vec<u8>> {
        self.map(state).scan(start, max_bytes, entries, values)
    }

    /// All entries in byte order.
    pub fn entries(&self, state: usize) -> impl Iterator<Item = MapEntry<'_>> {
        self.map(state).starting_at(&[])
    }

    /// Puts an entry.
    pub fn put(&mut self, state: usize, entry: &[u8], value: &[u8]) {
        self.map_mut(state).put(entry, value);
    }

    /// Removes an entry; nothing where it is not there.
    pub fn remove(&mut self, state: usize, entry: &[u8]) {
        if self.get(state, entry).is_some() {
            self.map_mut(state).remove(entry);
        }
    }

    /// Removes all entries.
    pub fn clear(&mut self, state: usize) {
        *self.map_mut(state) = MapState::default();
    }

    /// True where no state has an entry.
    pub fn is_empty(&self) -> bool {
        self.maps.iter().flatten().all(|map| map.is_empty())
    }

    /// What all states count as: see [`super::size`].
    pub fn bytes(&self) -> u64 {
        self.maps.iter().flatten().map(|map| map.bytes()).sum()
    }

    /// What one state counts as.
    pub fn state_bytes(&self, state: usize) -> u64 {
        self.map(state).bytes()
    }

    fn map(&self, state: usize) -> &MapState {
        self.maps[state].as_ref().unwrap_or_else(|| panic!("state {state} is no broadcast state"))
    }

    fn map_mut(&mut self, state: usize) -> &mut MapState {
        Arc::make_mut(self.maps[state].as_mut().unwrap_or_else(|| panic!("state {state} is no broadcast state")))
    }

    /// Appends everything in the form that `checkpoint/state_object` describes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let filled =
            || self.maps.iter().enumerate().filter_map(|(state, map)| Some((state, map.as_ref()?))).filter(|(_, map)| !map.is_empty());
        put_number(out, filled().count() as u64);
        for (state, map) in filled() {
            put_number(out, state as u64);
            put_number(out, u64::from(self.declared[state].version));
            map.write(out);
        }
    }

    /// Adds what [`BroadcastState::write`] wrote. `states[i]` is the index here of the writer's state `i`; `None` where it is gone, which is
    /// refused. An error leaves part of it behind: the caller gives the whole state up.
    pub fn restore(&mut self, section: &[u8], states: &[Option<usize>]) -> Result<(), EngineError> {
        let mut section = BroadcastReader::open(section)?;
        while let Some(stored) = section.next_state()? {
            let state = self.place(&section, stored, states)?;
            let version = section.version()?;
            let StateDescriptor { name, version: declared, .. } = &self.declared[state];
            if version != u64::from(*declared) {
                let message = format!("state {name:?} is stored in version {version} and declared in version {declared}");
                let hint = "declare the stored version, or a newer one to which the operator migrates";
                return Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
            }
            section.entries(|entry, value| self.put(state, entry, value))?;
        }
        Ok(())
    }

    /// Where the writer's state `stored` is here.
    fn place(&self, section: &BroadcastReader<'_>, stored: u64, states: &[Option<usize>]) -> Result<usize, EngineError> {
        let Some(here) = usize::try_from(stored).ok().and_then(|stored| states.get(stored)) else {
            return Err(section.corrupt(format!("it has state {stored}, but the checkpoint names {}", states.len())));
        };
        let Some(here) = here else {
            let message = format!("it has state {stored} of the checkpoint, which the operator no longer declares");
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("declare the state again"));
        };
        if !self.is_declared(*here) {
            return Err(section.corrupt(format!("it has state {stored}, which is declared as another kind")));
        }
        Ok(*here)
    }
}
