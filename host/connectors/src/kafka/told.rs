//! What clients tell beside their answers: why a broker is not reached, how far partitions go, which message was not taken.

use super::refusals::Refusals;
use super::security::Credentials;
use super::statistics::Statistics;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use weir_engine::RecordBatch;
use weir_engine::element::NO_TIMESTAMP;

/// What a producer tells.
pub(super) struct Producing {
    pub told: Told,
    refusals: Mutex<Refusals>,
    /// The times of the records of the transaction, by which messages are known.
    times: Mutex<Vec<i64>>,
}

impl Producing {
    /// Of one that was made with these.
    pub(super) fn with(credentials: Credentials) -> Self {
        Self { told: Told::with(credentials), refusals: Mutex::default(), times: Mutex::default() }
    }

    /// A transaction of these records begins: what became of the one before is no matter of its.
    pub(super) fn begin(&self, records: Option<&RecordBatch>) {
        {
            let mut news = self.told.news();
            (news.refusal, news.forbidden) = (None, None);
        }
        *self.times.lock().unwrap_or_else(PoisonError::into_inner) =
            records.map(|records| records.timestamps().to_vec()).unwrap_or_default();
        *self.refusals() = Refusals::default();
    }

    /// The messages of the transaction that were not taken.
    pub(super) fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Which record it is of, or [`NO_RECORD`](super::refusals::NO_RECORD).
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, record: usize) {
        if let Err((error, message)) = result {
            let time = self.times.lock().unwrap_or_else(PoisonError::into_inner).get(record).copied();
            self.refusals().add(record, error, message, time.filter(|time| *time != NO_TIMESTAMP));
        }
    }
}

/// What a client tells beside its answers.
pub(super) struct Told {
    /// What the client was made with.
    credentials: Credentials,
    news: Mutex<News>,
}

/// How a broker refuses a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// For who it says that it is.
    Authentication(String),
    /// One of the two does not take the other's certificate, or has none.
    Encryption(String),
}

#[derive(Default)]
struct News {
    /// How a broker has refused the client, the last time that one has.
    refusal: Option<Refusal>,
    /// A topic that could not become part of the transaction for want of a right to it.
    forbidden: Option<String>,
    /// Why the group was not told how far the job has come, the last time that it was to be.
    untold: Option<String>,
    /// Whether it is time to look for other credentials than those that were refused.
    may_look: bool,
    /// Why a broker is not reached, or what else does not go as it should.
    trouble: Option<String>,
    /// Where each partition ends for a reader, by topic and partition.
    ends: HashMap<String, HashMap<i32, i64>>,
}

impl Told {
    /// Of a client that was made with these.
    pub(super) fn with(credentials: Credentials) -> Self {
        Self { credentials, news: Mutex::default() }
    }

    /// What the client was made with.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// True where a broker has refused the client and nobody has looked for other credentials since the newest news, which come every second.
    pub(super) fn is_to_look(&self) -> bool {
        let mut news = self.news();
        news.refusal.is_some() && std::mem::take(&mut news.may_look)
    }

    /// How a broker has refused the client, where one has.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.news().refusal.clone()
    }

    /// A topic that could not become part of the transaction for want of a right to it.
    pub(super) fn forbidden(&self) -> Option<String> {
        self.news().forbidden.clone()
    }

    /// The group cannot be told how far the job has come, because of this; `None`: it has been.
    pub(super) fn group_is_told(&self, why_not: Option<String>) {
        self.news().untold = why_not;
    }

    /// Why the group was not told how far the job has come, the last time that it was to be.
    pub(super) fn untold(&self) -> Option<String> {
        self.news().untold.clone()
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest trouble.
    pub(super) fn trouble(&self) -> Option<String> {
        self.news().trouble.clone()
    }

    /// What was asked of the brokers has come about: what was wrong before is over.
    pub(super) fn has_come_about(&self) {
        self.news().trouble = None;
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
            self.news().trouble = Some(lasting(why).to_owned());
        }
        // Which topic it is stands here alone, in quotes.
        if facility == "ADDPARTS" && message.contains("uthorization failed") {
            self.news().forbidden = message.split('"').nth(1).map(str::to_owned);
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => tracing::warn!("kafka: {message}"),
            _ => tracing::debug!("kafka: {facility}: {message}"),
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Statistics>(statistics) {
            Ok(statistics) => {
                let mut news = self.news();
                if statistics.is_connected() {
                    news.trouble = None;
                }
                (news.ends, news.may_look) = (statistics.ends(), true);
            }
            Err(error) => tracing::debug!("kafka: statistics that cannot be read: {error}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("kafka: {error}: {reason}");
        if let Some(refusal) = Refusal::of(&error, reason) {
            let mut news = self.news();
            (news.refusal, news.may_look) = (Some(refusal), true);
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            // Why they are is said before.
            Some(RDKafkaErrorCode::AllBrokersDown) => _ = self.news().trouble.get_or_insert_with(|| lasting(reason).to_owned()),
            Some(_) | None => self.news().trouble = Some(lasting(reason).to_owned()),
        }
    }
}

/// What is wrong, without how long it took to be found and how often it was: the same is the same then.
fn lasting(why: &str) -> &str {
    why.split(" (after ").next().unwrap_or(why)
}

impl Refusal {
    /// What an error of a connection says of it.
    fn of(error: &KafkaError, reason: &str) -> Option<Self> {
        match error.rdkafka_error_code()? {
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => Some(Self::Authentication(reason.to_owned())),
            RDKafkaErrorCode::SSL => Some(Self::Encryption(reason.to_owned())),
            // Where TLS 1.3 is spoken, the broker looks at the client's certificate when the client takes the connection for made.
            _ if reason.contains("SSL alert number") => Some(Self::Encryption(reason.to_owned())),
            _ => None,
        }
    }
}

impl ConsumerContext for Told {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = &result {
            tracing::warn!("kafka: the group was not told how far the job has come: {error}");
        }
        self.group_is_told(result.err().map(|error| error.to_string()));
    }
}
