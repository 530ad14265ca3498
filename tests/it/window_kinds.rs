//! Windows of every kind under the real binary, over kills and other parallelisms: they fire early, take late records and correct what they said. What they told is
//! judged as in simulations ([`weir_tests::simulation::judge_told`]): each record is in the last word of as many windows as it belongs to, or came too late, and
//! no window says the same twice.

use crate::WEIR;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use weir_tests::process::{Bench, Seed, WordCount, plugin};
use weir_tests::simulation::scenarios::{CALM, speaking};
use weir_tests::simulation::{Scenario, Speaking, Spoken, judge_told};

const ROWS: u64 = 900;
/// Rows in a second, while processes are killed.
const RATE: u64 = 450;

fn scenario(of: Speaking) -> Scenario {
    speaking(of, Scenario { records: ROWS, ..CALM })
}

fn key(row: u64) -> u64 {
    row % CALM.keys % CALM.counted_keys
}

/// A folder with rows of a number, a key and a time, most of them in order, and a job that puts them into `windows`.
fn bench(of: Speaking, windows: &str) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let mut text = "n,key,at\n".to_owned();
    let time = scenario(of).counter.time();
    (0..ROWS).for_each(|row| writeln!(text, "{row},{},{}", key(row), time(row)).expect("a text"));
    fs::write(bench.path("rows.csv"), text).expect("an input");
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
timestamp = {{ field = \"at\", format = \"unix-ms\" }}
watermark = {{ delay = \"0s\" }}
rate = {RATE}
[operator.tell]
plugin = {:?}
input = {{ from = \"rows\", by = \"key\" }}
window = {windows}
[sink.out]
connector = \"file\"
input = \"tell\"
path = \"out\"
[sink.late]
connector = \"file\"
input = \"tell.late\"
path = \"late\"
",
        plugin("window-teller")
    ));
    bench
}

/// Runs the job to its end over kills, and judges what it told, and what it has left open.
#[track_caller]
fn told(of: Speaking, windows: &str) -> (Spoken, Vec<String>) {
    let (bench, mut seed) = (bench(of, windows), Seed::of_run());
    bench.kill_at_parallelisms(&mut seed, &[3, 1]);
    bench.edit_job(&format!("rate = {RATE}\n"), "rate = 1000000\n");
    bench.run("run job.toml").assert(0, &["finished"]);
    let committed = ["out", "late"].map(|folder| bench.committed_in(folder));
    let all = committed.into_iter().flatten().flat_map(|(line, times)| (0..times).map(move |_| line.clone()));
    let (lines, open) = (all.collect::<Vec<String>>(), left_open(&bench));
    bench.assert_nothing_pending();
    let spoken = judge_told(scenario(of), of, &lines, Some(&open)).unwrap_or_else(|what| panic!("{windows}: {what}"));
    (spoken, lines)
}

/// The rows of each window that is open when the job has finished.
fn left_open(bench: &Bench) -> Vec<Vec<u64>> {
    let scanned = bench.run("state scan job.toml tell --format jsonl -q");
    scanned.assert(0, &[]);
    let mut open: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
    for line in scanned.stdout.lines() {
        let row: Value = serde_json::from_str(line).expect("a line is JSON");
        let windows = open.entry((row["key"].to_string(), row["window"].to_string())).or_default();
        windows.extend((row["state"] == "rows").then(|| row["value"].as_str().and_then(|row| row.parse::<u64>().ok())).flatten());
    }
    open.into_values().collect()
}

#[test]
fn hopping_windows_speak_early_and_are_corrected_and_lose_and_double_nothing() {
    let emit = "emit = { every = \"20ms\" }";
    let (hopping, _) = told(Speaking::Hopping, &format!("{{ hopping = \"150ms\", every = \"50ms\", lateness = \"40ms\", {emit} }}"));
    assert!(hopping.early > 0 && hopping.corrections > 0 && hopping.late > 0, "{hopping:?}");
}

#[test]
fn tumbling_windows_and_sessions_speak_early_and_are_corrected_and_lose_and_double_nothing() {
    let emit = "emit = { every = \"20ms\" }";
    let (tumbling, _) = told(Speaking::Tumbling, &format!("{{ tumbling = \"150ms\", offset = \"20ms\", lateness = \"40ms\", {emit} }}"));
    assert!(tumbling.early > 0 && tumbling.corrections > 0 && tumbling.late > 0, "{tumbling:?}");
    let (sessions, _) = told(Speaking::Sessions, &format!("{{ session = \"7ms\", lateness = \"40ms\", {emit} }}"));
    assert!(sessions.corrections > 0 && sessions.late > 0, "{sessions:?}");
}

#[test]
fn counts_fire_when_they_are_full_and_a_global_window_at_the_end() {
    let (_, counts) = told(Speaking::Counts, "{ count = 7 }");
    let mut of_keys: BTreeMap<u64, u64> = BTreeMap::new();
    (0..ROWS).for_each(|row| *of_keys.entry(key(row)).or_default() += 1);
    assert_eq!(counts.len() as u64, of_keys.values().map(|rows| rows / 7).sum::<u64>(), "every count that is full has fired");
    let (global, _) = told(Speaking::Global, "{ global = true, emit = { every = \"50ms\" } }");
    assert!(global.early > 0, "{global:?}");
}

#[test]
fn windows_by_the_clock_fire_once_and_those_that_go_on_keep_their_records() {
    let (by_clock, lines) = told(Speaking::ByClock, "{ tumbling = \"60ms\", time = \"processing\", emit = { every = \"20ms\" } }");
    assert!(by_clock.early > 0 && by_clock.late == 0 && lines.iter().any(|line| line.contains("OnTime")), "{by_clock:?}");
}
