//! Threads, time and chance as the engine sees them. Nothing else in the engine asks the operating system for any of them,
//! so that the same code runs on threads in production and on one seeded thread in simulation.

use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

mod simulated;
mod threads;

pub use simulated::{SimulationEnd, Simulator};
pub use threads::ThreadRuntime;

/// Where a future runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Subtasks: these threads may be busy in a guest for as long as its deadline allows.
    Data,
    /// Coordinator, uploads, commits: never behind a guest.
    Control,
}

/// Time since some fixed moment of the process; only differences mean anything.
pub type Monotonic = Duration;

/// Starts tasks.
pub trait Spawn: Send + Sync {
    /// Starts `future` on `lane`. Dropping the handle leaves it running.
    fn spawn(&self, lane: Lane, name: &str, future: BoxFuture<'static, ()>) -> TaskHandle;
}

/// A started task.
pub struct TaskHandle {
    /// Stops the task: its future is dropped between two polls.
    pub(crate) abort: Box<dyn Fn() + Send + Sync>,
    /// Resolves when the future has finished, panicked or been dropped.
    pub(crate) done: BoxFuture<'static, TaskEnd>,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// It returned.
    Finished,
    /// It was stopped.
    Aborted,
    /// It panicked, with this message.
    Panicked(String),
}

impl TaskHandle {
    /// Asks the task to stop. It may be in the middle of a poll; wait with [`TaskHandle::ended`].
    pub fn abort(&self) {
        (self.abort)();
    }

    /// Waits until the task's future is gone.
    pub async fn ended(self) -> TaskEnd {
        self.done.await
    }
}

/// Tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// Time for measuring; never goes back.
    fn now(&self) -> Monotonic;
    /// ms since the Unix epoch.
    fn wall_ms(&self) -> i64;
    /// Resolves at `deadline` or soon after.
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()>;
}

/// The three together, with a source of seeds.
#[derive(Clone)]
pub struct Runtime {
    /// Starts tasks.
    pub spawn: Arc<dyn Spawn>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives a fresh seed: nonces, jitter.
    pub seed: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Gives other tasks a turn, once.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return std::task::Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
