//! A target in memory that processes of a simulation share: transactions, markers, fences, and a log of records that a reader sees in order.
//!
//! What tests need of a target is here, too: one that is slow, refuses, loses answers, or has requests arrive after whoever sent them has gone.

use super::port::{ChunkBounds, OutboxOwner, OutboxSession, OutboxTarget};
use crate::checkpoint::{Marker, MarkerKey};
use crate::element::{AttemptId, RecordBatch};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::{Clock, ConnectorIo, Lane, Monotonic, Simulator, Spawn};
use crate::storage::FaultPlan;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What the target holds. Clones are the same target.
#[derive(Clone, Default)]
pub struct TargetMemory(Arc<Mutex<Contents>>);

#[derive(Clone, Default)]
struct Contents {
    /// By log and sink: the epoch, and the newest attempt that has taken over.
    fences: BTreeMap<(String, String), (u64, AttemptId)>,
    markers: BTreeMap<MarkerKey, Marker>,
    values: Vec<String>,
    down: bool,
    silent: bool,
    full: bool,
}

/// One process's client.
pub struct MemoryTarget {
    memory: TargetMemory,
    name: String,
    bounds: ChunkBounds,
    /// What goes wrong.
    faults: Option<Faults>,
}

/// What goes wrong, on whose dice.
#[derive(Clone)]
struct Faults {
    simulator: Simulator,
    plan: FaultPlan,
    /// Until then no request arrives.
    down_until: Monotonic,
}

struct MemorySession {
    client: Arc<Client>,
    fence: (String, String),
    epoch: u64,
}

/// What sessions share with their target.
struct Client {
    memory: TargetMemory,
    faults: Option<Faults>,
}

type Request<T> = Box<dyn Fn(&mut Contents) -> Result<T, EngineError> + Send + Sync>;

impl TargetMemory {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The values that have been published, in order.
    pub fn values(&self) -> Vec<String> {
        self.lock().values.clone()
    }

    /// All markers.
    pub fn markers(&self) -> BTreeMap<MarkerKey, Marker> {
        self.lock().markers.clone()
    }

    /// Another target with the same contents.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// Becomes what `other` is: a backup is put back.
    pub fn become_like(&self, other: &Self) {
        let contents = other.lock().clone();
        *self.lock() = contents;
    }

    /// Takes no request from now on, or does again.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Leaves whoever looks at it without an answer from now on, or answers again.
    pub fn set_silent(&self, silent: bool) {
        self.lock().silent = silent;
    }

    /// Takes no records from now on, or does again. Whoever wants to may take over, and read markers.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    fn is_silent(&self) -> bool {
        self.lock().silent
    }

    /// All markers say that nothing is published.
    pub fn reset_markers(&self) {
        self.lock().markers.values_mut().for_each(|marker| *marker = Marker::default());
    }

    /// A client of it. `name` is its identity.
    pub fn client(&self, name: &str, bounds: ChunkBounds) -> MemoryTarget {
        MemoryTarget { memory: self.clone(), name: name.to_owned(), bounds, faults: None }
    }
}

impl MemoryTarget {
    /// The same with faults that are drawn from `simulator`'s seed.
    pub fn failing(self, simulator: Simulator, plan: FaultPlan) -> Self {
        Self { faults: Some(Faults { simulator, plan, down_until: Monotonic::ZERO }), ..self }
    }

    /// The same, which this process does not reach until then.
    pub fn down_until(mut self, down_until: Monotonic) -> Self {
        if let Some(faults) = &mut self.faults {
            faults.down_until = down_until;
        }
        self
    }
}

impl Client {
    /// Sends a request: it may be refused, be heard twice, arrive when nobody waits for it any more, or its answer may be lost.
    async fn request<T>(&self, request: Request<T>) -> Result<T, EngineError>
    where
        T: Send + 'static,
    {
        let unreachable = |why: &str| EngineError::new(ErrorKind::Retry, format!("the target in memory: {why}"));
        let arrives = |request: &Request<T>, memory: &TargetMemory| {
            let mut contents = memory.lock();
            if contents.down { Err(unreachable("it is down")) } else { request(&mut contents) }
        };
        let Some(Faults { simulator, plan: faults, down_until }) = &self.faults else { return arrives(&request, &self.memory) };
        let strikes = |per_mille| per_mille > 0 && simulator.draw(1_000) < per_mille;
        if strikes(faults.slow) {
            simulator.sleep_until(simulator.now() + Duration::from_millis(simulator.draw(200))).await;
        }
        if strikes(faults.refused) || simulator.now() < *down_until {
            return Err(unreachable("refused"));
        }
        if strikes(faults.repeated) {
            // It is on its way, and whoever sent it gives up waiting.
            let (later, memory) = (simulator.clone(), self.memory.clone());
            let late = async move {
                later.sleep_until(later.now() + Duration::from_millis(later.draw(400))).await;
                let mut contents = memory.lock();
                // Nobody hears of it.
                _ = request(&mut contents);
            };
            simulator.spawn(Lane::Control, "late request", late.boxed());
            return Err(unreachable("no answer in time"));
        }
        let answer = arrives(&request, &self.memory)?;
        if strikes(faults.lost_acknowledgement) { Err(unreachable("the answer is lost")) } else { Ok(answer) }
    }
}

impl OutboxTarget for MemoryTarget {
    fn connector(&self) -> &'static str {
        "memory"
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::json!(self.name)
    }

    fn chunk_bounds(&self) -> ChunkBounds {
        self.bounds
    }

    fn look<'a>(&'a self, _io: &'a ConnectorIo) -> BoxFuture<'a, Result<(), EngineError>> {
        let is_down = self.memory.lock().down;
        async move {
            match (is_down, self.memory.is_silent()) {
                (_, true) => pending().await,
                (true, false) => Err(EngineError::new(ErrorKind::Retry, "the target in memory: it is down").with_hint("set it up")),
                (false, false) => Ok(()),
            }
        }
        .boxed()
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, _io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        let client = Arc::new(Client { memory: self.memory.clone(), faults: self.faults.clone() });
        let (fence, attempt, over_newer) = ((owner.log.clone(), owner.sink.clone()), owner.attempt, owner.over_newer);
        async move {
            let of = fence.clone();
            let raise: Request<u64> = Box::new(move |contents| {
                let (epoch, newest) = contents.fences.entry(of.clone()).or_insert((0, AttemptId(0)));
                if attempt < *newest && !over_newer {
                    return Err(fenced());
                }
                (*epoch, *newest) = (*epoch + 1, attempt);
                Ok(*epoch)
            });
            let epoch = client.request(raise).await?;
            Ok(Box::new(MemorySession { client, fence, epoch }) as Box<dyn OutboxSession>)
        }
        .boxed()
    }
}

impl MemorySession {
    /// A request that counts only as long as nobody has taken over since.
    fn guarded<T>(&self, request: impl Fn(&mut Contents) -> T + Send + Sync + 'static) -> Request<T> {
        let (fence, epoch) = (self.fence.clone(), self.epoch);
        Box::new(move |contents| {
            if contents.fences.get(&fence).is_none_or(|(newest, _)| *newest != epoch) {
                return Err(fenced());
            }
            Ok(request(contents))
        })
    }
}

impl OutboxSession for MemorySession {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        let key = key.clone();
        let read = self.guarded(move |contents| contents.markers.get(&key).cloned());
        async move { self.client.request(read).await }.boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        let (key, marker) = (key.clone(), marker.clone());
        let set = self.guarded(move |contents| _ = contents.markers.insert(key.clone(), marker.clone()));
        async move { self.client.request(set).await }.boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        let values: Vec<String> = records.values().iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        let (key, marker) = (key.clone(), marker.clone());
        let publish = self.guarded(move |contents| {
            contents.values.extend(values.iter().cloned());
            contents.markers.insert(key.clone(), marker.clone());
        });
        let publish: Request<()> = Box::new(move |contents| match contents.full {
            true => Err(EngineError::new(ErrorKind::Retry, "the target in memory: it is full")),
            false => publish(contents),
        });
        async move { self.client.request(publish).await }.boxed()
    }
}

fn fenced() -> EngineError {
    EngineError::new(ErrorKind::Fenced, "the target in memory: another publisher has taken over")
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{TargetUnderTest, target_suite};
    use super::*;
    use crate::runtime::SimulationEnd;

    struct InMemory(TargetMemory);

    impl TargetUnderTest for InMemory {
        fn client(&self, bounds: ChunkBounds) -> Arc<dyn OutboxTarget> {
            Arc::new(self.0.client("topic", bounds))
        }

        fn seen(&self) -> BoxFuture<'_, Vec<Vec<u8>>> {
            async move { self.0.values().into_iter().map(String::into_bytes).collect() }.boxed()
        }

        fn reset(&self) -> BoxFuture<'_, ()> {
            async move { self.0.become_like(&TargetMemory::default()) }.boxed()
        }
    }

    #[test]
    fn the_target_in_memory_is_what_a_target_has_to_be() {
        let simulator = Simulator::new(1);
        let io = ConnectorIo::of(&simulator.runtime());
        let suite = async move { target_suite(&InMemory(TargetMemory::default()), io).await };
        assert_eq!(simulator.run(suite.boxed(), 10_000_000), SimulationEnd::Finished);
    }
}
