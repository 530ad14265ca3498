//! Several processes on one job, one after the other or at a time, and storage that is another than a process left it.

use super::seeds;
use std::time::Duration;
use weir_engine::job::{JobOutcome, StopKind};
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::scenarios::CALM;
use weir_tests::simulation::{
    Held, Replaced, Scenario, simulate_lost_entries, simulate_replaced_storage, simulate_slow_start, simulate_takeover,
};

#[test]
fn of_two_processes_on_one_job_the_older_is_fenced_and_nothing_doubles() {
    for seed in 0..60 {
        match simulate_takeover(seed, CALM) {
            Ok(JobOutcome::Fenced(_)) => {}
            Ok(other) => panic!("seed {seed}: the first ended as {other:?}"),
            Err(what) => panic!("seed {seed}: {what}"),
        }
    }
}

/// A job of ten seconds.
const LONG: Scenario = Scenario { records: 20_000, ..CALM };

#[test]
fn a_process_that_lists_slowly_takes_a_running_job_over_and_says_so_once() {
    for seed in 0..10 {
        let started =
            simulate_slow_start(seed, LONG, Duration::from_millis(450), None).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        assert!(matches!((&started.first, &started.second), (JobOutcome::Fenced(_), JobOutcome::Finished)), "seed {seed}: {started:?}");
        assert_eq!(started.resumptions, 1, "seed {seed}: {started:?}");
    }
}

#[test]
fn a_process_that_is_stopped_before_it_has_taken_a_job_over_leaves_the_job_alone() {
    for seed in 0..10 {
        for kind in [StopKind::Suspend, StopKind::SuspendForSavepoint, StopKind::Cancel] {
            let takes = Duration::from_millis(450);
            let started = simulate_slow_start(seed, LONG, takes, Some(kind)).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
            assert!(matches!(started.first, JobOutcome::Finished), "seed {seed}: {kind:?}: {started:?}");
            assert!(matches!(started.second, JobOutcome::Stopped | JobOutcome::Cancelled), "seed {seed}: {kind:?}: {started:?}");
            assert!(started.attempts == 0 && started.resumptions == 0 && started.took < takes * 2, "seed {seed}: {kind:?}: {started:?}");
        }
    }
}

#[test]
fn a_process_that_sleeps_while_its_storage_is_replaced_changes_nothing_of_what_it_finds() {
    let faults = FaultPlan { refused: 10, lost_acknowledgement: 10, slow: 400, ..FaultPlan::NONE };
    let mut fenced = 0;
    for seed in seeds(300) {
        let scenario = Scenario { faults, max_concurrent: 1 + seed as usize % 2, ..CALM };
        let ends = simulate_replaced_storage(seed, scenario, 3_000).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        let Replaced { sleeper, held, other } = &ends;
        match (sleeper, held, other) {
            (JobOutcome::Fenced(_), Held::UnderWay, JobOutcome::Finished) => fenced += 1,
            (JobOutcome::Finished, Held::AtItsEnd, JobOutcome::Finished) => {}
            // It takes part as any process that comes to the new job.
            (JobOutcome::Fenced(_) | JobOutcome::AlreadyFinished, Held::Starting, JobOutcome::Finished) => {}
            (JobOutcome::Finished, Held::Starting, JobOutcome::Fenced(_)) => {}
            // What it had written to try the store was deleted under it.
            (JobOutcome::Failed(error), Held::Starting, JobOutcome::Finished) if error.to_string().contains("create-if-absent") => {}
            _ => panic!("seed {seed}: {ends:?}"),
        }
    }
    assert!(fenced > 100 || std::env::var("WEIR_SEED").is_ok(), "{fenced}");
}

#[test]
fn newest_entries_that_the_log_has_lost_are_missed_where_their_output_shows() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in seeds(100) {
        let scenario = Scenario { crash_within_polls: 3_000, ..CALM };
        let report = simulate_lost_entries(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        (refused, harmless) = (refused + report.refused, harmless + report.harmless);
    }
    assert!((refused > 20 && harmless > 0) || std::env::var("WEIR_SEED").is_ok(), "{refused} refused, {harmless} harmless");
}
