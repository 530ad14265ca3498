//! Carriage returns: files that have no other line ends, and rows that have some in them.

use super::bad_rows::{Given, csv};
use super::*;

#[test]
fn files_with_bare_carriage_returns_are_refused_by_name_and_never_read_as_nothing() {
    let files = Files::of(&[
        ("a.csv", b"id,v\n1,2\r3,4\r5,6\r"),
        ("b.csv", b"id\n1\r2\r"),
        ("c.jsonl", b"{\"k\":1}\r{\"k\":2}\r"),
        ("d.txt", b"a\rb\rc"),
    ]);
    for on_error in ["fail", "skip", "quarantine"] {
        for (path, format, line) in [("a.csv", "csv", 2), ("b.csv", "csv", 2), ("c.jsonl", "jsonl", 1), ("d.txt", "lines", 1)] {
            let error = files.given(json!({ "path": path, "format": format, "on-error": on_error })).err().unwrap();
            let expect = format!("read {path}, line {line}: its lines end in carriage returns (CR) alone, not in LF or CR LF: ");
            assert!(error.starts_with(&expect), "{on_error}: {error}");
        }
    }
    files.write("e.csv", b"id,v\r1,2\r3,4\r");
    let error = files.try_source(json!({ "path": "e.csv", "format": "csv" })).err().unwrap();
    assert_eq!(error.message, "the header of e.csv: its lines end in carriage returns (CR) alone, not in LF or CR LF");
    files.write("f.txt", b"10 %\r20 %\ndone\r");
    assert_eq!(files.given(json!({ "path": "f.txt" })).unwrap().rows, ["10 %\r20 %", "done\r"], "in a line it is data");
}

#[test]
fn a_last_row_with_carriage_returns_is_read_from_wherever_the_reading_begins() {
    let last = "progress 10%\rprogress 100%";
    let rows = [&*"x".repeat(70_000), "one", last].join("\n");
    for (name, format, header, text) in [
        ("a.txt", "lines", "", &rows),
        ("a.txt.gz", "lines", "", &rows),
        ("a.csv", "csv", "\u{feff}id\r\n", &rows),
        ("b.csv", "csv", "\"id\"\n", &format!("2\n{last}")),
    ] {
        let files = Files::of(&[(name, [header, text].concat().as_bytes())]);
        let settings = json!({ "path": name, "format": format });
        let whole = files.given(settings.clone()).unwrap().rows;
        assert_eq!(whole.last().map(String::as_str), Some(last), "{name}");
        let source = files.source(settings.clone());
        for read_before in 0..whole.len() {
            let mut given = Given::default();
            let mut first = source.reader(&reader_context(0, 1), source.discover_now(1).unwrap()).unwrap();
            while given.rows.len() < read_before {
                given.poll(&mut *first, 1).unwrap();
            }
            let mut second = source.reader(&reader_context(0, 1), first.splits()).unwrap();
            while given.poll(&mut *second, 1).unwrap() == ReadStatus::More {}
            assert_eq!(given.rows, whole, "{name} behind {read_before} rows");
        }
    }
    // A range that has no other row.
    let files = Files::of(&[("a.txt", rows.as_bytes()), ("a.csv", format!("id\n{rows}").as_bytes())]);
    for (name, format) in [("a.txt", "lines"), ("a.csv", "csv")] {
        let source = files.source(json!({ "path": name, "format": format, "split": "64KiB" }));
        let splits = source.discover_now(2).unwrap();
        assert_eq!(splits.len(), 2, "{name}");
        assert_eq!(read_all(&source, splits, 2).unwrap().len(), 3, "{name}");
    }
}

#[test]
fn of_one_column_a_carriage_return_is_text_unless_the_file_has_no_other_line_ends() {
    let files = Files::of(&[("a.csv", b"id\n1\n2\r3\n\"4\r5\"\n6")]);
    for on_error in ["fail", "skip", "quarantine"] {
        let given = files.given(csv(json!({ "on-error": on_error }))).unwrap();
        assert_eq!((given.rows, given.skipped), (["1", "2\r3", "\"4\r5\"", "6"].map(str::to_owned).to_vec(), 0));
        files.write("b.csv", b"id\n1\r2\r");
        assert!(files.given(csv(json!({ "path": "b.csv", "on-error": on_error }))).is_err());
    }
    // Behind a row that is too long there are lines too.
    files.write("c.txt", &[&vec![b'x'; ROW_BYTES_MAX + 1][..], b"\na\rb\rc"].concat());
    assert_eq!(files.given(json!({ "path": "c.txt", "on-error": "skip" })).unwrap().rows, ["a\rb\rc"]);
}
