//! Standard input played by texts and pipes.

use super::*;
use std::task::{Wake, Waker};
use weir_engine::ErrorKind;
use weir_engine::source::conformance::{SourceNow, reader_context};

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

type Record = (Option<String>, String, Option<i64>);

/// Reads up to `count` rows, parked while the reader waits.
fn records(reader: &mut dyn SourceReader, count: usize) -> Result<Vec<Record>, EngineError> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut records = Vec::new();
    while records.len() < count {
        let mut out = SplitBatch::new();
        match reader.poll_read(&mut Context::from_waker(&waker), count - records.len(), &mut out) {
            Poll::Pending => std::thread::park(),
            Poll::Ready(status) => {
                let batch = out.take();
                let timestamp = |row: usize| Some(batch.timestamps()[row]).filter(|&timestamp| timestamp != i64::MIN);
                records.extend((0..batch.len()).map(|row| (batch.key(row).map(text), text(batch.values().get(row)), timestamp(row))));
                if status? == ReadStatus::End {
                    break;
                }
            }
        }
    }
    Ok(records)
}

fn lines(reader: &mut dyn SourceReader, count: usize) -> Result<Vec<String>, EngineError> {
    Ok(records(reader, count)?.into_iter().map(|(_, value, _)| value).collect())
}

/// The records up to the moment where the reader waits.
fn come(reader: &mut dyn SourceReader) -> Vec<String> {
    let mut out = SplitBatch::new();
    while let Poll::Ready(status) = reader.poll_read(&mut Context::from_waker(Waker::noop()), 1000, &mut out) {
        if status.unwrap() == ReadStatus::End {
            break;
        }
    }
    out.take().values().iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

fn source_of(input: impl Read + Send + 'static, settings: Value) -> StdinSource {
    StdinSource::reading(Box::new(input), settings.as_object().unwrap()).unwrap().0
}

fn source(input: impl Read + Send + 'static) -> StdinSource {
    source_of(input, json!({}))
}

fn reader(source: &StdinSource) -> Box<dyn SourceReader> {
    source.reader(&reader_context(0, 1), source.discover_now(1).unwrap()).unwrap()
}

/// Hands a text over byte by byte, as someone who types it.
struct Typed(&'static [u8]);

impl Read for Typed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (now, later) = self.0.split_at(self.0.len().min(1));
        buffer[..now.len()].copy_from_slice(now);
        self.0 = later;
        Ok(now.len())
    }
}

#[track_caller]
fn check(settings: Value, text: &'static str, expect: &[(Option<&str>, &str, Option<i64>)]) {
    let expect: Vec<Record> = expect.iter().map(|(key, value, time)| (key.map(str::to_string), value.to_string(), *time)).collect();
    let whole = source_of(text.as_bytes(), settings.clone());
    assert_eq!(records(&mut *reader(&whole), usize::MAX).unwrap(), expect);
    let typed = source_of(Typed(text.as_bytes()), settings);
    assert_eq!(records(&mut *reader(&typed), usize::MAX).unwrap(), expect, "byte by byte");
}

#[track_caller]
fn refused(settings: Value, text: &str, expect: &str) {
    let input = std::io::Cursor::new(text.as_bytes().to_vec());
    let error = records(&mut *reader(&source_of(input, settings)), usize::MAX).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.kind()), (expect, ErrorKind::FixInput));
}

#[test]
fn lines_come_without_their_ends() {
    let source = source(&b"a\r\n\nb b\nlast"[..]);
    let mut reader = reader(&source);
    assert_eq!(lines(&mut *reader, 10).unwrap(), ["a", "", "b b", "last"]);
    assert_eq!(reader.splits()[0].progress, SplitProgress::Finished);
    check(json!({}), "\u{feff}a\n", &[(None, "\u{feff}a", None)]);
}

#[test]
fn the_next_reader_goes_on_where_the_last_one_stopped() {
    let text = (0..50_000).map(|n| format!("{n}\n")).collect::<String>();
    let source = source(std::io::Cursor::new(text));
    let mut first = reader(&source);
    assert_eq!(lines(&mut *first, 20_000).unwrap().last().unwrap(), "19999");
    assert_eq!(first.splits()[0].progress, SplitProgress::At(20_000.into()));
    let rest = lines(&mut *reader(&source), usize::MAX).unwrap();
    assert_eq!((rest.len(), rest[0].as_str(), rest[29_999].as_str()), (30_000, "20000", "49999"));
}

#[test]
fn a_reader_waits_for_the_line_that_is_being_typed() {
    let (sender, receiver) = std::io::pipe().map(|(receiver, sender)| (sender, receiver)).unwrap();
    let source = source(receiver);
    let mut reader = reader(&source);
    let pending = reader.poll_read(&mut Context::from_waker(Waker::noop()), 1, &mut SplitBatch::new());
    assert!(pending.is_pending() && reader.is_idle(0), "all that there is has been handed on");
    std::io::Write::write_all(&mut &sender, b"typed\nand").unwrap();
    assert_eq!(lines(&mut *reader, 1).unwrap(), ["typed"]);
    assert!(!reader.is_idle(0), "there was something a moment ago");
    drop(sender);
    assert_eq!(lines(&mut *reader, 2).unwrap(), ["and"]);
}

#[test]
fn csv_has_keys_and_timestamps_by_its_first_row() {
    let settings = json!({ "format": "csv", "key": "k", "timestamp": "t", "null": ["NA"] });
    let rows = "\u{feff}t,k\r\n5,a\n\n7,\"b \"\"x\"\"\"\n,NA\n9,\"c\nd\"";
    let refused_time = "read standard input, line 5: the timestamp \"\" of `t` is neither RFC 3339 nor integer milliseconds: ,NA";
    refused(settings.clone(), rows, refused_time);
    let skipping = json!({ "format": "csv", "key": "k", "timestamp": "t", "null": ["NA"], "on-error": "skip" });
    let kept = [(Some("a"), "5,a", Some(5)), (Some("b \"x\""), "7,\"b \"\"x\"\"\"", Some(7)), (Some("c\nd"), "9,\"c\nd\"", Some(9))];
    check(skipping, rows, &kept);
    check(settings.clone(), "t,k", &[]);
    check(settings.clone(), "", &[]);
    refused(settings, "t,v\n1,2\n", "standard input has no column `k`; its columns are t, v");
    refused(json!({ "format": "csv" }), "k,v\n1\n", "read standard input, line 2: the row has 1 cell, the header 2: 1");
}

#[test]
fn json_lines_have_keys_and_timestamps_by_their_fields() {
    let settings = json!({ "format": "jsonl", "key": "k", "timestamp": "t" });
    let rows = "\u{feff}{\"k\":\"a\",\"t\":1}\n\n{\"k\":2}\n{}";
    check(settings, rows, &[(Some("a"), "{\"k\":\"a\",\"t\":1}", Some(1)), (Some("2"), "{\"k\":2}", None), (None, "{}", None)]);
}

#[test]
fn bad_rows_are_skipped_and_counted_where_that_is_said() {
    let source = source_of(&b"{}\n{]\n[1\n{}\n"[..], json!({ "format": "jsonl", "on-error": "skip" }));
    let mut reader = reader(&source);
    assert_eq!(lines(&mut *reader, 10).unwrap(), ["{}", "{}"]);
    assert_eq!(reader.skipped(), 2);
}

#[test]
fn a_header_that_is_said_is_known_before_it_comes_and_has_to_come() {
    let settings = json!({ "format": "csv", "key": "k", "header": "k,v" });
    let source = source_of(std::io::empty(), settings.clone());
    assert_eq!((source.schema().as_deref(), source.gives_keys()), (Some("k,v"), true));
    check(settings.clone(), "\"k\",v\n1,2\n", &[(Some("1"), "1,2", None)]);
    refused(settings.clone(), "1,2\n3,4\n", "read standard input: its header is not the one that `header` says: 1,2");
    let shown = format!("read standard input: its header is not the one that `header` says: \\u{{1b}}[2J{}…", "x".repeat(191));
    refused(settings.clone(), &format!("\u{1b}[2J{},2\n3,4\n", "x".repeat(1_000_000)), &shown);
    let error = format!("read standard input: its header: it is longer than 1048576 bytes: {}…", "x".repeat(200));
    refused(settings, &"x".repeat(3_000_000), &error);
}

#[test]
fn settings_without_meaning_are_refused_by_name() {
    let field = |settings: Value| StdinSource::new(settings.as_object().unwrap()).err().unwrap().field.unwrap();
    assert_eq!(field(json!({ "key": "k" })), "key");
    assert_eq!(field(json!({ "header": "k" })), "header");
    assert_eq!(field(json!({ "format": "csv", "header": "k,v", "key": "w" })), "key");
    assert_eq!(field(json!({ "format": "csv", "path": "x" })), "path");
    assert_eq!(field(json!({ "split": "64MiB" })), "split");
}

#[test]
fn a_row_of_the_longest_kind_is_read_and_a_longer_one_refused_or_skipped() {
    let long = |bytes: usize| vec![b'x'; bytes];
    let longest = || [&long(super::super::ROW_BYTES_MAX)[..], b"\r\nafter\n"].concat();
    let longer = || [&long(super::super::ROW_BYTES_MAX + 1)[..], b"\nafter\n"].concat();
    let sizes = |text: Vec<u8>, settings: Value| {
        let source = source_of(std::io::Cursor::new(text), settings);
        let mut reader = reader(&source);
        lines(&mut *reader, 10).map(|lines| (lines.iter().map(String::len).collect::<Vec<_>>(), reader.skipped()))
    };
    assert_eq!(sizes(longest(), json!({})).unwrap(), (vec![super::super::ROW_BYTES_MAX, 5], 0));
    let error = sizes(longer(), json!({})).unwrap_err();
    let expect = format!("read standard input, line 1: the row is longer than 16777216 bytes: {}", "x".repeat(80));
    assert_eq!(error.to_string(), expect);
    assert_eq!(sizes(longer(), json!({ "on-error": "skip" })).unwrap(), (vec![5], 1));
    let endless = source(std::io::repeat(b'x'));
    assert!(lines(&mut *reader(&endless), 1).unwrap_err().to_string().contains("the row is longer than 16777216 bytes"));
}

#[test]
fn it_says_that_it_cannot_replay_and_has_no_keys_unless_told() {
    let source = source(std::io::empty());
    assert!(!source.capabilities().replayable && !source.gives_keys());
    assert_eq!(source.identity(), json!({ "connector": "stdin" }), "as in checkpoints of earlier versions");
    let csv = source_of(std::io::empty(), json!({ "format": "csv", "key": "k", "null": ["NA"] })).identity();
    assert_eq!(csv, json!({ "connector": "stdin", "format": "csv", "key": "k", "timestamp": null, "null": ["NA"], "multiline": true }));
    let begun = SplitState { progress: SplitProgress::At(3.into()), ..SplitState::unread("stdin".into(), Value::Null) };
    assert_eq!(source.verify_now(&[begun]).unwrap().len(), 1);
}

#[test]
fn what_may_be_the_inside_of_a_cell_is_no_row_of_standard_input_either() {
    let settings = |more: Value| {
        let mut settings = json!({ "format": "csv", "on-error": "skip" });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    };
    // Its opening quotation mark is missing.
    let text = "id,note,amount\n1,the note\n1,paid,100\nends,here\",5\n2,x,6\n";
    let error = records(&mut *reader(&source_of(Typed(text.as_bytes()), settings(json!({})))), usize::MAX).unwrap_err();
    assert!(error.to_string().starts_with("read standard input, line 2: the row has 2 cells, the header 3"), "{error}");
    // What comes behind a bad row is waited for, unless lines are said to be rows.
    for (more, expect) in [(json!({}), vec!["1,a"]), (json!({ "multiline": false }), vec!["1,a", "2,b"])] {
        let (receiver, mut sender) = std::io::pipe().unwrap();
        let source = source_of(receiver, settings(more));
        let mut reader = reader(&source);
        std::io::Write::write_all(&mut sender, b"k,v\n1,a\nbad\n2,b\n").unwrap();
        let mut seen = lines(&mut *reader, 1).unwrap();
        seen.extend(come(&mut *reader));
        assert_eq!(seen, expect);
        drop(sender);
        seen.extend(lines(&mut *reader, 9).unwrap());
        assert_eq!((seen, reader.skipped()), (vec!["1,a".to_owned(), "2,b".to_owned()], 1));
    }
}

#[test]
fn a_bad_row_that_fails_the_job_waits_for_nothing_behind_it() {
    let offer = "mend the row, or say `on-error = \"skip\"` or `on-error = \"quarantine\"`";
    let hedged = format!("{offer}; they do not cover it where what follows may be the inside of one of its cells");
    for (multiline, expect) in [(true, hedged.as_str()), (false, offer)] {
        let (receiver, mut sender) = std::io::pipe().unwrap();
        let source = source_of(receiver, json!({ "format": "csv", "multiline": multiline }));
        std::io::Write::write_all(&mut sender, b"k,v\nbad\n2,b\n").unwrap();
        let error = records(&mut *reader(&source), 9).unwrap_err();
        assert_eq!((error.kind(), error.hint()), (ErrorKind::FixInput, Some(expect)));
        drop(sender);
    }
}

#[test]
fn bad_rows_go_to_the_quarantine_with_their_line() {
    let source = source_of(&b"k,v\n1,2\n3\n"[..], json!({ "format": "csv", "on-error": "quarantine" }));
    assert!(source.quarantines());
    let mut reader = reader(&source);
    assert_eq!(lines(&mut *reader, 9).unwrap(), ["1,2"]);
    let reports = reader.take_quarantined();
    let report: Value = serde_json::from_slice(reports.values().get(0)).unwrap();
    assert_eq!((&report["file"], &report["line"], &report["value"]), (&json!("standard input"), &json!(3), &json!("3")));
}

#[test]
fn lines_that_end_in_carriage_returns_alone_are_refused() {
    for (settings, text) in
        [(json!({}), "a\rb\rc\r"), (json!({ "format": "csv" }), "k,v\r1,2\r"), (json!({ "format": "jsonl" }), "{}\r{}\r")]
    {
        let error = records(&mut *reader(&source_of(text.as_bytes(), settings)), 9).unwrap_err();
        assert!(error.to_string().contains("carriage returns (CR) alone"), "{error}");
    }
}
