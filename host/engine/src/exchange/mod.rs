//! How records move between tasks: partitioner, output, channel, input gate, and the pure rules of merging
//! (barriers, watermarks).

mod aborted;
mod barrier_aligner;
mod barrier_tracker;
mod channel;
mod gate_event;
mod in_flight_records;
mod input_gate;
mod output;
mod partitioner;
mod queue;
mod watermark_valve;

pub use barrier_aligner::{Alignment, BarrierAligner};
pub use barrier_tracker::BarrierTracker;
pub use channel::{ChannelBounds, ChannelSender, GateClosed, Room};
pub use gate_event::{Appetite, Decline, GateEvent, GateSettings, InputChannel};
pub use in_flight_records::{InFlightBudget, InFlightRecords};
pub use input_gate::InputGate;
pub use output::Output;
pub(crate) use output::{BATCH_BYTES, BATCH_RECORDS};
pub use partitioner::{Partitioner, Partitioning};
pub use watermark_valve::{Merged, WatermarkValve};
