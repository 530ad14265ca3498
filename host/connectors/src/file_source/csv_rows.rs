//! CSV rows (RFC 4180, which has no text behind a closing quotation mark; rows end where the crate csv-core ends them). A row without a quotation mark, which is nearly every row, is only searched
//! for commas; the others are scanned cell by cell. The value stays the row's bytes as they are in the file.
//!
//! A row always goes on over the line ends in its quoted cells. Where that may not be (`multiline = false`) it is a bad row, and as a whole:
//! what stands in a cell is never read as rows.

use super::cell_finder::CellFinder;
use super::doubt::Doubt;
use super::header::shown;
use super::long_row::LongRow;
use super::options::FileOptions;
use super::rows::{Before, Frame, Row, RowError, Rows, frame_line, is_cut_by_carriage_returns};
use super::timestamp::Timestamps;
use crate::settings::{SettingsError, suggest};
use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::ops::Range;
use weir_engine::{EngineError, ErrorKind};

/// Reads CSV rows of files with one header.
pub(super) struct CsvRows {
    columns: usize,
    wanted: Wanted,
    timestamps: Option<Timestamps>,
    finder: CellFinder,
    null: Vec<Vec<u8>>,
    multiline: bool,
    /// The doubt that a quotation mark in the wrong place leaves. Where the job file says `multiline = false`, the line is known to be the row.
    stray: Doubt,
    before: Before,
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
    pub(super) fn new(options: &FileOptions, header: &str, multiline: bool, before: Before) -> Result<Self, EngineError> {
        let no_column = |e: SettingsError| {
            let error = EngineError::new(ErrorKind::FixInput, e.message);
            e.hint.into_iter().fold(error, EngineError::with_hint)
        };
        let wanted = wanted_columns(options, header).map_err(no_column)?;
        let null = options.null.iter().map(|text| text.clone().into_bytes()).collect();
        let columns = cells_of(header.as_bytes()).len();
        let finder = CellFinder::new(columns, wanted.key.into_iter().chain(wanted.timestamp));
        let stray = if options.multiline == Some(false) { Doubt::Cells } else { Doubt::Quotes };
        Ok(Self { columns, wanted, timestamps: options.timestamp.clone(), finder, null, multiline, stray, before, cells: Vec::new() })
    }

    fn record<'a>(&self, key: Option<Cow<'a, [u8]>>, timestamp: Option<Cow<'a, [u8]>>) -> Result<Row<'a>, RowError> {
        let known = |cell: &Cow<'_, [u8]>| !self.null.iter().any(|null| null == cell.as_ref());
        let timestamp = match (timestamp.filter(known), &self.timestamps) {
            (Some(cell), Some(timestamps)) => Some(timestamps.parse(&cell).ok_or_else(|| no_timestamp(timestamps, &cell))?),
            (Some(_), None) | (None, _) => None,
        };
        Ok(Row::Record { key: key.filter(known), timestamp })
    }

    /// A row without quotation marks.
    #[inline]
    fn parse_plain<'a>(&mut self, row: &'a [u8], frame: Frame) -> Result<Row<'a>, RowError> {
        self.finder.look_at(row).map_err(|found| self.wrong_width(row, frame, found))?;
        if self.columns == 1 && self.has_several_lines(row, frame) {
            return Err(RowError::carriage_returns());
        }
        let cell = |column: Option<usize>| column.map(|column| Cow::Borrowed(&row[self.finder.cell(column, row)]));
        self.record(cell(self.wanted.key), cell(self.wanted.timestamp))
    }

    fn parse_quoted<'a>(&mut self, row: &'a [u8], frame: Frame) -> Result<Row<'a>, RowError> {
        self.cells.clear();
        let scan = scan(row, |cell| self.cells.push(cell));
        let over_line_ends = memchr(b'\n', row).is_some();
        self.check_quoted(row, frame, scan).map_err(|error| if over_line_ends { error.with(Doubt::Sure) } else { error })?;
        if over_line_ends && !self.multiline {
            // What closed the cell may have been the mark that opens the next one.
            let error = RowError::new("a quoted cell holds a line end; set `multiline = true` where cells may");
            return Err(error.with(Doubt::Cells));
        }
        let cell = |column: Option<usize>| column.map(|column| cell_text(&row[self.cells[column].clone()]));
        self.record(cell(self.wanted.key), cell(self.wanted.timestamp))
    }

    /// Whether the row's cells are those of the header, and each is closed where it should.
    fn check_quoted(&self, row: &[u8], frame: Frame, scan: Scan) -> Result<(), RowError> {
        if scan == Scan::Open {
            return Err(RowError::new("a quoted cell of the row is never closed").with(Doubt::Sure));
        }
        if let Some(byte) = self.cells.iter().find_map(|cell| behind_quotes(&row[cell.clone()])) {
            let several = self.has_several_lines(row, frame);
            return Err(if several { RowError::carriage_returns() } else { RowError::new(stray(byte)).with(self.stray) });
        }
        if self.cells.len() != self.columns {
            let error = self.wrong_width(row, frame, self.cells.len());
            return Err(if self.ends_an_earlier_cell(row) { error.with(Doubt::Sure) } else { error });
        }
        Ok(())
    }

    /// Whether a bad row looks like the end of a cell that began in an earlier one, which may have closed too early: then the rows between are its
    /// inside, and have been read. Where the job file says `multiline = false` there are no such cells.
    fn ends_an_earlier_cell(&self, row: &[u8]) -> bool {
        let is_its_end = |cell: &[u8]| {
            let marks = cell.iter().filter(|byte| **byte == b'"').count();
            marks % 2 == 1 && !cell.starts_with(b"\"") && cell.ends_with(b"\"")
        };
        self.stray != Doubt::Cells && self.cells.iter().any(|cell| is_its_end(&row[cell.clone()]))
    }

    #[cold]
    fn wrong_width(&self, row: &[u8], frame: Frame, found: usize) -> RowError {
        if self.has_several_lines(row, frame) {
            return RowError::carriage_returns();
        }
        let cells = if found == 1 { "cell" } else { "cells" };
        RowError::new(format!("the row has {found} {cells}, the header {}", self.columns)).with(Doubt::Cells)
    }

    /// True where the row is several, of as many cells as the header, with carriage returns between them. Of a single column every text with
    /// one could be: there it has to be the whole file.
    fn has_several_lines(&self, row: &[u8], frame: Frame) -> bool {
        let may_be = self.columns > 1 || self.before.allows_a_whole_file(frame);
        may_be
            && is_cut_by_carriage_returns(row, |piece| {
                let mut cells = 0;
                scan(piece, |_| cells += 1) == Scan::Last && cells == self.columns
            })
    }
}

fn stray(byte: u8) -> String {
    format!("`{}` follows a quoted cell where a comma should", byte.escape_ascii())
}

/// Text stands where a time should: the row may be a line of a cell's text as one with too few cells may.
fn no_timestamp(timestamps: &Timestamps, cell: &[u8]) -> RowError {
    timestamps.refused(cell).with(Doubt::Cells)
}

impl Rows for CsvRows {
    #[inline]
    fn frame(&self, bytes: &[u8], ended: bool) -> Option<Frame> {
        let line = frame_line(bytes, ended);
        let quoted = memchr(b'"', &bytes[..line.map_or(bytes.len(), |line| line.content)]).is_some();
        if quoted { frame_multiline(bytes, ended) } else { line }
    }

    #[inline]
    fn parse<'a>(&'a mut self, row: &'a [u8], frame: Frame) -> Result<Row<'a>, RowError> {
        let parsed = match (row.is_empty(), frame.quoted) {
            (true, _) => Ok(Row::Blank),
            (false, true) => self.parse_quoted(row, frame),
            (false, false) => self.parse_plain(row, frame),
        };
        self.before = Before::Rows;
        parsed
    }

    fn long_row(&self) -> LongRow {
        LongRow::csv()
    }

    fn pass_long_row(&mut self) {
        self.before = Before::Rows;
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
    let cells = cell_ranges(header.as_bytes());
    if let Some(byte) = cells.iter().find_map(|cell| behind_quotes(&header.as_bytes()[cell.clone()])) {
        return Err(SettingsError::at("path", format!("the header of {}: {}", options.path, stray(byte))));
    }
    if cells.iter().any(|cell| !header[cell.clone()].starts_with('"') && header[cell.clone()].contains('\r')) {
        let message = format!("the header of {}: {}", options.path, RowError::carriage_returns().why);
        return Err(SettingsError::at("path", message).with_hint("rewrite the file with LF: `tr '\\r' '\\n'`"));
    }
    let columns: Vec<String> = cells_of(header.as_bytes()).iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
    let find = |field: &str, name: Option<&String>| -> Result<Option<usize>, SettingsError> {
        let Some(name) = name else { return Ok(None) };
        let mut places = columns.iter().enumerate().filter(|(_, column)| *column == name).map(|(index, _)| index);
        match (places.next(), places.next()) {
            (Some(index), None) => Ok(Some(index)),
            (Some(_), Some(_)) => {
                Err(SettingsError::at(field, format!("the column `{name}` stands twice in the header of {}", options.path)))
            }
            (None, _) => {
                let message = format!("{} has no column `{name}`; its columns are {}", options.path, shown(&columns.join(", ")));
                let hint = other_separator(&columns).unwrap_or_else(|| suggest(name, columns.iter().map(String::as_str), "columns"));
                Err(SettingsError::at(field, message).with_hint(shown(&hint)))
            }
        }
    };
    let timestamp = options.timestamp.as_ref().map(|timestamps| &timestamps.field);
    Ok(Wanted { key: find("key", options.key.as_ref())?, timestamp: find("timestamp", timestamp)? })
}

/// What is said of a header whose only column is probably several.
fn other_separator(columns: &[String]) -> Option<String> {
    let [only] = columns else { return None };
    let (sign, name) = [(';', "semicolons"), ('\t', "tabs"), ('|', "`|`")].into_iter().find(|(sign, _)| only.contains(*sign))?;
    let parts = only.split(sign).count();
    Some(format!("its {parts} columns are parted by {name}, and a `csv` file by commas: rewrite the file, or read its rows as `lines`"))
}

#[cfg(test)]
mod tests;
