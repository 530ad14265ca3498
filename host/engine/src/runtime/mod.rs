//! Threads, time and chance as the engine sees them. Nothing else in the engine asks the operating system for any of them,
//! so that the same code runs on threads in production and on one seeded thread in simulation.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

mod connector_io;
#[cfg(any(test, feature = "testing"))]
mod simulated;
mod task_group;
mod threads;

pub use connector_io::ConnectorIo;
#[cfg(any(test, feature = "testing"))]
pub use simulated::{SimulatedProcess, SimulationEnd, Simulator};
pub use task_group::TaskGroup;
pub(crate) use task_group::panic_message;
pub use threads::{DATA_STACK_BYTES, ThreadRuntime};

/// Where a future runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Subtasks: these threads may be busy in a guest for as long as its deadline allows.
    Data,
    /// Coordinator, uploads, commits, connectors' I/O: never behind a guest, and it must not block.
    Control,
    /// What may sit in the operating system for long: a thread of its own, with sockets and timers behind it.
    Blocking,
}

/// Time since some fixed moment of the process; only differences mean anything.
pub type Monotonic = Duration;

/// Starts tasks. Who has to stop them again starts them through a [`TaskGroup`].
pub trait Spawn: Send + Sync {
    /// Starts `future` on `lane`.
    fn spawn(&self, lane: Lane, name: &str, future: BoxFuture<'static, ()>);
}

/// Tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// Time for measuring; never goes back.
    fn now(&self) -> Monotonic;
    /// Milliseconds since the Unix epoch.
    fn wall_ms(&self) -> i64;
    /// Resolves at `deadline` or soon after.
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()>;
    /// How long a task works on before it lets others on its thread have a turn. None at all is one step: the grain of a simulation.
    fn turn(&self) -> Duration {
        Duration::ZERO
    }
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

impl Runtime {
    /// Runs what may block for long where nobody waits behind it. `None`: it panicked.
    pub async fn aside<T: Send + 'static>(&self, name: &str, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        let work = async move {
            let result = work.await;
            yield_now().await;
            _ = done.send(result);
        };
        self.spawn.spawn(Lane::Blocking, name, work.boxed());
        result.await.ok()
    }
}

/// Gives other tasks a turn, once.
pub(crate) async fn yield_now() {
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
