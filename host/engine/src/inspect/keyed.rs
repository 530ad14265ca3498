//! Reads one operator's keyed state key group by key group.

use super::OperatorState;
use crate::checkpoint::{Section, SectionKind, StateHandle, StateObjectReader, SubtaskSnapshot, WatermarkFloor, read_state_object};
use crate::element::NO_TIMESTAMP;
use crate::error::{EngineError, ErrorKind};
use crate::state::{StateDescriptor, StoredGroup, StoredKeys, key_group_of, key_hash, owner_of};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;
use std::ops::Range;

/// Objects that are being read at once.
const READS: usize = 8;

/// Reads key groups in any order; in ascending order each object is read once. Holds the objects of one subtask.
pub struct KeyedReader<'a> {
    operator: OperatorState<'a>,
    max_parallelism: u32,
    loaded: Option<Loaded>,
}

/// What one subtask stored.
struct Loaded {
    subtask: u32,
    /// By key group: the block, where there is one, and the deltas behind it.
    parts: BTreeMap<u32, Vec<Part>>,
}

/// A block or delta.
struct Part {
    object: String,
    is_delta: bool,
    payload: Bytes,
}

impl<'a> KeyedReader<'a> {
    pub(super) fn new(operator: OperatorState<'a>) -> Self {
        Self { operator, max_parallelism: operator.from.metadata.graph.max_parallelism, loaded: None }
    }

    /// The states that the operator declared.
    pub fn declared(&self) -> &'a [StateDescriptor] {
        self.operator.declared
    }

    /// All key groups.
    pub fn key_groups(&self) -> Range<u32> {
        0..self.max_parallelism
    }

    /// The key group of a key.
    pub fn group_of(&self, key: &[u8]) -> u32 {
        key_group_of(key_hash(key), self.max_parallelism)
    }

    /// The subtask that stored a key group.
    pub fn subtask_of(&self, key_group: u32) -> u32 {
        owner_of(key_group, self.operator.subtasks.len() as u32, self.max_parallelism)
    }

    /// The keys of one group.
    pub async fn group(&mut self, key_group: u32) -> Result<StoredKeys<'_>, EngineError> {
        let subtask = self.subtask_of(key_group);
        if self.loaded.as_ref().is_none_or(|loaded| loaded.subtask != subtask) {
            // The objects of the one before go first.
            self.loaded = None;
            self.loaded = Some(Loaded { subtask, parts: self.load(subtask).await.map_err(|error| self.operator.reading(error))? });
        }
        let (event_time, now) = (self.event_time_of(key_group), self.clock());
        let mut group = StoredGroup::new(key_group, self.max_parallelism, self.operator.declared).at(event_time, now);
        let parts = self.loaded.iter().filter_map(|loaded| loaded.parts.get(&key_group)).flatten();
        for Part { object, is_delta, payload } in parts {
            let added = if *is_delta { group.apply_delta(payload) } else { group.add_block(payload) };
            added.map_err(|error| self.operator.reading(error.context(format!("{object}: key group {key_group}"))))?;
        }
        Ok(group.into_keys())
    }

    /// What the clock says, or what the operator had been told of it where that was later: as a run that goes on from here would be told.
    fn clock(&self) -> i64 {
        let told = self.operator.subtasks.iter().filter_map(|stored| stored.processing_time).max();
        self.operator.from.clock.wall_ms().max(told.unwrap_or(i64::MIN))
    }

    /// When event time had begun for a key group, and how far it had come.
    fn event_time_of(&self, key_group: u32) -> (i64, i64) {
        let of = |all: fn(&SubtaskSnapshot) -> &Vec<WatermarkFloor>| {
            let all = self.operator.subtasks.iter().flat_map(all);
            all.filter(|of| (of.from..of.to).contains(&key_group)).map(|of| of.watermark).max().unwrap_or(NO_TIMESTAMP)
        };
        (of(|stored| &stored.event_time_began), of(|stored| &stored.floors))
    }

    async fn load(&self, subtask: u32) -> Result<BTreeMap<u32, Vec<Part>>, EngineError> {
        let stored = self.operator.subtasks.iter().filter(|stored| stored.index == subtask);
        if let Some(files) = stored.clone().find_map(|stored| stored.files.as_ref()) {
            let message =
                format!("its subtask {subtask} keeps it in files of the format \"{}\", which only their state backend reads", files.format);
            return Err(EngineError::new(ErrorKind::FixInput, message));
        }
        let reads: Vec<_> = stored.flat_map(keyed_handles).map(|handle| self.read(handle)).collect();
        let mut parts = BTreeMap::<u32, Vec<Part>>::new();
        let mut readers = stream::iter(reads).buffered(READS);
        while let Some(reader) = readers.try_next().await? {
            for section in reader.sections() {
                let section = section?;
                if let Some(is_delta) = keyed(&section).filter(|_| section.operator == self.operator.id) {
                    let part = Part { object: reader.object().to_owned(), is_delta, payload: reader.share(&section) };
                    parts.entry(section.key_group).or_default().push(part);
                }
            }
        }
        Ok(parts)
    }

    async fn read(&self, handle: &StateHandle) -> Result<StateObjectReader, EngineError> {
        read_state_object(self.operator.from.store, self.operator.from.clock, handle).await
    }
}

/// The whole object and the deltas behind it, in order.
fn keyed_handles(subtask: &SubtaskSnapshot) -> impl Iterator<Item = &StateHandle> {
    subtask.state.iter().chain(&subtask.deltas)
}

/// Whether a section of keyed state is a delta; `None` for one of another kind.
fn keyed(section: &Section<'_>) -> Option<bool> {
    match section.kind {
        SectionKind::KeyedState => Some(false),
        SectionKind::Delta => Some(true),
        SectionKind::Timers
        | SectionKind::WatermarkFloors
        | SectionKind::TtlStamps
        | SectionKind::Broadcast
        | SectionKind::InFlight
        | SectionKind::Committables
        | SectionKind::OperatorState
        | SectionKind::CallLog
        | SectionKind::StagedOutput => None,
    }
}
