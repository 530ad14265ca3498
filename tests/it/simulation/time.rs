//! Every scenario once more in event time: with timers, with windows of every kind that fire early, take late records and correct what they said, with states that
//! have a time to live, and with splits that go quiet.

use super::changed::{changed, evolved};
use super::{check, reports, seeds, sum};
use weir_tests::simulation::in_time::changing;
use weir_tests::simulation::scenarios::{
    CALM, EVERY, FAULTY_STATE, INCREMENTAL, LIVING, OVERTAKING, PUBLISHING, STORMY, TIMED_INCREMENTS, recorded, speaking, timed_by,
};
use weir_tests::simulation::{Barriers, Counter, GoesOn, Scenario, Speaking, TimedBy, simulate_found_splits, simulate_quiet_split};

/// What counts while a job is changed.
const CHANGING: [Counter; 12] = [
    Counter::Timed,
    Counter::Clocked,
    Counter::Windowed,
    Counter::Sessions,
    Counter::Living,
    Counter::Speaking(Speaking::Tumbling),
    Counter::Speaking(Speaking::Sessions),
    Counter::Speaking(Speaking::ByClock),
    Counter::Speaking(Speaking::Hopping),
    Counter::Speaking(Speaking::Counts),
    Counter::Speaking(Speaking::Global),
    Counter::WindowedJoin,
];

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
    for counter in CHANGING {
        for report in [changed(3, changing(counter, OVERTAKING)), changed(1, changing(counter, CALM))] {
            (rescales, accepted) = (rescales + report.rescales, accepted + report.accepted);
            rolled_back += report.rolled_back;
        }
    }
    assert!(rescales > 15 && accepted > 10 && rolled_back > 3, "{rescales} rescales, {accepted} accepted, {rolled_back} rolled back");
}

#[test]
fn open_windows_and_timers_go_with_a_job_whose_steps_and_states_change_between_runs() {
    let mut migrated = 0;
    for counter in CHANGING {
        let keys = if counter == Counter::Timed { 20 } else { changing(counter, CALM).keys };
        let report = evolved(2, Scenario { records: 2_000, keys, counter, ..OVERTAKING });
        assert!(report.changed > 1 || std::env::var("WEIR_SEED").is_ok(), "{counter:?}: {report:?}");
        migrated += report.migrated;
    }
    assert!(migrated > 5 || std::env::var("WEIR_SEED").is_ok(), "{migrated}");
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
    let overtaking = Scenario { barriers: Barriers::ExactlyOnce, ..PUBLISHING };
    check(5, speaking(Speaking::Sessions, overtaking));
    check(3, Scenario { counter: Counter::Clocked, ..overtaking });
    check(3, timed_by(TimedBy::ChainedOperator, Counter::Windowed, overtaking));
    check(3, speaking(Speaking::Tumbling, Scenario { record: true, retain: EVERY, ..overtaking }));
    let mut rescales = 0;
    for counter in CHANGING {
        rescales += changed(2, changing(counter, overtaking)).rescales;
        evolved(1, Scenario { records: 1_500, ..changing(counter, overtaking) });
    }
    assert!(rescales > 5, "{rescales} rescales");
}

#[test]
fn of_windows_and_timers_at_least_once_nothing_is_lost() {
    for of in [STORMY, PUBLISHING] {
        let at_least_once = Scenario { barriers: Barriers::AtLeastOnce, ..of };
        check(3, Scenario { counter: Counter::Clocked, ..at_least_once });
        for kind in [Speaking::Tumbling, Speaking::Hopping, Speaking::Sessions, Speaking::Counts, Speaking::Global, Speaking::ByClock] {
            check(1, speaking(kind, at_least_once));
        }
        check(2, timed_by(TimedBy::Operator, Counter::Speaking(Speaking::Tumbling), at_least_once));
    }
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
    for counter in CHANGING {
        for (count, of) in [(2, CALM), (1, OVERTAKING)] {
            let report = changed(count, Scenario { record: true, retain: EVERY, ..changing(counter, of) });
            (rescales, accepted) = (rescales + report.rescales, accepted + report.accepted);
        }
    }
    assert!(rescales > 10 && accepted > 10, "{rescales} rescales, {accepted} accepted");
}
