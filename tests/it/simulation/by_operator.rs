//! Jobs whose sources give no time: an operator says what time its records are of, and makes the watermarks by which those behind it go. Its subtasks are killed,
//! restored at other parallelisms and chained to their sources or not, and what is counted behind them is the same.

use super::changed::changed;
use super::{reports, seeds, sum};
use weir_tests::simulation::scenarios::{CALM, OVERTAKING, STORMY, recorded, timed_by};
use weir_tests::simulation::{Counter, GoesOn, Scenario, Speaking, TimedBy, simulate_found_splits, simulate_quiet_split};

#[test]
fn windows_and_timers_go_by_what_an_operator_emits_and_no_record_is_late_that_was_in_order() {
    for by in [TimedBy::ChainedOperator, TimedBy::Operator] {
        for counter in [Counter::Timed, Counter::Windowed, Counter::Sessions] {
            let scenarios = [STORMY, OVERTAKING].map(|scenario| timed_by(by, counter, scenario));
            let reports: Vec<_> = scenarios.into_iter().flat_map(|scenario| reports(6, scenario)).collect();
            let (processes, restarts) = (sum(&reports, |report| report.processes), sum(&reports, |report| report.restarts));
            assert!(processes > 20 && restarts > 5, "{by:?} {counter:?}: {processes} processes, {restarts} restarts");
        }
    }
}

#[test]
fn windows_behind_an_operator_that_makes_watermarks_correct_what_they_said_and_tell_what_is_late() {
    for by in [TimedBy::ChainedOperator, TimedBy::Operator] {
        for of in [Speaking::Tumbling, Speaking::Sessions] {
            let reports = reports(6, timed_by(by, Counter::Speaking(of), OVERTAKING));
            let (corrections, late) = (sum(&reports, |report| report.spoken.corrections), sum(&reports, |report| report.spoken.late));
            assert!(corrections > 10 && late > 50, "{by:?} {of:?}: {corrections} corrections, {late} late");
        }
    }
}

#[test]
fn calls_by_the_time_of_what_an_operator_emits_are_replayed_as_they_were() {
    for by in [TimedBy::ChainedOperator, TimedBy::Operator] {
        let reports = reports(5, timed_by(by, Counter::Timed, recorded(Counter::Timed)));
        let replayed = sum(&reports, |report| report.replayed);
        assert!(replayed > 500, "{by:?}: {replayed} calls");
    }
}

#[test]
fn rescales_and_upgrades_leave_the_time_of_what_an_operator_emits_where_it_was() {
    let (mut rescales, mut accepted) = (0, 0);
    for by in [TimedBy::ChainedOperator, TimedBy::Operator] {
        for counter in [Counter::Timed, Counter::Windowed, Counter::Sessions] {
            for (count, scenario) in [(6, OVERTAKING), (3, CALM)] {
                let report = changed(count, Scenario { keys: 15, ..timed_by(by, counter, scenario) });
                (rescales, accepted) = (rescales + report.rescales, accepted + report.accepted);
            }
        }
    }
    assert!(rescales > 20 && accepted > 15, "{rescales} rescales, {accepted} accepted");
}

#[test]
fn the_time_of_what_an_operator_emits_goes_on_without_a_source_that_goes_quiet() {
    let all = [
        (TimedBy::ChainedOperator, GoesOn::ByOthers),
        (TimedBy::Operator, GoesOn::ByOthers),
        (TimedBy::ChainedOperator, GoesOn::ByClock),
        (TimedBy::Operator, GoesOn::ByClock),
    ];
    for (by, goes_on) in all {
        for of in [Speaking::Tumbling, Speaking::Sessions] {
            let spoken = |seed| {
                let spoken = simulate_quiet_split(seed, timed_by(by, Counter::Speaking(of), OVERTAKING), goes_on);
                spoken.unwrap_or_else(|what| panic!("seed {seed}: {by:?} {goes_on:?} {of:?}: {what}; rerun with WEIR_SEED={seed}"))
            };
            let late: u64 = seeds(4).map(spoken).map(|spoken| spoken.late).sum();
            assert!(late > 100, "{by:?} {goes_on:?} {of:?}: {late} late");
        }
    }
}

#[test]
fn the_time_of_what_an_operator_emits_goes_on_by_the_clock_until_more_is_found_to_read() {
    for by in [TimedBy::ChainedOperator, TimedBy::Operator] {
        let report = |seed| {
            let report = simulate_found_splits(seed, timed_by(by, Counter::Speaking(Speaking::Tumbling), OVERTAKING));
            report.unwrap_or_else(|what| panic!("seed {seed}: {by:?}: {what}; rerun with WEIR_SEED={seed}"))
        };
        let late: u64 = seeds(3).map(report).map(|report| report.spoken.late).sum();
        assert!(late > 100, "{by:?}: {late} late");
    }
}
