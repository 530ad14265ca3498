//! The sink `kafka`, at-least-once: an idempotent producer writes at once, and a checkpoint is acknowledged when the cluster has acknowledged all that came in front of
//! its barrier. Records since the last checkpoint are written again behind a failure.

use super::client::{Cluster, aside};
use super::deliveries::Deliveries;
use super::session::{explained, message_of, said_of};
use super::target::TargetOptions;
use super::told::Told;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, poll_fn};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use weir_engine::element::CheckpointId;
use weir_engine::metrics::Trouble;
use weir_engine::runtime::ConnectorIo;
use weir_engine::sink::{Delivery, SinkAttempt, WriterContext};
use weir_engine::{Committable, EngineError, RecordBatch, Sink, SinkWriter};

/// Writes to topics, at least once.
pub(super) struct KafkaSink {
    pub options: Arc<TargetOptions>,
}

impl Sink for KafkaSink {
    fn connector(&self) -> &'static str {
        "kafka"
    }

    fn delivery(&self) -> Delivery {
        Delivery::MayRepeat
    }

    /// Sees that the cluster is there, and the topic.
    fn look<'a>(&'a self, _io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        super::target::look(&self.options).boxed()
    }

    fn prepare_attempt<'a>(&'a self, _attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        async {
            let TargetOptions { cluster, destination, topics, .. } = &*self.options;
            let seen = destination.fixed().map_or(Ok(()), |topic| topics.see_anew(cluster, topic));
            seen.map_err(|error| cluster.at_start(error))
        }
        .boxed()
    }

    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        let producer = Arc::new(self.options.cluster.writer()?);
        let heard = producer.clone();
        aside(move || hear(heard));
        Ok(Box::new(KafkaWriter { options: self.options.clone(), producer, barriers: 0 }))
    }
}

/// What writes.
pub(super) type Producer = BaseProducer<Writing>;

/// How long it is listened to a producer before whoever writes is told what has gone wrong: messages that are refused together are heard of within far less.
const HEARING: Duration = Duration::from_millis(100);

/// Hears what becomes of the messages, until the writer is gone; and lets the producer go then, which may take a while, so that no data thread waits for that.
fn hear(producer: Arc<Producer>) {
    while Arc::strong_count(&producer) > 1 {
        producer.poll(HEARING);
        producer.context().deliveries().tell();
    }
}

/// Writes one subtask's records.
struct KafkaWriter {
    options: Arc<TargetOptions>,
    producer: Arc<Producer>,
    /// How many there have been.
    barriers: usize,
}

impl KafkaWriter {
    fn send(&self, records: &RecordBatch, record: usize) -> Result<(), EngineError> {
        let TargetOptions { cluster, destination, topics, marker_topic, .. } = &*self.options;
        let topic = destination.of(records, record, marker_topic)?;
        topics.see(cluster, &topic)?;
        let message = message_of(BaseRecord::with_opaque_to(&topic, self.barriers), records, record);
        let bytes = bytes_of(message.key, message.payload);
        let writing = self.producer.context();
        // It may be acknowledged before anything more happens here.
        writing.deliveries().hand_over(self.barriers, bytes);
        self.producer.send(message).map_err(|(error, message)| {
            writing.deliveries().settle(self.barriers, bytes);
            explained(cluster, &said_of(message.topic, message.key, bytes), &error, &writing.told)
        })
    }
}

fn bytes_of(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
}

impl SinkWriter for KafkaWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        self.producer.context().deliveries().check()?;
        (0..batch.len()).try_for_each(|record| self.send(batch, record))
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.producer.context().deliveries().poll_room(cx)
    }

    fn trouble(&self) -> Option<Trouble> {
        // Whoever asks does not keep the producer.
        let producer = Arc::downgrade(&self.producer);
        Some(Arc::new(move || {
            let producer = producer.upgrade()?;
            let Writing { told, cluster, .. } = &**producer.context();
            told.trouble().map(|trouble| format!("{trouble}: it is tried again ({})", cluster.brokers))
        }))
    }

    fn prepare_commit(
        &mut self,
        _checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        let (barriers, writing) = (self.barriers, self.producer.context().clone());
        self.barriers += 1;
        Ok(poll_fn(move |cx| writing.deliveries().poll_written(barriers, cx).map_ok(|()| Vec::new())).boxed())
    }
}

/// What a producer tells of the messages that it was given, and of the cluster.
pub(super) struct Writing {
    pub cluster: Cluster,
    pub told: Told,
    pub deliveries: Mutex<Deliveries>,
}

impl Writing {
    fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Writing {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.told.log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.told.stats_raw(statistics);
    }

    /// With what it has, it is refused: the next attempt reads what there is by then.
    fn error(&self, error: KafkaError, reason: &str) {
        self.told.error(error, reason);
        if let Some(refusal) = self.told.refusal() {
            self.deliveries().fail(0, self.cluster.refused(&format!("write to the Kafka cluster at {}", self.cluster.brokers), &refusal));
        }
    }
}

impl ProducerContext for Writing {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, barriers: usize) {
        let (Ok(message) | Err((_, message))) = result;
        let bytes = bytes_of(message.key(), message.payload());
        let error = result
            .as_ref()
            .err()
            .map(|(error, _)| explained(&self.cluster, &said_of(message.topic(), message.key(), bytes), error, &self.told));
        let mut deliveries = self.deliveries();
        error.into_iter().for_each(|error| deliveries.fail(bytes, error));
        deliveries.settle(barriers, bytes);
    }
}
