//! The settings of taking checkpoints.

use crate::element::BarrierAlignment;
use std::time::Duration;

/// Settings of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointConfig {
    /// From one trigger to the next.
    pub interval: Duration,
    /// From the end of one to the trigger of the next, at least. Where it is not zero there is one under way at a time.
    pub min_pause: Duration,
    /// A pending one is given up after this long.
    pub timeout: Duration,
    /// How many may be under way.
    pub max_concurrent: usize,
    /// How many may fail in a row before the dataflow is restarted.
    pub tolerate_failures: u32,
    /// What a restore from one gives.
    pub mode: CheckpointMode,
    /// What barriers do with the records in front of them. With [`CheckpointMode::AtLeastOnce`] they are aligned.
    pub alignment: BarrierAlignment,
    /// Bytes that may be in flight in the checkpoints under way, all tasks together; beyond it the newest is given up.
    pub max_in_flight_bytes: u64,
    /// Bytes of calls that no complete checkpoint has and that may be kept, all recorded operators together; what goes beyond is cut off.
    pub max_call_log_bytes: u64,
    /// How long a stop's last checkpoint is aligned. Then it overtakes, or is given up where it may not.
    pub stop_timeout: Duration,
}

/// What a restore from a checkpoint gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointMode {
    /// Every record counts once: a gate holds each channel back from its barrier until the last has come, or records what is overtaken.
    ExactlyOnce,
    /// No channel is held back: records behind the barrier of one channel and in front of another's may count twice.
    AtLeastOnce,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            min_pause: Duration::ZERO,
            timeout: Duration::from_secs(600),
            max_concurrent: 1,
            tolerate_failures: 0,
            mode: CheckpointMode::ExactlyOnce,
            alignment: BarrierAlignment::Aligned,
            max_in_flight_bytes: 256 << 20,
            max_call_log_bytes: 256 << 20,
            stop_timeout: Duration::from_secs(10),
        }
    }
}
