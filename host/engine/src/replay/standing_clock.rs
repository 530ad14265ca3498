//! The clock of a replay: it stands still at one moment, so that two replays see the same. Only whoever waits is given time that passes.

use crate::runtime::{Clock, Monotonic};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// A clock that stands still.
pub(super) struct StandingClock {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// What waiting goes by.
    pub waits: Arc<dyn Clock>,
}

impl Clock for StandingClock {
    fn now(&self) -> Monotonic {
        Duration::ZERO
    }

    fn wall_ms(&self) -> i64 {
        self.at
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        self.waits.sleep_until(self.waits.now().saturating_add(deadline))
    }
}
