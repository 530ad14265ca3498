//! What happens while as much output waits as may, or no target has answered yet: sinks stand still, nobody waits for ever, and nothing is changed.

use super::staged;
use std::time::Duration;
use weir_engine::job::StartMode;
use weir_engine::outbox::OutboxRoom;
use weir_tests::simulation::{OutboxEnd, OutboxProcess, OutboxWorld, Until};

fn of_bytes(bytes: u64) -> OutboxRoom {
    OutboxRoom { bytes, ..OutboxRoom::default() }
}

fn refusal(end: &OutboxEnd) -> &str {
    match &end.answer {
        Some(Err(why)) => why,
        other => panic!("the answer is {other:?}: {end:?}"),
    }
}

#[test]
fn a_sink_stops_behind_a_barrier_while_as_much_waits_as_may() {
    let world = OutboxWorld::new(5, 1_000);
    world.run(&OutboxProcess { until: Until::Killed(1), ..OutboxProcess::default() });
    world.target.set_down(true);
    let end = world.run(&OutboxProcess {
        room: of_bytes(1_000),
        until: Until::TargetUpAfter(Duration::from_secs(20)),
        ..OutboxProcess::default()
    });
    assert!(end.is_finished() && world.is_complete(), "{end:?}");
    // Fifty records come from one barrier to the next, with their object's header.
    assert!((1_000..3_500).contains(&end.most_bytes), "{} bytes waited", end.most_bytes);
}

#[test]
fn many_small_outputs_fill_the_room_as_large_ones_do() {
    let world = OutboxWorld::new(21, 1_000);
    world.run(&OutboxProcess { until: Until::Killed(1), ..OutboxProcess::default() });
    world.target.set_down(true);
    let room = OutboxRoom { objects: 4, ..OutboxRoom::default() };
    let end = world.run(&OutboxProcess { room, until: Until::KilledAfter(Duration::from_secs(20)), ..OutboxProcess::default() });
    assert!((4..6).contains(&end.shown[0].unpublished.len()) && end.shown[0].is_full, "{end:?}");
    world.target.set_down(false);
    assert!(world.run(&OutboxProcess { room, ..OutboxProcess::default() }).is_finished() && world.is_complete());
}

#[test]
fn a_savepoint_that_cannot_be_begun_is_refused_by_name_when_its_time_is_over() {
    let room = of_bytes(10);
    let end = staged(22, 2).run(&OutboxProcess { room, until: Until::Savepoint, ..OutboxProcess::default() });
    assert!(
        refusal(&end).contains("not begun after 5s: as much output of the sink `out` waits to be published as may"),
        "{}",
        refusal(&end)
    );
    assert!(refusal(&end).contains("it is down"), "{}", refusal(&end));
    assert!((5_000..5_100).contains(&end.took.as_millis()), "{:?}", end.took);

    let fresh = OutboxProcess { start: StartMode::Fresh, ..OutboxProcess::default() };
    let end = staged(23, 1).run(&OutboxProcess { until: Until::Savepoint, ..fresh });
    assert!(refusal(&end).contains("not begun after 5s: the target of the sink `out` has not answered yet"), "{}", refusal(&end));
}

#[test]
fn a_change_is_refused_while_an_outbox_is_full_and_given_up_where_no_target_answers() {
    let room = of_bytes(10);
    let end = staged(24, 2).run(&OutboxProcess { room, until: Until::Changed, ..OutboxProcess::default() });
    assert!(refusal(&end).contains("the job cannot change over now: as much output of the sink `out` waits"), "{}", refusal(&end));
    assert!(end.took < Duration::from_secs(1), "{:?}", end.took);

    let fresh = OutboxProcess { start: StartMode::Fresh, until: Until::Changed, ..OutboxProcess::default() };
    let mut world = staged(25, 1);
    // The input ends while the change waits: what comes after it may wait for the target for ever.
    let end = world.run(&fresh);
    assert!(refusal(&end).contains("the job goes on as it was: not begun: the job is about to end"), "{}", refusal(&end));
    assert!(end.took < Duration::from_secs(5), "{:?}", end.took);
    world.records = 10_000;
    let end = world.run(&fresh);
    let expect = "the job goes on as it was: not begun after 5s: the target of the sink `out` has not answered yet";
    assert!(refusal(&end).contains(expect), "{}", refusal(&end));

    let world = staged(26, 2);
    world.target.set_down(false);
    let end = world.run(&OutboxProcess { until: Until::Changed, ..OutboxProcess::default() });
    assert_eq!(end.answer, Some(Ok(())), "with room and a target it is made: {end:?}");
}
