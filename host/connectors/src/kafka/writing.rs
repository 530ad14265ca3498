//! What becomes of messages that are written at once: each is waited for until the cluster has it, or says that it never will.

use super::client::Cluster;
use super::deliveries::Deliveries;
use super::quarantine::Misfit;
use super::refusals::{Weight, bytes_of, explained, is_of_time, now_ms, said_of, suspicion};
use super::rights::{Resource, Right};
use super::told::Told;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What writes.
pub(super) type Producer = BaseProducer<Writing>;

/// What a producer tells of the messages that it was given, and of the cluster.
pub(super) struct Writing {
    pub cluster: Cluster,
    pub told: Told,
    deliveries: Mutex<Deliveries>,
    /// Absent where a message that is refused fails the writer.
    returns: Option<Returns>,
    returned: Mutex<Vec<Returned>>,
}

/// Which messages come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Returns {
    /// Records name their topics: those that this client may not write to come back as well.
    pub of_records: bool,
}

/// A message that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handed {
    /// Behind so many barriers.
    pub barriers: usize,
    /// Its key, its value and its headers.
    pub bytes: usize,
    /// Its time, which librdkafka does not say when it gives a message back.
    pub time: Option<i64>,
}

/// A message that came back.
pub(super) struct Returned {
    pub message: Misfit,
    pub handed: Handed,
    /// What is said of it; of one that was never sent the reason stands in `message`.
    pub code: Option<RDKafkaErrorCode>,
}

impl Writing {
    /// Of a producer for this cluster. `returns`: what is refused comes back.
    pub(super) fn new(cluster: Cluster, told: Told, returns: Option<Returns>) -> Self {
        Self { cluster, told, deliveries: Mutex::default(), returns, returned: Mutex::default() }
    }

    /// What is not acknowledged yet.
    pub(super) fn deliveries(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True where what is refused comes back.
    pub(super) fn returns(&self) -> bool {
        self.returns.is_some()
    }

    /// This one comes back.
    pub(super) fn give_back(&self, returned: Returned) {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).push(returned);
    }

    /// Those that have come back.
    pub(super) fn take_returned(&self) -> Vec<Returned> {
        std::mem::take(&mut *self.returned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn refused(&self, error: &KafkaError, message: &BorrowedMessage<'_>, handed: Handed) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let weight = Weight::of(code);
        let is_forbidden = code == RDKafkaErrorCode::TopicAuthorizationFailed && self.returns.is_some_and(|returns| returns.of_records);
        if is_forbidden || self.returns() && matches!(weight, Weight::Beside | Weight::AtFault) {
            let message = Misfit { time: handed.time, ..message.into() };
            return self.give_back(Returned { message, handed, code: Some(code) });
        }
        let bytes = bytes_of(message.key(), message.payload());
        let said = said_of(message.topic(), message.key(), bytes, handed.time.filter(|_| is_of_time(code)));
        let mut deliveries = self.deliveries();
        deliveries.fail((weight, suspicion(code, message.key(), bytes, handed.time, now_ms())), || {
            explained(&self.cluster, &said, error, &self.told)
        });
        deliveries.settle(handed.barriers, handed.bytes);
    }
}

impl Writing {
    /// With what it has, a broker refuses it. Where the cluster had let it in before, it waits as for one that is away, and librdkafka asks again; once there is something else to show, the
    /// attempt ends, and the next one shows that.
    fn look_at_refusal(&self) {
        let Some(refusal) = self.told.refusal() else { return };
        let waits = self.cluster.has_answered.load(Ordering::Relaxed) && !(self.told.is_to_look() && self.cluster.is_outdated(&self.told));
        if !waits {
            let attempted = format!("write to the Kafka cluster at {}", self.cluster.brokers);
            self.deliveries().fail((Weight::Passing, 0), || self.cluster.refused(&attempted, &refusal));
        }
    }
}

impl ClientContext for Writing {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.told.log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.told.stats_raw(statistics);
        self.look_at_refusal();
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let is_fatal = matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::ClusterAuthorizationFailed));
        self.told.error(error, reason);
        // It goes with the right to write to any topic at brokers since 2.8.
        if is_fatal && reason.contains("luster authorization failed") {
            let lacks = || self.cluster.lacks("write in order and once", Right::IdempotentWrite, Resource::Cluster);
            self.deliveries().fail((Weight::Passing, u64::MAX), lacks);
        }
        self.look_at_refusal();
    }
}

impl ProducerContext for Writing {
    type DeliveryOpaque = Box<Handed>;

    fn delivery(&self, result: &DeliveryResult<'_>, handed: Box<Handed>) {
        match result {
            Ok(_) => self.deliveries().settle(handed.barriers, handed.bytes),
            Err((error, message)) => self.refused(error, message, *handed),
        }
    }
}
