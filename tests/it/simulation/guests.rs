//! Operators in a sandbox, under the faults that native ones are under: they count, gather in windows and wait for timers, and what they trap on is set aside once.

use super::{Sums, check, reports, sum};
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::scenarios::{CALM, FAULTY_STATE, OVERTAKING, STORMY, by_guest, recorded};
use weir_tests::simulation::{Barriers, Counter, Guest, Scenario, Speaking, simulate};

#[test]
fn a_guest_that_counts_is_restored_like_a_native_operator() {
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 200, ..FaultPlan::NONE };
    let scenario = by_guest(Guest::Count, Scenario { failures: Some(400), faults, crash_within_polls: 3_000, ..CALM });
    let Sums { processes, restarts, .. } = check(20, scenario);
    assert!(processes > 20 && restarts > 0, "{processes} processes, {restarts} restarts");
}

#[test]
fn poison_is_set_aside_once_whatever_fails_around_it() {
    check(5, by_guest(Guest::Poisoned, CALM));
    let faults = FaultPlan { refused: 30, lost_acknowledgement: 30, slow: 200, ..FaultPlan::NONE };
    let scenario = by_guest(Guest::Poisoned, Scenario { failures: Some(400), faults, crash_within_polls: 3_000, ..CALM });
    let Sums { processes, restarts, .. } = check(20, scenario);
    assert!(processes > 20 && restarts > 0, "{processes} processes, {restarts} restarts");
}

#[test]
fn a_seed_run_twice_with_guests_gives_the_same_trace() {
    for guest in [Guest::Count, Guest::Poisoned] {
        let scenario = by_guest(guest, Scenario { failures: Some(400), crash_within_polls: 3_000, ..CALM });
        for seed in 0..5 {
            assert_eq!(simulate(seed, scenario), simulate(seed, scenario), "{guest:?}, seed {seed}");
        }
    }
    for guest in [Guest::Speaking(Speaking::Sessions), Guest::PoisonedWindows, Guest::PoisonedTimers] {
        assert_eq!(simulate(3, by_guest(guest, OVERTAKING)), simulate(3, by_guest(guest, OVERTAKING)), "{guest:?}");
    }
}

#[test]
fn barriers_that_overtake_records_on_the_way_to_guests_lose_and_double_nothing() {
    check(15, by_guest(Guest::Count, OVERTAKING));
    check(15, by_guest(Guest::Poisoned, OVERTAKING));
}

#[test]
fn windows_of_guests_fire_early_are_corrected_and_told_of_what_is_late_like_those_of_native_operators() {
    for of in [Speaking::Tumbling, Speaking::Hopping, Speaking::Sessions] {
        let reports: Vec<_> =
            [STORMY, OVERTAKING].into_iter().flat_map(|of_faults| reports(3, by_guest(Guest::Speaking(of), of_faults))).collect();
        let [early, corrections, late, processes] = [
            sum(&reports, |report| report.spoken.early),
            sum(&reports, |report| report.spoken.corrections),
            sum(&reports, |report| report.spoken.late),
            sum(&reports, |report| report.processes),
        ];
        let what = format!("{of:?}: {early} early, {corrections} corrections, {late} late, {processes} processes");
        assert!((early > 30 && corrections > 10 && late > 30 && processes > 12) || std::env::var("WEIR_SEED").is_ok(), "{what}");
    }
    for of in [Speaking::Counts, Speaking::Global, Speaking::ByClock] {
        check(2, by_guest(Guest::Speaking(of), OVERTAKING));
    }
    check(1, by_guest(Guest::Speaking(Speaking::Sessions), Scenario { barriers: Barriers::AtLeastOnce, ..STORMY }));
}

#[test]
fn timers_of_guests_fire_once_over_kills_and_restores_and_no_record_comes_behind_them() {
    let reports: Vec<_> = [STORMY, OVERTAKING].into_iter().flat_map(|of| reports(6, by_guest(Guest::Timed, of))).collect();
    let (processes, restarts) = (sum(&reports, |report| report.processes), sum(&reports, |report| report.restarts));
    assert!((processes > 24 && restarts > 5) || std::env::var("WEIR_SEED").is_ok(), "{processes} processes, {restarts} restarts");
}

#[test]
fn windows_and_timers_that_guests_trap_on_are_set_aside_once_whatever_is_killed() {
    for guest in [Guest::PoisonedWindows, Guest::PoisonedTimers] {
        let reports: Vec<_> = [STORMY, OVERTAKING].into_iter().flat_map(|of| reports(5, by_guest(guest, of))).collect();
        let processes = sum(&reports, |report| report.processes);
        assert!(processes > 20 || std::env::var("WEIR_SEED").is_ok(), "{guest:?}: {processes} processes");
    }
}

#[test]
fn windows_and_timers_of_guests_outlive_state_in_files_and_are_replayed() {
    for guest in [Guest::Speaking(Speaking::Sessions), Guest::Timed] {
        check(1, by_guest(guest, Scenario { state_faults: Some(FAULTY_STATE), ..CALM }));
        let replayed = sum(&reports(1, recorded(Counter::Guest(guest))), |report| report.replayed);
        assert!(replayed > 50 || std::env::var("WEIR_SEED").is_ok(), "{guest:?}: {replayed} calls");
    }
    for guest in [Guest::PoisonedWindows, Guest::PoisonedTimers] {
        check(1, by_guest(guest, Scenario { state_faults: Some(FAULTY_STATE), ..CALM }));
    }
}
