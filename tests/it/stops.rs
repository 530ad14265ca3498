//! Ctrl-C and SIGTERM: a job stops behind a last checkpoint, says how to go on, and goes on without loss or doubling.

use crate::WEIR;
use std::time::{Duration, Instant};
use weir_tests::process::{Bench, Ended, Running, Signal, WordCount};

fn check(signal: Signal, parallelism: u32) {
    let bench = Bench::new(WEIR, WordCount { parallelism, ..WordCount::long() });
    let mut process = bench.start("run job.toml --output json");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    process.send(signal);
    let stopped = process.ended();
    stopped.assert(0, &["stopping after a last checkpoint", "weir run job.toml"]);
    let document = stopped.document();
    assert_eq!((&document["outcome"], &document["error"]), (&"stopped".into(), &serde_json::Value::Null));

    // Everything that was read is committed: nothing is left for the next run to commit, and nothing more comes while nobody runs.
    let last = bench.log().newest().id;
    let committed: u64 = bench.committed().values().sum();
    assert_eq!(document["vertices"][3]["records_in"], committed, "{document}");
    assert!(committed < bench.job().output().len() as u64, "the job was stopped before its end");

    bench.hasten();
    let resumed = bench.run("run job.toml --output json");
    resumed.assert(0, &[&format!("resuming from checkpoint {last}")]);
    let document = resumed.document();
    assert_eq!((&document["outcome"], &document["resumed_from"]), (&"finished".into(), &last.into()));
    bench.assert_exactly_once();
    bench.assert_nothing_pending();
}

#[test]
fn ctrl_c_stops_cleanly_and_the_next_run_goes_on() {
    check(Signal::Interrupt, 1);
}

#[test]
fn sigterm_stops_a_parallel_job_cleanly_and_the_next_run_goes_on() {
    check(Signal::Terminate, 2);
}

#[test]
fn a_second_ctrl_c_ends_the_process_and_loses_nothing() {
    let bench = Bench::new(WEIR, WordCount::long());
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    process.send(Signal::Interrupt);
    process.send(Signal::Interrupt);
    let ended = process.ended();
    // The last checkpoint may have been quicker than the second signal, or both may have become one.
    assert!(matches!(ended.code, Some(0 | 130)), "{ended:?}");
    bench.hasten();
    bench.run("run job.toml").assert(0, &["resuming from checkpoint"]);
    bench.assert_exactly_once();
    bench.assert_nothing_pending();
}

/// A running job of whose 9,000 records most wait behind a sink that takes `rate` of them a second for each of its subtasks, or one in
/// `subtasks / rate` seconds. No checkpoint is taken but that of a stop, which waits `patience` for the records in front of it.
fn behind_a_slow_sink(subtasks: u32, rate: u32, patience: &str, checkpoints: &str) -> (Bench, Running) {
    let bench = Bench::new(WEIR, WordCount::default());
    bench.write_job(&format!(
        "name = \"words\"\nparallelism = 1\n[checkpoints]\ninterval = \"1h\"\nstop-timeout = \"{patience}\"\n{checkpoints}\n\
         [source.records]\nconnector = \"generator\"\ncount = 9000\n[operator.count]\nnative = \"keyed-count\"\n\
         input = {{ from = \"records\", by = \"key\" }}\n[sink.out]\nconnector = \"blackhole\"\ninput = \"count\"\nrate = {rate}\nparallelism = {subtasks}\n"
    ));
    let mut process = bench.start("run job.toml --output json");
    bench.api(&mut process);
    // The queue may be full of small batches before the last has been read: a tenth of them keeps the sink busy for longer than any test.
    let read = || bench.run("status words --output json").document()["vertices"][0]["records_out"].as_u64();
    assert!(process.runs_until("records that wait", || read() >= Some(900)), "{:?}", process.ended());
    (bench, process)
}

/// Where a run of the job goes on, as its log says and a stop that is given up has to.
fn resumes(bench: &Bench) -> String {
    match bench.log().completed.last() {
        Some(newest) => format!("a run resumes from checkpoint {}", newest.id),
        None => "a run resumes from the beginning".into(),
    }
}

/// Stops it with SIGTERM. It would work for an hour; here it has a multiple of what a stop may take.
#[expect(clippy::disallowed_methods, reason = "how long a process takes to end is measured in real time")]
fn terminated(process: Running) -> Ended {
    let began = Instant::now();
    process.send(Signal::Terminate);
    let ended = process.ended();
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}\n{}", began.elapsed(), ended.stderr);
    ended
}

/// The sum of all that `count` has counted, as of the newest checkpoint.
fn counted(bench: &Bench) -> u64 {
    let scan = bench.run("state scan job.toml count --format jsonl -q");
    let count = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row");
        let hex = row["value"].as_str().and_then(|hex| hex.strip_prefix("0x")).expect("raw bytes");
        u64::from_str_radix(&hex[..16], 16).expect("hex digits").swap_bytes()
    };
    scan.stdout.lines().map(count).sum()
}

#[test]
fn a_stop_behind_a_slow_step_overtakes_and_what_it_overtook_is_part_of_the_checkpoint() {
    // The sink is back from its call in a tenth of a second of the one that it has for the barrier, and a slow disk has longer than any takes.
    let (bench, process) = behind_a_slow_sink(1, 10, "3s", "");
    let ended = terminated(process);
    ended.assert(0, &["stopping after a last checkpoint", "its barriers overtake the records in front of them"]);
    assert_eq!(ended.document()["outcome"], "stopped");
    let newest = bench.log().newest().id;
    let inspected = bench.run(&format!("checkpoint inspect job.toml {newest} --output json")).document();
    assert!(inspected["vertices"][1]["subtasks"][0]["in_flight_bytes"].as_u64() > Some(10_000), "{inspected}");

    bench.edit_job("rate = 10", "rate = 1000000");
    let resumed = bench.run("run job.toml --output json");
    resumed.assert(0, &[&format!("resuming from checkpoint {newest}")]);
    assert_eq!(counted(&bench), 9_000, "each record once, whether it was worked off before the stop, overtaken, or not read yet");
}

#[test]
fn a_stop_that_may_not_overtake_is_given_up_and_says_where_a_run_resumes() {
    for (checkpoints, why) in [
        ("mode = \"at-least-once\"", "at-least-once checkpoints do not overtake"),
        ("max-in-flight-bytes = \"1KiB\"", "more records are in flight than `max-in-flight-bytes` allows"),
    ] {
        let (bench, process) = behind_a_slow_sink(1, 2, "500ms", checkpoints);
        let ended = terminated(process);
        ended.assert(1, &["its last checkpoint is given up", why, &resumes(&bench), "`stop-timeout` in [checkpoints]"]);
        assert_eq!(ended.document()["outcome"], "failed");
    }
    let (bench, process) = behind_a_slow_sink(1, 2, "500ms", "");
    let stop = bench.run("stop words --savepoint taken");
    assert_eq!(stop.code, Some(1), "{stop:?}");
    assert!(stop.stdout.contains("a savepoint holds no records in flight"), "{stop:?}");
    assert!(!bench.path("taken/savepoint.json").exists());
    process.ended().assert(1, &[&resumes(&bench)]);
}

#[test]
fn a_stop_waits_for_no_call_that_takes_a_minute() {
    let (bench, process) = behind_a_slow_sink(60, 1, "500ms", "");
    terminated(process).assert(1, &["at work on what came before its barrier", &resumes(&bench)]);
    let (bench, process) = behind_a_slow_sink(60, 1, "500ms", "");
    bench.run("cancel words").assert(0, &[]);
    process.ended().assert(0, &[]);
}

#[test]
fn a_job_that_is_told_to_stop_in_its_first_milliseconds_is_stopped_and_not_killed() {
    let bench = Bench::new(WEIR, WordCount::long());
    for delay_ms in [0, 1, 3, 10, 30, 100, 200] {
        let mut process = bench.start("run job.toml --output json");
        assert!(process.hears_signals() && process.runs_for(Duration::from_millis(delay_ms)));
        process.send(Signal::Terminate);
        let ended = process.ended();
        ended.assert(0, &[]);
        assert_eq!(ended.document()["outcome"], "stopped", "after {delay_ms} ms: {ended:?}");
    }
    bench.hasten();
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}
