//! Reads the partitions of one subtask, in turn: what librdkafka has fetched of each lies in a queue of its own.

mod interruptions;

use super::client::{Consumer, Isolation, Pace, let_go};
use super::lost::Question;
use super::news::{News, Said};
use super::partition::PartitionSpec;
use super::progress::Progress;
use super::queue::{Came, PartitionQueue};
use super::settings::SourceOptions;
use super::source::Resets;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use futures_util::task::AtomicWaker;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::task::{Context, Poll};
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
    /// What the client has said.
    news: News,
    /// What was said last of what is tried again.
    warned: Option<String>,
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
    /// Why it is known that its leader has other records than were read.
    truncated: Option<String>,
    /// Why nothing comes of it: the cluster does not let this client read it any more.
    forbidden: Option<String>,
}

/// Why nothing comes of what is in a queue.
enum Stopped {
    Value(EngineError),
    Cluster(KafkaError),
    Truncation(String),
}

impl KafkaReader {
    /// Reads these from their progress on, or from where `resets` says by their ids.
    pub(super) fn new(options: Arc<SourceOptions>, splits: Vec<SplitState>, resets: &Resets) -> Result<Self, EngineError> {
        let mut reader =
            Self { options, waker: Arc::default(), consumer: None, news: News::default(), warned: None, partitions: Vec::new(), turn: 0 };
        reader.add(splits, resets)?;
        Ok(reader)
    }

    fn add(&mut self, splits: Vec<SplitState>, resets: &Resets) -> Result<(), EngineError> {
        let first = self.partitions.len();
        for split in splits {
            let mut partition =
                Partition { progress: Progress::new(&split)?, split, queue: None, asked: None, truncated: None, forbidden: None };
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
                let progress = &self.partitions[place].progress;
                progress.add_to(&mut list).map_err(|error| self.failed("begin to read", &error))?;
                let spec = progress.spec.clone();
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
        self.news.listen_to(&consumer);
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

    /// All news of the client.
    fn read_news(&mut self) -> Result<(), EngineError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        self.news.hear(consumer);
        while let Some(said) = self.news.take() {
            match said {
                Said::Failed(error) => self.trouble(&error)?,
                Said::Message { topic, partition, offset } => {
                    let lost = format!("read `{topic}`: offset {offset} of partition {partition} came in no queue of its own");
                    return Err(EngineError::new(ErrorKind::Bug, lost));
                }
            }
        }
        Ok(())
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
            let Partition { progress, queue, forbidden, .. } = &mut self.partitions[place];
            let Some(of_it) = queue.as_mut() else { return Ok(out.len() > before) };
            if out.len() - before >= max_records || out.byte_len() >= POLL_BYTES {
                return Ok(true);
            }
            let came = of_it.next(|came| match came {
                Came::Message(message) => {
                    *forbidden = None;
                    let taken = progress.take(&message, self.options.fields.as_ref(), metadata, out.of(place));
                    taken.map_err(|why| Stopped::Value(self.options.unreadable(&progress.spec, message.offset, &why)))
                }
                Came::End => {
                    (progress.is_at_end, *forbidden) = (true, None);
                    Ok(())
                }
                Came::Failed(error) => Err(Stopped::Cluster(error)),
                Came::Truncated(why) => Err(Stopped::Truncation(why)),
            });
            match came {
                None => return Ok(out.len() > before),
                Some(Ok(())) => {}
                Some(Err(Stopped::Value(error))) => return Err(error),
                Some(Err(Stopped::Cluster(error))) => self.interrupted(place, &error)?,
                Some(Err(Stopped::Truncation(why))) => {
                    self.truncated(place, why);
                    return Ok(out.len() > before);
                }
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
        let told = self.consumer.as_ref()?.context();
        let of_broker = told.trouble().map(|trouble| format!("{trouble}: it is tried again ({})", self.options.cluster.brokers));
        let of_partition = || self.partitions.iter().find_map(|partition| partition.forbidden.clone());
        let of_group = || told.untold().map(|why| format!("the group is not told how far the job has come: {why}"));
        of_broker.or_else(of_partition).or_else(of_group)
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
