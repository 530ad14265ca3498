//! A source of numbered records in a few splits.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::json;
use std::sync::Arc;
use std::task::{Context, Poll};
use weir_engine::{BatchBuilder, EngineError, ReadStatus, ReaderContext, Source, SourceReader, SplitBatch, SplitProgress, SplitState};

/// Records `0..count`, dealt out to `splits` splits; record n has key `n % keys`, as text.
#[derive(Clone)]
pub struct NumberSource {
    /// Number of records.
    pub count: u64,
    /// Number of keys.
    pub keys: u64,
    /// Number of splits.
    pub splits: u64,
    /// Which of its splits a reader reads from.
    pub order: ReadOrder,
    /// The value of record n.
    pub value: Arc<dyn Fn(u64) -> String + Send + Sync>,
    /// The time of record n, ms.
    pub time: fn(u64) -> i64,
}

/// Which of its splits a reader reads from next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOrder {
    /// The first that has more.
    OneByOne,
    /// The one behind the one that it read from last.
    InTurn,
    /// The one whose next record has the smallest number: what a reader hands on is in order, wherever it resumes.
    ByNumber,
}

/// Record n has time n.
pub fn in_order(number: u64) -> i64 {
    number as i64
}

/// A hundred records, one each ms, and then a pause.
pub(super) fn in_bursts(number: u64) -> i64 {
    (number + number / 100 * 60) as i64
}

struct NumberReader {
    source: NumberSource,
    splits: Vec<SplitState>,
    current: usize,
}

impl Source for NumberSource {
    fn connector(&self) -> &'static str {
        "numbers"
    }

    fn identity(&self) -> serde_json::Value {
        json!({"count": self.count, "keys": self.keys, "splits": self.splits})
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok((0..self.splits).map(split).collect())).boxed()
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        assert_eq!(splits.len() as u64, self.splits, "a checkpoint holds every split once");
        ready(Ok(Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(NumberReader { source: self.clone(), splits, current: 0 }))
    }
}

/// The split with this number, of which nothing has been read.
pub(super) fn split(number: u64) -> SplitState {
    SplitState::unread(format!("{number}"), json!(number))
}

impl NumberSource {
    /// Reads up to `room` records of a split, and moves it on. Gives how many there were.
    pub(super) fn read(&self, split: &mut SplitState, room: usize, out: &mut BatchBuilder) -> usize {
        let Some(mut next) = next_of(split) else { return 0 };
        let mut count = 0;
        while count < room && next < self.count {
            let key = (next % self.keys).to_string();
            out.push(Some(key.as_bytes()), (self.value)(next).as_bytes(), Some((self.time)(next)));
            next += self.splits;
            count += 1;
        }
        split.progress = if next >= self.count { SplitProgress::Finished } else { SplitProgress::At(json!(next)) };
        count
    }
}

/// The number of the next record of a split; `None`: it is finished.
fn next_of(split: &SplitState) -> Option<u64> {
    match &split.progress {
        SplitProgress::Unread => Some(split.spec.as_u64().expect("a split is a number")),
        SplitProgress::At(position) => Some(position.as_u64().expect("a position is a number")),
        SplitProgress::Finished => None,
    }
}

impl NumberReader {
    fn read_by_number(&mut self, room: usize, out: &mut SplitBatch) -> ReadStatus {
        for _ in 0..room {
            let open = self.splits.iter().enumerate().filter_map(|(place, split)| Some((next_of(split)?, place)));
            let Some((_, place)) = open.min() else { break };
            self.source.read(&mut self.splits[place], 1, out.of(place));
        }
        if self.splits.iter().any(|split| next_of(split).is_some()) { ReadStatus::More } else { ReadStatus::End }
    }

    fn read_in_turn(&mut self, room: usize, out: &mut SplitBatch) -> ReadStatus {
        let count = self.splits.len();
        let is_open = |split: &SplitState| split.progress != SplitProgress::Finished;
        let next = (0..count).map(|step| (self.current + step) % count).find(|&place| is_open(&self.splits[place]));
        let Some(place) = next else { return ReadStatus::End };
        self.source.read(&mut self.splits[place], room, out.of(place));
        self.current = (place + 1) % count;
        if self.splits.iter().any(is_open) { ReadStatus::More } else { ReadStatus::End }
    }
}

impl SourceReader for NumberReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        // Small reads: many interleavings in few records.
        let mut room = max_records.min(5);
        match self.source.order {
            ReadOrder::OneByOne => {}
            ReadOrder::InTurn => return Poll::Ready(Ok(self.read_in_turn(room, out))),
            ReadOrder::ByNumber => return Poll::Ready(Ok(self.read_by_number(room, out))),
        }
        while let Some(split) = self.splits.get_mut(self.current) {
            if split.progress == SplitProgress::Finished {
                self.current += 1;
                continue;
            }
            room -= self.source.read(split, room, out.of(self.current));
            if room == 0 {
                return Poll::Ready(Ok(ReadStatus::More));
            }
        }
        Poll::Ready(Ok(ReadStatus::End))
    }

    fn splits(&self) -> Vec<SplitState> {
        self.splits.clone()
    }
}
