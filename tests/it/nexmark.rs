//! The queries of Nexmark on the events of a seed, against a reference that shares no code with weir: `tests/nexmark/reference.py`.
//!
//! One job has the operators of all of them as their job files say, behind one source, and writes the source's events too. The source and what stands directly behind it
//! are in one subtask, so that of bids with the same price the earlier is known; what has keys is in two.

use crate::WEIR;
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
