//! A client of the cluster: how it is made, what it tells, and what its errors mean.

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};

/// A consumer that keeps what it is told.
pub(super) type Consumer = BaseConsumer<Told>;

/// Where a cluster is, and how it is spoken to.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub brokers: String,
    pub options: BTreeMap<String, String>,
    pub connect_timeout: Duration,
}

impl Cluster {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // A broker that comes back is found again within a second, and not within ten.
        config.set("client.id", "weir").set("reconnect.backoff.max.ms", "1000");
        self.options.iter().for_each(|(name, value)| _ = config.set(name, value));
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// A consumer of it. `wake` is called when it has something to say. Nothing is asked of the cluster yet.
    ///
    /// Without a name of a group librdkafka gives no partitions to read; as nobody joins it and nothing is committed to it, one that all share will do.
    pub(super) fn consumer(
        &self,
        group: Option<&str>,
        isolation: Isolation,
        pace: Pace,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Consumer, EngineError> {
        let mut config = self.config();
        // Once a reader is slower than its fetcher, librdkafka would wait a second for it each time.
        for (name, value) in [("fetch.queue.backoff.ms", 10), ("fetch.wait.max.ms", pace.fetch_wait_ms)] {
            if !self.options.contains_key(name) {
                config.set(name, value.to_string());
            }
        }
        config
            .set("group.id", group.unwrap_or("weir"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", isolation.word())
            .set("enable.partition.eof", "true")
            .set("statistics.interval.ms", pace.statistics_ms.to_string());
        let consumer: KafkaResult<Consumer> = config.create_with_context(Told::default());
        let mut consumer = consumer.map_err(|error| self.failed("make a client", &error, None))?;
        consumer.set_nonempty_callback(wake);
        Ok(consumer)
    }

    /// A client that somebody waits for.
    pub(super) fn asking(&self, isolation: Isolation) -> Result<Asking<Consumer>, EngineError> {
        self.consumer(None, isolation, Pace::ASKING, || {}).map(Asking::new)
    }

    /// A producer with this transactional id, whose transactions may be open for so long.
    pub(super) fn producer(&self, transactional_id: &str, timeout: Duration) -> Result<BaseProducer<Producing>, EngineError> {
        let mut config = self.config();
        // A chunk is complete when it is handed over: nothing is waited for that would fill a batch.
        if !self.options.contains_key("linger.ms") {
            config.set("linger.ms", "5");
        }
        // As the Java client deals keys out to partitions, and records without one at random.
        if !self.options.contains_key("partitioner") {
            config.set("partitioner", "murmur2_random");
        }
        config
            .set("transactional.id", transactional_id)
            .set("enable.idempotence", "true")
            .set("transaction.timeout.ms", timeout.as_millis().to_string());
        config.create_with_context(Producing::default()).map_err(|error| self.failed("make a producer", &error, None))
    }

    /// How many partitions a topic has; `None`: it is not there. A consumer asks: where another client does, brokers may make the topic.
    pub(super) fn partitions(&self, client: &Consumer, topic: &str, attempted: &str) -> Result<Option<usize>, EngineError> {
        let failed = |error: &KafkaError| self.failed(attempted, error, Some(client.context()));
        let found = client.fetch_metadata(Some(topic), self.connect_timeout).map_err(|error| failed(&error))?;
        let Some(found) = found.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(Some(found.partitions().len())),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(code) => Err(failed(&KafkaError::MetadataFetch(code))),
        }
    }

    /// A client that makes and looks at topics.
    pub(super) fn admin(&self) -> Result<Asking<AdminClient<Told>>, EngineError> {
        let admin: KafkaResult<AdminClient<Told>> = self.config().create_with_context(Told::default());
        admin.map(Asking::new).map_err(|error| self.failed("make a client", &error, None))
    }

    /// An error of the cluster, with the address and the newest trouble that the client has told of.
    pub(super) fn failed(&self, attempted: &str, error: &KafkaError, told: Option<&Told>) -> EngineError {
        let code = error.rdkafka_error_code();
        let (kind, hint) = match code {
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed,
            ) => (ErrorKind::FixInput, "the cluster does not give this client the right to"),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition) => {
                (ErrorKind::FixInput, "create it, or mend its name; `kafka-topics.sh --list` shows what there is")
            }
            _ => (ErrorKind::Retry, "is a broker running there, and does the address that it advertises lead to it from here?"),
        };
        let what = code.map_or_else(|| error.to_string(), |code| code.to_string());
        let trouble = told.and_then(Told::trouble).map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        EngineError::new(kind, format!("{attempted} of the Kafka cluster at {}: {what}{trouble}", self.brokers)).with_hint(hint)
    }
}

/// How often a consumer hears of its partitions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long a broker may wait for records before it says that there are none.
    fetch_wait_ms: u32,
    /// How often it is told how far they go.
    statistics_ms: u32,
}

impl Pace {
    /// Of one that reads without an end.
    pub(super) const STREAMING: Self = Self { fetch_wait_ms: 100, statistics_ms: 1_000 };
    /// Of one that reads up to an end, which it learns of by the statistics.
    pub(super) const TO_AN_END: Self = Self { fetch_wait_ms: 100, statistics_ms: 200 };
    /// Of one that somebody waits for.
    pub(super) const ASKING: Self = Self { fetch_wait_ms: 10, statistics_ms: 0 };
}

/// Does what waits for the cluster on a thread of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "librdkafka's calls wait, for the cluster and for its own threads, and none of them is a task of the job"
)]
pub(super) fn aside(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

/// Lets a client go: it says goodbye to the cluster, which may take a while, and nobody is to wait for that.
pub(super) fn let_go(client: impl Send + 'static) {
    aside(move || drop(client));
}

/// A client that somebody waits for, and that nobody waits for when it goes.
pub(super) struct Asking<C: Send + 'static>(Option<C>);

impl<C: Send + 'static> Asking<C> {
    pub(super) fn new(client: C) -> Self {
        Self(Some(client))
    }
}

impl<C: Send + 'static> Deref for Asking<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.0.as_ref().expect("it is there until it goes")
    }
}

impl<C: Send + 'static> Drop for Asking<C> {
    fn drop(&mut self) {
        let_go(self.0.take());
    }
}

/// What a reader sees of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isolation {
    /// What is committed.
    Committed,
    /// Everything.
    Uncommitted,
}

impl Isolation {
    fn word(self) -> &'static str {
        match self {
            Self::Committed => "read_committed",
            Self::Uncommitted => "read_uncommitted",
        }
    }
}

/// What a producer tells.
#[derive(Default)]
pub(super) struct Producing {
    pub told: Told,
    refused: Mutex<Option<KafkaError>>,
}

impl Producing {
    /// A transaction begins: what became of the one before is no matter of its.
    pub(super) fn begin(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why the first message of the transaction was not taken that was not.
    pub(super) fn refused(&self) -> Option<KafkaError> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Producing {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.told.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.told.error(error, reason);
    }
}

impl ProducerContext for Producing {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        }
    }
}

/// What a client tells beside its answers.
#[derive(Default)]
pub(super) struct Told {
    news: Mutex<News>,
}

#[derive(Default)]
struct News {
    /// Why a broker is not reached, or what else does not go as it should.
    trouble: Option<String>,
    /// Where each partition ends for a reader, by topic and partition.
    ends: HashMap<String, HashMap<i32, i64>>,
}

impl Told {
    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest trouble.
    pub(super) fn trouble(&self) -> Option<String> {
        self.news().trouble.clone()
    }

    /// Where a partition ended about a second ago, for a reader of committed records; `None`: not known yet.
    pub(super) fn end(&self, topic: &str, partition: i32) -> Option<i64> {
        self.news().ends.get(topic)?.get(&partition).copied()
    }
}

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Why a connection fails is said here alone, behind the name of librdkafka's thread.
        if facility == "FAIL" {
            let why = message.split_once("]: ").map_or(message, |(_, why)| why);
            self.news().trouble = Some(why.to_owned());
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => tracing::warn!("kafka: {message}"),
            _ => tracing::debug!("kafka: {facility}: {message}"),
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Statistics>(statistics) {
            Ok(statistics) => self.news().ends = statistics.ends(),
            Err(error) => tracing::debug!("kafka: statistics that cannot be read: {error}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("kafka: {error}: {reason}");
        if !matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PartitionEOF)) {
            self.news().trouble = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Told {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!("kafka: the group was not told how far the job has come: {error}");
        }
    }
}

/// The part of librdkafka's statistics that is used.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: HashMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct TopicStatistics {
    #[serde(default)]
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    #[serde(default = "unknown")]
    ls_offset: i64,
}

fn unknown() -> i64 {
    -1
}

impl Statistics {
    fn ends(self) -> HashMap<String, HashMap<i32, i64>> {
        let partitions = |of: TopicStatistics| -> HashMap<i32, i64> {
            let end =
                |(number, of): (String, PartitionStatistics)| Some((number.parse().ok()?, Some(of.ls_offset).filter(|end| *end >= 0)?));
            of.partitions.into_iter().filter_map(end).collect()
        };
        self.topics.into_iter().map(|(topic, of)| (topic, partitions(of))).collect()
    }
}
