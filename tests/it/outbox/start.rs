//! A run that begins a job from nothing looks at its targets before it writes anything.

use super::staged;
use weir_engine::job::{JobOutcome, StartMode};
use weir_tests::simulation::{OutboxProcess, OutboxWorld, Until};

#[test]
fn a_run_that_begins_from_nothing_ends_where_its_target_is_not_reached() {
    let world = OutboxWorld::new(40, 1_000);
    world.target.set_down(true);
    let end = world.run(&OutboxProcess::default());
    assert_eq!((end.error().as_str(), end.completed), ("out: the target in memory: it is down", 0), "{end:?}");
    assert!(matches!(&end.outcome, Some(JobOutcome::Failed(error)) if error.hint() == Some("set it up")), "{end:?}");
    assert!(end.notices.iter().all(|notice| !notice.contains("restarting")), "it is tried once: {:?}", end.notices);
    assert!(end.shown.is_empty(), "nothing was begun: {end:?}");
    world.target.set_down(false);
    assert!(world.run(&OutboxProcess::default()).is_finished() && world.is_complete());
}

#[test]
fn a_stop_does_not_wait_for_a_target_that_is_looked_at() {
    let world = OutboxWorld::new(41, 1_000);
    world.target.set_silent(true);
    let end = world.run(&OutboxProcess { until: Until::Stopped(0), ..OutboxProcess::default() });
    assert!(matches!(end.outcome, Some(JobOutcome::Stopped)), "{end:?}");
    assert_eq!((end.took.as_millis(), end.shown.len()), (0, 0), "nothing was begun: {end:?}");
}

/// Where something has been published or staged, a target that is down is waited for, and no other lineage looks at it first.
#[test]
fn a_run_that_has_a_past_does_not_look() {
    for start in [StartMode::Resume, StartMode::Fresh] {
        let world = staged(42, 2);
        let process = OutboxProcess { until: Until::KilledAfter(std::time::Duration::from_secs(1)), start, ..OutboxProcess::default() };
        let end = world.run(&process);
        assert!(end.outcome.is_none() && end.shown[0].retries > 0, "{end:?}");
    }
}
