//! How long an answer of the server is waited for. A server that is stopped while its connections stand says nothing, and the kernel of its machine goes on
//! answering for it: no keepalive tells that.

use futures_util::future::{Either, select};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use weir_engine::runtime::Clock;

/// Whoever waits for one connection. Clones wait for the same.
#[derive(Clone)]
pub(super) struct Patience {
    clock: Arc<dyn Clock>,
    limit: Duration,
    /// How often something was heard, or taken.
    heard: Arc<AtomicU64>,
}

impl Patience {
    /// For so long at most.
    pub(super) fn new(clock: Arc<dyn Clock>, limit: Duration) -> Self {
        Self { clock, limit, heard: Arc::default() }
    }

    /// How long that is.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// The same for so long.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The server has answered, or has taken a piece of what it is sent.
    pub(super) fn heard(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    /// What `asked`, which may be many questions, comes to. `None`: the server has not answered one of them for the whole time, and for twice that at most.
    pub(super) async fn wait<T>(&self, asked: impl Future<Output = T>) -> Option<T> {
        let mut asked = pin!(asked);
        let mut seen = self.heard.load(Ordering::Relaxed);
        loop {
            let late = self.clock.sleep_until(self.clock.now().saturating_add(self.limit));
            match select(asked.as_mut(), late).await {
                Either::Left((answer, _)) => return Some(answer),
                Either::Right(_) => {
                    let heard = self.heard.load(Ordering::Relaxed);
                    if heard == seen {
                        return None;
                    }
                    seen = heard;
                }
            }
        }
    }
}
