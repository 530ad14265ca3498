//! A publisher that has taken over. librdkafka's transactions wait for the cluster, so they run on a thread of their own, which ends with the session.

use super::publishing::Publishing;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::mpsc;
use tokio::sync::oneshot;
use weir_engine::checkpoint::{Marker, MarkerKey};
use weir_engine::outbox::OutboxSession;
use weir_engine::{EngineError, ErrorKind, RecordBatch};

type Work = Box<dyn FnOnce(&mut Publishing) + Send>;

/// The thread, as the publisher speaks to it.
pub(super) struct Session {
    work: mpsc::Sender<Work>,
}

impl Session {
    /// Starts the thread, on which `begin` takes over.
    pub(super) async fn start(begin: impl FnOnce() -> Result<Publishing, EngineError> + Send + 'static) -> Result<Self, EngineError> {
        let (begun, has_begun) = oneshot::channel();
        let (work, orders) = mpsc::channel::<Work>();
        let thread = std::thread::Builder::new().name("kafka-publisher".into()).spawn(move || match begin() {
            Err(error) => _ = begun.send(Err(error)),
            Ok(mut publishing) => {
                if begun.send(Ok(())).is_ok() {
                    orders.iter().for_each(|order| order(&mut publishing));
                }
            }
        });
        thread.map_err(|error| EngineError::new(ErrorKind::Retry, format!("start a thread that publishes: {error}")))?;
        answer_of(has_begun).await?;
        Ok(Self { work })
    }

    async fn ask<T: Send + 'static>(
        &self,
        of: impl FnOnce(&mut Publishing) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (answer, answered) = oneshot::channel();
        let order: Work = Box::new(move |publishing| _ = answer.send(of(publishing)));
        self.work.send(order).map_err(|_| gone())?;
        answer_of(answered).await
    }
}

/// What a thread answers that waits for the cluster.
pub(super) async fn answer_of<T>(answered: oneshot::Receiver<Result<T, EngineError>>) -> Result<T, EngineError> {
    answered.await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> EngineError {
    EngineError::new(ErrorKind::Bug, "a thread that waits for the Kafka cluster has ended")
}

impl OutboxSession for Session {
    fn marker<'a>(&'a mut self, key: &'a MarkerKey) -> BoxFuture<'a, Result<Option<Marker>, EngineError>> {
        let key = key.clone();
        self.ask(move |publishing| Ok(publishing.marker(&key))).boxed()
    }

    fn set_marker<'a>(&'a mut self, key: &'a MarkerKey, marker: &'a Marker) -> BoxFuture<'a, Result<(), EngineError>> {
        let (key, marker) = (key.clone(), marker.clone());
        self.ask(move |publishing| publishing.transact(None, key, marker)).boxed()
    }

    fn publish<'a>(
        &'a mut self,
        key: &'a MarkerKey,
        records: &'a RecordBatch,
        marker: &'a Marker,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        let (key, records, marker) = (key.clone(), records.clone(), marker.clone());
        self.ask(move |publishing| publishing.transact(Some(records), key, marker)).boxed()
    }
}
