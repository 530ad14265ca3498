//! Reads rows out of a window over a stream: the good ones become records, the bad ones go where the settings say.
//!
//! The stream may have nothing to give for now, as standard input: then nothing is taken out of the window that cannot be decided on yet.

use super::ROW_BYTES_MAX;
use super::bad_rows::BadRows;
use super::blocks::Blocks;
use super::doubt::{Doubt, Quiet, Verdict};
use super::long_row::{Found, LongRow};
use super::rows::{AnyRows, Frame, Row, RowError, Rows};
use memchr::memchr_iter;
use std::io;
use weir_engine::{BatchBuilder, EngineError};

/// Bytes of rows after which a poll returns.
const POLL_BYTES: usize = 256 * 1024;
/// Bytes at the beginning of a row that is too long which are kept for its error and for the quarantine.
const LONG_ROW_KEPT_BYTES: usize = 1024;

/// How far reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There may be more at once.
    More,
    /// Nothing was read, and nothing can be before the stream has more.
    Waiting,
    /// The stream has been read to its end.
    Ended,
}

/// The part of a stream that lies in memory.
pub(super) struct Window {
    pub blocks: Blocks,
    /// The row that is passed over.
    long: Option<PassedRow>,
    quiet: Quiet,
    /// True where every line is known to be a row and nothing behind a bad one has to be looked at.
    trusts_lines: bool,
}

/// A row that is too long to be held.
struct PassedRow {
    /// Where it begins.
    offset: u64,
    beginning: Vec<u8>,
    scan: LongRow,
}

impl Window {
    /// A window of which nothing has been read.
    pub(super) fn new(blocks: Blocks) -> Self {
        Self { blocks, long: None, quiet: Quiet::default(), trusts_lines: false }
    }

    /// A window over a stream that may be slow, of which the job file says (`lines_are_rows`) that no cell holds a line end: then nobody waits
    /// for what comes behind a bad row.
    pub(super) fn of_live(blocks: Blocks, lines_are_rows: bool) -> Self {
        Self { trusts_lines: lines_are_rows, ..Self::new(blocks) }
    }

    /// As [`Self::read_rows`], of any format.
    pub(super) fn read_any(
        &mut self,
        rows: &mut AnyRows,
        max_records: usize,
        out: &mut BatchBuilder,
        bad_rows: &mut BadRows,
    ) -> Result<Progress, EngineError> {
        let read = match rows {
            AnyRows::Lines(rows) => self.read_rows(rows, max_records, out, bad_rows),
            AnyRows::Csv(rows) => self.read_rows(rows, max_records, out, bad_rows),
            AnyRows::Json(rows) => self.read_rows(rows, max_records, out, bad_rows),
        };
        bad_rows.tell_doubtful_times();
        read
    }

    /// The offset of the first row that has not been read. A row that is passed over is read again as a whole, or not at all.
    pub(super) fn position(&self) -> u64 {
        self.long.as_ref().map_or(self.blocks.offset(), |long| long.offset)
    }

    /// Appends records until `max_records` rows or enough bytes have been looked at, or the stream has nothing more for now.
    fn read_rows<R: Rows>(
        &mut self,
        rows: &mut R,
        max_records: usize,
        out: &mut BatchBuilder,
        bad_rows: &mut BadRows,
    ) -> Result<Progress, EngineError> {
        let (mut seen, mut bytes) = (0, 0);
        let waiting = |bytes: usize| Ok(if bytes == 0 { Progress::Waiting } else { Progress::More });
        while seen < max_records && bytes < POLL_BYTES {
            if self.long.is_some() {
                match self.pass_long_row(bad_rows)? {
                    Some(passed) => bytes += passed,
                    None => return waiting(bytes),
                }
                rows.pass_long_row();
                continue;
            }
            let blocks = &mut self.blocks;
            let frame = match rows.frame(blocks.bytes(), blocks.is_ended()) {
                Some(frame) if frame.content <= ROW_BYTES_MAX => frame,
                None if blocks.is_ended() => return Ok(Progress::Ended),
                None if !blocks.is_full() => {
                    let filled = blocks.fill();
                    match came(filled, blocks.offset(), bad_rows)? {
                        true => continue,
                        false => return waiting(bytes),
                    }
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
                Err(error) => {
                    if !self.meet(frame, &error, bad_rows)? {
                        return waiting(bytes);
                    }
                }
            }
            bad_rows.pass_lines(self.lines_of(frame));
            self.blocks.consume(frame.next);
            seen += 1;
            bytes += frame.next;
        }
        Ok(Progress::More)
    }

    #[inline]
    fn lines_of(&self, frame: Frame) -> u64 {
        if frame.quoted { 1 + memchr_iter(b'\n', &self.blocks.bytes()[..frame.content]).count() as u64 } else { 1 }
    }

    /// Deals with a bad row at the window's beginning; false where what lies behind it has to come first.
    #[cold]
    fn meet(&mut self, frame: Frame, error: &RowError, bad_rows: &mut BadRows) -> Result<bool, EngineError> {
        let Some(behind) = self.look_behind(frame.next, error.doubt, bad_rows)? else { return Ok(false) };
        bad_rows.meet(self.blocks.offset(), &self.blocks.bytes()[..frame.content], error, behind)?;
        Ok(true)
    }

    /// What lies `next` bytes into the window, behind a bad row that leaves this doubt; `None` where that has not come yet.
    fn look_behind(&mut self, next: usize, doubt: Doubt, bad_rows: &BadRows) -> Result<Option<Verdict>, EngineError> {
        match doubt {
            Doubt::None => return Ok(Some(Verdict::Rows)),
            Doubt::Sure => return Ok(Some(Verdict::Doubtful)),
            Doubt::Cells | Doubt::Quotes if self.trusts_lines => return Ok(Some(Verdict::Rows)),
            Doubt::Cells | Doubt::Quotes if bad_rows.all_fail() => return Ok(Some(self.glance_behind(next, doubt))),
            Doubt::Cells | Doubt::Quotes => {}
        }
        let offset = self.blocks.offset();
        while !self.blocks.has(next + ROW_BYTES_MAX) {
            let reached = self.blocks.reach(next + ROW_BYTES_MAX);
            if !came(reached, offset, bad_rows)? {
                return Ok(None);
            }
        }
        Ok(Some(self.quiet.look(doubt, offset + next as u64, &self.blocks.bytes()[next..])))
    }

    /// What lies behind a bad row that fails the job, for its hint alone: nothing is waited for, and what cannot be read is none of its error.
    fn glance_behind(&mut self, next: usize, doubt: Doubt) -> Verdict {
        while !self.blocks.has(next + ROW_BYTES_MAX) {
            if self.blocks.reach(next + ROW_BYTES_MAX).is_err() {
                return Verdict::Unseen;
            }
        }
        self.quiet.look(doubt, self.blocks.offset() + next as u64, &self.blocks.bytes()[next..])
    }

    /// The row at the window's beginning is too long.
    #[cold]
    fn begin_long_row(&mut self, scan: LongRow) {
        let bytes = self.blocks.bytes();
        let beginning = bytes[..bytes.len().min(LONG_ROW_KEPT_BYTES)].to_vec();
        self.long = Some(PassedRow { offset: self.blocks.offset(), beginning, scan });
    }

    /// Passes over what lies in the window of a row that is too long, and deals with it where that is the rest of it. Gives the bytes
    /// passed; `None` where more has to come first.
    #[cold]
    fn pass_long_row(&mut self, bad_rows: &mut BadRows) -> Result<Option<usize>, EngineError> {
        let blocks = &mut self.blocks;
        if blocks.bytes().is_empty() && !blocks.is_ended() {
            let filled = blocks.fill();
            if !came(filled, blocks.offset(), bad_rows)? {
                return Ok(None);
            }
        }
        let Some(mut long) = self.long.take() else { return Ok(Some(0)) };
        let scan_before = long.scan;
        let mut error = RowError::new(format!("the row is longer than {ROW_BYTES_MAX} bytes"));
        let (passed, is_whole) = match long.scan.look(blocks.bytes()) {
            Found::NextRow(next) => (next, true),
            Found::Nothing => (blocks.bytes().len(), blocks.is_ended()),
            Found::Doubt => {
                error.why.push_str("; a quoted cell of it may never be closed");
                return bad_rows.meet(long.offset, &long.beginning, &error, Verdict::Doubtful).map(|()| Some(0));
            }
        };
        if !is_whole && bad_rows.all_fail() {
            // Its end is not looked for.
            let behind = if long.scan.doubt() == Doubt::None { Verdict::Rows } else { Verdict::Unseen };
            bad_rows.meet(long.offset, &long.beginning, &error, behind)?;
        }
        if is_whole {
            let Some(behind) = self.look_behind(passed, long.scan.doubt(), bad_rows)? else {
                self.long = Some(PassedRow { scan: scan_before, ..long });
                return Ok(None);
            };
            bad_rows.meet(long.offset, &long.beginning, &error, behind)?;
            bad_rows.pass_lines(1);
        } else {
            self.long = Some(long);
        }
        self.blocks.consume(passed);
        Ok(Some(passed))
    }
}

/// True where a stream that was asked for more had some, or has ended; false where it has nothing for now.
fn came(asked: io::Result<()>, offset: u64, bad_rows: &BadRows) -> Result<bool, EngineError> {
    match asked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(bad_rows.unreadable(offset, error)),
    }
}
