//! What is said instead of messages: errors that pass, and partitions that do not have what is read next. Where its records have been deleted, or were cut off and others have
//! taken their offsets, `on-reset` says what becomes of the job.

use super::{KafkaReader, Partition};
use crate::kafka::lost::{Found, Question};
use crate::kafka::partition::PartitionSpec;
use crate::kafka::queue::PartitionQueue;
use crate::kafka::rights::{Resource, Right};
use crate::kafka::settings::OnReset;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use weir_engine::{EngineError, ErrorKind};

impl KafkaReader {
    /// An error of no partition: librdkafka tries again by itself, unless nothing can come of that. A client that is refused goes on with what it has been given, and waits.
    pub(super) fn trouble(&mut self, error: &KafkaError) -> Result<(), EngineError> {
        use RDKafkaErrorCode::{Authentication, GroupAuthorizationFailed, SSL, SaslAuthenticationFailed, TopicAuthorizationFailed};
        match error.rdkafka_error_code() {
            Some(Authentication | SSL | SaslAuthenticationFailed) => {
                self.warn_once(self.failed("read", error).to_string());
                Ok(())
            }
            Some(GroupAuthorizationFailed) => {
                if let (Some(group), Some(consumer)) = (&self.options.group, &self.consumer) {
                    let lacks = self.options.cluster.lacks("tell the group how far the job has come", Right::Read, Resource::Group(group));
                    consumer.context().group_is_told(Some(lacks.to_string()));
                    self.warn_once(lacks.to_string());
                }
                Ok(())
            }
            // It was there when the attempt began, and may come back.
            Some(TopicAuthorizationFailed) => {
                self.warn_once(self.failed("read", error).to_string());
                Ok(())
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Err(self.failed("read", error)),
            _ => Ok(()),
        }
    }

    /// Says what is tried again, once until something else is.
    fn warn_once(&mut self, what: String) {
        if self.warned.as_ref() != Some(&what) {
            tracing::warn!("{what}; it is tried again");
            self.warned = Some(what);
        }
    }

    /// An error of one partition.
    pub(super) fn interrupted(&mut self, place: usize, error: &KafkaError) -> Result<(), EngineError> {
        use RDKafkaErrorCode::{
            AutoOffsetReset, BadCompression, BadMessage, InvalidMessage, InvalidMessageSize, NotImplemented, OffsetOutOfRange,
            TopicAuthorizationFailed, UnknownPartition, UnknownTopic, UnknownTopicOrPartition, UnsupportedCompressionType,
        };
        let PartitionSpec { topic, partition, .. } = self.partitions[place].progress.spec.clone();
        let from = self.partitions[place].progress.position.offset;
        match error.rdkafka_error_code() {
            Some(AutoOffsetReset | OffsetOutOfRange) => {
                self.ask(place);
                Ok(())
            }
            // librdkafka asks on, and begins again where the right is given back.
            Some(TopicAuthorizationFailed) => {
                let attempted = format!("read `{topic}`, partition {partition},");
                let lacks = self.options.cluster.lacks(&attempted, Right::Read, Resource::Topic(&topic)).to_string();
                self.partitions[place].forbidden = Some(lacks.clone());
                self.warn_once(lacks);
                Ok(())
            }
            Some(UnknownTopicOrPartition | UnknownTopic | UnknownPartition) => {
                Err(self.failed(&format!("read `{topic}`, partition {partition},"), error))
            }
            // What cannot be read librdkafka passes over, or asks for again without end.
            Some(BadCompression | BadMessage | InvalidMessage | InvalidMessageSize | NotImplemented | UnsupportedCompressionType) => {
                Err(self.failed(&format!("read `{topic}`, partition {partition}, from offset {from} on,"), error))
            }
            _ => {
                self.warn_once(format!("kafka: `{topic}`, partition {partition}: {error}"));
                self.trouble(error)
            }
        }
    }

    /// The broker that leads a partition has other records at the offsets that were read, as librdkafka says in its words.
    pub(super) fn truncated(&mut self, place: usize, why: String) {
        self.partitions[place].truncated = Some(why);
        self.ask(place);
    }

    fn ask(&mut self, place: usize) {
        let partition = &mut self.partitions[place];
        partition.asked = Some(Question::ask(&self.options.cluster, &partition.progress.spec, &self.waker));
    }

    /// The broker has refused the next offset of a partition, and this is what there is of it.
    pub(super) fn on_refused(&mut self, place: usize, Found { ends: (oldest, end), topic_id }: Found) -> Result<(), EngineError> {
        let Partition { progress, asked, queue, truncated, .. } = &mut self.partitions[place];
        *asked = None;
        // What was taken behind the refusal is not what comes next.
        queue.iter_mut().for_each(PartitionQueue::clear);
        let (offset, PartitionSpec { topic, partition, .. }) = (progress.position.offset, progress.spec.clone());
        let of = format!("`{topic}`, partition {partition}, of the Kafka cluster at {}", self.options.cluster.brokers);
        let lost = match truncated.take() {
            Some(why) => Some(format!("{of} has been cut off in front of offset {offset}, up to which it was read: {why}")),
            None if (oldest..=end).contains(&offset) => None,
            None => Some(format!("{of} has no offset {offset} any more, only {oldest} to {end}")),
        };
        if let Some(lost) = lost {
            let to = match self.options.on_reset {
                OnReset::Fail => {
                    let hint = "its records have been deleted before they were read, or a broker without the newest has come to lead it, or it was made anew: `on-reset` says what else to do than to fail";
                    return Err(EngineError::new(ErrorKind::FixInput, lost).with_hint(hint));
                }
                OnReset::Earliest => oldest,
                OnReset::Latest => end,
            };
            tracing::warn!("{lost}; it is gone on with at {to}");
            progress.go_on_at(to, topic_id);
            if progress.is_over() {
                return self.finish(place);
            }
        } else {
            tracing::warn!("{of} has refused its offset {offset}, and has it: it is asked once more");
        }
        self.begin_anew(place)
    }

    /// Assigns a partition anew: librdkafka has given it up, and does not seek where it does not read.
    fn begin_anew(&mut self, place: usize) -> Result<(), EngineError> {
        let consumer = self.consumer()?;
        let mut list = TopicPartitionList::new();
        let assigned = self.partitions[place].progress.add_to(&mut list).and_then(|()| {
            consumer.incremental_unassign(&list)?;
            consumer.incremental_assign(&list)
        });
        assigned.map_err(|error| self.failed("begin anew", &error))
    }
}
