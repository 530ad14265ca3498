//! What becomes of rows that cannot be read, and that none comes of them which nobody has written.

use super::*;
use std::collections::BTreeSet;
use weir_engine::source::conformance::reader_context;
use weir_engine::{RecordBatch, SourceReader};

/// What a source gives of its only split.
#[derive(Default)]
pub(super) struct Given {
    pub(super) rows: Vec<String>,
    pub(super) skipped: u64,
    pub(super) reports: Vec<Value>,
}

impl Given {
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        self.rows.extend(batch.values().iter().map(|value| String::from_utf8_lossy(value).into_owned()));
    }

    /// Polls once, for up to `most` records.
    pub(super) fn poll(&mut self, reader: &mut dyn SourceReader, most: usize) -> Result<ReadStatus, EngineError> {
        let mut out = weir_engine::SplitBatch::new();
        let std::task::Poll::Ready(status) =
            reader.poll_read(&mut std::task::Context::from_waker(std::task::Waker::noop()), most, &mut out)
        else {
            panic!("files do not wait")
        };
        self.add(&out.take());
        self.reports.extend(reader.take_quarantined().values().iter().map(|report| serde_json::from_slice(report).unwrap()));
        self.skipped = reader.skipped();
        status
    }

    pub(super) fn lines_of_reports(&self) -> Vec<u64> {
        self.reports.iter().map(|report| report["line"].as_u64().unwrap()).collect()
    }
}

impl Files {
    /// All that a source gives, or the error that it ends with.
    pub(super) fn given(&self, settings: Value) -> Result<Given, String> {
        let source = self.source(settings);
        let mut reader = source.reader(&reader_context(0, 1), source.discover_now(1).map_err(|e| e.to_string())?).unwrap();
        let mut given = Given::default();
        while given.poll(&mut *reader, 1000).map_err(|e| e.to_string())? == ReadStatus::More {}
        Ok(given)
    }

    /// The error that reading a source ends with, and its hint.
    pub(super) fn fails(&self, settings: Value) -> Option<(String, String)> {
        let error = self.read(settings).err()?;
        Some((error.to_string(), error.hint().unwrap_or_default().to_owned()))
    }
}

/// Settings of a CSV source of `a.csv` with more.
pub(super) fn csv(more: Value) -> Value {
    let mut settings = json!({ "path": "a.csv", "format": "csv", "key": "id" });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

/// A table whose first cell with line ends stands far behind what is looked at to find out `multiline`.
fn late_cell() -> Vec<u8> {
    let rows = |range: std::ops::Range<usize>| range.map(|n| format!("{n},plain,{}\n", n % 9)).collect::<String>();
    ("id,v,w\n".to_owned() + &rows(0..30_000) + "30000,\"note:\n1,paid,100\n2,paid,200\nend\",5\n" + &rows(30_001..40_000)).into_bytes()
}

#[test]
fn a_late_cell_with_line_ends_is_one_bad_row_and_its_lines_are_none() {
    let files = Files::of(&[("a.csv", &late_cell())]);
    let error = files.given(csv(json!({}))).err().unwrap();
    let expect = "read a.csv, line 30002: a quoted cell holds a line end; set `multiline = true` where cells may: 30000,";
    assert!(error.starts_with(expect), "{error}");
    for multiline in [json!(null), json!(false)] {
        let mut settings = csv(json!({ "on-error": "skip", "multiline": multiline }));
        settings.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let given = files.given(settings).unwrap();
        assert_eq!((given.rows.len(), given.skipped), (39_999, 1));
        assert!(given.rows.iter().all(|row| row.contains(",plain,")));
    }
    let given = files.given(csv(json!({ "on-error": "quarantine" }))).unwrap();
    assert_eq!((given.rows.len(), given.lines_of_reports()), (39_999, vec![30_002]));
    assert_eq!(given.reports[0]["value"], "30000,\"note:\n1,paid,100\n2,paid,200\nend\",5");
    let given = files.given(csv(json!({ "multiline": true }))).unwrap();
    assert_eq!((given.rows.len(), given.skipped), (40_000, 0));
}

#[test]
fn no_range_of_a_file_begins_within_a_cell() {
    let texts = (0..20).map(|n| format!("{n},\"{}\",1\n", "1,paid,100\n".repeat(9_000))).collect::<String>();
    let rows = (0..20_000).map(|n| format!("{n},plain,0\n")).collect::<String>();
    let files = Files::of(&[("a.csv", ("id,v,w\n".to_owned() + &rows + &texts + &rows).as_bytes())]);
    for on_error in ["skip", "quarantine"] {
        let source = files.source(csv(json!({ "on-error": on_error, "multiline": false, "split": "80kB" })));
        let splits = source.discover_now(8).unwrap();
        let ends: Vec<_> = splits.iter().map(|split| split.spec["end"].as_u64().unwrap()).collect();
        assert!(ends.len() > 1 && ends[..ends.len() - 1].iter().all(|end| *end as usize <= rows.len() + 7), "{ends:?}");
        let rows = read_all(&source, splits, 3).unwrap();
        assert!(rows.len() == 40_000 && rows.iter().all(|(_, row, _)| row.ends_with(b",plain,0")), "{}", rows.len());
    }
}

#[test]
fn ranges_of_a_file_are_not_read_on_behind_bad_rows_unless_no_cell_holds_a_line_end() {
    let rows = (0..9_000).map(|n| format!("{n},paid,1\n")).collect::<String>();
    // A cell that has lost its opening mark, over the end of a range.
    let files = Files::of(&[("a.csv", format!("id,v,w\n1,note\n{rows}end\",2\n").as_bytes())]);
    for on_error in ["skip", "quarantine"] {
        let settings = csv(json!({ "on-error": on_error, "split": "64KiB" }));
        let error = files.try_source(settings.clone()).err().unwrap();
        assert_eq!(error.field.as_deref(), Some("split"));
        assert!(error.message.starts_with(&format!("`split` and `on-error = \"{on_error}\"` need `multiline = false`: ")), "{error}");
        assert!(files.given(csv(json!({ "on-error": on_error }))).err().unwrap().starts_with("read a.csv, line 2: "));
        // Ranges that a checkpoint holds.
        let cut = files.source(csv(json!({ "split": "64KiB" })));
        let mut ranges = cut.discover_now(2).unwrap();
        assert!(ranges.len() > 1);
        let whole = files.source(csv(json!({ "on-error": on_error })));
        let error = whole.verify_now(&ranges).unwrap_err();
        assert!(error.to_string().starts_with("go on reading a.csv: a part of it is left, and "), "{error}");
        ranges.iter_mut().for_each(|range| range.progress = SplitProgress::Finished);
        assert_eq!(whole.verify_now(&ranges).unwrap(), [""; 0]);
        let single_lines = csv(json!({ "on-error": on_error, "split": "64KiB", "multiline": false }));
        assert!(files.source(single_lines).discover_now(2).unwrap().len() > 1);
        let lines = json!({ "path": "a.csv", "format": "lines", "on-error": on_error, "split": "64KiB" });
        assert!(files.source(lines).discover_now(2).unwrap().len() > 1, "lines have no cells");
    }
}

#[test]
fn a_report_says_what_the_row_was_where_and_why() {
    let files = Files::of(&[("a.csv.gz", b"id,v\n1,2\n3\n\xff,\"4\n"), ("b.jsonl", b"{\"k\":1}\n\n{\"k\":1,}\n")]);
    let given = files.given(json!({ "path": "a.csv.gz", "format": "csv", "on-error": "quarantine" })).err().unwrap();
    assert!(given.starts_with("read a.csv.gz, line 4: a quoted cell of the row is never closed"), "{given}");
    files.write("a.csv.gz", b"id,v\n1,2\n3\n\xff\n");
    let given = files.given(json!({ "path": "a.csv.gz", "format": "csv", "on-error": "quarantine" })).unwrap();
    let why = "the row has 1 cell, the header 2";
    let report = |line: u64, offset: u64, value: Value| {
        json!({
            "source": "out", "key": null, "value": value, "timestamp": null, "error": format!("read a.csv.gz, line {line}: {why}"),
            "file": "a.csv.gz", "line": line, "offset": offset,
        })
    };
    assert_eq!(given.reports, [report(3, 9, json!("3")), report(4, 11, json!({ "base64": "/w==" }))]);
    assert_eq!((given.rows, given.skipped), (vec!["1,2".to_owned()], 0));
    let given = files.given(json!({ "path": "b.jsonl", "format": "jsonl", "on-error": "quarantine" })).unwrap();
    assert_eq!(given.reports[0]["error"], "read b.jsonl, line 3, column 8: it is no JSON object that can be read: key must be a string");
}

#[test]
fn what_is_said_of_a_bad_row_is_short_and_moves_no_cursor() {
    let long = "x".repeat(3_000_000);
    for row in [format!("\"\u{1b}[2J\u{202e}{long}\""), format!("\"\\u001b[2J\u{202e}{long}\"")] {
        let files = Files::of(&[("a.jsonl", row.as_bytes())]);
        let settings = |on_error: &str| json!({ "path": "a.jsonl", "format": "jsonl", "key": "k", "on-error": on_error });
        let given = files.given(settings("quarantine")).unwrap();
        let why = given.reports[0]["error"].as_str().unwrap();
        let error = files.given(settings("fail")).err().unwrap();
        for said in [why, &*error] {
            assert!(said.len() < 1_000 && !said.contains(|c: char| c.is_control() || c == '\u{202e}'), "{said}");
        }
        assert_eq!(given.reports[0]["value"].as_str(), Some(&*row), "the row itself is whole");
    }
}

#[test]
fn what_was_set_aside_goes_with_the_position_and_comes_once() {
    let text: String = (0..5000).map(|n| if n % 7 == 0 { format!("{{\"n\":{n}\n") } else { format!("{{\"n\":{n}}}\n") }).collect();
    let files = Files::of(&[("a.jsonl", text.as_bytes())]);
    let source = files.source(json!({ "path": "a.jsonl", "format": "jsonl", "on-error": "quarantine" }));
    let mut rng = fastrand::Rng::with_seed(11);
    let (mut splits, mut given, mut status) = (source.discover_now(1).unwrap(), Given::default(), ReadStatus::More);
    while status == ReadStatus::More {
        let mut reader = source.reader(&reader_context(0, 1), splits).unwrap();
        for _ in 0..rng.usize(1..4) {
            if status == ReadStatus::More {
                status = given.poll(&mut *reader, rng.usize(1..400)).unwrap();
            }
        }
        splits = reader.splits();
    }
    assert_eq!((given.rows.len(), given.reports.len()), (4285, 715));
    assert_eq!(given.lines_of_reports(), (0..715).map(|n| n * 7 + 1).collect::<Vec<u64>>());
}

#[test]
fn a_mark_in_the_wrong_place_is_skipped_only_where_no_cell_can_be_open_behind_it() {
    let files = Files::of(&[]);
    let check = |rows: &str, settings: Value, expect: Result<(&[&str], u64), &str>| {
        files.write("a.csv", format!("id,v,w\n{rows}").as_bytes());
        let given = files.given(csv(settings.clone())).map(|given| (given.rows, given.skipped));
        match (given, expect) {
            (Ok((found, skipped)), Ok((rows_expected, expected))) => assert_eq!(
                (found, skipped),
                (rows_expected.iter().map(|row| (*row).to_owned()).collect(), expected),
                "{rows} with {settings}"
            ),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{rows} with {settings}: {error}"),
            (given, expect) => panic!("{rows} with {settings}: {given:?}, not {expect:?}"),
        }
    };
    let skip = || json!({ "on-error": "skip" });
    let single_lines = || json!({ "on-error": "skip", "multiline": false });
    check("1,\"a\"b,2\n2,c,3\n", skip(), Ok((&["2,c,3"], 1)));
    check("1,\"a\"b,2\n2,\"c\",3\n", skip(), Err("read a.csv, line 2: `b` follows a quoted cell where a comma should"));
    check("1,\"a\"b,2\n2,\"c\",3\n", single_lines(), Ok((&["2,\"c\",3"], 1)));
    check("5,\"note \"x\"\n1,paid,100\n2,paid,200\nend\",7\n", single_lines(), Err("read a.csv, line 2: "));
    check("5,\"note \"x\", \"y\n1,paid,100\nend\",7\n", single_lines(), Err("read a.csv, line 2: "));
    check("5,note:\n1,paid,100\nend\",7\n", skip(), Err("read a.csv, line 2: the row has 2 cells, the header 3"));
    check("5,note:\n1,paid,100\n6,\"end\",7\n", skip(), Ok((&["1,paid,100", "6,\"end\",7"], 1)));
    let timed = || json!({ "on-error": "skip", "timestamp": "w" });
    check("1,a,soon\n2,\"b\",3\n", timed(), Ok((&["2,\"b\",3"], 1)));
    check("1,note,here\n2,paid,3\nend\",4\n", timed(), Err("read a.csv, line 2: the timestamp \"here\" of `w` is neither"));
    check("1,note,\"a\nhere\"\n2,paid,3\nend\",4\n", timed(), Err("read a.csv, line 2: "));
    // The mark that closes the text of row 1 opens a cell, as the one that opens the text of row 2 closes it.
    check("1,note,\",b\n2,u,\"\n9,9,9\nend\"\n", single_lines(), Err("read a.csv, line 2: a quoted cell holds a line end"));
    // One mark too many closed the cell early, and nothing was wrong until its end came.
    check("9,\"note 9\n9,paid\",100\n9,open,7\nend\",9\n10,a,b\n", skip(), Err("read a.csv, line 5: the row has 2 cells, the header 3"));
    check("1,2\"\n3,a,b\n", single_lines(), Ok((&["3,a,b"], 1)));
    check("1,a,2\n3,\"b,4\n5,c,6\n", skip(), Err("read a.csv, line 3: a quoted cell of the row is never closed"));
    check("1,a,2\n3,\"b,4\n5,c,\"6\n", skip(), Err("read a.csv, line 3: "));
}

/// A table of three columns, the second of which holds texts with lines in them that look like rows; and those lines.
fn table_with_texts(rng: &mut fastrand::Rng) -> (Vec<u8>, BTreeSet<String>) {
    let (mut text, mut inner) = ("id,text,n\n".to_owned(), BTreeSet::new());
    for row in 0..rng.usize(1..12) {
        let cell = match rng.usize(0..5) {
            0 => format!("plain {row}"),
            1 => format!("\"quoted, {row}\""),
            2 => "\"\"".to_owned(),
            _ => {
                let lines: Vec<String> = (0..rng.usize(1..4)).map(|line| format!("{line},paid {row},100")).collect();
                inner.extend(lines.iter().cloned());
                let said = if rng.bool() { " said \"\"so\"\"" } else { "" };
                format!("\"note {row}{said}\n{}\nend\"", lines.join("\n"))
            }
        };
        text.push_str(&format!("{row},{cell},{}\n", row % 3));
    }
    (text.into_bytes(), inner)
}

#[test]
fn no_row_comes_out_of_the_inside_of_a_cell_that_has_lost_or_gained_a_mark() {
    let mut rng = fastrand::Rng::with_seed(34);
    let files = Files::of(&[]);
    let (mut read, mut refused) = (0, 0);
    for round in 0..3000 {
        let (mut text, inner) = table_with_texts(&mut rng);
        let header = "id,text,n\n".len();
        let marks: Vec<usize> = (header..text.len()).filter(|&at| text[at] == b'"').collect();
        match rng.usize(0..4) {
            0 | 1 if !marks.is_empty() => _ = text.remove(marks[rng.usize(0..marks.len())]),
            2 => text.truncate(rng.usize(header..=text.len())),
            // Within the first line of a text: one that closes the cell in front of a line end makes rows of the others for every reader.
            _ => {
                let notes: Vec<usize> = memchr::memmem::find_iter(&text, b"note").collect();
                let Some(&note) = notes.get(rng.usize(0..=notes.len())) else { continue };
                text.insert(note + rng.usize(0..4), b'"');
            }
        }
        files.write("a.csv", &text);
        let mut settings = csv(json!({ "on-error": if rng.bool() { "skip" } else { "quarantine" } }));
        if rng.bool() {
            settings["multiline"] = rng.bool().into();
        }
        if rng.bool() {
            settings["timestamp"] = "n".into();
        }
        let shown = String::from_utf8_lossy(&text).into_owned();
        check_the_hint(&files, &settings, &shown);
        match files.given(settings.clone()) {
            Ok(given) => {
                read += 1;
                let invented: Vec<_> = given.rows.iter().filter(|row| inner.contains(*row)).collect();
                assert!(invented.is_empty(), "round {round}, {settings}: {invented:?} of\n{shown}");
            }
            Err(error) => {
                refused += 1;
                assert!(error.starts_with("read a.csv, line "), "round {round}, {settings}: {error} of\n{shown}");
            }
        }
    }
    assert!(read > 200 && refused > 200, "{read} read, {refused} refused");
}

/// Where bad rows fail the job, its hint offers `on-error` only for a row that is covered then: reading with it ends well, or at a later row.
fn check_the_hint(files: &Files, settings: &Value, shown: &str) {
    let mut all_fail = settings.clone();
    all_fail["on-error"] = "fail".into();
    let covered = files.given(settings.clone()).err();
    match (files.fails(all_fail), covered) {
        (None, covered) => assert_eq!(covered, None, "{settings} of\n{shown}"),
        (Some((error, hint)), covered) if hint == OFFER => assert_ne!(covered, Some(error), "{settings} of\n{shown}"),
        (Some((error, hint)), covered) => {
            assert!(hint.starts_with("mend the row: `on-error` would not cover it"), "{hint}");
            assert_eq!(covered, Some(error), "{settings} of\n{shown}");
        }
    }
}

const OFFER: &str = "mend the row, or say `on-error = \"skip\"` or `on-error = \"quarantine\"`";

#[test]
fn on_error_is_offered_only_where_it_covers_the_row() {
    let files = Files::of(&[]);
    let check = |text: &[u8], more: Value, expect: &str| {
        files.write("a.csv", text);
        let (error, hint) = files.fails(csv(more)).expect("it fails");
        assert_eq!(hint, expect, "{error}");
    };
    let doubtful = "mend the row: `on-error` would not cover it, because what follows may be the inside of one of its cells";
    check(b"id,v,w\n1,2\n3,a,b\n", json!({}), OFFER);
    check(b"id,v,w\n1,2\n3,a,b\nend\",5\n", json!({}), doubtful);
    check(b"id,v,w\n1,\"a\"b,2\n2,\"c\",3\n", json!({}), doubtful);
    check(b"id,v,w\n1,\"a\"b,2\n2,\"c\",3\n", json!({ "multiline": false }), OFFER);
    check(b"id,v,w\n1,\"a,2\n", json!({}), doubtful);
    // Of ranges the job file has to say more.
    let with = format!("{OFFER}, with `multiline = false` where no cell holds a line end");
    check(b"id,v,w\n1,2\n3,a,b\n", json!({ "split": "64KiB" }), &with);
    check(b"id,v,w\n1,2\n3,a,b\n", json!({ "split": "64KiB", "multiline": false }), OFFER);
    // The end of a row that is too long is not looked for.
    let unseen = format!("{OFFER}; they do not cover it where what follows may be the inside of one of its cells");
    let long = [b"id,v,w\n1,", &vec![b'x'; 40_000_000][..], b",2\n"].concat();
    check(&long, json!({}), &unseen);
}
