//! State that is restored from changes, from files and from backends that wait and fail; and calls that are recorded beside it.

use super::{Sums, check, reports, seeds, sum};
use weir_engine::ErrorKind;
use weir_engine::job::JobOutcome;
use weir_engine::state::conformance::StateFaultPlan;
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::scenarios::{CALM, EVERY, FAULTY_STATE, INCREMENTAL, STORMY};
use weir_tests::simulation::{Barriers, Counter, Guest, Scenario, simulate_unopened_state};

#[test]
fn state_restored_from_changes_loses_and_doubles_nothing() {
    let deltas: usize = reports(10, INCREMENTAL).iter().map(|report| report.deltas).sum();
    assert!(deltas > 30, "{deltas} deltas");
    let Sums { processes, .. } = check(100, Scenario { crash_within_polls: 5_000, ..INCREMENTAL });
    assert!(processes > 200, "{processes} processes");
}

#[test]
fn changes_since_checkpoints_in_flight_and_failed_ones_lose_and_double_nothing() {
    let faults = FaultPlan { refused: 60, lost_acknowledgement: 60, slow: 500, ..FaultPlan::NONE };
    for retain in [1, 2] {
        let scenario = Scenario { failures: Some(600), faults, crash_within_polls: 12_000, max_concurrent: 3, retain, ..INCREMENTAL };
        let Sums { checkpoints, .. } = check(60, scenario);
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
    let Sums { restarts, .. } = check(40, Scenario { state_faults: Some(FAULTY_STATE), ..CALM });
    assert!(restarts > 20, "{restarts} restarts");
    check(60, Scenario { state_faults: Some(FAULTY_STATE), counter: Counter::Join, ..STORMY });
    check(10, Scenario { state_faults: Some(FAULTY_STATE), counter: Counter::Guest(Guest::Poisoned), ..CALM });
}

#[test]
fn state_that_cannot_be_opened_ends_the_attempt_and_where_that_passes_not_the_job() {
    for seed in seeds(5) {
        let simulated = |kind, times| simulate_unopened_state(seed, CALM, kind, times).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        for kind in [ErrorKind::Retry, ErrorKind::Restart] {
            let passed = simulated(kind, 3);
            assert!(matches!(passed.outcome, JobOutcome::Finished) && passed.restarts == 3, "seed {seed}: {passed:?}");
            let lasting = simulated(kind, u64::MAX);
            assert_eq!((lasting.restarts, lasting.read), (5, 0), "seed {seed}: nothing runs without its state: {lasting:?}");
            let JobOutcome::Failed(error) = lasting.outcome else { panic!("seed {seed}: {lasting:?}") };
            assert!(error.to_string().contains("count: open its state: the disk is full"), "seed {seed}: {error}");
        }
        let refused = simulated(ErrorKind::FixInput, 1);
        assert_eq!((refused.restarts, refused.read), (0, 0), "seed {seed}: a restart mends nothing: {refused:?}");
        let JobOutcome::Failed(error) = refused.outcome else { panic!("seed {seed}: {refused:?}") };
        assert!(error.to_string().contains("count: open its state: the disk is full"), "seed {seed}: {error}");
    }
}

#[test]
fn state_in_files_is_restored_from_them_whatever_is_killed() {
    let waits = StateFaultPlan { slow: 200, slow_ms: 5, ..StateFaultPlan::default() };
    let Sums { processes, .. } = check(40, Scenario { state_faults: Some(waits), crash_within_polls: 12_000, ..INCREMENTAL });
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
    let guests = sum(&reports(5, Scenario { counter: Counter::Guest(Guest::Count), ..recorded }), |report| report.replayed);
    assert!(guests > 20, "{guests} calls of guests");
}

/// Bytes of a dozen calls.
const LITTLE: u64 = 4_000;

#[test]
fn all_that_is_recorded_of_an_attempt_is_within_one_budget_whatever_checkpoints_fail() {
    let recorded = Scenario { record: true, retain: EVERY, max_call_log_bytes: LITTLE, ..CALM };
    // Most checkpoints fail: each object holds the calls since the last one that did not.
    let failing = Scenario { faults: FaultPlan { refused: 450, ..FaultPlan::NONE }, max_concurrent: 2, ..recorded };
    for scenario in [recorded, failing] {
        let reports = reports(20, scenario);
        let most = reports.iter().map(|report| report.recorded_bytes_max).max().unwrap_or_default();
        assert!(most > LITTLE / 2 && most <= LITTLE, "{most} bytes of calls in one checkpoint");
        let (cut_off, replayed) = (sum(&reports, |report| report.cut_off), sum(&reports, |report| report.replayed));
        assert!(cut_off > 20 && replayed > 100, "{cut_off} of the subtasks' stretches are cut off, {replayed} calls are replayed");
    }
}
