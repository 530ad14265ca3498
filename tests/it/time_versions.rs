//! New versions of operators with open windows and timers that are set: they go on with what is kept, migrated, between two runs and while the job runs; and a
//! timer that goes by another time than those that are set is refused, at the operator's line in the job file.

use crate::WEIR;
use std::fs;
use std::path::PathBuf;
use weir_tests::process::{Bench, Running, TimedJob, examples, plugin};

/// The component of another version.
fn version(name: &str) -> PathBuf {
    examples("other-versions").join(format!("{name}.wasm"))
}

/// A job that runs and has told of windows; more of them are open, and timers are set.
fn started(job: TimedJob) -> (Bench<TimedJob>, Running) {
    // Built before the job runs: its input does not wait for a build.
    _ = version("window_teller_v2");
    let bench = Bench::new(WEIR, job);
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    (bench, process)
}

/// Names another component in the job file.
fn exchange(bench: &Bench<TimedJob>, was: &str, now: &str) {
    bench.edit_job(&format!("{:?}", plugin(was)), &format!("{:?}", version(now)));
}

#[test]
fn a_new_version_goes_on_with_the_migrated_state_of_open_windows_and_set_timers() {
    let (bench, process) = started(TimedJob { parallelism: 2, ..TimedJob::unhurried() });
    bench.run("stop words --savepoint stopped").assert(0, &[]);
    process.ended().assert(0, &[]);
    exchange(&bench, "window-teller", "window_teller_v2");
    exchange(&bench, "trapping-timers", "minutes_v2");
    bench.edit_job("parallelism = 2", "parallelism = 3");
    bench.hasten();
    let checked = bench.run("check job.toml --from ./stopped");
    let of_windows = ["rows: migrated from version 1 to 2", "count: migrated from version 1 to 2", "weir:window: kept"];
    for part in of_windows.into_iter().chain(["counts: migrated from version 1 to 2", "weir:timer:over: kept"]) {
        assert!(checked.assert(0, &[]).stdout.contains(part), "{part}: {checked:?}");
    }
    bench.run("run job.toml --from ./stopped").assert(0, &["windows.rows: migrated from version 1 to 2", "finished"]);
    bench.assert_exactly_once();
}

#[test]
fn a_running_job_with_open_windows_and_set_timers_is_upgraded_to_migrated_state_and_killed() {
    let (bench, mut process) = started(TimedJob { parallelism: 2, ..TimedJob::long() });
    let upgrade = |operator: &str, name: &str| {
        bench.run(&format!("upgrade words --operator {operator} --plugin {} --probation 100ms --output json", version(name).display()))
    };
    // The version that traps is on the state of the first.
    let trapped = upgrade("windows", "trapping_windows");
    trapped.assert(1, &[]);
    assert!(trapped.document()["reason"].as_str().is_some_and(|reason| reason.contains("it traps on every window")), "{trapped:?}");
    for (operator, name) in [("windows", "window_teller_v2"), ("minutes", "minutes_v2")] {
        let upgraded = upgrade(operator, name);
        assert_eq!(upgraded.assert(0, &[]).document()["outcome"], "accepted");
    }
    upgrade("windows", "trapping_windows").assert(1, &["the job has an older version of it"]);
    let parts = bench.parts().len();
    assert!(process.runs_until("a committed part", || bench.parts().len() > parts));
    assert!(process.kill());
    bench.hasten();
    bench.edit_job("parallelism = 2", "parallelism = 1");
    bench.run("run job.toml").assert(0, &["finished"]);
    bench.assert_exactly_once();
}

#[test]
fn a_timer_that_goes_by_another_time_than_those_that_are_set_is_refused_at_the_line_of_its_operator() {
    let (bench, process) = started(TimedJob::unhurried());
    let why = "minutes.weir:timer:over: the timer `over` went by event time, and goes by processing time now";
    let by_clock = version("minutes_by_clock");
    let upgrade = format!("upgrade words --operator minutes --plugin {} --probation 0s", by_clock.display());
    bench.run(&upgrade).assert(1, &[why, "only a start drops state: ", "--drop-state minutes.weir:timer:over"]);
    bench.run("stop words").assert(0, &[]);
    process.ended().assert(0, &[]);

    exchange(&bench, "trapping-timers", "minutes_by_clock");
    let text = fs::read_to_string(bench.path("job.toml")).expect("a job file");
    let line = 1 + text.lines().position(|line| line == "[operator.minutes]").expect("an operator");
    let (newest, attempts) = (bench.log().newest().id, bench.log().attempts);
    let place = format!("those that are set are of the one and not of the other\n  job.toml:{line}: [operator.minutes]\n");
    let hint = "hint: `--drop-state minutes.weir:timer:over` gives up what is kept so; or undo the change";
    let refused = bench.run("run job.toml --output json");
    refused.assert(1, &[&format!("resume checkpoint {newest}: the job has changed\n  {why}"), &place, hint]);
    assert!(refused.document()["error"].as_str().is_some_and(|error| error.contains(why)));
    let places = serde_json::json!([{ "file": "job.toml", "line": line, "kind": "operator", "id": "minutes" }]);
    assert_eq!(refused.document()["places"], places);
    let checked = bench.run(&format!("check job.toml --from {newest} --output json"));
    checked.assert(1, &[why, &place, hint]);
    assert_eq!(checked.document()["restore"]["places"], places);
    assert_eq!(bench.log().attempts, attempts, "a refused run begins nothing");

    // What the hint says, and nothing else, is given up.
    bench.hasten();
    bench.run("run job.toml --drop-state minutes.weir:timer:over").assert(0, &["minutes.weir:timer:over: dropped", "finished"]);
}
