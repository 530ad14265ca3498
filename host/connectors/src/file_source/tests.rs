//! The file source on real files: formats, storages, ranges, resuming, and what it refuses.

mod input_files;
mod lag;

use super::*;
use serde_json::json;
use std::io::Write;
use tempfile::TempDir;
use weir_engine::source::SplitProgress;
use weir_engine::source::conformance::{ReadRecord, SourceNow, lags_of, read, read_all, reader_context, source_suite};
use weir_engine::{ErrorKind, ReadStatus};

struct Files(TempDir);

impl Files {
    fn of(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        files.iter().for_each(|(name, bytes)| folder.write(name, bytes));
        folder
    }

    /// Writes a file in the storage that its suffix says.
    fn write(&self, name: &str, bytes: &[u8]) {
        let stored = match name.rsplit('.').next() {
            Some("gz") => gzip(bytes),
            Some("zst") => zstd::encode_all(bytes, 1).unwrap(),
            Some(_) | None => bytes.to_vec(),
        };
        std::fs::write(self.0.path().join(name), stored).unwrap();
    }

    fn try_source(&self, settings: Value) -> Result<FileSource, SettingsError> {
        FileSource::new(settings.as_object().unwrap(), self.0.path()).map(|(source, _)| source)
    }

    fn source(&self, settings: Value) -> FileSource {
        self.try_source(settings).unwrap()
    }

    fn read(&self, settings: Value) -> Result<Vec<ReadRecord>, EngineError> {
        let source = self.source(settings);
        read_all(&source, source.discover_now(1)?, 1)
    }

    fn values(&self, settings: Value) -> Vec<String> {
        self.read(settings).unwrap().into_iter().map(|(_, value, _)| String::from_utf8(value).unwrap()).collect()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// CSV with some quoted cells; without line breaks in them.
fn table(rows: usize) -> Vec<u8> {
    let cell = |n: usize| if n.is_multiple_of(7) { format!("\"name, \"\"{n}\"\"\"") } else { format!("name {n}") };
    let row = |n: usize| format!("{n},{},{},{}\n", n % 10, cell(n), "x".repeat(n % 50));
    ("n,k,name,filler\n".to_string() + &(0..rows).map(row).collect::<String>()).into_bytes()
}

#[test]
fn every_format_in_every_storage_passes_the_source_suite() {
    let lines: String = (0..6000).map(|n| format!("{{\"k\":\"{}\",\"t\":{n},\"filler\":\"{}\"}}\r\n", n % 9, "y".repeat(n % 90))).collect();
    let csv = table(9000);
    for suffix in ["", ".gz", ".zst"] {
        let (csv_name, json_name) = (format!("a.csv{suffix}"), format!("a.jsonl{suffix}"));
        let files = Files::of(&[(&csv_name, &csv), (&json_name, lines.as_bytes())]);
        source_suite(&files.source(json!({ "path": csv_name, "format": "csv", "key": "k", "timestamp": "n" })));
        source_suite(&files.source(json!({ "path": json_name, "format": "jsonl", "key": "k", "timestamp": "t" })));
        source_suite(&files.source(json!({ "path": json_name })));
    }
}

#[test]
fn files_that_are_cut_into_ranges_pass_the_source_suite() {
    let files = Files::of(&[("a.csv", &table(9000)), ("b.csv.gz", &table(100)), ("c.csv", &table(10))]);
    let source = files.source(json!({ "path": "*.csv*", "format": "csv", "key": "k", "split": "64KiB" }));
    assert!(source.discover_now(1).unwrap().len() > 5);
    source_suite(&source);
}

#[test]
fn several_files_and_rows_over_line_breaks_pass_the_source_suite() {
    let broken: String = (0..5000).map(|n| format!("{n},0,\"line\nbreak {n}\",{}\n", "z".repeat(n % 40))).collect();
    let broken = "n,k,name,filler\n".to_string() + &broken;
    let files = Files::of(&[("a.csv", &table(4000)), ("b.csv", broken.as_bytes()), ("c.csv.gz", &table(100)), ("d.csv", b"")]);
    let source = files.source(json!({ "path": "*.csv*", "format": "csv", "key": "k" }));
    source_suite(&source);
    assert_eq!(read_all(&source, source.discover_now(2).unwrap(), 2).unwrap().len(), 9100);
}

/// How far each split that has been begun has been read; one that is finished counts no more.
fn begun(reader: &dyn SourceReader) -> Vec<u64> {
    let splits = reader.splits().into_iter();
    let at = |split: SplitState| match split.progress {
        SplitProgress::At(position) => position.as_u64(),
        SplitProgress::Unread | SplitProgress::Finished => None,
    };
    splits.filter_map(at).collect()
}

#[test]
fn splits_of_one_reader_are_read_in_turn_and_none_gets_far_ahead_of_the_others() {
    let lines = |name: &str| format!("a line of {name} {}\n", "x".repeat(900)).repeat(4_000).into_bytes();
    let files = Files::of(&[("a", &lines("a")), ("b", &lines("b")), ("c.gz", &lines("c"))]);
    let source = files.source(json!({ "path": "*" }));
    let splits = source.discover_now(1).unwrap();
    let mut reader = source.reader(&reader_context(0, 1), splits).unwrap();
    let (mut records, mut most_ahead) = (0, 0);
    loop {
        let (read, status) = read(&mut *reader, 100, 100).unwrap();
        records += read.len();
        if status == ReadStatus::End {
            break;
        }
        let begun = begun(&*reader);
        // Before the first turn is over nobody else has been read.
        if begun.len() == 3 {
            most_ahead = most_ahead.max(begun.iter().max().unwrap() - begun.iter().min().unwrap());
        }
    }
    assert_eq!(records, 12_000);
    assert!((1..=reader::TURN_BYTES + 256 * 1024).contains(&most_ahead), "{most_ahead}");
}

#[test]
fn a_reader_has_only_some_of_its_splits_open_at_once() {
    let text = "a line\n".repeat(300_000);
    let folder = Files::of(&[]);
    (0..12).for_each(|file| folder.write(&format!("{file:02}"), text.as_bytes()));
    let source = folder.source(json!({ "path": "*" }));
    let mut reader = source.reader(&reader_context(0, 1), source.discover_now(1).unwrap()).unwrap();
    let mut most = 0;
    while read(&mut *reader, 30_000, 1_024).unwrap().1 == ReadStatus::More {
        most = most.max(begun(&*reader).len());
    }
    assert_eq!(most, reader::OPEN_MAX);
    assert!(reader.splits().iter().all(|split| split.progress == SplitProgress::Finished));
}

#[test]
fn the_real_flights_are_all_there_from_any_position() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/flight-delays/data");
    let settings = json!({ "path": "flights-2013-01.csv.gz", "format": "csv", "key": "tailnum", "timestamp": "time_hour", "null": ["NA"] });
    let (source, shown) = FileSource::new(settings.as_object().unwrap(), &data).unwrap();
    assert_eq!(shown["multiline"], json!(false));
    assert!(source.schema().unwrap().starts_with("year,month,day,"));
    let splits = source.discover_now(2).unwrap();
    assert_eq!(splits.len(), 1);
    let whole = read_all(&source, splits.clone(), 1).unwrap();
    assert_eq!(whole.len(), 27_004);
    let arr_delay = |value: &[u8]| value.split(|&b| b == b',').nth(8).unwrap() != b"NA";
    let known: Vec<&ReadRecord> = whole.iter().filter(|(key, value, _)| key.is_some() && arr_delay(value)).collect();
    assert_eq!(known.len(), 26_398);
    assert_eq!(known.iter().map(|(key, ..)| key).collect::<std::collections::BTreeSet<_>>().len(), 3_140);
    let first = (Some(b"N14228".to_vec()), 1_357_034_400_000);
    assert_eq!((whole[0].0.clone(), whole[0].2), first);

    let mut reader = source.reader(&reader_context(0, 1), splits).unwrap();
    let (mut records, status) = read(&mut *reader, 20_000, 1024).unwrap();
    assert_eq!(status, ReadStatus::More);
    records.extend(read_all(&source, reader.splits(), 1).unwrap());
    assert!(records == whole);
}

#[test]
fn a_file_is_one_split_unless_it_is_to_be_cut_and_is_then_cut_evenly() {
    let files = Files::of(&[("large", "0123456789abcde\n".repeat(100_000).as_bytes()), ("small", b"a\nb\n")]);
    let whole = files.source(json!({ "path": "*" })).discover_now(2).unwrap();
    assert_eq!(whole.iter().map(|split| split.id.as_str()).collect::<Vec<_>>(), ["large@0", "small@0"]);
    let source = files.source(json!({ "path": "*", "split": "200kB" }));
    let splits = source.discover_now(2).unwrap();
    assert_eq!(splits.len(), 9);
    let bytes = |split: &weir_engine::SplitState| split.spec["end"].as_u64().unwrap() - split.spec["start"].as_u64().unwrap();
    assert!(splits[..8].iter().all(|split| (199_000..201_000).contains(&bytes(split))), "{splits:?}");
    assert_eq!((splits[8].id.as_str(), bytes(&splits[8])), ("small@0", 4));
}

#[test]
fn a_line_longer_than_a_range_belongs_to_the_range_in_which_it_begins() {
    let text = format!("first\n{}\nlast", "long ".repeat(200_000));
    let files = Files::of(&[("a", text.as_bytes())]);
    let source = files.source(json!({ "path": "a", "split": "64KiB" }));
    assert_eq!(source.discover_now(4).unwrap().len(), 2);
    let values = read_all(&source, source.discover_now(4).unwrap(), 4).unwrap();
    assert_eq!(values.iter().map(|(_, value, _)| value.len()).collect::<Vec<_>>(), [5, 1_000_000, 4]);
}

#[test]
fn line_ends_and_byte_order_marks_are_no_part_of_a_value() {
    let files = Files::of(&[("a.csv", b"\xef\xbb\xbfk,v\r\n1,2\r\n\r\n3,4"), ("a.txt", b"\xef\xbb\xbfone\r\n\ntwo\n"), ("empty.txt", b"")]);
    assert_eq!(files.values(json!({ "path": "a.csv", "format": "csv", "key": "v" })), ["1,2", "3,4"]);
    assert_eq!(files.source(json!({ "path": "a.csv", "format": "csv" })).schema().as_deref(), Some("k,v"));
    files.write("a.jsonl", b"\xef\xbb\xbf{}\n");
    assert_eq!(files.values(json!({ "path": "a.jsonl", "format": "jsonl" })), ["{}"]);
    assert_eq!(files.values(json!({ "path": "*.txt" })), ["\u{feff}one", "", "two"], "of `lines` every byte is data");
}

#[test]
fn gzip_of_several_members_is_read_to_its_end_and_a_cut_one_fails_by_name() {
    let files = Files::of(&[]);
    let mut two = gzip(b"a\nb");
    two.extend(gzip(b"c\nd\n"));
    std::fs::write(files.0.path().join("a.gz"), &two).unwrap();
    assert_eq!(files.values(json!({ "path": "a.gz" })), ["a", "bc", "d"]);
    std::fs::write(files.0.path().join("a.gz"), &two[..two.len() - 3]).unwrap();
    let error = files.read(json!({ "path": "a.gz" })).unwrap_err();
    assert!(error.to_string().contains("read a.gz"), "{error}");
    assert_eq!(error.kind(), ErrorKind::FixInput);
}

#[test]
fn a_bad_row_fails_with_file_line_and_excerpt_or_is_skipped_and_counted() {
    let files = Files::of(&[("a.csv.gz", b"k,v\n1,2\n3\n5,6\n7,8,9\n"), ("a.jsonl", b"{}\n{]\n")]);
    let error = files.read(json!({ "path": "a.csv.gz", "format": "csv" })).unwrap_err();
    assert_eq!(error.to_string(), "read a.csv.gz, line 3: the row has 1 cell, the header 2: 3");
    assert_eq!(
        (error.kind(), error.hint()),
        (ErrorKind::FixInput, Some("mend the row, or say `on-error = \"skip\"` or `on-error = \"quarantine\"`"))
    );
    let error = files.read(json!({ "path": "a.jsonl", "format": "jsonl" })).unwrap_err();
    let expect = "read a.jsonl, line 2, column 2: it is no JSON object that can be read: key must be a string: {]";
    assert_eq!(error.to_string(), expect, "one place, the file's");

    let source = files.source(json!({ "path": "a.csv.gz", "format": "csv", "on-error": "skip" }));
    let mut reader = source.reader(&reader_context(0, 1), source.discover_now(1).unwrap()).unwrap();
    assert_eq!(read(&mut *reader, usize::MAX, 100).unwrap().0.len(), 2);
    assert_eq!(reader.skipped(), 2);
}

#[test]
fn headers_must_agree() {
    let files = Files::of(&[("a.csv", b"k,v\n"), ("b.csv", b"k,w\n")]);
    let error = files.source(json!({ "path": "*.csv", "format": "csv" })).discover_now(1).unwrap_err();
    assert_eq!(error.to_string(), "read b.csv: its header is not that of *.csv: k,w");
}

#[test]
fn changed_and_missing_files_are_refused_by_name_and_new_ones_are_new_splits() {
    let files = Files::of(&[("a.txt", b"1\n2\n"), ("b.txt", b"3\n")]);
    let source = files.source(json!({ "path": "*.txt" }));
    let mut splits = source.discover_now(1).unwrap();
    files.write("c.txt", b"4\n");
    assert_eq!(source.verify_now(&splits).unwrap(), [""; 0]);
    let new = source.new_splits_now(&splits, 1).unwrap();
    assert_eq!(read(&mut *source.reader(&reader_context(0, 1), new.clone()).unwrap(), usize::MAX, 100).unwrap().0.len(), 1);
    let all: Vec<_> = splits.iter().chain(&new).cloned().collect();
    assert_eq!(source.new_splits_now(&all, 1).unwrap(), []);
    files.write("a.txt", b"1\n9\n");
    let error = source.verify_now(&splits).unwrap_err();
    assert_eq!(error.to_string(), "go on reading a.txt: the file has changed since: its first bytes are others");
    assert!(
        source.reader(&reader_context(0, 1), splits.clone()).and_then(|mut reader| read(&mut *reader, 1, 1)).is_err(),
        "nor is it read"
    );
    files.write("a.txt", b"1\n2\n3\n");
    let error = source.verify_now(&splits).unwrap_err();
    assert_eq!(error.to_string(), "go on reading a.txt: the file has changed since: it has 6 bytes now and had 4");
    std::fs::remove_file(files.0.path().join("a.txt")).unwrap();
    let error = source.verify_now(&splits).unwrap_err();
    assert!(error.to_string().starts_with("go on reading a.txt: "), "{error}");
    splits[0].progress = SplitProgress::Finished;
    assert_eq!(source.verify_now(&splits).unwrap()[0], "a.txt has been read and is gone");
}

#[test]
fn files_that_came_since_are_new_splits_and_known_ones_are_not() {
    let files = Files::of(&[("b.csv", b"k,v\n1,2\n"), ("d.csv", b"k,v\n3,4\n")]);
    let settings = json!({ "path": "*.csv*", "format": "csv", "key": "k", "split": "64KiB" });
    let source = files.source(settings.clone());
    let mut known = source.discover_now(2).unwrap();
    assert!(source.gives_keys() && source.new_splits_now(&known, 2).unwrap().is_empty());
    known[0].progress = SplitProgress::Finished;
    files.write("a.csv", &[b"k,v\n".to_vec(), b"5,6789012345\n".repeat(20_000)].concat());
    files.write("c.csv.gz", b"k,v\n7,8\n");
    let source = files.source(settings.clone());
    let new = source.new_splits_now(&known, 2).unwrap();
    let ids: Vec<_> = new.iter().map(|split| (split.id.as_str(), split.progress.clone())).collect();
    assert!(new.len() > 2 && ids[0].0 == "a.csv@4" && ids[new.len() - 1].0 == "c.csv.gz@4", "{ids:?}");
    assert!(ids.iter().all(|(_, progress)| *progress == SplitProgress::Unread));
    let records = read_all(&source, new.clone(), 2).unwrap();
    assert_eq!(records.len(), 20_001);
    known.extend(new);
    assert!(source.new_splits_now(&known, 3).unwrap().is_empty(), "each is new once");

    files.write("e.csv", b"k,w\n");
    let error = source.new_splits_now(&known, 2).unwrap_err();
    assert!(error.to_string().starts_with("read e.csv: its header is not that of "), "{error}");
    assert!(!files.source(json!({ "path": "*.csv*" })).gives_keys());
}

#[test]
fn a_path_may_hold_glob_signs_and_hidden_files_do_not_match() {
    let files = Files::of(&[("a[1].txt", b"1\n"), (".hidden.txt", b"2\n")]);
    assert_eq!(files.values(json!({ "path": "a[1].txt" })), ["1"]);
    assert_eq!(files.values(json!({ "path": "*.txt" })), ["1"]);
}

#[test]
fn no_match_is_an_error_of_the_start_and_a_folder_one_of_the_settings() {
    let files = Files::of(&[]);
    let error = files.source(json!({ "path": "*.csv", "format": "csv" })).discover_now(1).unwrap_err();
    assert!(error.to_string().starts_with("find the files of `path = \"*.csv\"`: no file matches in /"), "{error}");
    std::fs::create_dir(files.0.path().join("data")).unwrap();
    let error = files.try_source(json!({ "path": "data" })).err().unwrap();
    assert_eq!((error.field.as_deref(), error.hint.as_deref()), (Some("path"), Some("`/*` behind it matches the files in it")));
}

#[test]
fn settings_without_meaning_are_refused_by_name() {
    let files = Files::of(&[("a.csv", b"k,v\n")]);
    let refused = |settings: Value| files.try_source(settings).err().unwrap().field.unwrap();
    assert_eq!(refused(json!({ "path": "a.csv", "follow": "yes" })), "follow");
    assert_eq!(refused(json!({ "path": "a.csv", "follow": true, "split": "1MiB" })), "split");
    assert_eq!(refused(json!({ "path": "a.csv", "key": "k" })), "key");
    for split in [json!("64kB"), json!("63KiB"), json!(65536), json!("much"), json!("-1MiB")] {
        assert_eq!(refused(json!({ "path": "a.csv", "split": split })), "split");
    }
    assert_eq!(refused(json!({ "path": "a.csv", "format": "csv", "multiline": true, "split": "1MiB" })), "split");
    assert_eq!(refused(json!({ "path": "a.csv", "format": "jsonl", "multiline": false })), "multiline");
    assert_eq!(refused(json!({ "path": "a.csv", "format": "csv", "timestamp": "t" })), "timestamp");
    assert_eq!(refused(json!({ "path": "a.csv", "format": "xml" })), "format");
    assert_eq!(refused(json!({})), "path");
    let error = files.try_source(json!({ "path": "" })).err().unwrap();
    assert_eq!((error.to_string().as_str(), error.hint), ("`path` of the source `file` is empty", None));
}

#[test]
fn the_effective_settings_show_what_was_found_out() {
    let files = Files::of(&[("a.csv", b"k,v\n1,\"2\n3\"\n")]);
    let settings = json!({ "path": "a.csv", "format": "csv" });
    let shown = FileSource::new(settings.as_object().unwrap(), files.0.path()).unwrap().1;
    let expect = json!({
        "path": "a.csv", "format": "csv", "key": null, "timestamp": null, "null": [], "multiline": true, "split": null, "on-error": "fail", "follow": false,
    });
    assert_eq!(Value::Object(shown), expect);
}

mod bad_rows;
mod carriage_returns;
mod long_rows;
mod moved;
