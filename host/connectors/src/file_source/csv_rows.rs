//! CSV rows (RFC 4180, which has no text behind a closing quotation mark; rows end where the crate csv-core ends them). A row without a quotation mark, which is nearly every row, is only searched
//! for commas; the others are scanned cell by cell. The value stays the row's bytes as they are in the file.

use super::cell_finder::CellFinder;
use super::options::FileOptions;
use super::rows::{Frame, Row, RowError, Rows, frame_line};
use super::timestamp;
use crate::settings::{SettingsError, suggest};
use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::ops::Range;
use weir_engine::{EngineError, ErrorKind};

/// Reads CSV rows of files with one header.
pub(super) struct CsvRows {
    columns: usize,
    wanted: Wanted,
    finder: CellFinder,
    null: Vec<Vec<u8>>,
    multiline: bool,
    /// The cells of the row at hand, where it had to be scanned; kept for its room.
    cells: Vec<Range<usize>>,
}

/// The columns that become key and timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    key: Option<usize>,
    timestamp: Option<usize>,
}

impl CsvRows {
    /// For files with this header.
    pub(super) fn new(options: &FileOptions, header: &str, multiline: bool) -> Result<Self, EngineError> {
        let no_column = |e: SettingsError| {
            let error = EngineError::new(ErrorKind::FixInput, e.message);
            e.hint.into_iter().fold(error, EngineError::with_hint)
        };
        let wanted = wanted_columns(options, header).map_err(no_column)?;
        let null = options.null.iter().map(|text| text.clone().into_bytes()).collect();
        let columns = cells_of(header.as_bytes()).len();
        let finder = CellFinder::new(columns, wanted.key.into_iter().chain(wanted.timestamp));
        Ok(Self { columns, wanted, finder, null, multiline, cells: Vec::new() })
    }

    fn record<'a>(&self, key: Option<Cow<'a, [u8]>>, timestamp: Option<Cow<'a, [u8]>>) -> Result<Row<'a>, RowError> {
        let known = |cell: &Cow<'_, [u8]>| !self.null.iter().any(|null| null == cell.as_ref());
        let read = |cell: Cow<'_, [u8]>| timestamp::parse(&cell).ok_or_else(|| no_timestamp(&cell));
        Ok(Row::Record { key: key.filter(known), timestamp: timestamp.filter(known).map(read).transpose()? })
    }

    /// A row without quotation marks.
    #[inline]
    fn parse_plain<'a>(&mut self, row: &'a [u8]) -> Result<Row<'a>, RowError> {
        self.finder.look_at(row).map_err(|found| self.wrong_width(found))?;
        let cell = |column: Option<usize>| column.map(|column| Cow::Borrowed(&row[self.finder.cell(column, row)]));
        self.record(cell(self.wanted.key), cell(self.wanted.timestamp))
    }

    fn parse_quoted<'a>(&mut self, row: &'a [u8]) -> Result<Row<'a>, RowError> {
        self.cells.clear();
        if scan(row, |cell| self.cells.push(cell)) == Scan::Open {
            let hint = if self.multiline { "" } else { "; set `multiline = true` where cells hold line breaks" };
            return Err(RowError(format!("a quoted cell is still open at the end of the row{hint}")));
        }
        if self.cells.len() != self.columns {
            return Err(self.wrong_width(self.cells.len()));
        }
        if let Some(byte) = self.cells.iter().find_map(|cell| behind_quotes(&row[cell.clone()])) {
            return Err(stray(byte));
        }
        let cell = |column: Option<usize>| column.map(|column| cell_text(&row[self.cells[column].clone()]));
        self.record(cell(self.wanted.key), cell(self.wanted.timestamp))
    }

    fn wrong_width(&self, found: usize) -> RowError {
        let cells = if found == 1 { "cell" } else { "cells" };
        RowError(format!("the row has {found} {cells}, the header {}", self.columns))
    }
}

fn stray(byte: u8) -> RowError {
    RowError(format!("`{}` follows a quoted cell where a comma should", byte.escape_ascii()))
}

fn no_timestamp(cell: &[u8]) -> RowError {
    let cell = cell[..cell.len().min(40)].escape_ascii();
    RowError(format!("the timestamp \"{cell}\" is neither RFC 3339 nor integer milliseconds"))
}

impl Rows for CsvRows {
    #[inline]
    fn frame(&self, bytes: &[u8], ended: bool) -> Option<Frame> {
        let line = frame_line(bytes, ended);
        let quoted = memchr(b'"', &bytes[..line.map_or(bytes.len(), |line| line.content)]).is_some();
        if quoted && self.multiline { frame_multiline(bytes, ended) } else { line.map(|line| Frame { quoted, ..line }) }
    }

    #[inline]
    fn parse<'a>(&'a mut self, row: &'a [u8], frame: Frame) -> Result<Row<'a>, RowError> {
        if row.is_empty() {
            return Ok(Row::Blank);
        }
        if frame.quoted { self.parse_quoted(row) } else { self.parse_plain(row) }
    }
}

/// The row at the beginning of `bytes`, whose quoted cells may hold line breaks.
pub(super) fn frame_multiline(bytes: &[u8], ended: bool) -> Option<Frame> {
    match scan(bytes, |_| ()) {
        Scan::Row { content, next } => Some(Frame { content, next, quoted: true }),
        Scan::Open | Scan::Last if ended && !bytes.is_empty() => Some(Frame { content: bytes.len(), next: bytes.len(), quoted: true }),
        Scan::Open | Scan::Last => None,
    }
}

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    /// At a line end outside of quotation marks.
    Row { content: usize, next: usize },
    /// With the bytes, outside of quotation marks.
    Last,
    /// With the bytes, in a quoted cell.
    Open,
}

/// Finds the cells of the row at the beginning of `bytes`. A quotation mark is special only at a cell's beginning, and what follows
/// the closing one up to the comma belongs to the cell: so a row ends where it does also when [`behind_quotes`] finds it wrong.
fn scan(bytes: &[u8], mut cell: impl FnMut(Range<usize>)) -> Scan {
    let mut at = 0;
    loop {
        let start = at;
        if bytes.get(at) == Some(&b'"') {
            match closing_quote(bytes, at + 1) {
                Some(closing) => at = closing + 1,
                None => return Scan::Open,
            }
        }
        match memchr2(b',', b'\n', &bytes[at..]).map(|found| at + found) {
            Some(comma) if bytes[comma] == b',' => {
                cell(start..comma);
                at = comma + 1;
            }
            Some(end) => {
                let content = if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
                cell(start..content);
                return Scan::Row { content, next: end + 1 };
            }
            None => {
                cell(start..bytes.len());
                return Scan::Last;
            }
        }
    }
}

/// The quotation mark that ends a quoted cell; two of them stand for one.
fn closing_quote(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let mark = at + memchr(b'"', &bytes[at..])?;
        if bytes.get(mark + 1) != Some(&b'"') {
            return Some(mark);
        }
        at = mark + 2;
    }
}

/// What follows the closing quotation mark of a cell, where nothing should.
fn behind_quotes(cell: &[u8]) -> Option<u8> {
    let quoted = cell.strip_prefix(b"\"")?;
    quoted.get(closing_quote(quoted, 0)? + 1).copied()
}

/// A cell's text: without its quotation marks.
fn cell_text(cell: &[u8]) -> Cow<'_, [u8]> {
    let Some(quoted) = cell.strip_prefix(b"\"") else { return Cow::Borrowed(cell) };
    let closing = closing_quote(quoted, 0).unwrap_or(quoted.len());
    let (inside, after) = (&quoted[..closing], quoted.get(closing + 1..).unwrap_or_default());
    if after.is_empty() && memchr(b'"', inside).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut text = Vec::with_capacity(cell.len());
    let mut rest = inside;
    while let Some(mark) = memchr(b'"', rest) {
        text.extend_from_slice(&rest[..=mark]);
        rest = rest.get(mark + 2..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    text.extend_from_slice(after);
    Cow::Owned(text)
}

/// The texts of a row's cells.
pub(super) fn cells_of(row: &[u8]) -> Vec<Cow<'_, [u8]>> {
    cell_ranges(row).into_iter().map(|cell| cell_text(&row[cell])).collect()
}

fn cell_ranges(row: &[u8]) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    scan(row, |cell| cells.push(cell));
    cells
}

/// Where the columns that the settings name stand in a header.
pub(super) fn wanted_columns(options: &FileOptions, header: &str) -> Result<Wanted, SettingsError> {
    if let Some(byte) = cell_ranges(header.as_bytes()).into_iter().find_map(|cell| behind_quotes(&header.as_bytes()[cell])) {
        return Err(SettingsError::at("path", format!("the header of {}: {}", options.path, stray(byte).0)));
    }
    let columns: Vec<String> = cells_of(header.as_bytes()).iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
    let find = |field: &str, name: &Option<String>| -> Result<Option<usize>, SettingsError> {
        let Some(name) = name else { return Ok(None) };
        let mut places = columns.iter().enumerate().filter(|(_, column)| *column == name).map(|(index, _)| index);
        match (places.next(), places.next()) {
            (Some(index), None) => Ok(Some(index)),
            (Some(_), Some(_)) => {
                Err(SettingsError::at(field, format!("the column `{name}` stands twice in the header of {}", options.path)))
            }
            (None, _) => {
                let message = format!("{} has no column `{name}`; its columns are {}", options.path, columns.join(", "));
                Err(SettingsError::at(field, message).with_hint(suggest(name, columns.iter().map(String::as_str), "columns")))
            }
        }
    };
    Ok(Wanted { key: find("key", &options.key)?, timestamp: find("timestamp", &options.timestamp)? })
}

#[cfg(test)]
mod tests;
