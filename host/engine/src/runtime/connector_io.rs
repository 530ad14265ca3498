//! What a connector is given for its I/O: tasks beside the one that polls it, and the time.

use super::{Clock, Lane, Runtime, TaskGroup};
use futures_util::future::BoxFuture;
use std::sync::Arc;

type Start = dyn Fn(&str, BoxFuture<'static, ()>) + Send + Sync;

/// Where a connector's I/O runs: on threads that drive sockets and timers and are never behind a guest.
#[derive(Clone)]
pub struct ConnectorIo {
    start: Arc<Start>,
    clock: Arc<dyn Clock>,
}

impl ConnectorIo {
    /// For a connector of an attempt: what it starts ends with the attempt.
    pub fn of_attempt(group: TaskGroup, clock: Arc<dyn Clock>) -> Self {
        Self { start: Arc::new(move |name, future| group.spawn(Lane::Control, name, future)), clock }
    }

    /// For a connector outside of a running job: what it starts ends by itself.
    pub fn of(runtime: &Runtime) -> Self {
        let spawn = runtime.spawn.clone();
        Self { start: Arc::new(move |name, future| spawn.spawn(Lane::Control, name, future)), clock: runtime.clock.clone() }
    }

    /// Runs `future` beside the connector. It must not block.
    pub fn spawn(&self, name: &str, future: BoxFuture<'static, ()>) {
        (self.start)(name, future);
    }

    /// Tells the time and waits for it.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}
