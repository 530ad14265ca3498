//! Jobs that change while they run, and between two runs: rescales, upgrades, other steps, other inputs.

use super::seeds;
use weir_tests::simulation::scenarios::{CALM, EVERY, STORMY};
use weir_tests::simulation::{Barriers, ChangeReport, EvolveReport, Scenario, simulate_changes, simulate_evolution, simulate_found_splits};

/// Runs `count` jobs that are changed while they run; the sums of what [`ChangeReport`] counts.
#[track_caller]
pub(super) fn changed(count: u64, scenario: Scenario) -> ChangeReport {
    let report = |seed| simulate_changes(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    let sum = |sum: ChangeReport, report: ChangeReport| ChangeReport {
        processes: sum.processes + report.processes,
        rescales: sum.rescales + report.rescales,
        undone: sum.undone + report.undone,
        accepted: sum.accepted + report.accepted,
        rolled_back: sum.rolled_back + report.rolled_back,
        trace: 0,
    };
    seeds(count).map(report).fold(ChangeReport::default(), sum)
}

#[test]
fn a_job_that_is_changed_while_it_runs_counts_each_record_once_and_by_a_version_that_held() {
    let ChangeReport { rescales, accepted, rolled_back, undone, .. } = changed(90, CALM);
    assert!(rescales > 60 && accepted > 60 && rolled_back > 10, "{rescales} rescales, {accepted} accepted, {rolled_back} rolled back");
    assert!(undone > 20, "{undone} rescales undone");
}

#[test]
fn changes_under_failures_and_kills_lose_and_double_nothing() {
    let ChangeReport { rescales, accepted, rolled_back, undone, .. } = changed(100, Scenario { barriers: Barriers::ExactlyOnce, ..STORMY });
    assert!(rescales > 50 && accepted > 20 && rolled_back > 20, "{rescales} rescales, {accepted} accepted, {rolled_back} rolled back");
    assert!(undone > 20, "{undone} rescales undone");
}

#[test]
fn what_a_changing_job_has_committed_is_replayed_by_the_versions_that_did_it() {
    let recorded = Scenario { record: true, retain: EVERY, ..CALM };
    let ChangeReport { rescales, accepted, .. } = changed(40, recorded);
    assert!(rescales > 20 && accepted > 20, "{rescales} rescales, {accepted} accepted");
    changed(20, Scenario { barriers: Barriers::ExactlyOnce, record: true, retain: EVERY, ..STORMY });
}

/// Runs `count` jobs whose files change between their runs; the sums of what [`EvolveReport`] counts.
#[track_caller]
pub(super) fn evolved(count: u64, scenario: Scenario) -> EvolveReport {
    let report =
        |seed| simulate_evolution(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    let sum = |sum: EvolveReport, report: EvolveReport| EvolveReport {
        processes: sum.processes + report.processes,
        changed: sum.changed + report.changed,
        refused: sum.refused + report.refused,
        in_flight: sum.in_flight + report.in_flight,
        migrated: sum.migrated + report.migrated,
        trace: 0,
    };
    seeds(count).map(report).fold(EvolveReport::default(), sum)
}

#[test]
fn a_job_whose_steps_and_states_change_between_runs_counts_each_record_once() {
    let long = Scenario { records: 4_000, crash_within_polls: 4_000, ..CALM };
    let aligned = evolved(60, long);
    let EvolveReport { changed, refused, in_flight, migrated, .. } = aligned;
    assert!(changed > 60 && refused > 10 && in_flight == 0 && migrated > 20, "{aligned:?}");
    let stormy = evolved(60, Scenario { records: 4_000, barriers: Barriers::ExactlyOnce, ..STORMY });
    let EvolveReport { changed, refused, in_flight, migrated, .. } = stormy;
    assert!(changed > 60 && refused > 10 && in_flight > 5 && migrated > 20, "{stormy:?}");
}

#[test]
fn splits_that_are_found_while_the_job_runs_count_once_whatever_a_crash_comes_between() {
    let overtaking = Scenario { barriers: Barriers::ExactlyOnce, ..STORMY };
    for (count, scenario) in [(3, CALM), (15, STORMY), (15, overtaking)] {
        let report =
            |seed| simulate_found_splits(seed, scenario).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
        let reports: Vec<_> = seeds(count).map(report).collect();
        let (assigned, heard): (u64, u64) = (reports.iter().map(|r| r.assigned).sum(), reports.iter().map(|r| r.heard).sum());
        assert!(assigned > 0 && heard > 0, "{assigned} splits were assigned, {heard} checkpoints heard of");
    }
}
