//! Barriers behind a slow sink, with the real binary: what `unaligned` says shows in what the checkpoints hold.

use crate::WEIR;
use weir_tests::process::{Bench, WordCount};

/// A generator far ahead of its sink: every channel is full, so that an aligned barrier waits for a second behind records.
fn job(records: u64, checkpoints: &str) -> String {
    format!(
        "name = \"slow\"\nparallelism = 2\n[checkpoints]\ninterval = \"300ms\"\n{checkpoints}\n[source.records]\nconnector = \"generator\"\ncount = {records}\n\
         [operator.count]\nnative = \"keyed-count\"\ninput = {{ from = \"records\", by = \"key\" }}\n\
         [sink.out]\nconnector = \"blackhole\"\ninput = \"count\"\nrate = 20000\n"
    )
}

/// Runs the job, and says whether the records in flight of some kept checkpoint were stored. It keeps them all.
fn stores_in_flight(checkpoints: &str) -> bool {
    stores_in_flight_of(80_000, checkpoints)
}

fn stores_in_flight_of(records: u64, checkpoints: &str) -> bool {
    let bench = Bench::new(WEIR, WordCount::default());
    bench.write_job(&job(records, &format!("retain = 100\n{checkpoints}")));
    let run = bench.run("run job.toml --output json -q");
    run.assert(0, &[]);
    let document = run.document();
    assert_eq!((document["outcome"].as_str(), &document["vertices"][2]["records_in"]), (Some("finished"), &records.into()), "{run:?}");
    let items = document["checkpoints"]["items"].as_array().expect("a list");
    let in_flight = |item: &serde_json::Value| {
        let inspected = bench.run(&format!("checkpoint inspect job.toml {} --output json", item["id"])).document();
        let vertices = inspected["vertices"].as_array().expect("vertices").clone();
        vertices.iter().flat_map(|vertex| vertex["subtasks"].as_array().expect("subtasks").clone()).any(|part| part["in_flight_bytes"] != 0)
    };
    items.iter().any(in_flight)
}

#[test]
fn an_aligned_barrier_waits_behind_the_records() {
    assert!(!stores_in_flight("unaligned = \"never\""));
    assert!(!stores_in_flight("mode = \"at-least-once\""));
}

#[test]
fn an_unaligned_barrier_overtakes_them() {
    assert!(stores_in_flight("unaligned = \"always\""));
}

#[test]
fn an_aligned_barrier_overtakes_once_it_has_waited_long_enough() {
    assert!(stores_in_flight("unaligned = \"50ms\""));
    assert!(!stores_in_flight("unaligned = \"1h\""));
}

#[test]
fn a_barrier_overtakes_also_when_the_sources_have_ended() {
    // These fit into the channels: the sources have ended long before the first checkpoint, and the sink works for a second.
    assert!(stores_in_flight_of(20_000, "unaligned = \"always\""));
    assert!(stores_in_flight_of(20_000, "unaligned = \"50ms\""));
    assert!(!stores_in_flight_of(20_000, "unaligned = \"never\""));
}
