//! Exactly-once under injected failures: whatever fails, each input record shows once in what is committed.
//!
//! What is run here is the scenarios alone; `state` is about what operators keep and record, `changed` about jobs that change,
//! `stops` about how jobs end, `other_processes` about several processes on one job, `time` and `lives` about all of these in time, `by_operator` about time that an
//! operator gives, `guests` about operators in a sandbox.

mod by_operator;
mod changed;
mod guests;
mod lives;
mod other_processes;
mod state;
mod stops;
mod time;

use weir_engine::storage::FaultPlan;
use weir_tests::simulation::in_time::changing;
use weir_tests::simulation::scenarios::{CALM, FAULTY_STATE, INCREMENTAL, OVERTAKING, STORMY, timed_by};
use weir_tests::simulation::{Barriers, Counter, Report, Scenario, Speaking, TimedBy, simulate, simulate_changes};

/// What came of some seeds, summed up.
struct Sums {
    processes: u64,
    checkpoints: u64,
    restarts: u64,
}

/// Runs `seeds` seeds, or the one that WEIR_SEED names.
#[track_caller]
fn check(seeds: u64, scenario: Scenario) -> Sums {
    let reports = reports(seeds, scenario);
    let sum = |of: fn(&Report) -> u64| sum(&reports, of);
    Sums {
        processes: sum(|report| report.processes),
        checkpoints: sum(|report| report.checkpoints),
        restarts: sum(|report| report.restarts),
    }
}

fn sum(reports: &[Report], of: fn(&Report) -> u64) -> u64 {
    reports.iter().map(of).sum()
}

#[track_caller]
fn reports(seeds: u64, scenario: Scenario) -> Vec<Report> {
    let report = |seed| simulate(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    self::seeds(seeds).map(report).collect()
}

/// So many seeds, or the one that WEIR_SEED names.
fn seeds(seeds: u64) -> std::ops::Range<u64> {
    let only = std::env::var("WEIR_SEED").ok().map(|seed| seed.parse().expect("WEIR_SEED is a number"));
    only.map_or(0..seeds, |seed: u64| seed..seed + 1)
}

#[test]
fn a_calm_job_commits_its_input_once() {
    let Sums { processes, checkpoints, restarts } = check(20, CALM);
    assert_eq!((processes, restarts), (20, 0));
    assert!(checkpoints >= 40, "{checkpoints} checkpoints");
}

#[test]
fn failing_tasks_lose_and_double_nothing() {
    let Sums { restarts, .. } = check(60, Scenario { failures: Some(200), ..CALM });
    assert!(restarts > 30, "{restarts} restarts");
}

#[test]
fn a_failing_store_loses_and_doubles_nothing() {
    check(60, Scenario { faults: FaultPlan { refused: 60, lost_acknowledgement: 60, slow: 200, ..FaultPlan::NONE }, ..CALM });
}

#[test]
fn killed_processes_lose_and_double_nothing() {
    let Sums { processes, .. } = check(100, Scenario { crash_within_polls: 1_500, ..CALM });
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
fn inputs_joined_under_broadcast_rules_lose_and_double_nothing() {
    let join = Scenario { counter: Counter::Join, ..CALM };
    check(10, join);
    check(60, Scenario { crash_within_polls: 1_500, ..join });
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 200, ..FaultPlan::NONE };
    let Sums { processes, restarts, .. } =
        check(60, Scenario { failures: Some(400), faults, crash_within_polls: 3_000, max_concurrent: 2, ..join });
    assert!(processes > 100 && restarts > 20, "{processes} processes, {restarts} restarts");
}

#[test]
fn a_seed_run_twice_in_time_gives_the_same_trace() {
    let by_time = [
        Counter::Timed,
        Counter::Clocked,
        Counter::Windowed,
        Counter::Sessions,
        Counter::WindowedJoin,
        Counter::Speaking(Speaking::ByClock),
    ];
    for counter in by_time {
        let scenario = Scenario { counter, ..OVERTAKING };
        for seed in 0..3 {
            assert_eq!(simulate(seed, scenario), simulate(seed, scenario), "{counter:?}, seed {seed}");
        }
    }
    let living = changing(Counter::Living, OVERTAKING);
    assert_eq!(simulate(3, living), simulate(3, living), "states with a time to live");
    assert_eq!(simulate_changes(3, living), simulate_changes(3, living), "changes of these");
    for by in [TimedBy::ChainedOperator, TimedBy::Operator] {
        let scenario = timed_by(by, Counter::Timed, OVERTAKING);
        assert_eq!(simulate(3, scenario), simulate(3, scenario), "{by:?}");
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
fn at_least_once_loses_nothing() {
    check(100, Scenario { barriers: Barriers::AtLeastOnce, ..STORMY });
}

#[test]
fn barriers_that_overtake_on_several_inputs_lose_and_double_no_pair() {
    check(60, Scenario { barriers: Barriers::ExactlyOnce, counter: Counter::Join, ..STORMY });
}

#[test]
fn windows_that_timers_close_lose_and_double_nothing_and_no_record_is_late() {
    check(80, Scenario { counter: Counter::Timed, ..STORMY });
    check(80, Scenario { counter: Counter::Timed, barriers: Barriers::ExactlyOnce, ..STORMY });
    check(20, Scenario { counter: Counter::Timed, record: true, barriers: Barriers::ExactlyOnce, ..STORMY });
    check(20, Scenario { counter: Counter::Timed, state_faults: Some(FAULTY_STATE), ..CALM });
}

#[test]
fn windows_and_sessions_of_the_engine_lose_and_double_nothing() {
    for counter in [Counter::Windowed, Counter::Sessions] {
        check(30, Scenario { counter, ..STORMY });
        check(30, Scenario { counter, barriers: Barriers::ExactlyOnce, ..STORMY });
        check(10, Scenario { counter, record: true, barriers: Barriers::ExactlyOnce, ..STORMY });
        check(15, Scenario { counter, state_faults: Some(FAULTY_STATE), ..CALM });
        check(10, Scenario { counter, crash_within_polls: 8_000, failures: Some(600), max_concurrent: 3, ..INCREMENTAL });
    }
}
