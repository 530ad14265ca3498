//! Writes rows one by one, as a table, a document, JSON lines or CSV. Memory is bounded however many there are.

use crate::documents::{StateDiffRow, StateRow, StateRowsHead};
use crate::figures::padded;
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::{self, Write};
use std::marker::PhantomData;

/// Rows by which a table's columns are laid out; later ones may be wider.
const LAID_OUT_ROWS: usize = 256;

/// How rows are written.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Columns for people.
    Table,
    /// One JSON document, with this in front of its rows.
    Document(StateRowsHead),
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values below a header.
    Csv,
}

/// What is written.
pub(super) trait Row: Serialize {
    /// The names of its cells.
    const COLUMNS: &'static [&'static str];
    /// Its cells; absent ones are empty.
    fn cells(&self) -> Vec<String>;
}

/// Rows of one type on their way out.
pub(super) struct Rows<R: Row, W: Write> {
    to: To<W>,
    written: u64,
    rows: PhantomData<fn(R)>,
}

enum To<W: Write> {
    Table { out: W, waiting: Vec<Vec<String>>, widths: Option<Vec<usize>> },
    Document { out: W, head: StateRowsHead },
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
}

impl<R: Row, W: Write> Rows<R, W> {
    pub fn new(form: Form, out: W) -> Self {
        let to = match form {
            Form::Table => To::Table { out, waiting: Vec::new(), widths: None },
            Form::Document(head) => To::Document { out, head },
            Form::Jsonl => To::Jsonl(out),
            Form::Csv => To::Csv(csv::Writer::from_writer(out).into()),
        };
        Self { to, written: 0, rows: PhantomData }
    }

    /// Number of rows so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes a row.
    pub fn write(&mut self, row: &R) -> io::Result<()> {
        match &mut self.to {
            To::Table { out, waiting, widths } => {
                waiting.push(row.cells().into_iter().map(one_line).collect());
                if widths.is_some() || waiting.len() == LAID_OUT_ROWS {
                    write_table(out, R::COLUMNS, waiting, widths)?;
                }
            }
            To::Document { out, head } => {
                begin_document(out, head, self.written)?;
                serde_json::to_writer(out, row)?;
            }
            To::Jsonl(out) => {
                serde_json::to_writer(&mut *out, row)?;
                out.write_all(b"\n")?;
            }
            To::Csv(writer) => {
                if self.written == 0 {
                    writer.write_record(R::COLUMNS).map_err(io_error)?;
                }
                writer.write_record(row.cells()).map_err(io_error)?;
            }
        }
        self.written += 1;
        Ok(())
    }

    /// Writes what belongs behind the rows. `more`: there are others; `error`: why they end here.
    pub fn finish(mut self, more: bool, error: Option<&str>) -> io::Result<()> {
        match &mut self.to {
            To::Table { out, waiting, widths } => {
                write_table(out, R::COLUMNS, waiting, widths)?;
                out.flush()
            }
            To::Document { out, head } => {
                if self.written == 0 {
                    begin_document(out, head, 0)?;
                }
                writeln!(out, "\n],\"more\":{more},\"error\":{}}}", serde_json::to_string(&error)?)?;
                out.flush()
            }
            To::Jsonl(out) => out.flush(),
            To::Csv(writer) => {
                if self.written == 0 {
                    writer.write_record(R::COLUMNS).map_err(io_error)?;
                }
                writer.flush()
            }
        }
    }
}

/// The error of the writer below, of the kind that it is: csv's own conversion makes all of them one.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Writes what is in front of row number `row`.
fn begin_document(out: &mut impl Write, head: &StateRowsHead, row: u64) -> io::Result<()> {
    if row > 0 {
        return out.write_all(b",\n");
    }
    let head = serde_json::to_string(head)?;
    let open = head.strip_suffix('}').unwrap_or(&head);
    writeln!(out, "{open},\"rows\":[")
}

/// Writes the rows that wait, below the header where they are the first. A column that is empty in all the rows by which the table is laid out is
/// left out; what later rows have in it is not.
fn write_table(out: &mut impl Write, columns: &[&str], waiting: &mut Vec<Vec<String>>, widths: &mut Option<Vec<usize>>) -> io::Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    if widths.is_none() {
        let widest = |column: usize| waiting.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let laid_out = |(column, name): (usize, &&str)| if widest(column) == 0 { 0 } else { widest(column).max(name.len()) };
        let laid_out: Vec<usize> = columns.iter().enumerate().map(laid_out).collect();
        let header = columns.iter().zip(&laid_out).map(|(name, &width)| if width == 0 { String::new() } else { name.to_uppercase() });
        waiting.insert(0, header.collect());
        *widths = Some(laid_out);
    }
    let widths = widths.as_deref().unwrap_or_default();
    for row in waiting.drain(..) {
        let cells = row.iter().zip(widths).filter(|(cell, width)| **width > 0 || !cell.is_empty());
        let line: Vec<String> = cells.map(|(cell, &width)| padded(cell, width)).collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

/// A text without its quotes, other JSON as it is, nothing where there is none.
fn plain(json: Option<&RawValue>) -> String {
    let Some(json) = json.map(RawValue::get) else { return String::new() };
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

/// A cell on one line.
fn one_line(cell: String) -> String {
    weir_wasm::printable(&cell, usize::MAX)
}

impl Row for StateRow {
    const COLUMNS: &'static [&'static str] = &["key", "window", "state", "entry", "value", "problem"];

    fn cells(&self) -> Vec<String> {
        let Self { key, window, state, entry, value, problem } = self.clone();
        let [window, entry] = [window, entry].map(|json| plain(json.as_deref()));
        vec![key.unwrap_or_default(), window, state, entry, plain(Some(&value)), problem.unwrap_or_default()]
    }
}

impl Row for StateDiffRow {
    const COLUMNS: &'static [&'static str] = &["operator", "state", "change", "key", "window", "entry", "before", "after", "problem"];

    fn cells(&self) -> Vec<String> {
        let Self { operator, state, change, key, window, entry, before, after, problem } = self.clone();
        let [window, entry, before, after] = [window, entry, before, after].map(|json| plain(json.as_deref()));
        vec![operator, state, change.into(), key.unwrap_or_default(), window, entry, before, after, problem.unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::LookedInto;

    fn row(key: &str, entry: Option<&str>, value: &str, problem: Option<&str>) -> StateRow {
        let json = |json: &str| RawValue::from_string(json.to_owned()).expect("JSON");
        StateRow {
            key: Some(key.into()),
            window: None,
            state: "s".into(),
            entry: entry.map(json),
            value: json(value),
            problem: problem.map(str::to_owned),
        }
    }

    fn head() -> StateRowsHead {
        let of = LookedInto { job: "j".into(), checkpoint: 3, savepoint: None };
        StateRowsHead { schema: 1, of, operator: "op".into(), key_group: None, subtask: None }
    }

    /// What is written of these rows.
    fn written(form: Form, rows: &[StateRow], more: bool, error: Option<&str>) -> String {
        let mut out = Vec::new();
        let mut writer = Rows::new(form, &mut out);
        rows.iter().for_each(|row| writer.write(row).expect("memory takes it"));
        writer.finish(more, error).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_table_leaves_out_the_columns_that_are_empty() {
        let rows = [row("a", None, "{\"n\":1}", None), row("a long key", None, "\"x\\ny\"", None)];
        let expect = "KEY         STATE  VALUE\na           s      {\"n\":1}\na long key  s      x\\ny\n";
        assert_eq!(written(Form::Table, &rows, false, None), expect);
        let rows = [row("a", Some("7"), "1", Some("why"))];
        assert_eq!(written(Form::Table, &rows, false, None), "KEY  STATE  ENTRY  VALUE  PROBLEM\na    s      7      1      why\n");
    }

    #[test]
    fn a_long_table_keeps_what_its_layout_did_not_foresee() {
        let mut rows = vec![row("a", None, "1", None); LAID_OUT_ROWS];
        rows.push(row("wider", None, "2", Some("why")));
        let text = written(Form::Table, &rows, false, None);
        assert_eq!((text.lines().count(), text.lines().last()), (LAID_OUT_ROWS + 2, Some("wider  s      2      why")));
    }

    #[test]
    fn a_cell_of_any_length_is_written_and_leaves_the_other_rows_narrow() {
        let long = "x".repeat(70_000);
        let rows = [row(&long, None, "1", None), row("a", None, "2", None)];
        let text = written(Form::Table, &rows, false, None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[1], lines[2].len()), (format!("{long}  s      1").as_str(), 120 + "  s      2".len()));
    }

    #[test]
    fn a_document_is_json_whatever_becomes_of_it() {
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        let rows = [row("a", None, "{\"n\":1}", None), row("b", Some("0"), "true", Some("why"))];
        let expect = serde_json::json!({
            "schema": 1, "job": "j", "checkpoint": 3, "savepoint": null, "operator": "op",
            "rows": [
                {"key": "a", "state": "s", "entry": null, "value": {"n": 1}},
                {"key": "b", "state": "s", "entry": 0, "value": true, "problem": "why"},
            ],
            "more": true, "error": null,
        });
        assert_eq!(read(&written(Form::Document(head()), &rows, true, None)), expect);
        let failed = read(&written(Form::Document(head()), &[], false, Some("gone")));
        assert_eq!((&failed["rows"], &failed["error"]), (&serde_json::json!([]), &"gone".into()));
    }

    /// Somebody who has gone away.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn in_every_form_it_is_seen_that_nobody_reads_any_more() {
        for form in [Form::Table, Form::Document(head()), Form::Jsonl, Form::Csv] {
            let mut rows = Rows::new(form.clone(), Gone);
            let failed = (0..1_000).find_map(|_| rows.write(&row("a key", None, "\"a value\"", None)).err());
            assert_eq!(failed.map(|error| error.kind()), Some(io::ErrorKind::BrokenPipe), "{form:?}");
        }
    }

    #[test]
    fn lines_and_csv_have_a_row_a_line() {
        let rows = [row("a", None, "[1,2]", None), row("b,\"", Some("\"e\""), "\"x\"", None)];
        let lines = "{\"key\":\"a\",\"state\":\"s\",\"entry\":null,\"value\":[1,2]}
{\"key\":\"b,\\\"\",\"state\":\"s\",\"entry\":\"e\",\"value\":\"x\"}
";
        assert_eq!(written(Form::Jsonl, &rows, false, None), lines);
        let table = "key,window,state,entry,value,problem\na,,s,,\"[1,2]\",\n\"b,\"\"\",,s,e,x,\n";
        assert_eq!(written(Form::Csv, &rows, false, None), table);
        assert_eq!(written(Form::Csv, &[], false, None), "key,window,state,entry,value,problem\n");
    }
}
