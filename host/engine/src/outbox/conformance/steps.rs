//! A process whose calls to its storage and its target are counted, and of which one goes wrong.

use super::Requests;
use crate::checkpoint::{Marker, MarkerKey};
use crate::element::RecordBatch;
use crate::error::{EngineError, ErrorKind};
use crate::outbox::port::{Atomicity, ChunkBounds, OutboxOwner, OutboxSession, OutboxTarget};
use crate::runtime::ConnectorIo;
use crate::storage::{Created, Store};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// What goes wrong with one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is refused, and nothing has happened.
    Refused,
    /// It is done, and nobody hears of it.
    AnswerLost,
    /// The process is killed in front of it.
    KilledBefore,
    /// The process is killed behind it.
    KilledBehind,
    /// The process stops in front of it, and goes on when another has published everything.
    Sleeps,
}

pub(super) const ALL_WRONG: [Wrong; 5] = [Wrong::Refused, Wrong::AnswerLost, Wrong::KilledBefore, Wrong::KilledBehind, Wrong::Sleeps];

/// Counts the steps of a process, and lets one go wrong.
pub(super) struct Steps {
    pub(super) made: AtomicUsize,
    /// How many records each chunk had that was published.
    chunks: Mutex<Vec<usize>>,
    /// How many requests the target made itself, for what is one call of its port.
    pub(super) requests: AtomicUsize,
    wrong: Option<(usize, Wrong)>,
    /// The process has come to where it is killed or sleeps.
    pub(super) reached: Notify,
    pub(super) wakes: Notify,
}

impl Steps {
    pub(super) fn new(wrong: Option<(usize, Wrong)>) -> Arc<Self> {
        Arc::new(Self {
            made: AtomicUsize::new(0),
            chunks: Mutex::default(),
            requests: AtomicUsize::new(0),
            wrong,
            reached: Notify::new(),
            wakes: Notify::new(),
        })
    }

    /// How many records each chunk had that was published.
    pub(super) fn chunks(&self) -> Vec<usize> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn step<T>(&self, call: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let Some((_, wrong)) = self.wrong.filter(|(at, _)| *at == number) else { return call.await };
        let unknown = |what: &str| EngineError::new(ErrorKind::Retry, format!("step {number}: {what}"));
        match wrong {
            Wrong::Refused => Err(unknown("refused")),
            Wrong::AnswerLost => {
                _ = call.await;
                Err(unknown("the answer is lost"))
            }
            Wrong::KilledBefore => {
                self.reached.notify_one();
                std::future::pending().await
            }
            Wrong::KilledBehind => {
                _ = call.await;
                self.reached.notify_one();
                std::future::pending().await
            }
            Wrong::Sleeps => {
                self.reached.notify_one();
                self.wakes.notified().await;
                call.await
            }
        }
    }
}

impl Requests for Steps {
    fn make<'a>(&'a self, request: BoxFuture<'a, Result<(), EngineError>>) -> BoxFuture<'a, Result<(), EngineError>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.step(request).boxed()
    }
}

/// A store or a target whose calls are steps.
pub(super) struct Stepping<T>(pub(super) T, pub(super) Arc<Steps>);

impl Store for Stepping<Arc<dyn Store>> {
    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        self.1.step(self.0.create(path, bytes)).boxed()
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        self.1.step(self.0.put(path, parts)).boxed()
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, EngineError>> {
        self.1.step(self.0.get(path)).boxed()
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        self.1.step(self.0.list(folder)).boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        self.1.step(self.0.delete(path)).boxed()
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

impl OutboxTarget for Stepping<Arc<dyn OutboxTarget>> {
    fn connector(&self) -> &'static str {
        self.0.connector()
    }

    fn identity(&self) -> serde_json::Value {
        self.0.identity()
    }

    fn chunk_bounds(&self) -> ChunkBounds {
        self.0.chunk_bounds()
    }

    fn atomicity(&self) -> Atomicity {
        self.0.atomicity()
    }

    fn spans_checkpoints(&self) -> bool {
        self.0.spans_checkpoints()
    }

    fn admit(&self, records: &RecordBatch) -> Result<(), EngineError> {
        self.0.admit(records)
    }

    fn take_over<'a>(&'a self, owner: &'a OutboxOwner, io: &'a ConnectorIo) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        async move {
            let session = self.1.step(self.0.take_over(owner, io)).await?;
            Ok(Box::new(Stepping(session, self.1.clone())) as Box<dyn OutboxSession>)
        }
        .boxed()
    }
}

impl OutboxSession for Stepping<Box<dyn OutboxSession>> {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        self.1.step(self.0.marker(key)).boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        self.1.step(self.0.set_marker(key, marker)).boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        self.1.chunks.lock().unwrap_or_else(PoisonError::into_inner).push(records.len());
        self.1.step(self.0.publish(key, records, marker)).boxed()
    }
}
