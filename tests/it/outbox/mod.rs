//! Sinks with an outbox: published once and in order, whoever is down, whatever the job has become, and what the user has to decide. `lineages`: what one
//! lineage leaves behind for another; `room`: what happens while as much waits as may; `start`: a run that begins from nothing looks at its targets first; `together`: what
//! waits of many checkpoints.

mod lineages;
mod room;
mod start;
mod together;

use std::time::Duration;
use weir_engine::ErrorKind;
use weir_engine::job::JobOutcome;
use weir_engine::outbox::{MarkerDecision, TargetMemory};
use weir_engine::storage::FaultPlan;
use weir_tests::simulation::scenarios::{CALM, PUBLISHING};
use weir_tests::simulation::{
    Barriers, Counter, OutboxProcess, OutboxWorld, Scenario, Speaking, Until, simulate, simulate_changes, simulate_evolution,
    simulate_takeover, simulate_trial_without_room,
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
    let reports = check(60, |seed| simulate_changes(seed, Scenario { barriers: Barriers::ExactlyOnce, ..PUBLISHING }));
    let (rescales, rolled_back) = reports.iter().fold((0, 0), |sum, report| (sum.0 + report.rescales, sum.1 + report.rolled_back));
    assert!(seeds(60).count() < 60 || (rescales > 20 && rolled_back > 4), "{rescales} rescales, {rolled_back} rolled back");
}

#[test]
fn an_upgrade_whose_output_fills_the_room_is_rolled_back_and_nothing_of_it_is_published() {
    check(9, |seed| {
        let counter = [Counter::Native, Counter::Timed, Counter::Speaking(Speaking::Tumbling)][seed as usize % 3];
        let (why, published) = simulate_trial_without_room(seed, counter, 8_000)?;
        assert!(why.contains("out: as much output waits as may, and none of it"), "{why}");
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
    let trouble = end.shown[0].last_error.clone().expect("it is shown").message;
    assert!(trouble.contains("it is down") && end.shown[0].unpublished_bytes > 0, "{end:?}");
    assert!(
        end.shown[0].retries > 1 && end.shown[0].oldest_completed_ms.is_some(),
        "what was staged before this start has its time: {end:?}"
    );
    let end = world.run(&process);
    assert!(end.is_finished() && world.is_complete(), "{end:?}");
    assert!(end.took >= Duration::from_secs(30), "the end of the job waits for the target: {:?}", end.took);
    assert!(end.notices.iter().all(|notice| !notice.contains("restarting")), "{:?}", end.notices);
    let waits = end.notices.iter().filter(|notice| notice.starts_with("the end of the job waits for what is to be published"));
    let waits: Vec<_> = waits.collect();
    assert!(waits.len() == 1 && waits[0].contains("checkpoints of the sink `out`") && waits[0].contains("it is down"), "{:?}", end.notices);
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
    assert_eq!((end.answer.clone(), end.shown[0].unpublished.len()), (Some(Ok(())), 0), "{end:?}");
    let end = staged(14, 2).run(&OutboxProcess { until: Until::Savepoint, ..OutboxProcess::default() });
    assert!(matches!(end.answer, Some(Err(_))), "a target that is down fails it: {end:?}");
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

#[test]
fn a_sink_that_was_out_of_the_job_comes_back_where_its_targets_marker_still_fits() {
    // The last checkpoint lists output that was published behind it, so it has to be said that it may be lost.
    let without = OutboxProcess { sink: None, accept_lost_output: true, until: Until::Killed(2), ..OutboxProcess::default() };
    let world = OutboxWorld::new(16, 1_000);
    world.run(&OutboxProcess { until: Until::Stopped(3), ..OutboxProcess::default() });
    let before = world.published();
    assert_eq!(world.run(&without).completed, 2);
    assert_eq!(world.run(&without).completed, 2);
    let end = world.run(&OutboxProcess::default());
    assert!(end.is_finished(), "{end:?}");
    let published = world.published();
    let (first, second) = published.split_at(before.len());
    assert!(first == before && second.is_sorted() && second.last() == Some(&999), "{} records, then {}", first.len(), second.len());
    assert!(second.first() > Some(&(before.len() as u64)), "what was read without it is not published");

    // Its target was reset meanwhile: it is refused, and the user's decision is a way out.
    let world = OutboxWorld::new(17, 1_000);
    world.run(&OutboxProcess { until: Until::Stopped(3), ..OutboxProcess::default() });
    assert_eq!(world.run(&without).completed, 2);
    world.target.become_like(&TargetMemory::default());
    let refused = world.run(&OutboxProcess::default());
    assert!(refused.error().contains("has no marker"), "{}", refused.error());
    let end = world.run(&OutboxProcess { decision: Some(MarkerDecision::AssumePublished), ..OutboxProcess::default() });
    assert!(end.is_finished(), "{end:?}");
}

#[test]
fn two_outboxes_do_not_become_one_sink() {
    let world = OutboxWorld::new(18, 1_000);
    let process = OutboxProcess { accept_lost_output: true, until: Until::Stopped(1), ..OutboxProcess::default() };
    let ended = |sink, was| world.run(&OutboxProcess { sink: Some(sink), was, ..process.clone() });
    ended("first", None);
    ended("second", None);
    let refused = ended("first", Some("second")).error();
    assert!(refused.contains("`first` would go on with the outboxes of two sinks, `first` and `second`"), "{refused}");
    assert!(matches!(ended("third", Some("second")).outcome, Some(JobOutcome::Stopped)));
    let refused = ended("second", None).error();
    assert!(refused.contains("the sink `second` is new, and what was called so before is `third` now"), "{refused}");
}
