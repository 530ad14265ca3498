//! Every scenario once more in event time: with timers, with windows of every kind that fire early, take late records and correct what they said, with states that
//! have a time to live, and with splits that go quiet.

use super::changed::{changed, evolved};
use super::{check, reports, seeds, sum};
use std::time::Duration;
use weir_engine::ErrorKind;
use weir_engine::checkpoint::CheckpointConfig;
use weir_engine::job::{CheckpointRequest, JobOutcome, StopKind};
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::scenarios::{
    CALM, EVERY, FAULTY_STATE, INCREMENTAL, LIVING, OVERTAKING, PUBLISHING, STORMY, TIMED_INCREMENTS, recorded, speaking,
};
use weir_tests::simulation::{
    Barriers, Counter, GoesOn, Scenario, Speaking, simulate_checkpoint_request, simulate_failing_uploads, simulate_found_splits,
    simulate_lost_entries, simulate_quiet_split, simulate_replaced_storage, simulate_slow_clearing, simulate_slow_start,
    simulate_stop_in_restart_delay, simulate_stop_on_trial, simulate_stops, simulate_takeover, simulate_unopened_state,
};

/// What counts by time: until timers, in windows, in sessions, and in sessions that take late records.
const BY_TIME: [Counter; 4] = [Counter::Timed, Counter::Windowed, Counter::Sessions, Counter::Speaking(Speaking::Sessions)];

#[test]
fn windows_that_fire_early_and_are_corrected_lose_and_double_nothing_and_fire_nothing_twice() {
    for of in [Speaking::Tumbling, Speaking::Hopping, Speaking::Sessions] {
        let reports: Vec<_> = [STORMY, OVERTAKING].into_iter().flat_map(|scenario| reports(8, speaking(of, scenario))).collect();
        let [early, corrections, late] = [
            sum(&reports, |report| report.spoken.early),
            sum(&reports, |report| report.spoken.corrections),
            sum(&reports, |report| report.spoken.late),
        ];
        assert!(early > 100 && corrections > 30 && late > 100, "{of:?}: {early} early, {corrections} corrections, {late} late");
    }
    for of in [Speaking::Counts, Speaking::Global, Speaking::ByClock] {
        check(8, speaking(of, OVERTAKING));
    }
    check(8, speaking(Speaking::Tumbling, Scenario { barriers: Barriers::AtLeastOnce, ..STORMY }));
}

#[test]
fn states_with_a_time_to_live_are_there_for_as_long_as_a_plain_model_says() {
    check(12, LIVING);
    check(3, Scenario { crash_within_polls: 10_000, counter: Counter::Living, ..INCREMENTAL });
    check(3, Scenario { state_faults: Some(FAULTY_STATE), counter: Counter::Living, ..INCREMENTAL });
}

#[test]
fn inputs_that_are_joined_in_windows_lose_and_double_no_pair() {
    check(15, Scenario { counter: Counter::WindowedJoin, ..STORMY });
    check(15, Scenario { counter: Counter::WindowedJoin, ..OVERTAKING });
}

#[test]
fn windows_and_timers_go_on_over_rescales_and_upgrades_and_each_speaks_once_by_a_version_that_held() {
    let (mut rescales, mut accepted, mut rolled_back) = (0, 0, 0);
    for counter in [Counter::Timed, Counter::Windowed, Counter::Sessions] {
        let in_time = Scenario { keys: 15, counter, ..OVERTAKING };
        for report in [changed(8, in_time), changed(4, Scenario { keys: 15, counter, ..CALM })] {
            (rescales, accepted) = (rescales + report.rescales, accepted + report.accepted);
            rolled_back += report.rolled_back;
        }
    }
    assert!(rescales > 20 && accepted > 15 && rolled_back > 5, "{rescales} rescales, {accepted} accepted, {rolled_back} rolled back");
}

#[test]
fn open_windows_go_with_a_job_whose_steps_and_states_change_between_runs() {
    for (keys, counter) in [(20, Counter::Timed), (20, Counter::Windowed), (15, Counter::Sessions)] {
        let report = evolved(6, Scenario { records: 3_000, keys, counter, ..OVERTAKING });
        assert!(report.changed > 6 && report.migrated > 1, "{counter:?}: {report:?}");
    }
}

#[test]
fn time_goes_on_without_a_split_that_goes_quiet_and_what_it_brings_then_is_late_or_corrects() {
    for goes_on in [GoesOn::ByOthers, GoesOn::ByClock] {
        for (of, scenario) in [(Speaking::Tumbling, CALM), (Speaking::Hopping, OVERTAKING), (Speaking::Sessions, OVERTAKING)] {
            let spoken = |seed| {
                let spoken = simulate_quiet_split(seed, speaking(of, scenario), goes_on);
                spoken.unwrap_or_else(|what| panic!("seed {seed}: {goes_on:?} {of:?}: {what}; rerun with WEIR_SEED={seed}"))
            };
            let late: u64 = seeds(3).map(spoken).map(|spoken| spoken.late).sum();
            assert!(late > 100, "{goes_on:?} {of:?}: {late} late");
        }
    }
}

#[test]
fn windows_take_what_splits_bring_that_are_found_when_their_time_is_over() {
    for of in [Speaking::Tumbling, Speaking::Sessions] {
        let report = |seed| {
            let report = simulate_found_splits(seed, speaking(of, OVERTAKING));
            report.unwrap_or_else(|what| panic!("seed {seed}: {of:?}: {what}; rerun with WEIR_SEED={seed}"))
        };
        let late: u64 = seeds(3).map(report).map(|report| report.spoken.late).sum();
        assert!(late > 100, "{of:?}: {late} late");
    }
}

#[test]
fn windows_and_timers_reach_a_target_through_an_outbox_once() {
    check(5, Scenario { counter: Counter::Timed, ..PUBLISHING });
    check(5, speaking(Speaking::Sessions, Scenario { barriers: Barriers::ExactlyOnce, ..PUBLISHING }));
    let mut rescales = 0;
    for counter in [Counter::Timed, Counter::Windowed, Counter::Sessions] {
        rescales += changed(4, Scenario { keys: 15, counter, barriers: Barriers::ExactlyOnce, ..PUBLISHING }).rescales;
    }
    assert!(rescales > 5, "{rescales} rescales");
}

#[test]
fn timers_by_the_clock_fire_once_and_when_they_are_due_over_kills_and_restores() {
    let reports: Vec<_> =
        [STORMY, OVERTAKING].into_iter().flat_map(|of| reports(20, Scenario { counter: Counter::Clocked, ..of })).collect();
    let (processes, restarts) = (sum(&reports, |report| report.processes), sum(&reports, |report| report.restarts));
    assert!(processes > 80 && restarts > 20, "{processes} processes, {restarts} restarts");
    check(5, recorded(Counter::Clocked));
    check(5, Scenario { counter: Counter::Clocked, ..TIMED_INCREMENTS });
}

#[test]
fn windows_that_timers_close_are_pieced_together_from_changes() {
    let reports = reports(8, TIMED_INCREMENTS);
    let (checkpoints, processes) = (sum(&reports, |report| report.checkpoints), sum(&reports, |report| report.processes));
    assert!(checkpoints > 40 && processes > 16, "{checkpoints} checkpoints, {processes} processes");
}

#[test]
fn what_windows_said_more_than_once_is_replayed_as_it_was() {
    for of in [Speaking::Tumbling, Speaking::Sessions] {
        let replayed = sum(&reports(5, recorded(Counter::Speaking(of))), |report| report.replayed);
        assert!(replayed > 300, "{of:?}: {replayed} calls");
    }
}

#[test]
fn windows_and_timers_of_a_job_that_changes_are_replayed_by_the_versions_that_did_it() {
    let (mut rescales, mut accepted) = (0, 0);
    for counter in [Counter::Timed, Counter::Windowed, Counter::Sessions] {
        for (count, of) in [(5, CALM), (4, OVERTAKING)] {
            let report = changed(count, Scenario { keys: 15, counter, record: true, retain: EVERY, ..of });
            (rescales, accepted) = (rescales + report.rescales, accepted + report.accepted);
        }
    }
    assert!(rescales > 10 && accepted > 10, "{rescales} rescales, {accepted} accepted");
}

#[test]
fn windows_and_timers_outlive_slow_stores_stops_and_other_processes() {
    let slow = Scenario { faults: FaultPlan { slow: 700, ..FaultPlan::NONE }, crash_within_polls: 2_500, max_concurrent: 2, ..CALM };
    for (counter, seed) in BY_TIME.into_iter().flat_map(|counter| seeds(3).map(move |seed| (counter, seed))) {
        let calm = Scenario { counter, ..CALM };
        let failed = |what: String| -> ! { panic!("seed {seed}: {counter:?}: {what}") };
        check(3, Scenario { counter, ..slow });
        simulate_stops(seed, Scenario { failures: Some(400), barriers: Barriers::ExactlyOnce, ..calm }).unwrap_or_else(|what| failed(what));
        simulate_takeover(seed, calm).unwrap_or_else(|what| failed(what));
        simulate_lost_entries(seed, Scenario { crash_within_polls: 3_000, ..calm }).unwrap_or_else(|what| failed(what));
        simulate_replaced_storage(seed, calm, 3_000).unwrap_or_else(|what| failed(what));
        simulate_slow_start(seed, Scenario { records: 4_000, ..calm }, Duration::from_millis(450), None)
            .unwrap_or_else(|what| failed(what));
        simulate_slow_clearing(seed, calm).unwrap_or_else(|what| failed(what));
        simulate_unopened_state(seed, calm, ErrorKind::Restart, 3).unwrap_or_else(|what| failed(what));
        simulate_stop_in_restart_delay(seed, Scenario { failures: Some(20), ..calm }, StopKind::Suspend);
    }
}

#[test]
fn windows_and_timers_outlive_uploads_that_fail_savepoints_and_stops_on_trial() {
    let checkpoints = CheckpointConfig {
        interval: Duration::from_millis(100),
        timeout: Duration::from_millis(400),
        tolerate_failures: 1_000_000,
        ..CheckpointConfig::default()
    };
    for (counter, seed) in BY_TIME.into_iter().flat_map(|counter| seeds(2).map(move |seed| (counter, seed))) {
        let calm = Scenario { counter, ..CALM };
        let failed = |what: String| -> ! { panic!("seed {seed}: {counter:?}: {what}") };
        let short = Scenario { records: 150, ..calm };
        simulate_failing_uploads(seed, short, checkpoints, Duration::from_millis(2_500)).unwrap_or_else(|what| failed(what));
        for request in [CheckpointRequest::Savepoint, CheckpointRequest::UnalignedSavepoint] {
            let (answer, _) =
                simulate_checkpoint_request(seed, calm, checkpoints, request, Duration::ZERO).unwrap_or_else(|what| failed(what));
            assert!(answer.is_ok(), "seed {seed}: {counter:?}: {answer:?}");
        }
        // The component that is on trial has no windows that speak more than once.
        if let Counter::Timed | Counter::Windowed | Counter::Sessions = counter {
            let on_trial = Scenario { keys: 15, ..calm };
            let stopped = simulate_stop_on_trial(seed, on_trial, 4, Duration::from_secs(10), StopKind::Suspend);
            let stopped = stopped.unwrap_or_else(|what| failed(what));
            assert!(matches!(stopped.outcome, JobOutcome::Failed(_)), "seed {seed}: {counter:?}: {stopped:?}");
        }
    }
}
