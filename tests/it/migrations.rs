//! A plugin whose new version keeps other state: it goes on where the old one left off, between two runs and while the job runs, and there is no way
//! back.

use crate::WEIR;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use weir_tests::process::{Bench, Lines, Signal, WordCount, differences, plugin};

const ROWS: u64 = 3_000;
const AIRCRAFT: u64 = 30;

/// Aircraft and delay of each row; of some the delay is not known.
fn rows() -> impl Iterator<Item = (u64, Option<i64>)> {
    let mut rng = fastrand::Rng::with_seed(11);
    (0..ROWS).map(move |_| (rng.u64(..AIRCRAFT), (rng.u8(..10) > 0).then(|| rng.i64(-60..240))))
}

/// A folder with the rows, which come within two seconds.
fn bench() -> Bench {
    // Of the job that a bench comes with, its name is kept: by that the storage is found.
    let bench = Bench::new(WEIR, WordCount::default());
    let mut text = "tailnum,arr_delay\n".to_owned();
    for (aircraft, delay) in rows() {
        writeln!(text, "N{aircraft},{}", delay.map_or("NA".into(), |delay| delay.to_string())).expect("a text");
    }
    fs::write(bench.path("flights.csv"), text).expect("an input");
    bench
}

fn job_file(package: &str, parallelism: u32) -> String {
    let plugin = plugin(package);
    format!(
        "name = \"words\"
parallelism = {parallelism}
[checkpoints]
interval = \"50ms\"
[source.flights]
connector = \"file\"
path = \"flights.csv\"
format = \"csv\"
key = \"tailnum\"
rate = {}
[operator.delays]
plugin = {plugin:?}
input = {{ from = \"flights\", by = \"key\" }}
[sink.out]
connector = \"file\"
input = \"delays\"
path = \"out\"
",
        ROWS / 2
    )
}

/// Runs the job until it has taken two more checkpoints, and stops it.
#[track_caller]
fn run_and_stop(bench: &Bench) -> String {
    let before = bench.log().completed.len();
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("two checkpoints", || bench.log().completed.len() >= before + 2));
    process.send(Signal::Terminate);
    let ended = process.ended();
    ended.assert(0, &[]);
    ended.stderr
}

/// What is known of an aircraft.
#[derive(Default)]
struct Totals {
    flights: u64,
    total: i64,
    /// The longest delay that the second version has seen.
    longest: Option<i64>,
}

/// What the two versions commit together, where the first has worked off `first` known rows of each aircraft.
fn model(first: &BTreeMap<u64, u64>) -> Lines {
    let mut totals: BTreeMap<u64, Totals> = BTreeMap::new();
    let mut lines = Lines::new();
    for (aircraft, delay) in rows().filter_map(|(aircraft, delay)| Some((aircraft, delay?))) {
        let Totals { flights, total, longest } = totals.entry(aircraft).or_default();
        (*flights, *total) = (*flights + 1, *total + delay);
        let mut line = format!("{{\"tailnum\":\"N{aircraft}\",\"flights\":{flights},\"total_delay\":{total}");
        if *flights > first.get(&aircraft).copied().unwrap_or(0) {
            *longest = (*longest).max(Some(delay));
            write!(line, ",\"max_delay\":{}", longest.expect("set above")).expect("a text");
        }
        lines.insert(line + "}", 1);
    }
    lines
}

#[test]
fn a_new_version_goes_on_with_the_migrated_state_of_the_old_one() {
    let bench = bench();
    bench.write_job(&job_file("flight-delays", 2));
    run_and_stop(&bench);
    let mut first = BTreeMap::new();
    for line in bench.committed().keys() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let aircraft: u64 = line["tailnum"].as_str().expect("a name")[1..].parse().expect("a number");
        *first.entry(aircraft).or_default() += 1;
    }
    assert!(!first.is_empty());

    // A dry run compares what the old version keeps as the new one would keep it.
    let dry_run = format!("upgrade job.toml --operator delays --plugin {} --dry-run", plugin("flight-delays-v2").display());
    let compared = bench.run(&format!("{dry_run} --output json"));
    let totals = &compared.document()["states"][0];
    assert_eq!((&totals["name"], &totals["migrated_from"]), (&"totals".into(), &1.into()), "{compared:?}");
    let example = &totals["examples"][0];
    for field in ["flights", "total_delay"] {
        assert!(example["old"][field].is_i64() && example["old"][field] == example["new"][field], "{example}");
    }
    assert!(example["old"]["max_delay"].is_null() && example["new"]["max_delay"].is_i64(), "{example}");
    let said = bench.run(&dry_run);
    assert!(said.stdout.contains("state totals, migrated from version 1: ") && !said.stdout.contains("base64"), "{said:?}");

    bench.write_job(&job_file("flight-delays-v2", 3));
    let newest = bench.log().newest().id;
    let checked = bench.run(&format!("check job.toml --from {newest}"));
    checked.assert(0, &[]);
    assert!(checked.stdout.contains("totals: migrated from version 1 to 2"), "{checked:?}");
    let said = run_and_stop(&bench);
    for part in ["delays: component ", "delays.totals: migrated from version 1 to 2"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let replayed = bench.run("replay job.toml --operator delays --records 50 -q --output json").document();
    let change = |record: &serde_json::Value| record["state"].as_array().and_then(|changes| changes.first().cloned());
    let changes: Vec<_> = replayed["records"].as_array().into_iter().flatten().filter_map(change).collect();
    assert!(!changes.is_empty() && changes.iter().all(|change| change["after"]["flights"].is_u64()), "{replayed}");

    // What the new version has kept the old one cannot read.
    let dry_run = bench.run(&format!("upgrade job.toml --operator delays --plugin {} --dry-run", plugin("flight-delays").display()));
    dry_run
        .assert(1, &["the plugin does not go on with what is kept there\n  delays.totals: ", "hint: take a plugin that has this version"]);
    assert!(!dry_run.stderr.contains("--fresh") && !dry_run.stderr.contains("the job has changed"), "{dry_run:?}");
    bench.write_job(&job_file("flight-delays", 2));
    let attempts = bench.log().attempts;
    let back = bench.run("run job.toml");
    back.assert(1, &["the job has changed\n  delays.totals: the job has an older version of it\n"]);
    back.assert(
        1,
        &["\n      checkpoint  v2  value  Totals{flights:u64,total_delay:i64,max_delay:option<i64>}\n      job         v1  value  raw\n"],
    );
    assert_eq!(bench.log().attempts, attempts, "a refused run begins nothing");

    bench.write_job(&job_file("flight-delays-v2", 2));
    let last = bench.run("run job.toml");
    last.assert(0, &["finished"]);
    assert!(!last.stderr.contains("migrated"), "{last:?}");
    if let Some(how) = differences(&bench.committed(), &model(&first)) {
        panic!("the output is not that of the one version and then the other: {how}");
    }
    bench.assert_nothing_pending();
}

/// The real flights with a step's plugin, so many rows a second.
fn flights(package: &str, rate: u64) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/flight-delays/data/flights-2013-01.csv.gz");
    let job = job_file(package, 2).replace("\"flights.csv\"", &format!("{data:?}"));
    bench.write_job(&job.replace(&format!("rate = {}", ROWS / 2), &format!("rate = {rate}")));
    bench
}

/// What is committed of each flight, without what only the second version knows; and how many lines that has.
fn counted(bench: &Bench) -> (Lines, usize) {
    let (mut lines, mut of_second) = (Lines::new(), 0);
    for (line, times) in bench.committed() {
        let mut line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        of_second += usize::from(line.as_object_mut().expect("an object").remove("max_delay").is_some());
        *lines.entry(line.to_string()).or_default() += times;
    }
    (lines, of_second)
}

#[test]
fn a_running_job_is_upgraded_to_migrated_state_and_goes_back_from_a_version_that_traps() {
    let once = flights("flight-delays", 1_000_000);
    once.run("run job.toml").assert(0, &["finished"]);
    // Built before the job runs: its input does not wait for a build.
    ["flight-delays-v2", "trapping-delays"].into_iter().for_each(|package| _ = plugin(package));
    let bench = flights("flight-delays", 2_000);
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));

    let upgrade = |package: &str| {
        let line = format!("upgrade words --operator delays --plugin {} --probation 300ms --output json", plugin(package).display());
        bench.run(&line)
    };
    let second = upgrade("flight-delays-v2");
    second.assert(0, &[]);
    assert_eq!(second.document()["outcome"], "accepted");
    // Aircraft have to have flown often enough for a tenth flight to come while it is on trial.
    assert!(process.runs_until("8,000 committed flights", || bench.committed().values().sum::<u64>() > 8_000));
    let third = upgrade("trapping-delays");
    third.assert(1, &[]);
    let document = third.document();
    assert!(document["reason"].as_str().is_some_and(|reason| reason.contains("every tenth flight")), "{document}");
    upgrade("flight-delays").assert(1, &["the job has an older version of it"]);

    process.ended().assert(0, &["the upgrade is rolled back"]);
    let (lines, of_second) = counted(&bench);
    assert_eq!(differences(&lines, &counted(&once).0), None);
    assert!(of_second > 0 && of_second < lines.len(), "{of_second} of {} lines are of the second version", lines.len());
}

#[test]
fn an_upgrade_that_fails_before_its_first_checkpoint_names_the_one_that_the_job_goes_back_to() {
    _ = plugin("trapping-delays");
    let bench = flights("flight-delays", 2_000);
    bench.edit_job("interval = \"50ms\"", "interval = \"1h\"");
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("an answer", || bench.run("status words").code == Some(0)));
    // It does not migrate what the first version keeps: the only checkpoint is the one that the upgrade itself goes through.
    let upgrade = format!("upgrade words --operator delays --plugin {} --probation 10s", plugin("trapping-delays").display());
    let failed = bench.run(&upgrade);
    failed.assert(1, &[]);
    let newest = bench.log().newest().id;
    assert!(failed.stdout.contains(&format!("the upgrade of `delays` is rolled back to checkpoint {newest}\n")), "{failed:?}");
    assert!(process.kill());
}
