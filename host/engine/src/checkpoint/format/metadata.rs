//! What a completed checkpoint consists of.

use super::{Committable, GraphIdentity, OutboxSnapshot, SplitState, StagedObject, VertexIdentity, envelope};
use crate::checkpoint::paths;
use crate::element::{AttemptId, CheckpointId};
use crate::error::EngineError;
use crate::state::{KeyGroupRange, StateDescriptor, range_of};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const MAGIC: &str = "weir-metadata";

/// A completed checkpoint. It counts only when the log says that it is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointMetadata {
    /// The job's name.
    pub job: String,
    /// The checkpoint.
    pub checkpoint_id: CheckpointId,
    /// The attempt that took it.
    pub attempt: AttemptId,
    /// The attempt's nonce, which is part of the object's name. Before format 2 of the log it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The graph as it was.
    pub graph: GraphIdentity,
    /// One entry for each vertex, in the graph's order.
    pub vertices: Vec<VertexSnapshot>,
    /// One entry for each outbox sink.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outboxes: Vec<OutboxSnapshot>,
}

/// One vertex's part of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VertexSnapshot {
    /// The vertex's id.
    pub id: String,
    /// One entry for each subtask.
    pub subtasks: Vec<SubtaskSnapshot>,
}

/// One subtask's part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubtaskSnapshot {
    /// From 0.
    pub index: u32,
    /// Number of keys with state.
    pub keys: u64,
    /// Bytes of keyed state.
    pub state_bytes: u64,
    /// Where the keyed state is. Operators of one task share an object.
    pub state: Option<StateHandle>,
    /// Changes of the keyed state since that object was written, each since the one before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deltas: Vec<StateHandle>,
    /// The files that the keyed state is in, where its backend keeps it in files; there is no object and no delta then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<StateFiles>,
    /// Where broadcast state is, in an object of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<StateHandle>,
    /// Where the records are that an unaligned barrier overtook on the way to this subtask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<StateHandle>,
    /// Where the calls of an operator with `record = true` are, since the checkpoint before.
    #[serde(default, rename = "recording", skip_serializing_if = "Option::is_none")]
    pub call_log: Option<StateHandle>,
    /// How far event time had come for an operator's key groups; for one without keys, under group 0, for the subtask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<WatermarkFloor>,
    /// When event time began for the key groups of an operator with state that lives by it: what was written before counts as written then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_time_began: Vec<WatermarkFloor>,
    /// The largest time of the clock that an operator with state by key, or with anything that goes by the clock, had been told, ms. Before times to live could be
    /// declared anew it was there in the second case alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_time: Option<i64>,
    /// The largest timestamp of what an operator has emitted, where its output makes watermarks, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_timestamp: Option<i64>,
    /// A source's splits with their progress.
    pub splits: Vec<SplitState>,
    /// A sink's output that is not known to be committed.
    pub committables: Vec<Committable>,
    /// What an outbox sink has staged for this checkpoint, on its way to the checkpoint's `OutboxSnapshot`, where it is written down.
    #[serde(skip)]
    pub staged: Vec<StagedObject>,
}

/// How far event time had come for some key groups, or where it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatermarkFloor {
    /// The first of them.
    pub from: u32,
    /// The one behind the last.
    pub to: u32,
    /// The watermark that was being worked off, or was the first of all, ms.
    pub watermark: i64,
}

impl WatermarkFloor {
    /// What it says of the groups in `range`; `None`: nothing.
    pub(crate) fn within(self, range: KeyGroupRange) -> Option<Self> {
        let (from, to) = (self.from.max(range.start), self.to.min(range.end));
        (from < to).then_some(Self { from, to, ..self })
    }
}

/// A state object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateHandle {
    /// Its path.
    pub object: String,
    /// Its length.
    pub bytes: u64,
    /// CRC-32C of all its bytes.
    pub checksum: u32,
}

/// The keyed state of one operator's subtask, in files that only a backend of their format reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFiles {
    /// The backend's word for what they are.
    pub format: String,
    /// All of them; checkpoints share those that have not changed.
    pub files: Vec<StateFile>,
}

/// One of these files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFile {
    /// The backend's name of it.
    pub name: String,
    /// Where it is. What it holds has no header and no checksum but this one.
    pub handle: StateHandle,
}

/// The files of one subtask.
#[derive(Clone, Debug, PartialEq)]
pub struct SubtaskFiles {
    /// The subtask's index.
    pub subtask: u32,
    /// Its files.
    pub files: StateFiles,
}

impl SubtaskSnapshot {
    /// Every object that the part refers to.
    pub fn handles(&self) -> impl Iterator<Item = &StateHandle> {
        self.restored().chain(&self.call_log).chain(self.staged.iter().map(|object| &object.handle))
    }

    /// Of these the ones that a restore reads.
    fn restored(&self) -> impl Iterator<Item = &StateHandle> {
        self.state.iter().chain(&self.deltas).chain(&self.broadcast).chain(&self.in_flight).chain(self.file_handles())
    }

    fn file_handles(&self) -> impl Iterator<Item = &StateHandle> {
        self.files.iter().flat_map(|files| &files.files).map(|file| &file.handle)
    }
}

impl VertexSnapshot {
    /// The objects of keyed state that may hold keys of `range`, of `max_parallelism` groups in all: for each subtask that wrote some the whole
    /// one, and the deltas behind it in order.
    pub fn keyed_state(&self, range: KeyGroupRange, max_parallelism: u32) -> Vec<StateHandle> {
        let parallelism = self.subtasks.len() as u32;
        let overlapping = self.subtasks.iter().filter(|part| range_of(part.index, parallelism, max_parallelism).overlaps(&range));
        overlapping.flat_map(|part| part.state.iter().chain(&part.deltas)).cloned().collect()
    }

    /// The files of keyed state that may hold keys of `range`, of `max_parallelism` groups in all.
    pub(crate) fn keyed_files(&self, range: KeyGroupRange, max_parallelism: u32) -> Vec<SubtaskFiles> {
        let parallelism = self.subtasks.len() as u32;
        let overlapping = self.subtasks.iter().filter(|part| range_of(part.index, parallelism, max_parallelism).overlaps(&range));
        overlapping.filter_map(|part| Some(SubtaskFiles { subtask: part.index, files: part.files.clone()? })).collect()
    }
}

impl CheckpointMetadata {
    /// As an object.
    pub fn seal(&self) -> Bytes {
        envelope::seal(MAGIC, self)
    }

    /// From an object.
    pub fn open(object: &str, bytes: &[u8]) -> Result<Self, EngineError> {
        let metadata: Self = envelope::open(object, MAGIC, bytes)?;
        match metadata.problem_with_output() {
            None => Ok(metadata),
            Some(what) => Err(envelope::corrupt(object, what)),
        }
    }

    /// What is wrong with the output that it lists.
    pub(crate) fn problem_with_output(&self) -> Option<String> {
        let mut sinks = BTreeSet::new();
        self.outboxes.iter().find_map(|section| {
            let twice = !sinks.insert(&section.sink);
            let twice = twice.then(|| format!("the output of sink `{}` is in it twice", section.sink));
            twice.or_else(|| section.problem(self.checkpoint_id))
        })
    }

    /// Where the metadata is.
    pub fn path(&self) -> String {
        paths::metadata(self.attempt, self.checkpoint_id, self.nonce.as_deref())
    }

    /// Every object that the checkpoint consists of, the metadata included.
    pub fn objects(&self) -> BTreeSet<String> {
        self.handles().map(|handle| handle.object.clone()).chain([self.path()]).collect()
    }

    /// Bytes of all state objects: what a restore reads.
    pub fn state_object_bytes(&self) -> u64 {
        self.restored().collect::<BTreeSet<_>>().iter().map(|handle| handle.bytes).sum()
    }

    /// Bytes of the state objects that this checkpoint wrote itself and does not share with older ones.
    pub(crate) fn written_state_bytes(&self) -> u64 {
        let own: BTreeSet<_> = self.handles().filter(|handle| self.wrote(&handle.object)).collect();
        own.iter().map(|handle| handle.bytes).sum()
    }

    /// True where this checkpoint wrote the object at `path`.
    pub fn wrote(&self, path: &str) -> bool {
        paths::owner_of(path) == Some((self.attempt, self.checkpoint_id))
    }

    /// Every object besides the metadata that the checkpoint consists of, as often as a subtask refers to it.
    pub fn handles(&self) -> impl Iterator<Item = &StateHandle> {
        self.subtasks().flat_map(SubtaskSnapshot::handles).chain(self.staged().map(|object| &object.handle))
    }

    /// Objects with output that is not known to be published.
    pub fn staged(&self) -> impl Iterator<Item = &StagedObject> {
        self.outboxes.iter().flat_map(OutboxSnapshot::unpublished).flat_map(|output| &output.objects)
    }

    /// Of these the ones that a restore reads: all but call logs.
    pub fn restored(&self) -> impl Iterator<Item = &StateHandle> {
        self.subtasks().flat_map(SubtaskSnapshot::restored)
    }

    /// Of these the ones that are files of a state backend, and no state objects.
    pub fn state_files(&self) -> impl Iterator<Item = &StateHandle> {
        self.subtasks().flat_map(SubtaskSnapshot::file_handles)
    }

    /// True where its barriers have overtaken records, which are part of it.
    pub fn holds_in_flight(&self) -> bool {
        self.subtasks().any(|subtask| subtask.in_flight.is_some())
    }

    /// Output that is not known to be committed.
    pub fn committables(&self) -> impl Iterator<Item = &Committable> {
        self.subtasks().flat_map(|subtask| &subtask.committables)
    }

    /// The same without output: for a copy that is made once all of it is committed and published.
    pub(crate) fn without_output(mut self) -> Self {
        self.outboxes.clear();
        self.vertices.iter_mut().flat_map(|vertex| &mut vertex.subtasks).for_each(|subtask| subtask.committables.clear());
        self
    }

    /// The states that an operator kept, as they were declared; none of one that is not there.
    pub fn states_of(&self, operator: &str) -> &[StateDescriptor] {
        match self.graph.vertices.get(operator) {
            Some(VertexIdentity::Operator { states, .. }) => states,
            Some(VertexIdentity::Source { .. }) | None => &[],
        }
    }

    /// The part of the vertex with this id.
    pub fn vertex(&self, id: &str) -> Option<&VertexSnapshot> {
        self.vertices.iter().find(|vertex| vertex.id == id)
    }

    fn subtasks(&self) -> impl Iterator<Item = &SubtaskSnapshot> {
        self.vertices.iter().flat_map(|vertex| &vertex.subtasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_a_checkpoint_wrote_is_told_from_what_it_shares() {
        let handle = |path: String, bytes| StateHandle { object: path, bytes, checksum: 0 };
        let of = |checkpoint_id| paths::state_object(AttemptId(3), CheckpointId(checkpoint_id), "op", 0, "nonce");
        let call_log = paths::call_log_object(AttemptId(3), CheckpointId(7), "op", 0, "nonce");
        let part = |deltas: &[StateHandle]| SubtaskSnapshot {
            state: Some(handle(of(5), 1_000)),
            deltas: deltas.to_vec(),
            call_log: Some(handle(call_log.clone(), 1)),
            ..SubtaskSnapshot::default()
        };
        let both = [handle(of(6), 100), handle(of(7), 10)];
        // Two operators of one task share their objects.
        let vertices = ["op", "next"].map(|id| VertexSnapshot { id: id.into(), subtasks: vec![part(&both)] }).to_vec();
        let graph = GraphIdentity { max_parallelism: 8, vertices: BTreeMap::new(), edges: Vec::new() };
        let metadata = CheckpointMetadata {
            job: "job".into(),
            checkpoint_id: CheckpointId(7),
            attempt: AttemptId(3),
            nonce: None,
            graph,
            vertices,
            outboxes: Vec::new(),
        };
        assert_eq!((metadata.written_state_bytes(), metadata.state_object_bytes()), (11, 1_110), "a call log is not restored");
        assert_eq!(metadata.objects().len(), 5);
        assert!(metadata.wrote(&of(7)) && metadata.wrote(&metadata.path()) && !metadata.wrote(&of(6)));
    }
}
