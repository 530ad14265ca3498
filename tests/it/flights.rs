//! The example plugins with windows, on a month of real flights under the real binary, against a reference that shares no code with weir:
//! `tests/flights/windows.py`.

use crate::WEIR;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_tests::process::{Bench, Seed, WordCount, plugin};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

fn flights() -> PathBuf {
    workspace().join("plugins/flight-delays/data/flights-2013-01.csv.gz")
}

/// A folder with the job file of an example, whose component is built.
fn bench(package: &str) -> Bench {
    let bench = Bench::new(WEIR, WordCount::default());
    let text = fs::read_to_string(workspace().join(format!("plugins/{package}/job.toml"))).expect("the example has a job file");
    let line = |line: &str| match line.split_once(" = ").map_or(line, |(name, _)| name) {
        "name" => "name = \"words\"".to_owned(),
        "plugin" => format!("plugin = {:?}", plugin(package)),
        "build" => String::new(),
        _ => line.replace("../flight-delays/data/flights-2013-01.csv.gz", flights().to_str().expect("a text")),
    };
    bench.write_job(&text.lines().map(|text| line(text) + "\n").collect::<String>());
    bench
}

/// What the reference says of what the job wrote.
#[track_caller]
fn compared(bench: &Bench, what: &str) -> String {
    bench.assert_nothing_pending();
    let mut reference = Command::new("python3");
    reference.arg(workspace().join("tests/flights/windows.py")).arg(what).arg(flights()).args([bench.path("out"), bench.path("late")]);
    let compared = reference.output().expect("python3 is there");
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
    String::from_utf8(compared.stdout).expect("text")
}

#[test]
fn hourly_traffic_is_what_a_plain_count_gives() {
    let bench = bench("hourly-traffic");
    bench.run("run job.toml").assert(0, &["finished"]);
    assert_eq!(compared(&bench, "traffic"), "27004 flights, 0 corrections, 0 late\n");
}

#[test]
fn late_flights_correct_their_hours_or_are_set_aside_and_none_is_lost_over_kills_and_other_parallelisms() {
    let (bench, mut seed) = (bench("hourly-traffic"), Seed::of_run());
    bench.edit_job("delay = \"24h\"", "delay = \"2h\"");
    bench.edit_job("lateness = \"24h\"", "lateness = \"6h\"");
    bench.edit_job("interval = \"1s\"", "interval = \"50ms\"");
    bench.edit_job("key = \"origin\"\n", "key = \"origin\"\nrate = 9000\n");
    bench.kill_at_parallelisms(&mut seed, &[3, 1, 2]);
    bench.run("run job.toml").assert(0, &["finished"]);
    let said = compared(&bench, "traffic");
    assert!(said.starts_with("27004 flights") && !said.contains(" 0 corrections") && !said.contains(" 0 late"), "{said}");
}

#[test]
fn sessions_are_the_flights_of_an_aircraft_without_a_pause() {
    let bench = bench("sessions");
    bench.run("run job.toml").assert(0, &["finished"]);
    assert!(compared(&bench, "sessions").ends_with(" sessions\n"));
}
