//! Hands records to the producer of a writer. One whose topic has not been seen yet is parked, and what comes behind it: whether the topic is there is asked for on a thread of its own, which
//! hands them on in their order. Meanwhile the writer has no room, and no data thread waits for the cluster.

use super::client::aside;
use super::producers::message_of;
use super::quarantine::Misfit;
use super::refusals::{Weight, bytes_of, explained, now_ms, said_of};
use super::rules::{Measured, Verdict};
use super::target::TargetOptions;
use super::writing::{Handed, Producer, Returned, Returns};
use rdkafka::producer::{BaseRecord, Producer as _};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use weir_engine::element::NO_TIMESTAMP;
use weir_engine::{EngineError, RecordBatch};

/// A writer's producer, and what waits in front of it.
pub(super) struct Sender {
    pub options: Arc<TargetOptions>,
    pub producer: Producer,
    parked: Mutex<Parked>,
    /// The writer is gone.
    is_over: AtomicBool,
}

#[derive(Default)]
struct Parked {
    /// Somebody works it off.
    is_at_work: bool,
    batches: VecDeque<Waiting>,
}

/// The records of a batch from this one on, behind so many barriers.
struct Waiting {
    records: RecordBatch,
    from: usize,
    barriers: usize,
}

/// Where a record goes.
enum Way<'a> {
    To(Cow<'a, str>),
    /// No topic takes it, not even the one that it names, if it names one; and why.
    Aside(Option<Cow<'a, str>>, String),
}

impl<'a> Way<'a> {
    /// Of one that names a topic, of which this is known. One that may be too large once it is compressed is sent as well: it comes back where it is.
    fn by(topic: Cow<'a, str>, verdict: Verdict) -> Self {
        match verdict {
            Verdict::Sent | Verdict::Apart => Self::To(topic),
            Verdict::Misfit(why) => Self::Aside(Some(topic), why),
        }
    }
}

impl Sender {
    /// Of a writer that begins.
    pub(super) fn new(options: Arc<TargetOptions>) -> Result<Self, EngineError> {
        let returns = options.quarantine_topic.as_ref().map(|_| Returns { of_records: options.destination.fixed().is_none() });
        let producer = options.cluster.writer(returns, options.batch_bytes())?;
        Ok(Self { options, producer, parked: Mutex::default(), is_over: AtomicBool::new(false) })
    }

    /// The writer is gone: what waits is given up.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// True once the writer is gone.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch that comes behind so many barriers.
    pub(super) fn write(self: &Arc<Self>, records: &RecordBatch, barriers: usize) -> Result<(), EngineError> {
        let mut from = 0;
        // Nobody but this thread parks anything, so what is not at work stays so.
        if !self.parked().is_at_work {
            let now_ms = now_ms();
            while from < records.len() {
                let Some(way) = self.known_way(records, from, now_ms) else { break };
                self.hand_over(records, from, barriers);
                self.send(records, from, barriers, way)?;
                from += 1;
            }
        }
        if from == records.len() {
            return Ok(());
        }
        (from..records.len()).for_each(|record| self.hand_over(records, record, barriers));
        let mut parked = self.parked();
        parked.batches.push_back(Waiting { records: records.clone(), from, barriers });
        if !std::mem::replace(&mut parked.is_at_work, true) {
            self.producer.context().deliveries().park(true);
            let sender = self.clone();
            aside(move || sender.work_off());
        }
        Ok(())
    }

    /// Where a record goes; `None`: the cluster has to be asked.
    fn known_way<'a>(&'a self, records: &'a RecordBatch, record: usize, now_ms: i64) -> Option<Way<'a>> {
        let TargetOptions { cluster, destination, topics, rules, .. } = &*self.options;
        let topic = match destination.find(records, record, &self.options.reserved()) {
            Err(why) => return Some(Way::Aside(None, why)),
            Ok(topic) => topic,
        };
        let why_not = topics.get(&topic)?.why_not(&topic);
        match (why_not, self.producer.context().returns() && destination.fixed().is_none()) {
            (Some(why), true) => return Some(Way::Aside(Some(topic), why)),
            (Some(_), false) => return None,
            (None, _) if !self.producer.context().returns() => return Some(Way::To(topic)),
            (None, _) => {}
        }
        let verdict = rules.known_verdict(&topic, &Measured::of(records, record), cluster.compresses(), now_ms)?;
        Some(Way::by(topic, verdict))
    }

    /// The same; the cluster is asked where that is needed.
    fn asked_way<'a>(&'a self, records: &'a RecordBatch, record: usize) -> Result<Way<'a>, EngineError> {
        let TargetOptions { cluster, destination, topics, rules, .. } = &*self.options;
        let topic = match destination.find(records, record, &self.options.reserved()) {
            Err(why) => return Ok(Way::Aside(None, why)),
            Ok(topic) => topic,
        };
        let of_record = destination.fixed().is_none();
        if !self.producer.context().returns() || !of_record {
            topics.see(cluster, &topic, of_record)?;
        } else if let Some(why) = topics.seen(cluster, &topic)?.why_not(&topic) {
            return Ok(Way::Aside(Some(topic), why));
        }
        if !self.producer.context().returns() {
            return Ok(Way::To(topic));
        }
        let verdict = rules.verdict(cluster, &topic, &Measured::of(records, record), now_ms());
        Ok(Way::by(topic, verdict))
    }

    /// It may be acknowledged before anything more happens here.
    fn hand_over(&self, records: &RecordBatch, record: usize, barriers: usize) {
        self.producer.context().deliveries().hand_over(barriers, bytes_with_headers(records, record));
    }

    /// Works off what is parked, topic by topic as each is found.
    fn work_off(&self) {
        loop {
            let waiting = {
                let mut parked = self.parked();
                let waiting = parked.batches.pop_front();
                if waiting.is_none() {
                    parked.is_at_work = false;
                    self.producer.context().deliveries().park(false);
                }
                waiting
            };
            let Some(Waiting { records, from, barriers }) = waiting else { return };
            for record in from..records.len() {
                if self.is_over() {
                    return;
                }
                let way = self.asked_way(&records, record);
                if let Err(error) = way.and_then(|way| self.send(&records, record, barriers, way)) {
                    return self.producer.context().deliveries().fail((Weight::AtFault, 0), || error);
                }
            }
        }
    }

    /// Sends a record that is handed over to the topic that was found for it, or says that it is at fault.
    fn send(&self, records: &RecordBatch, record: usize, barriers: usize, way: Way<'_>) -> Result<(), EngineError> {
        let TargetOptions { cluster, destination, .. } = &*self.options;
        let writing = self.producer.context();
        let time = Some(records.timestamps()[record]).filter(|time| *time != NO_TIMESTAMP);
        let handed = Handed { barriers, bytes: bytes_with_headers(records, record), time };
        let at_fault = |topic: Option<String>, why: String| {
            let message = Misfit { topic, why, ..Misfit::of_record(records, record) };
            writing.give_back(Returned { message, handed, code: None });
            Ok(())
        };
        let topic = match way {
            Way::Aside(topic, why) if writing.returns() => return at_fault(topic.map(Cow::into_owned), why),
            Way::Aside(..) => destination.of(records, record, &self.options.reserved())?,
            Way::To(topic) => topic,
        };
        let message = message_of(BaseRecord::with_opaque_to(&topic, Box::new(handed)), records, record);
        self.producer.send(message).or_else(|(error, message)| match error.rdkafka_error_code() {
            Some(code) if writing.returns() && Weight::of(code) == Weight::AtFault => {
                at_fault(Some(topic.to_string()), cluster.not_taken(code))
            }
            _ => {
                writing.deliveries().settle(handed.barriers, handed.bytes);
                let said = said_of(message.topic, message.key, bytes_of(message.key, message.payload), None);
                Err(explained(cluster, &said, &error, &writing.told))
            }
        })
    }
}

/// Bytes of a record's key, value and headers.
fn bytes_with_headers(records: &RecordBatch, record: usize) -> usize {
    let headers = records.headers_of(record).map(|(name, value)| name.len() + value.len()).sum::<usize>();
    bytes_of(records.key(record), records.value(record)) + headers
}
