//! `weir state` on checkpoints and savepoints of real plugins: typed values and lists, shown by the descriptions that the plugins gave of them;
//! jobs that have ended, that run, and that are gone.

use crate::WEIR;
use crate::inputs::{AIRCRAFT, FLIGHTS, PLANES, enrich_bench};
use serde_json::{Value, json};
use std::fs;
use weir_tests::process::{Bench, Running, WordCount};

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

/// A job that runs until it is killed, keeps all its checkpoints, and has completed one.
fn running_job() -> (Bench, Running) {
    let job = WordCount { lines: 100_000, rate: 2_000, parallelism: 2, checkpoints: "retain = 1000\n".into(), ..WordCount::default() };
    let bench = Bench::new(WEIR, job);
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("a checkpoint", || !bench.log().completed.is_empty()));
    (bench, process)
}

/// The document of a command that succeeds.
#[track_caller]
fn document(bench: &Bench, line: &str) -> Value {
    let ended = bench.run(&format!("{line} --output json"));
    ended.assert(0, &[]);
    ended.document()
}

/// How many occurrences there are of all words.
#[track_caller]
fn occurrences(bench: &Bench, of: &str) -> u64 {
    rows(bench, &format!("state scan {of} count")).iter().map(|row| row["value"]["count"].as_u64().expect("a count")).sum()
}

#[test]
fn a_savepoint_is_looked_into_without_its_job() {
    let (bench, process) = running_job();
    let taken = document(&bench, "savepoint create words taken");
    assert!(process.kill());
    fs::remove_dir_all(bench.path(".weir")).expect("the job's objects");
    fs::remove_file(bench.path("job.toml")).expect("the job file");

    let list = document(&bench, "state list taken");
    assert_eq!((&list["job"], &list["checkpoint"], &list["savepoint"]), (&"words".into(), &taken["checkpoint"], &taken["url"]));
    let states = &list["operators"][1]["states"];
    assert_eq!(document(&bench, &format!("state list {} count", taken["url"].as_str().expect("a URL")))["operators"][0]["states"], *states);
    let inspected = document(&bench, "savepoint inspect taken");
    assert_eq!((&inspected["savepoint"], &inspected["operators"][0]["states"]), (&taken["url"], states), "{inspected}");

    let scanned = rows(&bench, "state scan ./taken count");
    assert_eq!(states[0]["keys"], scanned.len());
    let word = scanned[0]["key"].as_str().expect("a word");
    let got = document(&bench, &format!("state get taken count --key {word}"));
    assert_eq!((&got["savepoint"], &got["rows"]), (&taken["url"], &json!([scanned[0]])));
    bench.run("state get taken count --key nothing").assert(1, &["in savepoint file:", "weir state scan taken count"]);

    bench.run("state list taken --at 1").assert(2, &["`--at` does not go with a savepoint", "hint: "]);
    bench.run("state list taken --now").assert(2, &["`--now` does not go with a savepoint"]);
    bench.run("state list taken cuont").assert(2, &["no operator `cuont` in savepoint file:", "did you mean `count`?"]);
    bench.run("state list ./taken/typo").assert(2, &["neither a job file nor the folder of a savepoint"]);
}

#[test]
fn a_running_job_is_looked_into_by_name_and_now() {
    let (bench, process) = running_job();
    let list = document(&bench, "state list words");
    assert_eq!((&list["job"], &list["savepoint"]), (&"words".into(), &Value::Null));
    assert!(list["checkpoint"].as_u64() <= Some(bench.log().newest().id));
    let at = list["checkpoint"].as_u64().expect("an id");
    let before = occurrences(&bench, &format!("words --at {at}"));
    assert_eq!(before, occurrences(&bench, &format!("job.toml --at {at}")));

    let newest = bench.log().newest().id;
    for named in ["words", "job.toml"] {
        let now = document(&bench, &format!("state list {named} count --now"));
        assert!(now["checkpoint"].as_u64() > Some(newest), "{now}");
        assert!(occurrences(&bench, &format!("{named} --now")) > before);
    }
    bench.run("state list words --now --at 3").assert(2, &["--at"]);
    bench.run("state list others").assert(2, &["`others`: there is neither a job file nor a savepoint", "`weir jobs`", "`./others`"]);

    assert!(process.kill());
    bench.run("state list job.toml --now").assert(1, &["no job of job.toml runs here", "without `--now`"]);
    bench.run("state list words").assert(2, &["no job of that name runs here", "`weir jobs`"]);
    assert!(occurrences(&bench, "job.toml") > before);
}

/// Added, removed, changed and unchanged keys, of a comparison of the one state that there is.
#[track_caller]
fn changes(bench: &Bench, both: &str) -> [u64; 4] {
    let diff = document(bench, &format!("state diff {both} count"));
    let state = &diff["operators"][0]["states"][0];
    ["added", "removed", "changed", "unchanged"].map(|what| state[what].as_u64().expect("a number"))
}

#[test]
fn savepoints_and_checkpoints_are_compared_with_each_other() {
    let (bench, process) = running_job();
    let first = document(&bench, "savepoint create words first");
    bench.run("checkpoint trigger words").assert(0, &[]);
    let second = document(&bench, "savepoint create words daily@12");
    let ids = [&first, &second].map(|savepoint| savepoint["checkpoint"].as_u64().expect("an id"));

    // A savepoint is as the checkpoint that it is a copy of.
    let [was, is] = ids.map(|id| format!("job.toml@{id}"));
    for (savepoint, checkpoint) in [("first", &was), ("daily@12", &is)] {
        let [added, removed, changed, unchanged] = changes(&bench, &format!("{savepoint} {checkpoint}"));
        assert!([added, removed, changed] == [0; 3] && unchanged > 0, "{savepoint}");
    }
    let between = changes(&bench, "first daily@12");
    assert!(between[0] + between[2] > 0 && between[1] == 0, "{between:?}");
    assert_eq!(changes(&bench, &format!("first words@{}", ids[1])), between);
    let diff = document(&bench, "state diff first words");
    let sides = ["before", "after"].map(|side| (diff[side]["job"].clone(), diff[side]["savepoint"].clone()));
    assert_eq!(sides, [("words".into(), first["url"].clone()), ("words".into(), Value::Null)]);
    assert!(diff["after"]["checkpoint"].as_u64() >= Some(ids[1]), "{diff}");
    for row in rows(&bench, "state diff first daily@12").iter().filter(|row| row["change"] == "changed") {
        assert!(row["before"]["count"].as_u64() < row["after"]["count"].as_u64(), "{row}");
    }

    bench.run("state diff first@12 words").assert(2, &["`@12` does not go with a savepoint", "hint: "]);
    bench.run("state diff first others@12").assert(2, &["`others`: there is neither a job file nor a savepoint"]);
    bench.run("state diff first words@0").assert(1, &["look into checkpoint 0: the job has none with that id"]);
    assert!(process.kill());
}

#[test]
fn two_jobs_are_compared_by_the_ids_of_their_operators() {
    let bench = Bench::new(WEIR, WordCount { lines: 300, ..WordCount::default() });
    bench.run("run job.toml -q").assert(0, &[]);
    let other = bench.job().job_file().replace("\"words\"", "\"others\"").replace("path = \"out\"", "path = \"others\"");
    fs::write(bench.path("other.toml"), other).expect("a job file");
    bench.run("run other.toml -q").assert(0, &[]);
    let compared = bench.run("state diff job.toml other.toml");
    compared.assert(0, &[]);
    assert!(compared.stdout.starts_with("state of two jobs, from words in checkpoint "), "{compared:?}");
    let [added, removed, changed, unchanged] = changes(&bench, "job.toml other.toml");
    assert!([added, removed, changed] == [0; 3] && unchanged > 0, "{compared:?}");
}
