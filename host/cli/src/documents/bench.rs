//! What a benchmark came to.

use serde::Serialize;

/// `weir bench nexmark`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchDocument {
    /// [`SCHEMA`](super::SCHEMA).
    pub schema: u32,
    /// The queries, in the order in which they ran.
    pub queries: Vec<BenchQuery>,
    /// Those that did not come to their end.
    pub failed: Vec<BenchFailure>,
}

/// A query whose run failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchFailure {
    /// Its name.
    pub query: String,
    /// Why.
    pub error: String,
}

/// One query's run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchQuery {
    /// Its name.
    pub query: String,
    /// How many events its source made.
    pub events: u64,
    /// From the start of its process to the end of the job.
    pub wall_s: f64,
    /// Processor time of its process: all of the job, but for compiling its plugins, which other processes do.
    pub cpu_s: f64,
    /// All events by all of that processor time.
    pub events_per_cpu_s: f64,
    /// Events per second from a quarter of the input to its end; over all of the time where the run was too short for that.
    pub events_per_s: f64,
    /// Peak resident memory.
    pub peak_memory_bytes: u64,
    /// Completed checkpoints.
    pub checkpoints: u64,
    /// How long one took on average, from its trigger to the last acknowledgement.
    pub checkpoint_ms_mean: f64,
    /// How long the slowest took.
    pub checkpoint_ms_max: u64,
}
