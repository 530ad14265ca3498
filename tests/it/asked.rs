//! What a running job is asked for without being changed, over its API: the state of a key, what was set aside, and whether another component would fit.

use crate::WEIR;
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use weir_tests::process::{Bench, Running, Signal, WordCount, plugin};

/// The status and the answer.
fn get(api: &str, path: &str) -> (u16, Value) {
    let mut answer = agent().get(format!("http://{api}{path}")).call().unwrap_or_else(|error| panic!("{path}: {error}"));
    (answer.status().as_u16(), serde_json::from_str(&answer.body_mut().read_to_string().expect("a text")).expect("JSON"))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

/// What is refused says why, and what to do.
#[track_caller]
fn refused((status, answer): (u16, Value), expect: u16, parts: &[&str]) {
    let said = |field: &str| answer["error"][field].as_str().unwrap_or_default().to_owned();
    let text = format!("{} {}", said("message"), said("hint"));
    assert!(status == expect && !said("hint").is_empty() && parts.iter().all(|part| text.contains(part)), "{status}: {answer}");
}

/// Ends a job that is not at its end.
fn ended(process: Running) {
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
}

#[test]
fn the_state_of_a_key_is_shown_as_it_is_between_two_calls() {
    let bench = Bench::new(WEIR, WordCount { parallelism: 2, ..WordCount::long() });
    let mut process = bench.start("run job.toml");
    let api = bench.api(&mut process);
    assert!(process.runs_until("each word", || get(&api, "/v1/state?operator=count&key=word7").0 == 200 && !bench.parts().is_empty()));
    let mut counts = Vec::new();
    for _ in 0..20 {
        let (status, found) = get(&api, "/v1/state?operator=count&key=word7");
        assert_eq!((status, &found["key"], &found["truncated"]), (200, &json!("word7"), &json!(false)), "{found}");
        let [state] = &found["states"].as_array().expect("a list")[..] else { panic!("{found}") };
        assert_eq!((&state["name"], &state["kind"], &state["truncated"]), (&json!("occurrences"), &json!("value"), &json!(false)));
        counts.push(state["value"]["count"].as_u64().unwrap_or_else(|| panic!("{found}")));
    }
    assert!(counts.is_sorted() && counts[0] > 0, "{counts:?}");
    // What a checkpoint behind it has is no less, and what is asked for behind that again.
    let rows = bench.run("state get words count --key word7 --now --output json").document();
    let (kept, (_, found)) = (rows["rows"][0]["value"]["count"].as_u64(), get(&api, "/v1/state?operator=count&key=0x776f726437"));
    assert!(kept >= counts.last().copied() && found["states"][0]["value"]["count"].as_u64() >= kept, "{counts:?} {rows} {found}");
    assert_eq!((&found["key_group"], &found["subtask"]), (&rows["key_group"], &rows["subtask"]));

    refused(get(&api, "/v1/state?operator=count&key=nobody"), 404, &["the key `nobody` has no state in count"]);
    refused(get(&api, "/v1/state?operator=cuont&key=word7"), 404, &["no operator `cuont`", "count"]);
    refused(get(&api, "/v1/state?operator=split&key=word7"), 409, &["`split` keeps nothing by key"]);
    refused(get(&api, "/v1/state?operator=lines&key=word7"), 409, &["`lines` keeps nothing by key"]);
    refused(get(&api, "/v1/state?operator=count&key=0xzz"), 422, &["no pairs of hex digits"]);
    refused(get(&api, "/v1/state?operator=count"), 400, &["key"]);
    ended(process);
}

/// A job that sets aside one row of ten for a minute.
fn setting_aside() -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut text = String::new();
    (0..8_000).for_each(|row| writeln!(text, "{{\"row\":\"<b>{row}\"{}", if row % 10 == 3 { "" } else { "}" }).expect("a text"));
    fs::write(bench.path("rows.jsonl"), text).expect("an input");
    bench.write_job(
        "name = \"words\"
[checkpoints]
interval = \"50ms\"
[source.rows]
connector = \"file\"
path = \"rows.jsonl\"
format = \"jsonl\"
on-error = \"quarantine\"
rate = 130
[sink.out]
connector = \"file\"
input = \"rows\"
path = \"out\"
",
    );
    bench
}

/// The numbers of the rows in these records.
fn rows_of(found: &Value) -> Vec<u64> {
    let row = |record: &Value| record["value"].as_str()?.strip_prefix("{\"row\":\"<b>")?.trim_end_matches('"').parse().ok();
    found["records"].as_array().expect("a list").iter().map(|record| row(record).unwrap_or_else(|| panic!("{record}"))).collect()
}

#[test]
fn what_was_set_aside_is_told_from_the_newest_on_and_a_damaged_file_hides_nothing() {
    let bench = setting_aside();
    let mut process = bench.start("run job.toml");
    let api = bench.api(&mut process);
    assert!(process.runs_until("rows are set aside", || rows_of(&get(&api, "/v1/quarantine?vertex=rows&limit=9999").1).len() >= 5));
    let (status, found) = get(&api, "/v1/quarantine?vertex=rows&offset=1&limit=3");
    let rows = rows_of(&found);
    assert!(status == 200 && rows.len() == 3 && rows.is_sorted_by(|newer, older| newer == &(older + 10)), "{found}");
    let record = &found["records"][0];
    assert!(record["operator"] == "rows" && record["error"].as_str().is_some_and(|error| error.contains("rows.jsonl, line ")), "{record}");

    let folder = bench.storage().join("quarantine/rows");
    fs::write(folder.join("part-0-99999-damaged.jsonl"), "{\"value\":\"cut o").expect("a file");
    fs::create_dir(folder.join("part-0-99998-folder.jsonl")).expect("a folder");
    let (_, found) = get(&api, "/v1/quarantine?vertex=rows&limit=500");
    assert!(rows_of(&found).contains(&3) && rows_of(&found).contains(&43), "{found}");
    let problems = found["problems"].as_array().expect("a list");
    let names = |file: &str| problems.iter().any(|problem| problem["file"].as_str().is_some_and(|path| path.ends_with(file)));
    assert!(names("quarantine/rows/part-0-99999-damaged.jsonl"), "{problems:?}");
    assert_eq!(found["total"].as_u64(), Some(rows_of(&found).len() as u64 + problems.len() as u64), "{found}");

    assert_eq!(get(&api, "/v1/quarantine?vertex=out").1["records"], json!([]));
    refused(get(&api, "/v1/quarantine?vertex=..%2Flog"), 404, &["no step `../log`", "rows"]);
    refused(get(&api, "/v1/quarantine"), 400, &["vertex"]);
    ended(process);
}

/// A job of one operator and its plugin, which reads a CSV file by a key. `settings`: of the job; `of_source`: further lines of its source.
fn job(settings: &str, path: &str, key: &str, of_source: &str, (operator, package): (&str, &str)) -> String {
    let plugin = plugin(package);
    format!(
        "name = \"words\"\n{settings}\n[source.rows]\nconnector = \"file\"\npath = \"{path}\"\nformat = \"csv\"\nkey = \"{key}\"\n{of_source}\n\
         [operator.{operator}]\nplugin = {plugin:?}\ninput = {{ from = \"rows\", by = \"key\" }}\n\
         [sink.out]\nconnector = \"file\"\ninput = \"{operator}\"\npath = \"out\"\n"
    )
}

/// Asks whether a component would fit.
fn check(api: &str, operator: &str, component: &[u8]) -> (u16, Value) {
    let asked = agent().post(format!("http://{api}/v1/upgrade/check?operator={operator}&name=new.wasm"));
    let mut answer = asked.header("content-type", "application/wasm").send(component).expect("an answer");
    (answer.status().as_u16(), serde_json::from_str(&answer.body_mut().read_to_string().expect("a text")).expect("JSON"))
}

#[test]
fn whether_another_component_fits_is_known_before_anything_is_changed() {
    let component = |package: &str| fs::read(plugin(package)).expect("a component");
    let (first, second, count) = (component("flight-delays"), component("flight-delays-v2"), component("word-count-count"));
    let bench = Bench::new(WEIR, WordCount::default());
    let rows: String = (0..30_000).map(|row| format!("N{},{}\n", row % 30, row % 100)).collect();
    fs::write(bench.path("flights.csv"), format!("tailnum,arr_delay\n{rows}")).expect("an input");
    bench.write_job(&job("[checkpoints]\ninterval = \"50ms\"", "flights.csv", "tailnum", "rate = 500", ("delays", "flight-delays")));
    let mut process = bench.start("run job.toml");
    let api = bench.api(&mut process);
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));

    let (status, fits) = check(&api, "delays", &second);
    assert_eq!((status, &fits["fits"], &fits["problems"]), (200, &json!(true), &json!([])), "{fits}");
    let changes: Vec<&str> = fits["changes"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(changes.contains(&"delays.totals: migrated from version 1 to 2"), "{changes:?}");
    assert!(changes.iter().any(|change| change.starts_with("delays: component ")), "{changes:?}");
    assert!(fits["plugin"]["digest"].as_str().is_some_and(|digest| digest.len() == 64) && fits["plugin"]["name"].is_string(), "{fits}");
    let (_, same) = check(&api, "delays", &first);
    assert_eq!((&same["fits"], &same["changes"]), (&json!(true), &json!([])), "{same}");
    for (bytes, part) in [(&count, "delays.totals"), (&b"no component".to_vec(), "new.wasm")] {
        let (status, other) = check(&api, "delays", bytes);
        let problem = &other["problems"][0];
        assert_eq!((status, &other["fits"]), (200, &json!(false)), "{other}");
        assert!(problem["message"].as_str().is_some_and(|text| text.contains(part)), "{other}");
    }
    refused(check(&api, "nobody", &first), 404, &["no operator `nobody`", "delays"]);
    let (_, job) = get(&api, "/v1/job");
    assert_eq!(
        (&job["vertices"][0]["plugin"], &job["vertices"][1]["plugin"]["digest"]),
        (&Value::Null, &same["plugin"]["digest"]),
        "{job}"
    );
    assert_eq!((&job["change"], &job["restarts"]), (&Value::Null, &json!(0)), "nothing has been changed by it");
    assert_eq!(bench.log().attempts, 1);
    // It runs on, and what was said comes true.
    let upgrade = bench.run(&format!("upgrade words --operator delays --plugin {} --probation 0s", plugin("flight-delays-v2").display()));
    upgrade.assert(0, &[]);
    let runs = &get(&api, "/v1/job").1["vertices"][1]["plugin"];
    assert!(["name", "version", "digest"].iter().all(|of| runs[*of] == fits["plugin"][*of]), "{runs} is what fitted: {fits}");
    let config = get(&api, "/v1/config").1["vertices"][1]["runs"].as_str().unwrap_or_default().to_owned();
    assert!(config.ends_with(&format!("({})", &runs["digest"].as_str().expect("a digest")[..8])), "{config}");
    let (_, back) = check(&api, "delays", &first);
    assert!(back["problems"][0]["message"].as_str().is_some_and(|text| text.contains("the job has an older version of it")), "{back}");
    ended(process);
}

#[test]
fn a_failure_is_told_with_the_record_that_it_came_with() {
    let bench = Bench::new(WEIR, WordCount::default());
    fs::write(bench.path("words.csv"), "word\nwell\nfail\n").expect("an input");
    bench.write_job(&job("[restart]\ndelay = \"10s\"", "words.csv", "word", "", ("faulty", "faulty")));
    let mut process = bench.start("run job.toml");
    let api = bench.api(&mut process);
    let mut failures = Value::Null;
    assert!(process.runs_until("a failure", || {
        failures = get(&api, "/v1/failures").1["failures"].clone();
        failures.as_array().is_some_and(|failures| !failures.is_empty())
    }));
    let record = json!({ "operator": "faulty", "key": "fail", "value": "fail", "timestamp": null });
    assert_eq!(failures[0]["record"], record, "{failures}");
    process.send(Signal::Terminate);
    process.ended();
}
