//! Topics that are written to, as they were seen last: a producer that asks for one that is not there may make it, so a consumer asks first, which does not; and whether it may be written to is asked
//! along with that.
//!
//! Records may name topics without end that are not there: what is known of such a one is kept for seconds.

use super::client::{Cluster, Found, Isolation};
use super::rights::{Resource, Right};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use weir_engine::{EngineError, ErrorKind};

/// So long a topic that a record names and that is not there, or may not be written to, is not looked for again.
const REMEMBERED: Duration = Duration::from_secs(5);

/// By their names.
#[derive(Default)]
pub(super) struct KnownTopics(Mutex<BTreeMap<String, (Seen, Instant)>>);

/// What was seen of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is there, and nothing is known of why it should not be written to.
    There,
    Missing,
    /// This client may not write to it.
    Forbidden,
}

impl Seen {
    /// Whether this holds `now`, where it was seen at `looked`. That a topic is there holds until it is forgotten.
    fn holds(self, looked: Instant, now: Instant) -> bool {
        self == Self::There || now.duration_since(looked) < REMEMBERED
    }

    /// Why nothing is written to it, of a topic that a record names.
    pub(super) fn why_not(self, topic: &str) -> Option<String> {
        match self {
            Self::There => None,
            Self::Missing => Some(format!("the topic `{topic}` is not there")),
            Self::Forbidden => Some(format!("the cluster does not give this client the right to {} on the topic `{topic}`", Right::Write)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the age of an answer of the cluster is a matter of real time")]
fn now() -> Instant {
    Instant::now()
}

impl KnownTopics {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, (Seen, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a topic; `None`: it has to be looked for.
    pub(super) fn get(&self, topic: &str) -> Option<Seen> {
        let (seen, looked) = *self.all().get(topic)?;
        seen.holds(looked, now()).then_some(seen)
    }

    /// Keeps what was seen now, and nothing any more that does not hold.
    fn keep(&self, topic: &str, seen: Seen, now: Instant) {
        let mut all = self.all();
        all.retain(|_, (seen, looked)| seen.holds(*looked, now));
        all.insert(topic.to_owned(), (seen, now));
    }

    /// An attempt begins: what an older one has seen may not hold.
    pub(super) fn forget_all(&self) {
        self.all().clear();
    }

    /// The cluster refuses what is written to it: what is known of it does not hold.
    pub(super) fn forget(&self, topic: &str) {
        self.all().remove(topic);
    }

    /// The same of a topic that the cluster does not let this client write to.
    pub(super) fn forbid(&self, topic: &str) {
        self.keep(topic, Seen::Forbidden, now());
    }

    /// Sees that a topic can be written to, where it is not known yet. `of_record`: a record names it, and what is wrong with it is wrong with the record.
    pub(super) fn see(&self, cluster: &Cluster, topic: &str, of_record: bool) -> Result<(), EngineError> {
        if self.get(topic) == Some(Seen::There) {
            return Ok(());
        }
        self.see_anew(cluster, topic).map_err(|error| match error.kind() {
            ErrorKind::Retry if of_record && self.get(topic) == Some(Seen::Forbidden) => {
                let of_record = EngineError::new(ErrorKind::FixInput, error.to_string());
                error.hint().iter().fold(of_record, |of_record, hint| of_record.with_hint(*hint))
            }
            _ => error,
        })
    }

    /// Sees that a topic can be written to.
    pub(super) fn see_anew(&self, cluster: &Cluster, topic: &str) -> Result<(), EngineError> {
        match self.look(cluster, topic)? {
            Seen::There => Ok(()),
            Seen::Missing => {
                let missing = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
                Err(cluster.failed(&looking(topic), &missing, None))
            }
            Seen::Forbidden => Err(cluster.lacks(&format!("write to the topic `{topic}`"), Right::Write, Resource::Topic(topic))),
        }
    }

    /// What there is of a topic that a record names. It asks the cluster where that is not known, and waits for the answer.
    pub(super) fn seen(&self, cluster: &Cluster, topic: &str) -> Result<Seen, EngineError> {
        self.get(topic).map_or_else(|| self.look(cluster, topic), Ok)
    }

    fn look(&self, cluster: &Cluster, topic: &str) -> Result<Seen, EngineError> {
        let client = cluster.asking(Isolation::Committed)?;
        let seen = match cluster.find(&client, topic, &looking(topic))? {
            Found::Nothing => Seen::Missing,
            Found::Forbidden => Seen::Forbidden,
            Found::Topic { .. } => {
                let rights = cluster.topic_rights(client.client().native_ptr(), &BTreeSet::from([topic]));
                if rights.get(topic).is_none_or(|rights| rights.writes) { Seen::There } else { Seen::Forbidden }
            }
        };
        self.keep(topic, seen, now());
        Ok(seen)
    }
}

fn looking(topic: &str) -> String {
    format!("look for the topic `{topic}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_are_not_there_are_kept_for_seconds_and_those_that_are_until_they_are_forgotten() {
        let (known, began) = (KnownTopics::default(), now());
        known.keep("there", Seen::There, began);
        for number in 0..10_000 {
            let seen = if number % 2 == 0 { Seen::Missing } else { Seen::Forbidden };
            known.keep(&format!("named-{number}"), seen, began + Duration::from_millis(100) * number);
        }
        // Ten in a second.
        assert_eq!(known.all().len(), 1 + 50);
        assert_eq!((known.get("there"), known.get("named-9999")), (Some(Seen::There), Some(Seen::Forbidden)));
        known.forget("there");
        assert_eq!(known.get("there"), None);
    }
}
