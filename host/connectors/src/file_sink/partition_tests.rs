//! Parts in partitions: the suite of sinks, in which each record names its folder, and what a commit does below the sink's folder.

use super::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;
use weir_engine::BatchBuilder;
use weir_engine::sink::conformance::{commit, lines_of, prepared, sink_attempt, sink_suite, wait, write_values, writer_context};

fn sink_by(folder: &Path, partition_by: &[&str], format: &str) -> FileSink {
    let settings = serde_json::json!({ "path": "out", "format": format, "partition-by": partition_by });
    FileSink::new(settings.as_object().unwrap(), folder).unwrap().0
}

/// Every visible part by its path below the sink's folder.
fn committed(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (out, mut found) = (folder.join("out"), BTreeMap::new());
    let mut left = vec![out.clone()];
    while let Some(folder) = left.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true if path.ends_with(PENDING_DIR) => {}
                true => left.push(path),
                false => _ = found.insert(path.strip_prefix(&out).unwrap().display().to_string(), std::fs::read(&path).unwrap()),
            }
        }
    }
    found
}

/// Writes each value of the suite as an object that names a folder of its own.
struct Wrapped(FileSink);

struct WrappedWriter(Box<dyn SinkWriter>);

impl Sink for Wrapped {
    fn connector(&self) -> &'static str {
        self.0.connector()
    }

    fn delivery(&self) -> Delivery {
        self.0.delivery()
    }

    fn prepare_attempt<'a>(&'a self, attempt: &'a SinkAttempt) -> BoxFuture<'a, Result<(), EngineError>> {
        self.0.prepare_attempt(attempt)
    }

    fn newest_visible<'a>(&'a self, nonces: &'a [String]) -> BoxFuture<'a, Result<Vec<VisibleOutput>, EngineError>> {
        self.0.newest_visible(nonces)
    }

    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter>, EngineError> {
        Ok(Box::new(WrappedWriter(self.0.writer(context)?)))
    }
}

impl SinkWriter for WrappedWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        let mut wrapped = BatchBuilder::new();
        for value in batch.values().iter() {
            let value = serde_json::json!({ "of": value.len(), "value": String::from_utf8_lossy(value) });
            wrapped.push(None, value.to_string().as_bytes(), None);
        }
        self.0.write(&wrapped.finish())
    }

    fn prepare_commit(
        &mut self,
        checkpoint_id: CheckpointId,
    ) -> Result<BoxFuture<'static, Result<Vec<Committable>, EngineError>>, EngineError> {
        self.0.prepare_commit(checkpoint_id)
    }
}

#[test]
fn it_passes_the_sink_suite_with_folders_in_both_formats() {
    for (format, partition_by) in [("lines", &["value"][..]), ("jsonl", &["of", "value"])] {
        let folder = TempDir::new().unwrap();
        let value_of = |line: Vec<u8>| {
            let line: Value = serde_json::from_slice(&line).unwrap();
            let inner: Value = match format {
                "lines" => line,
                _ => serde_json::from_str(line["value"].as_str().unwrap()).unwrap(),
            };
            inner["value"].as_str().unwrap().as_bytes().to_vec()
        };
        let visible = || committed(folder.path()).values().flat_map(|bytes| lines_of(bytes)).map(value_of).collect();
        let sink = || Arc::new(Wrapped(sink_by(folder.path(), partition_by, format))) as Arc<dyn Sink>;
        sink_suite(sink, Some(&FileCommitter::new(folder.path())), Some(&visible));
    }
}

#[test]
fn each_partition_has_its_file_and_records_stay_whole() {
    let folder = TempDir::new().unwrap();
    let sink = sink_by(folder.path(), &["dt", "hm"], "lines");
    wait(sink.prepare_attempt(&sink_attempt(1, "aa", &[], &[]))).unwrap();
    let mut writer = sink.writer(&writer_context(0, 1, 1, "aa")).unwrap();
    let row = |hm: &str, n: u32| format!("{{\"dt\":\"2013-01-01\",\"hm\":\"{hm}\",\"n\":{n}}}");
    let rows = [row("10:00", 1), row("10:00", 2), row("10:01", 3), row("10:00", 4), row("../..", 5)];
    write_values(&mut *writer, &rows.each_ref().map(String::as_str));
    let committables = prepared(&mut *writer, 7);
    assert_eq!((committables.len(), committed(folder.path()).len()), (3, 0), "nothing is visible before its commit");
    // Whoever makes no folders refuses it by this name.
    assert!(committables.iter().all(|committable| committable.payload["partitioned"] == true));
    assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), 1, "nor is a folder");
    for committable in committables.iter().chain(&committables) {
        commit(&FileCommitter::new(folder.path()), committable).expect("also again");
    }
    let lines = |rows: &[&String]| rows.iter().map(|row| format!("{row}\n")).collect::<String>().into_bytes();
    let expect = BTreeMap::from([
        ("dt=2013-01-01/hm=%2E.%2F../part-out-0-0-7-aa".to_owned(), lines(&[&rows[4]])),
        ("dt=2013-01-01/hm=10:00/part-out-0-1-7-aa".to_owned(), lines(&[&rows[0], &rows[1], &rows[3]])),
        ("dt=2013-01-01/hm=10:01/part-out-0-2-7-aa".to_owned(), lines(&[&rows[2]])),
    ]);
    assert_eq!(committed(folder.path()), expect);
    // What is visible is told also by a sink that has no partitions any more.
    for sink in [sink, sink_by(folder.path(), &[], "lines")] {
        let newest = wait(sink.newest_visible(&["aa".into()])).unwrap();
        assert_eq!(newest, [VisibleOutput { nonce: "aa".into(), checkpoint_id: CheckpointId(7) }]);
    }
}

#[test]
fn a_file_in_the_place_of_a_partition_is_named_and_the_pending_file_stays() {
    let folder = TempDir::new().unwrap();
    let sink = sink_by(folder.path(), &["f"], "lines");
    wait(sink.prepare_attempt(&sink_attempt(1, "aa", &[], &[]))).unwrap();
    let mut writer = sink.writer(&writer_context(0, 1, 1, "aa")).unwrap();
    write_values(&mut *writer, &["{\"f\":1}"]);
    std::fs::write(folder.path().join("out/f=1"), "mine").unwrap();
    let error = commit(&FileCommitter::new(folder.path()), &prepared(&mut *writer, 7)[0]).unwrap_err();
    assert!(error.to_string().contains("out/f=1/part-out-0-0-7-aa: Not a directory"), "{error}");
    assert_eq!((error.kind(), error.hint().is_some_and(|hint| hint.contains("move it away"))), (ErrorKind::FixInput, true));
    std::fs::remove_file(folder.path().join("out/f=1")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("out/.pending")).unwrap().count(), 1);
}

#[test]
fn a_record_without_the_fields_fails_the_write_and_says_what_it_is() {
    let folder = TempDir::new().unwrap();
    let sink = sink_by(folder.path(), &["f"], "lines");
    wait(sink.prepare_attempt(&sink_attempt(1, "aa", &[], &[]))).unwrap();
    let mut writer = sink.writer(&writer_context(0, 1, 1, "aa")).unwrap();
    let mut batch = BatchBuilder::new();
    batch.push(None, b"{\"f\":1}", None);
    batch.push(None, b"plain text", None);
    let error = writer.write(&batch.finish()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FixInput);
    assert!(error.to_string().ends_with("plain text") && error.hint().unwrap().contains("`partition-by`"), "{error}");
}

#[test]
fn a_source_that_would_read_the_partitions_is_told() {
    let folder = TempDir::new().unwrap();
    let output = [sink_by(folder.path(), &["dt", "hm"], "lines").output()];
    let reads = |pattern: &str| {
        let settings = serde_json::json!({ "path": pattern, "format": "lines" });
        crate::matched_output("file", settings.as_object().unwrap(), folder.path(), &output).unwrap().is_some()
    };
    let taken = ["out/*/*/*", "out/**", "out/dt=2013-*/hm=*/part-*", "out/dt=2013-01-01/hm=München/*"].map(reads);
    assert_eq!(taken, [true; 4]);
    assert_eq!(["out/*", "out/*/*", "out/other/*/*", "out/*/*/*.csv"].map(reads), [false; 4]);
}
