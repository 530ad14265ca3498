//! What operators keep and count, with the real binary: bounds on state fail the job by name, and a higher one lets it go on.

use crate::WEIR;
use crate::inputs::enrich_bench;
use serde_json::{Value, json};
use std::fs;
use weir_tests::process::{Bench, WordCount};

const RECORDS: u64 = 20_000;

/// A key of 16 bytes with a state of 16 counts as 96.
fn job(keys: u64, limits: &str) -> String {
    format!(
        "name = \"kept\"\nparallelism = 1\n[checkpoints]\ninterval = \"50ms\"\n[restart]\nattempts = 1000\n\
         [source.records]\nconnector = \"generator\"\ncount = {RECORDS}\nkeys = {keys}\n\
         [operator.count]\nnative = \"keyed-count\"\ninput = {{ from = \"records\", by = \"key\" }}\n{limits}\n\
         [sink.out]\nconnector = \"blackhole\"\ninput = \"count\"\n"
    )
}

fn bench(job: &str) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    bench.write_job(job);
    bench
}

fn vertex(document: &Value, id: &str) -> Value {
    let vertices = document["vertices"].as_array().expect("vertices");
    vertices.iter().find(|vertex| vertex["id"] == id).unwrap_or_else(|| panic!("no vertex {id}: {document}")).clone()
}

#[test]
fn a_subtask_that_keeps_more_than_it_may_fails_the_job_by_name_and_a_higher_limit_lets_it_go_on() {
    let bench = bench(&job(1_000, "limits = { state-bytes = \"9600B\" }"));
    let checked = bench.run("check job.toml --output json").document();
    assert_eq!(vertex(&checked, "count")["settings"]["limits"], json!({ "state-bytes": "9600B" }));
    let failed = bench.run("run job.toml --output json");
    failed.assert(
        1,
        &["operator \"count\" subtask 0: its state would have ", "9600 are the most (limits.state-bytes)", "raise limits.state-bytes"],
    );
    assert_eq!((&failed.document()["outcome"], &failed.document()["restarts"]), (&json!("failed"), &json!(0)));

    bench.write_job(&job(1_000, "limits = { state-bytes = \"1MiB\" }"));
    let finished = bench.run("run job.toml --output json -q");
    finished.assert(0, &[]);
    assert_eq!(vertex(&finished.document(), "count")["state_bytes"], 96 * 1_000);
}

/// 40 words, each of which counts for more than 60 bytes.
#[test]
fn a_plugin_that_keeps_more_than_it_may_fails_the_job_by_name_and_the_report_counts_it() {
    let few =
        WordCount { count_settings: "limits = { state-bytes = \"2000B\" }\non-failure = \"quarantine\"\n".into(), ..WordCount::default() };
    let bench = Bench::new(WEIR, few);
    let failed = bench.run("run job.toml --output json");
    failed.assert(
        1,
        &["operator \"count\" subtask 0: its state would have ", "2000 are the most (limits.state-bytes)", "raise limits.state-bytes"],
    );
    let document = failed.document();
    assert_eq!((&document["outcome"], &document["restarts"]), (&json!("failed"), &json!(0)));
    assert_eq!(vertex(&document, "count")["plugin"]["limits"], json!({ "state-bytes": 1 }));

    bench.edit_job("2000B", "1MiB");
    let finished = bench.run("run job.toml --output json -q");
    finished.assert(0, &[]);
    assert_eq!(vertex(&finished.document(), "count")["plugin"]["limits"], json!({}));
}

#[test]
fn what_a_plugin_counts_and_keeps_is_in_the_documents_of_its_job() {
    let bench = enrich_bench();
    let mut flights = fs::read_to_string(bench.path("flights.csv")).expect("flights");
    (0..7).for_each(|n| flights.push_str(&format!("NA,T{n},UA,{n},EWR,IAH,NA\n")));
    fs::write(bench.path("flights.csv"), flights).expect("an input");
    let mut process = bench.start("run job.toml -q --output json");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    let status = bench.run("status words --output json").document();
    let shown = vertex(&status, "enrich");
    assert!(shown["state_bytes"].as_u64() > Some(0) && shown["metrics"].is_object(), "{status}");
    let ended = process.ended();
    ended.assert(0, &[]);
    let counted = vertex(&ended.document(), "enrich");
    assert_eq!(counted["metrics"], json!({ "flights-without-aircraft": 7 }), "{counted}");
    assert!(counted["state_bytes"].as_u64() > Some(0), "{counted}");
}

#[test]
fn what_is_read_is_told_beside_what_arrives() {
    // Three words arrive for each line that is read. It takes ten seconds, so that a stall at its end changes the rates by little.
    let finished = Bench::new(WEIR, WordCount::unhurried()).run("run job.toml --output json -q");
    let document = finished.assert(0, &[]).document();
    let rate = |name: &str| document[name].as_f64().unwrap_or_else(|| panic!("`{name}` is a number in {document}"));
    let (arrives, read) = (rate("steady_records_per_s"), rate("steady_records_read_per_s"));
    assert!(0.0 < read && read < arrives && arrives < 5.0 * read, "{arrives} arrive in a second, {read} are read");
    let settings = bench(&job(10, "")).run("check job.toml --output json").document();
    let limit = vertex(&settings, "count")["settings"]["limits"]["state-bytes"].clone();
    assert!(limit.as_str().is_some_and(|limit| limit.contains("half of the memory, shared by all subtasks")), "{limit}");
}
