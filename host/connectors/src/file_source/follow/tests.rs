//! Real files that grow, come, are renamed and go, under a reader that is killed and started again.

use super::super::FileSource;
use crate::conformance::{SourceNow, read, reader_context, source_suite};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::task::{Context, Waker};
use tempfile::TempDir;
use weir_engine::source::{SplitProgress, is_idle};
use weir_engine::{ErrorKind, Source, SourceReader, SplitBatch, SplitState};

/// A folder of logs, and the source that follows them.
struct Logs {
    folder: TempDir,
    settings: Value,
}

impl Logs {
    fn new(settings: Value) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), settings }
    }

    /// Of lines in `*.log`.
    fn of_lines() -> Self {
        Self::new(json!({ "path": "*.log", "follow": true }))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = fs::File::options().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn source(&self) -> FileSource {
        FileSource::new(self.settings.as_object().unwrap(), self.folder.path()).unwrap().0
    }

    /// What a start from these splits reads with, and what it tells the user.
    fn start(&self, splits: &[SplitState]) -> (Box<dyn SourceReader>, Vec<String>) {
        let source = self.source();
        let lines = source.verify_now(splits).unwrap();
        let new = source.new_splits_now(splits, 1).unwrap();
        (source.reader(&reader_context(0, 1), [splits, &new].concat()).unwrap(), lines)
    }

    /// Looks for new files and assigns them, as a barrier does.
    fn discover(&self, reader: &mut dyn SourceReader) -> usize {
        let new = self.source().new_splits_now(&reader.splits(), 1).unwrap();
        let count = new.len();
        reader.add_splits(new).unwrap();
        count
    }
}

/// All that has come.
fn come(reader: &mut dyn SourceReader) -> Vec<String> {
    let records = read(reader, usize::MAX, 3).unwrap().0;
    assert!(is_idle(reader) || reader.splits().is_empty());
    records.into_iter().map(|(_, value, _)| String::from_utf8(value).unwrap()).collect()
}

fn stored(reader: &dyn SourceReader) -> Vec<SplitState> {
    serde_json::from_str(&serde_json::to_string(&reader.splits()).unwrap()).unwrap()
}

#[test]
fn followed_files_pass_the_source_suite() {
    let logs = Logs::new(json!({ "path": "*.csv", "format": "csv", "key": "k", "follow": true }));
    for file in 0..4 {
        let rows: String = (0..200 * file).map(|row| format!("{row},\"a\nb\"\n")).collect();
        logs.append(&format!("{file}.csv"), &format!("k,v\n{rows}"));
    }
    source_suite(&logs.source());
}

#[test]
fn a_file_is_read_on_as_it_grows_and_its_last_line_waits_for_its_end() {
    let logs = Logs::of_lines();
    logs.append("a.log", "1\n2\n3");
    let mut reader = logs.start(&[]).0;
    assert_eq!(come(&mut *reader), ["1", "2"]);
    assert_eq!(come(&mut *reader), [""; 0]);
    logs.append("a.log", "3\n4");
    assert_eq!(come(&mut *reader), ["33"]);
    let (mut again, lines) = logs.start(&stored(&*reader));
    assert_eq!((come(&mut *again), lines), (Vec::new(), Vec::new()));
    logs.append("a.log", "\n");
    assert_eq!((come(&mut *again), come(&mut *reader)), (vec!["4".to_owned()], vec!["4".to_owned()]));
}

#[test]
fn files_that_come_are_read_and_what_was_rotated_is_read_on_under_its_new_name() {
    let logs = Logs::of_lines();
    let mut reader = logs.start(&[]).0;
    assert_eq!(come(&mut *reader), [""; 0], "there is nothing yet");
    logs.append("a.log", "1\n");
    assert_eq!((logs.discover(&mut *reader), come(&mut *reader)), (1, vec!["1".to_owned()]));
    logs.rename("a.log", "a.log.1");
    logs.append("a.log.1", "2\n");
    logs.append("a.log", "3\n");
    assert_eq!((logs.discover(&mut *reader), logs.discover(&mut *reader)), (1, 0));
    let mut both = come(&mut *reader);
    both.sort();
    assert_eq!(both, ["2", "3"]);
    // Neither is the name under which a start finds it one that the pattern matches.
    logs.append("a.log.1", "4\n");
    logs.rename("a.log.1", "a.log.2");
    let (mut again, lines) = logs.start(&stored(&*reader));
    assert_eq!((come(&mut *again), lines), (vec!["4".to_owned()], vec!["a.log is called a.log.2 now, and is read on".to_owned()]));
    assert_eq!(logs.discover(&mut *again), 0);
}

#[test]
fn a_shorter_file_is_another_one_and_is_read_from_its_beginning() {
    let logs = Logs::of_lines();
    logs.append("a.log", "1\n2\n");
    let mut reader = logs.start(&[]).0;
    assert_eq!(come(&mut *reader), ["1", "2"]);
    let before = stored(&*reader);
    fs::write(logs.path("a.log"), "3\n").unwrap();
    assert_eq!(come(&mut *reader), [""; 0], "it is over");
    assert_eq!((logs.discover(&mut *reader), come(&mut *reader)), (1, vec!["3".to_owned()]));
    let ids: Vec<_> = reader.splits().into_iter().map(|split| split.id).collect();
    assert_eq!(ids[1], format!("{}#1", ids[0]));
    // The same where it happened between two runs.
    let (mut again, lines) = logs.start(&before);
    assert_eq!(lines, ["a.log is another file than it was, and is read from its beginning: it has 2 bytes now and had 4 at least"]);
    assert_eq!(come(&mut *again), [""; 0]);
    assert_eq!((logs.discover(&mut *again), come(&mut *again)), (1, vec!["3".to_owned()]));
    // As long as it was, or longer, it is told by its beginning.
    fs::write(logs.path("a.log"), "4\n5\n6\n").unwrap();
    assert_eq!(come(&mut *again), [""; 0]);
    assert_eq!((logs.discover(&mut *again), come(&mut *again)), (1, vec!["4".to_owned(), "5".into(), "6".into()]));
}

#[test]
fn a_file_that_is_gone_is_an_error_until_it_has_been_read_to_its_end() {
    let logs = Logs::of_lines();
    logs.append("a.log", "1\n2\n");
    let mut reader = logs.start(&[]).0;
    assert_eq!(read(&mut *reader, 1, 1).unwrap().0.len(), 1);
    let early = stored(&*reader);
    assert_eq!(come(&mut *reader), ["2"]);
    let late = stored(&*reader);
    fs::remove_file(logs.path("a.log")).unwrap();
    let error = logs.source().verify_now(&early).unwrap_err();
    assert_eq!(error.to_string(), "follow a.log: it is gone, and 2 of the 4 bytes that it had have been read");
    assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::FixInput, true));
    let mut again = logs.source().reader(&reader_context(0, 1), early).unwrap();
    assert!(read(&mut *again, 1, 1).is_err(), "nor does a reader take it for read");
    let (mut again, lines) = logs.start(&late);
    assert_eq!(lines, ["a.log is gone, and has been read to the end that it had, at byte 4"]);
    assert_eq!((come(&mut *again), again.splits()[0].progress.clone()), (Vec::new(), SplitProgress::Finished));
}

#[test]
fn a_file_that_was_away_and_comes_back_is_read_on_and_another_one_from_its_beginning() {
    let logs = Logs::of_lines();
    logs.append("a.log", "1\n2\n");
    let mut reader = logs.start(&[]).0;
    assert_eq!(come(&mut *reader), ["1", "2"]);
    let away = tempfile::tempdir_in(logs.folder.path()).unwrap();
    let elsewhere = away.path().join("a");
    fs::rename(logs.path("a.log"), &elsewhere).unwrap();
    let (mut without, lines) = logs.start(&stored(&*reader));
    assert_eq!((come(&mut *without), lines.len()), (Vec::new(), 1), "it is gone, and read to its end");
    fs::rename(&elsewhere, logs.path("a.log")).unwrap();
    logs.append("a.log", "3\n");
    let (mut back, _) = logs.start(&stored(&*without));
    assert_eq!(come(&mut *back), ["3"]);
    // The same inode with other rows.
    fs::rename(logs.path("a.log"), &elsewhere).unwrap();
    let (mut without, _) = logs.start(&stored(&*back));
    assert_eq!(come(&mut *without), [""; 0]);
    fs::write(&elsewhere, "7\n8\n9\n").unwrap();
    fs::rename(&elsewhere, logs.path("a.log")).unwrap();
    assert_eq!((logs.discover(&mut *without), come(&mut *without)), (1, ["7", "8", "9"].map(str::to_owned).to_vec()));
}

#[test]
fn a_last_row_that_cannot_be_read_is_reported_before_its_split_counts_as_finished() {
    let logs = Logs::new(json!({ "path": "*.jsonl", "format": "jsonl", "key": "a", "on-error": "quarantine", "follow": true }));
    logs.append("a.jsonl", "{\"a\":\"1\"}\n{\"a\":");
    let mut reader = logs.start(&[]).0;
    assert_eq!(come(&mut *reader).len(), 1);
    fs::remove_file(logs.path("a.jsonl")).unwrap();
    let (mut reports, mut polls) = (0, 0);
    while reader.splits()[0].progress != SplitProgress::Finished || reports == 0 {
        polls += 1;
        assert!(polls < 20, "it does not come to its end: {:?}, {reports} reports", reader.splits());
        let polled = reader.poll_read(&mut Context::from_waker(Waker::noop()), 3, &mut SplitBatch::new());
        let given = reader.take_quarantined().len();
        assert!(given == 0 || polled.is_ready(), "what is not Ready is not asked for reports");
        reports += given;
    }
    assert_eq!(reports, 1);
}

#[test]
fn a_file_that_loses_its_name_while_it_is_read_is_read_to_its_end_with_its_last_line() {
    let logs = Logs::of_lines();
    logs.append("a.log", "1\n2");
    let mut writer = fs::File::options().append(true).open(logs.path("a.log")).unwrap();
    let mut reader = logs.start(&[]).0;
    assert_eq!(come(&mut *reader), ["1"]);
    fs::remove_file(logs.path("a.log")).unwrap();
    writer.write_all(b"2\n3").unwrap();
    let mut rest = Vec::new();
    while reader.splits()[0].progress != SplitProgress::Finished {
        rest.extend(come(&mut *reader));
    }
    assert_eq!(rest, ["22", "3"]);
}

#[test]
fn a_csv_file_is_there_once_its_header_has_come_and_others_must_have_its_columns() {
    let logs = Logs::new(json!({ "path": "*.log", "format": "csv", "key": "k", "follow": true }));
    logs.append("a.log", "k,");
    let mut reader = logs.start(&[]).0;
    assert_eq!((come(&mut *reader), logs.source().schema()), (Vec::new(), None));
    logs.append("a.log", "v\n1,2\n");
    assert_eq!((logs.discover(&mut *reader), come(&mut *reader)), (1, vec!["1,2".to_owned()]));
    assert_eq!(logs.source().schema().as_deref(), Some("k,v"));
    logs.append("b.log", "k,w\n");
    let error = logs.source().new_splits_now(&reader.splits(), 1).unwrap_err();
    assert_eq!(error.to_string(), "read b.log: its header is not that of *.log: k,w");
}

#[test]
fn compressed_files_are_refused_by_name_or_by_what_is_in_them() {
    let logs = Logs::new(json!({ "path": "a*", "follow": true }));
    logs.append("a.log", "1\n");
    let source = logs.source();
    let said = || source.discover_now(1).map_err(|error| error.to_string());
    logs.append("a.log.1.gz", "x");
    assert_eq!(said(), Err("follow a.log.1.gz: it is compressed with gzip, and cannot grow".into()));
    fs::remove_file(logs.path("a.log.1.gz")).unwrap();
    fs::write(logs.path("a.other"), b"\x28\xb5\x2f\xfd...").unwrap();
    assert_eq!(said(), Err("follow a.other: it is compressed with zstd, and cannot grow".into()));
}

#[test]
fn a_followed_source_has_no_end_and_another_identity_than_one_that_is_not() {
    let logs = Logs::of_lines();
    let source = logs.source();
    assert!(!source.capabilities().bounded && source.discovery_interval().is_some());
    assert_eq!(source.remarks().unwrap(), ["no file matches `path = \"*.log\"` yet", super::look::RUNS_ON]);
    let bounded = FileSource::new(json!({ "path": "*.log" }).as_object().unwrap(), logs.folder.path()).unwrap().0;
    assert!(bounded.capabilities().bounded && bounded.discovery_interval().is_none());
    assert_ne!(source.identity(), bounded.identity());
    assert!(bounded.identity().get("follow").is_none(), "as in checkpoints of earlier versions");
}

/// One run of a writer that does all that writers do, and of readers that are killed and started again from their last checkpoint. Whole lines that have
/// been written, and those that have been read.
fn whatever_happens(seed: u64) -> (Vec<String>, Vec<String>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let logs = Logs::new(json!({ "path": "*.log*", "follow": true }));
    let (mut reader, _) = logs.start(&[]);
    let (mut written, mut read_lines, mut lines, mut rotated) = (Vec::new(), Vec::new(), 0, 0);
    let mut checkpoint = (stored(&*reader), 0);
    for _ in 0..60 {
        let name = ["a.log", "b.log"][rng.usize(0..2)];
        match rng.u32(0..10) {
            0..=3 => {
                let text: String = (lines..lines + rng.u32(1..5)).map(|line| format!("line {line}\n")).collect();
                written.extend(text.lines().map(str::to_owned));
                lines += 5;
                let cut = rng.usize(0..=text.len());
                logs.append(name, &text[..cut]);
                // A reader may see half a line.
                if rng.bool() {
                    read_lines.extend(come(&mut *reader));
                }
                logs.append(name, &text[cut..]);
            }
            4 if logs.path(name).exists() => {
                rotated += 1;
                logs.rename(name, &format!("{name}.{rotated}"));
            }
            5 if logs.path(name).exists() => {
                // Who cuts or deletes what has not been read loses it. What was cut before is found once that has been noticed.
                read_lines.extend(come(&mut *reader));
                logs.discover(&mut *reader);
                read_lines.extend(come(&mut *reader));
                checkpoint = (stored(&*reader), read_lines.len());
                match rng.bool() {
                    true => fs::File::options().write(true).open(logs.path(name)).unwrap().set_len(0).unwrap(),
                    false => fs::remove_file(logs.path(name)).unwrap(),
                }
            }
            6 => _ = logs.discover(&mut *reader),
            7 => read_lines.extend(come(&mut *reader)),
            8 => checkpoint = (stored(&*reader), read_lines.len()),
            _ => {
                read_lines.truncate(checkpoint.1);
                reader = logs.start(&checkpoint.0).0;
            }
        }
    }
    for _ in 0..3 {
        read_lines.extend(come(&mut *reader));
        logs.discover(&mut *reader);
    }
    written.sort();
    read_lines.sort();
    (written, read_lines)
}

#[test]
fn every_line_comes_once_whatever_happens_to_its_file_and_to_the_reader() {
    for seed in 0..150 {
        let (written, read) = whatever_happens(seed);
        assert_eq!(read, written, "seed {seed}");
    }
}
