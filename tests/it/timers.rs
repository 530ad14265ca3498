//! Timers of a plugin under the real binary: what fires is what a plain look at the input says, once, over kills, other parallelisms and an upgrade; and
//! timers by the clock fire while nothing comes.

use crate::WEIR;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use weir_tests::process::{Bench, Lines, Seed, WordCount, differences, plugin, write_variant};

const ROWS: u64 = 2_600;
const AIRCRAFT: u64 = 40;
/// A flight is awaited for so many hours.
const WITHIN: u64 = 24;
/// A row comes less than so many hours late.
const DISORDER: u64 = 10;

/// The hour and the aircraft of each flight, nearly in order; all of them, and those awaited, are in January 1970.
fn flights() -> Vec<(u64, u64)> {
    let mut rng = fastrand::Rng::with_seed(17);
    (0..ROWS).map(|row| (DISORDER + row / 4 - rng.u64(..DISORDER), rng.u64(..AIRCRAFT))).collect()
}

fn utc(hour: u64) -> String {
    format!("1970-01-{:02}T{:02}:00:00Z", hour / 24 + 1, hour % 24)
}

/// The alerts: flights that no other of the aircraft follows in time.
fn model() -> Lines {
    let mut hours: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    flights().into_iter().for_each(|(hour, aircraft)| hours.entry(aircraft).or_default().push(hour));
    let mut lines = Lines::new();
    for (aircraft, mut hours) in hours {
        hours.sort();
        hours.dedup();
        for (place, &hour) in hours.iter().enumerate() {
            if hours.get(place + 1).is_none_or(|next| *next > hour + WITHIN) {
                let (last, since) = (utc(hour), utc(hour + WITHIN));
                lines.insert(format!("{{\"tailnum\":\"N{aircraft}\",\"last_flight\":\"{last}\",\"overdue_since\":\"{since}\"}}"), 1);
            }
        }
    }
    assert!(lines.len() > 100, "{} alerts", lines.len());
    lines
}

/// A folder with the flights, of which so many are read in a second.
fn bench(rate: u64) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut text = "tailnum,time\n".to_owned();
    for (hour, aircraft) in flights() {
        writeln!(text, "N{aircraft},{}", hour * 3_600_000).expect("a text");
    }
    fs::write(bench.path("flights.csv"), text).expect("an input");
    bench.write_job(&format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.flights]
connector = \"file\"
path = \"flights.csv\"
format = \"csv\"
key = \"tailnum\"
timestamp = \"time\"
watermark = {{ delay = \"{DISORDER}h\" }}
rate = {rate}
[operator.alert]
plugin = {:?}
input = {{ from = \"flights\", by = \"key\" }}
config = {{ within-hours = {WITHIN} }}
[sink.out]
connector = \"file\"
input = \"alert\"
path = \"out\"
",
        plugin("alert")
    ));
    bench
}

#[track_caller]
fn assert_fired_once(bench: &Bench) {
    if let Some(how) = differences(&bench.committed(), &model()) {
        panic!("the alerts are not those of the flights: {how}");
    }
    bench.assert_nothing_pending();
}

#[test]
fn timers_fire_once_over_kills_and_other_parallelisms() {
    let (bench, mut seed) = (bench(ROWS / 3), Seed::of_run());
    bench.kill_at_parallelisms(&mut seed, &[3, 1, 4, 2]);
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_fired_once(&bench);
}

#[test]
fn an_upgrade_of_a_running_job_keeps_its_timers() {
    let bench = bench(ROWS / 4);
    write_variant(&plugin("alert"), &bench.path("other.wasm"));
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("an alert", || !bench.committed().is_empty()));
    let upgraded = bench.run("upgrade words --operator alert --plugin other.wasm --probation 200ms --output json");
    upgraded.assert(0, &[]);
    assert_eq!(upgraded.document()["outcome"], "accepted");
    process.ended().assert(0, &["finished"]);
    assert_fired_once(&bench);
}

#[test]
fn timers_that_are_set_are_shown_as_their_times() {
    let bench = bench(ROWS / 4);
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("an alert", || !bench.committed().is_empty()));
    assert!(process.kill());
    let list = bench.run("state list job.toml alert --output json").document();
    let names: Vec<_> = list["operators"][0]["states"].as_array().into_iter().flatten().map(|state| state["name"].clone()).collect();
    assert_eq!(names, ["flights", "weir:timer:awaited"]);
    let scanned = bench.run("state scan job.toml alert --format jsonl -q");
    scanned.assert(0, &[]);
    let rows = scanned.stdout.lines().map(|row| serde_json::from_str::<Value>(row).expect("a row is JSON"));
    let mut of_keys: BTreeMap<String, [Vec<String>; 2]> = BTreeMap::new();
    for row in rows {
        let is_timer = row["state"] == "weir:timer:awaited";
        let values = row["value"].as_array().into_iter().flatten();
        let text = |value: &Value| match value.as_i64() {
            Some(flight) => utc(flight as u64 / 3_600_000 + WITHIN).replace('Z', ".000Z"),
            None => value.as_str().expect("a time").to_owned(),
        };
        of_keys.entry(row["key"].to_string()).or_default()[usize::from(is_timer)] = values.map(text).collect();
    }
    assert!(!of_keys.is_empty());
    // Each flight that is kept has its timer.
    of_keys.into_iter().for_each(|(key, [flights, timers])| assert_eq!(flights, timers, "{key}"));
}

#[test]
fn a_timer_by_the_clock_fires_while_the_input_is_quiet() {
    let bench = Bench::new(WEIR, WordCount::default());
    let input = |text: &str| {
        let mut rows = fs::File::options().create(true).append(true).open(bench.path("rows.csv")).expect("a file");
        rows.write_all(text.as_bytes()).expect("written");
    };
    input("key,value\na,1\nb,2\na,3\n");
    bench.write_job(&format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.rows]
connector = \"file\"
path = \"rows.csv\"
format = \"csv\"
key = \"key\"
follow = true
[operator.later]
plugin = {:?}
input = {{ from = \"rows\", by = \"key\" }}
[sink.out]
connector = \"file\"
input = \"later\"
path = \"out\"
",
        plugin("echo-later")
    ));
    let lines = |lines: &[&str]| lines.iter().map(|line| ((*line).to_owned(), 1)).collect::<Lines>();
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("two lines", || bench.committed() == lines(&["a a,3", "b b,2"])));
    // Killed while a timer is set, or just behind it: what came due meanwhile fires when the job goes on.
    input("c,4\n");
    let completed = bench.log().completed.len();
    assert!(process.runs_until("a checkpoint", || bench.log().completed.len() > completed));
    assert!(process.kill());
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("the third line", || bench.committed() == lines(&["a a,3", "b b,2", "c c,4"])));
    assert!(process.kill());
}
