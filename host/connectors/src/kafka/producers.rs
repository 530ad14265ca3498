//! The producers of a sink: how each is made, and what it takes.

use super::client::Cluster;
use super::security::Credentials;
use super::told::{Producing, Told};
use super::writing::{Producer, Returns, Writing};
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::util::IntoOpaque;
use std::time::Duration;
use weir_engine::{EngineError, RecordBatch};

/// Bytes of a batch of messages, where a topic does not take less and nobody says otherwise.
pub(super) const BATCH_BYTES: usize = 1_000_000;

impl Cluster {
    /// A producer with this transactional id, whose transactions may be open for so long. Its batches have at most so many bytes.
    pub(super) fn producer(
        &self,
        transactional_id: &str,
        timeout: Duration,
        batch_bytes: usize,
    ) -> Result<BaseProducer<Producing>, EngineError> {
        let (config, credentials) = self.transacting(transactional_id, timeout, batch_bytes)?;
        config.create_with_context(Producing::with(credentials)).map_err(|error| self.failed("make a producer", &error, None))
    }

    /// What such a one is told.
    pub(super) fn transacting(
        &self,
        transactional_id: &str,
        timeout: Duration,
        batch_bytes: usize,
    ) -> Result<(ClientConfig, Credentials), EngineError> {
        let (mut config, credentials) = self.producing(batch_bytes)?;
        config
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", timeout.as_millis().to_string())
            // How many are not there yet is asked for, and not read out of a report on each message.
            .set("delivery.report.only.error", "true");
        Ok((config, credentials))
    }

    /// A producer of messages that are written at once, each until it is: how many it has is bounded by whoever writes. `returns`: those that are refused are to come back.
    pub(super) fn writer(&self, returns: Option<Returns>, batch_bytes: usize) -> Result<Producer, EngineError> {
        let (mut config, credentials) = self.writing(batch_bytes)?;
        // By the statistics it is known that a broker is reached again.
        config.set("statistics.interval.ms", "1000");
        let writing = Writing::new(self.clone(), Told::with(credentials), returns);
        config.create_with_context(writing).map_err(|error| self.failed("make a producer", &error, None))
    }

    /// The same of messages that such a one has got back, a few at a time.
    pub(super) fn second_writer(&self, batch_bytes: usize) -> Result<BaseProducer<Producing>, EngineError> {
        let (mut config, credentials) = self.writing(batch_bytes)?;
        config.set("delivery.report.only.error", "true");
        config.create_with_context(Producing::with(credentials)).map_err(|error| self.failed("make a producer", &error, None))
    }

    /// What a producer is told that writes at once.
    pub(super) fn writing(&self, batch_bytes: usize) -> Result<(ClientConfig, Credentials), EngineError> {
        let (mut config, credentials) = self.producing(batch_bytes)?;
        if !self.options.contains_key("message.timeout.ms") {
            config.set("message.timeout.ms", "0");
        }
        config.set("queue.buffering.max.messages", "0").set("queue.buffering.max.kbytes", i32::MAX.to_string());
        Ok((config, credentials))
    }

    /// What every producer is told. A single message may be larger than its batches are to be: it goes alone.
    fn producing(&self, batch_bytes: usize) -> Result<(ClientConfig, Credentials), EngineError> {
        let (mut config, credentials) = self.config()?;
        let batch_bytes = batch_bytes.clamp(1, BATCH_BYTES).to_string();
        // Little is waited for that would fill a batch; keys are dealt out to partitions as the Java client does it, and records without one at random.
        for (name, value) in [("linger.ms", "5"), ("partitioner", "murmur2_random"), ("batch.size", &batch_bytes)] {
            if !self.options.contains_key(name) {
                config.set(name, value);
            }
        }
        config.set("enable.idempotence", "true");
        Ok((config, credentials))
    }

    /// How many bytes a message of a producer may have.
    pub(super) fn message_bytes_max(&self) -> usize {
        self.options.get("message.max.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(BATCH_BYTES)
    }

    /// Why librdkafka itself has not taken a message.
    pub(super) fn not_taken(&self, code: RDKafkaErrorCode) -> String {
        match code {
            RDKafkaErrorCode::MessageSizeTooLarge => format!("{code}: `message.max.bytes` in `options` is {}", self.message_bytes_max()),
            _ => code.to_string(),
        }
    }

    /// True where producers compress what they send.
    pub(super) fn compresses(&self) -> bool {
        self.options.get("compression.codec").is_some_and(|codec| codec != "none")
    }
}

/// A record as a message, which says already where it goes.
pub(super) fn message_of<'a, D: IntoOpaque>(
    mut message: BaseRecord<'a, [u8], [u8], D>,
    records: &'a RecordBatch,
    record: usize,
) -> BaseRecord<'a, [u8], [u8], D> {
    message.key = records.key(record);
    message.payload = records.value(record);
    // What is not above zero says nothing there.
    message.timestamp = Some(records.timestamps()[record]).filter(|timestamp| *timestamp > 0);
    let mut headers = records.headers_of(record).peekable();
    if headers.peek().is_some() {
        message.headers = Some(super::headers::headers(headers));
    }
    message
}
