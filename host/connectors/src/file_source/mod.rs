//! The source `file`: lines, CSV rows or JSON lines of the files that match a glob, plain or compressed.
//!
//! A plain file is cut into byte ranges that begin at line starts, so that several subtasks read it; a compressed one, and CSV whose
//! quoted cells hold line breaks, is read whole. A position is the offset (uncompressed) of the next row.
//!
//! Invariants: a range owns the rows that begin in it; a file that a checkpoint names is read on only with the size and the first
//! bytes that it had; every record of a file comes from exactly one range.

mod bad_rows;
mod blocks;
mod cell_finder;
mod csv_rows;
mod discovery;
mod doubt;
mod json_rows;
mod long_row;
mod options;
mod probe;
mod reader;
mod row_starts;
mod rows;
mod split;
mod stream;
mod timestamp;

use crate::settings::SettingsError;
use options::{FileOptions, Format, OnError};
use probe::Probe;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use weir_engine::operator::Subtask;
use weir_engine::{EngineError, Source, SourceReader, SplitState};

/// The longest row, without its line end: one that goes on is a bad row, not a reason to fill the memory.
const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads the files that match a glob.
pub(crate) struct FileSource {
    options: Arc<FileOptions>,
    /// The header of the first file (csv), where there was one when the source was built.
    header: Option<String>,
}

impl FileSource {
    /// Reads the settings, and the beginning of the first file that matches: `key` and `timestamp` must be columns of it.
    pub(crate) fn new(settings: &Map<String, Value>, base_dir: &Path) -> Result<(Self, Map<String, Value>), SettingsError> {
        let (options, mut shown) = FileOptions::read(settings, base_dir)?;
        let wrong_file =
            |e: EngineError| SettingsError { field: Some("path".into()), message: e.to_string(), hint: e.hint().map(str::to_string) };
        let first = discovery::matching_files(&options).map_err(wrong_file)?.into_iter().next();
        let probe = first.map(|file| Probe::of(&options, &file)).transpose().map_err(wrong_file)?;
        let header = probe.as_ref().and_then(|probe| probe.header.clone());
        if let Some(header) = &header {
            csv_rows::wanted_columns(&options, header)?;
        }
        if options.format == Format::Csv {
            shown.insert("multiline".into(), probe.map_or(options.multiline.into(), |probe| probe.multiline.into()));
        }
        Ok((Self { options: Arc::new(options), header }, shown))
    }
}

impl Source for FileSource {
    fn connector(&self) -> &'static str {
        "file"
    }

    fn schema(&self) -> Option<String> {
        self.header.clone()
    }

    fn identity(&self) -> Value {
        self.options.identity()
    }

    fn discover(&self, parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        discovery::discover(&self.options, self.header.as_deref(), parallelism)
    }

    fn gives_keys(&self) -> bool {
        self.options.key.is_some()
    }

    fn new_splits(&self, known: &[SplitState], parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        discovery::new_splits(&self.options, self.header.as_deref(), known, parallelism)
    }

    fn verify(&self, splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
        discovery::verify(&self.options, self.header.as_deref(), splits)
    }

    fn quarantines(&self) -> bool {
        self.options.on_error == OnError::Quarantine
    }

    fn reader(&self, subtask: &Subtask, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(reader::FileReader::new(self.options.clone(), &subtask.vertex, splits)))
    }
}

#[cfg(test)]
mod tests;
