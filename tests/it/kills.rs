//! SIGKILL at random moments: however often a job is killed and started again, its input shows exactly once in what is committed.
//!
//! `WEIR_KILLS=1000 cargo test -p weir-tests kills` kills that many times instead, on an input that lasts as long; it takes minutes.

use crate::WEIR;
use std::time::Duration;
use weir_tests::process::{Bench, Seed, WordCount};

/// The longest that a process lives before it is killed, once it has come as far as it is let.
const LIFE_MS: u64 = 250;
const LINES_PER_S: u64 = 2_000;

/// How often a job is killed.
fn kills() -> u64 {
    std::env::var("WEIR_KILLS").map_or(12, |kills| kills.parse().expect("WEIR_KILLS is a number"))
}

/// A job that lasts longer than its kills: no process reads more than its life allows, and the last one goes on for a second.
fn job(parallelism: u32, kills: u64) -> WordCount {
    WordCount { lines: LINES_PER_S + kills * LINES_PER_S / 3, rate: LINES_PER_S, parallelism, ..WordCount::default() }
}

/// Kills a job as often as asked for, lets it finish, and compares.
fn check(parallelism: u32) {
    let (mut seed, kills) = (Seed::of_run(), kills());
    let bench = Bench::new(WEIR, job(parallelism, kills));
    let mut killed = 0;
    while killed < kills {
        let before = bench.log();
        let mut process = bench.start("run job.toml -q");
        // The first kill falls behind the first committed record; of the others one half falls anywhere, also into start and
        // restore, and one half behind a checkpoint of the process itself, so that the job gets on.
        let wait_for_progress = killed == 0 || seed.coin();
        let progress = || bench.log().completed.len() > before.completed.len() && (killed > 0 || !bench.parts().is_empty());
        let runs = !wait_for_progress || process.runs_until("a checkpoint", progress);
        let runs = runs && process.runs_for(Duration::from_millis(seed.draw(..LIFE_MS)));
        assert!(runs, "the process ended before kill {killed}: {:?}", process.ended());
        assert!(process.kill(), "kill {killed} was not what ended the process");
        assert!(!bench.log().finished, "kill {killed} fell behind the end");
        killed += 1;
    }
    let last = bench.run("run job.toml --output json");
    last.assert(0, &["resuming from checkpoint"]);
    assert_eq!(last.document()["outcome"], "finished", "{last:?}");
    let log = bench.log();
    assert!(log.finished && log.attempts <= killed + 1, "{log:?}");
    assert!(log.completed.len() >= 20, "{} checkpoints", log.completed.len());
    bench.assert_exactly_once();
    bench.assert_nothing_pending();
}

#[test]
fn a_job_that_is_killed_at_random_moments_commits_its_input_once() {
    check(1);
}

#[test]
fn a_parallel_job_that_is_killed_at_random_moments_commits_its_input_once() {
    check(2);
}
