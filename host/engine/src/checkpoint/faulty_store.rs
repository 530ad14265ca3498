//! A store that fails on purpose: slow, refused before the work or after it (a lost acknowledgement), drawn from the simulation's seed.

use super::{Created, Store};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::{Clock, Simulator};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// How often, out of 1,000 calls, each fault strikes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultPlan {
    /// The call fails and has done nothing.
    pub refused: u64,
    /// The call fails and has done its work.
    pub lost_acknowledgement: u64,
    /// The call takes up to 200 ms.
    pub slow: u64,
}

/// Wraps a store.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    simulator: Simulator,
    plan: FaultPlan,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Before,
    After,
}

impl FaultyStore {
    /// `inner` with the faults of `plan`, drawn from `simulator`'s seed.
    pub fn new(inner: Arc<dyn Store>, simulator: Simulator, plan: FaultPlan) -> Self {
        Self { inner, simulator, plan }
    }

    async fn draw(&self) -> Fault {
        let strikes = |per_mille| self.simulator.draw(1_000) < per_mille;
        if strikes(self.plan.slow) {
            let delay = Duration::from_millis(self.simulator.draw(200));
            self.simulator.sleep_until(self.simulator.now() + delay).await;
        }
        if strikes(self.plan.refused) {
            Fault::Before
        } else if strikes(self.plan.lost_acknowledgement) {
            Fault::After
        } else {
            Fault::None
        }
    }

    async fn around<T>(&self, what: &str, call: BoxFuture<'_, Result<T, EngineError>>) -> Result<T, EngineError> {
        let fault = self.draw().await;
        let injected = || EngineError::new(ErrorKind::Retry, format!("{what}: injected fault"));
        if fault == Fault::Before {
            return Err(injected());
        }
        let done = call.await?;
        if fault == Fault::After { Err(injected()) } else { Ok(done) }
    }
}

impl Store for FaultyStore {
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        async move { self.around(path, self.inner.create(path, bytes)).await }.boxed()
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        async move { self.around(path, self.inner.put(path, parts)).await }.boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        async move { self.around(path, self.inner.get(path)).await }.boxed()
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        async move { self.around(folder, self.inner.list(folder)).await }.boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        async move { self.around(path, self.inner.delete(path)).await }.boxed()
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}
