//! Windows in replays and dry runs of the real binary: a replay over the sources goes on where a stopped job would, a recorded one says what the job said, and a
//! version of a plugin agrees with itself.

use crate::WEIR;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use weir_tests::process::{Bench, Lines, Signal, WordCount, plugin};

const ROWS: u64 = 2_000;

/// Where a flight leaves from, and the hour in 1970.
fn flights() -> Vec<(String, u64)> {
    let mut rng = fastrand::Rng::with_seed(31);
    (0..ROWS).map(|row| (format!("A{}", rng.u64(..10)), 20 + row / 8 - rng.u64(..20))).collect()
}

fn utc(hour: u64) -> String {
    format!("1970-01-{:02}T{:02}:00:00Z", hour / 24 + 1, hour % 24)
}

fn bench(settings: &str, rate: u64) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut text = "origin,time_hour\n".to_owned();
    for (origin, hour) in flights() {
        writeln!(text, "{origin},{}", utc(hour)).expect("a text");
    }
    fs::write(bench.path("flights.csv"), text).expect("an input");
    bench.write_job(&format!(
        "name = \"words\"
[checkpoints]
interval = \"50ms\"
retain = 1000
[source.flights]
connector = \"file\"
path = \"flights.csv\"
format = \"csv\"
key = \"origin\"
timestamp = \"time_hour\"
watermark = {{ delay = \"5h\" }}
rate = {rate}
[operator.traffic]
plugin = {:?}
input = {{ from = \"flights\", by = \"key\" }}
window = {{ tumbling = \"1h\", lateness = \"8h\" }}
{settings}
[sink.out]
connector = \"file\"
input = \"traffic\"
path = \"out\"
[sink.late]
connector = \"file\"
input = \"traffic.late\"
path = \"late\"
",
        plugin("hourly-traffic")
    ));
    bench
}

/// What a replay's lines say was emitted by an output.
fn emitted(lines: &[Value], output: &str) -> Lines {
    let mut emitted = Lines::new();
    let outputs = lines.iter().flat_map(|line| line["outputs"].as_array().into_iter().flatten());
    for one in outputs.filter(|one| one["output"] == output) {
        *emitted.entry(one["value"].as_str().expect("a text").to_owned()).or_default() += 1;
    }
    emitted
}

fn lines_of(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The flights of each hour: those of the last revision of each window, and what came too late.
fn totals(said: &[Lines; 2], late: &[Lines; 2]) -> BTreeMap<(String, String), u64> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut last: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    let json = |line: &String| serde_json::from_str::<Value>(line).expect("JSON");
    for line in said.iter().flat_map(|lines| lines.keys()).map(json) {
        let number = |name: &str| line[name].as_u64().expect("a number");
        let of = last.entry((text(&line["origin"]), text(&line["hour"]))).or_default();
        *of = (*of).max((number("revision"), number("flights")));
    }
    let mut totals: BTreeMap<_, _> = last.into_iter().map(|(of, (_, flights))| (of, flights)).collect();
    for (line, times) in late.iter().flatten() {
        let (line, row) = (json(line), text(&json(line)["value"]));
        *totals.entry((text(&line["key"]), row.split(',').next_back().expect("its hour").to_owned())).or_default() += times;
    }
    totals
}

#[test]
fn a_replay_over_the_sources_fires_what_a_stopped_job_has_open_and_what_comes_behind_it() {
    let bench = bench("", ROWS / 4);
    let mut process = bench.start("run job.toml --output json");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    process.send(Signal::Interrupt);
    let ended = process.ended();
    ended.assert(0, &["windows open"]);
    let (run, stored) = (ended.document(), bench.run("state list job.toml traffic --output json").document());
    let named = |all: &Value, (key, name): (&str, &str)| all.as_array().into_iter().flatten().find(|one| one[key] == name).cloned();
    let open = named(&run["vertices"], ("id", "traffic")).expect("a step")["open_windows"].clone();
    let windows = named(&stored["operators"][0]["states"], ("name", "weir:window")).expect("a state");
    assert!(open.as_u64() > Some(0) && open == windows["keys"], "{run} {stored}");
    let replay = bench.run("replay job.toml --operator traffic");
    replay.assert(0, &["windows and timers fired", "a possible run: the sources were read again; event time came to its end"]);
    let lines = lines_of(&replay.stdout);
    let windows: Vec<&Value> = lines.iter().filter(|line| line["fired"] == "window").collect();
    assert!(!windows.is_empty());
    for line in &windows {
        let bounds = [&line["window"]["start"], &line["window"]["end"]].map(|bound| bound.as_i64().expect("a bound"));
        assert!(bounds[1] - bounds[0] == 3_600_000 && line["reason"].is_string() && line["revision"].is_u64(), "{line}");
        let emitted: Value = serde_json::from_str(line["outputs"][0]["value"].as_str().expect("a row")).expect("JSON");
        assert_eq!((&emitted["origin"], emitted["revision"].as_u64()), (&line["key"], line["revision"].as_u64().map(|before| before + 1)));
    }
    let (said, late) = (emitted(&lines, "out"), emitted(&lines, "late"));
    let (before, late_before) = (bench.committed(), bench.committed_in("late"));
    let mut counted: BTreeMap<(String, String), u64> = BTreeMap::new();
    flights().into_iter().for_each(|(origin, hour)| *counted.entry((origin, utc(hour))).or_default() += 1);
    assert_eq!(totals(&[before, said], &[late_before, late]), counted);
    assert_eq!(bench.run("replay job.toml --operator traffic -q").stdout, replay.stdout, "two replays are the same");

    let own = plugin("hourly-traffic");
    let compared = bench.run(&format!("upgrade job.toml --operator traffic --plugin {} --dry-run --output json", own.display()));
    let document = compared.document();
    assert_eq!((compared.code, &document["agrees"], &document["ended"]), (Some(0), &true.into(), &true.into()), "{document}");
    let fired: u64 = windows.len() as u64;
    assert_eq!((document["old"]["windows"].as_u64(), document["new"]["windows"].as_u64()), (Some(fired), Some(fired)));
    assert_eq!(document["new"]["fired"][0]["fired"], "window", "{document}");
}

#[test]
fn a_window_that_the_plugin_fails_on_ends_a_replay_with_its_error() {
    let bench = bench("", ROWS);
    // The plugin reads keys as text, and the second is none.
    let rows = b"origin,time_hour\nA1,1970-01-01T10:05:00Z\n\xff,1970-01-01T10:10:00Z\nA1,1970-01-02T10:00:00Z\n";
    fs::write(bench.path("flights.csv"), rows).expect("an input");
    let replay = bench.run("replay job.toml --operator traffic --output json");
    let document = replay.document();
    let windows: Vec<&Value> = document["records"].as_array().into_iter().flatten().filter(|step| step["fired"] == "window").collect();
    let [told, failed] = windows[..] else { panic!("{document}") };
    assert_eq!((&told["key"], &told["error"]), (&"A1".into(), &Value::Null), "{document}");
    let error = failed["error"].as_str().expect("an error");
    assert!(error.contains("window 1970-01-01T10:00:00.000Z to 1970-01-01T11:00:00.000Z: the plugin failed on"), "{error}");
    assert_eq!((replay.code, document["error"].as_str()), (Some(1), Some(error)), "{document}");
    bench.run("replay job.toml --operator traffic").assert(1, &["the plugin failed on"]);
    let own = plugin("hourly-traffic");
    let compared = bench.run(&format!("upgrade job.toml --operator traffic --plugin {} --dry-run --output json", own.display())).document();
    assert_eq!((&compared["new"]["failures"], &compared["new"]["fired"][1]["error"]), (&1.into(), &error.into()), "{compared}");
}

#[test]
fn a_replay_that_cannot_go_on_shows_what_it_has_and_why() {
    let bench = bench("", ROWS);
    fs::write(bench.path("flights.csv"), "origin,time_hour\nA1,1970-01-01T10:05:00Z\nA1,soon\n").expect("an input");
    let first = bench.run("replay job.toml --operator traffic --output json");
    let rows = "A1,1970-01-01T10:05:00Z\n".repeat(20_000);
    fs::write(bench.path("flights.csv"), format!("origin,time_hour\n{rows}A1,soon\n")).expect("an input");
    let later = bench.run("replay job.toml --operator traffic --records 30000 --output json");
    for (replay, has_records) in [(first, false), (later, true)] {
        let document = replay.document();
        let error = document["error"].as_str().expect("an error");
        assert!(replay.code == Some(1) && error.contains("the timestamp \"soon\" of `time_hour`"), "{error}");
        assert_eq!(document["records"].as_array().is_some_and(|records| !records.is_empty()), has_records);
    }
}

#[test]
fn a_recorded_run_with_windows_is_replayed_as_it_was() {
    let bench = bench("record = true", ROWS);
    bench.run("run job.toml -q").assert(0, &[]);
    let log = bench.log();
    let first = log.completed.first().expect("a checkpoint").id;
    let from_first = bench.run(&format!("replay job.toml --operator traffic --from {first}"));
    from_first.assert(0, &["the run that there was"]);
    let lines = lines_of(&from_first.stdout);
    assert!(lines.iter().any(|line| line["fired"] == "window" && line["call"].is_u64() && line["undivided"].is_null()));
    let (said, committed) = (emitted(&lines, "out"), bench.committed());
    // What was committed with the first checkpoint is in front of it.
    let checkpoint_of = |part: &Path| part.to_string_lossy().rsplit('-').nth(1).and_then(|id| id.parse::<u64>().ok());
    let parts_of_first = bench.parts().into_iter().filter(|part| checkpoint_of(part) == Some(first));
    let mut all = said;
    for part in parts_of_first {
        let text = fs::read_to_string(part).expect("a part");
        text.lines().for_each(|line| *all.entry(line.to_owned()).or_default() += 1);
    }
    assert_eq!(all, committed);
}
