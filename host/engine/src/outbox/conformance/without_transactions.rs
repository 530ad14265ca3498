//! A target in memory without transactions, for the suite: it takes records one by one, each with its id, leaves out what it knows, and moves the marker
//! behind them. Nothing keeps the records of an old publisher out of it, only its markers are compared.

use super::world::{Process, World};
use super::{Requests, TargetUnderTest, target_suite};
use crate::checkpoint::{Marker, MarkerKey};
use crate::element::{AttemptId, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::outbox::port::{Atomicity, ChunkBounds, OutboxOwner, OutboxSession, OutboxTarget};
use crate::outbox::record_ids;
use crate::runtime::{ConnectorIo, SimulationEnd, Simulator};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What it does otherwise than a target has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// Ids are made of the chunk and the place in it.
    IdsOfTheChunk,
    /// Ids leave out which attempt took the checkpoint.
    IdsOfAnyAttempt,
    TakesWhatItKnows,
    /// The last record of a chunk comes first.
    SendsInAnotherOrder,
    MovesTheMarkerFirst,
    LetsOldPublishersMoveMarkers,
    /// The suite is not shown the requests that a chunk takes.
    HidesItsRequests,
}

/// Clones are the same target.
#[derive(Clone)]
struct Target {
    contents: Arc<Mutex<Contents>>,
    broken: Broken,
}

#[derive(Default)]
struct Contents {
    /// By log and sink.
    fences: BTreeMap<(String, String), Fence>,
    markers: BTreeMap<MarkerKey, Marker>,
    known: BTreeSet<String>,
    values: Vec<Vec<u8>>,
}

#[derive(Clone, Copy)]
struct Fence {
    epoch: u64,
    newest: AttemptId,
}

struct Client {
    target: Target,
    bounds: ChunkBounds,
    requests: Option<Arc<dyn Requests>>,
}

struct Session {
    target: Target,
    requests: Option<Arc<dyn Requests>>,
    fence: (String, String),
    epoch: u64,
}

impl Target {
    fn new(broken: Broken) -> Self {
        Self { contents: Arc::default(), broken }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// Has so many values and this marker, and remembers no id.
    fn forget_behind(&self, values: usize, key: &MarkerKey, marker: Marker) {
        let mut contents = self.lock();
        contents.known.clear();
        contents.values.truncate(values);
        contents.markers.insert(key.clone(), marker);
    }
}

impl TargetUnderTest for Target {
    fn client(&self, bounds: ChunkBounds) -> Arc<dyn OutboxTarget> {
        Arc::new(Client { target: self.clone(), bounds, requests: None })
    }

    fn client_through(&self, bounds: ChunkBounds, requests: Arc<dyn Requests>) -> Arc<dyn OutboxTarget> {
        let requests = Some(requests).filter(|_| self.broken != Broken::HidesItsRequests);
        Arc::new(Client { target: self.clone(), bounds, requests })
    }

    fn seen(&self) -> BoxFuture<'_, Vec<Vec<u8>>> {
        ready(self.lock().values.clone()).boxed()
    }

    fn reset(&self) -> BoxFuture<'_, ()> {
        *self.lock() = Contents::default();
        ready(()).boxed()
    }
}

impl OutboxTarget for Client {
    fn connector(&self) -> &'static str {
        "memory-without-transactions"
    }

    fn identity(&self) -> serde_json::Value {
        "memory".into()
    }

    fn chunk_bounds(&self) -> ChunkBounds {
        self.bounds
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::IdsRemembered { remembered: Some(Duration::from_secs(300)) }
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, _io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        let fence = (owner.log.clone(), owner.sink.clone());
        let mut contents = self.target.lock();
        let of = contents.fences.entry(fence.clone()).or_insert(Fence { epoch: 0, newest: AttemptId(0) });
        if owner.attempt < of.newest && !owner.over_newer {
            return ready(Err(fenced())).boxed();
        }
        *of = Fence { epoch: of.epoch + 1, newest: owner.attempt };
        let session = Session { target: self.target.clone(), requests: self.requests.clone(), fence, epoch: of.epoch };
        ready(Ok(Box::new(session) as Box<dyn OutboxSession>)).boxed()
    }
}

impl Session {
    /// The contents, for one that has not been replaced.
    fn guarded(&self) -> Result<MutexGuard<'_, Contents>, EngineError> {
        let contents = self.target.lock();
        let is_newest = contents.fences.get(&self.fence).is_some_and(|fence| fence.epoch == self.epoch);
        if is_newest || self.target.broken == Broken::LetsOldPublishersMoveMarkers { Ok(contents) } else { Err(fenced()) }
    }

    async fn request(&self, request: impl Future<Output = Result<(), EngineError>> + Send) -> Result<(), EngineError> {
        match &self.requests {
            Some(requests) => requests.make(request.boxed()).await,
            None => request.await,
        }
    }

    /// Takes one record, whoever sends it.
    async fn take(&self, id: String, value: &[u8]) -> Result<(), EngineError> {
        let take = async {
            let mut contents = self.target.lock();
            if contents.known.insert(id) || self.target.broken == Broken::TakesWhatItKnows {
                contents.values.push(value.to_vec());
            }
            Ok(())
        };
        self.request(take).await
    }

    async fn move_marker(&self, key: &MarkerKey, marker: &Marker) -> Result<(), EngineError> {
        let moved = async { self.guarded().map(|mut contents| drop(contents.markers.insert(key.clone(), marker.clone()))) };
        self.request(moved).await
    }

    fn ids(&self, key: &MarkerKey, records: usize, marker: &Marker) -> Vec<String> {
        match self.target.broken {
            Broken::IdsOfTheChunk => (0..records).map(|place| format!("{key}/{marker}/{place}")).collect(),
            Broken::IdsOfAnyAttempt => {
                record_ids(key, records, marker).map(|id| format!("{key}/{}/{}", id.checkpoint_id, id.ordinal)).collect()
            }
            Broken::Nothing
            | Broken::TakesWhatItKnows
            | Broken::SendsInAnotherOrder
            | Broken::MovesTheMarkerFirst
            | Broken::LetsOldPublishersMoveMarkers
            | Broken::HidesItsRequests => record_ids(key, records, marker).map(|id| id.to_string()).collect(),
        }
    }
}

impl OutboxSession for Session {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        ready(self.guarded().map(|contents| contents.markers.get(key).cloned())).boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        self.move_marker(key, marker).boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            if self.target.broken == Broken::MovesTheMarkerFirst {
                self.move_marker(key, marker).await?;
            }
            let mut chunk: Vec<_> = self.ids(key, records.len(), marker).into_iter().zip(records.values().iter()).collect();
            if self.target.broken == Broken::SendsInAnotherOrder {
                chunk.rotate_right(1);
            }
            for (id, value) in chunk {
                self.take(id, value).await?;
            }
            self.move_marker(key, marker).await
        }
        .boxed()
    }
}

fn fenced() -> EngineError {
    EngineError::new(ErrorKind::Fenced, "the target without transactions: another publisher has taken over")
}

/// Runs the suite over such a target, or something else of it.
fn simulated<F: Future<Output = ()> + Send + 'static>(broken: Broken, of: impl FnOnce(Target, ConnectorIo) -> F) {
    let simulator = Simulator::new(1);
    let io = ConnectorIo::of(&simulator.runtime());
    assert_eq!(simulator.run(of(Target::new(broken), io).boxed(), 10_000_000), SimulationEnd::Finished);
}

#[test]
fn a_target_without_transactions_publishes_once_by_the_ids_of_records() {
    simulated(Broken::Nothing, |target, io| async move { target_suite(&target, io).await });
}

#[test]
fn each_way_in_which_such_a_target_can_be_wrong_is_noticed() {
    for (broken, says) in [
        (Broken::IdsOfTheChunk, "behind the successor"),
        (Broken::IdsOfAnyAttempt, "its records are others"),
        (Broken::TakesWhatItKnows, "behind the successor"),
        (Broken::SendsInAnotherOrder, "behind the successor"),
        (Broken::MovesTheMarkerFirst, "behind the successor"),
        (Broken::LetsOldPublishersMoveMarkers, "an old publisher"),
        (Broken::HidesItsRequests, "0 requests for 12 records"),
    ] {
        let suite = || simulated(broken, |target, io| async move { target_suite(&target, io).await });
        let panic = catch_unwind(AssertUnwindSafe(suite)).expect_err(&format!("{broken:?} passes"));
        let said = crate::runtime::panic_message(&*panic);
        assert!(said.contains(says), "{broken:?}: {said}");
    }
}

#[test]
fn what_such_a_target_has_forgotten_is_there_twice_and_that_is_the_chunk_under_way_and_no_more() {
    simulated(Broken::Nothing, |target, io| async move {
        let world = World::new(&target, &io, "forgotten".into());
        let outputs = [world.stage(1, 0, &[9]).await];
        world.publish(Process::new(1, world.ledger(&outputs), 4)).await.expect("it is published");
        // It was down for longer than the target remembers, in the middle of its second chunk.
        target.forget_behind(6, &world.key("1"), outputs[0].marker(4));
        world.publish(Process::new(2, world.ledger(&outputs), 4)).await.expect("the successor publishes what is left");
        world.check("behind the successor", (0..6).chain(4..9)).await;
    });
}
