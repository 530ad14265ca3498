//! Reads the splits of one subtask, one after the other.

use super::bad_rows::BadRows;
use super::blocks::Blocks;
use super::discovery::{file_error, unchanged};
use super::fingerprint::{Watched, has_a_torn_end};
use super::options::{FileOptions, Format};
use super::rows::{AnyRows, Lines};
use super::split::SplitSpec;
use super::stream;
use super::window::{Progress, Window};
use std::fs::File;
use std::sync::Arc;
use std::task::{Context, Poll};
use weir_engine::source::SplitProgress;
use weir_engine::{EngineError, ErrorKind, ReadStatus, RecordBatch, SourceReader, SplitBatch, SplitState};

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

    fn read(&mut self, max_records: usize, out: &mut SplitBatch) -> Result<ReadStatus, EngineError> {
        if self.open.is_none() && !self.open_next()? {
            return Ok(ReadStatus::End);
        }
        if let Some(open) = &mut self.open {
            let progress = open.window.read_any(&mut open.rows, max_records, out.of(self.current), &mut self.bad_rows)?;
            if open.window.blocks.is_ended() {
                open.check_last_row()?;
            }
            if progress == Progress::Ended {
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
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
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
            (None, Format::Csv) => AnyRows::Lines(Lines::none()), // the file is empty
            (header, _) => AnyRows::new(options, header.as_deref(), spec.multiline, spec.before(position))?,
        };
        let blocks = Blocks::new(stream::open_watched(watched, &path, position, spec.end).map_err(failed)?, position);
        Ok(Self { spec, file, window: Window::new(blocks), rows })
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
