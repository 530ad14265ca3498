//! The rules of topics, as the cluster has told them. A client that may not ask, or is not answered, knows of none, and goes by what becomes of its messages alone.

use super::client::Cluster;
use super::made_topics::{options, wait};
use super::rules::{Measured, TopicRules, Verdict};
use rdkafka::admin::{OwnedResourceSpecifier, ResourceSpecifier};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Rules that are older are asked for again before a record is set aside because of them, so that a limit that was raised is heard of; and where the cluster has refused something.
const FRESH: Duration = Duration::from_secs(5);

/// Of the topics that were asked for.
#[derive(Default)]
pub(super) struct KnownRules(Mutex<BTreeMap<String, Known>>);

#[derive(Clone, Copy)]
struct Known {
    rules: TopicRules,
    learned: Instant,
}

#[expect(clippy::disallowed_methods, reason = "the age of an answer of the cluster is a matter of real time")]
fn now() -> Instant {
    Instant::now()
}

impl Known {
    fn is_fresh(&self) -> bool {
        now().duration_since(self.learned) < FRESH
    }
}

impl KnownRules {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, topic: &str) -> Option<Known> {
        self.all().get(topic).copied()
    }

    /// Those of a topic; none where nobody has asked.
    pub(super) fn get(&self, topic: &str) -> TopicRules {
        self.known(topic).map(|known| known.rules).unwrap_or_default()
    }

    /// True where those of each of these topics have been asked for, and are not in doubt.
    pub(super) fn knows<'t>(&self, mut topics: impl Iterator<Item = &'t str>) -> bool {
        let all = self.all();
        topics.all(|topic| all.contains_key(topic))
    }

    /// Asks for those of topics, and waits for the answer.
    pub(super) fn learn(&self, cluster: &Cluster, topics: &[&str]) {
        let mut found = asked(cluster, topics);
        let mut all = self.all();
        for topic in topics {
            let known = Known { rules: found.remove(*topic).unwrap_or_default(), learned: now() };
            all.insert((*topic).to_owned(), known);
        }
    }

    /// The cluster has refused something: what is known may not hold any more.
    pub(super) fn doubt(&self) {
        self.all().retain(|_, known| known.is_fresh());
    }

    /// What is to become of a record; `None`: the cluster has to be asked first.
    pub(super) fn known_verdict(&self, topic: &str, measured: &Measured, is_compressed: bool, now_ms: i64) -> Option<Verdict> {
        let known = self.known(topic)?;
        match known.rules.verdict(topic, measured, is_compressed, now_ms) {
            Verdict::Misfit(_) if !known.is_fresh() => None,
            verdict => Some(verdict),
        }
    }

    /// The same from a thread that may wait for the cluster, which is asked where that is needed.
    pub(super) fn verdict(&self, cluster: &Cluster, topic: &str, measured: &Measured, now_ms: i64) -> Verdict {
        let is_compressed = cluster.compresses();
        self.known_verdict(topic, measured, is_compressed, now_ms).unwrap_or_else(|| {
            self.learn(cluster, &[topic]);
            self.get(topic).verdict(topic, measured, is_compressed, now_ms)
        })
    }
}

/// The rules of those topics of which the cluster tells them.
fn asked(cluster: &Cluster, topics: &[&str]) -> BTreeMap<String, TopicRules> {
    let mut found = BTreeMap::new();
    let admin = match cluster.admin() {
        Ok(admin) => admin,
        Err(error) => {
            tracing::debug!("kafka: what topics take is not asked: {error}");
            return found;
        }
    };
    let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let answers = wait(admin.describe_configs(&resources, &options(cluster))).unwrap_or_else(|error| {
        tracing::debug!("kafka: what topics take is not told: {error}");
        Vec::new()
    });
    for answer in answers {
        match answer {
            Ok(resource) => {
                let rules = TopicRules::of(|name| resource.get(name).and_then(|entry| entry.value.as_deref()));
                if let OwnedResourceSpecifier::Topic(topic) = resource.specifier {
                    found.insert(topic, rules);
                }
            }
            Err(code) => tracing::debug!("kafka: what a topic takes is not told: {code}"),
        }
    }
    found
}
