//! Reads a source as a subtask does, without one.

use crate::error::EngineError;
use crate::operator::Subtask;
use crate::runtime::{Clock, ConnectorIo, Monotonic, Runtime, Simulator};
use crate::source::{ReadStatus, ReaderContext, Source, SourceReader, SplitBatch, SplitLag, SplitProgress, SplitState, is_idle};
use futures_util::future::BoxFuture;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The fewest pending polls, one after the other, that a reader is taken for idle after.
const PENDING_MIN: u32 = 30;
/// The most pending polls, one after the other, that a reader is given.
const PENDING_MAX: u32 = 1_000;

/// A record with everything that a source gives it: key, value and time.
pub type ReadRecord = (Option<Vec<u8>>, Vec<u8>, i64);

/// A record, and the place of its split.
pub type Attributed = (usize, ReadRecord);

/// The result of a future that never waits.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits for something"),
    }
}

/// Subtask `index` of `parallelism` of the vertex `out`.
pub fn subtask(index: u32, parallelism: u32) -> Subtask {
    Subtask { vertex: "out".into(), index, parallelism }
}

/// What a reader of subtask `index` of `parallelism` is given. Its time goes on by a second with every look at it.
pub fn reader_context(index: u32, parallelism: u32) -> ReaderContext {
    let runtime = Runtime { clock: Arc::new(HastyClock::default()), ..Simulator::new(1).runtime() };
    ReaderContext { subtask: subtask(index, parallelism), in_order: false, io: ConnectorIo::of(&runtime) }
}

#[derive(Default)]
struct HastyClock(AtomicU64);

impl Clock for HastyClock {
    fn now(&self) -> Monotonic {
        Duration::from_secs(self.0.fetch_add(1, Relaxed))
    }

    fn wall_ms(&self) -> i64 {
        0
    }

    fn sleep_until(&self, _deadline: Monotonic) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// What may wait, without waiting.
pub trait SourceNow: Source {
    /// [`Source::discover`].
    fn discover_now(&self, parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        now(self.discover(parallelism))
    }

    /// [`Source::new_splits`].
    fn new_splits_now(&self, known: &[SplitState], parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        now(self.new_splits(known, parallelism))
    }

    /// [`Source::verify`].
    fn verify_now(&self, splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
        now(self.verify(splits))
    }
}

impl<S: Source + ?Sized> SourceNow for S {}

/// Reads until `count` records are there, or the end has come, or the reader has handed on all that there is; `max_records` at a time.
pub fn read_attributed(
    reader: &mut dyn SourceReader,
    count: usize,
    max_records: usize,
) -> Result<(Vec<Attributed>, ReadStatus), EngineError> {
    let (mut records, mut pending) = (Vec::new(), 0);
    while records.len() < count {
        let mut out = SplitBatch::new();
        let most = max_records.min(count - records.len());
        let status = match reader.poll_read(&mut Context::from_waker(Waker::noop()), most, &mut out) {
            Poll::Ready(status) => status?,
            Poll::Pending => {
                assert!(out.is_empty(), "a poll that is pending appends nothing");
                pending += 1;
                assert!(pending < PENDING_MAX, "it has been pending for {pending} polls");
                // One that has something to say yet says it by then.
                if pending >= PENDING_MIN && (is_idle(reader) || reader.splits().is_empty()) {
                    break;
                }
                continue;
            }
        };
        pending = 0;
        let splits: Vec<usize> = out.runs().flat_map(|run| std::iter::repeat_n(run.split, run.records)).collect();
        let batch = out.take();
        assert!(batch.len() <= most, "{} records were asked for, {} came", most, batch.len());
        assert_eq!(splits.len(), batch.len(), "every record belongs to a split");
        let record = |r| (batch.key(r).map(<[u8]>::to_vec), batch.values().get(r).to_vec(), batch.timestamps()[r]);
        records.extend(splits.into_iter().enumerate().map(|(r, split)| (split, record(r))));
        if status == ReadStatus::End {
            return Ok((records, status));
        }
    }
    Ok((records, ReadStatus::More))
}

/// As [`read_attributed`], whatever split a record is of.
pub fn read(reader: &mut dyn SourceReader, count: usize, max_records: usize) -> Result<(Vec<ReadRecord>, ReadStatus), EngineError> {
    let (records, status) = read_attributed(reader, count, max_records)?;
    Ok((records.into_iter().map(|(_, record)| record).collect(), status))
}

/// All records of a source from these splits, one subtask after the other.
pub fn read_all(source: &dyn Source, splits: Vec<SplitState>, parallelism: u32) -> Result<Vec<ReadRecord>, EngineError> {
    let mut records = Vec::new();
    for (index, share) in shares(splits, parallelism).into_iter().enumerate() {
        let mut reader = source.reader(&reader_context(index as u32, parallelism), share)?;
        records.extend(read(&mut *reader, usize::MAX, 1000)?.0);
        let finished = |split: &SplitState| split.progress == SplitProgress::Finished;
        assert!(!source.capabilities().bounded || reader.splits().iter().all(finished));
    }
    Ok(records)
}

/// How far a reader says that each of its splits lags.
pub fn lags_of(reader: &dyn SourceReader) -> Vec<Option<SplitLag>> {
    let (mut ids, mut lags) = (Vec::new(), Vec::new());
    reader.lags(&mut |id, lag| {
        ids.push(id.to_owned());
        lags.push(lag);
    });
    let splits: Vec<String> = reader.splits().into_iter().map(|split| split.id).collect();
    assert_eq!(ids, splits, "of each split it is said in its place how far it lags");
    lags
}

/// Deals splits out to subtasks.
pub(super) fn shares(splits: Vec<SplitState>, parallelism: u32) -> Vec<Vec<SplitState>> {
    let mut shares = vec![Vec::new(); parallelism as usize];
    for (index, split) in splits.into_iter().enumerate() {
        shares[index % parallelism as usize].push(split);
    }
    shares
}

/// The splits, on their way through a checkpoint.
pub fn through_a_checkpoint(splits: Vec<SplitState>) -> Vec<SplitState> {
    serde_json::from_str(&serde_json::to_string(&splits).expect("splits become JSON")).expect("and splits again")
}
