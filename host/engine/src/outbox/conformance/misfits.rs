//! Targets whose marker does not fit what the job's log says: nothing is published before the user has decided.

use super::TargetUnderTest;
use super::world::{Process, World, nonce};
use crate::checkpoint::{Marker, StagedOutput};
use crate::element::CheckpointId;
use crate::error::ErrorKind;
use crate::outbox::port::ChunkBounds;
use crate::outbox::{MarkerDecision, target_identity};
use crate::runtime::ConnectorIo;

fn marker(checkpoint_id: u64, attempt: u64, records: u64) -> Marker {
    Marker { checkpoint_id: CheckpointId(checkpoint_id), attempt_nonce: nonce(attempt), records }
}

pub(super) async fn a_marker_that_does_not_fit_is_refused(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let cases = [
        (marker(1, 1, 3), "behind what is known"),
        (marker(9, 1, 1), "ahead of the newest final checkpoint"),
        (marker(4, 1, 3), "ahead of the newest final checkpoint"),
        (marker(4, 7, 1), "which the job's log does not have"),
        (marker(9, 7, 1), "which the job's log does not have"),
        (marker(2, 1, 1), "which the job's log does not have"),
    ];
    for (number, (marker, expected)) in cases.into_iter().enumerate() {
        let world = World::new(under_test, io, format!("misfit-{number}"));
        // Of checkpoint 1 all is known to be published.
        let outputs = [world.stage(1, 0, &[5]).await, world.stage(4, 5, &[2]).await];
        world.publish(Process::new(1, world.ledger(&outputs[..1]), 3)).await.expect("it is published");
        let mut session = under_test.client(ChunkBounds::default()).take_over(&world.owner(1), &world.io).await.expect("it takes over");
        session.set_marker(&world.key("1"), &marker).await.expect("it is set");
        drop(session);
        let mut known = world.ledger(&outputs).snapshot(None);
        known.lineages[0].published = outputs[0].marker(5);
        known.lineages[0].unpublished.remove(0);
        let ledger = || world.empty_ledger().with(known.clone());
        let error = world.publish(Process::new(2, ledger(), 3)).await.expect_err("it does not fit");
        assert!(error.to_string().contains(expected) && error.kind() == ErrorKind::FixInput, "{marker}: {error}");
        world.check("nothing more is published", 0..5).await;
        let decided = Process { decision: Some(MarkerDecision::Republish), ..Process::new(3, ledger(), 3) };
        world.publish(decided).await.expect("the user has decided");
        world.check("what is staged is published", 0..7).await;
    }
}

pub(super) async fn a_target_that_was_reset_is_for_the_user_to_decide(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    for decision in [None, Some(MarkerDecision::Republish), Some(MarkerDecision::AssumePublished)] {
        let world = World::new(under_test, io, format!("reset-{decision:?}").to_lowercase());
        let outputs = [world.stage(1, 0, &[5]).await, world.stage(2, 5, &[3]).await];
        world.publish(Process::new(1, world.ledger(&outputs[..1]), 2)).await.expect("it is published");
        under_test.reset().await;
        let known = world.ledger(&outputs).snapshot(None);
        let process = Process { decision, ..Process::new(2, world.empty_ledger().with(known), 2) };
        let published = world.publish(process).await;
        match decision {
            None => {
                let error = published.expect_err("it is refused").to_string();
                assert!(error.contains("has no marker"), "{error}");
                world.check("nothing is published", 0..0).await;
            }
            Some(MarkerDecision::Republish) => world.check("all that is staged is published", 0..8).await,
            Some(MarkerDecision::AssumePublished) => world.check("nothing is published", 0..0).await,
        }
    }
    // The identity is what tells that a target is another one.
    let client = under_test.client(ChunkBounds::default());
    assert_eq!(target_identity(&*client)["connector"], client.connector());
}

/// A process of a log that was put back to what it was: its target has seen attempt 9, the log's newest is 2. It must neither try for ever nor publish.
pub(super) async fn a_log_that_has_lost_its_newest_attempts_is_refused(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let world = World::new(under_test, io, "older-log".into());
    let outputs = [world.stage(1, 0, &[5]).await, world.stage(2, 5, &[3]).await];
    world.publish(Process::new(1, world.ledger(&outputs[..1]), 3)).await.expect("it is published");
    let mut lost = under_test.client(ChunkBounds::default()).take_over(&world.owner(9), &world.io).await.expect("it takes over");
    lost.set_marker(&world.key("1"), &marker(7, 9, 1)).await.expect("it is set");
    drop(lost);
    let ledger = || world.empty_ledger().with(world.ledger(&outputs).snapshot(None));
    let error = world.publish(Process::new(2, ledger(), 3)).await.expect_err("the log is not what it was");
    assert!(error.kind() == ErrorKind::FixInput && error.hint().is_some(), "{error}");
    assert!(error.to_string().contains("has seen a newer one") || error.to_string().contains("does not have"), "{error}");
    world.check("nothing more is published", 0..5).await;
    let decided = Process { decision: Some(MarkerDecision::AssumePublished), ..Process::new(3, ledger(), 3) };
    world.publish(decided).await.expect("the user has decided");
    world.check("what is staged counts as published", 0..5).await;
    // From then on this log's attempts are what counts.
    let mut session = under_test.client(ChunkBounds::default()).take_over(&world.owner(4), &world.io).await.expect("it takes over");
    assert_eq!(session.marker(&world.key("1")).await.expect("it is read"), Some(outputs[1].marker(3)));
}

/// A log that has lost its newest entries takes a checkpoint of the same number again, with other records: they are not those that the target has.
pub(super) async fn a_checkpoint_that_is_taken_again_is_another_one(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let world = World::new(under_test, io, "again".into());
    let (first, lost) = (world.stage(1, 0, &[5]).await, world.stage(2, 5, &[3]).await);
    world.publish(Process::new(1, world.ledger(&[first.clone(), lost]), 3)).await.expect("it is published");
    let again = StagedOutput { attempt_nonce: nonce(2), ..world.stage(2, 8, &[3]).await };
    let ledger = || world.empty_ledger().with(world.ledger(&[first.clone(), again.clone()]).snapshot(None));
    let error = world.publish(Process::new(2, ledger(), 3)).await.expect_err("another attempt's output is there");
    assert!(error.to_string().contains("which the job's log does not have"), "{error}");
    let known = || {
        let mut known = ledger().snapshot(None);
        known.lineages[0].published = first.marker(5);
        known.lineages[0].unpublished.remove(0);
        world.empty_ledger().with(known)
    };
    let decided = Process { decision: Some(MarkerDecision::Republish), ..Process::new(3, known(), 2) };
    world.publish(decided).await.expect("the user has decided");
    world.check("its records are others", 0..11).await;
}

/// A sink's target is another one now. What that has is known or refused, and never overwritten unseen.
pub(super) async fn a_target_that_is_moved_to_is_looked_at_first(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let cases = [
        // Nothing, as at the lineage's beginning, as when the job went elsewhere, and as it is set by an attempt that got no further.
        (None, None),
        (Some(Marker::default()), None),
        (Some(marker(1, 1, 5)), None),
        (Some(marker(4, 1, 2)), None),
        (Some(marker(5, 1, 1)), Some("another run has published there")),
        (Some(marker(1, 7, 5)), Some("another run has published there")),
        (Some(marker(9, 7, 1)), Some("another run has published there")),
    ];
    for (number, (found, refused)) in cases.into_iter().enumerate() {
        let world = World::new(under_test, io, format!("moved-{number}"));
        if let Some(found) = &found {
            let mut session = under_test.client(ChunkBounds::default()).take_over(&world.owner(1), &world.io).await.expect("it takes over");
            session.set_marker(&world.key("1"), found).await.expect("it is set");
        }
        let mut known = world.ledger(&[]).snapshot(None);
        known.lineages[0].published = marker(4, 1, 2);
        let output = world.stage(6, 0, &[5]).await;
        let ledger = || {
            let mut ledger = world.empty_ledger().moved_from(&known);
            ledger.on_complete(output.clone());
            ledger.on_final(CheckpointId(6));
            ledger
        };
        let published = world.publish(Process::new(2, ledger(), 3)).await;
        match refused {
            None => published.expect("it fits"),
            Some(why) => {
                let error = published.expect_err("it does not fit");
                assert!(error.kind() == ErrorKind::FixInput && error.to_string().contains(why), "{found:?}: {error}");
                world.check("nothing is published", 0..0).await;
                let decided = Process { decision: Some(MarkerDecision::Republish), ..Process::new(3, ledger(), 3) };
                world.publish(decided).await.expect("the user has decided");
            }
        }
        world.check("what came behind the move is published", 0..5).await;
    }
}
