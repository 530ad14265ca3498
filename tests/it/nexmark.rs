//! The queries of Nexmark on the events of a seed, against a reference that shares no code with weir: `tests/nexmark/reference.py`.
//!
//! One job has the operators of all of them as their job files say, behind one source, and writes the source's events too. The source and what stands directly behind it
//! are in one subtask, so that of bids with the same price the earlier is known; what has keys is in two.
//!
//! `weir bench nexmark` is run as a user runs it, on queries of each kind: its figures are of this run, so that what they come to is not looked at here.

use crate::WEIR;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use weir_tests::process::{Bench, WordCount, examples};

/// Those that are checked: all but 6, which the benchmark has for no such system, and 12, which goes by the clock.
const QUERIES: [u32; 21] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22];
/// Five and a half hours of event time, with a midnight in them and all kinds of hours that query 14 knows.
const SOURCE: &str = r#"name = "words"
parallelism = 1
[source.events]
connector = "nexmark"
count = 100_000
event-rate = 5
seed = 7
base-time = "2015-07-15T18:45:00Z"
watermark = { delay = "4s" }
"#;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

/// The operators of a query as its job file has them, under names of their own, with components that are built.
fn operators(query: u32) -> String {
    let path = workspace().join(format!("plugins/nexmark/q{query}.toml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let start = text.find("[operator.").expect("a query has operators");
    let end = text.find("[sink.").expect("a job has a sink");
    let components = examples("nexmark");
    let mut operators = String::new();
    for line in text[start..end].lines() {
        // Both names are those of first operators; a query's other one is called as it is.
        let line = line
            .replace("operator.bids", &format!("operator.bids-{query}"))
            .replace("operator.select", &format!("operator.select-{query}"));
        let line = line
            .replace("from = \"bids\"", &format!("from = \"bids-{query}\""))
            .replace("from = \"select\"", &format!("from = \"select-{query}\""))
            .replace("from = \"select.", &format!("from = \"select-{query}."));
        match line.rsplit_once('/').filter(|_| line.starts_with("plugin")) {
            Some((_, file)) => writeln!(operators, "plugin = {:?}", components.join(file.trim_end_matches('"'))).expect("a text"),
            None if line.starts_with("build") => {}
            None => writeln!(operators, "{line}").expect("a text"),
        }
        if line.contains("by = \"key\"") {
            operators.push_str("parallelism = 2\n");
        }
    }
    operators
}

fn sink(id: &str, input: &str, format: &str) -> String {
    format!("[sink.{id}]\nconnector = \"file\"\ninput = \"{input}\"\npath = \"{id}\"\nformat = \"{format}\"\n")
}

/// How the job file of a query partitions its rows; nothing where it does not.
fn partitions(query: u32) -> String {
    let text = fs::read_to_string(workspace().join(format!("plugins/nexmark/q{query}.toml"))).expect("a query has a job file");
    text.lines().filter(|line| line.starts_with("partition-by")).map(|line| format!("{line}\n")).collect()
}

/// A job with these queries on the first so many events.
pub(super) fn job(events: u64, queries: &[u32]) -> String {
    let mut job = SOURCE.replace("count = 100_000", &format!("count = {events}")) + &sink("all-events", "events", "jsonl");
    for query in queries {
        let format = if *query == 0 { "jsonl" } else { "lines" };
        job += &(operators(*query) + &sink(&format!("rows-{query}"), &format!("q{query}"), format) + &partitions(*query));
    }
    job
}

/// What the job has written is what the reference makes of the events.
#[track_caller]
pub(super) fn compare(bench: &Bench, queries: &[u32]) {
    let mut reference = Command::new("python3");
    reference.arg(workspace().join("tests/nexmark/reference.py")).arg(bench.path("all-events"));
    reference.args(queries.iter().map(|query| format!("q{query}={}", bench.path(&format!("rows-{query}")).display())));
    let compared = reference.output().expect("python3 is there");
    let said = String::from_utf8_lossy(&compared.stdout);
    assert!(compared.status.success(), "{said}\n{}", String::from_utf8_lossy(&compared.stderr));
    assert_eq!(said.lines().count(), queries.len(), "{said}");
}

#[test]
fn every_query_gives_what_a_plain_computation_gives() {
    let bench = Bench::new(WEIR, WordCount::default());
    bench.write_job(&job(100_000, &QUERIES));
    bench.run("run job.toml").assert(0, &[]);
    compare(&bench, &QUERIES);
}

/// The job file of a query as it stands, with components that are built.
fn write_query(bench: &Bench, query: u32) {
    let name = format!("q{query}.toml");
    let text = fs::read_to_string(workspace().join("plugins/nexmark").join(&name)).expect("a query has a job file");
    let (components, built) = (examples("nexmark"), "../../target/wasm32-unknown-unknown/release/examples");
    assert!(text.contains(built), "{name} has plugins where cargo puts them");
    let text: String = text.lines().filter(|line| !line.starts_with("build = ")).map(|line| format!("{line}\n")).collect();
    fs::create_dir_all(bench.path("queries")).expect("a writable folder");
    fs::write(bench.path("queries").join(name), text.replace(built, &components.display().to_string())).expect("a writable folder");
}

#[test]
fn the_benchmark_measures_each_query_and_leaves_nothing_behind() {
    let bench = Bench::new(WEIR, WordCount::default());
    // Per record; files of its own; windows of event time; a window by the clock.
    [0, 10, 5, 12].into_iter().for_each(|query| write_query(&bench, query));
    fs::create_dir(bench.path("temporary")).expect("a writable folder");
    let temporary = bench.path("temporary").display().to_string();
    let run = bench.run_with("bench nexmark --folder queries --events 20000 --output json", &[("TMPDIR", &temporary)]);
    let document = run.assert(0, &["q0 (1 of 4): 20,000 events", "q12: "]).document();
    let queries = document["queries"].as_array().expect("the queries");
    let names: Vec<&Value> = queries.iter().map(|query| &query["query"]).collect();
    assert_eq!(names, ["q0", "q5", "q10", "q12"], "in the order of their numbers");
    for query in queries {
        assert_eq!(query["events"], 20_000, "{query}");
        for figure in ["wall_s", "cpu_s", "events_per_cpu_s", "events_per_s", "peak_memory_bytes"] {
            assert!(query[figure].as_f64().is_some_and(|it| it > 0.0), "{figure} of {query}");
        }
    }
    let left: Vec<_> = fs::read_dir(bench.path("temporary")).expect("the folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    let files: Vec<_> = fs::read_dir(bench.path("queries")).expect("the folder").flatten().collect();
    assert_eq!(files.len(), 4, "rows of q10 are not written beside its job file: {files:?}");

    // A query that fails is no reason to lose what the others come to.
    fs::write(bench.path("queries/q7.toml"), "name = 7").expect("a writable folder");
    let run = bench.run("bench nexmark --folder queries --query q7 --query q0 --events 5000 --output json");
    let document = run.assert(1, &["is a text in quotes"]).document();
    assert_eq!((&document["failed"][0]["query"], &document["queries"][0]["query"]), (&"q7".into(), &"q0".into()));
    fs::remove_file(bench.path("queries/q7.toml")).expect("it is there");

    // For people a table; and what is not there is said with what is.
    let shown = bench.run("bench nexmark --folder queries --query q5 --events 5000");
    shown.assert(0, &[]);
    assert!(shown.stdout.contains("peak memory") && shown.stdout.lines().count() == 2, "{}", shown.stdout);
    bench.run("bench nexmark --folder queries --query q6").assert(2, &["there is no query `q6`", "q0, q5, q10, q12"]);
    bench.run("bench nexmark --folder elsewhere").assert(2, &["list the queries in elsewhere", "--folder"]);
}
