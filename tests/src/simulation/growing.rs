//! A source whose splits come into being while it is read, one every now and then: of any time, or each newer than those before it.

use super::Counter;
use super::guest::Guest;
use super::source::{NumberSource, ReadOrder};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use weir_engine::element::CheckpointId;
use weir_engine::runtime::{Clock, Simulator};
use weir_engine::{
    BatchBuilder, EngineError, ErrorKind, ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitProgress,
    SplitState,
};

/// Splits that there are at last.
pub(super) const SPLITS: u64 = 9;
/// From one to the next, in simulated time.
const SPLIT_EVERY: Duration = Duration::from_millis(300);

/// Records of a split that is newer than those before it. The last such split is empty.
const BLOCK: u64 = 200;
/// From the time of one such split to that of the next: no clock comes so far while a job runs.
const FAR: i64 = 1_000_000_000;

/// What splits bring that are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bring {
    /// One record of nine, in the time of those that have been read.
    AnyTime,
    /// What is newer than all that has been read, once that has been said: one split, and two of them in turn.
    NewTime,
}

impl Bring {
    /// To what counts so.
    pub fn to(counter: Counter) -> Self {
        match counter {
            Counter::Speaking(_) | Counter::Guest(Guest::Speaking(_)) => Self::AnyTime,
            // They ask for no time of records: for none at all, or for the watermark alone.
            Counter::Native | Counter::Forgetful | Counter::Living | Counter::Clocked | Counter::Join => Self::AnyTime,
            Counter::Guest(Guest::Count | Guest::Poisoned) => Self::AnyTime,
            Counter::Timed | Counter::Windowed | Counter::Sessions | Counter::WindowedJoin => Self::NewTime,
            // Their minutes are longer than the blocks, and what is set aside would have to be judged by these: native operators that count so stand for them.
            Counter::Guest(guest @ (Guest::PoisonedWindows | Guest::Timed | Guest::PoisonedTimers)) => panic!("{guest:?} finds no splits"),
        }
    }

    /// The time of record n.
    pub fn time(self, counter: Counter) -> fn(u64) -> i64 {
        match self {
            Self::AnyTime => counter.time(),
            Self::NewTime => in_blocks,
        }
    }
}

/// The block of a record of this number, or of this time.
pub(super) fn block_of(number_or_time: i64) -> usize {
    let block = if number_or_time < FAR { number_or_time / BLOCK as i64 } else { number_or_time / FAR };
    block as usize
}

/// Each block is of a time of its own.
pub(super) fn in_blocks(number: u64) -> i64 {
    number as i64 + (number / BLOCK) as i64 * FAR
}

/// Numbers in splits of which there is one more every now and then. It never ends by itself.
#[derive(Clone)]
pub(super) struct GrowingSource {
    pub numbers: NumberSource,
    pub bring: Bring,
    /// Of how many splits, from the first on, all has been said.
    pub said: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub simulator: Simulator,
    pub seen: Arc<Mutex<Seen>>,
}

/// What readers have seen, over all processes.
#[derive(Default)]
pub(super) struct Seen {
    /// Splits that were assigned to a running reader.
    pub assigned: u64,
    /// Checkpoints that it was told of.
    pub heard: Vec<CheckpointId>,
}

struct GrowingReader {
    source: GrowingSource,
    splits: Vec<SplitState>,
    turn: usize,
}

impl GrowingSource {
    fn there(&self) -> impl Iterator<Item = SplitState> {
        let (count, apart) = match (self.bring, (self.said)()) {
            (Bring::AnyTime, _) => (1 + self.simulator.now().as_millis() as u64 / SPLIT_EVERY.as_millis() as u64, 1),
            (Bring::NewTime, said) => (1 + said + said % 2, BLOCK),
        };
        (0..count.min(SPLITS)).map(move |number| SplitState::unread(format!("{number}"), json!(number * apart)))
    }

    /// Reads up to `room` records of a split, and moves it on. Gives how many there were.
    fn read(&self, split: &mut SplitState, room: usize, out: &mut BatchBuilder) -> usize {
        if self.bring == Bring::AnyTime {
            return self.numbers.read(split, room, out);
        }
        let end = split.spec.as_u64().expect("a split is a number") + BLOCK;
        NumberSource { count: self.numbers.count.min(end), splits: 1, ..self.numbers.clone() }.read(split, room, out)
    }
}

impl Source for GrowingSource {
    fn connector(&self) -> &'static str {
        "growing"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities { bounded: false, ..SourceCapabilities::default() }
    }

    fn identity(&self) -> serde_json::Value {
        self.numbers.identity()
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok(self.there().collect())).boxed()
    }

    fn new_splits<'a>(&'a self, known: &'a [SplitState], _parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        async {
            // A look takes its time, and what it compares with may be old by the end of it.
            self.simulator.sleep_until(self.simulator.now() + Duration::from_millis(self.simulator.draw(60))).await;
            let is_new = |split: &SplitState| known.iter().all(|known| known.id != split.id);
            Ok(self.there().filter(is_new).collect())
        }
        .boxed()
    }

    fn discovery_interval(&self) -> Option<Duration> {
        Some(Duration::from_millis(20))
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        let ids: BTreeSet<&str> = splits.iter().map(|split| split.id.as_str()).collect();
        assert_eq!(ids.len(), splits.len(), "a checkpoint holds a split once");
        ready(Ok(Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(GrowingReader { source: self.clone(), splits, turn: 0 }))
    }
}

impl SourceReader for GrowingReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        if self.source.simulator.draw(4) == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut room = max_records.min(5);
        for _ in 0..self.splits.len() {
            // A few of each in turn, or all of the first.
            let first = || self.splits.iter().position(|split| split.progress != SplitProgress::Finished).unwrap_or_default();
            let place = if self.source.numbers.order == ReadOrder::ByNumber { first() } else { self.turn % self.splits.len() };
            self.turn += 1;
            room -= self.source.read(&mut self.splits[place], room.min(2), out.of(place));
            if room == 0 {
                break;
            }
        }
        // Without any more it is woken by what it is assigned.
        if out.is_empty() { Poll::Pending } else { Poll::Ready(Ok(ReadStatus::More)) }
    }

    fn splits(&self) -> Vec<SplitState> {
        self.splits.clone()
    }

    fn add_splits(&mut self, splits: Vec<SplitState>) -> Result<(), EngineError> {
        self.source.seen.lock().expect("no panic").assigned += splits.len() as u64;
        self.splits.extend(splits);
        Ok(())
    }

    fn is_idle(&self, split: usize) -> bool {
        self.splits[split].progress == SplitProgress::Finished
    }

    fn hears_of_completion(&self) -> bool {
        true
    }

    fn on_completed(
        &mut self,
        checkpoint_id: CheckpointId,
        splits: Vec<SplitState>,
    ) -> Option<BoxFuture<'static, Result<(), EngineError>>> {
        let known = splits.iter().all(|split| self.splits.iter().any(|own| own.id == split.id));
        assert!(known, "a reader is told of its own splits");
        self.source.seen.lock().expect("no panic").heard.push(checkpoint_id);
        Some(ready(Err(EngineError::new(ErrorKind::Retry, "nothing rests on it"))).boxed())
    }
}
