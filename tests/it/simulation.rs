//! Exactly-once under injected failures: whatever fails, each input record shows once in what is committed.

use weir_engine::checkpoint::FaultPlan;
use weir_engine::job::JobOutcome;
use weir_tests::simulation::{Barriers, Counter, Report, Scenario, simulate, simulate_takeover};

const CALM: Scenario = Scenario {
    records: 1_500,
    keys: 20,
    failures: None,
    faults: FaultPlan::NONE,
    crash_within_polls: 0,
    max_concurrent: 1,
    barriers: Barriers::Aligned,
    counter: Counter::Native,
};

/// Runs `seeds` seeds, or the one that WEIR_SEED names. Returns the sums of processes, checkpoints and restarts.
#[track_caller]
fn check(seeds: u64, scenario: Scenario) -> (u64, u64, u64) {
    let sums = sums(seeds, scenario);
    (sums.processes, sums.checkpoints, sums.restarts)
}

#[track_caller]
fn sums(seeds: u64, scenario: Scenario) -> Report {
    let only = std::env::var("WEIR_SEED").ok().map(|seed| seed.parse().expect("WEIR_SEED is a number"));
    let mut sums = Report { processes: 0, checkpoints: 0, restarts: 0, in_flight: 0, trace: 0 };
    for seed in only.map_or(0..seeds, |seed: u64| seed..seed + 1) {
        match simulate(seed, scenario) {
            Ok(report) => {
                sums.processes += report.processes;
                sums.checkpoints += report.checkpoints;
                sums.restarts += report.restarts;
                sums.in_flight += report.in_flight;
            }
            Err(what) => panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"),
        }
    }
    sums
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

/// Everything goes wrong at once.
const STORMY: Scenario = Scenario { failures: Some(400), faults: FaultPlan::STORM, crash_within_polls: 3_000, max_concurrent: 3, ..CALM };

#[test]
fn barriers_that_overtake_lose_and_double_nothing() {
    let stormy = sums(150, Scenario { barriers: Barriers::ExactlyOnce, ..STORMY });
    assert!(stormy.in_flight > 300 && stormy.processes > 300, "{stormy:?}");
    let calm = sums(30, Scenario { barriers: Barriers::ExactlyOnce, ..CALM });
    assert!(calm.in_flight > 30, "{} objects with records in flight", calm.in_flight);
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
