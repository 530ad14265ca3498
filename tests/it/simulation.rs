//! Exactly-once under injected failures: whatever fails, each input record shows once in what is committed.

use std::time::Duration;
use weir_engine::checkpoint::{CheckpointConfig, CheckpointMode};
use weir_engine::job::{CheckpointRequest, JobOutcome, ResumePoint, StopKind, UpgradeEvent};
use weir_engine::state::conformance::StateFaultPlan;
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::scenarios::{CALM, EVERY, FAULTY_STATE, INCREMENTAL, STORMY};
use weir_tests::simulation::{
    Barriers, Counter, Held, Replaced, Report, Scenario, StopReport, simulate, simulate_changes, simulate_checkpoint_request,
    simulate_evolution, simulate_failing_uploads, simulate_found_splits, simulate_lost_entries, simulate_replaced_storage,
    simulate_slow_clearing, simulate_slow_start, simulate_stop_in_restart_delay, simulate_stop_on_trial, simulate_stops, simulate_takeover,
};

/// Runs `seeds` seeds, or the one that WEIR_SEED names. Returns the sums of processes, checkpoints and restarts.
#[track_caller]
fn check(seeds: u64, scenario: Scenario) -> (u64, u64, u64) {
    let reports = reports(seeds, scenario);
    let sum = |of: fn(&Report) -> u64| sum(&reports, of);
    (sum(|report| report.processes), sum(|report| report.checkpoints), sum(|report| report.restarts))
}

fn sum(reports: &[Report], of: fn(&Report) -> u64) -> u64 {
    reports.iter().map(of).sum()
}

#[track_caller]
fn reports(seeds: u64, scenario: Scenario) -> Vec<Report> {
    let report = |seed| simulate(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    self::seeds(seeds).map(report).collect()
}

#[test]
fn a_calm_job_commits_its_input_once() {
    let (processes, checkpoints, restarts) = check(20, CALM);
    assert_eq!((processes, restarts), (20, 0));
    assert!(checkpoints >= 40, "{checkpoints} checkpoints");
}

#[test]
fn failing_tasks_lose_and_double_nothing() {
    let (_, _, restarts) = check(60, Scenario { failures: Some(200), ..CALM });
    assert!(restarts > 30, "{restarts} restarts");
}

#[test]
fn a_failing_store_loses_and_doubles_nothing() {
    check(60, Scenario { faults: FaultPlan { refused: 60, lost_acknowledgement: 60, slow: 200, ..FaultPlan::NONE }, ..CALM });
}

#[test]
fn killed_processes_lose_and_double_nothing() {
    let (processes, ..) = check(100, Scenario { crash_within_polls: 1_500, ..CALM });
    assert!(processes > 300, "{processes} processes");
}

#[test]
fn everything_at_once_loses_and_doubles_nothing() {
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 200, ..FaultPlan::NONE };
    check(100, Scenario { failures: Some(400), faults, crash_within_polls: 3_000, max_concurrent: 2, ..CALM });
}

#[test]
fn a_seed_run_twice_gives_the_same_trace() {
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 200, ..FaultPlan::NONE };
    let scenario = Scenario { failures: Some(400), faults, crash_within_polls: 3_000, ..CALM };
    for seed in 0..10 {
        assert_eq!(simulate(seed, scenario), simulate(seed, scenario), "seed {seed}");
    }
}

#[test]
fn a_guest_that_counts_is_restored_like_a_native_operator() {
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 200, ..FaultPlan::NONE };
    let scenario = Scenario { failures: Some(400), faults, crash_within_polls: 3_000, counter: Counter::Guest, ..CALM };
    let (processes, _, restarts) = check(20, scenario);
    assert!(processes > 20 && restarts > 0, "{processes} processes, {restarts} restarts");
}

#[test]
fn poison_is_set_aside_once_whatever_fails_around_it() {
    check(5, Scenario { counter: Counter::PoisonedGuest, ..CALM });
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 200, ..FaultPlan::NONE };
    let scenario = Scenario { failures: Some(400), faults, crash_within_polls: 3_000, counter: Counter::PoisonedGuest, ..CALM };
    let (processes, _, restarts) = check(20, scenario);
    assert!(processes > 20 && restarts > 0, "{processes} processes, {restarts} restarts");
}

#[test]
fn inputs_joined_under_broadcast_rules_lose_and_double_nothing() {
    let join = Scenario { counter: Counter::Join, ..CALM };
    check(10, join);
    check(60, Scenario { crash_within_polls: 1_500, ..join });
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 200, ..FaultPlan::NONE };
    let (processes, _, restarts) =
        check(60, Scenario { failures: Some(400), faults, crash_within_polls: 3_000, max_concurrent: 2, ..join });
    assert!(processes > 100 && restarts > 20, "{processes} processes, {restarts} restarts");
}

#[test]
fn a_seed_run_twice_with_guests_gives_the_same_trace() {
    for counter in [Counter::Guest, Counter::PoisonedGuest] {
        let scenario = Scenario { failures: Some(400), crash_within_polls: 3_000, counter, ..CALM };
        for seed in 0..5 {
            assert_eq!(simulate(seed, scenario), simulate(seed, scenario), "{counter:?}, seed {seed}");
        }
    }
}

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

#[test]
fn two_checkpoints_in_flight_over_a_slow_store_lose_and_double_nothing() {
    let faults = FaultPlan { refused: 0, lost_acknowledgement: 0, slow: 700, ..FaultPlan::NONE };
    check(150, Scenario { faults, crash_within_polls: 2_500, max_concurrent: 2, ..CALM });
}

#[test]
fn barriers_that_overtake_lose_and_double_nothing() {
    let stormy = reports(150, Scenario { barriers: Barriers::ExactlyOnce, ..STORMY });
    let (in_flight, processes) = (sum(&stormy, |report| report.in_flight), sum(&stormy, |report| report.processes));
    assert!(in_flight > 300 && processes > 300, "{in_flight} objects with records in flight, {processes} processes");
    let calm = reports(30, Scenario { barriers: Barriers::ExactlyOnce, ..CALM });
    let in_flight = sum(&calm, |report| report.in_flight);
    assert!(in_flight > 30, "{in_flight} objects with records in flight");
}

#[test]
fn barriers_that_overtake_records_on_the_way_to_guests_lose_and_double_nothing() {
    check(15, Scenario { barriers: Barriers::ExactlyOnce, counter: Counter::Guest, ..STORMY });
    check(15, Scenario { barriers: Barriers::ExactlyOnce, counter: Counter::PoisonedGuest, ..STORMY });
}

#[test]
fn at_least_once_loses_nothing() {
    check(100, Scenario { barriers: Barriers::AtLeastOnce, ..STORMY });
}

#[test]
fn barriers_that_overtake_on_several_inputs_lose_and_double_no_pair() {
    check(60, Scenario { barriers: Barriers::ExactlyOnce, counter: Counter::Join, ..STORMY });
}

#[test]
fn state_restored_from_changes_loses_and_doubles_nothing() {
    let deltas: usize = reports(10, INCREMENTAL).iter().map(|report| report.deltas).sum();
    assert!(deltas > 30, "{deltas} deltas");
    let (processes, ..) = check(100, Scenario { crash_within_polls: 5_000, ..INCREMENTAL });
    assert!(processes > 200, "{processes} processes");
}

#[test]
fn changes_since_checkpoints_in_flight_and_failed_ones_lose_and_double_nothing() {
    let faults = FaultPlan { refused: 60, lost_acknowledgement: 60, slow: 500, ..FaultPlan::NONE };
    for retain in [1, 2] {
        let scenario = Scenario { failures: Some(600), faults, crash_within_polls: 12_000, max_concurrent: 3, retain, ..INCREMENTAL };
        let (_, checkpoints, _) = check(60, scenario);
        assert!(checkpoints > 300, "{checkpoints} checkpoints");
    }
}

#[test]
fn changes_and_records_in_flight_together_lose_and_double_nothing() {
    let scenario = Scenario { barriers: Barriers::ExactlyOnce, crash_within_polls: 8_000, ..STORMY };
    check(60, Scenario { records: 3_000, keys: 600, counted_keys: 600, counter: Counter::Forgetful, retain: 1, ..scenario });
}

#[test]
fn a_state_backend_that_waits_holds_up_nothing_but_its_own_calls() {
    let waits = StateFaultPlan { slow: 700, slow_ms: 30, ..StateFaultPlan::default() };
    let reports = reports(20, Scenario { state_faults: Some(waits), ..CALM });
    assert_eq!((sum(&reports, |report| report.processes), sum(&reports, |report| report.restarts)), (20, 0));
    let checkpoints = sum(&reports, |report| report.checkpoints);
    assert!(checkpoints >= 40, "{checkpoints} checkpoints");
    let shared: usize = reports.iter().map(|report| report.shared_files).sum();
    assert!(shared >= 10, "{shared} files of older checkpoints are shared by newer ones");
}

#[test]
fn a_state_backend_that_fails_loses_and_doubles_nothing() {
    let (_, _, restarts) = check(40, Scenario { state_faults: Some(FAULTY_STATE), ..CALM });
    assert!(restarts > 20, "{restarts} restarts");
    check(60, Scenario { state_faults: Some(FAULTY_STATE), counter: Counter::Join, ..STORMY });
    check(10, Scenario { state_faults: Some(FAULTY_STATE), counter: Counter::PoisonedGuest, ..CALM });
}

#[test]
fn state_in_files_is_restored_from_them_whatever_is_killed() {
    let waits = StateFaultPlan { slow: 200, slow_ms: 5, ..StateFaultPlan::default() };
    let (processes, ..) = check(40, Scenario { state_faults: Some(waits), crash_within_polls: 12_000, ..INCREMENTAL });
    assert!(processes > 40, "{processes} processes");
}

#[test]
fn uploads_that_fail_for_good_lose_and_double_nothing() {
    let faults = FaultPlan { refused: 450, ..FaultPlan::NONE };
    for counter in [Counter::Join, Counter::Native] {
        check(40, Scenario { faults, counter, barriers: Barriers::Aligned, max_concurrent: 2, ..CALM });
    }
}

#[test]
fn recorded_calls_make_the_committed_output_again_whatever_failed_in_between() {
    let recorded = Scenario { record: true, retain: EVERY, ..STORMY };
    for scenario in [
        Scenario { failures: None, faults: FaultPlan::NONE, crash_within_polls: 0, ..recorded },
        Scenario { barriers: Barriers::ExactlyOnce, ..recorded },
        Scenario { barriers: Barriers::ExactlyOnce, counter: Counter::Join, ..recorded },
    ] {
        let reports = reports(30, scenario);
        let (replayed, processes) = (sum(&reports, |report| report.replayed), sum(&reports, |report| report.processes));
        assert!(replayed > 3_000, "{replayed} calls, {processes} processes");
    }
}

#[test]
fn recordings_are_deleted_with_their_checkpoints_and_what_is_left_can_be_replayed() {
    let faults = FaultPlan { refused: 60, lost_acknowledgement: 60, slow: 500, ..FaultPlan::NONE };
    let recorded = Scenario { record: true, faults, max_concurrent: 3, ..CALM };
    let calls = sum(&reports(40, Scenario { crash_within_polls: 4_000, ..recorded }), |report| report.replayed);
    assert!(calls > 200, "{calls} calls");
    check(10, Scenario { retain: 1, ..recorded });
    let guests = sum(&reports(5, Scenario { counter: Counter::Guest, ..recorded }), |report| report.replayed);
    assert!(guests > 20, "{guests} calls of guests");
}

/// Runs `seeds` jobs that are changed while they run; the sums of rescales, accepted and rolled back upgrades, and rescales that were undone.
#[track_caller]
fn changed(seeds: u64, scenario: Scenario) -> (u64, u64, u64, u64) {
    let report = |seed| simulate_changes(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    let sum = |sum: (u64, u64, u64, u64), report: weir_tests::simulation::ChangeReport| {
        (sum.0 + report.rescales, sum.1 + report.accepted, sum.2 + report.rolled_back, sum.3 + report.undone)
    };
    self::seeds(seeds).map(report).fold((0, 0, 0, 0), sum)
}

#[test]
fn a_job_that_is_changed_while_it_runs_counts_each_record_once_and_by_a_version_that_held() {
    let (rescales, accepted, rolled_back, undone) = changed(90, CALM);
    assert!(rescales > 60 && accepted > 60 && rolled_back > 10, "{rescales} rescales, {accepted} accepted, {rolled_back} rolled back");
    assert!(undone > 20, "{undone} rescales undone");
}

#[test]
fn changes_under_failures_and_kills_lose_and_double_nothing() {
    let (rescales, accepted, rolled_back, undone) = changed(100, Scenario { barriers: Barriers::ExactlyOnce, ..STORMY });
    assert!(rescales > 50 && accepted > 20 && rolled_back > 20, "{rescales} rescales, {accepted} accepted, {rolled_back} rolled back");
    assert!(undone > 20, "{undone} rescales undone");
}

#[test]
fn what_a_changing_job_has_committed_is_replayed_by_the_versions_that_did_it() {
    let recorded = Scenario { record: true, retain: EVERY, ..CALM };
    let (rescales, accepted, ..) = changed(40, recorded);
    assert!(rescales > 20 && accepted > 20, "{rescales} rescales, {accepted} accepted");
    changed(20, Scenario { barriers: Barriers::ExactlyOnce, record: true, retain: EVERY, ..STORMY });
}

/// Runs `seeds` jobs whose files change between their runs; the sums of what [`weir_tests::simulation::EvolveReport`] counts: changes, refusals for
/// state that was not named, refusals for records in flight, migrations.
#[track_caller]
fn evolved(seeds: u64, scenario: Scenario) -> (u64, u64, u64, u64) {
    let report =
        |seed| simulate_evolution(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    let sum = |sum: (u64, u64, u64, u64), report: weir_tests::simulation::EvolveReport| {
        (sum.0 + report.changed, sum.1 + report.refused, sum.2 + report.in_flight, sum.3 + report.migrated)
    };
    self::seeds(seeds).map(report).fold((0, 0, 0, 0), sum)
}

#[test]
fn a_job_whose_steps_and_states_change_between_runs_counts_each_record_once() {
    let long = Scenario { records: 4_000, crash_within_polls: 4_000, ..CALM };
    let aligned = evolved(60, long);
    let (changed, refused, in_flight, migrated) = aligned;
    assert!(changed > 60 && refused > 10 && in_flight == 0 && migrated > 20, "{aligned:?}");
    let stormy = evolved(60, Scenario { records: 4_000, barriers: Barriers::ExactlyOnce, ..STORMY });
    let (changed, refused, in_flight, migrated) = stormy;
    assert!(changed > 60 && refused > 10 && in_flight > 5 && migrated > 20, "{stormy:?}");
}

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

/// Runs `seeds` jobs that are stopped again and again; the sums of what [`StopReport`] counts.
#[track_caller]
fn stopped(seeds: u64, scenario: Scenario) -> StopReport {
    let report = |seed| simulate_stops(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    let sum = |sum: StopReport, report: StopReport| StopReport {
        stopped: sum.stopped + report.stopped,
        given_up: sum.given_up + report.given_up,
    };
    self::seeds(seeds).map(report).fold(StopReport::default(), sum)
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

#[test]
fn splits_that_are_found_while_the_job_runs_count_once_whatever_a_crash_comes_between() {
    let overtaking = Scenario { barriers: Barriers::ExactlyOnce, ..STORMY };
    for (seeds, scenario) in [(3, CALM), (15, STORMY), (15, overtaking)] {
        let report =
            |seed| simulate_found_splits(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
        let reports: Vec<_> = self::seeds(seeds).map(report).collect();
        let (assigned, heard): (u64, u64) = (reports.iter().map(|r| r.assigned).sum(), reports.iter().map(|r| r.heard).sum());
        assert!(assigned > 0 && heard > 0, "{assigned} splits were assigned, {heard} checkpoints heard of");
    }
}

/// So many seeds, or the one that WEIR_SEED names.
fn seeds(seeds: u64) -> std::ops::Range<u64> {
    let only = std::env::var("WEIR_SEED").ok().map(|seed| seed.parse().expect("WEIR_SEED is a number"));
    only.map_or(0..seeds, |seed: u64| seed..seed + 1)
}
