//! Sinks with an outbox: published once and in order, whoever is down, whatever the job has become, and what the user has to decide.

use std::time::Duration;
use weir_engine::ErrorKind;
use weir_engine::element::CheckpointId;
use weir_engine::job::{JobOutcome, StartMode};
use weir_engine::outbox::{MarkerDecision, TargetMemory};
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::scenarios::{CALM, PUBLISHING};
use weir_tests::simulation::{
    Barriers, OutboxProcess, OutboxWorld, Scenario, Until, simulate, simulate_changes, simulate_evolution, simulate_takeover,
    simulate_trial_without_room,
};

/// Each of these seeds, or the one that WEIR_SEED names.
fn seeds(count: u64) -> std::ops::Range<u64> {
    match std::env::var("WEIR_SEED") {
        Ok(seed) => seed.parse().map(|seed: u64| seed..seed + 1).expect("WEIR_SEED is a number"),
        Err(_) => 0..std::env::var("WEIR_SEEDS").map_or(count, |seeds| seeds.parse().expect("WEIR_SEEDS is a number")),
    }
}

#[track_caller]
fn check<T>(count: u64, simulate: impl Fn(u64) -> Result<T, String>) -> Vec<T> {
    let report = |seed| simulate(seed).unwrap_or_else(|what| panic!("seed {seed}: {what}; rerun with WEIR_SEED={seed}"));
    seeds(count).map(report).collect()
}

#[test]
fn a_calm_job_publishes_its_input_once_and_in_order() {
    check(10, |seed| simulate(seed, Scenario { outbox: Some(FaultPlan::NONE), ..CALM }));
}

#[test]
fn killed_processes_failing_stores_and_targets_lose_and_double_nothing() {
    let reports = check(60, |seed| simulate(seed, PUBLISHING));
    let processes: u64 = reports.iter().map(|report| report.processes).sum();
    assert!(seeds(60).count() < 60 || processes > 120, "{processes} processes");
}

#[test]
fn overtaking_barriers_lose_and_double_nothing_that_is_published() {
    check(40, |seed| simulate(seed, Scenario { barriers: Barriers::ExactlyOnce, crash_within_polls: 6_000, ..PUBLISHING }));
}

#[test]
fn of_two_processes_that_publish_the_older_is_kept_out_and_nothing_doubles() {
    check(60, |seed| match simulate_takeover(seed, Scenario { outbox: PUBLISHING.outbox, ..CALM })? {
        JobOutcome::Fenced(_) => Ok(()),
        other => Err(format!("the first ended as {other:?}")),
    });
}

#[test]
fn an_at_least_once_job_publishes_all_of_its_output() {
    check(20, |seed| simulate(seed, Scenario { barriers: Barriers::AtLeastOnce, ..PUBLISHING }));
}

#[test]
fn rescales_and_upgrades_that_are_rolled_back_lose_and_double_nothing_that_is_published() {
    let reports = check(40, |seed| simulate_changes(seed, Scenario { barriers: Barriers::ExactlyOnce, ..PUBLISHING }));
    let (rescales, rolled_back) = reports.iter().fold((0, 0), |sum, report| (sum.0 + report.rescales, sum.1 + report.rolled_back));
    assert!(seeds(40).count() < 40 || (rescales > 20 && rolled_back > 4), "{rescales} rescales, {rolled_back} rolled back");
}

#[test]
fn an_upgrade_whose_output_fills_the_room_is_rolled_back_and_nothing_of_it_is_published() {
    check(5, |seed| {
        let (why, published) = simulate_trial_without_room(seed, 8_000)?;
        assert!(why.contains("out: as much output waits as may (`max-unpublished`)"), "{why}");
        assert!(!published.is_empty(), "what came before it is published");
        match published.iter().find(|line| line.ends_with(" 2")) {
            Some(line) => Err(format!("`{line}` is published, and was counted on trial")),
            None => Ok(()),
        }
    });
}

#[test]
fn a_job_file_that_changes_loses_and_doubles_nothing_that_is_published() {
    check(20, |seed| simulate_evolution(seed, Scenario { records: 2_000, barriers: Barriers::ExactlyOnce, ..PUBLISHING }));
}

#[test]
fn a_seed_run_twice_publishes_in_the_same_way() {
    for seed in 0..5 {
        assert_eq!(simulate(seed, PUBLISHING), simulate(seed, PUBLISHING), "seed {seed}");
    }
}

/// A world in which a process was killed that had completed `checkpoints`, with its target down from the second on: what those hold is staged.
fn staged(seed: u64, checkpoints: u64) -> OutboxWorld {
    let world = OutboxWorld::new(seed, 1_000);
    world.run(&OutboxProcess { until: Until::Killed(2), ..OutboxProcess::default() });
    world.target.set_down(true);
    let end = world.run(&OutboxProcess { until: Until::Killed(checkpoints), ..OutboxProcess::default() });
    assert!(end.outcome.is_none() && !end.shown[0].unpublished.is_empty(), "{end:?}");
    world
}

#[test]
fn a_start_waits_for_no_target_and_a_target_that_is_down_is_shown_and_fails_nothing() {
    let world = staged(1, 2);
    let process = OutboxProcess { until: Until::TargetUpAfter(Duration::from_secs(30)), ..OutboxProcess::default() };
    let end = world.run(&OutboxProcess { until: Until::Killed(4), ..process.clone() });
    assert_eq!(end.completed, 4);
    let trouble = end.shown[0].trouble.clone().expect("it is shown");
    assert!(trouble.contains("it is down") && end.shown[0].unpublished_bytes > 0, "{end:?}");
    let end = world.run(&process);
    assert!(end.is_finished() && world.is_complete(), "{end:?}");
    assert!(end.took >= Duration::from_secs(30), "the end of the job waits for the target: {:?}", end.took);
    assert!(end.notices.iter().all(|notice| !notice.contains("restarting")), "{:?}", end.notices);
}

#[test]
fn a_stop_waits_for_publishing_no_longer_than_it_has_time_and_the_next_run_publishes() {
    let world = staged(2, 1);
    let end = world.run(&OutboxProcess { until: Until::Stopped(2), ..OutboxProcess::default() });
    assert!(matches!(end.outcome, Some(JobOutcome::Stopped)), "{end:?}");
    assert!((2_000..2_700).contains(&end.took.as_millis()), "{:?}", end.took);
    assert!(end.notices.iter().any(|notice| notice.contains("its output is not all published: `out`; the next run")), "{:?}", end.notices);
    world.target.set_down(false);
    assert!(world.run(&OutboxProcess::default()).is_finished() && world.is_complete());
}

#[test]
fn a_stop_whose_output_is_published_is_prompt() {
    let world = OutboxWorld::new(3, 1_000);
    let end = world.run(&OutboxProcess { until: Until::Stopped(2), ..OutboxProcess::default() });
    assert!(matches!(end.outcome, Some(JobOutcome::Stopped)) && end.took < Duration::from_secs(1), "{end:?}");
    assert!(end.shown[0].unpublished.is_empty(), "{end:?}");
}

#[test]
fn a_stop_for_a_savepoint_whose_output_is_not_published_fails_and_says_so() {
    let world = staged(15, 1);
    let end = world.run(&OutboxProcess { until: Until::StoppedForSavepoint(2), ..OutboxProcess::default() });
    assert!(
        end.error().contains("is complete, but its output is not all published: `out`: a savepoint would be without it"),
        "{}",
        end.error()
    );
    world.target.set_down(false);
    assert!(world.run(&OutboxProcess::default()).is_finished() && world.is_complete());
}

#[test]
fn a_savepoint_is_handed_over_once_what_it_covers_is_published() {
    let world = OutboxWorld::new(4, 1_000);
    let end = world.run(&OutboxProcess { until: Until::Savepoint, ..OutboxProcess::default() });
    assert_eq!((end.savepoint, end.shown[0].unpublished.len()), (Some(true), 0), "{end:?}");
    let end = staged(14, 2).run(&OutboxProcess { until: Until::Savepoint, ..OutboxProcess::default() });
    assert_eq!(end.savepoint, Some(false), "a target that is down fails it: {end:?}");
}

#[test]
fn a_sink_stops_behind_a_barrier_while_as_much_waits_as_may() {
    let world = OutboxWorld::new(5, 1_000);
    world.run(&OutboxProcess { until: Until::Killed(1), ..OutboxProcess::default() });
    world.target.set_down(true);
    let end = world.run(&OutboxProcess {
        max_unpublished: 1_000,
        until: Until::TargetUpAfter(Duration::from_secs(20)),
        ..OutboxProcess::default()
    });
    assert!(end.is_finished() && world.is_complete(), "{end:?}");
    // Fifty records come from one barrier to the next, with their object's header.
    assert!((1_000..3_500).contains(&end.most_bytes), "{} bytes waited", end.most_bytes);
}

#[test]
fn a_new_lineage_first_publishes_what_the_older_one_holds_as_final() {
    let world = staged(6, 3);
    let before = world.published();
    let fresh = OutboxProcess { start: StartMode::Fresh, ..OutboxProcess::default() };
    let end = world.run(&OutboxProcess { until: Until::KilledAfter(Duration::from_secs(1)), ..fresh });
    assert!(end.shown[0].unpublished.len() > 2, "the target is still down: {end:?}");
    assert_eq!(end.completed, 0, "no checkpoint is complete before there is a marker");
    world.target.set_down(false);
    assert!(world.run(&OutboxProcess::default()).is_finished());
    let published = world.published();
    let anew = published.len() - 1_000;
    assert!(anew > before.len(), "{anew} records of the older lineage, {} before", before.len());
    assert!(published[..anew].iter().copied().eq(0..anew as u64), "the older lineage's come first, in order");
    assert!(published[anew..].iter().copied().eq(0..1_000), "then all of the new one's");
}

#[test]
fn a_checkpoint_older_than_what_is_published_is_started_from_only_where_it_may_repeat() {
    let world = OutboxWorld::new(7, 1_000);
    world.run(&OutboxProcess { until: Until::Killed(5), ..OutboxProcess::default() });
    let from = OutboxProcess { start: StartMode::From { checkpoint_id: CheckpointId(4), again: false }, ..OutboxProcess::default() };
    let refused = world.run(&from).error();
    assert!(refused.contains("by the sink `out`, and would be published again"), "{refused}");
    let end = world.run(&OutboxProcess { decision: Some(MarkerDecision::Republish), ..from });
    assert!(end.is_finished(), "{end:?}");
    let published = world.published();
    assert!(published.len() > 1_000 && published.ends_with(&[998, 999]), "{} records", published.len());
}

#[test]
fn the_newest_checkpoint_is_started_from_without_a_word() {
    let world = staged(8, 2);
    world.target.set_down(false);
    let newest = world.newest_checkpoint();
    let end = world.run(&OutboxProcess { start: StartMode::From { checkpoint_id: newest, again: false }, ..OutboxProcess::default() });
    assert!(end.is_finished() && world.is_complete(), "{end:?}");
}

#[test]
fn what_is_staged_outlives_a_new_name_of_its_sink_and_is_given_up_only_by_the_users_word() {
    let world = staged(9, 2);
    for (process, why) in [
        (OutboxProcess { sink: None, ..OutboxProcess::default() }, "the job has no such sink any more"),
        (OutboxProcess { sink: Some("totals"), ..OutboxProcess::default() }, "the job has no such sink any more"),
        (OutboxProcess { target: "another", ..OutboxProcess::default() }, "its target is another one now"),
    ] {
        let refused = world.run(&process);
        assert!(refused.error().contains(why), "{}", refused.error());
    }
    world.target.set_down(false);
    let renamed = OutboxProcess { sink: Some("totals"), was: Some("out"), ..OutboxProcess::default() };
    world.run(&OutboxProcess { until: Until::Killed(2), ..renamed.clone() });
    let end = world.run(&renamed);
    assert!(end.is_finished() && world.is_complete(), "{end:?}");

    let world = staged(10, 2);
    world.target.set_down(false);
    let end = world.run(&OutboxProcess { target: "another", accept_lost_output: true, ..OutboxProcess::default() });
    assert!(end.is_finished() && !world.is_complete(), "{end:?}");
    assert!(end.notices.iter().any(|notice| notice.starts_with("output given up")), "{:?}", end.notices);
}

#[test]
fn a_target_that_was_emptied_or_restored_or_is_ahead_of_the_log_is_refused_until_the_user_decides() {
    let world = staged(11, 2);
    world.target.set_down(false);
    let backup = world.target.copy();
    for (found, why) in [(TargetMemory::default(), "has no marker"), (world.earlier_markers(), "behind what is known")] {
        world.target.become_like(&found);
        let end = world.run(&OutboxProcess::default());
        assert!(end.error().contains(why), "{}", end.error());
        assert!(matches!(&end.outcome, Some(JobOutcome::Failed(error)) if error.kind() == ErrorKind::FixInput), "{end:?}");
    }
    world.target.become_like(&backup);
    let before = world.published();
    world.target.become_like(&TargetMemory::default());
    let end = world.run(&OutboxProcess { decision: Some(MarkerDecision::Republish), ..OutboxProcess::default() });
    assert!(end.is_finished(), "{end:?}");
    let published = world.published();
    assert!(published.is_sorted() && published.first() <= Some(&(before.len() as u64)) && published.last() == Some(&999));
}
