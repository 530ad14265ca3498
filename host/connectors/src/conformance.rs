//! What every source and every sink promises, as suites that each implementation runs in its own tests.

use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use weir_engine::element::{AttemptId, CheckpointId};
use weir_engine::operator::Subtask;
use weir_engine::runtime::{Clock, ConnectorIo, Monotonic, Runtime, Simulator};
use weir_engine::sink::Delivery;
use weir_engine::source::{SplitProgress, is_idle};
use weir_engine::{
    BatchBuilder, Committable, Committer, EngineError, ReadStatus, ReaderContext, Sink, SinkWriter, Source, SourceCapabilities,
    SourceReader, SplitBatch, SplitState,
};

/// A record with everything that a source gives it.
pub(crate) type Record = (Option<Vec<u8>>, Vec<u8>, i64);

/// Subtask `index` of `parallelism` of the vertex `out`.
pub(crate) fn subtask(index: u32, parallelism: u32) -> Subtask {
    Subtask { vertex: "out".into(), index, parallelism }
}

/// The result of a future that never waits.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits for something"),
    }
}

/// What a reader of subtask `index` of `parallelism` is given. Its time goes on by a second with every look at it.
pub(crate) fn reader_context(index: u32, parallelism: u32) -> ReaderContext {
    let runtime = Runtime { clock: Arc::new(HastyClock::default()), ..Simulator::new(1).runtime() };
    ReaderContext { subtask: subtask(index, parallelism), io: ConnectorIo::of(&runtime) }
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
pub(crate) trait SourceNow: Source {
    fn discover_now(&self, parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        now(self.discover(parallelism))
    }

    fn new_splits_now(&self, known: &[SplitState], parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        now(self.new_splits(known, parallelism))
    }

    fn verify_now(&self, splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
        now(self.verify(splits))
    }
}

impl<S: Source + ?Sized> SourceNow for S {}

/// The fewest pending polls, one after the other, that a reader is taken for idle after.
const PENDING_MIN: u32 = 30;
/// The most pending polls, one after the other, that a reader is given.
const PENDING_MAX: u32 = 1_000;

/// Reads until `count` records are there, or the end has come, or the reader has handed on all that there is; `max_records` at a time. Each record with
/// the place of its split.
fn read_attributed(
    reader: &mut dyn SourceReader,
    count: usize,
    max_records: usize,
) -> Result<(Vec<(usize, Record)>, ReadStatus), EngineError> {
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
pub(crate) fn read(reader: &mut dyn SourceReader, count: usize, max_records: usize) -> Result<(Vec<Record>, ReadStatus), EngineError> {
    let (records, status) = read_attributed(reader, count, max_records)?;
    Ok((records.into_iter().map(|(_, record)| record).collect(), status))
}

/// All records of a source from these splits, one subtask after the other.
pub(crate) fn read_all(source: &dyn Source, splits: Vec<SplitState>, parallelism: u32) -> Result<Vec<Record>, EngineError> {
    let mut records = Vec::new();
    for (index, share) in shares(splits, parallelism).into_iter().enumerate() {
        let mut reader = source.reader(&reader_context(index as u32, parallelism), share)?;
        records.extend(read(&mut *reader, usize::MAX, 1000)?.0);
        let finished = |split: &SplitState| split.progress == SplitProgress::Finished;
        assert!(!source.capabilities().bounded || reader.splits().iter().all(finished));
    }
    Ok(records)
}

/// Deals splits out to subtasks.
fn shares(splits: Vec<SplitState>, parallelism: u32) -> Vec<Vec<SplitState>> {
    let mut shares = vec![Vec::new(); parallelism as usize];
    for (index, split) in splits.into_iter().enumerate() {
        shares[index % parallelism as usize].push(split);
    }
    shares
}

fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort();
    records
}

/// Every source: all subtasks together read each record once, at any parallelism; from any position, also after the splits went
/// through a checkpoint and to another number of subtasks, the rest and nothing else comes.
pub(crate) fn source_suite(source: &dyn Source) {
    let whole = sorted(read_all(source, source.discover_now(1).unwrap(), 1).unwrap());
    let mut rng = fastrand::Rng::with_seed(8841);
    for parallelism in [1, 2, 3, 5] {
        let splits = source.discover_now(parallelism).unwrap();
        assert_eq!(splits.iter().map(|split| &split.id).collect::<BTreeSet<_>>().len(), splits.len(), "ids are unique");
        assert!(splits.iter().all(|split| split.progress == SplitProgress::Unread));
        assert_eq!(source.discover_now(parallelism).unwrap(), splits, "ids and order are stable");
        source.verify_now(&splits).unwrap();
        assert_eq!(sorted(read_all(source, splits.clone(), parallelism).unwrap()), whole, "at parallelism {parallelism}");
        for _ in 0..8 {
            let (mut records, cut) = read_some(source, splits.clone(), parallelism, whole.len(), &mut rng);
            source.verify_now(&cut).unwrap();
            let next_parallelism = rng.u32(1..4);
            records.extend(read_all(source, cut, next_parallelism).unwrap());
            assert_eq!(sorted(records), whole, "cut at parallelism {parallelism}, resumed at {next_parallelism}");
        }
    }
    in_order_from_every_kind_of_position(source);
    records_belong_to_their_splits(source);
    let mut idle = source.reader(&reader_context(0, 1), Vec::new()).unwrap();
    let (status, why) = match source.capabilities().bounded {
        true => (ReadStatus::End, "a bounded reader without splits ends at once"),
        false => (ReadStatus::More, "a reader of what has no end is idle without splits, and has not ended"),
    };
    assert_eq!(read(&mut *idle, 1, 1).unwrap(), (Vec::new(), status), "{why}");
}

/// What a reader of all splits says to be of one split is what a reader of that split alone gives, in the same order.
fn records_belong_to_their_splits(source: &dyn Source) {
    let splits = source.discover_now(3).unwrap();
    let mut all = source.reader(&reader_context(0, 1), splits.clone()).unwrap();
    let attributed = read_attributed(&mut *all, usize::MAX, 7).unwrap().0;
    for (place, split) in splits.into_iter().enumerate() {
        let mut alone = source.reader(&reader_context(0, 1), vec![split]).unwrap();
        let of_split: Vec<_> = attributed.iter().filter(|(of, _)| *of == place).map(|(_, record)| record.clone()).collect();
        assert!(of_split == read(&mut *alone, usize::MAX, 1000).unwrap().0, "other records are said to be of split {place} than it has");
        assert_eq!(all.splits()[place].id, alone.splits()[0].id, "a split keeps its place");
    }
}

/// A source whose readers have nothing yet every other time, as one that waits for a broker.
pub(crate) struct Hesitant<S>(pub S);

struct HesitantReader {
    inner: Box<dyn SourceReader>,
    rng: fastrand::Rng,
}

impl<S: Source> Source for Hesitant<S> {
    fn connector(&self) -> &'static str {
        self.0.connector()
    }

    fn capabilities(&self) -> SourceCapabilities {
        self.0.capabilities()
    }

    fn identity(&self) -> serde_json::Value {
        self.0.identity()
    }

    fn discover(&self, parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        self.0.discover(parallelism)
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        self.0.verify(splits)
    }

    fn reader(&self, context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        let inner = self.0.reader(context, splits)?;
        Ok(Box::new(HesitantReader { inner, rng: fastrand::Rng::with_seed(u64::from(context.subtask.index)) }))
    }
}

impl SourceReader for HesitantReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        if self.rng.bool() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.inner.poll_read(cx, max_records, out)
    }

    fn splits(&self) -> Vec<SplitState> {
        self.inner.splits()
    }

    fn is_idle(&self, split: usize) -> bool {
        self.inner.is_idle(split)
    }
}

/// Each subtask reads a part of its share; the splits come back as a checkpoint gives them.
fn read_some(
    source: &dyn Source,
    splits: Vec<SplitState>,
    parallelism: u32,
    total: usize,
    rng: &mut fastrand::Rng,
) -> (Vec<Record>, Vec<SplitState>) {
    let (mut records, mut cut) = (Vec::new(), Vec::new());
    for (index, share) in shares(splits, parallelism).into_iter().enumerate() {
        let mut reader = source.reader(&reader_context(index as u32, parallelism), share).unwrap();
        let count = rng.usize(0..=total / parallelism as usize + 1);
        records.extend(read(&mut *reader, count, rng.usize(1..100)).unwrap().0);
        cut.extend(through_json(reader.splits()));
    }
    (records, cut)
}

/// One reader, stopped and replaced again and again, gives the records in the order of one that never was; of a source without an end, whose splits are
/// read in turn, those of each split.
fn in_order_from_every_kind_of_position(source: &dyn Source) {
    let mut splits = source.discover_now(1).unwrap();
    let mut undisturbed = source.reader(&reader_context(0, 1), splits.clone()).unwrap();
    let expected = read_attributed(&mut *undisturbed, usize::MAX, 1000).unwrap().0;
    let step = expected.len() / 7 + 1;
    let mut records = Vec::new();
    for _ in 0..8 {
        let mut reader = source.reader(&reader_context(0, 1), splits).unwrap();
        records.extend(read_attributed(&mut *reader, step, 3).unwrap().0);
        splits = through_json(reader.splits());
    }
    if source.capabilities().bounded {
        assert!(records == expected, "in another order");
    }
    for place in 0..splits.len() {
        let of = |records: &[(usize, Record)]| records.iter().filter(|(split, _)| *split == place).cloned().collect::<Vec<_>>();
        assert!(of(&records) == of(&expected), "the records of split {place} in another order");
    }
}

fn through_json(splits: Vec<SplitState>) -> Vec<SplitState> {
    serde_json::from_str(&serde_json::to_string(&splits).unwrap()).unwrap()
}

/// The lines of a text, without their ends.
pub(crate) fn lines_of(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|&b| b == b'\n').map(|line| line.strip_suffix(b"\n").expect("every line ends").to_vec()).collect()
}

/// Writes one batch of keyless records.
pub(crate) fn write_values(writer: &mut dyn SinkWriter, values: &[&str]) {
    let mut batch = BatchBuilder::new();
    values.iter().for_each(|value| batch.push(None, value.as_bytes(), None));
    writer.write(&batch.finish()).unwrap();
}

/// What a barrier leaves to commit, after its way through a checkpoint.
pub(crate) fn prepared(writer: &mut dyn SinkWriter, checkpoint_id: u64) -> Vec<Committable> {
    let committables = now(writer.prepare_commit(CheckpointId(checkpoint_id)).unwrap()).unwrap();
    serde_json::from_str(&serde_json::to_string(&committables).unwrap()).unwrap()
}

/// Commits one.
pub(crate) fn commit(committer: &dyn Committer, committable: &Committable) -> Result<(), EngineError> {
    now(committer.commit(committable))
}

/// Every sink: nothing that can be held back is visible before its commit; a commit may be repeated, also by another process;
/// what an attempt left behind is cleaned up or, where its checkpoint names it, committed; barriers without records commit nothing.
/// `sink` makes the sink anew, as a new process would; `visible` reads its output where that can be read.
pub(crate) fn sink_suite(sink: impl Fn() -> Arc<dyn Sink>, committer: Option<&dyn Committer>, visible: Option<&dyn Fn() -> Vec<Vec<u8>>>) {
    let holds_back = sink().delivery() == Delivery::ExactlyOnce;
    let expect = |values: &[&str], why: &str| {
        let Some(visible) = visible else { return };
        let mut seen = visible();
        seen.sort();
        assert_eq!(seen, values.iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>(), "{why}");
    };
    let commit_all = |committables: &[Committable]| {
        committables.iter().for_each(|c| commit(committer.expect("a committer for committables"), c).unwrap());
    };
    let expect_newest = |newest: &[(&str, u64)], why: &str| {
        if committer.is_none() {
            return;
        }
        let asked = ["aa".to_owned(), "bb".to_owned(), "never there".to_owned()];
        let told = now(sink().newest_visible(&asked)).unwrap();
        let told: Vec<_> = told.iter().map(|output| (output.nonce.as_str(), output.checkpoint_id.0)).collect();
        assert_eq!(told, newest, "{why}");
    };

    let first = sink();
    first.prepare_attempt(&[], &[]).unwrap();
    let (mut left, mut right) =
        (first.writer(&subtask(0, 2), AttemptId(1), "aa").unwrap(), first.writer(&subtask(1, 2), AttemptId(1), "aa").unwrap());
    assert!(prepared(&mut *left, 1).is_empty(), "a barrier without records commits nothing");
    write_values(&mut *left, &["a", "b"]);
    write_values(&mut *right, &["c"]);
    if holds_back {
        expect(&[], "nothing is visible before its checkpoint");
    }
    let mut committables = prepared(&mut *left, 2);
    committables.extend(prepared(&mut *right, 2));
    if holds_back {
        expect(&[], "nothing is visible before its commit");
        expect_newest(&[], "nor is there anything to tell of it");
    }
    write_values(&mut *left, &["d"]);
    commit_all(&committables);
    commit_all(&committables);
    expect(if holds_back { &["a", "b", "c"] } else { &["a", "b", "c", "d"] }, "a commit that is repeated changes nothing");

    let named = prepared(&mut *left, 3);
    if !holds_back {
        return;
    }
    write_values(&mut *left, &["lost with its attempt"]);
    prepared(&mut *left, 4);
    write_values(&mut *right, &["lost in the middle of a part"]);
    drop((first, left, right));

    let second = sink();
    second.prepare_attempt(&["aa".into()], &named).unwrap();
    commit_all(&committables);
    commit_all(&named);
    expect(&["a", "b", "c", "d"], "what the checkpoint names is committed after a crash");
    let mut writer = second.writer(&subtask(0, 1), AttemptId(2), "bb").unwrap();
    write_values(&mut *writer, &["e"]);
    let fifth = prepared(&mut *writer, 5);
    commit_all(&fifth);
    sink().prepare_attempt(&["aa".into(), "bb".into()], &fifth).unwrap();
    commit_all(&fifth);
    expect(&["a", "b", "c", "d", "e"], "a later attempt's output joins what was committed");
    expect_newest(&[("aa", 3), ("bb", 5)], "of each attempt the newest checkpoint with output is told, for the log may have lost it");
}
