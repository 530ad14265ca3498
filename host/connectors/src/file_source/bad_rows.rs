//! What becomes of rows that cannot be read: the job fails, or they are counted and logged, or they go to the output `quarantine`.
//!
//! Invariant: a row behind a bad one is read only where it is sure to be one. Where it is not, the job fails whatever `on-error` says.

use super::discovery::file_error;
use super::doubt::Verdict;
use super::options::{FileOptions, OnError};
use super::rows::RowError;
use super::stream;
use super::timestamp::Timestamps;
use crate::paths::FileName;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use weir_engine::shown_text::bytes_as_json;
use weir_engine::{BatchBuilder, EngineError, ErrorKind, RecordBatch};

/// Bad rows that a reader logs; the others are only counted.
const LOGGED_MAX: u64 = 10;
/// How far into a file the line of a position is counted; beyond it messages name the byte.
const LINE_NUMBER_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a bad row that its error shows.
const EXCERPT_BYTES: usize = 80;

/// Where rows go that cannot be read.
pub(super) struct BadRows {
    options: Arc<FileOptions>,
    /// The id of the source.
    source: String,
    skipped: u64,
    logged: u64,
    quarantined: BatchBuilder,
    file: FileLines,
}

impl BadRows {
    /// Those of the source with this id.
    pub(super) fn new(options: Arc<FileOptions>, source: &str) -> Self {
        let file = FileLines { path: FileName::from(""), position: 0, before: None, passed: 0 };
        Self { options, source: source.to_owned(), skipped: 0, logged: 0, quarantined: BatchBuilder::new(), file }
    }

    /// The file of this name is read from `position` on.
    pub(super) fn begin_file(&mut self, path: &FileName, position: u64) {
        self.file = FileLines { path: path.clone(), position, before: None, passed: 0 };
    }

    /// So many lines have been read.
    #[inline]
    pub(super) fn pass_lines(&mut self, lines: u64) {
        self.file.passed += lines;
    }

    /// True where every bad row fails the job.
    pub(super) fn all_fail(&self) -> bool {
        self.options.on_error == OnError::Fail
    }

    /// Rows that have been skipped.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The reports of rows for the quarantine since the last call.
    pub(super) fn take_quarantined(&mut self) -> RecordBatch {
        self.quarantined.take()
    }

    /// Warns, once for a source, where rows can be read and their times are probably others than they are read as.
    #[inline]
    pub(super) fn tell_doubtful_times(&self) {
        if let Some(doubt) = self.options.timestamp.as_ref().and_then(Timestamps::take_doubt) {
            tracing::warn!(source = self.source, "the times of a source are probably in another format: {doubt}");
        }
    }

    /// Deals with a bad row, behind which these bytes come.
    #[cold]
    pub(super) fn meet(&mut self, offset: u64, row: &[u8], error: &RowError, behind: Verdict) -> Result<(), EngineError> {
        match (self.options.on_error, behind) {
            (OnError::Fail, _) => {
                let hint = hint_where_all_fail(behind, self.options.on_error_needs_lines());
                Err(self.failure(offset, row, error).with_hint(hint))
            }
            (OnError::Skip | OnError::Quarantine, Verdict::Doubtful | Verdict::Unseen) => {
                let hint = "mend the row: `on-error` does not cover it, because what follows may be the inside of one of its cells";
                Err(self.failure(offset, row, error).with_hint(hint))
            }
            (OnError::Skip, Verdict::Rows) => {
                self.skipped += 1;
                self.log("row skipped", offset, error);
                Ok(())
            }
            (OnError::Quarantine, Verdict::Rows) => {
                self.log("row quarantined", offset, error);
                let report = self.report(offset, row, error).to_string();
                self.quarantined.push(None, report.as_bytes(), None);
                Ok(())
            }
        }
    }

    /// The file cannot be read.
    #[cold]
    pub(super) fn unreadable(&self, offset: u64, error: std::io::Error) -> EngineError {
        file_error("read", &self.file.path, error).context(format!("at byte {offset}"))
    }

    fn failure(&mut self, offset: u64, row: &[u8], error: &RowError) -> EngineError {
        let excerpt = row[..row.len().min(EXCERPT_BYTES)].escape_ascii();
        EngineError::new(ErrorKind::FixInput, format!("{}: {excerpt}", self.what(offset, error)))
    }

    /// Where a row is, as a user would look for it, and what is wrong with it.
    fn what(&mut self, offset: u64, error: &RowError) -> String {
        let place = match (self.file.line(&self.options), error.column) {
            (Some(line), Some(column)) => format!("line {line}, column {column}"),
            (Some(line), None) => format!("line {line}"),
            (None, column) => format!("byte {}", offset + column.map_or(0, |column| column as u64 - 1)),
        };
        format!("read {}, {place}: {}", self.file.path, error.why)
    }

    fn log(&mut self, what: &str, offset: u64, error: &RowError) {
        self.logged += 1;
        if self.logged <= LOGGED_MAX {
            let error = self.what(offset, error);
            tracing::warn!(source = self.source, error, "{what}");
        }
    }

    /// What the quarantine is told of a row: as of an operator's record, and where it is.
    fn report(&mut self, offset: u64, row: &[u8], error: &RowError) -> Value {
        let line = self.file.line(&self.options);
        json!({
            "source": self.source,
            "key": null,
            "value": bytes_as_json(row),
            "timestamp": null,
            "error": self.what(offset, error),
            "file": self.file.path.to_string(),
            "line": line,
            "offset": offset,
        })
    }
}

/// What to do about a bad row that fails the job because nothing else is said: `on-error` is offered only where it covers the row, and with what it needs.
fn hint_where_all_fail(behind: Verdict, needs_multiline: bool) -> String {
    let with = if needs_multiline { ", with `multiline = false` where no cell holds a line end" } else { "" };
    let offer = format!("mend the row, or say `on-error = \"skip\"` or `on-error = \"quarantine\"`{with}");
    match behind {
        Verdict::Rows => offer,
        Verdict::Doubtful => {
            "mend the row: `on-error` would not cover it, because what follows may be the inside of one of its cells".to_owned()
        }
        Verdict::Unseen => format!("{offer}; they do not cover it where what follows may be the inside of one of its cells"),
    }
}

/// The lines of the file that is read. Those in front of where the reading began are counted when the first number is asked for.
struct FileLines {
    path: FileName,
    /// Where the reading began.
    position: u64,
    /// Lines in front of that; `None` inside: too many bytes to count them.
    before: Option<Option<u64>>,
    /// Lines read since.
    passed: u64,
}

impl FileLines {
    /// The number, from 1, of the line that is read next; `None` where it is not known.
    fn line(&mut self, options: &FileOptions) -> Option<u64> {
        let before = *self.before.get_or_insert_with(|| {
            if self.position == 0 {
                return Some(0);
            }
            let path = self.path.path(&options.base_dir);
            (self.position <= LINE_NUMBER_BYTES_MAX).then(|| line_ends(&path, self.position).ok()).flatten()
        });
        before.map(|before| before + self.passed + 1)
    }
}

/// Line ends in front of `offset`.
fn line_ends(path: &Path, offset: u64) -> std::io::Result<u64> {
    let mut before = stream::open(path, 0, Some(offset))?;
    let mut block = vec![0; 64 * 1024];
    let mut lines = 0;
    loop {
        match before.read(&mut block)? {
            0 => return Ok(lines),
            count => lines += memchr::memchr_iter(b'\n', &block[..count]).count() as u64,
        }
    }
}
