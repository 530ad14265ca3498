//! Counters of a run. They are looked up once per subtask and added to once per batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A counter that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// The sum so far.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counters of one vertex, shared by its subtasks and by all attempts of the process.
#[derive(Debug, Default)]
pub struct VertexMetrics {
    /// Records that came in.
    pub records_in: Counter,
    /// Records that went out, over all outputs but quarantine.
    pub records_out: Counter,
    /// Records that were quarantined.
    pub quarantined: Counter,
    /// Records that a source skipped because they could not be read.
    pub skipped: Counter,
}

/// Counters of a job: one entry for each vertex, in the graph's order.
#[derive(Clone, Debug, Default)]
pub struct JobMetrics {
    /// Indexed like the graph's vertices.
    pub vertices: Vec<Arc<VertexMetrics>>,
}

impl JobMetrics {
    /// Zeroed counters for `vertices` vertices.
    pub fn new(vertices: usize) -> Self {
        Self { vertices: (0..vertices).map(|_| Arc::default()).collect() }
    }
}
