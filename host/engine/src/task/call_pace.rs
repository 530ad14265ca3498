//! Keeps calls of slow operators short: between two calls a task takes barriers and hears the coordinator, within one it does not.
//!
//! A batch may be cut anywhere without changing what its records do, so a task whose records take long works it off in parts. How long they take it
//! learns in small steps: the first call has one record, and each call a few times as many as the one before at most, or a batch of a thousand
//! records that take a second each would be one call before anybody knew. Time that a call waits for its state does not count: fewer records do not
//! make it shorter.

use crate::element::RecordBatch;
use crate::runtime::{Clock, Monotonic};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// A call should take no longer than this.
const CALL: Duration = Duration::from_millis(10);

/// A call has so many times as many records as the one before, at most.
const GROWTH: usize = 4;

/// How long one task's records take.
#[derive(Debug)]
pub(super) struct CallPace {
    /// Mean time of a record, the last calls counting most.
    record_ns: f64,
    /// Records of the next call at most, however quick they seem.
    tried: usize,
}

impl Default for CallPace {
    fn default() -> Self {
        Self { record_ns: 0.0, tried: 1 }
    }
}

impl CallPace {
    /// Records that the next call should work off at most.
    pub fn records(&self) -> usize {
        let in_time = (CALL.as_nanos() as f64 / self.record_ns.max(1.0)).max(1.0) as usize;
        in_time.min(self.tried)
    }

    /// The part of `batch` that the next call should work off, and what is left of it.
    pub fn cut(&self, batch: Arc<RecordBatch>) -> (Arc<RecordBatch>, Option<Arc<RecordBatch>>) {
        let records = self.records();
        if records >= batch.len() {
            return (batch, None);
        }
        (Arc::new(batch.slice(0..records)), Some(Arc::new(batch.slice(records..batch.len()))))
    }

    /// A call with `records` records took from `began` to `ended`.
    pub(crate) fn observe(&mut self, records: usize, began: Monotonic, ended: Monotonic) {
        if records > 0 {
            let record_ns = ended.saturating_sub(began).as_nanos() as f64 / records as f64;
            // The first is all that there is to go by.
            let weight = if self.tried == 1 { 1.0 } else { 0.25 };
            self.record_ns += (record_ns - self.record_ns) * weight;
            self.tried = self.tried.max(records.saturating_mul(GROWTH));
        }
    }
}

/// What a call comes to. How long it had to wait is added to `waited`.
pub(super) async fn waiting<T>(clock: &dyn Clock, waited: &mut Duration, call: impl Future<Output = T>) -> T {
    let (mut call, mut since) = (pin!(call), None);
    poll_fn(|cx| {
        *waited += since.take().map_or(Duration::ZERO, |since| clock.now().saturating_sub(since));
        let polled = call.as_mut().poll(cx);
        since = polled.is_pending().then(|| clock.now());
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::BatchBuilder;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use std::sync::Mutex;
    use std::task::Poll;

    /// Moves on when it is told.
    #[derive(Default)]
    struct HandClock(Mutex<Duration>);

    impl HandClock {
        fn pass(&self, ms: u64) {
            *self.0.lock().unwrap() += Duration::from_millis(ms);
        }
    }

    impl Clock for HandClock {
        fn now(&self) -> Monotonic {
            *self.0.lock().unwrap()
        }

        fn wall_ms(&self) -> i64 {
            0
        }

        fn sleep_until(&self, _deadline: Monotonic) -> BoxFuture<'static, ()> {
            std::future::pending().boxed()
        }
    }

    #[test]
    fn a_call_waits_between_its_polls_and_works_within_them() {
        let (clock, mut waited) = (HandClock::default(), Duration::from_millis(1));
        let mut polls = 0;
        let call = poll_fn(|_| {
            clock.pass(100);
            polls += 1;
            if polls == 3 { Poll::Ready("done") } else { Poll::Pending }
        });
        let mut call = Box::pin(waiting(&clock, &mut waited, call));
        for _ in 0..2 {
            assert_eq!((&mut call).now_or_never(), None);
            clock.pass(7);
        }
        assert_eq!((&mut call).now_or_never(), Some("done"));
        drop(call);
        assert_eq!(waited, Duration::from_millis(15));
    }

    fn batch(records: usize) -> Arc<RecordBatch> {
        let mut builder = BatchBuilder::new();
        (0..records).for_each(|record| builder.push(None, record.to_string().as_bytes(), None));
        Arc::new(builder.finish())
    }

    /// Sizes of the parts of a batch of 1,000 once calls have taken `ms` for 1,000 records.
    fn check(ms: u64, expect: &[usize]) {
        let mut pace = CallPace::default();
        (0..50).for_each(|_| pace.observe(1_000, Duration::ZERO, Duration::from_millis(ms)));
        let (mut sizes, mut rest) = (Vec::new(), Some(batch(1_000)));
        while let Some(batch) = rest {
            let (part, left) = pace.cut(batch);
            sizes.push(part.len());
            rest = left;
        }
        assert_eq!(sizes, expect, "{ms} ms");
    }

    #[test]
    fn slow_records_come_in_parts_and_quick_ones_whole() {
        check(0, &[1_000]);
        check(9, &[1_000]);
        check(25, &[400, 400, 200]);
        check(100, &[100; 10]);
        check(20_000, &[1; 1_000]);
    }

    #[test]
    fn the_first_calls_are_small_until_it_is_known_how_long_a_record_takes() {
        let calls = |record: Duration| {
            let (mut pace, mut sizes, mut rest) = (CallPace::default(), Vec::new(), Some(batch(1_000)));
            while let Some(batch) = rest {
                let (part, left) = pace.cut(batch);
                pace.observe(part.len(), Duration::ZERO, record * part.len() as u32);
                sizes.push(part.len());
                rest = left;
            }
            sizes
        };
        assert_eq!(calls(Duration::ZERO), [1, 4, 16, 64, 256, 659]);
        assert_eq!(calls(Duration::from_millis(500)), [1; 1_000]);
        assert_eq!(calls(Duration::from_millis(2))[..5], [1, 4, 5, 5, 5]);
    }

    #[test]
    fn no_record_is_lost_between_the_parts() {
        let mut pace = CallPace::default();
        pace.observe(3, Duration::ZERO, Duration::from_millis(100));
        let (part, rest) = pace.cut(batch(3));
        let values: Vec<_> = part.values().iter().chain(rest.as_ref().expect("it is cut").values().iter()).map(<[u8]>::to_vec).collect();
        assert_eq!(values, [b"0", b"1", b"2"]);
    }
}
