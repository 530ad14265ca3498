//! CSV rows against csv-core, and the cases that RFC 4180 leaves to taste.

use super::*;
use serde_json::json;
use std::path::Path;

fn options(settings: serde_json::Value) -> FileOptions {
    FileOptions::read(settings.as_object().unwrap(), Path::new("/")).unwrap().0
}

fn rows(header: &str, multiline: bool) -> CsvRows {
    let options = options(json!({ "path": "x", "format": "csv", "key": "k", "timestamp": "t", "null": ["NA", "-"] }));
    CsvRows::new(&options, header, multiline, Before::Nothing).unwrap()
}

fn parsed(rows: &mut CsvRows, row: &str) -> Result<(Option<String>, Option<i64>), String> {
    let frame = rows.frame(row.as_bytes(), true).unwrap();
    match rows.parse(&row.as_bytes()[..frame.content], frame).map_err(|e| e.why)? {
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
        ("1,2,soon", "the timestamp \"soon\" of `t` is neither RFC 3339 nor integer milliseconds"),
        (
            "1,2,2024-03-01 10:05:00",
            "the timestamp \"2024-03-01 10:05:00\" of `t` says no offset: `timestamp = { field = \"t\", zone = \"UTC\" }` says where it is from",
        ),
        ("1,\"2,3", "a quoted cell of the row is never closed"),
        ("1,\"2,3\n4,5,6\n", "a quoted cell of the row is never closed"),
        ("1,\"2\n3\",4\n", "a quoted cell holds a line end; set `multiline = true` where cells may"),
        ("1,2,3\r4,5,6\r", "its lines end in carriage returns (CR) alone, not in LF or CR LF"),
        ("1,\"2\",\"3\"\r4,5,6\r", "its lines end in carriage returns (CR) alone, not in LF or CR LF"),
        ("\"1\"x,2,3", "`x` follows a quoted cell where a comma should"),
        ("1,2,\"3\" ", "` ` follows a quoted cell where a comma should"),
        ("\n1,2,3", "blank"),
    ] {
        assert_eq!(parsed(&mut rows, row), Err(why.into()), "{row}");
    }
}

#[test]
fn a_row_goes_on_over_line_breaks_in_quotes() {
    let text = b"1,\"a\nb\",7\n2,c,8\n";
    let frame = |multiline, bytes, ended| rows("a,k,t", multiline).frame(bytes, ended);
    assert_eq!(frame(true, text, false), Some(Frame { content: 9, next: 10, quoted: true }));
    assert_eq!(frame(false, text, false), frame(true, text, false), "where it may not it is one bad row");
    assert_eq!(frame(true, &text[..7], false), None, "the window ends in the row");
    assert_eq!(frame(true, &text[..8], true), Some(Frame { content: 8, next: 8, quoted: true }));
    assert_eq!(frame(true, b"", true), None);
}

#[test]
fn what_is_wrong_with_quotation_marks_leaves_a_doubt_about_where_the_next_row_begins() {
    let check = |settings: serde_json::Value, row: &str, expect: Doubt| {
        let options = options(settings);
        let multiline = options.multiline.unwrap_or_default();
        let mut rows = CsvRows::new(&options, "a,k,t", multiline, Before::Nothing).unwrap();
        let frame = rows.frame(row.as_bytes(), true).unwrap();
        let error = rows.parse(&row.as_bytes()[..frame.content], frame).unwrap_err();
        assert_eq!(error.doubt, expect, "{row}: {error:?}");
    };
    let plain = || json!({ "path": "x", "format": "csv", "timestamp": "t" });
    check(plain(), "1,2,soon\n", Doubt::Cells);
    check(plain(), "1,\"2\",soon\n", Doubt::Cells);
    check(plain(), "1,\"2\n\",3\n", Doubt::Cells);
    check(plain(), "1,2\n", Doubt::Cells);
    check(plain(), "1,\"2\"\n", Doubt::Cells);
    check(plain(), "1,\"2\"x,3\n", Doubt::Quotes);
    check(plain(), "1,\"2\n\"\n", Doubt::Sure);
    check(plain(), "1,\"2\n\"x,3\n", Doubt::Sure);
    check(plain(), "1,\"2,3\n4,5,6\n", Doubt::Sure);
    check(plain(), "1,2,3\r4,5,6\r", Doubt::Sure);
    let single = || json!({ "path": "x", "format": "csv", "timestamp": "t", "multiline": false });
    check(single(), "1,\"2\"x,3\n", Doubt::Cells);
    check(single(), "1,\"2\n\"x,3\n", Doubt::Sure);
}

#[test]
fn a_header_with_bare_carriage_returns_is_refused() {
    let options = options(json!({ "path": "x.csv", "format": "csv" }));
    for header in ["k,v\r1,2\r3,4", "k,v\r", "k\r"] {
        let error = wanted_columns(&options, header).unwrap_err();
        assert_eq!(error.message, "the header of x.csv: its lines end in carriage returns (CR) alone, not in LF or CR LF");
    }
    assert!(wanted_columns(&options, "k,\"v\r\"").is_ok(), "in quotation marks it is text");
}

#[test]
fn a_column_that_is_missing_or_twice_there_is_refused_by_name() {
    let options = options(json!({ "path": "x.csv", "format": "csv", "key": "tail_num" }));
    let error = wanted_columns(&options, "year,tailnum").unwrap_err();
    assert_eq!(error.to_string(), "x.csv has no column `tail_num`; its columns are year, tailnum");
    assert_eq!((error.field.as_deref(), error.hint.as_deref()), (Some("key"), Some("did you mean `tailnum`?")));
    let error = wanted_columns(&options, "tail_num,\"tail_num\"").unwrap_err();
    assert!(error.message.contains("stands twice"), "{error}");
    let hint = |header: &str| wanted_columns(&options, header).unwrap_err().hint.unwrap_or_default();
    assert!(hint("year;tail_num;dest").starts_with("its 3 columns are parted by semicolons, and a `csv` file by commas"));
    assert!(hint("year\ttail_num").starts_with("its 2 columns are parted by tabs"));
    assert!(hint("year;month,tailnum").starts_with("did you mean"), "commas part these");
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
