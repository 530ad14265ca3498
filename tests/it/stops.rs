//! Ctrl-C and SIGTERM: a job stops behind a last checkpoint, says how to go on, and goes on without loss or doubling.

use crate::WEIR;
use weir_tests::process::{Bench, Signal, WordCount};

fn check(signal: Signal, parallelism: u32) {
    let bench = Bench::new(WEIR, WordCount { parallelism, ..WordCount::default() });
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
    let bench = Bench::new(WEIR, WordCount::default());
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    process.send(Signal::Interrupt);
    process.send(Signal::Interrupt);
    let ended = process.ended();
    // The last checkpoint may have been quicker than the second signal, or both may have become one.
    assert!(matches!(ended.code, Some(0 | 130)), "{ended:?}");
    bench.run("run job.toml").assert(0, &["resuming from checkpoint"]);
    bench.assert_exactly_once();
    bench.assert_nothing_pending();
}
