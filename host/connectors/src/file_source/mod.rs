//! The source `file`, and the rows that standard input has as well: lines, CSV rows or JSON lines of the files that match a glob, plain or compressed.
//!
//! A file is one split, read from front to back, so that its rows stay in order. With `split`, plain files are cut into byte ranges that
//! begin at line starts and are read side by side; compressed ones, and CSV whose quoted cells hold line breaks, stay whole. A position is
//! the offset (uncompressed) of the next row.
//!
//! Invariants: a range owns the rows that begin in it; a file that a checkpoint names is read on only with the size, the first and the
//! last bytes that it had; every record of a file comes from exactly one range, and every file is read once, whatever names it has.

mod bad_rows;
mod blocks;
mod cell_finder;
mod compressed;
mod csv_rows;
mod discovery;
mod doubt;
mod fingerprint;
mod follow;
mod header;
mod json_rows;
mod long_row;
mod options;
mod probe;
mod ranges;
mod reader;
mod row_starts;
mod rows;
mod split;
mod stdin;
mod stream;
mod timestamp;
mod window;

#[cfg(feature = "kafka")]
pub(crate) use json_rows::{Fields, JsonRows};
pub(crate) use options::{FILE_SETTINGS, STDIN_SETTINGS};
pub(crate) use stdin::{STDIN_CAPABILITIES, StdinSource};
pub use timestamp::SETTINGS as TIMESTAMP_SETTINGS;
#[cfg(feature = "kafka")]
pub(crate) use timestamp::Timestamps as RowTimestamps;

use crate::paths::Output;
use crate::settings::SettingsError;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use options::{FileOptions, Format, OnError};
use probe::Probe;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use timestamp::Timestamps;
use weir_engine::source::SourceOrder;
use weir_engine::{EngineError, ReaderContext, Source, SourceCapabilities, SourceReader, SplitState};

/// The longest row, without its line end: one that goes on is a bad row, not a reason to fill the memory.
const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads the files that match a glob.
pub(crate) struct FileSource {
    options: Arc<FileOptions>,
    /// The header of the first file (csv), where there was one when the source was built.
    header: Option<String>,
    /// True where its path can match one file only.
    is_one_file: bool,
}

impl FileSource {
    /// Reads the settings, and the beginning of the first file that matches: `key` and `timestamp` must be columns of it.
    pub(crate) fn new(settings: &Map<String, Value>, base_dir: &Path) -> Result<(Self, Map<String, Value>), SettingsError> {
        let (options, mut shown) = FileOptions::read(settings, base_dir)?;
        let wrong_file =
            |e: EngineError| SettingsError { field: Some("path".into()), message: e.to_string(), hint: e.hint().map(str::to_string) };
        let is_one_file = discovery::search(&options).map_err(wrong_file)?.0.is_literal();
        if options.follow {
            return Self::following(options, shown, is_one_file);
        }
        let first = discovery::matching_files(&options).map_err(wrong_file)?.into_iter().next();
        let probe = first.map(|file| Probe::of(&options, &file)).transpose().map_err(wrong_file)?;
        let header = probe.as_ref().and_then(|probe| probe.header.clone());
        if let Some(header) = &header {
            csv_rows::wanted_columns(&options, header)?;
        }
        if options.format == Format::Csv {
            shown.insert("multiline".into(), probe.map_or(options.multiline.into(), |probe| probe.multiline.into()));
        }
        Ok((Self { options: Arc::new(options), header, is_one_file }, shown))
    }

    /// The source over files that grow: nothing but the first header is found out of them.
    fn following(
        options: FileOptions,
        mut shown: Map<String, Value>,
        is_one_file: bool,
    ) -> Result<(Self, Map<String, Value>), SettingsError> {
        let wrong_file =
            |e: EngineError| SettingsError { field: Some("path".into()), message: e.to_string(), hint: e.hint().map(str::to_string) };
        let header = follow::first_header(&options).map_err(wrong_file)?;
        if let Some(header) = &header {
            csv_rows::wanted_columns(&options, header)?;
        }
        if options.format == Format::Csv {
            shown.insert("multiline".into(), options.multiline.unwrap_or(true).into());
        }
        Ok((Self { options: Arc::new(options), header, is_one_file }, shown))
    }

    /// The place of the first of these outputs of the same job that its pattern can match, now or once they have been written.
    pub(crate) fn matched_output(&self, outputs: &[Output]) -> Result<Option<usize>, EngineError> {
        let (pattern, found) = discovery::search(&self.options)?;
        Ok(outputs.iter().position(|output| output.is_matched_by(&pattern, &found)))
    }
}

/// What the source `file` can do.
pub(crate) const FILE_CAPABILITIES: SourceCapabilities =
    SourceCapabilities { single_reader: None, replayable: true, bounded: true, key_setting: true, timestamp_setting: true };

impl Source for FileSource {
    fn connector(&self) -> &'static str {
        "file"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities { bounded: !self.options.follow, ..FILE_CAPABILITIES }
    }

    fn schema(&self) -> Option<String> {
        self.header.clone()
    }

    fn identity(&self) -> Value {
        self.options.identity()
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        let (options, header) = (&self.options, self.header.as_deref());
        async move { if options.follow { follow::new_splits(options, header, &[]) } else { discovery::discover(options, header) } }.boxed()
    }

    fn remarks(&self) -> Result<Vec<String>, EngineError> {
        let mut remarks = match self.options.follow {
            true => follow::remarks(&self.options)?,
            false => discovery::search(&self.options)?.1.remarks,
        };
        let doubt = self.options.timestamp.as_ref().and_then(Timestamps::doubt);
        remarks.extend(doubt.map(|doubt| format!("its times are probably in another format: {doubt}")));
        Ok(remarks)
    }

    fn order(&self, _parallelism: u32) -> SourceOrder {
        match (self.options.split, self.is_one_file) {
            (Some(_), _) => SourceOrder::None("`split` cuts a file into ranges that are read side by side".into()),
            (None, true) if !self.options.follow => SourceOrder::Whole,
            (None, _) => SourceOrder::Within("file"),
        }
    }

    fn gives_keys(&self) -> bool {
        self.options.key.is_some()
    }

    fn timestamps(&self) -> Option<String> {
        self.options.timestamp.as_ref().map(|timestamps| timestamps.text(self.options.format))
    }

    /// Files in the order of their names, the ranges of each from front to back. Those that grow are read side by side.
    fn reads_in_order(&self) -> bool {
        !self.options.follow
    }

    fn new_splits<'a>(&'a self, known: &'a [SplitState], _parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        let (options, header) = (&self.options, self.header.as_deref());
        let look = if options.follow { follow::new_splits } else { discovery::new_splits };
        async move { look(options, header, known) }.boxed()
    }

    fn discovery_interval(&self) -> Option<Duration> {
        self.options.follow.then_some(follow::DISCOVERY_INTERVAL)
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        let (options, header) = (&self.options, self.header.as_deref());
        let verify = if options.follow { follow::verify } else { discovery::verify };
        async move { verify(options, header, splits) }.boxed()
    }

    fn quarantines(&self) -> bool {
        self.options.on_error == OnError::Quarantine
    }

    fn reader(&self, context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        if self.options.follow {
            return Ok(Box::new(follow::FollowingReader::new(self.options.clone(), context, splits)?));
        }
        Ok(Box::new(reader::FileReader::new(self.options.clone(), context, splits)))
    }
}

#[cfg(test)]
mod tests;
