//! The times of records, by the real binary: how they are written, and how far event time has come over a kill.

use crate::WEIR;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use weir_tests::process::{Bench, JobLogView, WordCount};

const FILES: u64 = 6;
const ROWS: u64 = 500;
/// 2013-01-01T10:00:00Z; row n is n seconds later.
const FIRST: u64 = 1_357_034_400;

/// Files of rows in the order of their times, and a job that takes ten seconds to read them, where nobody lets it go faster.
fn bench(parallelism: u32) -> Bench {
    // Of the job that a bench comes with, its name is kept: by that the storage is found.
    let bench = Bench::new(WEIR, WordCount::default());
    for file in 0..FILES {
        let mut text = "n,at\n".to_owned();
        (file * ROWS..(file + 1) * ROWS).for_each(|n| writeln!(text, "{n},{}", FIRST + n).expect("a text"));
        fs::write(bench.path(&format!("{file}.csv")), text).expect("an input");
    }
    bench.write_job(&format!(
        "name = \"words\"
parallelism = {parallelism}
[checkpoints]
interval = \"50ms\"
[source.rows]
connector = \"file\"
path = \"*.csv\"
format = \"csv\"
rate = 300
timestamp = {{ field = \"at\", format = \"unix-s\" }}
watermark = {{ delay = \"1s\", order = \"name\" }}
[operator.pass]
native = \"pass-through\"
input = {{ from = \"rows\", by = \"rebalance\" }}
[sink.out]
connector = \"file\"
input = \"pass\"
path = \"out\"
"
    ));
    bench
}

/// The largest time of each split that has been begun, as the newest checkpoint says it.
fn largest_timestamps(bench: &Bench) -> Vec<i64> {
    let metadata = bench.storage().join(&JobLogView::read(&bench.storage()).newest().metadata);
    let metadata: Value = serde_json::from_slice(&fs::read(metadata).expect("it can be read")).expect("JSON");
    let vertices = metadata["body"]["vertices"].as_array().expect("vertices");
    let subtasks = vertices.iter().flat_map(|vertex| vertex["subtasks"].as_array().expect("subtasks"));
    let splits = subtasks.flat_map(|subtask| subtask["splits"].as_array().cloned().unwrap_or_default());
    splits.filter_map(|split| split["largest_timestamp"].as_i64()).collect()
}

/// How far event time has come at each vertex of the running job.
fn watermarks(bench: &Bench) -> Vec<Option<i64>> {
    let shown = bench.run("status job.toml --output json");
    let vertices = if shown.code == Some(0) { shown.document()["vertices"].as_array().cloned() } else { None };
    vertices.unwrap_or_default().iter().map(|vertex| vertex["watermark"].as_i64()).collect()
}

#[test]
fn event_time_goes_on_over_a_kill_and_the_job_finishes() {
    let bench = bench(2);
    let mut process = bench.start("run job.toml -q");
    let mut shown = Vec::new();
    let told = process.runs_until("a watermark at every step", || {
        shown = watermarks(&bench);
        !shown.is_empty() && shown.iter().all(Option::is_some)
    });
    assert!(told, "{:?}", process.ended());
    let within = (FIRST as i64 * 1_000 - 1_001)..((FIRST + FILES * ROWS) as i64 * 1_000);
    assert!(shown.iter().flatten().all(|watermark| within.contains(watermark)), "{shown:?}");
    assert!(process.runs_until("checkpoints", || JobLogView::read(&bench.storage()).completed.len() >= 3));
    assert!(process.kill());
    let largest = largest_timestamps(&bench);
    assert!(!largest.is_empty() && largest.iter().all(|largest| within.contains(largest)), "{largest:?}");

    bench.edit_job("rate = 300\n", "");
    let ended = bench.run("run job.toml --output json");
    ended.assert(0, &["resuming from checkpoint"]);
    assert_eq!(ended.document()["outcome"], "finished", "{ended:?}");
    let committed = bench.committed();
    assert_eq!(committed.len() as u64, FILES * ROWS);
    assert!(committed.values().all(|times| *times == 1), "each row once");
    let mut largest = largest_timestamps(&bench);
    largest.sort_unstable();
    let last_rows: Vec<i64> = (1..=FILES).map(|file| (FIRST + file * ROWS - 1) as i64 * 1_000).collect();
    assert_eq!(largest, last_rows, "what each file has come to");
}

#[test]
fn check_says_of_a_source_whether_its_records_have_a_time_and_refuses_a_watermark_without() {
    let bench = bench(2);
    let checked = bench.run("check job.toml");
    checked.assert(0, &[]);
    let says = "rows: the column `at` (seconds since 1970); watermarks are 1s behind the newest of files that are read in the order of their names";
    assert!(checked.stdout.contains(says), "{checked:?}");
    let time = bench.run("check job.toml --output json").document()["times"][0].clone();
    assert_eq!((&time["step"], &time["timestamps"]), (&"rows".into(), &"the column `at` (seconds since 1970)".into()));

    bench.edit_job("timestamp = { field = \"at\", format = \"unix-s\" }\n", "");
    let refused = ["the records of `rows` have no time that a watermark could be made of", "`timestamp` in [source.rows] names a column"];
    bench.run("check job.toml").assert(2, &refused);
    bench.run("run job.toml").assert(2, &refused);
    bench.edit_job("watermark = { delay = \"1s\", order = \"name\" }\n", "");
    let checked = bench.run("check job.toml");
    checked.assert(0, &[]);
    assert!(checked.stdout.contains("time of records\n  rows: none\n"), "{checked:?}");
}

#[test]
fn a_time_that_cannot_be_read_is_said_with_its_field_and_what_was_read() {
    let bench = bench(1);
    fs::write(bench.path("0.csv"), "n,at\n1,2013-03-31 02:30:00\n").expect("an input");
    bench.edit_job("format = \"unix-s\"", "format = \"%Y-%m-%d %H:%M:%S\", zone = \"Europe/Berlin\"");
    let why = "read 0.csv, line 2: the timestamp \"2013-03-31 02:30:00\" of `at` does not exist in Europe/Berlin";
    bench.run("run job.toml").assert(1, &[why]);
    bench.run("check job.toml").assert(2, &[why]);
}
