//! A timer that follows the output's open batches.

use crate::runtime::{Clock, Monotonic};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::task::{Context, Poll};

/// One timer, set anew when the deadline changes.
pub struct Timer {
    clock: Arc<dyn Clock>,
    set: Option<(Monotonic, BoxFuture<'static, ()>)>,
}

impl Timer {
    /// A timer that is not set.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, set: None }
    }

    /// Ready at `deadline`; pending for ever where there is none.
    pub fn poll(&mut self, deadline: Option<Monotonic>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if self.clock.now() >= deadline {
            return Poll::Ready(());
        }
        let sleep = match &mut self.set {
            Some((at, sleep)) if *at == deadline => sleep,
            set => &mut set.insert((deadline, self.clock.sleep_until(deadline))).1,
        };
        let ready = sleep.poll_unpin(cx);
        if ready.is_ready() {
            self.set = None;
        }
        ready
    }
}
