//! The promise of [`OutboxTarget`], as a suite that every target runs: nothing is lost, nothing doubled, and the order kept, whatever fails between any two
//! steps of the store and the target, and whoever wakes late. Of a target without transactions ([`Atomicity::IdsRemembered`]) that is so between any two of
//! a chunk's records as well.

mod in_chunks;
mod misfits;
mod steps;
mod wakers;
#[cfg(test)]
mod without_transactions;
mod world;

use super::OutboxLedger;
use super::port::{Atomicity, ChunkBounds, OutboxTarget};
use crate::checkpoint::Marker;
use crate::element::{BatchBuilder, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::ConnectorIo;
use futures_util::future::{BoxFuture, Either, select};
pub use in_chunks::InChunks;
use misfits::{
    a_checkpoint_that_is_taken_again_is_another_one, a_log_that_has_lost_its_newest_attempts_is_refused,
    a_marker_that_does_not_fit_is_refused, a_target_that_is_moved_to_is_looked_at_first, a_target_that_was_reset_is_for_the_user_to_decide,
};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use steps::{ALL_WRONG, Steps, Wrong};
use wakers::whoever_wakes_in_the_middle_changes_nothing;
use world::{Process, SINK, World, idle, nonce};

/// What lets a request go wrong.
pub trait Requests: Send + Sync {
    /// Makes a request, or does not; the process may end in front of it, or behind it.
    fn make<'a>(&'a self, request: BoxFuture<'a, Result<(), EngineError>>) -> BoxFuture<'a, Result<(), EngineError>>;
}

/// A target, as the suite needs it.
pub trait TargetUnderTest: Sync {
    /// A client of it, as a process of its own has it, which publishes in such chunks.
    fn client(&self, bounds: ChunkBounds) -> Arc<dyn OutboxTarget>;
    /// The same. Where a chunk is more than one request to the target, as it is without transactions, each of them is made through `requests`.
    fn client_through(&self, bounds: ChunkBounds, requests: Arc<dyn Requests>) -> Arc<dyn OutboxTarget> {
        let _ = requests;
        self.client(bounds)
    }
    /// The values that a reader sees, in order.
    fn seen(&self) -> BoxFuture<'_, Vec<Vec<u8>>>;
    /// Nothing is left of it: records, markers, fences, ids.
    fn reset(&self) -> BoxFuture<'_, ()>;
}

/// Runs the whole suite.
pub async fn target_suite(under_test: &dyn TargetUnderTest, io: ConnectorIo) {
    a_look_finds_it_and_leaves_nothing(under_test, &io).await;
    for wrong in ALL_WRONG {
        let mut at = 0;
        while one_step_goes_wrong(under_test, &io, at, wrong).await {
            at += 1;
        }
        assert!(at > 10, "{wrong:?}: a process makes more than {at} steps");
    }
    chunks_are_as_large_as_they_may_be_and_no_larger(under_test, &io).await;
    whoever_wakes_in_the_middle_changes_nothing(under_test, &io).await;
    a_marker_that_does_not_fit_is_refused(under_test, &io).await;
    an_older_publisher_changes_nothing(under_test, &io).await;
    an_older_lineage_comes_first(under_test, &io).await;
    a_target_that_was_reset_is_for_the_user_to_decide(under_test, &io).await;
    a_log_that_has_lost_its_newest_attempts_is_refused(under_test, &io).await;
    a_checkpoint_that_is_taken_again_is_another_one(under_test, &io).await;
    a_target_that_is_moved_to_is_looked_at_first(under_test, &io).await;
}

/// A target that is there is looked at before anybody takes over, and nobody sees that.
async fn a_look_finds_it_and_leaves_nothing(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let before = under_test.seen().await;
    let looked = under_test.client(ChunkBounds::default()).look(io).await;
    looked.expect("it is there");
    assert_eq!(under_test.seen().await, before);
}

/// A process publishes three checkpoints, and its step number `at` goes wrong; another, which knows of nothing that was published and cuts other chunks,
/// goes on. False where it makes fewer steps.
async fn one_step_goes_wrong(under_test: &dyn TargetUnderTest, io: &ConnectorIo, at: usize, wrong: Wrong) -> bool {
    let world = World::new(under_test, io, format!("{wrong:?}-{at}").to_lowercase());
    let outputs = [world.stage(1, 0, &[5]).await, world.stage(3, 5, &[3, 4]).await, world.stage(4, 12, &[2]).await];
    let steps = Steps::new(Some((at, wrong)));
    let first = Process { steps: steps.clone(), ..Process::new(1, world.ledger(&outputs), 2) };
    let log = world.begin(1).await;
    let (task, told) = world.publisher(first, log);
    let outbox = task.outbox.clone();
    let mut publishing = Box::pin(idle(task, &outbox, told));
    let stopped = match select(&mut publishing, pin!(steps.reached.notified())).await {
        Either::Left((done, _)) => {
            done.expect("what may pass is tried again");
            false
        }
        Either::Right(((), _)) => true,
    };
    // A process that is killed is dropped; one that sleeps goes on when the other is done.
    let sleeper = (stopped && wrong == Wrong::Sleeps).then_some(publishing);
    world.publish(Process::new(2, world.ledger(&outputs), 3)).await.expect("the successor publishes what is left");
    world.check("behind the successor", 0..14).await;
    if let Some(sleeper) = sleeper {
        steps.wakes.notify_one();
        let ended = sleeper.await;
        let fenced = ended.as_ref().err().map(EngineError::kind) == Some(ErrorKind::Fenced);
        assert!(fenced || ended.is_ok(), "{}: the sleeper ended with {ended:?}", world.name);
        world.check("behind the sleeper", 0..14).await;
    }
    at < steps.made.load(Ordering::Relaxed)
}

/// Records of many small objects go into few chunks, those of two checkpoints where the target lets them.
async fn chunks_are_as_large_as_they_may_be_and_no_larger(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let world = World::new(under_test, io, "chunks".into());
    let outputs = [world.stage(1, 0, &[1, 1, 2, 6]).await, world.stage(2, 10, &[1, 1]).await];
    let process = Process::new(1, world.ledger(&outputs), 3);
    let steps = process.steps.clone();
    world.publish(process).await.expect("it is published");
    let spans = under_test.client(ChunkBounds::default()).spans_checkpoints();
    let expected = if spans { vec![3, 3, 3, 3] } else { vec![3, 3, 3, 1, 2] };
    assert_eq!(steps.chunks(), expected, "{}: records of each chunk", world.name);
    world.check("all of it", 0..12).await;
    match under_test.client(ChunkBounds::default()).atomicity() {
        Atomicity::Transactions => {}
        // Else nothing could go wrong between two records.
        Atomicity::IdsRemembered { .. } => {
            let requests = steps.requests.load(Ordering::Relaxed);
            let least = 12 + steps.chunks().len();
            assert!(
                requests >= least,
                "{}: {requests} requests for 12 records and the markers of their chunks, at least {least}",
                world.name
            );
        }
    }
}

/// Whoever has taken over before neither publishes nor moves a marker.
async fn an_older_publisher_changes_nothing(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let world = World::new(under_test, io, "fenced".into());
    let (client, key) = (under_test.client(ChunkBounds::default()), world.key("1"));
    let mut old = client.take_over(&world.owner(1), &world.io).await.expect("it takes over");
    old.set_marker(&key, &Marker::default()).await.expect("it is set");
    let other = under_test.client(ChunkBounds::default());
    let mut new = other.take_over(&world.owner(2), &world.io).await.expect("it takes over");
    let mut builder = BatchBuilder::new();
    builder.push(None, world.value(0).as_bytes(), None);
    let (records, moved) = (builder.finish(), Marker { checkpoint_id: CheckpointId(1), attempt_nonce: nonce(1), records: 1 });
    assert!(old.publish(&key, &records, &moved).await.is_err(), "an old publisher publishes");
    assert!(old.set_marker(&key, &moved).await.is_err(), "an old publisher moves a marker");
    assert_eq!(new.marker(&key).await.expect("it is read"), Some(Marker::default()));
    match client.atomicity() {
        Atomicity::Transactions => world.check("nothing is published", 0..0).await,
        // The record is final: it may come of either of them.
        Atomicity::IdsRemembered { .. } => {}
    }
    new.publish(&key, &records, &moved).await.expect("the newest publishes");
    world.check("it is published", 0..1).await;
}

/// What an older lineage holds as final is published first, against its own marker.
async fn an_older_lineage_comes_first(under_test: &dyn TargetUnderTest, io: &ConnectorIo) {
    let world = World::new(under_test, io, "lineages".into());
    let older = [world.stage(1, 0, &[5]).await, world.stage(2, 5, &[3]).await];
    let known = world.ledger(&older).snapshot(None);
    // A checkpoint of the old lineage says that there is a marker.
    let mut session = under_test.client(ChunkBounds::default()).take_over(&world.owner(1), &world.io).await.expect("it takes over");
    session.set_marker(&world.key("1"), &Marker::default()).await.expect("it is set");
    let mut ledger = OutboxLedger::new(SINK, serde_json::json!(SINK), world.key("2")).with(known);
    ledger.on_complete(world.stage(3, 8, &[4]).await);
    ledger.on_final(CheckpointId(3));
    world.publish(Process::new(2, ledger, 2)).await.expect("both are published");
    world.check("the older lineage first", 0..12).await;
}
