//! Publishes: each chunk is a transaction of its own, with the marker behind the records. One that the cluster refuses ends with why it did, and not with what came of that; or, where the
//! job has such records set aside, it is begun anew without those that are at fault, which go to another topic in it.

use super::client::Isolation;
use super::known_topics::Seen;
use super::markers::Markers;
use super::producers::message_of;
use super::quarantine::{Misfit, Quarantine};
use super::refusals::{NO_RECORD, Weight, bytes_of, explained, now_ms, said_of, suspicion};
use super::rights::{Resource, Right};
use super::rules::{Measured, Verdict};
use super::same_topics::SameTopics;
use super::sorting::Sorting;
use super::target::TargetOptions;
use super::told::Producing;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::element::NO_TIMESTAMP;
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
/// So many pauses long the rest of a transaction is heard of once a message has been refused: others are told what is only a consequence, and may be told it first.
const HEARD_OUT: u32 = 2_000;

/// A transactional producer, and the markers that it keeps.
pub(super) struct Publishing {
    options: Arc<TargetOptions>,
    producer: BaseProducer<Producing>,
    /// How large its batches may be.
    batch_bytes: usize,
    markers: Markers,
    /// Absent where a record that is not taken fails the job.
    quarantine: Option<Quarantine>,
    same_topics: SameTopics,
}

/// Why a transaction has not come about.
enum Stopped {
    Failed(EngineError),
    /// The cluster has refused these records, and this is what is told of it.
    Refused(Box<(BTreeMap<usize, RDKafkaErrorCode>, EngineError)>),
    /// Messages were given up, and why was not told.
    GivenUp(EngineError),
}

impl From<EngineError> for Stopped {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

/// The chunk of a transaction.
struct Chunk<'c> {
    records: Option<&'c RecordBatch>,
    key: &'c MarkerKey,
    marker: &'c Marker,
    sorting: Sorting,
    /// Topics that records name and that cannot be written to.
    useless: BTreeMap<String, Seen>,
}

impl Publishing {
    /// Keeps out whoever had the transactional id before, and then reads the markers.
    pub(super) fn take_over(options: Arc<TargetOptions>, transactional_id: &str) -> Result<Self, EngineError> {
        let cluster = &options.cluster;
        let client = cluster.asking(Isolation::Committed)?;
        if let Some(topic) = options.destination.fixed() {
            options.topics.see_anew(cluster, topic)?;
        }
        cluster.may(&client, &options.of_markers())?;
        Markers::make_topic(cluster, &client, &options.marker_topic)?;
        options.quarantine_topic.as_deref().map_or(Ok(()), |topic| Quarantine::see_topic(cluster, &client, topic))?;
        options.quarantine_topic.as_deref().map_or(Ok(()), |topic| cluster.may(&client, &[(topic, Right::Write)]))?;
        options.learn_rules()?;
        let batch_bytes = options.batch_bytes();
        let producer = cluster.producer(transactional_id, TRANSACTION_TIMEOUT, batch_bytes)?;
        let failed = |attempted: &str, error: &KafkaError| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed) => {
                cluster.lacks(attempted, Right::Write, Resource::TransactionalId(transactional_id))
            }
            _ => explained(cluster, attempted, error, &producer.context().told),
        };
        let quarantine = options
            .quarantine_topic
            .as_deref()
            .map(|topic| Quarantine::new(cluster, topic, &options.rules.get(topic), options.counts.clone()));
        producer.init_transactions(ANSWER).map_err(|error| failed("take over", &error))?;
        // The id first: where the topic is made anew in between, it is another one than the markers are of.
        let same_topics = SameTopics::of(&options, &client);
        let markers = Markers::read(cluster, &client, &options.marker_topic)?;
        cluster.has_rights();
        Ok(Self { options: options.clone(), producer, batch_bytes, markers, quarantine, same_topics })
    }

    /// The marker under a key.
    pub(super) fn marker(&self, key: &MarkerKey) -> Option<Marker> {
        self.markers.get(key)
    }

    /// One transaction: records, if any, and the marker behind them. Where some of them are set aside it may take several tries.
    pub(super) fn transact(&mut self, records: Option<RecordBatch>, key: MarkerKey, marker: Marker) -> Result<(), EngineError> {
        self.same_topics.see(&self.options, self.producer.client().native_ptr())?;
        let of_chunk =
            Chunk { records: records.as_ref(), key: &key, marker: &marker, sorting: Sorting::default(), useless: BTreeMap::new() };
        self.publish(of_chunk).inspect_err(|error| {
            // The job ends with it: nobody takes over soon, and readers would wait for the cluster to end what is open. Else whoever takes over ends it.
            if error.kind() == ErrorKind::FixInput {
                self.abort();
            }
        })?;
        self.markers.set(key, marker);
        Ok(())
    }

    fn publish(&mut self, mut chunk: Chunk<'_>) -> Result<(), EngineError> {
        let mut was_refused = false;
        loop {
            let (refused, error) = match self.transaction(&mut chunk) {
                Ok(()) => {
                    self.producer.context().told.has_come_about();
                    self.published(&chunk);
                    return Ok(());
                }
                // Behind a transaction with a refused batch the numbers of the next one's messages have a gap, which the cluster refuses; with its end librdkafka begins to number anew.
                Err(Stopped::GivenUp(error)) if was_refused => {
                    was_refused = false;
                    self.end_refused(error)?;
                    continue;
                }
                Err(Stopped::Failed(error) | Stopped::GivenUp(error)) => return Err(error),
                Err(Stopped::Refused(refused)) => *refused,
            };
            was_refused = true;
            self.refused(&chunk, refused.len(), &error)?;
            let now = now_ms();
            let suspicion = |record: usize, code| {
                let of = |records: &RecordBatch| {
                    let (key, time) = (records.key(record), Some(records.timestamps()[record]).filter(|time| *time != NO_TIMESTAMP));
                    suspicion(code, key, bytes_of(key, records.value(record)), time, now)
                };
                chunk.records.map_or(0, of)
            };
            if !chunk.sorting.learn(&refused, suspicion) {
                return Err(error);
            }
            self.admit(&chunk)?;
            self.end_refused(error)?;
        }
    }

    /// Counts what a transaction has, which is committed.
    fn published(&self, chunk: &Chunk<'_>) {
        let (records, faults) = (chunk.records.map_or(0, RecordBatch::len), chunk.sorting.faults());
        let why = faults.last_key_value().map(|(_, why)| why.as_str());
        if let Some(quarantine) = &self.quarantine {
            quarantine.has_found(chunk.sorting.refusals());
            quarantine.count(records, faults.len(), why);
        }
    }

    /// So many records were refused. What topics take is asked again then, and where they take smaller batches by now another producer has to make them.
    fn refused(&self, chunk: &Chunk<'_>, records: usize, error: &EngineError) -> Result<(), EngineError> {
        if let Some(quarantine) = self.quarantine.as_ref().filter(|_| chunk.sorting.refusals() == 0) {
            quarantine.searches(records, &error.to_string());
        }
        let TargetOptions { rules, .. } = &*self.options;
        rules.doubt();
        if !rules.knows(self.options.known_topics()) {
            self.options.learn_rules()?;
        }
        match self.options.batch_bytes() < self.batch_bytes {
            true => Err(EngineError::new(ErrorKind::Retry, format!("smaller batches are made from now on: {error}"))),
            false => Ok(()),
        }
    }

    /// Ends a transaction that has not come about because of `error`, so that another can begin.
    fn end_refused(&self, error: EngineError) -> Result<(), EngineError> {
        match self.abort() {
            true => Ok(()),
            false => Err(EngineError::new(ErrorKind::Retry, format!("end a transaction that was refused: {error}"))),
        }
    }

    /// Whether so many may be set aside.
    fn admit(&self, chunk: &Chunk<'_>) -> Result<(), EngineError> {
        let (records, faults) = (chunk.records.map_or(0, RecordBatch::len), chunk.sorting.faults());
        let why = faults.last_key_value().map_or("", |(_, why)| why);
        self.quarantine.as_ref().map_or(Ok(()), |quarantine| quarantine.admit(records, faults.len(), why))
    }

    /// Ends what is open, if the cluster answers soon; true where it has. An abort waits until it has been told of every message, and for that the queue has to be served.
    fn abort(&self) -> bool {
        for _ in 0..ABORTS {
            self.producer.poll(Duration::ZERO);
            match self.producer.abort_transaction(ABORT) {
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
                Ok(()) => {
                    // What is told of its messages now would be taken for the next one's.
                    self.hear_out();
                    return true;
                }
                Err(error) => {
                    tracing::warn!("kafka: a transaction stays open until its time is up: {error}");
                    return false;
                }
            }
        }
        false
    }

    fn transaction(&self, chunk: &mut Chunk<'_>) -> Result<(), Stopped> {
        let failed = |attempted: &str, error: &KafkaError| self.failed(attempted, error);
        self.producer.context().begin(chunk.records);
        self.producer.begin_transaction().map_err(|error| failed("begin a transaction", &error))?;
        let now_ms = now_ms();
        for record in 0..chunk.records.map_or(0, RecordBatch::len) {
            if chunk.sorting.is_cut(record) {
                self.drain()?;
            }
            if let Some(records) = chunk.records.filter(|_| !chunk.sorting.faults().contains_key(&record)) {
                self.send(records, record, now_ms, chunk)?;
            }
        }
        self.set_aside(chunk)?;
        let (key, value) = Markers::record(chunk.key, chunk.marker);
        let marker = BaseRecord::<[u8], [u8], usize>::with_opaque_to(&self.options.marker_topic, NO_RECORD);
        self.enqueue(marker.key(&key).payload(&value).partition(0))?;
        self.drain()?;
        self.producer.commit_transaction(ANSWER).map_err(|error| failed("commit a transaction", &error).into())
    }

    /// Waits until all is taken that was sent.
    fn drain(&self) -> Result<(), Stopped> {
        while self.producer.in_flight_count() > 0 {
            self.pause()?;
        }
        self.delivered()
    }

    fn send(&self, records: &RecordBatch, record: usize, now_ms: i64, chunk: &mut Chunk<'_>) -> Result<(), Stopped> {
        let TargetOptions { cluster, destination, topics, rules, .. } = &*self.options;
        let sets_aside = self.quarantine.is_some();
        let topic = match destination.find(records, record, &self.options.reserved()) {
            Err(why) if sets_aside => return self.leave_out(chunk, record, why),
            Err(_) => destination.of(records, record, &self.options.reserved())?,
            Ok(topic) => topic,
        };
        // Where one is named that is not there, it is the record's fault.
        let of_record = destination.fixed().is_none();
        if sets_aside && of_record {
            let seen = chunk.useless.get(&*topic).map_or_else(|| topics.seen(cluster, &topic), |seen| Ok(*seen))?;
            if let Some(why) = seen.why_not(&topic) {
                chunk.useless.insert(topic.to_string(), seen);
                return self.leave_out(chunk, record, why);
            }
        } else {
            topics.see(cluster, &topic, of_record)?;
        }
        if sets_aside {
            match rules.verdict(cluster, &topic, &Measured::of(records, record), now_ms) {
                Verdict::Misfit(why) => return self.leave_out(chunk, record, why),
                Verdict::Apart => {
                    self.drain()?;
                    chunk.sorting.keep_apart(record);
                }
                Verdict::Sent => {}
            }
        }
        match self.enqueue(message_of(BaseRecord::with_opaque_to(&topic, record), records, record)) {
            Err(Stopped::Refused(refused)) if refused.0.len() == 1 && refused.0.contains_key(&record) => {
                // librdkafka itself has not taken it, and nothing has come of that.
                self.leave_out(chunk, record, cluster.not_taken(refused.0[&record]))
            }
            sent => sent,
        }
    }

    fn leave_out(&self, chunk: &mut Chunk<'_>, record: usize, why: String) -> Result<(), Stopped> {
        chunk.sorting.is_at_fault(record, why);
        Ok(self.admit(chunk)?)
    }

    /// Sends what is set aside of a chunk.
    fn set_aside(&self, chunk: &Chunk<'_>) -> Result<(), Stopped> {
        let (Some(quarantine), Some(records)) = (&self.quarantine, chunk.records) else { return Ok(()) };
        for (record, why) in chunk.sorting.faults() {
            let TargetOptions { destination, .. } = &*self.options;
            let topic = destination.find(records, *record, &self.options.reserved()).ok().map(|topic| topic.into_owned());
            let misfit = Misfit { why: why.clone(), topic, ..Misfit::of_chunk(records, *record, chunk.marker) };
            self.enqueue(quarantine.message_of(&misfit, NO_RECORD))?;
        }
        Ok(())
    }

    /// Hands a message to librdkafka, whose queue may be full for a while.
    fn enqueue(&self, mut message: BaseRecord<'_, [u8], [u8], usize>) -> Result<(), Stopped> {
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    message = back;
                    self.pause()?;
                }
                Err((error, back)) => {
                    // Where a message has been refused before, nothing more is taken.
                    self.producer.poll(PAUSE);
                    self.delivered()?;
                    let failed = self.failed(&said_of(back.topic, back.key, bytes_of(back.key, back.payload), None), &error);
                    let of_record =
                        error.rdkafka_error_code().filter(|code| Weight::of(*code) == Weight::AtFault && self.quarantine.is_some());
                    return Err(match of_record.filter(|_| back.delivery_opaque != NO_RECORD) {
                        Some(code) => Stopped::Refused(Box::new((BTreeMap::from([(back.delivery_opaque, code)]), failed))),
                        None if error.rdkafka_error_code().map(Weight::of) == Some(Weight::GivenUp) => Stopped::GivenUp(failed),
                        None => Stopped::Failed(failed),
                    });
                }
            }
        }
    }

    /// Leaves the queue alone for a moment. To wait for what it says would not do: in its last millisecond librdkafka's wait looks at the clock and does nothing
    /// else, and it says nothing of what goes well.
    fn pause(&self) -> Result<(), Stopped> {
        rest();
        self.delivered()
    }

    /// Fails where a message has been refused.
    fn delivered(&self) -> Result<(), Stopped> {
        self.producer.poll(Duration::ZERO);
        let Producing { told, .. } = &**self.producer.context();
        // With what it has, it is refused; the next session reads what there is by then.
        if let Some(refusal) = told.refusal() {
            let cluster = &self.options.cluster;
            return Err(cluster.refused(&format!("write to the Kafka cluster at {}", cluster.brokers), &refusal).into());
        }
        if let Some(topic) = told.forbidden() {
            return Err(self.forbidden(&topic).into());
        }
        if self.producer.context().refusals().worst().is_none() {
            return Ok(());
        }
        self.hear_out();
        let refusals = self.producer.context().refusals().clone();
        let Some(worst) = refusals.worst() else { return Ok(()) };
        let error = self.failed(&worst.said, &worst.error);
        Err(match refusals.of_records().filter(|_| self.quarantine.is_some()) {
            Some(refused) => Stopped::Refused(Box::new((refused.clone(), error))),
            None if worst.weight == Weight::GivenUp => Stopped::GivenUp(error),
            None => Stopped::Failed(error),
        })
    }

    /// The error of a topic that the cluster does not let this client write to any more. One that records name is looked at again then, by whoever takes over.
    fn forbidden(&self, topic: &str) -> EngineError {
        let TargetOptions { cluster, topics, .. } = &*self.options;
        topics.forget(topic);
        cluster.lacks(&format!("write to the topic `{topic}`"), Right::Write, Resource::Topic(topic))
    }

    /// Hears of what is still on its way.
    fn hear_out(&self) {
        for _ in 0..HEARD_OUT {
            self.producer.poll(Duration::ZERO);
            if self.producer.in_flight_count() == 0 {
                return;
            }
            rest();
        }
    }

    fn failed(&self, attempted: &str, error: &KafkaError) -> EngineError {
        explained(&self.options.cluster, attempted, error, &self.producer.context().told)
    }
}

#[expect(clippy::disallowed_methods, reason = "the thread is the publisher's own, and no task of the job waits for it")]
fn rest() {
    std::thread::sleep(PAUSE);
}
