//! The topic that says how much is published: for each marker the newest record counts.
//!
//! Whoever reads it has taken over before, so nothing of an older publisher can come any more; what has to be seen is all that was committed until then. Its end
//! is asked for as a reader of uncommitted records has it. When a reader of committed ones has as much in front of it, which another job's open transaction holds
//! back, it is read until that reader is told that it has come to the end. (Its position would not do: behind the records of a transaction that was aborted it stays
//! where it was.)

use super::client::{Cluster, Consumer, Isolation};
use super::made_topics::{Admin, MadeTopic, options, wait};
use super::publishing::TRANSACTION_TIMEOUT;
use super::rights::{Resource, Right};
use rdkafka::admin::ResourceSpecifier;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::{EngineError, ErrorKind};

/// How the topic is made. Only what lies in closed segments is compacted, and by default one is closed after a week or at 1 GiB, and compacted once half of it is out of date: at ten
/// checkpoints a second that would be hundreds of MiB a day to be read at each takeover. So segments are closed every ten minutes or at 16 MiB, and compacted once a tenth is: what is read
/// then is what ten minutes bring.
const SETTINGS: [(&str, &str); 4] =
    [("cleanup.policy", "compact"), ("segment.ms", "600000"), ("segment.bytes", "16777216"), ("min.cleanable.dirty.ratio", "0.1")];

/// How long a poll waits.
const POLL: Duration = Duration::from_millis(50);

/// All markers of a topic.
#[derive(Debug, Default)]
pub(super) struct Markers(BTreeMap<MarkerKey, Marker>);

impl Markers {
    pub(super) fn get(&self, key: &MarkerKey) -> Option<Marker> {
        self.0.get(key).cloned()
    }

    pub(super) fn set(&mut self, key: MarkerKey, marker: Marker) {
        self.0.insert(key, marker);
    }

    /// The key and the value of the record that says that `marker` is that of `key`.
    pub(super) fn record(key: &MarkerKey, marker: &Marker) -> (Vec<u8>, Vec<u8>) {
        let json = |of: serde_json::Result<Vec<u8>>| of.expect("it becomes JSON");
        (json(serde_json::to_vec(key)), json(serde_json::to_vec(marker)))
    }

    /// Takes in a record of the topic.
    fn learn(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> serde_json::Result<()> {
        let key = serde_json::from_slice(key.unwrap_or_default())?;
        match value {
            Some(value) => _ = self.0.insert(key, serde_json::from_slice(value)?),
            None => _ = self.0.remove(&key),
        }
        Ok(())
    }

    /// Reads all that was committed until now, by a client of its own.
    pub(super) fn read(cluster: &Cluster, reader: &Consumer, topic: &str) -> Result<Self, EngineError> {
        let reading = Reading { cluster, reader, topic, until: now() + cluster.connect_timeout.max(TRANSACTION_TIMEOUT) };
        let ends = cluster.asking(Isolation::Uncommitted)?;
        let end = reading.end(&ends)?;
        while reading.end(reader)? < end {
            reading.in_time()?;
            _ = reader.poll(POLL);
        }
        reading.all()
    }

    /// Sees that the topic is there, with one partition, and keeps what is the newest of each marker.
    pub(super) fn make_topic(cluster: &Cluster, client: &Consumer, topic: &str) -> Result<(), EngineError> {
        match Self::look_at_topic(cluster, client, topic)? {
            true => Ok(()),
            false => made(topic).make(cluster, &*cluster.admin()?),
        }
    }

    /// Sees that the topic, where it is there, is as it has to be. False: it is not there.
    pub(super) fn look_at_topic(cluster: &Cluster, client: &Consumer, topic: &str) -> Result<bool, EngineError> {
        match made(topic).partitions(cluster, client)? {
            None => Ok(false),
            Some(1) => is_compacted(&*cluster.admin()?, cluster, topic).map(|()| true),
            Some(partitions) => {
                let message = format!("the marker topic `{topic}` of the Kafka cluster at {} has {partitions} partitions", cluster.brokers);
                Err(EngineError::new(ErrorKind::FixInput, message).with_hint("it has to have one: name another by `marker-topic`"))
            }
        }
    }
}

/// The topic, as it is made where it is not there.
fn made(topic: &str) -> MadeTopic<'_> {
    MadeTopic { called: "marker topic", name: topic, settings: &SETTINGS }
}

/// A look at the markers. What is not seen in time is an error, and not "no marker".
struct Reading<'a> {
    cluster: &'a Cluster,
    reader: &'a Consumer,
    topic: &'a str,
    until: Instant,
}

#[expect(clippy::disallowed_methods, reason = "a thread of its own waits for the cluster, in real time")]
fn now() -> Instant {
    Instant::now()
}

impl Reading<'_> {
    fn failed(&self, error: &KafkaError, client: &Consumer) -> EngineError {
        self.cluster.failed(&format!("read the markers in `{}`", self.topic), error, Some(client.context()))
    }

    fn in_time(&self) -> Result<(), EngineError> {
        match now() > self.until {
            true => Err(self.failed(&KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut), self.reader)),
            false => Ok(()),
        }
    }

    /// Where the topic ends, as a client sees it. It is there: who does not know it yet, or no leader of it, has to be asked again.
    fn end(&self, client: &Consumer) -> Result<i64, EngineError> {
        use RDKafkaErrorCode::{LeaderNotAvailable, UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
        loop {
            let error = match client.fetch_watermarks(self.topic, 0, self.cluster.connect_timeout) {
                Ok((_, end)) => return Ok(end),
                Err(error) => error,
            };
            match error.rdkafka_error_code() {
                Some(LeaderNotAvailable | UnknownPartition | UnknownTopic | UnknownTopicOrPartition) => _ = client.poll(POLL),
                _ => return Err(self.failed(&error, client)),
            }
            self.in_time()?;
        }
    }

    /// From the first one to where the reader is told that it has come to the end.
    fn all(&self) -> Result<Markers, EngineError> {
        let mut from = TopicPartitionList::new();
        let assigned = from.add_partition_offset(self.topic, 0, Offset::Beginning).and_then(|()| self.reader.assign(&from));
        assigned.map_err(|error| self.failed(&error, self.reader))?;
        let mut markers = Markers::default();
        loop {
            match self.reader.poll(POLL) {
                Some(Ok(message)) => {
                    let learned = markers.learn(message.key(), message.payload());
                    learned.map_err(|error| no_marker(self.topic, message.offset(), &error))?;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(markers),
                Some(Err(error)) => tracing::debug!("{}", self.failed(&error, self.reader)),
                None => {}
            }
            self.in_time()?;
        }
    }
}

fn is_compacted(admin: &Admin, cluster: &Cluster, topic: &str) -> Result<(), EngineError> {
    let attempted = format!("look at the marker topic `{topic}`");
    let answer = wait(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options(cluster)));
    let failed = |error: &KafkaError| cluster.failed(&attempted, error, Some(admin.inner().context()));
    let found = answer.map_err(|error| failed(&error))?.pop();
    let policy = match found {
        // rdkafka does not hand on why there are no settings of a topic that is there.
        Some(Ok(resource)) if resource.entries.is_empty() => {
            return Err(cluster.lacks(&attempted, Right::DescribeConfigs, Resource::Topic(topic)));
        }
        Some(Ok(resource)) => resource.get("cleanup.policy").and_then(|entry| entry.value.clone()),
        Some(Err(code)) => return Err(failed(&KafkaError::AdminOp(code))),
        None => None,
    };
    match policy.as_deref() {
        Some("compact") => Ok(()),
        other => {
            let policy = other.unwrap_or("unknown");
            let message = format!(
                "the marker topic `{topic}` of the Kafka cluster at {} has cleanup.policy={policy}: markers would be deleted",
                cluster.brokers
            );
            Err(EngineError::new(ErrorKind::FixInput, message).with_hint("set it to `compact`, or name another by `marker-topic`"))
        }
    }
}

fn no_marker(topic: &str, offset: i64, error: &serde_json::Error) -> EngineError {
    let message = format!("read the markers in `{topic}`: the record at offset {offset} is none: {error}");
    EngineError::new(ErrorKind::FixInput, message).with_hint("nothing but weir may write there: name another topic by `marker-topic`")
}
