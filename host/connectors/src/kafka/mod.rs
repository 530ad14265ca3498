//! Kafka: topics as a source and as a sink.
//!
//! A split of the source is a partition, and a position an offset, which weir keeps in its own checkpoints; a group, where one is named, is told of those that are
//! completed, so that other tools see the lag. The sink is an outbox: transactions that are begun and ended within a chunk, with a marker in each; or
//! it writes at once, at least once.
//!
//! librdkafka speaks to the brokers, on threads of its own, and fetches ahead; a reader takes what lies in its queues and never waits for it.

mod again;
mod client;
mod deliveries;
mod destination;
mod discovery;
mod epochs;
mod headers;
mod known_rules;
mod known_topics;
mod lost;
mod made_topics;
mod markers;
mod news;
mod option_names;
mod options;
mod partition;
mod producers;
mod progress;
mod publishing;
mod quarantine;
mod queue;
mod reader;
mod refusals;
mod rights;
mod rules;
mod same_topics;
mod security;
mod sender;
mod session;
mod settings;
mod sorting;
mod source;
mod statistics;
mod target;
mod told;
mod topic_ids;
mod topics;
mod trial;
mod value_fields;
mod writer;
mod writing;

pub(crate) use settings::SOURCE_SETTINGS;
pub(crate) use source::{CAPABILITIES, KafkaSource};
pub(crate) use target::{SINK_SETTINGS, sink};
