//! Jobs with time: words that have one, and an operator that counts them in windows or with timers.

use super::bench::split;
use crate::element::{BatchBuilder, Column, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::job::{Vertex, VertexKind};
use crate::operator::{
    FiredTimers, Operator, OperatorContext, OperatorDescriptor, OperatorFactory, OutputDescriptor, Subtask, TimerDescriptor,
};
use crate::source::{ReadStatus, ReaderContext, Source, SourceReader, SplitBatch, SplitProgress, SplitState};
use crate::state::{FiredWindows, KeyedState, StateDescriptor, StateKind, StateMerger};
use crate::time::WatermarkSettings;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::json;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Gives words, two at a time: the key of `a5` is `a`, and its time is 5.
pub struct Timed {
    words: &'static str,
    ends: bool,
    /// All words are of the first.
    splits: usize,
}

impl Source for Timed {
    fn connector(&self) -> &'static str {
        "timed"
    }

    fn identity(&self) -> serde_json::Value {
        json!(self.words)
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok(vec![split(SplitProgress::Unread); self.splits])).boxed()
    }

    fn verify<'a>(&'a self, _splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, _splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(TimedReader { words: self.words.split_whitespace().collect(), next: 0, ends: self.ends, splits: self.splits }))
    }
}

struct TimedReader {
    words: Vec<&'static str>,
    next: usize,
    ends: bool,
    splits: usize,
}

pub fn push(batch: &mut BatchBuilder, word: &str) {
    batch.push(Some(&word.as_bytes()[..1]), word.as_bytes(), word[1..].parse().ok());
}

impl SourceReader for TimedReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        let some = &self.words[self.next..(self.next + max.min(2)).min(self.words.len())];
        some.iter().for_each(|word| push(out.of(0), word));
        self.next += some.len();
        match (some.is_empty(), self.ends) {
            (true, false) => Poll::Pending,
            (true, true) => Poll::Ready(Ok(ReadStatus::End)),
            (false, _) => Poll::Ready(Ok(ReadStatus::More)),
        }
    }

    fn splits(&self) -> Vec<SplitState> {
        vec![split(SplitProgress::At(json!(self.next))); self.splits]
    }

    fn is_idle(&self, _split: usize) -> bool {
        self.next == self.words.len()
    }
}

/// A source of words that makes watermarks without any delay.
pub fn source(id: &str, words: &'static str, ends: bool) -> Vertex {
    source_of(id, Timed { words, ends, splits: 1 })
}

/// The same without an end, of which another split has no words.
pub fn two_splits(id: &str, words: &'static str) -> Vertex {
    source_of(id, Timed { words, ends: false, splits: 2 })
}

fn source_of(id: &str, timed: Timed) -> Vertex {
    let kind = VertexKind::Source { source: Arc::new(timed), rate: None };
    Vertex { watermark: Some(WatermarkSettings::default()), ..Vertex::new(id, 1, kind) }
}

/// Counts the words of a key in each of its windows, or counts them and sets a timer 5 behind each; emits `count` where one fires.
#[derive(Clone)]
pub struct Counter {
    /// What it declares.
    pub descriptor: OperatorDescriptor,
    /// What it adds to a count when it emits it.
    pub more: u8,
    /// The count that it fails to emit.
    pub fails: u8,
    /// The key that it fails to emit anything of.
    pub fails_on: &'static str,
}

impl Counter {
    /// With timers, or with windows.
    pub fn new(timers: bool) -> Self {
        let count = StateDescriptor { name: "count".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None };
        let outputs = vec![OutputDescriptor { name: "out".into(), schema: None }];
        let timers: Vec<_> = timers.then(|| TimerDescriptor { name: "later".into(), event_time: true }).into_iter().collect();
        let (windowed, merging) = (timers.is_empty(), if timers.is_empty() { vec![0] } else { Vec::new() });
        let descriptor = OperatorDescriptor { outputs, states: vec![count], timers, windowed, merging, ..OperatorDescriptor::default() };
        Self { descriptor, more: 0, fails: u8::MAX, fails_on: "-" }
    }

    fn emit<'k>(&self, state: &mut KeyedState, of: impl Iterator<Item = (&'k [u8], i64)>) -> Result<RecordBatch, EngineError> {
        let mut out = BatchBuilder::new();
        for (place, (key, time)) in of.enumerate() {
            let count = state.copied_value(state.key_of()[place] as usize, 0)?.map_or(0, |count| count[0]);
            if count == self.fails || key == self.fails_on.as_bytes() {
                return Err(EngineError::new(ErrorKind::Restart, format!("cannot count to {count}")));
            }
            out.push(Some(key), (count + self.more).to_string().as_bytes(), Some(time));
        }
        Ok(out.finish())
    }
}

impl OperatorFactory for Counter {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.clone()))
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        Some(Arc::new(Sum))
    }
}

struct Sum;

impl StateMerger for Sum {
    fn merge(&self, _state: usize, earlier: &Column, later: &Column) -> Result<Column, EngineError> {
        let mut sums = Column::new();
        earlier.iter().zip(later.iter()).for_each(|(earlier, later)| sums.push(&[earlier[0] + later[0]]));
        Ok(sums)
    }
}

impl Operator for Counter {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("a key edge");
        let mut first = 0;
        while first < batch.len() {
            let taken = state.select(batch, first..batch.len()).map_err(|error| error.into_error(|_| unreachable!("each has a key")))?;
            for row in 0..state.key_of().len() {
                let record = state.rows().map_or(first + row, |rows| rows[row] as usize);
                let key = state.key_of()[row] as usize;
                let count = state.copied_value(key, 0)?.map_or(0, |count| count[0]) + 1;
                state.set_value(key, 0, &[count])?;
                if !self.descriptor.timers.is_empty() {
                    state.set_timer(key, 0, batch.timestamps()[record] + 5)?;
                }
            }
            state.accept()?;
            first += taken;
        }
        Ok(())
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("windows are of keys");
        state.select(fired, 0..fired.len()).expect("each has a key");
        let out = self.emit(state, fired.keys().iter().zip(fired.firings().iter().map(|firing| firing.timestamp)))?;
        context.outputs.push((0, out.into()));
        Ok(())
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("timers are of keys");
        state.select(fired, 0..fired.len()).expect("each has a key");
        let out = self.emit(state, fired.keys().iter().zip(fired.due().iter().copied()))?;
        context.outputs.push((0, out.into()));
        Ok(())
    }
}
