//! How long a task works before it lets the others on its thread have their turn.
//!
//! Letting them costs a wake of a parked thread, microseconds for every batch, so a task goes on stepping for as long as its clock's
//! [`Clock::turn`] says. A task that has to wait gives its turn up by waiting. Others wait for a turn and one step more at most.
//! What the task is at is accounted for here as well: it is busy from its turn's begin until it waits.

use crate::metrics::{Occupation, Occupations, Occupied};
use crate::runtime::{Clock, Monotonic, yield_now};
use std::sync::Arc;
use std::task::Poll;

/// Steps of a turn at most, however short they are.
const STEPS: usize = 32;

/// One task's turn.
pub(super) struct Turn {
    clock: Arc<dyn Clock>,
    /// When the turn began, and the steps made since.
    under_way: Option<(Monotonic, usize)>,
    occupied: Occupied,
}

impl Turn {
    /// No turn has begun; what it is at is told to `occupations`.
    pub fn new(clock: Arc<dyn Clock>, occupations: Arc<Occupations>) -> Self {
        Self { under_way: None, occupied: Occupied::begin(occupations, clock.clone()), clock }
    }

    /// Begins a turn where none is under way, polls for the next step, and ends the turn where the task has to wait for one; `poll_step` says at what it is then.
    pub fn poll<T>(&mut self, poll_step: impl FnOnce() -> (Poll<T>, Occupation)) -> Poll<T> {
        if self.under_way.is_none() {
            self.under_way = Some((self.clock.now(), 0));
            self.occupied.turn_to(Occupation::Busy);
        }
        let (step, waits) = poll_step();
        if step.is_pending() {
            self.under_way = None;
            self.occupied.turn_to(waits);
        }
        step
    }

    /// A step has been made: lets others have their turn where this one is over.
    pub(crate) async fn step_made(&mut self) {
        if self.is_over() {
            self.under_way = None;
            yield_now().await;
        }
    }

    fn is_over(&mut self) -> bool {
        let Some((began, steps)) = &mut self.under_way else { return true };
        *steps += 1;
        *steps >= STEPS || self.clock.now().saturating_sub(*began) >= self.clock.turn()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use std::future::poll_fn;
    use std::sync::Mutex;
    use std::task::{Context, Waker};
    use std::time::Duration;

    /// Moves on when a step is made.
    struct StepClock {
        now: Mutex<Duration>,
        turn: Duration,
    }

    impl Clock for StepClock {
        fn now(&self) -> Monotonic {
            *self.now.lock().unwrap()
        }

        fn wall_ms(&self) -> i64 {
            0
        }

        fn sleep_until(&self, _deadline: Monotonic) -> BoxFuture<'static, ()> {
            std::future::pending().boxed()
        }

        fn turn(&self) -> Duration {
            self.turn
        }
    }

    /// How many steps a task makes each time that it is polled, where a step takes `step_us`, a turn `turn_us`, and the task waits behind every
    /// `waits`th step.
    #[track_caller]
    fn check(turn_us: u64, step_us: u64, waits: usize, expect: &[usize]) {
        let clock = Arc::new(StepClock { now: Mutex::default(), turn: Duration::from_micros(turn_us) });
        let (made, mut turn) = (Mutex::new(0), Turn::new(clock.clone(), Arc::default()));
        let mut task = Box::pin(async {
            loop {
                let mut waited = *made.lock().unwrap() % waits != 0 || *made.lock().unwrap() == 0;
                let mut step = || if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending };
                poll_fn(|_| turn.poll(|| (step(), Occupation::Idle))).await;
                *made.lock().unwrap() += 1;
                *clock.now.lock().unwrap() += Duration::from_micros(step_us);
                turn.step_made().await;
            }
        });
        let mut steps = Vec::new();
        for _ in expect {
            let before = *made.lock().unwrap();
            let _: Poll<()> = task.poll_unpin(&mut Context::from_waker(Waker::noop()));
            steps.push(*made.lock().unwrap() - before);
        }
        assert_eq!(steps, expect, "turns of {turn_us} us, steps of {step_us} us, a wait behind {waits}");
    }

    const NEVER: usize = 1_000;

    #[test]
    fn a_turn_lasts_as_long_as_the_clock_says_and_the_step_that_passes_it() {
        check(1_000, 100, NEVER, &[10, 10, 10]);
        check(1_000, 300, NEVER, &[4, 4, 4]);
        check(1_000, 5_000, NEVER, &[1, 1, 1]);
    }

    #[test]
    fn short_steps_are_counted() {
        check(1_000, 1, NEVER, &[32, 32, 32]);
    }

    #[test]
    fn a_turn_of_no_length_is_one_step() {
        check(0, 0, NEVER, &[1, 1, 1]);
    }

    #[test]
    fn a_task_that_has_waited_begins_a_new_turn() {
        check(1_000, 100, 7, &[7, 7, 7]);
        check(1_000, 100, 15, &[10, 5, 10, 5]);
    }
}
