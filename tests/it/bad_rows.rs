//! Rows that cannot be read, by the real binary: what is set aside comes once over kills, and skipping invents nothing.

use crate::WEIR;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use weir_tests::process::{Bench, WordCount};

const ROWS: u64 = 4_000;
/// One row in so many cannot be read.
const BAD: u64 = 40;

/// A folder with rows of which some cannot be read, and a job that reads them within a second or two.
fn bench(parallelism: u32, more: &str) -> Bench {
    // Of the job that a bench comes with, its name is kept: by that the storage is found.
    let bench = Bench::new(WEIR, WordCount::default());
    for file in ["a", "b"] {
        let mut text = String::new();
        for n in 0..ROWS / 2 {
            let end = if n % BAD == 7 { "" } else { "}" };
            writeln!(text, "{{\"row\":\"{file}{n}\"{end}").expect("a text");
        }
        fs::write(bench.path(&format!("{file}.jsonl")), text).expect("an input");
    }
    bench.write_job(&format!(
        "name = \"words\"
parallelism = {parallelism}
[checkpoints]
interval = \"50ms\"
[source.rows]
connector = \"file\"
path = \"*.jsonl\"
format = \"jsonl\"
on-error = \"quarantine\"
rate = 3000
[sink.out]
connector = \"file\"
input = \"rows\"
path = \"out\"
{more}"
    ));
    bench
}

/// The row of each report, with the place that it names, in order.
fn reported(text: &str) -> Vec<(String, String)> {
    let row = |line: &str| {
        let report: Value = serde_json::from_str(line).expect("a report is JSON");
        assert_eq!((&report["source"], &report["key"], &report["timestamp"]), (&"rows".into(), &Value::Null, &Value::Null), "{report}");
        let error = report["error"].as_str().expect("a text");
        let place = error.strip_prefix("read ").and_then(|error| error.split_once(", column ")).expect("a place").0;
        (report["value"].as_str().expect("a text").to_owned(), place.to_owned())
    };
    let mut rows: Vec<_> = text.lines().map(row).collect();
    rows.sort();
    rows
}

fn bad_rows() -> Vec<(String, String)> {
    let of = |file: &str| {
        let bad = (0..ROWS / 2).filter(|n| n % BAD == 7);
        bad.map(|n| (format!("{{\"row\":\"{file}{n}\""), format!("{file}.jsonl, line {}", n + 1))).collect::<Vec<_>>()
    };
    let mut rows = [of("a"), of("b")].concat();
    rows.sort();
    rows
}

#[track_caller]
fn assert_good_rows_once(bench: &Bench) {
    let committed = bench.committed();
    assert_eq!(committed.len() as u64, ROWS - bad_rows().len() as u64);
    assert!(committed.iter().all(|(row, times)| *times == 1 && row.ends_with('}')), "each good row once, and no other");
}

#[test]
fn rows_set_aside_by_a_job_that_is_killed_while_it_commits_them_are_kept_once() {
    for point in ["create quarantine before 2", "create quarantine after 2"] {
        let bench = bench(2, "");
        assert_eq!(bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", point)]).code, None, "`{point}` is not passed");
        let ended = bench.run("run job.toml --output json");
        ended.assert(0, &["resuming from checkpoint"]);
        assert_good_rows_once(&bench);
        let parts = fs::read_dir(bench.storage().join("quarantine/rows")).expect("a folder");
        let text: String = parts.map(|part| fs::read_to_string(part.expect("a file").path()).expect("it can be read")).collect();
        assert_eq!(reported(&text), bad_rows(), "{point}");
    }
}

#[test]
fn a_sink_may_take_them_and_gets_each_once_over_kills_and_a_rescale() {
    let bench = bench(2, "[sink.bad]\nconnector = \"file\"\ninput = \"rows.quarantine\"\npath = \"bad\"\n");
    let checked = bench.run("check job.toml");
    checked.assert(0, &[]);
    for part in ["on-error = \"quarantine\"", "rows.quarantine → bad"] {
        assert!(checked.stdout.contains(part), "{part}: {checked:?}");
    }
    for parallelism in [1, 3] {
        let before = bench.log().completed.len();
        let mut process = bench.start("run job.toml -q");
        assert!(process.runs_until("a checkpoint", || bench.log().completed.len() > before + 1));
        assert!(process.kill());
        bench.edit_job(&format!("parallelism = {}", if parallelism == 1 { 2 } else { 1 }), &format!("parallelism = {parallelism}"));
    }
    let ended = bench.run("run job.toml --output json");
    ended.assert(0, &["resuming from checkpoint"]);
    assert!(ended.document()["vertices"][0]["quarantined"].as_u64() > Some(0), "{ended:?}");
    assert_good_rows_once(&bench);
    let text: String = bench.committed_in("bad").into_iter().map(|(line, times)| format!("{line}\n").repeat(times as usize)).collect();
    assert_eq!(reported(&text), bad_rows());
}

#[test]
fn too_many_of_them_fail_the_job() {
    let bench = bench(1, "");
    fs::write(bench.path("c.jsonl"), "no json\n".repeat(1_001)).expect("an input");
    bench.edit_job("rate = 3000", "");
    bench.run("run job.toml").assert(
        1,
        &[
            "rows: ",
            "records were quarantined; 1000 are the most",
            "hint: up to the last complete checkpoint the rows and their errors are in",
        ],
    );
}

#[test]
fn skipping_takes_no_row_out_of_a_quoted_cell_that_comes_late() {
    let bench = Bench::new(WEIR, WordCount::default());
    let rows = |range: std::ops::Range<u64>| range.map(|n| format!("{n},plain,{}\n", n % 9)).collect::<String>();
    let text = format!("id,v,w\n{}60000,\"note:\n1,paid,100\n2,paid,200\nend\",5\n{}", rows(0..60_000), rows(60_001..100_000));
    fs::write(bench.path("late.csv"), text).expect("an input");
    let job = |more: &str| {
        format!(
            "name = \"words\"
[source.rows]
connector = \"file\"
path = \"late.csv\"
format = \"csv\"
key = \"id\"
{more}
[sink.out]
connector = \"file\"
input = \"rows\"
path = \"out\"
"
        )
    };
    bench.write_job(&job(""));
    bench.run("run job.toml").assert(1, &["read late.csv, line 60002: a quoted cell holds a line end; set `multiline = true`"]);
    bench.write_job(&job("on-error = \"skip\""));
    let ended = bench.run("run job.toml --fresh --output json");
    ended.assert(0, &[]);
    assert_eq!(ended.document()["vertices"][0]["skipped"], 1, "{ended:?}");
    let committed = bench.committed();
    assert!(committed.keys().all(|row| row.contains(",plain,")) && committed.contains_key("99999,plain,0"), "nothing out of the cell");
}
