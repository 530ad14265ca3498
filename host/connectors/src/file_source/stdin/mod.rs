//! The source `stdin`: the rows of standard input, which nobody can read twice.
//!
//! Rows are those of the file source. The first row of CSV is its header; it comes when the input does, so an operator that is to be opened
//! with it, and `weir check`, know it only where `header` says it as well.
//!
//! What has been read of the input belongs to the source, not to a reader: after a restart within the process the next reader goes on with
//! the rows that the last one had not taken.

mod feed;
mod input;
mod options;

use super::options::{FileOptions, Format, OnError};
use super::timestamp::Timestamps;
use super::window::Progress;
use crate::settings::SettingsError;
use feed::Feed;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use options::StdinOptions;
use serde_json::{Map, Value, json};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use weir_engine::source::{SourceOrder, SplitProgress};
use weir_engine::{
    BatchBuilder, EngineError, ReadStatus, ReaderContext, RecordBatch, Source, SourceCapabilities, SourceReader, SplitBatch, SplitState,
};

/// Reads standard input, with parallelism 1 and without replay.
pub(crate) struct StdinSource {
    options: Arc<StdinOptions>,
    input: Arc<Mutex<Input>>,
}

/// The input before and after the first reader has come, from which on it is read under that one's id.
enum Input {
    Unread(Box<dyn Read + Send>),
    Read(Box<Feed>),
}

impl StdinSource {
    /// Reads the settings; nothing is read of the input before a reader asks.
    pub(crate) fn new(settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        Self::reading(Box::new(std::io::stdin()), settings)
    }

    fn reading(input: Box<dyn Read + Send>, settings: &Map<String, Value>) -> Result<(Self, Map<String, Value>), SettingsError> {
        let (options, shown) = StdinOptions::read(settings)?;
        Ok((Self { options: Arc::new(options), input: Arc::new(Mutex::new(Input::Unread(input))) }, shown))
    }
}

/// What the source `stdin` can do.
pub(crate) const STDIN_CAPABILITIES: SourceCapabilities = SourceCapabilities {
    single_reader: Some("standard input"),
    replayable: false,
    bounded: true,
    key_setting: true,
    timestamp_setting: true,
};

impl Source for StdinSource {
    fn connector(&self) -> &'static str {
        "stdin"
    }

    fn schema(&self) -> Option<String> {
        self.options.header.clone()
    }

    fn capabilities(&self) -> SourceCapabilities {
        STDIN_CAPABILITIES
    }

    fn identity(&self) -> Value {
        let FileOptions { format, key, timestamp, null: nulls, multiline, .. } = &self.options.rows;
        match format {
            Format::Lines => json!({ "connector": "stdin" }),
            Format::Csv | Format::JsonLines => json!({
                "connector": "stdin", "format": format.name(), "key": key, "timestamp": timestamp.as_ref().map(Timestamps::identity), "null": nulls, "multiline": multiline,
            }),
        }
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok(vec![SplitState::unread("stdin".into(), Value::Null)])).boxed()
    }

    fn order(&self, _parallelism: u32) -> SourceOrder {
        SourceOrder::Whole
    }

    fn gives_keys(&self) -> bool {
        self.options.rows.key.is_some()
    }

    fn timestamps(&self) -> Option<String> {
        let FileOptions { timestamp, format, .. } = &self.options.rows;
        timestamp.as_ref().map(|timestamps| timestamps.text(*format))
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        let begun = splits.iter().any(|split| matches!(split.progress, SplitProgress::At(_)));
        let warning = "stdin is not read again: the run goes on with the rows that come now";
        ready(Ok(begun.then(|| warning.to_string()).into_iter().collect())).boxed()
    }

    fn quarantines(&self) -> bool {
        self.options.rows.on_error == OnError::Quarantine
    }

    fn reader(&self, context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        let split = splits.into_iter().next();
        let records = match &split {
            Some(SplitState { progress: SplitProgress::At(records), .. }) => records.as_u64().unwrap_or(0),
            Some(_) | None => 0,
        };
        let mut reader = StdinReader {
            options: self.options.clone(),
            source: context.subtask.vertex.clone(),
            input: self.input.clone(),
            split,
            records,
            waits: false,
            skipped_before: 0,
        };
        reader.skipped_before = reader.skipped();
        Ok(Box::new(reader))
    }
}

struct StdinReader {
    options: Arc<StdinOptions>,
    source: String,
    input: Arc<Mutex<Input>>,
    /// `None` for a subtask that has no part in the input.
    split: Option<SplitState>,
    /// Records given so far.
    records: u64,
    /// Nothing more had come when it was read last.
    waits: bool,
    /// Rows that readers before this one have skipped.
    skipped_before: u64,
}

impl StdinReader {
    /// What `look` says of the input, where anything has been read of it.
    fn feed<T: Default>(&self, look: impl FnOnce(&mut Feed) -> T) -> T {
        match &mut *self.input.lock().unwrap_or_else(PoisonError::into_inner) {
            Input::Read(feed) => look(feed),
            Input::Unread(_) => T::default(),
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut BatchBuilder) -> Result<Progress, EngineError> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        if let Input::Unread(unread) = &mut *input {
            let unread = std::mem::replace(unread, Box::new(std::io::empty()));
            *input = Input::Read(Box::new(Feed::new(unread, self.options.clone(), &self.source)));
        }
        match &mut *input {
            Input::Read(feed) => feed.poll_read(cx, max_records, out),
            Input::Unread(_) => Ok(Progress::Ended),
        }
    }
}

impl SourceReader for StdinReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        if self.split.as_ref().is_none_or(|split| split.progress == SplitProgress::Finished) {
            return Poll::Ready(Ok(ReadStatus::End));
        }
        let before = out.len();
        let read = self.read(cx, max_records, out.of(0));
        self.waits = matches!(read, Ok(Progress::Waiting));
        let (progress, status) = match read {
            Ok(Progress::Waiting) => return Poll::Pending,
            Ok(Progress::More) => {
                self.records += (out.len() - before) as u64;
                (SplitProgress::At(self.records.into()), ReadStatus::More)
            }
            Ok(Progress::Ended) => (SplitProgress::Finished, ReadStatus::End),
            Err(error) => return Poll::Ready(Err(error)),
        };
        if let Some(split) = &mut self.split {
            split.progress = progress;
        }
        Poll::Ready(Ok(status))
    }

    fn splits(&self) -> Vec<SplitState> {
        self.split.iter().cloned().collect()
    }

    fn is_finished(&self, split: usize) -> bool {
        self.split.as_ref().filter(|_| split == 0).is_none_or(|split| split.progress == SplitProgress::Finished)
    }

    fn is_idle(&self, split: usize) -> bool {
        self.waits && split == 0
    }

    fn take_quarantined(&mut self) -> RecordBatch {
        self.feed(|feed| feed.bad_rows.take_quarantined())
    }

    fn skipped(&self) -> u64 {
        self.feed(|feed| feed.bad_rows.skipped()) - self.skipped_before
    }
}

#[cfg(test)]
mod tests;
