//! Reads the splits of one subtask, one after the other.

use super::ROW_BYTES_MAX;
use super::bad_rows::BadRows;
use super::blocks::Blocks;
use super::discovery::{file_error, unchanged};
use super::doubt::{Doubt, Quiet, Verdict};
use super::fingerprint::{Watched, has_a_torn_end};
use super::long_row::{Found, LongRow};
use super::options::{FileOptions, Format};
use super::rows::{AnyRows, Frame, Lines, Row, RowError, Rows};
use super::split::SplitSpec;
use super::stream;
use memchr::memchr_iter;
use std::fs::File;
use std::sync::Arc;
use std::task::{Context, Poll};
use weir_engine::source::SplitProgress;
use weir_engine::{BatchBuilder, EngineError, ErrorKind, ReadStatus, RecordBatch, SourceReader, SplitState};

/// Bytes of rows after which a poll returns.
const POLL_BYTES: usize = 256 * 1024;
/// Bytes at the beginning of a row that is too long which are kept for its error and for the quarantine.
const LONG_ROW_KEPT_BYTES: usize = 1024;

/// Reads files.
pub(super) struct FileReader {
    options: Arc<FileOptions>,
    splits: Vec<SplitState>,
    /// The split that is read, or will be next.
    current: usize,
    open: Option<OpenSplit>,
    bad_rows: BadRows,
}

/// A split while it is read.
struct OpenSplit {
    spec: SplitSpec,
    file: File,
    window: Window,
    rows: AnyRows,
}

/// The part of a split that lies in memory.
struct Window {
    blocks: Blocks,
    /// The row that is passed over.
    long: Option<PassedRow>,
    quiet: Quiet,
}

/// A row that is too long to be held.
struct PassedRow {
    /// Where it begins.
    offset: u64,
    beginning: Vec<u8>,
    scan: LongRow,
}

impl FileReader {
    /// Reads these splits of the source with the id `source` from their progress on.
    pub(super) fn new(options: Arc<FileOptions>, source: &str, splits: Vec<SplitState>) -> Self {
        let bad_rows = BadRows::new(options.clone(), source);
        Self { options, splits, current: 0, open: None, bad_rows }
    }

    /// Opens the next split that is not finished; false where there is none.
    fn open_next(&mut self) -> Result<bool, EngineError> {
        while let Some(split) = self.splits.get(self.current) {
            let (spec, position) = SplitSpec::parse(split)?;
            if let Some(position) = position {
                self.bad_rows.begin_file(&spec.path, position);
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
            let ended = match &mut open.rows {
                AnyRows::Lines(rows) => open.window.read_rows(rows, max_records, out, &mut self.bad_rows)?,
                AnyRows::Csv(rows) => open.window.read_rows(rows, max_records, out, &mut self.bad_rows)?,
                AnyRows::Json(rows) => open.window.read_rows(rows, max_records, out, &mut self.bad_rows)?,
            };
            if open.window.blocks.is_ended() {
                open.check_last_row()?;
            }
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
            splits[self.current].progress = SplitProgress::At(open.window.position().into());
        }
        splits
    }

    fn skipped(&self) -> u64 {
        self.bad_rows.skipped()
    }

    fn take_quarantined(&mut self) -> RecordBatch {
        self.bad_rows.take_quarantined()
    }
}

impl OpenSplit {
    fn open(options: &FileOptions, spec: SplitSpec, position: u64) -> Result<Self, EngineError> {
        let path = spec.path.path(&options.base_dir);
        let failed = |e| file_error("read", &spec.path, e);
        let watched = Watched::open(&path, spec.fingerprint.clone()).map_err(failed)?;
        unchanged(&spec, &watched.fingerprint().map_err(failed)?)?;
        let file = watched.file().map_err(failed)?;
        let rows = match (&spec.header, options.format) {
            (None, Format::Csv) => AnyRows::Lines(Lines::default()), // the file is empty
            (header, _) => AnyRows::new(options, header.as_deref(), spec.multiline)?,
        };
        let blocks = Blocks::new(stream::open_watched(watched, &path, position, spec.end).map_err(failed)?, position);
        Ok(Self { spec, file, window: Window { blocks, long: None, quiet: Quiet::default() }, rows })
    }

    /// A last row without its end must not look like a row where the file has grown since, and the row with it.
    fn check_last_row(&self) -> Result<(), EngineError> {
        let SplitSpec { path, fingerprint, end, .. } = &self.spec;
        let torn =
            *end == Some(fingerprint.size) && has_a_torn_end(&self.file, fingerprint.size).map_err(|e| file_error("read", path, e))?;
        if !torn {
            return Ok(());
        }
        let message =
            format!("read {path}: it has grown while it was read, and the last row of its {} bytes had no end yet", fingerprint.size);
        Err(EngineError::new(ErrorKind::FixInput, message).with_hint("read files that nobody writes to any more"))
    }

    /// A file that was cut while it was read must not look like one that was read to its end.
    fn check_end(&self) -> Result<(), EngineError> {
        match self.spec.end {
            Some(end) if self.window.blocks.offset() != end => {
                let message = format!("read {}: it ends at byte {} and had {end}", self.spec.path, self.window.blocks.offset());
                Err(EngineError::new(ErrorKind::FixInput, message)
                    .with_hint("it has been changed while it was read; put it back as it was"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Window {
    /// The offset of the first row that has not been read. A row that is passed over is read again as a whole, or not at all.
    fn position(&self) -> u64 {
        self.long.as_ref().map_or(self.blocks.offset(), |long| long.offset)
    }

    /// Appends records until `max_records` rows or enough bytes have been looked at; true where the split has ended.
    fn read_rows<R: Rows>(
        &mut self,
        rows: &mut R,
        max_records: usize,
        out: &mut BatchBuilder,
        bad_rows: &mut BadRows,
    ) -> Result<bool, EngineError> {
        let (mut seen, mut bytes) = (0, 0);
        while seen < max_records && bytes < POLL_BYTES {
            if self.long.is_some() {
                bytes += self.pass_long_row(bad_rows)?;
                continue;
            }
            let blocks = &mut self.blocks;
            let frame = match rows.frame(blocks.bytes(), blocks.is_ended()) {
                Some(frame) if frame.content <= ROW_BYTES_MAX => frame,
                None if blocks.is_ended() => return Ok(true),
                None if !blocks.is_full() => {
                    blocks.fill().map_err(|error| bad_rows.unreadable(blocks.offset(), error))?;
                    continue;
                }
                Some(_) | None => {
                    self.begin_long_row(rows.long_row());
                    continue;
                }
            };
            let row = &blocks.bytes()[..frame.content];
            match rows.parse(row, frame) {
                Ok(Row::Record { key, timestamp }) => out.push(key.as_deref(), row, timestamp),
                Ok(Row::Blank) => {}
                Err(error) => self.meet(frame, &error, bad_rows)?,
            }
            bad_rows.pass_lines(self.lines_of(frame));
            self.blocks.consume(frame.next);
            seen += 1;
            bytes += frame.next;
        }
        Ok(false)
    }

    #[inline]
    fn lines_of(&self, frame: Frame) -> u64 {
        if frame.quoted { 1 + memchr_iter(b'\n', &self.blocks.bytes()[..frame.content]).count() as u64 } else { 1 }
    }

    /// Deals with a bad row at the window's beginning.
    #[cold]
    fn meet(&mut self, frame: Frame, error: &RowError, bad_rows: &mut BadRows) -> Result<(), EngineError> {
        let behind = self.look_behind(frame.next, error.doubt, bad_rows)?;
        bad_rows.meet(self.blocks.offset(), &self.blocks.bytes()[..frame.content], error, behind)
    }

    /// What lies `next` bytes into the window, behind a bad row that leaves this doubt.
    fn look_behind(&mut self, next: usize, doubt: Doubt, bad_rows: &BadRows) -> Result<Verdict, EngineError> {
        match doubt {
            Doubt::None => return Ok(Verdict::Rows),
            Doubt::Sure => return Ok(Verdict::Doubtful),
            // Nothing is read behind it.
            Doubt::Cells | Doubt::Quotes if bad_rows.all_fail() => return Ok(Verdict::Rows),
            Doubt::Cells | Doubt::Quotes => {}
        }
        let offset = self.blocks.offset();
        self.blocks.reach(next + ROW_BYTES_MAX).map_err(|error| bad_rows.unreadable(offset, error))?;
        Ok(self.quiet.look(doubt, offset + next as u64, &self.blocks.bytes()[next..]))
    }

    /// The row at the window's beginning is too long.
    #[cold]
    fn begin_long_row(&mut self, scan: LongRow) {
        let bytes = self.blocks.bytes();
        let beginning = bytes[..bytes.len().min(LONG_ROW_KEPT_BYTES)].to_vec();
        self.long = Some(PassedRow { offset: self.blocks.offset(), beginning, scan });
    }

    /// Passes over what lies in the window of a row that is too long, and deals with it where that is the rest of it. Gives the bytes passed.
    #[cold]
    fn pass_long_row(&mut self, bad_rows: &mut BadRows) -> Result<usize, EngineError> {
        let blocks = &mut self.blocks;
        if blocks.bytes().is_empty() {
            blocks.fill().map_err(|error| bad_rows.unreadable(blocks.offset(), error))?;
        }
        let Some(mut long) = self.long.take() else { return Ok(0) };
        let mut error = RowError::new(format!("the row is longer than {ROW_BYTES_MAX} bytes"));
        let (passed, is_whole) = match long.scan.look(blocks.bytes()) {
            Found::NextRow(next) => (next, true),
            Found::Nothing => (blocks.bytes().len(), blocks.is_ended()),
            Found::Doubt => {
                error.why.push_str("; a quoted cell of it may never be closed");
                return bad_rows.meet(long.offset, &long.beginning, &error, Verdict::Doubtful).map(|()| 0);
            }
        };
        if is_whole || bad_rows.all_fail() {
            let behind = self.look_behind(passed, long.scan.doubt(), bad_rows)?;
            bad_rows.meet(long.offset, &long.beginning, &error, behind)?;
            bad_rows.pass_lines(1);
        } else {
            self.long = Some(long);
        }
        self.blocks.consume(passed);
        Ok(passed)
    }
}
