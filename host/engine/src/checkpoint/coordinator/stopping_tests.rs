//! What a stop does as its time runs out, one line each, in the words of the coordinator's tests.

use super::super::tests::{check, config};
use super::super::{CheckpointConfig, CheckpointCoordinator, CheckpointMode};
use super::*;
use crate::element::BarrierAlignment;

/// A stop has 200 ms in front of it, one checkpoint of the job every 100 ms, and tasks a second for the barrier.
fn hasty() -> CheckpointConfig {
    CheckpointConfig { stop_timeout: Duration::from_millis(200), timeout: Duration::from_secs(600), ..config() }
}

#[test]
fn a_stop_that_takes_long_overtakes_and_completes() {
    check(hasty(), "stop a1.0 @199 @200 @201 k1.1 @1200 a1.1 r1", "Ts1 - - O1 - - - R1 C1");
    check(hasty(), "stop a1.0 a1.1 r1 @199", "Ts1 - R1 C1 -");
}

#[test]
fn one_whose_barrier_has_passed_everywhere_needs_not_overtake() {
    check(hasty(), "stop k1.0 a1.1 @200 @1200 a1.0 r1", "Ts1 - - - - R1 C1");
    let savepoint = "vstop k1.0 a1.1 @200 @1200 a1.0 r1";
    check(hasty(), savepoint, "Tv1 - - - - R1 C1");
    check(CheckpointConfig { mode: CheckpointMode::AtLeastOnce, ..hasty() }, savepoint, "Tv1 - - - - R1 C1");
}

#[test]
fn where_it_may_not_overtake_it_is_given_up() {
    check(hasty(), "vstop a1.0 @199 @200 @300", "Tv1 - - A1+G -");
    check(CheckpointConfig { mode: CheckpointMode::AtLeastOnce, ..hasty() }, "stop a1.0 @199 @200", "Ts1 - - A1+G");
}

#[test]
fn a_stop_without_a_savepoint_takes_the_place_of_one_with_it() {
    check(hasty(), "vstop a1.0 stop @200 a1.1 r1", "Tv1 - - O1 R1 C1");
    check(hasty(), "stop a1.0 vstop @200 a1.1 r1", "Ts1 - - O1 R1 C1");
    // The time counts from the first.
    check(hasty(), "vstop a1.0 @150 stop @199 @200", "Tv1 - - - - O1");
}

#[test]
fn what_exceeds_the_budget_or_fails_while_it_overtakes_is_given_up() {
    check(hasty(), "stop a1.0 @200 o1", "Ts1 - O1 A1+G");
    check(hasty(), "stop a1.0 @200 d1", "Ts1 - O1 A1+G");
    check(hasty(), "stop a1.0 @200 a1.1 x1", "Ts1 - O1 R1 A1+G");
}

#[test]
fn a_task_inside_a_long_call_is_not_waited_for() {
    check(hasty(), "stop a1.0 @200 @1199 @1200", "Ts1 - O1 - A1+G");
}

#[test]
fn a_slow_store_has_the_same_time_again_and_a_second_at_least() {
    check(hasty(), "stop k1.0 k1.1 @200 @1200 @2199 @2200", "Ts1 - - - - - A1+G");
    let long = CheckpointConfig { stop_timeout: Duration::from_secs(5), ..hasty() };
    check(long, "stop k1.0 k1.1 @5000 @6000 @10999 @11000", "Ts1 - - - - - A1+G");
    // What is being written, only the log decides; and what is complete may not be committed yet.
    check(long, "stop a1.0 a1.1 @5000 @6000 @11000", "Ts1 - R1 - - G");
    check(long, "stop a1.0 a1.1 r1 @5000 @6000 @11000", "Ts1 - R1 C1 - - G");
}

#[test]
fn a_stop_in_a_hurry_waits_for_no_other_checkpoint() {
    check(hasty(), "@100 stop @299 @300 a2.0 a2.1 r2", "T1 - - A1+Ts2! - R2 C2");
    check(hasty(), "point check stop @200 a2.0 a2.1 r2", "Tp1 - - A1+Ts2! - R2 C2");
    check(hasty(), "grow stop @200 a2.0 a2.1 r2", "Td1 - A1+Ts2! - R2 C2");
    // One that is being written is as good as complete, unless that takes too long.
    check(hasty(), "@100 a1.0 a1.1 stop @300 r1 a2.0 a2.1 r2", "T1 - R1 - - C1+Ts2! - R2 C2");
    check(hasty(), "@100 a1.0 a1.1 stop @300 @1300", "T1 - R1 - - G");
    // What failed before is not waited for.
    check(CheckpointConfig { interval: Duration::from_secs(60), ..hasty() }, "stop d1 @200", "Ts1 A1 Ts2!");
}

#[test]
fn a_stop_that_may_not_overtake_is_tried_again_and_tells_what_has_failed() {
    let patient = CheckpointConfig {
        mode: CheckpointMode::AtLeastOnce,
        interval: Duration::from_secs(60),
        stop_timeout: Duration::from_secs(3),
        tolerate_failures: 9,
        ..hasty()
    };
    check(patient, "stop d1 @999 @1000 a2.0 a2.1 r2", "Ts1 A1 - Ts2 - R2 C2");
    let mut coordinator = CheckpointCoordinator::new(patient, 1, CheckpointId(1), Duration::ZERO);
    coordinator.stop(Trigger::Stop, Duration::ZERO, Duration::ZERO);
    for (id, now_ms) in [(1, 2_600), (2, 2_700)] {
        coordinator.on_declined(CheckpointId(id), crate::exchange::Decline::Failed("disk full".into()), Duration::from_millis(now_ms));
    }
    let given_up = coordinator.on_time(Duration::from_millis(3_000));
    assert_eq!(given_up, [CoordinatorAction::GiveUpStop { reason: "checkpoint 2 failed: disk full".into() }]);
}

#[test]
fn the_end_of_the_input_is_no_reason_to_take_longer() {
    check(hasty(), "final stop a1.0 @200 a1.1 r1", "Tf1 - - O1 R1 C1");
    check(hasty(), "final stop a1.0 @200 @1200", "Tf1 - - O1 A1+G");
}

#[test]
fn a_stop_that_began_in_the_attempt_before_has_what_is_left_of_its_time() {
    let mut coordinator = CheckpointCoordinator::new(hasty(), 1, CheckpointId(5), Duration::from_millis(900));
    let actions = coordinator.stop(Trigger::Stop, Duration::from_millis(800), Duration::from_millis(900));
    let triggered =
        CoordinatorAction::Trigger { checkpoint_id: CheckpointId(5), trigger: Trigger::Stop, alignment: BarrierAlignment::Aligned };
    assert_eq!((actions, coordinator.next_deadline()), (vec![triggered], Some(Duration::from_millis(1_000))));
    assert_eq!(coordinator.on_time(Duration::from_millis(1_000)), [CoordinatorAction::Overtake { checkpoint_id: CheckpointId(5) }]);
}
