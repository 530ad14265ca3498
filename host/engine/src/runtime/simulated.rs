//! One thread, virtual time, one seed: the executor under which whole jobs are simulated.
//!
//! Which of the ready tasks is polled next is drawn from the seed; time advances only when none is ready. Two runs of one seed
//! make the same choices. A crash is dropping every task after some poll: [`Simulator::crash`]. A process that is stopped and goes on later is
//! one whose tasks are not polled meanwhile: [`Simulator::process`]. A call that takes long is a task that is not: [`Simulator::call_takes`].

use super::{Clock, Lane, Monotonic, Runtime, Spawn};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

/// Wall-clock time at the start of a simulation: 2026-01-01T00:00:00Z.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// How [`Simulator::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimulationEnd {
    /// The watched future finished.
    Finished,
    /// The bound on polls was reached first.
    OutOfPolls,
    /// Nothing is ready, no timer is set, and the watched future has not finished.
    Deadlock,
}

/// The executor. Cheap to clone; clones are the same simulation.
#[derive(Clone)]
pub struct Simulator {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

struct State {
    rng: fastrand::Rng,
    now: Monotonic,
    next_id: u64,
    tasks: BTreeMap<u64, BoxFuture<'static, ()>>,
    /// Tasks of processes that can be stopped.
    owners: BTreeMap<u64, u64>,
    /// Processes that are stopped.
    stopped: BTreeSet<u64>,
    /// Tasks that are inside a call, and until when.
    in_call: BTreeMap<u64, Monotonic>,
    /// The task that was polled last.
    polled: Option<u64>,
    timers: BTreeMap<(Monotonic, u64), Waker>,
    polls: u64,
    /// A running hash of the choices made: equal for equal runs.
    trace: u64,
}

impl State {
    fn runs(&self, id: u64) -> bool {
        let in_call = self.in_call.get(&id).is_some_and(|until| self.now < *until);
        !in_call && !self.is_stopped(id)
    }

    fn is_stopped(&self, id: u64) -> bool {
        !self.stopped.is_empty() && self.owners.get(&id).is_some_and(|process| self.stopped.contains(process))
    }
}

/// A process of a simulation, which can be stopped as by a signal: it finds the world as it is by the time that it goes on.
#[derive(Clone)]
pub struct SimulatedProcess {
    simulator: Simulator,
    number: u64,
}

impl SimulatedProcess {
    /// The runtime traits for what runs in this process.
    pub fn runtime(&self) -> Runtime {
        Runtime { spawn: Arc::new(self.clone()), ..self.simulator.runtime() }
    }

    /// None of its tasks is polled from here on.
    pub fn stop(&self) {
        lock(&self.simulator.inner.state).stopped.insert(self.number);
    }

    /// They are again.
    pub fn go_on(&self) {
        lock(&self.simulator.inner.state).stopped.remove(&self.number);
    }
}

impl Spawn for SimulatedProcess {
    fn spawn(&self, _lane: Lane, _name: &str, future: BoxFuture<'static, ()>) {
        self.simulator.start_in(Some(self.number), future);
    }
}

struct ReadyOnWake {
    id: u64,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

impl Wake for ReadyOnWake {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).insert(self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Simulator {
    /// A simulation with this seed.
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: fastrand::Rng::with_seed(seed),
            now: Monotonic::ZERO,
            next_id: 0,
            tasks: BTreeMap::new(),
            owners: BTreeMap::new(),
            stopped: BTreeSet::new(),
            in_call: BTreeMap::new(),
            polled: None,
            timers: BTreeMap::new(),
            polls: 0,
            trace: seed,
        };
        Self { inner: Arc::new(Inner { state: Mutex::new(state), ready: Arc::default() }) }
    }

    /// The runtime traits over this simulation.
    pub fn runtime(&self) -> Runtime {
        let this = self.clone();
        Runtime {
            spawn: Arc::new(self.clone()),
            clock: Arc::new(self.clone()),
            seed: Arc::new(move || lock(&this.inner.state).rng.u64(..)),
        }
    }

    /// The process with this number.
    pub fn process(&self, number: u64) -> SimulatedProcess {
        SimulatedProcess { simulator: self.clone(), number }
    }

    /// Polls until `watched` finishes or `max_polls` polls have been made.
    pub fn run(&self, watched: BoxFuture<'static, ()>, max_polls: u64) -> SimulationEnd {
        let id = self.start(watched);
        self.run_until(|| !lock(&self.inner.state).tasks.contains_key(&id), max_polls)
    }

    /// Polls what there is until `done` or `max_polls` polls have been made.
    pub fn run_until(&self, mut done: impl FnMut() -> bool, max_polls: u64) -> SimulationEnd {
        for _ in 0..max_polls {
            if done() {
                return SimulationEnd::Finished;
            }
            if !self.step() {
                return SimulationEnd::Deadlock;
            }
        }
        SimulationEnd::OutOfPolls
    }

    /// Drops every task and timer, as a killed process would.
    pub fn crash(&self) {
        // Dropping a future may spawn or wake: take the tasks out first, and drop them without the lock.
        let tasks = std::mem::take(&mut lock(&self.inner.state).tasks);
        drop(tasks);
        let mut state = lock(&self.inner.state);
        state.timers.clear();
        state.in_call.clear();
        drop(state);
        lock(&self.inner.ready).clear();
    }

    /// Number of polls so far.
    pub fn polls(&self) -> u64 {
        lock(&self.inner.state).polls
    }

    /// A number that is equal for equal runs.
    pub fn trace(&self) -> u64 {
        lock(&self.inner.state).trace
    }

    /// A draw below `bound` from the simulation's seed: for injected faults.
    pub fn draw(&self, bound: u64) -> u64 {
        lock(&self.inner.state).rng.u64(..bound)
    }

    /// What the task that is polled is at takes so long: until then nothing else of it happens, and nobody gets rid of it.
    pub fn call_takes(&self, duration: Monotonic) {
        let mut state = lock(&self.inner.state);
        let Some(id) = state.polled else { return };
        let (until, number) = (state.now.saturating_add(duration), state.next_id);
        state.next_id += 1;
        state.in_call.insert(id, until);
        let waker = Waker::from(Arc::new(ReadyOnWake { id, ready: self.inner.ready.clone() }));
        state.timers.insert((until, number), waker);
    }

    fn start(&self, future: BoxFuture<'static, ()>) -> u64 {
        self.start_in(None, future)
    }

    fn start_in(&self, process: Option<u64>, future: BoxFuture<'static, ()>) -> u64 {
        let mut state = lock(&self.inner.state);
        let id = state.next_id;
        state.next_id += 1;
        state.tasks.insert(id, future);
        state.owners.extend(process.map(|process| (id, process)));
        lock(&self.inner.ready).insert(id);
        id
    }

    /// One poll, or one step of time. False where nothing can ever happen again.
    fn step(&self) -> bool {
        let Some((id, mut task)) = self.take_ready() else { return self.advance() };
        let waker = Waker::from(Arc::new(ReadyOnWake { id, ready: self.inner.ready.clone() }));
        // A panic ends the simulation: tasks that may panic are caught by their group.
        if task.poll_unpin(&mut Context::from_waker(&waker)).is_pending() {
            lock(&self.inner.state).tasks.insert(id, task);
        }
        true
    }

    fn take_ready(&self) -> Option<(u64, BoxFuture<'static, ()>)> {
        let mut state = lock(&self.inner.state);
        loop {
            let id = {
                let mut ready = lock(&self.inner.ready);
                let all_run = state.stopped.is_empty() && state.in_call.is_empty();
                let count = if all_run { ready.len() } else { ready.iter().filter(|id| state.runs(**id)).count() };
                if count == 0 {
                    return None;
                }
                let nth = state.rng.usize(..count);
                let id = *ready.iter().filter(|id| state.runs(**id)).nth(nth)?;
                ready.remove(&id);
                id
            };
            if let Some(task) = state.tasks.remove(&id) {
                state.polls += 1;
                state.polled = Some(id);
                state.trace = state.trace.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ id;
                return Some((id, task));
            }
        }
    }

    /// Moves time to the next timer and wakes it.
    fn advance(&self) -> bool {
        let waker = {
            let mut state = lock(&self.inner.state);
            let Some(((at, _), waker)) = state.timers.pop_first() else { return false };
            let now = state.now.max(at);
            state.now = now;
            state.in_call.retain(|_, until| now < *until);
            waker
        };
        waker.wake();
        true
    }
}

impl Spawn for Simulator {
    fn spawn(&self, _lane: Lane, _name: &str, future: BoxFuture<'static, ()>) {
        self.start(future);
    }
}

impl Clock for Simulator {
    fn now(&self) -> Monotonic {
        lock(&self.inner.state).now
    }

    fn wall_ms(&self) -> i64 {
        EPOCH_MS + self.now().as_millis() as i64
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let this = self.clone();
        let mut timer = None;
        poll_fn(move |cx| {
            let mut state = lock(&this.inner.state);
            if let Some(old) = timer.take() {
                state.timers.remove(&old);
            }
            if state.now >= deadline {
                return Poll::Ready(());
            }
            let key = (deadline, state.next_id);
            state.next_id += 1;
            state.timers.insert(key, cx.waker().clone());
            timer = Some(key);
            Poll::Pending
        })
        .boxed()
    }
}

#[cfg(test)]
#[path = "simulated_tests.rs"]
mod tests;
