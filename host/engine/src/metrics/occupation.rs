//! What a task does with its time: it works, it waits for something to do, or it waits for room downstream.
//!
//! Whatever is neither of the two waits is work, also what a task that has something to do waits for its thread. So a vertex whose tasks are always at work and never wait for
//! room is the one that holds the job back.

use crate::runtime::{Clock, Monotonic};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a task is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupation {
    /// It works.
    Busy,
    /// There is nothing to do.
    Idle,
    /// There is no room for what it would send, or a sink takes nothing.
    Backpressured,
}

/// How long a task was at what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeSpent {
    /// At work.
    pub busy: Duration,
    /// With nothing to do.
    pub idle: Duration,
    /// Without room downstream.
    pub backpressured: Duration,
}

impl TimeSpent {
    fn add(&mut self, at: Occupation, time: Duration) {
        match at {
            Occupation::Busy => self.busy += time,
            Occupation::Idle => self.idle += time,
            Occupation::Backpressured => self.backpressured += time,
        }
    }
}

/// The times of one subtask's task, over all attempts of the process. What is under way counts up to when it is asked.
#[derive(Debug, Default)]
pub struct Occupations(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    spent: TimeSpent,
    /// What it is at, and since when; `None`: no task is running.
    under_way: Option<(Occupation, Monotonic)>,
    begun: bool,
}

impl Occupations {
    /// How long it was at what, up to `now`. It never falls. `None`: no task has begun, because it is not the first vertex of one.
    pub fn spent(&self, now: Monotonic) -> Option<TimeSpent> {
        let account = self.lock();
        let mut spent = account.spent;
        if let Some((at, since)) = account.under_way {
            spent.add(at, now.saturating_sub(since));
        }
        account.begun.then_some(spent)
    }

    fn turn_to(&self, at: Option<Occupation>, now: Monotonic) {
        let mut account = self.lock();
        if let Some((before, since)) = account.under_way {
            account.spent.add(before, now.saturating_sub(since));
        }
        // Time that has been told is not taken back where `now` was read before it.
        let since = account.under_way.map_or(now, |(_, since)| since.max(now));
        account.under_way = at.map(|at| (at, since));
        account.begun = true;
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that says what it is at; where it is gone, no time counts.
pub(crate) struct Occupied {
    occupations: Arc<Occupations>,
    clock: Arc<dyn Clock>,
    at: Occupation,
}

impl Occupied {
    /// A task that begins with work.
    pub fn begin(occupations: Arc<Occupations>, clock: Arc<dyn Clock>) -> Self {
        occupations.turn_to(Some(Occupation::Busy), clock.now());
        Self { occupations, clock, at: Occupation::Busy }
    }

    /// From now on it is at something else, or at the same.
    pub fn turn_to(&mut self, at: Occupation) {
        if self.at != at {
            self.at = at;
            self.occupations.turn_to(Some(at), self.clock.now());
        }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.occupations.turn_to(None, self.clock.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    #[derive(Default)]
    struct SetClock(Mutex<Duration>);

    impl SetClock {
        fn set(&self, seconds: u64) {
            *self.0.lock().unwrap() = Duration::from_secs(seconds);
        }
    }

    impl Clock for SetClock {
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

    fn spent(occupations: &Occupations, at_s: u64) -> [u64; 3] {
        let TimeSpent { busy, idle, backpressured } = occupations.spent(Duration::from_secs(at_s)).expect("a task has begun");
        [busy, idle, backpressured].map(|time| time.as_secs())
    }

    #[test]
    fn each_second_counts_once_and_none_between_two_attempts() {
        let (occupations, clock) = (Arc::<Occupations>::default(), Arc::<SetClock>::default());
        assert_eq!(occupations.spent(Duration::from_secs(9)), None, "there is no task");
        clock.set(10);
        let mut task = Occupied::begin(occupations.clone(), clock.clone());
        clock.set(11);
        task.turn_to(Occupation::Idle);
        assert_eq!(spent(&occupations, 14), [1, 3, 0], "what is under way counts");
        clock.set(15);
        task.turn_to(Occupation::Idle);
        clock.set(16);
        task.turn_to(Occupation::Backpressured);
        clock.set(18);
        task.turn_to(Occupation::Busy);
        clock.set(21);
        drop(task);
        assert_eq!(spent(&occupations, 100), [4, 5, 2]);
        clock.set(200);
        let _next = Occupied::begin(occupations.clone(), clock.clone());
        assert_eq!(spent(&occupations, 201), [5, 5, 2]);
    }
}
