//! What tests of tasks have in common.

use super::{OperatorSubtask, SnapshotContext, Snapshots, TaskEvents};
use crate::checkpoint::{CheckpointBases, WatermarkFloor};
use crate::element::{AttemptId, CheckpointId};
use crate::runtime::{Runtime, TaskGroup};
use crate::state::{KeyedState, StateSnapshot};
use crate::storage::ObjectStorage;
use crate::time::{ProcessingTime, WatermarkFloors};
use std::sync::Arc;

/// The snapshots of a task whose first vertex is `a`, in memory.
pub(super) fn snapshots(runtime: &Runtime, events: TaskEvents) -> Snapshots {
    Snapshots::new(SnapshotContext {
        store: Arc::new(ObjectStorage::in_memory()),
        clock: runtime.clock.clone(),
        group: TaskGroup::new(runtime.spawn.clone(), Arc::new(|_, _| {})),
        bases: Arc::new(CheckpointBases::default()),
        committers: Arc::new(|_| None),
        attempt: AttemptId(1),
        nonce: "n".into(),
        head: "a".into(),
        index: 0,
        edges: Arc::new([]),
        events,
    })
}

/// What all subtasks of an operator have, as a checkpoint keeps it.
pub(super) struct Captured {
    /// By key group.
    blocks: Vec<(u32, Vec<u8>)>,
    floors: Vec<WatermarkFloor>,
    /// The largest time of the clock that any of them was told.
    processing_time: Option<i64>,
}

impl Captured {
    pub fn of(subtasks: &mut [OperatorSubtask]) -> Self {
        let mut captured = Self { blocks: Vec::new(), floors: Vec::new(), processing_time: None };
        for subtask in subtasks {
            let capture = subtask.capture(CheckpointId(1), None, None).unwrap();
            let Some(StateSnapshot::Blocks(mut keyed)) = capture.keyed else { panic!("it has keyed state") };
            keyed.write(&mut |group, block| captured.blocks.push((group, block.to_vec()))).unwrap();
            captured.floors.extend(capture.floors);
            captured.processing_time = captured.processing_time.max(capture.processing_time);
        }
        captured
    }

    /// Puts what is its own into a new subtask, and lets `queue` find what is due of it.
    pub fn restore(&self, subtask: &mut OperatorSubtask, queue: impl FnOnce(&mut KeyedState)) {
        let range = subtask.place.key_groups.unwrap();
        let state = subtask.state.as_deref_mut().unwrap();
        let states: Vec<_> = (0..state.states().len()).map(Some).collect();
        for (group, block) in self.blocks.iter().filter(|(group, _)| range.contains(*group)) {
            state.backend_mut().restore(*group, block, &states).unwrap();
        }
        queue(state);
        subtask.floors = WatermarkFloors::restored(self.floors.iter().copied(), Some(range));
        subtask.processing_time = ProcessingTime::restored(self.processing_time, subtask.clock.now());
    }
}
