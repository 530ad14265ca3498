//! Random checkpoints for tests, written by the memory backend of several subtasks as whole objects and deltas, and what was put into them.

use super::*;
use crate::checkpoint::{GraphIdentity, StateHandle, StateObjectWriter, VertexSnapshot, paths};
use crate::element::{AttemptId, CheckpointId};
use crate::state::conformance::SteadyBackend;
use crate::state::{MemoryBackendFactory, StateKind, key_group_of, key_hash, owner_of, range_of};
use crate::storage::ObjectStorage;
use futures_util::FutureExt;
use std::collections::BTreeMap;

const PARALLELISM: u32 = 3;
const MAX_PARALLELISM: u32 = 8;
const KEYS: u32 = 40;
const CHECKPOINTS: u64 = 6;
/// Indexes of the declared states.
pub(super) const COUNT: usize = 0;
pub(super) const SEEN: usize = 1;
pub(super) const RULES: usize = 2;

/// What a key, or a broadcast entry, has of each state by name: values and map entries, as text.
pub(super) type Model = BTreeMap<(String, &'static str), String>;

pub(super) fn state(name: &str, kind: StateKind, version: u32) -> StateDescriptor {
    StateDescriptor { name: name.into(), kind, schema: "raw".into(), version, ttl: None }
}

pub(super) fn declared() -> Vec<StateDescriptor> {
    vec![state("count", StateKind::Value, 2), state("seen", StateKind::Map, 1), state("rules", StateKind::Broadcast, 1)]
}

pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory does not wait")
}

/// An operator in several subtasks that takes checkpoints.
pub(super) struct Writer {
    rng: fastrand::Rng,
    store: ObjectStorage,
    backends: Vec<SteadyBackend>,
    broadcast: BroadcastState,
    chains: Vec<SubtaskSnapshot>,
    model: Model,
    pub(super) checkpoints: Vec<(CheckpointMetadata, Model)>,
}

impl Writer {
    fn new(seed: u64) -> Self {
        let factory = MemoryBackendFactory::new(seed);
        let backend = |subtask| {
            let range = range_of(subtask, PARALLELISM, MAX_PARALLELISM);
            SteadyBackend::new(factory.create(&declared(), range, MAX_PARALLELISM))
        };
        Self {
            rng: fastrand::Rng::with_seed(seed),
            store: ObjectStorage::in_memory(),
            backends: (0..PARALLELISM).map(backend).collect(),
            broadcast: BroadcastState::new(&declared()).expect("one is declared"),
            chains: (0..PARALLELISM).map(|index| SubtaskSnapshot { index, ..SubtaskSnapshot::default() }).collect(),
            model: Model::new(),
            checkpoints: Vec::new(),
        }
    }

    /// Some checkpoints, with changes before each.
    pub(super) fn run(seed: u64) -> Self {
        let mut writer = Self::new(seed);
        for checkpoint_id in (1..=CHECKPOINTS).map(CheckpointId) {
            (0..writer.rng.usize(0..30)).for_each(|_| writer.change());
            writer.checkpoint(checkpoint_id);
        }
        writer
    }

    fn change(&mut self) {
        let (key, value) = (format!("k{}", self.rng.u32(..KEYS)), self.rng.u32(..1_000).to_string());
        let subtask = owner_of(key_group_of(key_hash(key.as_bytes()), MAX_PARALLELISM), PARALLELISM, MAX_PARALLELISM);
        let backend = &mut self.backends[subtask as usize];
        let mut slot = backend.slot(key.as_bytes());
        match self.rng.u8(..6) {
            0..=1 => {
                backend.set_value(&mut slot, key.as_bytes(), COUNT, value.as_bytes());
                self.model.insert((key, "count"), value);
            }
            2 => {
                // One entry, which says it all.
                backend.clear(&mut slot, key.as_bytes(), SEEN);
                backend.map_put(&mut slot, key.as_bytes(), SEEN, b"at", value.as_bytes());
                self.model.insert((key, "seen"), format!("at={value}"));
            }
            3 => {
                [COUNT, SEEN].iter().for_each(|&state| backend.clear(&mut slot, key.as_bytes(), state));
                self.model.retain(|(other, state), _| *other != key || *state == "rules");
            }
            4 => {
                self.broadcast.put(RULES, key.as_bytes(), value.as_bytes());
                self.model.insert((key, "rules"), value);
            }
            _ => {
                self.broadcast.remove(RULES, key.as_bytes());
                self.model.remove(&(key, "rules"));
            }
        }
    }

    fn checkpoint(&mut self, checkpoint_id: CheckpointId) {
        let base = CheckpointId(checkpoint_id.0 - 1);
        for index in 0..PARALLELISM {
            let whole = base.0 == 0 || self.rng.u8(..3) == 0;
            let (backend, chain) = (&mut self.backends[index as usize], &mut self.chains[index as usize]);
            let mut object = StateObjectWriter::new();
            // A chained operator shares the object.
            object.section(SectionKind::KeyedState, "chained", 0, b"not a block");
            let kind = if whole { SectionKind::KeyedState } else { SectionKind::Delta };
            let payloads = backend.blocks(checkpoint_id, (!whole).then_some(base));
            payloads.iter().for_each(|(key_group, payload)| object.section(kind, "op", *key_group, payload));
            let path = paths::state_object(AttemptId(1), checkpoint_id, "op", index, "nonce");
            let handle = put(&self.store, path, object);
            if whole {
                (chain.state, chain.deltas) = (Some(handle), Vec::new());
            } else {
                chain.deltas.push(handle);
            }
            let mut object = StateObjectWriter::new();
            let mut payload = Vec::new();
            self.broadcast.write(&mut payload);
            object.section(SectionKind::Broadcast, "op", 0, &payload);
            let path = paths::broadcast_object(AttemptId(1), checkpoint_id, "op", index, "nonce");
            chain.broadcast = (!self.broadcast.is_empty()).then(|| put(&self.store, path, object));
        }
        let metadata = metadata(checkpoint_id, "op", declared(), self.chains.clone());
        self.checkpoints.push((metadata, self.model.clone()));
    }

    pub(super) fn state<'a>(&'a self, clock: &'a dyn Clock, metadata: &'a CheckpointMetadata) -> OperatorState<'a> {
        CheckpointState::new(&self.store, clock, metadata).operator("op").expect("it is there")
    }
}

fn put(store: &ObjectStorage, object: String, written: StateObjectWriter) -> StateHandle {
    let finished = written.finish();
    now(store.put(&object, finished.parts)).expect("it is written");
    StateHandle { object, bytes: finished.bytes, checksum: finished.checksum }
}

pub(super) fn metadata(
    checkpoint_id: CheckpointId,
    operator: &str,
    states: Vec<StateDescriptor>,
    subtasks: Vec<SubtaskSnapshot>,
) -> CheckpointMetadata {
    let source = VertexIdentity::Source { connector: "file".into(), settings: serde_json::Value::Null };
    let identity = VertexIdentity::Operator { states, component: None };
    let vertices = [("in".to_owned(), source), (operator.to_owned(), identity)].into();
    CheckpointMetadata {
        job: "job".into(),
        checkpoint_id,
        attempt: AttemptId(1),
        nonce: None,
        graph: GraphIdentity { max_parallelism: MAX_PARALLELISM, vertices, edges: Vec::new() },
        vertices: vec![VertexSnapshot { id: "in".into(), subtasks: Vec::new() }, VertexSnapshot { id: operator.into(), subtasks }],
        outboxes: Vec::new(),
    }
}
