//! The clock as an operator is told it: it never runs backwards, also not across a restore.

use super::millis;
use crate::runtime::Monotonic;

/// What an operator's subtask has been told of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessingTime {
    /// What a checkpoint said had been told, and when this process began to go on from there.
    floor: Option<Floor>,
    told: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Floor {
    at: i64,
    since: Monotonic,
}

impl ProcessingTime {
    /// One that goes on from what a checkpoint has: by elapsed time, where the clock is behind it.
    pub fn restored(floor: Option<i64>, now: Monotonic) -> Self {
        Self { floor: floor.map(|at| Floor { at, since: now }), told: None }
    }

    /// What is told now.
    pub fn tell(&mut self, wall_ms: i64, now: Monotonic) -> i64 {
        let time = self.now(wall_ms, now);
        self.told = Some(time);
        time
    }

    /// What would be told now.
    pub fn now(&self, wall_ms: i64, now: Monotonic) -> i64 {
        let by_floor = self.floor.map(|floor| floor.at.saturating_add(millis(now.saturating_sub(floor.since))));
        wall_ms.max(by_floor.unwrap_or(wall_ms)).max(self.told.unwrap_or(wall_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(ms: u64) -> Monotonic {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_follows_the_clock_and_never_runs_backwards() {
        let mut time = ProcessingTime::default();
        assert_eq!([time.tell(100, at(0)), time.tell(90, at(1)), time.tell(105, at(2))], [100, 100, 105]);
    }

    #[test]
    fn behind_a_floor_it_goes_on_from_there_by_elapsed_time() {
        let mut time = ProcessingTime::restored(Some(1_000), at(50));
        assert_eq!([time.tell(100, at(50)), time.tell(100, at(57)), time.tell(2_000, at(60))], [1_000, 1_007, 2_000]);
    }
}
