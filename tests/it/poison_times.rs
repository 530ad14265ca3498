//! Timers and windows that a plugin traps on, in the real binary over kills, other parallelisms and barriers that overtake: each is set aside once with its key and its time,
//! nothing is kept of it, and all others are as if it had not been.

use crate::WEIR;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use weir_tests::process::{Bench, Lines, Seed, TimedRow, WindowsOfRows, WordCount, differences, plugin, told_windows, windows_of};

const ROWS: u64 = 2_400;
const KEYS: u64 = 30;
/// 1970-02-01T00:00:00Z.
const FIRST: i64 = 2_678_400_000;
/// A row comes less than so many seconds late.
const DISORDER: i64 = 60;
/// Rows in a second, while processes are killed.
const RATE: u64 = 240;
/// The plugins trap on these keys.
const POISON: [u64; 2] = [3, 11];

fn rows() -> Vec<TimedRow> {
    TimedRow::nearly_in_order(ROWS, KEYS, (FIRST, DISORDER))
}

/// A folder with rows, and a job that hands them to a plugin which traps on some keys. What is set aside goes to `bad`.
fn bench(package: &str, operator: &str, checkpoints: &str) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    fs::write(bench.path("rows.csv"), TimedRow::HEADER.to_owned() + &TimedRow::text(&rows())).expect("an input");
    bench.write_job(&format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
{checkpoints}
[source.rows]
connector = \"file\"
path = \"rows.csv\"
format = \"csv\"
key = \"key\"
timestamp = {{ field = \"at\", format = \"unix-ms\" }}
watermark = {{ delay = \"{DISORDER}s\" }}
rate = {RATE}
[operator.poisoned]
plugin = {:?}
input = {{ from = \"rows\", by = \"key\" }}
on-failure = \"quarantine\"
config = {{ traps-on = {:?} }}
{operator}
[sink.out]
connector = \"file\"
input = \"poisoned\"
path = \"out\"
[sink.bad]
connector = \"file\"
input = \"poisoned.quarantine\"
path = \"bad\"
",
        plugin(package),
        POISON.map(|key| key.to_string())
    ));
    bench
}

/// Runs the job to its end over kills, of which the first comes when something has been set aside, and gives what has been.
#[track_caller]
fn set_aside(bench: &Bench) -> Vec<Value> {
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("something is set aside", || !bench.committed_in("bad").is_empty()));
    assert!(process.kill());
    bench.kill_at_parallelisms(&mut Seed::of_run(), &[3, 1, 2]);
    bench.edit_job(&format!("rate = {RATE}\n"), "rate = 5000\n");
    bench.run("run job.toml").assert(0, &["resuming from checkpoint", "finished"]);
    bench.assert_nothing_pending();
    let report = |line: &str| {
        let report: Value = serde_json::from_str(line).expect("a report is JSON");
        assert_eq!(report["operator"], "poisoned", "{line}");
        assert!(report["error"].as_str().is_some_and(|error| error.contains("it traps")), "{line}");
        report
    };
    bench.committed_in("bad").iter().flat_map(|(line, times)| (0..*times).map(|_| report(line))).collect()
}

fn key_of(report: &Value) -> u64 {
    report["key"].as_str().and_then(|key| key.parse().ok()).expect("a key")
}

/// What is kept at the end, as `weir state` shows it.
#[track_caller]
fn kept(bench: &Bench) -> String {
    bench.run("state scan job.toml poisoned --format jsonl -q").assert(0, &[]).stdout.clone()
}

#[test]
fn windows_that_trap_are_set_aside_once_with_all_that_was_kept_of_them_and_the_others_speak() {
    const SIZE: i64 = 20_000;
    for checkpoints in ["", "unaligned = \"always\""] {
        let bench = bench("window-teller", &format!("window = {{ tumbling = \"{SIZE}ms\" }}"), checkpoints);
        let reports = set_aside(&bench);
        let (poison, good): (WindowsOfRows, WindowsOfRows) =
            windows_of(&rows(), SIZE).into_iter().partition(|((key, _), _)| POISON.contains(key));
        assert_eq!(told_windows(&bench.committed(), SIZE), good);
        assert!(reports.iter().all(|report| report["reason"] == "on-time" && report["revision"] == 0), "{reports:?}");
        let told: BTreeSet<(u64, i64)> = reports.iter().map(|report| window_of(report, SIZE)).collect();
        assert_eq!((reports.len(), told), (poison.len(), poison.into_keys().collect()));
        assert_eq!(kept(&bench), "", "nothing is kept of windows that are over");
    }
}

/// The key and the start of the window that a report tells of.
#[track_caller]
fn window_of(report: &Value, size: i64) -> (u64, i64) {
    let (start, end) = (report["window"]["start"].as_i64().expect("a time"), report["window"]["end"].as_i64());
    assert_eq!(end, Some(start + size), "{report}");
    (key_of(report), start)
}

/// What each window said last.
fn last_words(lines: &Lines) -> WindowsOfRows {
    let mut last = BTreeMap::new();
    for line in lines.keys() {
        let [key, bounds, _, revision, rows, "-"] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}: no window") };
        let number = |text: &str| text.parse::<u64>().expect("a number");
        let start: i64 = bounds.split_once("..").and_then(|(start, _)| start.parse().ok()).expect("a time");
        let said = (number(revision), rows.split(',').map(number).collect());
        let before = last.entry((number(key), start)).or_insert_with(|| said.clone());
        if *before < said {
            *before = said;
        }
    }
    last.into_iter().map(|(of, (_, rows))| (of, rows)).collect()
}

#[test]
fn a_window_that_has_trapped_is_forgotten_and_begins_anew_with_what_comes_in_its_lateness() {
    const SIZE: i64 = 60_000;
    let window = format!("window = {{ tumbling = \"{SIZE}ms\", lateness = \"{DISORDER}s\" }}");
    let bench = bench("window-teller", &window, "");
    bench.edit_job(&format!("delay = \"{DISORDER}s\""), "delay = \"0s\"");
    let reports = set_aside(&bench);
    let (poison, good): (WindowsOfRows, WindowsOfRows) =
        windows_of(&rows(), SIZE).into_iter().partition(|((key, _), _)| POISON.contains(key));
    assert_eq!(last_words(&bench.committed()), good);
    let again = reports.iter().filter(|report| report["reason"] == "correction").count();
    assert!(again > 0 && reports.iter().all(|report| report["revision"] == 0), "{again} came again: {reports:?}");
    let told: BTreeSet<(u64, i64)> = reports.iter().map(|report| window_of(report, SIZE)).collect();
    assert_eq!(told, poison.into_keys().collect());
}

const MINUTE: i64 = 60_000;

/// How many rows of each key there are in each minute.
fn counts() -> BTreeMap<(u64, i64), u64> {
    let mut counts = BTreeMap::new();
    rows().iter().for_each(|row| *counts.entry((row.key, row.time.div_euclid(MINUTE))).or_default() += 1);
    counts
}

#[test]
fn timers_that_trap_are_set_aside_once_and_the_others_fire_those_of_their_keys_among_them() {
    for checkpoints in ["", "unaligned = \"always\""] {
        let bench = bench("trapping-timers", "", checkpoints);
        let reports = set_aside(&bench);
        let traps = |&(key, minute): &(u64, i64)| POISON.contains(&key) && minute % 2 == 0;
        let lines: Lines =
            counts().into_iter().filter(|(of, _)| !traps(of)).map(|((key, minute), n)| (format!("{key} {minute} {n}"), 1)).collect();
        assert_eq!(differences(&bench.committed(), &lines), None);
        let timer = |report: &Value| {
            assert_eq!(report["timer"], "over", "{report}");
            (key_of(report), report["timestamp"].as_i64().expect("a time") / MINUTE - 1)
        };
        let told: BTreeSet<(u64, i64)> = reports.iter().map(timer).collect();
        let wanted: BTreeSet<(u64, i64)> = counts().into_keys().filter(traps).collect();
        assert_eq!((reports.len(), &told), (wanted.len(), &wanted));
        // What a timer took away before it trapped is there again.
        let kept = kept(&bench);
        let is_kept = |(key, minute): &(u64, i64)| kept.contains(&format!("\"key\":\"{key}\"")) && kept.contains(&minute.to_string());
        assert!(wanted.iter().all(is_kept), "{kept}");
    }
}
