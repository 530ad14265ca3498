//! CSV rows against csv-core, and the cases that RFC 4180 leaves to taste.

use super::*;
use serde_json::json;
use std::path::Path;

fn options(settings: serde_json::Value) -> FileOptions {
    FileOptions::read(settings.as_object().unwrap(), Path::new("/")).unwrap().0
}

fn rows(header: &str, multiline: bool) -> CsvRows {
    let options = options(json!({ "path": "x", "format": "csv", "key": "k", "timestamp": "t", "null": ["NA", "-"] }));
    CsvRows::new(&options, header, multiline).unwrap()
}

fn parsed(rows: &mut CsvRows, row: &str) -> Result<(Option<String>, Option<i64>), String> {
    let frame = rows.frame(row.as_bytes(), true).unwrap();
    match rows.parse(&row.as_bytes()[..frame.content], frame).map_err(|e| e.0)? {
        Row::Record { key, timestamp } => Ok((key.map(|key| String::from_utf8(key.into_owned()).unwrap()), timestamp)),
        Row::Blank => Err("blank".into()),
    }
}

fn check(row: &str, key: Option<&str>, timestamp: Option<i64>) {
    assert_eq!(parsed(&mut rows("a,k,t", false), row), Ok((key.map(str::to_string), timestamp)), "{row}");
}

#[test]
fn key_and_timestamp_are_cells_of_their_columns() {
    check("1,N1,7", Some("N1"), Some(7));
    check("1,N1,7\r\n2,N2,8\r\n", Some("N1"), Some(7));
    check("1,\"N,\"\"1\"\"\",\"7\"", Some("N,\"1\""), Some(7));
    check("\"a,b\",N1,7\n", Some("N1"), Some(7));
}

#[test]
fn an_empty_cell_is_the_empty_key_and_a_null_one_is_absent() {
    check("1,,7", Some(""), Some(7));
    check("1,NA,-", None, None);
    check("1,\"NA\",7", None, Some(7));
    check("1,NAN,7", Some("NAN"), Some(7));
}

#[test]
fn rows_that_cannot_be_read_say_why() {
    let mut rows = rows("a,k,t", false);
    for (row, why) in [
        ("1,2", "the row has 2 cells, the header 3"),
        ("1,2,3,4", "the row has 4 cells, the header 3"),
        ("\"1,2\",3", "the row has 2 cells, the header 3"),
        ("1,2,soon", "the timestamp \"soon\" is neither RFC 3339 nor integer milliseconds"),
        ("1,\"2,3", "a quoted cell is still open at the end of the row; set `multiline = true` where cells hold line breaks"),
        ("\"1\"x,2,3", "`x` follows a quoted cell where a comma should"),
        ("1,2,\"3\" ", "` ` follows a quoted cell where a comma should"),
        ("\n1,2,3", "blank"),
    ] {
        assert_eq!(parsed(&mut rows, row), Err(why.into()), "{row}");
    }
}

#[test]
fn a_row_goes_on_over_line_breaks_in_quotes_only_where_it_may() {
    let text = b"1,\"a\nb\",7\n2,c,8\n";
    let frame = |multiline, bytes, ended| rows("a,k,t", multiline).frame(bytes, ended);
    assert_eq!(frame(true, text, false), Some(Frame { content: 9, next: 10, quoted: true }));
    assert_eq!(frame(false, text, false), Some(Frame { content: 4, next: 5, quoted: true }));
    assert_eq!(frame(true, &text[..7], false), None, "the window ends in the row");
    assert_eq!(frame(true, &text[..8], true), Some(Frame { content: 8, next: 8, quoted: true }));
    assert_eq!(frame(true, b"", true), None);
}

#[test]
fn a_column_that_is_missing_or_twice_there_is_refused_by_name() {
    let options = options(json!({ "path": "x.csv", "format": "csv", "key": "tail_num" }));
    let error = wanted_columns(&options, "year,tailnum").unwrap_err();
    assert_eq!(error.to_string(), "x.csv has no column `tail_num`; its columns are year, tailnum");
    assert_eq!((error.field.as_deref(), error.hint.as_deref()), (Some("key"), Some("did you mean `tailnum`?")));
    let error = wanted_columns(&options, "tail_num,\"tail_num\"").unwrap_err();
    assert!(error.message.contains("stands twice"), "{error}");
}

#[test]
fn text_behind_a_quoted_name_of_the_header_is_refused() {
    let options = options(json!({ "path": "x.csv", "format": "csv", "key": "tailnum" }));
    let error = wanted_columns(&options, "\"tail\"num,b").unwrap_err();
    assert_eq!(error.message, "the header of x.csv: `n` follows a quoted cell where a comma should");
}

/// The rows of a text as csv-core reads them.
fn oracle(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut reader = csv_core::ReaderBuilder::new().terminator(csv_core::Terminator::Any(b'\n')).build();
    let (mut rows, mut output, mut ends, mut input) = (Vec::new(), vec![0; text.len() + 1], vec![0; text.len() + 2], text);
    loop {
        let (result, read, _, cells) = reader.read_record(input, &mut output, &mut ends);
        input = &input[read..];
        match result {
            csv_core::ReadRecordResult::Record => {
                let starts = std::iter::once(0).chain(ends[..cells].iter().copied());
                rows.push(starts.zip(&ends[..cells]).map(|(start, &end)| output[start..end].to_vec()).collect());
            }
            csv_core::ReadRecordResult::InputEmpty | csv_core::ReadRecordResult::End => return rows,
            other => panic!("the buffers are large enough: {other:?}"),
        }
    }
}

/// The same by frames and scans.
fn scanned(mut text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut rows = Vec::new();
    while let Some(frame) = frame_multiline(text, false) {
        if frame.content > 0 {
            rows.push(cells_of(&text[..frame.content]).into_iter().map(Cow::into_owned).collect());
        }
        text = &text[frame.next..];
    }
    rows
}

#[test]
fn random_rows_have_the_cells_that_csv_core_finds() {
    let mut rng = fastrand::Rng::with_seed(4180);
    for round in 0..20_000 {
        let mut text: Vec<u8> = (0..rng.usize(0..24)).map(|_| b"\"\",,\nab"[rng.usize(0..7)]).collect();
        text.push(b'\n');
        assert_eq!(scanned(&text), oracle(&text), "round {round}: {}", text.escape_ascii());
    }
}
