//! A client of the cluster: how it is made, what it tells, and what its errors mean.

use super::rights::{Resource, Right};
use super::security::{Credentials, Security};
use super::told::{Refusal, Told};
use super::topic_ids::TopicRights;
use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::bindings::rd_kafka_t;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind};

/// How a consumer fetches ahead. librdkafka's own bounds (100,000 messages or 64 MiB of each partition) took 180 MiB more with four partitions of small messages, and gain
/// nothing over these: a reader takes what is there many times a second.
const FETCHING: [(&str, u32); 4] = [
    // Once a reader is slower than its fetcher, librdkafka would wait a second for it each time.
    ("fetch.queue.backoff.ms", 10),
    ("queued.min.messages", 5_000),
    ("queued.max.messages.kbytes", 2_048),
    ("fetch.message.max.bytes", 512 << 10),
];

/// A consumer that keeps what it is told.
pub(super) type Consumer = BaseConsumer<Told>;

/// Where a cluster is, and how it is spoken to.
#[derive(Clone)]
pub(super) struct Cluster {
    pub brokers: String,
    pub security: Security,
    pub options: BTreeMap<String, String>,
    pub connect_timeout: Duration,
    /// It has answered, to whatever was made of the same settings. What it refuses from then on may pass: a password that is replaced there and not yet here.
    pub has_answered: Arc<AtomicBool>,
    /// It has let whatever was made of the same settings do all that is needed.
    pub has_had_rights: Arc<AtomicBool>,
}

impl Cluster {
    /// What every client of it is told, and which part of that are credentials.
    pub(super) fn config(&self) -> Result<(ClientConfig, Credentials), EngineError> {
        let credentials = self.security.now().map_err(|error| {
            let message = format!("connect to the Kafka cluster at {}: {error}", self.brokers);
            let error_of_it = EngineError::new(self.kind_of_refusal(), message);
            error.hint.iter().fold(error_of_it, |of_it, hint| of_it.with_hint(hint))
        })?;
        // As a process ends, OpenSSL would tear down what it has: beneath librdkafka's threads, which may still be greeting a broker over TLS, and crash with it. The
        // first one to begin it says that it is to do nothing then.
        openssl_sys::init();
        let mut config = ClientConfig::new();
        // A broker that comes back is found again within a second, and not within ten.
        config.set("client.id", "weir").set("reconnect.backoff.max.ms", "1000");
        self.options.iter().for_each(|(name, value)| _ = config.set(name, value));
        config.set("bootstrap.servers", &self.brokers);
        credentials.iter().for_each(|(name, value)| _ = config.set(name, value));
        Ok((config, credentials))
    }

    /// True where a client was made with other credentials than there are now.
    pub(super) fn is_outdated(&self, told: &Told) -> bool {
        self.security.now().is_ok_and(|now| now != *told.credentials())
    }

    /// It has answered.
    pub(super) fn answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }

    /// An error of a start that asks the cluster: of one that has never answered it is the job file's, and not one to try again after.
    pub(super) fn at_start(&self, error: EngineError) -> EngineError {
        match error.kind() {
            ErrorKind::Retry => {
                let of_file = EngineError::new(self.kind_of_refusal(), error.to_string());
                error.hint().iter().fold(of_file, |of_file, hint| of_file.with_hint(*hint))
            }
            _ => error,
        }
    }

    fn kind_of_refusal(&self) -> ErrorKind {
        if self.has_answered.load(Ordering::Relaxed) { ErrorKind::Retry } else { ErrorKind::FixInput }
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
        let (config, credentials) = self.consuming(group, isolation, pace)?;
        let consumer: KafkaResult<Consumer> = config.create_with_context(Told::with(credentials));
        let mut consumer = consumer.map_err(|error| self.failed("make a client", &error, None))?;
        consumer.set_nonempty_callback(wake);
        Ok(consumer)
    }

    /// What a consumer is told.
    pub(super) fn consuming(
        &self,
        group: Option<&str>,
        isolation: Isolation,
        pace: Pace,
    ) -> Result<(ClientConfig, Credentials), EngineError> {
        let (mut config, credentials) = self.config()?;
        for (name, value) in FETCHING.into_iter().chain([("fetch.wait.max.ms", pace.fetch_wait_ms)]) {
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
        Ok((config, credentials))
    }

    /// A client that somebody waits for.
    pub(super) fn asking(&self, isolation: Isolation) -> Result<Asking<Consumer>, EngineError> {
        self.consumer(None, isolation, Pace::ASKING, || {}).map(Asking::new)
    }

    /// How many partitions a topic has; `None`: it is not there.
    pub(super) fn partitions(&self, client: &Consumer, topic: &str, attempted: &str) -> Result<Option<usize>, EngineError> {
        match self.find(client, topic, attempted)? {
            Found::Topic { partitions } => Ok(Some(partitions)),
            Found::Nothing => Ok(None),
            Found::Forbidden => Err(self.lacks(attempted, Right::Describe, Resource::Topic(topic))),
        }
    }

    /// Looks for a topic. A consumer asks: where another client does, brokers may make it.
    pub(super) fn find(&self, client: &Consumer, topic: &str, attempted: &str) -> Result<Found, EngineError> {
        let failed = |error: &KafkaError| {
            listen(client);
            self.failed(attempted, error, Some(client.context()))
        };
        let found = client.fetch_metadata(Some(topic), self.connect_timeout).map_err(|error| failed(&error))?;
        self.answered();
        let Some(found) = found.topics().iter().find(|found| found.name() == topic) else { return Ok(Found::Nothing) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(Found::Topic { partitions: found.partitions().len() }),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(Found::Nothing),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Ok(Found::Forbidden),
            Some(code) => Err(failed(&KafkaError::MetadataFetch(code))),
        }
    }

    /// The ids of topics, as far as the cluster gives any.
    pub(super) fn topic_ids(&self, client: &Consumer, topics: &BTreeSet<&str>) -> KafkaResult<BTreeMap<String, String>> {
        self.topic_ids_by(client.client().native_ptr(), topics)
    }

    /// The same by any client.
    pub(super) fn topic_ids_by(&self, client: *mut rd_kafka_t, topics: &BTreeSet<&str>) -> KafkaResult<BTreeMap<String, String>> {
        match super::topic_ids::topic_ids(client, topics, self.connect_timeout) {
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnsupportedFeature) => Ok(BTreeMap::new()),
            found => found,
        }
    }

    /// What any client may do with topics, as far as the cluster tells.
    pub(super) fn topic_rights(&self, client: *mut rd_kafka_t, topics: &BTreeSet<&str>) -> BTreeMap<String, TopicRights> {
        super::topic_ids::topic_rights(client, topics, self.connect_timeout).unwrap_or_else(|error| {
            tracing::debug!("kafka: what this client may do is not told: {error}");
            BTreeMap::new()
        })
    }

    /// A client that makes and looks at topics.
    pub(super) fn admin(&self) -> Result<Asking<AdminClient<Told>>, EngineError> {
        let (config, credentials) = self.config()?;
        let admin: KafkaResult<AdminClient<Told>> = config.create_with_context(Told::with(credentials));
        admin.map(Asking::new).map_err(|error| self.failed("make a client", &error, None))
    }

    /// An error of the cluster, with the address and the newest trouble that the client has told of.
    pub(super) fn failed(&self, attempted: &str, error: &KafkaError, told: Option<&Told>) -> EngineError {
        use RDKafkaErrorCode::{
            ClusterAuthorizationFailed, GroupAuthorizationFailed, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed,
            UnknownPartition, UnknownTopic, UnknownTopicOrPartition,
        };
        let code = error.rdkafka_error_code();
        let attempted = format!("{attempted} of the Kafka cluster at {}", self.brokers);
        if let Some(refusal) = told.and_then(Told::refusal).filter(|_| code.is_none_or(is_of_connection)) {
            return self.refused(&attempted, &refusal);
        }
        let trouble = told.and_then(Told::trouble);
        let (kind, hint) = match code {
            Some(TopicAuthorizationFailed | GroupAuthorizationFailed | ClusterAuthorizationFailed | TransactionalIdAuthorizationFailed) => {
                (self.kind_of_missing_right(), "the cluster does not give this client the right to: `kafka-acls --add` does")
            }
            Some(UnknownTopicOrPartition | UnknownTopic | UnknownPartition) => {
                (ErrorKind::FixInput, "create it, or mend its name; `kafka-topics.sh --list` shows what there is")
            }
            _ if matches!(error, KafkaError::ClientCreation(_) | KafkaError::ClientConfig(..)) => {
                (ErrorKind::FixInput, "see `tls`, `sasl` and `options`")
            }
            _ if !self.has_answered.load(Ordering::Relaxed) && trouble.as_ref().is_some_and(|trouble| speaks_otherwise(trouble)) => {
                (ErrorKind::Retry, "the broker may expect `tls` or `sasl` at this address, or the other way round")
            }
            _ => (
                ErrorKind::Retry,
                "is a broker running there, does the address that it advertises lead to it from here, and does it expect `tls` or `sasl`?",
            ),
        };
        let what = code.map_or_else(|| error.to_string(), |code| code.to_string());
        let trouble = trouble.map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        EngineError::new(kind, format!("{attempted}: {what}{trouble}")).with_hint(hint)
    }

    /// An error of a broker that does not let this client in.
    pub(super) fn refused(&self, attempted: &str, refusal: &Refusal) -> EngineError {
        let (why, hint) = match refusal {
            Refusal::Authentication(why) => {
                let who = self.security.who().unwrap_or_else(|| "no `sasl`".into());
                (format!("{who}: {why}"), hint_of_sasl(why))
            }
            Refusal::Encryption(why) if why.contains("certificate verify failed") => match self.security.names_ca() {
                true => (
                    why.clone(),
                    "does `ca` of `tls` say who has signed the broker's certificate, and is that for the host that `brokers` says?",
                ),
                false => (
                    why.clone(),
                    "`tls = { ca = … }` says who has signed the broker's certificate, where that is nobody whom this machine trusts",
                ),
            },
            Refusal::Encryption(why) if self.security.now().is_ok_and(|now| now.has_certificate()) => {
                (why.clone(), "does the cluster trust who has signed `certificate` of `tls`?")
            }
            Refusal::Encryption(why) => {
                (why.clone(), "the broker may ask for a certificate of the client: `tls = { certificate = …, key = … }`")
            }
        };
        EngineError::new(self.kind_of_refusal(), format!("{attempted}: {why}")).with_hint(hint)
    }
}

/// What can be done where a broker does not let somebody in, for this reason.
fn hint_of_sasl(why: &str) -> &'static str {
    if why.contains("current SASL state") {
        "the broker asks nobody at this address who it is: leave `sasl` out, or name the address where it does"
    } else if why.contains("SASL mechanism") && why.contains("supported mechanisms") {
        "the broker has other mechanisms, as it says: name one of them as `mechanism` of `sasl`"
    } else {
        "is `password` of `sasl` the one that the cluster has for this user and this mechanism?"
    }
}

/// True of what is said of a connection, and not of what was asked over it.
fn is_of_connection(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, Authentication, BrokerTransportFailure, MessageTimedOut, OperationTimedOut, SSL, SaslAuthenticationFailed,
    };
    matches!(
        code,
        AllBrokersDown | Authentication | BrokerTransportFailure | MessageTimedOut | OperationTimedOut | SSL | SaslAuthenticationFailed
    )
}

/// True where a connection was made and came to nothing: the broker may expect something else at this address.
fn speaks_otherwise(trouble: &str) -> bool {
    ["security.protocol", "PLAINTEXT broker listener", "Send failed", "Receive failed", "Disconnected"]
        .iter()
        .any(|sign| trouble.contains(sign))
}

/// Has a client tell what went wrong, which lies in its queue; a poll that does not wait would end behind the first line of a log.
pub(super) fn listen(client: &Consumer) {
    while client.poll(Duration::from_millis(20)).is_some() {}
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

/// What is found of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Topic {
        partitions: usize,
    },
    Nothing,
    /// This client may not even know whether it is there.
    Forbidden,
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
