//! Stops, savepoints and last checkpoints: how long they take, what they wait for and what they leave behind.

use super::seeds;
use std::time::Duration;
use weir_engine::checkpoint::{CheckpointConfig, CheckpointMode};
use weir_engine::job::{CheckpointRequest, JobOutcome, ResumePoint, StopKind, UpgradeEvent};
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::scenarios::CALM;
use weir_tests::simulation::{
    Barriers, Scenario, StopReport, simulate_checkpoint_request, simulate_failing_uploads, simulate_slow_clearing,
    simulate_stop_in_restart_delay, simulate_stop_on_trial, simulate_stops,
};

#[test]
fn a_stop_during_a_restart_delay_does_not_wait() {
    let failing = Scenario { failures: Some(20), ..CALM };
    let mut stopped = 0;
    for seed in 0..30 {
        for kind in [StopKind::Suspend, StopKind::Cancel] {
            let (outcome, after) = simulate_stop_in_restart_delay(seed, failing, kind);
            assert!(after < Duration::from_secs(10), "seed {seed}: {kind:?} took {after:?}");
            match outcome {
                JobOutcome::Stopped | JobOutcome::Cancelled => stopped += 1,
                // The next attempt may fail too.
                JobOutcome::Failed(error) => assert!(error.to_string().contains("failed while stopping"), "seed {seed}: {error}"),
                other => panic!("seed {seed}: {other:?}"),
            }
        }
    }
    assert!(stopped > 40, "only {stopped} runs were stopped");
}

/// Runs `count` jobs that are stopped again and again; the sums of what [`StopReport`] counts.
#[track_caller]
fn stopped(count: u64, scenario: Scenario) -> StopReport {
    let report = |seed| simulate_stops(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    let sum = |sum: StopReport, report: StopReport| StopReport {
        stopped: sum.stopped + report.stopped,
        given_up: sum.given_up + report.given_up,
    };
    seeds(count).map(report).fold(StopReport::default(), sum)
}

#[test]
fn stops_of_every_kind_end_in_time_say_where_a_run_resumes_and_lose_and_double_nothing() {
    let calm = stopped(40, CALM);
    assert!(calm.stopped > 40 && calm.given_up > 10, "{calm:?}");
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 300, ..FaultPlan::NONE };
    let stormy = stopped(60, Scenario { failures: Some(400), faults, max_concurrent: 2, barriers: Barriers::ExactlyOnce, ..CALM });
    assert!(stormy.stopped > 20 && stormy.given_up > 20, "{stormy:?}");
    stopped(30, Scenario { faults, barriers: Barriers::AtLeastOnce, ..CALM });
}

#[test]
fn a_stop_that_has_succeeded_does_not_wait_for_what_it_clears_away() {
    for seed in 0..20 {
        let (outcome, took) = simulate_slow_clearing(seed, CALM).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        assert!(matches!(outcome, JobOutcome::Stopped) && took < Duration::from_secs(3), "seed {seed}: {outcome:?} after {took:?}");
    }
}

#[test]
fn a_stop_does_not_wait_for_a_new_component_that_is_inside_a_long_call() {
    let stop_timeout = Duration::from_secs(10);
    // Version 2 is changed over to at a barrier, version 4 through a redeployment.
    for (seed, version) in (0..20).flat_map(|seed| [(seed, 2), (seed, 4)]) {
        for kind in [StopKind::Suspend, StopKind::SuspendForSavepoint] {
            let stopped =
                simulate_stop_on_trial(seed, CALM, version, stop_timeout, kind).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
            let JobOutcome::Failed(error) = &stopped.outcome else { panic!("seed {seed}: {stopped:?}") };
            for part in
                ["the task count-", "that", "in: the job was stopped while an upgrade was on probation; a run resumes from checkpoint"]
            {
                assert!(error.to_string().contains(part), "seed {seed}: {part}: {error}");
            }
            assert!(stopped.took < Duration::from_millis(1_500), "seed {seed}: {stopped:?}");
            assert!(
                matches!(&stopped.upgrade, Some(UpgradeEvent::RolledBack { to: ResumePoint::Checkpoint(_), .. })),
                "seed {seed}: {stopped:?}"
            );
        }
    }
}

/// Time for three checkpoints of a job whose target is down for a while, and for their output.
const HASTY: CheckpointConfig = CheckpointConfig {
    interval: Duration::from_millis(100),
    min_pause: Duration::ZERO,
    timeout: Duration::from_secs(3),
    max_concurrent: 1,
    tolerate_failures: 2,
    mode: CheckpointMode::ExactlyOnce,
    alignment: weir_engine::element::BarrierAlignment::Aligned,
    max_in_flight_bytes: 1 << 20,
    max_call_log_bytes: 1 << 20,
    stop_timeout: Duration::from_secs(10),
};

#[test]
fn a_savepoint_is_reported_once_its_output_is_committed_and_refused_by_name_where_the_target_is_down() {
    for seed in 0..10 {
        for request in [CheckpointRequest::Savepoint, CheckpointRequest::UnalignedSavepoint] {
            let asked =
                |down| simulate_checkpoint_request(seed, CALM, HASTY, request, down).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
            let (answer, took) = asked(Duration::from_secs(2));
            assert!(answer.is_ok() && took >= Duration::from_secs(2), "seed {seed}: {answer:?} after {took:?}");
            let (answer, took) = asked(Duration::from_secs(5));
            let error = answer.expect_err("the target is down").to_string();
            assert!(error.contains("its output is not committed yet: the sink `out`"), "seed {seed}: {error}");
            assert!(took >= HASTY.timeout && took < Duration::from_secs(5), "seed {seed}: {took:?}");
        }
        // A checkpoint that is no savepoint does not wait for that.
        let down = Duration::from_secs(2);
        let (answer, took) = simulate_checkpoint_request(seed, CALM, HASTY, CheckpointRequest::Checkpoint, down).expect("it finishes");
        assert!(answer.is_ok() && took < down, "seed {seed}: {answer:?} after {took:?}");
    }
}

#[test]
fn an_unaligned_savepoint_of_an_at_least_once_job_is_refused_and_holds_nothing_up() {
    let at_least_once = CheckpointConfig { mode: CheckpointMode::AtLeastOnce, ..HASTY };
    let scenario = Scenario { barriers: Barriers::AtLeastOnce, ..CALM };
    for seed in 0..10 {
        let request = CheckpointRequest::UnalignedSavepoint;
        let (answer, took) = simulate_checkpoint_request(seed, scenario, at_least_once, request, Duration::ZERO).expect("the job finishes");
        let error = answer.expect_err("it is refused");
        assert_eq!((error.hint(), took), (Some("leave `--unaligned` out"), Duration::ZERO), "seed {seed}: {error}");
        let (answer, _) =
            simulate_checkpoint_request(seed, scenario, at_least_once, CheckpointRequest::Savepoint, Duration::ZERO).expect("it finishes");
        assert!(answer.is_ok(), "seed {seed}: {answer:?}");
    }
}

#[test]
fn a_last_checkpoint_that_fails_is_tried_at_the_jobs_pace_and_leaves_no_objects_behind() {
    let paused = CheckpointConfig {
        min_pause: Duration::from_millis(300),
        timeout: Duration::from_millis(400),
        tolerate_failures: 1_000_000,
        max_concurrent: 3,
        ..HASTY
    };
    // Uploads that are under way when their checkpoint is given up, and ones that wait behind those.
    for (seed, upload_ms) in [(1, 500), (2, 2_500), (3, 20_000)] {
        let short = Scenario { records: 150, ..CALM };
        let report = simulate_failing_uploads(seed, short, paused, Duration::from_millis(upload_ms))
            .unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        let (failed, pairs) = (report.failed_ms.len(), report.failed_ms.iter().zip(&report.failed_ms[1..]));
        assert!((50..100).contains(&failed), "seed {seed}: {failed} checkpoints failed in a minute");
        for ((_, ended), (triggered, _)) in pairs {
            assert!(triggered - ended >= 300, "seed {seed}: one was triggered at {triggered} ms, and the one before ended at {ended} ms");
        }
        assert!(report.objects_max <= 6, "seed {seed}: {} objects", report.objects_max);
        assert_eq!(report.left, Vec::<String>::new(), "seed {seed}");
    }
}
