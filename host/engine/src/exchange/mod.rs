//! How records move between tasks: partitioner, output, channel, input gate, and the two pure rules of merging
//! (barrier alignment, watermarks).

mod barrier_aligner;
mod channel;
mod input_gate;
mod output;
mod partitioner;
mod watermark_valve;

pub use barrier_aligner::{Alignment, BarrierAligner};
pub use channel::{ChannelBounds, ChannelSender, GateClosed};
pub use input_gate::{GateEvent, InputChannel, InputGate};
pub use output::Output;
pub use partitioner::{Partitioner, Partitioning};
pub use watermark_valve::WatermarkValve;
