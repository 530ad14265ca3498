//! What tests of tasks have in common.

use super::{SnapshotContext, Snapshots, TaskEvents};
use crate::checkpoint::CheckpointBases;
use crate::element::AttemptId;
use crate::runtime::{Runtime, TaskGroup};
use crate::storage::ObjectStorage;
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
