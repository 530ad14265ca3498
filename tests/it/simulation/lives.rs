//! All that may become of processes, of their storage and of their state, once more with windows and timers of every kind.

use super::changed::changed;
use super::{check, reports, seeds, sum};
use weir_engine::state::conformance::StateFaultPlan;
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::in_time::{IN_TIME, Life, OTHERS, STOPS, changing};
use weir_tests::simulation::scenarios::{
    CALM, FAULTY_STATE, INCREMENTAL, OVERTAKING, STORMY, TIMED_INCREMENTS, in_files_in_a_storm, speaking,
};
use weir_tests::simulation::{Counter, Report, Scenario, Speaking};

#[track_caller]
fn live(lives: &[(&str, Life)]) {
    for (name, life) in lives {
        for (kind, of) in IN_TIME.into_iter().enumerate() {
            // Each kind is given another one: there are few.
            for seed in seeds(2).map(|seed| if std::env::var("WEIR_SEED").is_ok() { seed } else { 2 * kind as u64 + seed }) {
                life(seed, of).unwrap_or_else(|what| panic!("seed {seed}: {name}, {:?}: {what}", of.counter));
            }
        }
    }
}

#[test]
fn windows_and_timers_outlive_stops_savepoints_and_uploads_that_fail() {
    live(&STOPS);
}

#[test]
fn windows_and_timers_outlive_other_processes_and_what_is_lost_or_found() {
    live(&OTHERS);
}

#[test]
fn windows_and_timers_outlive_slow_stores_and_uploads_that_fail_for_good() {
    let slow = Scenario { faults: FaultPlan { slow: 700, ..FaultPlan::NONE }, crash_within_polls: 2_500, max_concurrent: 2, ..CALM };
    let failing = Scenario { faults: FaultPlan { refused: 450, ..FaultPlan::NONE }, max_concurrent: 2, ..CALM };
    for Scenario { counter, timed_by, .. } in IN_TIME {
        for of in [slow, failing] {
            check(2, Scenario { counter, timed_by, ..of });
        }
    }
}

#[test]
fn windows_and_timers_outlive_state_that_waits_and_fails() {
    let mut restarts = 0;
    for of in IN_TIME {
        restarts += check(2, Scenario { state_faults: Some(FAULTY_STATE), ..of }).restarts;
        let Scenario { keys, counted_keys, timed_by, .. } = of;
        restarts += check(1, Scenario { keys, counted_keys, timed_by, ..in_files_in_a_storm(of.counter) }).restarts;
    }
    assert!(restarts > 10 || std::env::var("WEIR_SEED").is_ok(), "{restarts} restarts");
    let waits = StateFaultPlan { slow: 200, slow_ms: 5, ..StateFaultPlan::default() };
    let files = Scenario { state_faults: Some(waits), crash_within_polls: 12_000, ..INCREMENTAL };
    for counter in [Counter::Timed, Counter::Clocked, Counter::Windowed, Counter::Living, Counter::Speaking(Speaking::Tumbling)] {
        check(1, Scenario { counter, ..files });
        changed(1, Scenario { state_faults: Some(waits), ..changing(counter, OVERTAKING) });
    }
}

#[test]
fn windows_and_timers_are_pieced_together_from_changes_of_few_checkpoints() {
    for counter in [Counter::Timed, Counter::Clocked, Counter::Windowed, Counter::Speaking(Speaking::Sessions)] {
        let reports = reports(3, Scenario { counter, retain: 1, ..TIMED_INCREMENTS });
        let checkpoints = sum(&reports, |report| report.checkpoints);
        assert!(checkpoints > 10 || std::env::var("WEIR_SEED").is_ok(), "{counter:?}: {checkpoints} checkpoints");
    }
}

#[test]
fn calls_in_time_are_deleted_with_their_checkpoints_and_what_is_left_can_be_replayed() {
    let faults = FaultPlan { refused: 60, lost_acknowledgement: 60, slow: 500, ..FaultPlan::NONE };
    let replayed = |report: &Report| report.replayed;
    // Windows that join say as many lines as there are pairs: which call said them is not told apart.
    for of in IN_TIME.into_iter().filter(|of| of.counter != Counter::WindowedJoin) {
        let recorded = Scenario { record: true, faults, max_concurrent: 3, crash_within_polls: 4_000, ..of };
        let calls = sum(&reports(2, recorded), replayed) + sum(&reports(1, Scenario { retain: 1, ..recorded }), replayed);
        assert!(calls > 10 || std::env::var("WEIR_SEED").is_ok(), "{:?}: {calls} calls", of.counter);
    }
}

/// Bytes of a dozen calls.
const LITTLE: u64 = 4_000;

#[test]
fn calls_in_time_are_recorded_within_one_budget_and_replayed_as_far_as_it_goes() {
    for of in [Scenario { counter: Counter::Timed, ..STORMY }, speaking(Speaking::Sessions, STORMY)] {
        let reports = reports(3, Scenario { record: true, max_call_log_bytes: LITTLE, ..of });
        let most = reports.iter().map(|report| report.recorded_bytes_max).max().unwrap_or_default();
        let cut_off = sum(&reports, |report| report.cut_off);
        assert!((most <= LITTLE && cut_off > 1) || std::env::var("WEIR_SEED").is_ok(), "{most} bytes of calls, {cut_off} are cut off");
    }
}
