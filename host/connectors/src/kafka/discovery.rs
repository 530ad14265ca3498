//! Which partitions there are, where they begin and end, and whether those of a checkpoint are still the same. All of it waits for the cluster's answers, for
//! at most `connect-timeout` each.

use super::client::{Asking, Cluster, Consumer, Isolation, Pace, listen};
use super::partition::{PartitionSpec, Position};
use super::rights::{Resource, Right};
use super::settings::{OnReset, SourceOptions, Start};
use super::source::{Reset, Resets};
use super::topics::Topics;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use weir_engine::{EngineError, ErrorKind, SplitState};

/// What can be done about records that are not there any more.
const ON_RESET: &str = "`on-reset = \"earliest\"` goes on with the oldest record there is, \"latest\" with what comes; --fresh begins anew";

/// What a client has to say that is no answer is there within this.
const HEARD_WITHIN: Duration = Duration::from_millis(20);

/// A client that asks.
pub(super) struct Discovery<'a> {
    options: &'a SourceOptions,
    client: Asking<Consumer>,
}

/// A topic's name and the number of a partition of it.
type Place = (String, i32);

impl<'a> Discovery<'a> {
    pub(super) fn new(options: &'a SourceOptions) -> Result<Self, EngineError> {
        let client = options.cluster.consumer(options.group.as_deref(), Isolation::Committed, Pace::ASKING, || {})?;
        Ok(Self { options, client: Asking::new(client) })
    }

    fn cluster(&self) -> &'a Cluster {
        &self.options.cluster
    }

    fn timeout(&self) -> Duration {
        self.cluster().connect_timeout
    }

    /// An answer, or what is wrong with the cluster.
    fn answer<T>(&self, attempted: &str, answer: KafkaResult<T>) -> Result<T, EngineError> {
        answer.inspect(|_| self.cluster().answered()).map_err(|error| {
            listen(&self.client);
            self.cluster().at_start(self.cluster().failed(attempted, &error, Some(self.client.context())))
        })
    }

    /// All partitions of a start.
    pub(super) fn all(&self) -> Result<Vec<SplitState>, EngineError> {
        let places = self.places()?;
        if places.is_empty() {
            let message = format!("no topic of the Kafka cluster at {} matches {}", self.cluster().brokers, self.options.topics.shown());
            return Err(EngineError::new(ErrorKind::FixInput, message));
        }
        self.may_read(&places)?;
        let begins = self.begins(&places)?;
        self.cluster().has_rights();
        self.specs(places, |place, ends| begins.get(place).copied().unwrap_or(ends.0))
    }

    /// Those that have come; they are read from their oldest record on.
    pub(super) fn new_since(&self, known: &[SplitState], resets: &Resets) -> Result<Vec<SplitState>, EngineError> {
        self.same_topics(known, resets)?;
        let known: BTreeSet<&str> = known.iter().map(|split| split.id.as_str()).collect();
        let new = self.places()?.into_iter().filter(|(topic, partition)| !known.contains(format!("{topic}/{partition}").as_str()));
        self.specs(new.collect(), |_, ends| ends.0)
    }

    /// Sees that what is read is of the topics that it was of: where one was made anew under its name whose offsets go on, no broker says so. With `on-reset` the
    /// attempt ends, and the next one goes on as that says.
    fn same_topics(&self, known: &[SplitState], resets: &Resets) -> Result<(), EngineError> {
        let known = known.iter().map(PartitionSpec::parse).collect::<Result<Vec<_>, _>>()?;
        let ids = self.topic_ids(known.iter().map(|(spec, _)| spec.topic.as_str()))?;
        for (spec, position) in &known {
            let Some(position) = position else { continue };
            let id = ids.get(&spec.topic);
            // No checkpoint says yet that it was gone on with.
            let is_known = resets.get(&spec.id()).is_some_and(|reset| reset.topic_id.as_ref() == id);
            if !is_known && spec.is_other_topic(position, id) {
                let message = format!("{} was deleted and made anew while it was read", self.called(spec));
                return Err(match self.options.on_reset {
                    OnReset::Fail => EngineError::new(ErrorKind::FixInput, message).with_hint(ON_RESET),
                    OnReset::Earliest | OnReset::Latest => EngineError::new(ErrorKind::Restart, message),
                });
            }
        }
        Ok(())
    }

    fn topic_ids<'t>(&self, topics: impl Iterator<Item = &'t str>) -> Result<BTreeMap<String, String>, EngineError> {
        let topics: BTreeSet<&str> = topics.collect();
        match topics.is_empty() {
            true => Ok(BTreeMap::new()),
            false => self.answer("ask for the ids of the topics", self.cluster().topic_ids(&self.client, &topics)),
        }
    }

    /// As messages call a partition.
    fn called(&self, spec: &PartitionSpec) -> String {
        format!("`{}`, partition {}, of the Kafka cluster at {}", spec.topic, spec.partition, self.cluster().brokers)
    }

    fn specs(&self, places: Vec<Place>, from: impl Fn(&Place, (i64, i64)) -> i64) -> Result<Vec<SplitState>, EngineError> {
        let cluster = self.cluster_id();
        let ids = self.topic_ids(places.iter().map(|(topic, _)| topic.as_str()))?;
        let spec = |place: Place| {
            let ends = self.ends(&place)?;
            let from = from(&place, ends);
            let until = self.options.is_bounded.then_some(ends.1);
            let (topic, partition) = place;
            let topic_id = ids.get(&topic).cloned();
            Ok(PartitionSpec { cluster: cluster.clone(), topic, topic_id, partition, from, until }.split())
        };
        places.into_iter().map(spec).collect()
    }

    fn cluster_id(&self) -> Option<String> {
        self.client.client().fetch_cluster_id(self.timeout())
    }

    /// The partitions that there are of the topics that are read.
    fn places(&self) -> Result<Vec<Place>, EngineError> {
        let mut places = Vec::new();
        match &self.options.topics {
            Topics::Named(names) => names.iter().try_for_each(|name| self.partitions_of(name, &mut places))?,
            Topics::Matching(_) => {
                let metadata = self.answer("list the topics", self.client.fetch_metadata(None, self.timeout()))?;
                for topic in metadata.topics().iter().filter(|topic| self.options.topics.has(topic.name())) {
                    places.extend(topic.partitions().iter().map(|partition| (topic.name().to_owned(), partition.id())));
                }
            }
        }
        places.sort();
        places.dedup();
        Ok(places)
    }

    /// Sees that this client may read these.
    fn may_read<'p>(&self, places: impl IntoIterator<Item = &'p Place>) -> Result<(), EngineError> {
        let topics: BTreeSet<(&str, Right)> = places.into_iter().map(|(topic, _)| (topic.as_str(), Right::Read)).collect();
        self.cluster().may(&self.client, &topics.into_iter().collect::<Vec<_>>())
    }

    fn partitions_of(&self, name: &str, places: &mut Vec<Place>) -> Result<(), EngineError> {
        let attempted = format!("look for the topic `{name}`");
        let metadata = self.answer(&attempted, self.client.fetch_metadata(Some(name), self.timeout()))?;
        for topic in metadata.topics().iter().filter(|topic| topic.name() == name) {
            if let Some(error) = topic.error() {
                if RDKafkaErrorCode::from(error) == RDKafkaErrorCode::TopicAuthorizationFailed {
                    return Err(self.cluster().lacks(&attempted, Right::Describe, Resource::Topic(name)));
                }
                self.answer(&attempted, Err(KafkaError::MetadataFetch(RDKafkaErrorCode::from(error))))?;
            }
            places.extend(topic.partitions().iter().map(|partition| (name.to_owned(), partition.id())));
        }
        Ok(())
    }

    /// The offset of the oldest record, and the one behind the newest that can be read.
    fn ends(&self, (topic, partition): &Place) -> Result<(i64, i64), EngineError> {
        let attempted = format!("ask for the ends of `{topic}`, partition {partition},");
        self.answer(&attempted, self.client.fetch_watermarks(topic, *partition, self.timeout()))
    }

    /// Where those are read from that are not read from their oldest record.
    fn begins(&self, places: &[Place]) -> Result<BTreeMap<Place, i64>, EngineError> {
        let mut begins = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        let found = match self.options.start {
            Start::Earliest => return Ok(begins),
            Start::Latest => {
                places.iter().try_for_each(|place| self.ends(place).map(|ends| _ = begins.insert(place.clone(), ends.1)))?;
                return Ok(begins);
            }
            Start::Group => {
                places.iter().for_each(|(topic, partition)| _ = list.add_partition(topic, *partition));
                let found = self.client.committed_offsets(list, self.timeout());
                if let (Err(error), Some(group)) = (&found, &self.options.group)
                    && self.is_of_group_rights(error)
                {
                    return Err(self.cluster().lacks("ask for the offsets of the group", Right::Describe, Resource::Group(group)));
                }
                self.answer("ask for the offsets of the group", found)?
            }
            Start::Timestamp(timestamp) => {
                let with_time = |(topic, partition): &Place| list.add_partition_offset(topic, *partition, Offset::Offset(timestamp));
                self.answer("ask for the offsets of a time", places.iter().try_for_each(with_time))?;
                self.answer("ask for the offsets of a time", self.client.offsets_for_times(list, self.timeout()))?
            }
        };
        for element in found.elements() {
            let place = (element.topic().to_owned(), element.partition());
            self.answer("ask where to begin", element.error())?;
            match (element.offset(), self.options.start) {
                (Offset::Offset(offset), _) => _ = begins.insert(place, offset),
                // Nothing is so new.
                (_, Start::Timestamp(_)) => {
                    let end = self.ends(&place)?.1;
                    begins.insert(place, end);
                }
                _ => {}
            }
        }
        Ok(begins)
    }

    /// True where the group may not be asked for. Librdkafka waits for its coordinator all the same, and has said why before.
    fn is_of_group_rights(&self, error: &KafkaError) -> bool {
        let is_that = |error: &KafkaError| error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed);
        let mut said = std::iter::from_fn(|| self.client.poll(HEARD_WITHIN));
        is_that(error) || said.any(|said| said.is_err_and(|error| is_that(&error)))
    }

    /// Whether what a checkpoint has read can be gone on with. Lines for the user, and where those are gone on with whose next record is not there any more.
    pub(super) fn verify(&self, splits: &[SplitState]) -> Result<(Vec<String>, Resets), EngineError> {
        let places: BTreeSet<Place> = self.places()?.into_iter().collect();
        self.may_read(&places)?;
        self.cluster().has_rights();
        let cluster = self.cluster_id();
        let ids = self.topic_ids(places.iter().map(|(topic, _)| topic.as_str()))?;
        let (mut said, mut resets) = (Vec::new(), Resets::new());
        for split in splits {
            let (spec, position) = PartitionSpec::parse(split)?;
            if let (Some(before), Some(now)) = (&spec.cluster, &cluster)
                && before != now
            {
                let message = format!("the Kafka cluster at {} is {now}, and what has been read was of {before}", self.cluster().brokers);
                return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("mend `brokers`, or begin anew with --fresh"));
            }
            let Some(position) = position else { continue };
            if !places.contains(&(spec.topic.clone(), spec.partition)) {
                return Err(self.gone(&spec));
            }
            let id = ids.get(&spec.topic);
            if let Some((line, offset)) = self.verify_position(&spec, &position, id)? {
                said.push(line);
                resets.insert(split.id.clone(), Reset { offset, topic_id: id.cloned() });
            }
        }
        Ok((said, resets))
    }

    fn gone(&self, spec: &PartitionSpec) -> EngineError {
        let (why, hint) = match self.options.topics.has(&spec.topic) {
            true => ("is gone", "a topic that was deleted and made anew is another one: begin anew with --fresh"),
            false => ("is none of `topics` any more", "add it again: what it holds has not been read to its end"),
        };
        EngineError::new(ErrorKind::FixInput, format!("{} {why}", self.called(spec))).with_hint(hint)
    }

    /// What to say of a partition that is gone on with elsewhere than at its position, and where. Its topic has this id.
    fn verify_position(
        &self,
        spec: &PartitionSpec,
        position: &Position,
        topic_id: Option<&String>,
    ) -> Result<Option<(String, i64)>, EngineError> {
        let (oldest, end) = self.ends(&(spec.topic.clone(), spec.partition))?;
        let of = self.called(spec);
        if let Some(until) = spec.until.filter(|until| *until > end) {
            let message = format!("{of} went up to offset {until} when the job began, and ends at {end}: it is not the one that it was");
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint("begin anew with --fresh"));
        }
        let Position { offset, .. } = *position;
        let why = if spec.is_other_topic(position, topic_id) {
            "was deleted and made anew since it was read: it is not the one that it was".into()
        } else if offset < oldest {
            let deleted = oldest - offset;
            format!("is to be read from offset {offset} on, and its oldest record has offset {oldest}: {deleted} have been deleted")
        } else if offset > end {
            format!("has been read up to offset {offset}, and ends at {end}: it is not the one that was read")
        } else {
            return Ok(None);
        };
        let message = format!("{of} {why}");
        match self.options.on_reset {
            OnReset::Fail => Err(EngineError::new(ErrorKind::FixInput, message).with_hint(ON_RESET)),
            OnReset::Earliest => Ok(Some((format!("{message}; it is read from its oldest record on"), oldest))),
            OnReset::Latest => Ok(Some((format!("{message}; what comes is read"), end))),
        }
    }
}
