//! Real files that grow, come, are renamed and go, under a reader that is killed and started again.

mod chance;
mod lag;

use super::super::FileSource;
use super::spec::FollowedSpec;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::task::{Context, Waker};
use std::time::Duration;
use tempfile::TempDir;
use weir_engine::source::conformance::{SourceNow, lags_of, read, reader_context, source_suite};
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

    /// Writes a file anew, as if some time had passed since it was written last.
    fn rewrite(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        let file = fs::File::options().write(true).open(self.path(name)).unwrap();
        let later = file.metadata().unwrap().modified().unwrap() + Duration::from_secs(60);
        file.set_modified(later).unwrap();
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

    /// A barrier: what need not be known is forgotten, and what has been found since, by a look at these splits, is assigned. Gives the checkpoint.
    fn barrier(&self, reader: &mut dyn SourceReader, known: &[SplitState]) -> Vec<SplitState> {
        let new = self.source().new_splits_now(known, 1).unwrap();
        reader.forget_finished();
        reader.add_splits(new).unwrap();
        stored(reader)
    }
}

/// A barrier with which nothing is assigned.
fn checkpoint_of(reader: &mut dyn SourceReader) -> Vec<SplitState> {
    reader.forget_finished();
    stored(reader)
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
fn a_file_that_is_written_anew_to_exactly_its_length_is_read_from_its_beginning() {
    let long = |last: &str| format!("{}{last}\n", "the same line\n".repeat(1_000));
    for (old, new) in [("1\n2\n".to_owned(), "3\n4\n".to_owned()), (long("old"), long("new"))] {
        let logs = Logs::of_lines();
        logs.append("a.log", &old);
        let mut reader = logs.start(&[]).0;
        assert_eq!(come(&mut *reader), old.lines().collect::<Vec<_>>());
        let before = stored(&*reader);
        logs.rewrite("a.log", &new);
        assert_eq!(come(&mut *reader), [""; 0], "it is over");
        assert_eq!(logs.discover(&mut *reader), 1);
        assert_eq!(come(&mut *reader), new.lines().collect::<Vec<_>>());
        // The same where it happened between two runs.
        let (mut again, lines) = logs.start(&before);
        assert!(lines[0].starts_with("a.log is another file than it was, and is read from its beginning: "), "{lines:?}");
        assert_eq!((come(&mut *again), logs.discover(&mut *again)), (Vec::new(), 1));
        assert_eq!(come(&mut *again), new.lines().collect::<Vec<_>>());
    }
}

#[test]
fn a_file_that_is_cut_and_grows_past_where_it_was_read_to_while_it_is_read_gives_none_of_that_as_the_old_files_rows() {
    let logs = Logs::of_lines();
    let text = |what: &str, lines: usize| (0..lines).map(|line| format!("{what} line {line:09}\n")).collect::<String>();
    let (old, new) = (text("old", 20_000), text("another", 40_000));
    logs.append("a.log", &old);
    let mut reader = logs.start(&[]).0;
    let mut lines: Vec<String> = Vec::new();
    let values = |records: Vec<_>| records.into_iter().map(|(_, value, _): (_, Vec<u8>, _)| String::from_utf8(value).unwrap());
    lines.extend(values(read(&mut *reader, 3_000, 1_000).unwrap().0));
    logs.rewrite("a.log", &new);
    lines.extend(come(&mut *reader));
    assert!((3_000..20_000).contains(&lines.len()) && old.lines().zip(&lines).all(|(old, line)| old == line), "{} lines", lines.len());
    assert_eq!((logs.discover(&mut *reader), come(&mut *reader).len()), (1, 40_000));
}

#[test]
fn a_checkpoint_of_an_earlier_version_is_read_on() {
    let logs = Logs::of_lines();
    logs.append("a.log", "1\n2\n");
    let mut reader = logs.start(&[]).0;
    assert_eq!(come(&mut *reader), ["1", "2"]);
    let mut splits = stored(&*reader);
    assert!(splits[0].spec.as_object_mut().unwrap().remove("tail").is_some());
    logs.append("a.log", "3\n");
    assert_eq!(come(&mut *logs.start(&splits).0), ["3"]);
}

#[test]
fn rotations_do_not_make_checkpoints_grow_and_no_checkpoint_reads_a_file_twice() {
    let logs = Logs::new(json!({ "path": "*.log*", "follow": true }));
    let mut reader = logs.start(&[]).0;
    let mut checkpoint = stored(&*reader);
    for rotation in 0..50 {
        logs.append("a.log", &format!("{rotation}\n"));
        checkpoint = logs.barrier(&mut *reader, &checkpoint);
        assert_eq!(come(&mut *reader), [rotation.to_string()]);
        match rotation % 3 {
            0 => fs::remove_file(logs.path("a.log")).unwrap(),
            1 => logs.rewrite("a.log", ""),
            _ => {
                logs.rename("a.log", "a.log.1");
                fs::remove_file(logs.path("a.log.1")).unwrap();
            }
        }
        // It is looked at once more before it is over.
        assert_eq!((come(&mut *reader), come(&mut *reader)), (Vec::new(), Vec::new()));
        checkpoint = logs.barrier(&mut *reader, &checkpoint);
        assert_eq!(checkpoint.iter().filter(|split| split.progress == SplitProgress::Finished).count(), 0);
        assert!(checkpoint.len() <= 1, "{checkpoint:?}");
        let mut again = logs.start(&checkpoint).0;
        assert_eq!(come(&mut *again), [""; 0], "rotation {rotation} is read twice");
    }
}

#[test]
fn of_files_that_are_away_those_are_forgotten_first_that_have_been_it_longest() {
    let logs = Logs::of_lines();
    logs.append("a.log", "1\n");
    let mut reader = logs.start(&[]).0;
    assert_eq!(come(&mut *reader), ["1"]);
    fs::remove_file(logs.path("a.log")).unwrap();
    let (mut without, _) = logs.start(&stored(&*reader));
    assert_eq!(come(&mut *without), [""; 0]);
    assert_eq!(without.forget_finished(), [0; 0], "it may come back");
    let away = stored(&*without).remove(0);
    let (spec, _) = FollowedSpec::parse(&away).unwrap();
    let others = (1..super::AWAY_MAX + 3).map(|number| SplitState { id: format!("{number}"), spec: spec.to_json(), ..away.clone() });
    without.add_splits(others.collect()).unwrap();
    assert_eq!(without.forget_finished(), [0, 1, 2]);
    assert_eq!((without.splits().len(), without.splits()[0].id.as_str()), (super::AWAY_MAX, "3"));
    assert_eq!(without.forget_finished(), [0; 0]);
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
