//! Rows that are too long to be read: the longest one that is not, what is read around them, and when they are not passed over.

use super::bad_rows::{Given, csv};
use super::*;

/// A row of a format, `bytes` bytes long.
fn row_of(format: &str, bytes: usize) -> Vec<u8> {
    let (begin, end) = match format {
        "lines" => ("", ""),
        "jsonl" => ("{\"k\":\"", "\"}"),
        _ => ("1,\"", "\""),
    };
    [begin.as_bytes(), &vec![b'x'; bytes - begin.len() - end.len()], end.as_bytes()].concat()
}

#[test]
fn the_longest_row_is_read_and_one_byte_more_is_a_bad_row() {
    for format in ["lines", "jsonl", "csv"] {
        for line_end in ["\n", "\r\n", ""] {
            let header = if format == "csv" { "k,v\n" } else { "" };
            let text = |bytes: usize| [header.as_bytes(), &row_of(format, 40), b"\n", &row_of(format, bytes), line_end.as_bytes()].concat();
            let files = Files::of(&[("a", &text(ROW_BYTES_MAX))]);
            let settings = |on_error: &str| json!({ "path": "a", "format": format, "on-error": on_error });
            let rows = files.given(settings("fail")).unwrap().rows;
            assert_eq!(rows.iter().map(String::len).collect::<Vec<_>>(), [40, ROW_BYTES_MAX], "{format} {line_end:?}");
            for more in [1, 3] {
                files.write("a", &text(ROW_BYTES_MAX + more));
                let line = if format == "csv" { 3 } else { 2 };
                let error = files.given(settings("fail")).err().unwrap();
                let expect = format!("read a, line {line}: the row is longer than 16777216 bytes");
                assert!(error.starts_with(&expect), "{format} {line_end:?}: {error}");
                let given = files.given(settings("skip")).unwrap();
                assert_eq!((given.rows.len(), given.skipped), (1, 1), "{format} {line_end:?}");
            }
        }
    }
}

#[test]
fn rows_around_those_that_are_too_long_are_read() {
    for format in ["lines", "jsonl", "csv"] {
        let header = if format == "csv" { "k,v\n" } else { "" };
        let rows = [40, 17_000_000, 41, 40_000_000, 42].map(|bytes| [row_of(format, bytes), b"\n".to_vec()].concat());
        let files = Files::of(&[("a", &[header.as_bytes(), &rows.concat()].concat())]);
        let given = files.given(json!({ "path": "a", "format": format, "on-error": "quarantine" })).unwrap();
        assert_eq!(given.rows.iter().map(String::len).collect::<Vec<_>>(), [40, 41, 42], "{format}");
        let first = if format == "csv" { 3 } else { 2 };
        assert_eq!(given.lines_of_reports(), [first, first + 2], "{format}");
        assert!(given.reports.iter().all(|report| report["value"].as_str().unwrap().len() == 1024), "its beginning");
    }
}

#[test]
fn a_row_that_is_passed_over_is_passed_over_again_by_the_next_reader() {
    let text = [b"a\n".to_vec(), vec![b'x'; 40_000_000], b"\nb\n".to_vec()].concat();
    let files = Files::of(&[("a", &text)]);
    let source = files.source(json!({ "path": "a", "on-error": "skip" }));
    let mut first = source.reader(&reader_context(0, 1), source.discover_now(1).unwrap()).unwrap();
    let mut given = Given::default();
    while given.rows.is_empty() || first.splits()[0].progress == SplitProgress::At(0.into()) {
        given.poll(&mut *first, 1).unwrap();
    }
    // In the midst of it.
    given.poll(&mut *first, 1).unwrap();
    assert_eq!((first.splits()[0].progress.clone(), given.skipped), (SplitProgress::At(2.into()), 0));
    let mut second = source.reader(&reader_context(0, 1), first.splits()).unwrap();
    while given.poll(&mut *second, 1000).unwrap() == ReadStatus::More {}
    assert_eq!((given.rows, given.skipped), (vec!["a".to_owned(), "b".to_owned()], 1));
}

#[test]
fn a_long_row_with_a_cell_that_may_never_be_closed_is_not_skipped() {
    let text = ["id,v\n1,\"open\n".as_bytes(), &b"2,x\n".repeat(5_000_000)].concat();
    let files = Files::of(&[("a.csv.gz", &text)]);
    for on_error in ["fail", "skip", "quarantine"] {
        let error = files.given(csv(json!({ "path": "a.csv.gz", "on-error": on_error }))).err().unwrap();
        let expect = "read a.csv.gz, line 2: the row is longer than 16777216 bytes; a quoted cell of it may never be closed: 1,";
        assert!(error.starts_with(expect), "{on_error}: {error}");
    }
}
