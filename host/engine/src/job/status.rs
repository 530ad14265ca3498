//! What a running job shows: counters and the checkpoints of this process.

use super::JobGraph;
use crate::element::CheckpointId;
use crate::metrics::{Counter, JobMetrics};
use crate::outbox::{OutboxStatus, Outboxes};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many checkpoints are kept for the report.
const ITEMS: usize = 10_000;

/// A completed checkpoint of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointItem {
    /// Its id.
    pub checkpoint_id: CheckpointId,
    /// From the trigger to the last acknowledgement.
    pub duration_ms: u64,
    /// Bytes of all objects that it wrote.
    pub bytes: u64,
}

/// Shared with whoever shows progress.
#[derive(Debug, Default)]
pub struct JobStatus {
    /// Counters by vertex.
    pub metrics: JobMetrics,
    /// Restarts of the dataflow in this process.
    pub restarts: Counter,
    /// Checkpoints that have completed.
    pub completed: Counter,
    /// Checkpoints that have failed.
    pub failed: Counter,
    items: Mutex<VecDeque<CheckpointItem>>,
    parallelism: Mutex<Vec<u32>>,
    outboxes: Mutex<Shown>,
}

/// The outboxes of the newest attempt.
#[derive(Default)]
struct Shown(Arc<Outboxes>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.status()).finish()
    }
}

impl JobStatus {
    /// Zeroed, for a graph of `vertices` vertices.
    pub fn new(vertices: usize) -> Self {
        Self { metrics: JobMetrics::new(vertices), ..Self::default() }
    }

    /// The number of subtasks of each vertex in the newest attempt; empty before the first.
    pub fn parallelism(&self) -> Vec<u32> {
        self.parallelism.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(super) fn set_parallelism(&self, graph: &JobGraph) {
        let parallelism = graph.vertices.iter().map(|vertex| vertex.parallelism).collect();
        *self.parallelism.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = parallelism;
    }

    pub(super) fn set_outboxes(&self, outboxes: Arc<Outboxes>) {
        self.outboxes.lock().unwrap_or_else(PoisonError::into_inner).0 = outboxes;
    }

    /// What waits to be published in the newest attempt, for each sink with an outbox, and why a target was not reached.
    pub fn outboxes(&self) -> Vec<OutboxStatus> {
        let outboxes = self.outboxes.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        outboxes.status()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<CheckpointItem>> {
        self.items.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn on_completed(&self, item: CheckpointItem) {
        self.completed.add(1);
        let mut items = self.lock();
        if items.len() == ITEMS {
            items.pop_front();
        }
        items.push_back(item);
    }

    /// The newest completed checkpoint of this process.
    pub fn last_checkpoint(&self) -> Option<CheckpointItem> {
        self.lock().back().copied()
    }

    /// The completed checkpoints of this process, oldest first; the newest 10,000.
    pub fn checkpoints(&self) -> Vec<CheckpointItem> {
        self.lock().iter().copied().collect()
    }
}
