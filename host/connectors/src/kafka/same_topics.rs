//! Whether the topics of a publisher are still the ones that they were: one that was deleted and made anew under its name has another id.
//!
//! Of the topic of the markers it says nothing any more of what is published: a start sees that there is no marker; a publisher at work would write its next one, and nobody would ever hear of it. Of the
//! topic of the records it means that what the markers count as published is gone, which no start sees.

use super::client::Consumer;
use super::target::TargetOptions;
use rdkafka::bindings::rd_kafka_t;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use weir_engine::{EngineError, ErrorKind};

/// It is looked at in front of a chunk, where that has not been done for so long. It costs a question to the cluster, of about a millisecond.
const PAUSE: Duration = Duration::from_secs(1);

/// The ids of topics by their names, as they were; of one that is not in it the cluster has told none.
pub(super) struct SameTopics {
    ids: BTreeMap<String, String>,
    looked: Instant,
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own asks the cluster, in real time")]
fn now() -> Instant {
    Instant::now()
}

impl SameTopics {
    /// The topic of the markers as it is now, and that of the records as this process has seen it first.
    pub(super) fn of(options: &TargetOptions, client: &Consumer) -> Self {
        let mut ids = options.cluster.topic_ids(client, &topics(options)).unwrap_or_default();
        if let Some((topic, id)) = options.destination.fixed().and_then(|topic| ids.get_key_value(topic)) {
            let first = options.output_id.get_or_init(|| id.clone()).clone();
            let topic = topic.clone();
            ids.insert(topic, first);
        }
        Self { ids, looked: now() }
    }

    /// Fails where one is another one by now, or gone. A cluster that does not answer is asked again in front of another chunk; whether it takes this one it will say itself.
    pub(super) fn see(&mut self, options: &TargetOptions, client: *mut rd_kafka_t) -> Result<(), EngineError> {
        if self.looked.elapsed() < PAUSE {
            return Ok(());
        }
        self.looked = now();
        let Ok(ids) = options.cluster.topic_ids_by(client, &topics(options)) else { return Ok(()) };
        match (self.other(&ids), self.gone(&ids)) {
            (Some(topic), _) => Err(made_anew(options, topic)),
            // What is sent to it would wait until librdkafka gives it up, and nobody would be told why. The next takeover sees what there is.
            (None, Some(topic)) => Err(gone(options, topic)),
            (None, None) => Ok(()),
        }
    }

    /// The one that the cluster does not tell of any more, if any.
    fn gone(&self, now: &BTreeMap<String, String>) -> Option<&str> {
        self.ids.keys().find(|topic| !now.contains_key(*topic)).map(String::as_str)
    }

    /// The one that is another one, if any.
    fn other(&self, now: &BTreeMap<String, String>) -> Option<&str> {
        let is_other = |(topic, was): &(&String, &String)| now.get(*topic).is_some_and(|is| is != *was);
        self.ids.iter().find(is_other).map(|(topic, _)| topic.as_str())
    }
}

fn topics(options: &TargetOptions) -> BTreeSet<&str> {
    options.destination.fixed().into_iter().chain([options.marker_topic.as_str()]).collect()
}

fn made_anew(options: &TargetOptions, topic: &str) -> EngineError {
    let (called, lost, hint) = match topic == options.marker_topic {
        true => (
            "marker topic",
            "what it said of that is gone",
            "see what is there of the output; the next start goes by what the topic says then, and where that does not fit `--republish` or `--assume-published` decides",
        ),
        false => (
            "topic",
            "what was published to it is gone",
            "the next start publishes what comes; what is gone comes again where the job begins anew (`--fresh`)",
        ),
    };
    let message = format!(
        "the {called} `{topic}` of the Kafka cluster at {} was deleted and made anew while the job published: {lost}",
        options.cluster.brokers
    );
    EngineError::new(ErrorKind::FixInput, message).with_hint(hint)
}

fn gone(options: &TargetOptions, topic: &str) -> EngineError {
    let message = format!("the Kafka cluster at {} does not tell of the topic `{topic}` any more", options.cluster.brokers);
    EngineError::new(ErrorKind::Retry, message).with_hint("it was deleted, or this client has no right any more to Describe it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_id_is_another_topic_and_none_is_one_that_is_gone() {
        let ids = |all: &[(&str, &str)]| all.iter().map(|(topic, id)| ((*topic).to_owned(), (*id).to_owned())).collect::<BTreeMap<_, _>>();
        let same = SameTopics { ids: ids(&[("out", "a"), ("markers", "b")]), looked: now() };
        assert_eq!(same.other(&ids(&[("out", "a"), ("markers", "b"), ("third", "c")])), None);
        assert_eq!((same.other(&ids(&[])), same.gone(&ids(&[("out", "a")]))), (None, Some("markers")));
        assert_eq!(same.gone(&ids(&[("out", "x"), ("markers", "y"), ("third", "c")])), None);
        assert_eq!(same.other(&ids(&[("out", "x"), ("markers", "b")])), Some("out"));
        assert_eq!(same.other(&ids(&[("out", "a"), ("markers", "x")])), Some("markers"));
    }
}
