//! What one lineage leaves behind for another: staged output is published whichever of them goes on, and what any has published is not published again
//! without a word.

use super::staged;
use std::time::Duration;
use weir_engine::element::CheckpointId;
use weir_engine::job::StartMode;
use weir_engine::outbox::MarkerDecision;
use weir_tests::simulation::{OutboxProcess, OutboxWorld, Until};

fn from(checkpoint_id: u64) -> OutboxProcess {
    let start = StartMode::From { checkpoint_id: CheckpointId(checkpoint_id), again: false };
    OutboxProcess { start, ..OutboxProcess::default() }
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
fn an_older_lineage_that_is_gone_on_with_publishes_what_the_newer_one_has_left_behind() {
    let world = OutboxWorld::new(19, 1_000);
    world.run(&OutboxProcess { until: Until::Killed(2), ..OutboxProcess::default() });
    let again = OutboxProcess { decision: Some(MarkerDecision::Republish), ..from(1) };
    world.run(&OutboxProcess { until: Until::Killed(3), ..again.clone() });
    let fresh = OutboxProcess { start: StartMode::Fresh, ..OutboxProcess::default() };
    world.run(&OutboxProcess { until: Until::Stopped(3), ..fresh });
    world.target.set_down(true);
    world.run(&OutboxProcess { until: Until::Killed(2), ..OutboxProcess::default() });
    let (before, waiting) = (world.published(), world.waiting() as usize);
    assert!(waiting > 0, "the newer lineage has output that waits");
    // The target is still down when the older one goes on: what its checkpoints list is what counts then.
    let refused = world.run(&from(1)).error();
    assert!(refused.contains("output behind it is published, or about to be, by the sink `out`"), "{refused}");
    world.run(&OutboxProcess { until: Until::Killed(1), ..again.clone() });
    world.target.set_down(false);
    let end = world.run(&OutboxProcess::default());
    assert!(end.is_finished(), "{end:?}");
    let published = world.published();
    let behind = &published[before.len()..];
    let turns = behind.windows(2).position(|pair| pair[1] != pair[0] + 1).expect("one lineage's output, then the other's");
    let (left_behind, own) = behind.split_at(turns + 1);
    let goes_on = before[before.len() - 1] + 1;
    assert!(left_behind[0] == goes_on && (50..=waiting).contains(&left_behind.len()), "{left_behind:?} behind {goes_on}, {waiting} wait");
    assert!(own[0] > 0 && own.iter().copied().eq(own[0]..1_000), "the older lineage goes on, and the plain run with it: from {}", own[0]);
}

#[test]
fn what_a_lineage_before_the_newest_has_published_is_not_published_again_without_a_word() {
    let mut world = OutboxWorld::new(20, 1_000);
    world.run(&OutboxProcess { until: Until::Killed(5), ..OutboxProcess::default() });
    // A lineage that publishes nothing stands between.
    world.records = 0;
    assert!(world.run(&OutboxProcess { start: StartMode::Fresh, ..OutboxProcess::default() }).is_finished());
    world.records = 1_000;
    let refused = world.run(&from(4)).error();
    assert!(refused.contains("by the sink `out`, and would be published again"), "{refused}");
    assert!(world.run(&OutboxProcess { decision: Some(MarkerDecision::Republish), ..from(4) }).is_finished());
}
