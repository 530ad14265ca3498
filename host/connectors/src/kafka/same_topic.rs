//! Whether the marker topic is still the one whose markers were read: one that was deleted and made anew under its name says nothing of what is published. A start sees that there is no marker; a
//! publisher at work would write its next one, and nobody would ever hear of it.

use super::client::{Cluster, Consumer};
use rdkafka::bindings::rd_kafka_t;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use weir_engine::{EngineError, ErrorKind};

/// It is looked at in front of a chunk, where that has not been done for so long. It costs a question to the cluster, of about a millisecond.
const PAUSE: Duration = Duration::from_secs(1);

/// A topic, as it was when its markers were read.
pub(super) struct SameTopic {
    topic: String,
    /// `None`: the cluster has not told it, or gives none.
    id: Option<String>,
    looked: Instant,
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own asks the cluster, in real time")]
fn now() -> Instant {
    Instant::now()
}

impl SameTopic {
    /// The one that there is now.
    pub(super) fn of(cluster: &Cluster, client: &Consumer, topic: &str) -> Self {
        let ids = cluster.topic_ids(client, &BTreeSet::from([topic]));
        Self { topic: topic.to_owned(), id: ids.ok().and_then(|mut ids| ids.remove(topic)), looked: now() }
    }

    /// Fails where it is another one by now. A cluster that does not say is asked again in front of another chunk; whether it takes this one it will say itself.
    pub(super) fn see(&mut self, cluster: &Cluster, client: *mut rd_kafka_t) -> Result<(), EngineError> {
        if self.looked.elapsed() < PAUSE {
            return Ok(());
        }
        self.looked = now();
        let ids = cluster.topic_ids_by(client, &BTreeSet::from([self.topic.as_str()])).unwrap_or_default();
        match (&self.id, ids.get(&self.topic)) {
            (Some(was), Some(is)) if was != is => {
                let message = format!(
                    "the marker topic `{}` of the Kafka cluster at {} was deleted and made anew while the job published: what it said of that is gone",
                    self.topic, cluster.brokers
                );
                let hint = "see what is there of the output; the next start goes by what the topic says then, and where that does not fit `--republish` or `--assume-published` decides";
                Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
            }
            _ => Ok(()),
        }
    }
}
