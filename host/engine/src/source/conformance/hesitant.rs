//! A source whose readers have nothing yet every other time, as one that waits for a broker.

use crate::element::{CheckpointId, RecordBatch};
use crate::error::EngineError;
use crate::source::{ReadStatus, ReaderContext, Source, SourceCapabilities, SourceOrder, SourceReader, SplitBatch, SplitLag, SplitState};
use futures_util::future::BoxFuture;
use std::task::{Context, Poll};
use std::time::Duration;

/// Another source, whose readers are pending now and then.
pub struct Hesitant<S>(pub S);

struct HesitantReader {
    inner: Box<dyn SourceReader>,
    rng: fastrand::Rng,
}

impl<S: Source> Source for Hesitant<S> {
    fn connector(&self) -> &'static str {
        self.0.connector()
    }

    fn schema(&self) -> Option<String> {
        self.0.schema()
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

    fn order(&self, parallelism: u32) -> SourceOrder {
        self.0.order(parallelism)
    }

    fn timestamps(&self) -> Option<String> {
        self.0.timestamps()
    }

    fn reads_in_order(&self) -> bool {
        self.0.reads_in_order()
    }

    fn new_splits<'a>(&'a self, known: &'a [SplitState], parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        self.0.new_splits(known, parallelism)
    }

    fn discovery_interval(&self) -> Option<Duration> {
        self.0.discovery_interval()
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

    fn forget_finished(&mut self) -> Vec<usize> {
        self.inner.forget_finished()
    }

    fn add_splits(&mut self, splits: Vec<SplitState>) -> Result<(), EngineError> {
        self.inner.add_splits(splits)
    }

    fn is_finished(&self, split: usize) -> bool {
        self.inner.is_finished(split)
    }

    fn is_idle(&self, split: usize) -> bool {
        self.inner.is_idle(split)
    }

    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        self.inner.lags(each);
    }

    fn hears_of_completion(&self) -> bool {
        self.inner.hears_of_completion()
    }

    fn on_completed(
        &mut self,
        checkpoint_id: CheckpointId,
        splits: Vec<SplitState>,
    ) -> Option<BoxFuture<'static, Result<(), EngineError>>> {
        self.inner.on_completed(checkpoint_id, splits)
    }

    fn take_quarantined(&mut self) -> RecordBatch {
        self.inner.take_quarantined()
    }

    fn skipped(&self) -> u64 {
        self.inner.skipped()
    }
}
