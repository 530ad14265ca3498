//! What a running job shows: counters and the checkpoints of this process.

use super::shown_checkpoints::{CheckpointState, ShownCheckpoints};
use super::{JobGraph, Vertex, VertexKind, layout};
use crate::element::CheckpointId;
use crate::metrics::{Counter, Histogram, JobMetrics};
use crate::outbox::{OutboxStatus, Outboxes};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// How long those took that have completed.
    pub durations: Histogram,
    /// How long tasks waited for a barrier on all their channels.
    pub alignments: Histogram,
    /// The newest checkpoints, whatever has become of them.
    pub checkpoint_history: ShownCheckpoints,
    /// Why attempts ended that were followed by another, oldest first.
    failures: Mutex<VecDeque<ShownFailure>>,
    running: AtomicBool,
    items: Mutex<VecDeque<CheckpointItem>>,
    layout: Mutex<ShownLayout>,
    outboxes: Mutex<Shown>,
}

/// So many failures are shown.
const FAILURES: usize = 100;

/// Why an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownFailure {
    /// When, in ms since 1970.
    pub at_ms: i64,
    /// The error, with a guest's backtrace behind its first line where it has one.
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
    /// The record that it came with, where it is of one.
    pub record: Option<serde_json::Value>,
}

/// How the newest attempt is laid out; empty before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownLayout {
    /// The number of subtasks of each vertex.
    pub parallelism: Vec<u32>,
    /// For each vertex the first one of its task.
    pub heads: Vec<usize>,
    /// For each vertex the plugin that it runs, where it runs one.
    pub plugins: Vec<Option<ShownPlugin>>,
}

/// A component, as it says who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPlugin {
    /// The author's name of the operator.
    pub name: String,
    /// The author's version.
    pub version: String,
    /// The component's SHA-256, in hex.
    pub digest: String,
}

impl ShownPlugin {
    /// What a vertex runs; `None`: no component.
    pub fn of(vertex: &Vertex) -> Option<Self> {
        let VertexKind::Operator(factory) = &vertex.kind else { return None };
        let (descriptor, component) = (factory.descriptor(), factory.component()?);
        Some(Self { name: descriptor.name.clone(), version: descriptor.version.clone(), digest: component.digest.clone() })
    }
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

    /// How the newest attempt is laid out.
    pub fn layout(&self) -> ShownLayout {
        self.layout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_layout(&self, graph: &JobGraph) {
        let parallelism = graph.vertices.iter().map(|vertex| vertex.parallelism).collect();
        let mut heads: Vec<usize> = (0..graph.vertices.len()).collect();
        for task in layout(graph) {
            task.members.iter().for_each(|&vertex| heads[vertex] = task.members[0]);
        }
        let plugins = graph.vertices.iter().map(ShownPlugin::of).collect();
        *self.layout.lock().unwrap_or_else(PoisonError::into_inner) = ShownLayout { parallelism, heads, plugins };
    }

    pub(super) fn set_outboxes(&self, outboxes: Arc<Outboxes>) {
        self.outboxes.lock().unwrap_or_else(PoisonError::into_inner).0 = outboxes;
    }

    /// What waits to be published in the newest attempt, for each sink with an outbox, and why a target was not reached.
    pub fn outboxes(&self) -> Vec<OutboxStatus> {
        let outboxes = self.outboxes.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        outboxes.status()
    }

    /// Why attempts of this process ended that were followed by another, the newest first; 100 at most.
    pub fn failures(&self) -> Vec<ShownFailure> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    pub(super) fn on_failure(&self, failure: ShownFailure) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() == FAILURES {
            failures.pop_front();
        }
        failures.push_back(failure);
    }

    /// True while every subtask works: it has been started, and has restored what it was to restore.
    pub fn is_running(&self) -> bool {
        self.running.load(Relaxed)
    }

    pub(super) fn set_running(&self, running: bool) {
        self.running.store(running, Relaxed);
        if !running {
            self.checkpoint_history.on_attempt_over();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<CheckpointItem>> {
        self.items.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn on_completed(&self, item: CheckpointItem) {
        self.completed.add(1);
        let duration = Duration::from_millis(item.duration_ms);
        self.durations.observe(duration);
        self.checkpoint_history.on_end(item.checkpoint_id, CheckpointState::Completed, duration, item.bytes);
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
