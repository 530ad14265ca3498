//! `weir state` on the checkpoints of real plugins: typed values and lists, shown by the descriptions that the plugins gave of them.

use crate::WEIR;
use crate::inputs::{AIRCRAFT, FLIGHTS, PLANES, enrich_bench};
use serde_json::{Value, json};
use weir_tests::process::{Bench, WordCount};

/// The rows that a command writes as JSON lines.
#[track_caller]
fn rows(bench: &Bench, line: &str) -> Vec<Value> {
    let ended = bench.run(&format!("{line} --format jsonl -q"));
    ended.assert(0, &[]);
    ended.stdout.lines().map(|row| serde_json::from_str(row).expect("a row is JSON")).collect()
}

#[test]
fn the_counts_in_the_last_checkpoint_are_those_of_the_last_lines() {
    let bench = Bench::new(WEIR, WordCount { lines: 300, parallelism: 2, ..WordCount::default() });
    bench.run("run job.toml -q").assert(0, &[]);
    let list = bench.run("state list job.toml --output json").document();
    assert_eq!(list["operators"][0], json!({ "id": "split", "states": [] }), "{list}");
    let state = &list["operators"][1]["states"][0];
    assert_eq!(
        (&state["name"], &state["kind"], &state["schema"]),
        (&json!("occurrences"), &json!("value"), &json!("Occurrences{count:u64}"))
    );
    let output = bench.job().output();
    for row in rows(&bench, "state scan job.toml count") {
        let (word, count) = (row["key"].as_str().expect("a word"), row["value"]["count"].as_u64().expect("a count"));
        let line = |count| format!("{{\"word\":\"{word}\",\"count\":{count}}}");
        assert!(output.contains_key(&line(count)) && !output.contains_key(&line(count + 1)), "{row}");
    }
    let scanned = rows(&bench, "state scan job.toml count").len() as u64;
    assert_eq!(state["keys"], scanned);
}

#[test]
fn values_and_lists_of_records_are_shown_with_their_fields() {
    let bench = enrich_bench();
    bench.run("run job.toml -q").assert(0, &[]);
    let known = rows(&bench, "state get job.toml enrich --key N7");
    let plane = json!({ "manufacturer": "BOEING", "model": "737", "year": 1967, "seats": 7 });
    assert_eq!(known, [json!({ "key": "N7", "state": "plane", "entry": null, "value": plane })]);

    // Nothing is known of this one: its flights still wait, in the order in which they came.
    let unknown = AIRCRAFT - 1;
    assert!(unknown >= PLANES);
    let waiting = rows(&bench, &format!("state get job.toml enrich --key N{unknown}"));
    assert_eq!(waiting.len() as u64, FLIGHTS / AIRCRAFT);
    for (row, position) in waiting.iter().zip(0..) {
        let number = unknown + position * AIRCRAFT;
        assert_eq!((&row["state"], &row["entry"]), (&json!("waiting"), &json!(position)), "{row}");
        assert_eq!((&row["value"]["flight"]["flight"], &row["problem"]), (&json!(number), &Value::Null), "{row}");
    }
}
