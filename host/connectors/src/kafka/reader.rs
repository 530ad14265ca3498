//! Reads the partitions of one subtask, in turn: what librdkafka has fetched of each lies in a queue of its own.

use super::client::{Consumer, Isolation, Pace, let_go};
use super::lost::{Found, Question};
use super::partition::PartitionSpec;
use super::progress::Progress;
use super::queue::{Came, PartitionQueue, has_news};
use super::settings::{OnReset, SourceOptions};
use super::source::Resets;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::task::AtomicWaker;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use weir_engine::element::CheckpointId;
use weir_engine::source::{LagUnit, SplitLag, SplitProgress};
use weir_engine::{EngineError, ErrorKind, ReadStatus, SourceReader, SplitBatch, SplitState};

/// A poll gives no more once it has so many bytes.
const POLL_BYTES: usize = 256 << 10;

/// Reads partitions.
pub(super) struct KafkaReader {
    options: Arc<SourceOptions>,
    waker: Arc<AtomicWaker>,
    /// Made with the first partition: a reader without any asks nothing of the cluster.
    consumer: Option<Arc<Consumer>>,
    partitions: Vec<Partition>,
    /// The partition that is read next.
    turn: usize,
}

struct Partition {
    split: SplitState,
    progress: Progress,
    /// `None`: it has been read to its end.
    queue: Option<PartitionQueue>,
    /// What is asked where its next record is said not to be there.
    asked: Option<Question>,
}

/// Why nothing comes of what is in a queue.
enum Stopped {
    ByValue(EngineError),
    ByCluster(KafkaError),
}

impl KafkaReader {
    /// Reads these from their progress on, or from where `resets` says by their ids.
    pub(super) fn new(options: Arc<SourceOptions>, splits: Vec<SplitState>, resets: &Resets) -> Result<Self, EngineError> {
        let mut reader = Self { options, waker: Arc::default(), consumer: None, partitions: Vec::new(), turn: 0 };
        reader.add(splits, resets)?;
        Ok(reader)
    }

    fn add(&mut self, splits: Vec<SplitState>, resets: &Resets) -> Result<(), EngineError> {
        let first = self.partitions.len();
        for split in splits {
            let mut partition = Partition { progress: Progress::new(&split)?, split, queue: None, asked: None };
            if let Some(reset) = resets.get(&partition.split.id).filter(|_| partition.is_open()) {
                partition.progress.go_on_at(reset.offset, reset.topic_id.clone());
            }
            self.partitions.push(partition);
        }
        self.begin(first)
    }

    /// Begins to read those from this place on that have not been read to their end.
    fn begin(&mut self, first: usize) -> Result<(), EngineError> {
        let mut list = TopicPartitionList::new();
        for place in first..self.partitions.len() {
            if self.partitions[place].is_open() {
                let Progress { spec, position, .. } = &self.partitions[place].progress;
                let added = list.add_partition_offset(&spec.topic, spec.partition, Offset::Offset(position.offset));
                added.map_err(|error| self.failed("begin to read", &error))?;
                let spec = spec.clone();
                self.partitions[place].queue = Some(self.queue(&spec)?);
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.consumer()?.incremental_assign(&list).map_err(|error| self.failed("begin to read", &error))
    }

    /// A broker does not let the client in, with what it was made with. Where there is something else by now, another client goes on where this one was.
    fn renew_where_refused(&mut self) -> Result<(), EngineError> {
        let told = self.consumer.as_ref().map(|consumer| &**consumer.context());
        if !told.is_some_and(|told| told.is_to_look() && self.options.cluster.is_outdated(told)) {
            return Ok(());
        }
        tracing::info!("kafka: the cluster at {} is connected to with new credentials", self.options.cluster.brokers);
        let queues: Vec<_> = self.partitions.iter_mut().map(|partition| partition.queue.take()).collect();
        let_go((queues, self.consumer.take()));
        self.begin(0)
    }

    fn consumer(&mut self) -> Result<Arc<Consumer>, EngineError> {
        if let Some(consumer) = &self.consumer {
            return Ok(consumer.clone());
        }
        let waker = self.waker.clone();
        let pace = if self.options.is_bounded { Pace::TO_AN_END } else { Pace::STREAMING };
        let consumer = self.options.cluster.consumer(self.options.group.as_deref(), Isolation::Committed, pace, move || waker.wake())?;
        let consumer = Arc::new(consumer);
        self.consumer = Some(consumer.clone());
        Ok(consumer)
    }

    /// The queue of a partition, which is to be assigned only when it has one: what is fetched before that would come in another, and the partition's end as well.
    fn queue(&mut self, spec: &PartitionSpec) -> Result<PartitionQueue, EngineError> {
        let queue = PartitionQueue::new(self.consumer()?, &spec.topic, spec.partition, self.waker.clone());
        queue.ok_or_else(|| EngineError::new(ErrorKind::Bug, format!("librdkafka has no queue of {:?}", spec.id())))
    }

    fn failed(&self, attempted: &str, error: &KafkaError) -> EngineError {
        self.options.cluster.failed(attempted, error, self.consumer.as_ref().map(|consumer| &**consumer.context()))
    }

    /// All news of the client: it wakes for the first one only that comes while there are none. Messages are in the partitions' queues, which are split off before
    /// anything is fetched.
    fn read_news(&self) -> Result<(), EngineError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        loop {
            match consumer.poll(Duration::ZERO) {
                None if has_news(consumer) => {}
                None => return Ok(()),
                Some(Ok(message)) => {
                    let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
                    let lost = format!("read `{topic}`: offset {offset} of partition {partition} came in no queue of its own");
                    return Err(EngineError::new(ErrorKind::Bug, lost));
                }
                Some(Err(error)) => self.trouble(&error)?,
            }
        }
    }

    /// An error of no partition: librdkafka tries again by itself, unless nothing can come of that. A client that is refused goes on with what it has been given, and waits.
    fn trouble(&self, error: &KafkaError) -> Result<(), EngineError> {
        use RDKafkaErrorCode::{Authentication, SSL, SaslAuthenticationFailed, TopicAuthorizationFailed};
        match error.rdkafka_error_code() {
            Some(Authentication | SSL | SaslAuthenticationFailed) => {
                tracing::warn!("{}; it is tried again", self.failed("read", error));
                Ok(())
            }
            Some(TopicAuthorizationFailed) => Err(self.failed("read", error)),
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Err(self.failed("read", error)),
            _ => Ok(()),
        }
    }

    /// Reads of the first partition in turn that has anything; false where none has.
    fn read(&mut self, max_records: usize, out: &mut SplitBatch) -> Result<bool, EngineError> {
        for _ in 0..self.partitions.len() {
            let place = self.turn % self.partitions.len();
            self.turn = place + 1;
            if self.read_partition(place, max_records, out)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads of one partition; true where anything came of it, were it its end.
    fn read_partition(&mut self, place: usize, max_records: usize, out: &mut SplitBatch) -> Result<bool, EngineError> {
        let (before, metadata) = (out.len(), self.options.metadata);
        if let Some(asked) = &self.partitions[place].asked {
            match asked.answer() {
                None => return Ok(false),
                Some(found) => self.on_refused(place, found?)?,
            }
        }
        loop {
            let Partition { progress, queue, .. } = &mut self.partitions[place];
            let Some(of_it) = queue.as_mut() else { return Ok(out.len() > before) };
            if out.len() - before >= max_records || out.byte_len() >= POLL_BYTES {
                return Ok(true);
            }
            let came = of_it.next(|came| match came {
                Came::Message(message) => {
                    let taken = progress.take(&message, self.options.fields.as_ref(), metadata, out.of(place));
                    taken.map_err(|why| Stopped::ByValue(self.options.unreadable(&progress.spec, message.offset, &why)))
                }
                Came::End => {
                    progress.is_at_end = true;
                    Ok(())
                }
                Came::Failed(error) => Err(Stopped::ByCluster(error)),
            });
            match came {
                None => return Ok(out.len() > before),
                Some(Ok(())) => {}
                Some(Err(Stopped::ByValue(error))) => return Err(error),
                Some(Err(Stopped::ByCluster(error))) => self.interrupted(place, &error)?,
            }
            if self.partitions[place].progress.is_over() {
                self.finish(place)?;
                return Ok(true);
            }
        }
    }

    /// All that there is of these has been taken: where that is known to reach as far as the partition went at the beginning, it is over. What lies in front of that
    /// and was not given is no record: the ends of transactions, and what was aborted or compacted.
    fn end(&mut self) -> Result<bool, EngineError> {
        let mut ended = false;
        for place in 0..self.partitions.len() {
            let Partition { progress, queue, .. } = &mut self.partitions[place];
            if queue.is_none() || !progress.is_at_end {
                continue;
            }
            let told = self.consumer.as_ref().and_then(|consumer| consumer.context().end(&progress.spec.topic, progress.spec.partition));
            if progress.ends_at(told) {
                self.finish(place)?;
                ended = true;
            }
        }
        Ok(ended)
    }

    /// Nothing more is read of a partition.
    fn finish(&mut self, place: usize) -> Result<(), EngineError> {
        let consumer = self.consumer()?;
        let partition = &mut self.partitions[place];
        partition.split.progress = SplitProgress::Finished;
        partition.queue = None;
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.progress.spec.topic, partition.progress.spec.partition);
        consumer.incremental_unassign(&list).map_err(|error| self.failed("end reading", &error))
    }

    /// An error of one partition.
    fn interrupted(&mut self, place: usize, error: &KafkaError) -> Result<(), EngineError> {
        let PartitionSpec { topic, partition, .. } = self.partitions[place].progress.spec.clone();
        let is_lost = matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange));
        if !is_lost {
            use RDKafkaErrorCode::{
                BadCompression, BadMessage, InvalidMessage, InvalidMessageSize, NotImplemented, UnsupportedCompressionType,
            };
            let from = self.partitions[place].progress.position.offset;
            return match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition) => {
                    Err(self.failed(&format!("read `{topic}`, partition {partition},"), error))
                }
                // What cannot be read librdkafka passes over, or asks for again without end.
                Some(BadCompression | BadMessage | InvalidMessage | InvalidMessageSize | NotImplemented | UnsupportedCompressionType) => {
                    Err(self.failed(&format!("read `{topic}`, partition {partition}, from offset {from} on,"), error))
                }
                _ => {
                    tracing::warn!("kafka: `{topic}`, partition {partition}, is tried again: {error}");
                    self.trouble(error)
                }
            };
        }
        let partition = &mut self.partitions[place];
        partition.asked = Some(Question::ask(&self.options.cluster, &partition.progress.spec, &self.waker));
        Ok(())
    }

    /// The broker has refused the next offset of a partition, and this is what there is of it.
    fn on_refused(&mut self, place: usize, Found { ends: (oldest, end), topic_id }: Found) -> Result<(), EngineError> {
        let Partition { progress, asked, queue, .. } = &mut self.partitions[place];
        *asked = None;
        // What was taken behind the refusal is not what comes next.
        queue.iter_mut().for_each(PartitionQueue::clear);
        let (offset, PartitionSpec { topic, partition, .. }) = (progress.position.offset, progress.spec.clone());
        let of = format!("`{topic}`, partition {partition}, of the Kafka cluster at {}", self.options.cluster.brokers);
        if (oldest..=end).contains(&offset) {
            tracing::warn!("{of} has refused its offset {offset}, and has it: it is asked once more");
        } else {
            let lost = format!("{of} has no offset {offset} any more, only {oldest} to {end}");
            let to = match self.options.on_reset {
                OnReset::Fail => {
                    let hint = "its records have been deleted before they were read, or it was made anew: `on-reset` says what else to do than to fail";
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
        }
        // librdkafka has given it up, and does not seek where it does not read.
        let to = Offset::Offset(progress.position.offset);
        let mut list = TopicPartitionList::new();
        let consumer = self.consumer()?;
        let assigned = list.add_partition_offset(&topic, partition, to).and_then(|()| {
            consumer.incremental_unassign(&list)?;
            consumer.incremental_assign(&list)
        });
        assigned.map_err(|error| self.failed("begin anew", &error))
    }
}

impl SourceReader for KafkaReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        // Whatever comes behind this wakes.
        self.waker.register(cx.waker());
        let came = self
            .read_news()
            .and_then(|()| self.renew_where_refused())
            .and_then(|()| Ok(self.read(max_records, out)? | (self.options.is_bounded && self.end()?)));
        let is_over = self.options.is_bounded && self.partitions.iter().all(|partition| partition.queue.is_none());
        match came {
            Err(error) => Poll::Ready(Err(error)),
            Ok(_) if is_over => Poll::Ready(Ok(ReadStatus::End)),
            Ok(true) => Poll::Ready(Ok(ReadStatus::More)),
            Ok(false) => Poll::Pending,
        }
    }

    fn splits(&self) -> Vec<SplitState> {
        self.partitions.iter().map(|partition| partition.progress.of(&partition.split)).collect()
    }

    fn add_splits(&mut self, splits: Vec<SplitState>) -> Result<(), EngineError> {
        self.add(splits, &Resets::new())
    }

    fn is_finished(&self, split: usize) -> bool {
        self.partitions.get(split).is_none_or(|partition| partition.queue.is_none())
    }

    fn is_idle(&self, split: usize) -> bool {
        self.partitions.get(split).is_some_and(|partition| partition.progress.is_at_end)
    }

    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        for partition in &self.partitions {
            let spec = &partition.progress.spec;
            let end = self.consumer.as_ref().and_then(|consumer| consumer.context().end(&spec.topic, spec.partition));
            let lag = match partition.queue {
                Some(_) => partition.progress.lag(end),
                None => Some(0),
            };
            each(&partition.split.id, lag.map(|amount| SplitLag { amount, unit: LagUnit::Records }));
        }
    }

    fn trouble(&self) -> Option<String> {
        let trouble = self.consumer.as_ref()?.context().trouble()?;
        Some(format!("{trouble}: it is tried again ({})", self.options.cluster.brokers))
    }

    fn hears_of_completion(&self) -> bool {
        self.options.group.is_some()
    }

    /// Told without waiting for the answer; those of one client arrive in the order in which they were sent.
    fn on_completed(&mut self, _checkpoint: CheckpointId, splits: Vec<SplitState>) -> Option<BoxFuture<'static, Result<(), EngineError>>> {
        self.options.group.as_ref()?;
        let consumer = self.consumer.clone()?;
        let told = positions(&splits).and_then(|list| {
            let told = if list.count() == 0 { Ok(()) } else { consumer.commit(&list, CommitMode::Async) };
            told.map_err(|error| self.failed("tell the group how far the job has come", &error))
        });
        Some(ready(told).boxed())
    }
}

/// What a group is told of these splits.
fn positions(splits: &[SplitState]) -> Result<TopicPartitionList, EngineError> {
    let mut list = TopicPartitionList::new();
    for split in splits {
        let (spec, position) = PartitionSpec::parse(split)?;
        let offset = position.map(|position| position.offset).or(spec.until);
        if let Some(offset) = offset.filter(|_| split.progress != SplitProgress::Unread) {
            let added = list.add_partition_offset(&spec.topic, spec.partition, Offset::Offset(offset));
            added.map_err(|error| EngineError::new(ErrorKind::Bug, format!("{}: {error}", split.id)))?;
        }
    }
    Ok(list)
}

impl Partition {
    fn is_open(&self) -> bool {
        self.split.progress != SplitProgress::Finished && !self.progress.is_over()
    }
}

/// No data thread waits until its client is gone.
impl Drop for KafkaReader {
    fn drop(&mut self) {
        let (partitions, consumer) = (std::mem::take(&mut self.partitions), self.consumer.take());
        if consumer.is_some() {
            let_go((partitions, consumer));
        }
    }
}
