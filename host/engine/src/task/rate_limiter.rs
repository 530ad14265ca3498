//! `rate`: so many records per second of a whole source, shared by its subtasks.

use crate::runtime::Monotonic;
use std::sync::Mutex;
use std::time::Duration;

/// How far ahead of the pace a source may get that was held up before.
const BURST: Duration = Duration::from_millis(100);

/// Hands out places in time. Shared by the subtasks of one source.
pub struct RateLimiter {
    per_second: f64,
    next: Mutex<Monotonic>,
}

impl RateLimiter {
    /// A limiter that starts now.
    pub fn new(per_second: f64, now: Monotonic) -> Self {
        Self { per_second, next: Mutex::new(now) }
    }

    /// How many records to reserve at once: about 10 ms' worth.
    pub fn batch(&self) -> usize {
        ((self.per_second / 100.0) as usize).clamp(1, 1_024)
    }

    /// Reserves `records` records; they may be emitted from the time returned.
    pub fn reserve(&self, records: usize, now: Monotonic) -> Monotonic {
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let start = (*next).max(now.saturating_sub(BURST));
        *next = start.saturating_add(self.time_of(records));
        start
    }

    /// Gives back what a reservation did not use.
    pub(crate) fn refund(&self, records: usize) {
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *next = next.saturating_sub(self.time_of(records));
    }

    fn time_of(&self, records: usize) -> Duration {
        // A rate may be so small that the next record never comes.
        Duration::try_from_secs_f64(records as f64 / self.per_second).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_subtasks_share_one_pace() {
        let limiter = RateLimiter::new(1_000.0, Duration::ZERO);
        assert_eq!(limiter.batch(), 10);
        let starts: Vec<_> = (0..4).map(|_| limiter.reserve(10, Duration::ZERO).as_millis()).collect();
        assert_eq!(starts, [0, 10, 20, 30]);
        limiter.refund(5);
        assert_eq!(limiter.reserve(1, Duration::ZERO).as_millis(), 35);
    }

    #[test]
    fn lost_time_is_caught_up_for_a_tenth_of_a_second_at_most() {
        let limiter = RateLimiter::new(10.0, Duration::ZERO);
        assert_eq!(limiter.reserve(1, Duration::from_secs(60)), Duration::from_millis(59_900));
    }

    #[test]
    fn a_rate_of_almost_nothing_waits_for_ever() {
        let limiter = RateLimiter::new(1e-300, Duration::ZERO);
        assert_eq!(limiter.reserve(1, Duration::ZERO), Duration::ZERO);
        assert_eq!(limiter.reserve(1, Duration::from_secs(1)), Duration::MAX);
    }
}
