//! Where rows begin and end, and what a row says: one implementation for each format.

use super::csv_rows::CsvRows;
use super::doubt::Doubt;
use super::json_rows::JsonRows;
use super::long_row::LongRow;
use super::options::{FileOptions, Format};
use std::borrow::Cow;
use weir_engine::EngineError;
use weir_engine::shown_text::printable;

/// A row at the beginning of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes of the row without its end.
    pub content: usize,
    /// Bytes up to the next row.
    pub next: usize,
    /// True where a quotation mark may stand in it.
    pub quoted: bool,
}

/// What a row is to the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Row<'a> {
    /// A record, whose value is the row.
    Record {
        /// `None`: absent.
        key: Option<Cow<'a, [u8]>>,
        /// `None`: none.
        timestamp: Option<i64>,
    },
    /// An empty row, which is no record.
    Blank,
}

/// What is wrong with a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RowError {
    /// In words.
    pub why: String,
    /// The byte of the row, from 1, that it is about, where it is about one.
    pub column: Option<usize>,
    /// Whether the next row is sure to begin where this one ends.
    pub(super) doubt: Doubt,
}

/// Bytes of what is wrong with a row, which may be said with its own text.
const WHY_BYTES: usize = 300;

impl RowError {
    /// An error of the row as a whole, which leaves no doubt about where it ends. Of what it says of the row's text the beginning is kept, fit to be shown.
    pub(super) fn new(why: impl AsRef<str>) -> Self {
        Self { why: printable(why.as_ref(), WHY_BYTES), column: None, doubt: Doubt::None }
    }

    /// At this byte of the row, from 1.
    pub(super) fn at(self, column: usize) -> Self {
        Self { column: Some(column), ..self }
    }

    /// With a doubt about where the row ends.
    pub(super) fn with(self, doubt: Doubt) -> Self {
        Self { doubt, ..self }
    }

    /// A row that is several, with line ends that no reader of lines knows.
    pub(super) fn carriage_returns() -> Self {
        Self::new("its lines end in carriage returns (CR) alone, not in LF or CR LF").with(Doubt::Sure)
    }
}

/// One format of rows.
pub(super) trait Rows {
    /// The row at the beginning of `bytes`; `None` where more bytes are needed, or, at the end of the file, where none is left.
    fn frame(&self, bytes: &[u8], ended: bool) -> Option<Frame>;

    /// What the row says.
    fn parse<'a>(&'a mut self, row: &'a [u8], frame: Frame) -> Result<Row<'a>, RowError>;

    /// What finds the end of a row that is too long to be held, and has been given nothing of it yet.
    fn long_row(&self) -> LongRow {
        LongRow::line()
    }

    /// A row that was too long to be held has been passed over.
    fn pass_long_row(&mut self) {}
}

/// Any of the formats.
pub(super) enum AnyRows {
    Lines(Lines),
    Csv(CsvRows),
    Json(JsonRows),
}

impl AnyRows {
    /// For a file with this header, of which rows in front of these have been read or not.
    pub(super) fn new(options: &FileOptions, header: Option<&str>, multiline: bool, before: Before) -> Result<Self, EngineError> {
        Ok(match options.format {
            Format::Lines => Self::Lines(Lines { before }),
            Format::Csv => Self::Csv(CsvRows::new(options, header.unwrap_or_default(), multiline, before)?),
            Format::JsonLines => Self::Json(JsonRows::new(options)),
        })
    }
}

/// The line at the beginning of `bytes`, which ends in LF, CR LF, or with the file.
#[inline]
pub(super) fn frame_line(bytes: &[u8], ended: bool) -> Option<Frame> {
    match memchr::memchr(b'\n', bytes) {
        Some(end) => {
            let content = if end > 0 && bytes[end - 1] == b'\r' { end - 1 } else { end };
            Some(Frame { content, next: end + 1, quoted: false })
        }
        None if ended && !bytes.is_empty() => Some(Frame { content: bytes.len(), next: bytes.len(), quoted: false }),
        None => None,
    }
}

/// True where at least two of the pieces between the carriage returns of a row are rows themselves.
pub(super) fn is_cut_by_carriage_returns(row: &[u8], is_row: impl Fn(&[u8]) -> bool) -> bool {
    row.contains(&b'\r') && row.split(|&byte| byte == b'\r').filter(|piece| !piece.is_empty() && is_row(piece)).nth(1).is_some()
}

/// What stands in a file in front of the row at hand, whoever has read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// No row, at most the header.
    Nothing,
    /// Rows that end in LF, so that a carriage return is data.
    Rows,
}

impl Before {
    /// True where a row may be a whole file for readers of other times, whose lines end in carriage returns: nothing stands in front of it, and
    /// no LF behind it.
    pub(super) fn allows_a_whole_file(self, frame: Frame) -> bool {
        self == Self::Nothing && frame.content == frame.next
    }
}

/// Lines, of which each, also an empty one, is a record. A carriage return within a line is data.
pub(super) struct Lines {
    before: Before,
}

impl Lines {
    /// Those of an input that has nothing in it.
    pub(super) fn none() -> Self {
        Self { before: Before::Nothing }
    }
}

impl Rows for Lines {
    #[inline]
    fn frame(&self, bytes: &[u8], ended: bool) -> Option<Frame> {
        frame_line(bytes, ended)
    }

    #[inline]
    fn parse<'a>(&'a mut self, row: &'a [u8], frame: Frame) -> Result<Row<'a>, RowError> {
        if self.before.allows_a_whole_file(frame) && is_cut_by_carriage_returns(row, |_| true) {
            return Err(RowError::carriage_returns());
        }
        self.before = Before::Rows;
        Ok(Row::Record { key: None, timestamp: None })
    }

    fn pass_long_row(&mut self) {
        self.before = Before::Rows;
    }
}
