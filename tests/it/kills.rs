//! SIGKILL at random moments: however often a job is killed and started again, its input shows exactly once in what is committed, or
//! where that is asked for at least once.
//!
//! `WEIR_KILLS=1000 cargo test -p weir-tests kills` kills that many times instead, on an input that lasts as long; it takes minutes.

use crate::WEIR;
use std::time::Duration;
use weir_tests::process::{Bench, Seed, WordCount};

/// The longest that a process lives before it is killed, once it has come as far as it is let.
const LIFE_MS: u64 = 250;

/// How often a job is killed.
fn kills() -> u64 {
    std::env::var("WEIR_KILLS").map_or(12, |kills| kills.parse().expect("WEIR_KILLS is a number"))
}

/// A job that lasts longer than its kills: no process reads more than its life allows, and the last one goes on for a second.
fn job(parallelism: u32, rate: u64, kills: u64) -> WordCount {
    WordCount { lines: rate + kills * rate / 3, rate, parallelism, ..WordCount::default() }
}

/// Further lines of `[checkpoints]`: how barriers go.
const ALIGNED: &str = "";
const UNALIGNED: &str = "unaligned = \"always\"";
const ALIGNED_FOR_A_TIME: &str = "unaligned = \"20ms\"";
const AT_LEAST_ONCE: &str = "mode = \"at-least-once\"";

/// Kills a job as often as asked for, lets it finish, and compares. The processes have the `parallelisms` and the `barriers` in turn.
fn check(parallelisms: &[u32], barriers: &[&str], rate: u64) {
    check_with("", parallelisms, barriers, rate);
}

/// The same with a further line of the sink.
fn check_with(sink: &str, parallelisms: &[u32], barriers: &[&str], rate: u64) {
    let (mut seed, kills) = (Seed::of_run(), kills());
    let bench = Bench::new(WEIR, job(parallelisms[0], rate, kills));
    let mut turns = parallelisms.iter().cycle().zip(barriers.iter().cycle());
    let (mut log, mut killed) = (bench.log(), 0);
    while killed < kills {
        let (&parallelism, &checkpoints) = turns.next().expect("a circle");
        let job = WordCount { parallelism, checkpoints: checkpoints.into(), ..bench.job().clone() };
        bench.write_job(&(job.job_file() + sink));
        log.read_on(&bench.storage());
        let before = log.completed.len();
        let mut process = bench.start("run job.toml -q");
        // The first kill falls behind the first committed record; of the others one half falls anywhere, also into start and
        // restore, and one half behind a checkpoint of the process itself, so that the job gets on.
        let wait_for_progress = killed == 0 || seed.coin();
        let progress = || {
            log.read_on(&bench.storage());
            log.completed.len() > before && (killed > 0 || !bench.parts().is_empty())
        };
        let runs = !wait_for_progress || process.runs_until("a checkpoint", progress);
        let runs = runs && process.runs_for(Duration::from_millis(seed.draw(..LIFE_MS)));
        assert!(runs, "the process ended before kill {killed}: {:?}", process.ended());
        assert!(process.kill(), "kill {killed} was not what ended the process");
        log.read_on(&bench.storage());
        assert!(!log.finished, "kill {killed} fell behind the end");
        killed += 1;
    }
    let last = bench.run("run job.toml --output json");
    last.assert(0, &["resuming from checkpoint"]);
    assert_eq!(last.document()["outcome"], "finished", "{last:?}");
    log.read_on(&bench.storage());
    assert!(log.finished && log.attempts <= killed + 1, "{log:?}");
    assert!(log.completed.len() >= 20, "{} checkpoints", log.completed.len());
    if barriers.contains(&AT_LEAST_ONCE) {
        bench.assert_counted_at_least_once();
    } else {
        bench.assert_exactly_once();
    }
    bench.assert_nothing_pending();
    bench.assert_nothing_left_behind(3, killed as usize);
}

#[test]
fn a_job_that_is_killed_at_random_moments_commits_its_input_once() {
    check(&[1], &[ALIGNED], 2_000);
}

#[test]
fn a_parallel_job_that_is_killed_at_random_moments_commits_its_input_once() {
    check(&[2], &[ALIGNED], 2_000);
}

#[test]
fn a_job_that_is_killed_under_load_and_rescaled_each_time_commits_its_input_once() {
    check(&[2, 3, 1], &[ALIGNED], 20_000);
}

#[test]
fn a_job_whose_barriers_overtake_is_killed_under_load_and_commits_its_input_once() {
    check(&[2, 3], &[UNALIGNED], 20_000);
}

#[test]
fn a_job_whose_barriers_go_another_way_after_each_kill_commits_its_input_once() {
    check(&[2, 1, 3], &[UNALIGNED, ALIGNED_FOR_A_TIME, ALIGNED, UNALIGNED], 20_000);
}

#[test]
fn an_at_least_once_job_that_is_killed_under_load_loses_nothing() {
    check(&[2, 3], &[AT_LEAST_ONCE], 20_000);
}

#[test]
fn a_job_that_writes_into_partitions_is_killed_and_commits_its_input_once() {
    check_with("partition-by = [\"word\"]\n", &[2, 1], &[ALIGNED, UNALIGNED], 2_000);
}
