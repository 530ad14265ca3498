//! A publisher that has taken over. librdkafka's transactions wait for the cluster, so they run on a thread of their own, which ends with the session.

use super::client::{Cluster, Isolation};
use super::destination::shown;
use super::markers::Markers;
use super::target::TargetOptions;
use super::told::{Producing, Told};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::util::IntoOpaque;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::outbox::OutboxSession;
use weir_engine::{EngineError, ErrorKind, RecordBatch};

/// How long a transaction may be open: nothing but a chunk lies between its begin and its end.
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an answer is waited for. A transaction that has timed out by then is aborted by the cluster.
const ANSWER: Duration = Duration::from_secs(70);
/// So often, and so long each time, the end of a transaction is asked for that has gone wrong.
const ABORTS: u32 = 50;
const ABORT: Duration = Duration::from_millis(100);
/// How long what is on its way is left alone before it is looked at again.
const PAUSE: Duration = Duration::from_millis(1);

type Work = Box<dyn FnOnce(&mut Publishing) + Send>;

/// The thread, as the publisher speaks to it.
pub(super) struct Session {
    work: mpsc::Sender<Work>,
}

impl Session {
    /// Starts the thread, on which `begin` takes over.
    pub(super) async fn start(begin: impl FnOnce() -> Result<Publishing, EngineError> + Send + 'static) -> Result<Self, EngineError> {
        let (begun, has_begun) = oneshot::channel();
        let (work, orders) = mpsc::channel::<Work>();
        let thread = std::thread::Builder::new().name("kafka-publisher".into()).spawn(move || match begin() {
            Err(error) => _ = begun.send(Err(error)),
            Ok(mut publishing) => {
                if begun.send(Ok(())).is_ok() {
                    orders.iter().for_each(|order| order(&mut publishing));
                }
            }
        });
        thread.map_err(|error| EngineError::new(ErrorKind::Retry, format!("start a thread that publishes: {error}")))?;
        answer_of(has_begun).await?;
        Ok(Self { work })
    }

    async fn ask<T: Send + 'static>(
        &self,
        of: impl FnOnce(&mut Publishing) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answered) = oneshot::channel();
        let order: Work = Box::new(move |publishing| _ = answer.send(of(publishing)));
        self.work.send(order).map_err(|_| gone())?;
        answer_of(answered).await
    }
}

/// What a thread answers that waits for the cluster.
pub(super) async fn answer_of<T>(answered: oneshot::Receiver<Result<T, EngineError>>) -> Result<T, EngineError> {
    answered.await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> EngineError {
    EngineError::new(ErrorKind::Bug, "a thread that waits for the Kafka cluster has ended")
}

impl OutboxSession for Session {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        let key = key.clone();
        self.ask(move |publishing| Ok(publishing.markers.get(&key))).boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        let (key, marker) = (key.clone(), marker.clone());
        self.ask(move |publishing| publishing.transact(None, key, marker)).boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        let (key, records, marker) = (key.clone(), records.clone(), marker.clone());
        self.ask(move |publishing| publishing.transact(Some(records), key, marker)).boxed()
    }
}

/// A transactional producer, and the markers that it keeps.
pub(super) struct Publishing {
    options: Arc<TargetOptions>,
    producer: BaseProducer<Producing>,
    markers: Markers,
}

impl Publishing {
    /// Keeps out whoever had the transactional id before, and then reads the markers.
    pub(super) fn take_over(options: Arc<TargetOptions>, transactional_id: &str) -> Result<Self, EngineError> {
        let cluster = &options.cluster;
        let producer = cluster.producer(transactional_id, TRANSACTION_TIMEOUT)?;
        let failed = |attempted: &str, error: &KafkaError| explained(cluster, attempted, error, &producer.context().told);
        let client = cluster.asking(Isolation::Committed)?;
        if let Some(topic) = options.destination.fixed() {
            options.topics.see_anew(cluster, topic)?;
        }
        Markers::make_topic(cluster, &client, &options.marker_topic)?;
        producer.init_transactions(ANSWER).map_err(|error| failed("take over", &error))?;
        let markers = Markers::read(cluster, &client, &options.marker_topic)?;
        Ok(Self { options: options.clone(), producer, markers })
    }

    /// One transaction: records, if any, and the marker behind them.
    fn transact(&mut self, records: Option<RecordBatch>, key: MarkerKey, marker: Marker) -> Result<(), EngineError> {
        let done = self.transaction(records.as_ref(), &key, &marker);
        match &done {
            Ok(()) => self.markers.set(key, marker),
            // The job ends with it: nobody takes over soon, and readers would wait for the cluster to end what is open.
            Err(error) if error.kind() == ErrorKind::FixInput => self.abort(),
            // Whoever takes over ends what is open.
            Err(_) => {}
        }
        done
    }

    /// Ends what is open, if the cluster answers soon. An abort waits until it has been told of every message, and for that the queue has to be served.
    fn abort(&self) {
        for _ in 0..ABORTS {
            self.producer.poll(Duration::ZERO);
            match self.producer.abort_transaction(ABORT) {
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
                Ok(()) => return,
                Err(error) => return tracing::warn!("kafka: a transaction stays open until its time is up: {error}"),
            }
        }
    }

    fn transaction(&self, records: Option<&RecordBatch>, key: &MarkerKey, marker: &Marker) -> Result<(), EngineError> {
        let failed = |attempted: &str, error: &KafkaError| self.failed(attempted, error);
        self.producer.context().begin();
        self.producer.begin_transaction().map_err(|error| failed("begin a transaction", &error))?;
        for record in 0..records.map_or(0, RecordBatch::len) {
            if let Some(records) = records {
                self.send(records, record)?;
            }
        }
        let (key, value) = Markers::record(key, marker);
        self.enqueue(BaseRecord::<[u8], [u8]>::to(&self.options.marker_topic).key(&key).payload(&value).partition(0))?;
        while self.producer.in_flight_count() > 0 {
            self.pause()?;
        }
        self.delivered()?;
        self.producer.commit_transaction(ANSWER).map_err(|error| failed("commit a transaction", &error))
    }

    fn send(&self, records: &RecordBatch, record: usize) -> Result<(), EngineError> {
        let TargetOptions { cluster, destination, topics, marker_topic, .. } = &*self.options;
        let topic = destination.of(records, record, marker_topic)?;
        topics.see(cluster, &topic)?;
        self.enqueue(message_of(BaseRecord::to(&topic), records, record))
    }

    /// Hands a message to librdkafka, whose queue may be full for a while.
    fn enqueue(&self, mut message: BaseRecord<'_, [u8], [u8]>) -> Result<(), EngineError> {
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    message = back;
                    self.pause()?;
                }
                Err((error, back)) => {
                    let bytes = back.payload.map_or(0, <[u8]>::len) + back.key.map_or(0, <[u8]>::len);
                    return Err(self.failed(&said_of(back.topic, back.key, bytes), &error));
                }
            }
        }
    }

    /// Leaves the queue alone for a moment. To wait for what it says would not do: in its last millisecond librdkafka's wait looks at the clock and does nothing
    /// else, and it says nothing of what goes well.
    #[expect(clippy::disallowed_methods, reason = "the thread is the publisher's own, and no task of the job waits for it")]
    fn pause(&self) -> Result<(), EngineError> {
        std::thread::sleep(PAUSE);
        self.delivered()
    }

    /// Fails where a message has been refused.
    fn delivered(&self) -> Result<(), EngineError> {
        self.producer.poll(Duration::ZERO);
        let Producing { told, .. } = &**self.producer.context();
        // With what it has, it is refused; the next session reads what there is by then.
        if let Some(refusal) = told.refusal() {
            let cluster = &self.options.cluster;
            return Err(cluster.refused(&format!("write to the Kafka cluster at {}", cluster.brokers), &refusal));
        }
        match self.producer.context().refused() {
            None => Ok(()),
            Some(refused) => Err(self.failed(&refused.said, &refused.error)),
        }
    }

    fn failed(&self, attempted: &str, error: &KafkaError) -> EngineError {
        explained(&self.options.cluster, attempted, error, &self.producer.context().told)
    }
}

/// An error of publishing: whether somebody else has taken over, whether the record is at fault, or whether it may pass.
pub(super) fn explained(cluster: &Cluster, attempted: &str, error: &KafkaError, told: &Told) -> EngineError {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, MessageSizeTooLarge, ProducerFenced};
    let told = cluster.failed(attempted, error, Some(told));
    match error.rdkafka_error_code() {
        Some(Fenced | ProducerFenced | InvalidProducerEpoch) => EngineError::new(ErrorKind::Fenced, told.to_string()),
        Some(MessageSizeTooLarge) => {
            let hint = "raise `max.message.bytes` of the topic, and `message.max.bytes` in `options`; or, where only many together are too large, lower `batch.size` there";
            EngineError::new(ErrorKind::FixInput, told.to_string()).with_hint(hint)
        }
        _ => told,
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

/// What is attempted with a message of so many bytes.
pub(super) fn said_of(topic: &str, key: Option<&[u8]>, bytes: usize) -> String {
    let key = key.map_or_else(|| "without a key".into(), |key| format!("with the key `{}`", shown(key)));
    format!("write a message of {bytes} bytes {key} to `{topic}`")
}
