//! When a source's task looks how far its reader lags behind, and whether something keeps it from what there is: a look asks of every split, so not with every batch.
//!
//! It looks before anything is read, at every barrier, at the end, and at most a second behind a read. Where nothing is read no timer is set: a subtask
//! that is held up says at its next barrier what has come meanwhile.
//!
//! However much a look costs, it takes a hundredth of the time: behind one that took long the next waits, also at a barrier.

use super::timer::Timer;
use crate::metrics::VertexMetrics;
use crate::runtime::{Clock, Monotonic};
use crate::source::{SourceReader, lag};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// From one look to the next, while records are read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// So many times what a look took passes at least until the next.
const REST: u32 = 100;

/// Looks at the lag of one subtask.
pub(super) struct LagWatch {
    metrics: Arc<VertexMetrics>,
    /// The subtask.
    index: u32,
    clock: Arc<dyn Clock>,
    timer: Timer,
    /// Not before this time again, also at a barrier.
    rested: Monotonic,
    /// Not before this time again, unless there is a reason.
    next: Monotonic,
    /// Something has been read since the last look, or a barrier came too early for one.
    is_stale: bool,
}

impl LagWatch {
    /// That of subtask `index` of the source with these counters.
    pub(super) fn new(metrics: Arc<VertexMetrics>, index: u32, clock: Arc<dyn Clock>) -> Self {
        let (timer, never) = (Timer::new(clock.clone()), Monotonic::ZERO);
        Self { metrics, index, timer, clock, rested: never, next: never, is_stale: false }
    }

    /// Looks now.
    pub(super) fn look(&mut self, reader: &dyn SourceReader) {
        let began = self.clock.now();
        self.metrics.lag.set(self.index, lag(reader));
        self.metrics.trouble.set(self.index, reader.trouble());
        let ended = self.clock.now();
        let rest = ended.saturating_sub(began).saturating_mul(REST);
        self.rested = ended + rest;
        self.next = ended + rest.max(LOOK_AGAIN);
        self.is_stale = false;
    }

    /// Something has been read: looks where it is time.
    pub(super) fn on_read(&mut self, reader: &dyn SourceReader) {
        self.is_stale = true;
        if self.clock.now() >= self.next {
            self.look(reader);
        }
    }

    /// A barrier has come: looks, or as soon as the last look is long enough ago.
    pub(super) fn on_barrier(&mut self, reader: &dyn SourceReader) {
        self.is_stale = true;
        if self.clock.now() >= self.rested {
            self.look(reader);
        }
    }

    /// Ready where it is time to look at what was read last.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.poll(self.is_stale.then_some(self.next), cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::EngineError;
    use crate::source::{ReadStatus, SplitBatch, SplitLag, SplitState};
    use futures_util::future::BoxFuture;
    use std::sync::Mutex;

    /// A clock that is set by hand.
    struct HandClock(Mutex<Duration>);

    impl HandClock {
        fn pass(&self, time: Duration) {
            *self.0.lock().unwrap() += time;
        }
    }

    impl Clock for HandClock {
        fn now(&self) -> Monotonic {
            Monotonic::ZERO + *self.0.lock().unwrap()
        }

        fn wall_ms(&self) -> i64 {
            0
        }

        fn sleep_until(&self, _deadline: Monotonic) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    /// Takes so long to say how far it lags, and counts how often it was asked.
    struct Slow {
        takes: Duration,
        clock: Arc<HandClock>,
        asked: Mutex<u32>,
    }

    impl SourceReader for Slow {
        fn poll_read(&mut self, _: &mut Context<'_>, _: usize, _: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
            Poll::Pending
        }

        fn splits(&self) -> Vec<SplitState> {
            unreachable!("what a look needs is said without them")
        }

        fn lags(&self, _each: &mut dyn FnMut(&str, Option<SplitLag>)) {
            self.clock.pass(self.takes);
            *self.asked.lock().unwrap() += 1;
        }
    }

    /// How often it is looked where a barrier and a read come every 10 ms for 10 s.
    fn looks_where_one_takes(takes: Duration) -> u32 {
        let clock = Arc::new(HandClock(Mutex::default()));
        let slow = Slow { takes, clock: clock.clone(), asked: Mutex::default() };
        let mut watch = LagWatch::new(Arc::default(), 0, clock.clone());
        watch.look(&slow);
        for _ in 0..1_000 {
            clock.pass(Duration::from_millis(10));
            watch.on_barrier(&slow);
            watch.on_read(&slow);
        }
        *slow.asked.lock().unwrap()
    }

    #[test]
    fn a_look_takes_a_hundredth_of_the_time_at_barriers_too() {
        assert_eq!(looks_where_one_takes(Duration::ZERO), 1_001, "at every barrier");
        let looks = looks_where_one_takes(Duration::from_millis(1));
        assert!((90..=101).contains(&looks), "{looks} looks of a millisecond in ten seconds");
        assert!(looks_where_one_takes(Duration::from_millis(50)) <= 3);
    }

    #[test]
    fn what_a_barrier_came_too_early_for_is_looked_at_when_it_is_time() {
        let clock = Arc::new(HandClock(Mutex::default()));
        let slow = Slow { takes: Duration::from_millis(50), clock: clock.clone(), asked: Mutex::default() };
        let mut watch = LagWatch::new(Arc::default(), 0, clock.clone());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        watch.look(&slow);
        clock.pass(Duration::from_secs(6));
        assert!(watch.poll(&mut cx).is_pending(), "nothing has come");
        watch.look(&slow);
        watch.on_barrier(&slow);
        assert_eq!((*slow.asked.lock().unwrap(), watch.poll(&mut cx).is_pending()), (2, true));
        clock.pass(Duration::from_secs(5));
        assert!(watch.poll(&mut cx).is_ready());
    }
}
