//! When a source's task looks how far its reader lags behind: a look asks every split, so not with every batch.
//!
//! It looks before anything is read, at every barrier, at the end, and at most a second behind a read. Where nothing is read no timer is set: a subtask
//! that is held up says at its next barrier what has come meanwhile.

use super::timer::Timer;
use crate::metrics::VertexMetrics;
use crate::runtime::{Clock, Monotonic};
use crate::source::{SourceReader, lag};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// From one look to the next, while records are read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Looks at the lag of one subtask.
pub(super) struct LagWatch {
    metrics: Arc<VertexMetrics>,
    /// The subtask.
    index: u32,
    clock: Arc<dyn Clock>,
    timer: Timer,
    /// Not before this time again, unless there is a reason.
    next: Monotonic,
    /// Something has been read since the last look.
    is_stale: bool,
}

impl LagWatch {
    /// That of subtask `index` of the source with these counters.
    pub(super) fn new(metrics: Arc<VertexMetrics>, index: u32, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, index, timer: Timer::new(clock.clone()), clock, next: Monotonic::ZERO, is_stale: false }
    }

    /// Looks now.
    pub(super) fn look(&mut self, reader: &dyn SourceReader) {
        self.metrics.lag.set(self.index, lag(reader));
        self.next = self.clock.now() + LOOK_AGAIN;
        self.is_stale = false;
    }

    /// Something has been read: looks where it is time.
    pub(super) fn on_read(&mut self, reader: &dyn SourceReader) {
        self.is_stale = true;
        if self.clock.now() >= self.next {
            self.look(reader);
        }
    }

    /// Ready where it is time to look at what was read last.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.poll(self.is_stale.then_some(self.next), cx)
    }
}
