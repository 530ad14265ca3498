//! Kafka: topics as a source and as a sink.
//!
//! A split of the source is a partition, and a position an offset, which weir keeps in its own checkpoints; a group, where one is named, is told of those that are
//! completed, so that other tools see the lag. The sink is an outbox: transactions that are begun and ended within a chunk, with a marker in each; or
//! it writes at once, at least once.
//!
//! librdkafka speaks to the brokers, on threads of its own, and fetches ahead; a reader takes what lies in its queues and never waits for it.

mod client;
mod deliveries;
mod destination;
mod discovery;
mod headers;
mod lost;
mod markers;
mod options;
mod partition;
mod progress;
mod queue;
mod reader;
mod security;
mod session;
mod settings;
mod source;
mod statistics;
mod target;
mod told;
mod topic_ids;
mod topics;
mod value_fields;
mod writer;

pub(crate) use settings::SOURCE_SETTINGS;
pub(crate) use source::{CAPABILITIES, KafkaSource};
pub(crate) use target::{SINK_SETTINGS, sink};
