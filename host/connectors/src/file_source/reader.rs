//! Reads the splits of one subtask, one after the other.

use super::blocks::Blocks;
use super::discovery::{file_error, unchanged};
use super::options::{FileOptions, Format, OnError};
use super::rows::{AnyRows, Lines, Row, RowError, Rows};
use super::split::{Fingerprint, SplitSpec};
use super::stream;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use weir_engine::source::SplitProgress;
use weir_engine::{BatchBuilder, EngineError, ErrorKind, ReadStatus, SourceReader, SplitState};

/// Bytes of rows after which a poll returns.
const POLL_BYTES: usize = 256 * 1024;
/// Skipped rows that a reader logs; the others are only counted.
const SKIPS_LOGGED: u64 = 10;
/// How far into a file a bad row's line number is counted; beyond it the message names the byte.
const LINE_NUMBER_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a bad row that its error shows.
const EXCERPT_BYTES: usize = 80;

/// Reads files.
pub(super) struct FileReader {
    options: Arc<FileOptions>,
    splits: Vec<SplitState>,
    /// The split that is read, or will be next.
    current: usize,
    open: Option<OpenSplit>,
    skipped: u64,
}

/// A split while it is read.
struct OpenSplit {
    spec: SplitSpec,
    blocks: Blocks,
    rows: AnyRows,
}

impl FileReader {
    /// Reads these splits from their progress on.
    pub(super) fn new(options: Arc<FileOptions>, splits: Vec<SplitState>) -> Self {
        Self { options, splits, current: 0, open: None, skipped: 0 }
    }

    /// Opens the next split that is not finished; false where there is none.
    fn open_next(&mut self) -> Result<bool, EngineError> {
        while let Some(split) = self.splits.get(self.current) {
            let (spec, position) = SplitSpec::parse(split)?;
            if let Some(position) = position {
                self.open = Some(OpenSplit::open(&self.options, spec, position)?);
                return Ok(true);
            }
            self.current += 1;
        }
        Ok(false)
    }

    fn read(&mut self, max_records: usize, out: &mut BatchBuilder) -> Result<ReadStatus, EngineError> {
        if self.open.is_none() && !self.open_next()? {
            return Ok(ReadStatus::End);
        }
        if let Some(open) = &mut self.open {
            let mut bad_rows = BadRows { options: &self.options, spec: &open.spec, skipped: &mut self.skipped };
            let ended = match &mut open.rows {
                AnyRows::Lines(rows) => read_rows(rows, &mut open.blocks, max_records, out, &mut bad_rows)?,
                AnyRows::Csv(rows) => read_rows(rows, &mut open.blocks, max_records, out, &mut bad_rows)?,
                AnyRows::Json(rows) => read_rows(rows, &mut open.blocks, max_records, out, &mut bad_rows)?,
            };
            if ended {
                open.check_end()?;
                self.splits[self.current].progress = SplitProgress::Finished;
                self.current += 1;
                self.open = None;
            }
        }
        Ok(ReadStatus::More)
    }
}

impl SourceReader for FileReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut BatchBuilder) -> Poll<Result<ReadStatus, EngineError>> {
        Poll::Ready(self.read(max_records, out))
    }

    fn splits(&self) -> Vec<SplitState> {
        let mut splits = self.splits.clone();
        if let Some(open) = &self.open {
            splits[self.current].progress = SplitProgress::At(open.blocks.offset().into());
        }
        splits
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl OpenSplit {
    fn open(options: &FileOptions, spec: SplitSpec, position: u64) -> Result<Self, EngineError> {
        let path = options.base_dir.join(&spec.path);
        let failed = |e| file_error("read", &spec.path, e);
        unchanged(&spec, &Fingerprint::of(&path).map_err(failed)?)?;
        let rows = match (&spec.header, options.format) {
            (None, Format::Csv) => AnyRows::Lines(Lines), // the file is empty
            (header, _) => AnyRows::new(options, header.as_deref(), spec.multiline)?,
        };
        let blocks = Blocks::new(stream::open(&path, position, spec.end).map_err(failed)?, position);
        Ok(Self { spec, blocks, rows })
    }

    /// A file that was cut while it was read must not look like one that was read to its end.
    fn check_end(&self) -> Result<(), EngineError> {
        match self.spec.end {
            Some(end) if self.blocks.offset() != end => {
                let message = format!("read {}: it ends at byte {} and had {end}", self.spec.path, self.blocks.offset());
                Err(EngineError::new(ErrorKind::FixInput, message)
                    .with_hint("it has been changed while it was read; put it back as it was"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Appends records until `max_records` rows or enough bytes have been looked at; true where the split has ended.
fn read_rows<R: Rows>(
    rows: &mut R,
    blocks: &mut Blocks,
    max_records: usize,
    out: &mut BatchBuilder,
    bad_rows: &mut BadRows<'_>,
) -> Result<bool, EngineError> {
    let (mut seen, mut bytes) = (0, 0);
    while seen < max_records && bytes < POLL_BYTES {
        let Some(frame) = rows.frame(blocks.bytes(), blocks.is_ended()) else {
            if blocks.is_ended() {
                return Ok(true);
            }
            blocks.fill().map_err(|e| bad_rows.unreadable(blocks.offset(), e))?;
            continue;
        };
        let row = &blocks.bytes()[..frame.content];
        match rows.parse(row, frame) {
            Ok(Row::Record { key, timestamp }) => out.push(key.as_deref(), row, timestamp),
            Ok(Row::Blank) => {}
            Err(error) => bad_rows.meet(blocks.offset(), row, &error)?,
        }
        blocks.consume(frame.next);
        seen += 1;
        bytes += frame.next;
    }
    Ok(false)
}

/// Where rows go that cannot be read.
struct BadRows<'a> {
    options: &'a FileOptions,
    spec: &'a SplitSpec,
    skipped: &'a mut u64,
}

impl BadRows<'_> {
    /// Counts a bad row, or fails.
    #[cold]
    fn meet(&mut self, offset: u64, row: &[u8], error: &RowError) -> Result<(), EngineError> {
        let (file, RowError(why)) = (&self.spec.path, error);
        match self.options.on_error {
            OnError::Skip => {
                *self.skipped += 1;
                if *self.skipped <= SKIPS_LOGGED {
                    tracing::warn!(file, offset, error = why, "row skipped");
                }
                Ok(())
            }
            OnError::Fail => {
                let excerpt = row[..row.len().min(EXCERPT_BYTES)].escape_ascii();
                let message = format!("read {file}, {}: {why}: {excerpt}", self.place(offset));
                Err(EngineError::new(ErrorKind::FixInput, message).with_hint("mend the row, or say `on-error = \"skip\"`"))
            }
        }
    }

    #[cold]
    fn unreadable(&self, offset: u64, error: std::io::Error) -> EngineError {
        file_error("read", &self.spec.path, error).context(format!("at byte {offset}"))
    }

    /// Where a row is, as a user would look for it.
    fn place(&self, offset: u64) -> String {
        let line =
            (offset <= LINE_NUMBER_BYTES_MAX).then(|| line_number(&self.options.base_dir.join(&self.spec.path), offset).ok()).flatten();
        line.map_or_else(|| format!("byte {offset}"), |line| format!("line {line}"))
    }
}

/// The number, from 1, of the line that begins at `offset`.
fn line_number(path: &Path, offset: u64) -> std::io::Result<u64> {
    let mut before = stream::open(path, 0, Some(offset))?;
    let mut block = vec![0; 64 * 1024];
    let mut line = 1;
    loop {
        match before.read(&mut block)? {
            0 => return Ok(line),
            count => line += memchr::memchr_iter(b'\n', &block[..count]).count() as u64,
        }
    }
}
