//! Where rows begin and end, and what a row says: one implementation for each format.

use super::csv_rows::CsvRows;
use super::json_rows::JsonRows;
use super::options::{FileOptions, Format};
use std::borrow::Cow;
use weir_engine::EngineError;

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
pub(super) struct RowError(pub String);

/// One format of rows.
pub(super) trait Rows {
    /// The row at the beginning of `bytes`; `None` where more bytes are needed, or, at the end of the file, where none is left.
    fn frame(&self, bytes: &[u8], ended: bool) -> Option<Frame>;

    /// What the row says.
    fn parse<'a>(&'a mut self, row: &'a [u8], frame: Frame) -> Result<Row<'a>, RowError>;
}

/// Any of the formats.
pub(super) enum AnyRows {
    Lines(Lines),
    Csv(CsvRows),
    Json(JsonRows),
}

impl AnyRows {
    /// For a file with this header.
    pub(super) fn new(options: &FileOptions, header: Option<&str>, multiline: bool) -> Result<Self, EngineError> {
        Ok(match options.format {
            Format::Lines => Self::Lines(Lines),
            Format::Csv => Self::Csv(CsvRows::new(options, header.unwrap_or_default(), multiline)?),
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

/// Lines, of which each, also an empty one, is a record.
pub(super) struct Lines;

impl Rows for Lines {
    #[inline]
    fn frame(&self, bytes: &[u8], ended: bool) -> Option<Frame> {
        frame_line(bytes, ended)
    }

    #[inline]
    fn parse<'a>(&'a mut self, _row: &'a [u8], _frame: Frame) -> Result<Row<'a>, RowError> {
        Ok(Row::Record { key: None, timestamp: None })
    }
}
