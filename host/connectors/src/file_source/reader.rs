//! Reads the splits of one subtask in turn, some at a time, so that none of them is far behind the others.

use super::bad_rows::BadRows;
use super::blocks::Blocks;
use super::discovery::{file_error, unchanged};
use super::fingerprint::{Watched, has_a_torn_end};
use super::options::{FileOptions, Format};
use super::rows::{AnyRows, Lines};
use super::split::SplitSpec;
use super::stream;
use super::window::{Progress, Window};
use std::ffi::OsString;
use std::fs::File;
use std::sync::Arc;
use std::task::{Context, Poll};
use weir_engine::source::{LagUnit, SplitLag, SplitProgress};
use weir_engine::{BatchBuilder, EngineError, ErrorKind, ReadStatus, ReaderContext, RecordBatch, SourceReader, SplitBatch, SplitState};

/// Splits that are read in turn: each has a window, and a compressed one its decoder. The others wait until one of these is finished.
pub(super) const OPEN_MAX: usize = 8;
/// Bytes of a split, uncompressed, after which it is the next one's turn: some windows, so that what is read of a split lies together.
pub(super) const TURN_BYTES: u64 = 1024 * 1024;

/// Reads files.
pub(super) struct FileReader {
    options: Arc<FileOptions>,
    /// The id of the source.
    source: String,
    splits: Vec<SplitState>,
    /// Bytes of each split that have not been read, where it is known; of those that are open, what there was at their opening.
    left: Vec<Option<u64>>,
    /// Their places in the order in which they are begun.
    order: Vec<usize>,
    /// How many of these have been begun.
    begun: usize,
    /// How many may be open at a time.
    open_max: usize,
    open: Vec<OpenSplit>,
    /// The open split that is read next.
    turn: usize,
    /// Of splits that are finished, for those that follow: a reader counts and logs its bad rows, whatever file they are in.
    bad_rows: Vec<BadRows>,
    quarantined: BatchBuilder,
}

/// A split while it is read.
struct OpenSplit {
    /// Its place among the reader's splits.
    place: usize,
    spec: SplitSpec,
    file: File,
    window: Window,
    rows: AnyRows,
    bad_rows: BadRows,
    /// Its turn ends at this offset.
    turn_ends: u64,
}

impl FileReader {
    /// Reads these splits from their progress on.
    pub(super) fn new(options: Arc<FileOptions>, context: &ReaderContext, splits: Vec<SplitState>) -> Self {
        let (open, bad_rows, quarantined) = (Vec::new(), Vec::new(), BatchBuilder::new());
        let left = splits.iter().map(SplitSpec::left_of).collect();
        let mut order: Vec<usize> = (0..splits.len()).collect();
        if context.in_order {
            order.sort_by_cached_key(|&place| name_of(&splits[place], &options));
        }
        let open_max = if context.in_order { 1 } else { OPEN_MAX };
        let source = context.subtask.vertex.clone();
        Self { options, source, splits, left, order, begun: 0, open_max, open, turn: 0, bad_rows, quarantined }
    }

    /// Opens splits that are not finished, as many as may be open.
    fn open_more(&mut self) -> Result<(), EngineError> {
        while self.open.len() < self.open_max
            && let Some(&place) = self.order.get(self.begun)
        {
            let split = &self.splits[place];
            let (spec, position) = SplitSpec::parse(split)?;
            if let Some(position) = position {
                let mut bad_rows = self.bad_rows.pop().unwrap_or_else(|| BadRows::new(self.options.clone(), &self.source));
                bad_rows.begin_file(&spec.path, position);
                self.open.push(OpenSplit::open(&self.options, place, spec, position, bad_rows)?);
            }
            self.begun += 1;
        }
        Ok(())
    }

    fn read(&mut self, max_records: usize, out: &mut SplitBatch) -> Result<ReadStatus, EngineError> {
        self.open_more()?;
        if self.turn >= self.open.len() {
            self.turn = 0;
        }
        let Some(open) = self.open.get_mut(self.turn) else { return Ok(ReadStatus::End) };
        let progress = open.read(max_records, out)?;
        let reports = open.bad_rows.take_quarantined();
        (0..reports.len()).for_each(|report| self.quarantined.push_from(&reports, report));
        if progress == Progress::Ended {
            let OpenSplit { place, bad_rows, .. } = self.open.remove(self.turn);
            self.splits[place].progress = SplitProgress::Finished;
            self.left[place] = Some(0);
            self.bad_rows.push(bad_rows);
        } else if open.window.position() >= open.turn_ends {
            open.turn_ends = open.window.position() + TURN_BYTES;
            self.turn += 1;
        }
        Ok(ReadStatus::More)
    }
}

/// What files and ranges of them are discovered in the order of. One that cannot be read comes first, and says so.
fn name_of(split: &SplitState, options: &FileOptions) -> Option<(OsString, u64)> {
    SplitSpec::parse(split).ok().map(|(spec, _)| (spec.path.path(&options.base_dir).into_os_string(), spec.start))
}

impl SourceReader for FileReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        Poll::Ready(self.read(max_records, out))
    }

    fn splits(&self) -> Vec<SplitState> {
        let mut splits = self.splits.clone();
        for OpenSplit { place, spec, window, .. } in &self.open {
            let progress = &mut splits[*place].progress;
            // What has only been opened has not been read.
            if window.position() != spec.start || *progress != SplitProgress::Unread {
                *progress = SplitProgress::At(window.position().into());
            }
        }
        splits
    }

    fn is_finished(&self, split: usize) -> bool {
        self.splits.get(split).is_none_or(|split| split.progress == SplitProgress::Finished)
    }

    /// Of a range or a file that is not compressed the bytes behind the last row that was handed on.
    fn lags(&self, each: &mut dyn FnMut(&str, Option<SplitLag>)) {
        // They are opened in the order of their places, or one at a time.
        let mut open = self.open.iter().peekable();
        for (place, (split, left)) in self.splits.iter().zip(&self.left).enumerate() {
            let left = open.next_if(|open| open.place == place).map_or(*left, |open| open.spec.left(open.window.position()));
            each(&split.id, left.map(|amount| SplitLag { amount, unit: LagUnit::Bytes }));
        }
    }

    fn skipped(&self) -> u64 {
        let open = self.open.iter().map(|open| &open.bad_rows);
        open.chain(&self.bad_rows).map(BadRows::skipped).sum()
    }

    fn take_quarantined(&mut self) -> RecordBatch {
        self.quarantined.take()
    }
}

impl OpenSplit {
    fn open(options: &FileOptions, place: usize, spec: SplitSpec, position: u64, bad_rows: BadRows) -> Result<Self, EngineError> {
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
        Ok(Self { place, spec, file, window: Window::new(blocks), rows, bad_rows, turn_ends: position + TURN_BYTES })
    }

    fn read(&mut self, max_records: usize, out: &mut SplitBatch) -> Result<Progress, EngineError> {
        let progress = self.window.read_any(&mut self.rows, max_records, out.of(self.place), &mut self.bad_rows)?;
        if self.window.blocks.is_ended() {
            self.check_last_row()?;
        }
        if progress == Progress::Ended {
            self.check_end()?;
        }
        Ok(progress)
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
