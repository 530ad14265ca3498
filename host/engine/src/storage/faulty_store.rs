//! A store that fails on purpose: slow, refused before the work or after it (a lost acknowledgement), requests that arrive twice, writes that tear,
//! lists that lag behind; drawn from the simulation's seed.

use super::{Created, Store, StoreDecorator};
use crate::error::{EngineError, ErrorKind};
use crate::runtime::{Clock, Lane, Simulator, Spawn};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
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
    /// A write or deletion arrives twice, the second time up to 200 ms later; a `create` perhaps at once, and the second answer is the one heard.
    pub repeated: u64,
    /// A `put` fails and leaves a part of the object. A `create` is atomic in every store that the probe lets through.
    pub torn: u64,
    /// A list is the one that was given for the folder before.
    pub stale: u64,
}

impl FaultPlan {
    /// No fault.
    pub const NONE: Self = Self { refused: 0, lost_acknowledgement: 0, slow: 0, repeated: 0, torn: 0, stale: 0 };
    /// Every fault, each in one of 33 calls.
    pub const STORM: Self = Self { refused: 30, lost_acknowledgement: 30, slow: 300, repeated: 30, torn: 30, stale: 30 };
}

/// Wraps a store.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    simulator: Simulator,
    plan: FaultPlan,
    /// The last list of each folder.
    listed: Mutex<BTreeMap<String, Vec<String>>>,
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
        Self { inner, simulator, plan, listed: Mutex::default() }
    }

    fn strikes(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.simulator.draw(1_000) < per_mille
    }

    async fn draw(&self) -> Fault {
        if self.strikes(self.plan.slow) {
            linger(&self.simulator).await;
        }
        if self.strikes(self.plan.refused) {
            Fault::Before
        } else if self.strikes(self.plan.lost_acknowledgement) {
            Fault::After
        } else {
            Fault::None
        }
    }

    async fn around<T>(&self, what: &str, call: BoxFuture<'_, Result<T, EngineError>>) -> Result<T, EngineError> {
        let fault = self.draw().await;
        if fault == Fault::Before {
            return Err(injected(what));
        }
        let done = call.await?;
        if fault == Fault::After { Err(injected(what)) } else { Ok(done) }
    }

    /// Sends `request` again later, if it is to be.
    fn repeat<T: 'static>(&self, request: impl FnOnce(Arc<dyn Store>) -> BoxFuture<'static, Result<T, EngineError>> + Send + 'static) {
        if !self.strikes(self.plan.repeated) {
            return;
        }
        let (inner, simulator) = (self.inner.clone(), self.simulator.clone());
        let later = async move {
            linger(&simulator).await;
            // Nobody hears of it.
            _ = request(inner).await;
        };
        self.simulator.spawn(Lane::Control, "repeated", later.boxed());
    }
}

fn injected(what: &str) -> EngineError {
    EngineError::new(ErrorKind::Retry, format!("{what}: injected fault"))
}

async fn linger(simulator: &Simulator) {
    let delay = Duration::from_millis(simulator.draw(200));
    simulator.sleep_until(simulator.now() + delay).await;
}

/// The first half of an object.
fn torn(parts: &[Bytes]) -> Vec<Bytes> {
    let whole = parts.concat();
    vec![Bytes::copy_from_slice(&whole[..whole.len() / 2])]
}

impl StoreDecorator for FaultyStore {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        let (owned, again) = (path.to_owned(), bytes.clone());
        self.repeat(move |store| async move { store.create(&owned, again).await }.boxed());
        let heard_twice = self.strikes(self.plan.repeated);
        let call = async move {
            let first = self.inner.create(path, bytes.clone()).await?;
            if heard_twice { self.inner.create(path, bytes).await } else { Ok(first) }
        };
        async move { self.around(path, call.boxed()).await }.boxed()
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        if self.strikes(self.plan.torn) {
            let tear = async move {
                self.inner.put(path, torn(&parts)).await?;
                Err(injected(path))
            };
            return tear.boxed();
        }
        let (owned, again) = (path.to_owned(), parts.clone());
        self.repeat(move |store| async move { store.put(&owned, again).await }.boxed());
        async move { self.around(path, self.inner.put(path, parts)).await }.boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        async move { self.around(path, self.inner.get(path)).await }.boxed()
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        let call = async move {
            let now = self.inner.list(folder).await?;
            let mut listed = self.listed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match listed.insert(folder.to_owned(), now.clone()) {
                Some(before) if self.strikes(self.plan.stale) => Ok(before),
                _ => Ok(now),
            }
        };
        async move { self.around(folder, call.boxed()).await }.boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        let owned = path.to_owned();
        self.repeat(move |store| async move { store.delete(&owned).await }.boxed());
        async move { self.around(path, self.inner.delete(path)).await }.boxed()
    }
}
