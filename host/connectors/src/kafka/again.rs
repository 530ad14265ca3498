//! Messages that came back to a writer: those that are at fault are set aside, and the others, which were refused along with one of them, are written again. By another producer: what the writer's own
//! sends meanwhile is in other batches. So they come behind what was sent in the meantime.

use super::client::Isolation;
use super::known_topics::Seen;
use super::quarantine::{Misfit, Quarantine};
use super::refusals::{NO_RECORD, Refusals, Weight, bytes_of, explained, now_ms, suspicion};
use super::rules::{Measured, Verdict};
use super::sorting::Sorting;
use super::target::TargetOptions;
use super::told::Producing;
use super::writing::Returned;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::EngineError;

/// How long a poll waits.
const POLL: Duration = Duration::from_millis(10);

/// What writes messages again, or sets them aside.
pub(super) struct Again {
    options: Arc<TargetOptions>,
    producer: BaseProducer<Producing>,
    quarantine: Quarantine,
    /// Of the writer's records these have been counted.
    counted: u64,
}

impl Again {
    /// For the first that come back: where they are to be set aside, there is a topic for that.
    pub(super) fn begin(options: Arc<TargetOptions>, topic: &str) -> Result<Self, EngineError> {
        Quarantine::see_topic(&options.cluster, &*options.cluster.asking(Isolation::Committed)?, topic)?;
        let quarantine = Quarantine::new(&options.cluster, topic, &options.rules.get(topic), options.counts.clone());
        let producer = options.cluster.second_writer(options.batch_bytes())?;
        Ok(Self { options, producer, quarantine, counted: 0 })
    }

    /// Writes or sets aside each of these, of so many that there have been; false where `is_over` says before that nobody waits for it.
    pub(super) fn deal(&mut self, returned: &[Returned], seen: u64, is_over: &dyn Fn() -> bool) -> Result<bool, EngineError> {
        self.options.counts.saw(seen - std::mem::replace(&mut self.counted, seen));
        let mut sorting = Sorting::default();
        for (place, returned) in returned.iter().enumerate().filter(|(_, returned)| returned.code.is_none()) {
            sorting.is_at_fault(place, returned.message.why.clone());
        }
        let now = now_ms();
        let is_clear = self.judge(returned, &mut sorting, now);
        let suspicion = |place: usize, code| {
            let Misfit { key, value, time, .. } = &returned[place].message;
            suspicion(code, key.as_deref(), bytes_of(key.as_deref(), value.as_deref()), *time, now)
        };
        let refused: BTreeMap<_, _> = returned.iter().enumerate().filter_map(|(place, returned)| Some((place, returned.code?))).collect();
        if let Some((_, code)) = refused.last_key_value().filter(|_| !is_clear) {
            self.quarantine.searches(refused.len(), &code.to_string());
            sorting.learn(&refused, suspicion);
        }
        let mut left: BTreeSet<usize> = (0..returned.len()).collect();
        loop {
            self.admit(&sorting)?;
            left.retain(|place| !sorting.faults().contains_key(place));
            if left.is_empty() {
                break;
            }
            let Some(sent) = self.write(returned, &left, &mut sorting, is_over)? else { return Ok(false) };
            let refusals = self.refusals();
            match (refusals.worst(), refusals.of_records()) {
                (None, _) => left.retain(|place| !sent.contains(place)),
                (Some(_), Some(refused)) => {
                    left.retain(|place| !sent.contains(place) || refused.contains_key(place));
                    if !sorting.learn(refused, suspicion) {
                        return Err(self.failed(&refusals));
                    }
                }
                (Some(_), None) => return Err(self.failed(&refusals)),
            }
        }
        self.set_aside(returned, &sorting, is_over)
    }

    /// Finds those that topics certainly refuse, by what these take now: by what was known before, the messages were sent. True where there are any; of the others it is not known then why they came
    /// back.
    fn judge(&self, returned: &[Returned], sorting: &mut Sorting, now_ms: i64) -> bool {
        let TargetOptions { cluster, rules, topics, .. } = &*self.options;
        rules.doubt();
        let before = sorting.faults().len();
        for (place, Returned { message, code, .. }) in returned.iter().enumerate().filter(|(_, returned)| returned.code.is_some()) {
            let Some(topic) = &message.topic else { continue };
            if *code == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
                topics.forbid(topic);
                sorting.is_at_fault(place, Seen::Forbidden.why_not(topic).unwrap_or_default());
                continue;
            }
            if let Verdict::Misfit(why) = rules.verdict(cluster, topic, &Measured::of_misfit(message), now_ms) {
                sorting.is_at_fault(place, why);
            }
        }
        sorting.faults().len() > before
    }

    fn admit(&self, sorting: &Sorting) -> Result<(), EngineError> {
        let why = sorting.faults().last_key_value().map_or("", |(_, why)| why);
        self.quarantine.admit(0, sorting.faults().len(), why)
    }

    /// Sends those that are left, up to the first cut behind which something was refused. Which were sent; `None`: nobody waits for it any more.
    fn write(
        &self,
        returned: &[Returned],
        left: &BTreeSet<usize>,
        sorting: &mut Sorting,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Option<BTreeSet<usize>>, EngineError> {
        self.producer.context().begin(None);
        let mut sent = BTreeSet::new();
        for place in left {
            if sorting.is_cut(*place) {
                if !self.drain(is_over)? {
                    return Ok(None);
                }
                if self.refusals().worst().is_some() {
                    break;
                }
            }
            match self.producer.send(again(&returned[*place].message, *place)) {
                Ok(()) => _ = sent.insert(*place),
                Err((error, _)) => match error.rdkafka_error_code().filter(|code| Weight::of(*code) == Weight::AtFault) {
                    Some(code) => sorting.is_at_fault(*place, self.options.cluster.not_taken(code)),
                    None => return Err(self.explained("write a message again", &error)),
                },
            }
        }
        Ok(self.drain(is_over)?.then_some(sent))
    }

    fn set_aside(&mut self, returned: &[Returned], sorting: &Sorting, is_over: &dyn Fn() -> bool) -> Result<bool, EngineError> {
        self.producer.context().begin(None);
        for (place, why) in sorting.faults() {
            let misfit = Misfit { why: why.clone(), ..returned[*place].message.clone() };
            let sent = self.producer.send(self.quarantine.message_of(&misfit, NO_RECORD));
            sent.map_err(|(error, _)| self.explained(&format!("set a record aside in `{}`", self.quarantine.topic), &error))?;
        }
        if !self.drain(is_over)? {
            return Ok(false);
        }
        let refusals = self.refusals();
        if refusals.worst().is_some() {
            return Err(self.failed(&refusals));
        }
        let why = sorting.faults().last_key_value().map(|(_, why)| why.as_str());
        self.quarantine.has_found(sorting.refusals());
        self.quarantine.count(0, sorting.faults().len(), why);
        Ok(true)
    }

    /// Waits until all is taken or refused that was sent; false: nobody waits for it any more.
    fn drain(&self, is_over: &dyn Fn() -> bool) -> Result<bool, EngineError> {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(POLL);
            if is_over() {
                return Ok(false);
            }
            if let Some(refusal) = self.producer.context().told.refusal() {
                let cluster = &self.options.cluster;
                return Err(cluster.refused(&format!("write to the Kafka cluster at {}", cluster.brokers), &refusal));
            }
        }
        Ok(true)
    }

    fn refusals(&self) -> Refusals {
        self.producer.context().refusals().clone()
    }

    fn failed(&self, refusals: &Refusals) -> EngineError {
        let worst = refusals.worst().expect("something was refused");
        self.explained(&worst.said, &worst.error)
    }

    fn explained(&self, attempted: &str, error: &KafkaError) -> EngineError {
        explained(&self.options.cluster, attempted, error, &self.producer.context().told)
    }
}

/// A message as it was.
fn again(message: &Misfit, place: usize) -> BaseRecord<'_, [u8], [u8], usize> {
    let mut again = BaseRecord::with_opaque_to(message.topic.as_deref().unwrap_or_default(), place);
    (again.key, again.payload) = (message.key.as_deref(), message.value.as_deref());
    again.timestamp = message.time.filter(|time| *time > 0);
    if !message.headers.is_empty() {
        let all = message.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        again.headers = Some(super::headers::headers(all));
    }
    again
}
