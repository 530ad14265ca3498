//! The production runtime: two tokio runtimes, one for subtasks and one for everything that must not wait behind a guest.

use super::{Clock, Lane, Monotonic, Runtime, Spawn};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::{Builder, Handle};

/// Threads for uploads and coordination. They mostly wait; a few may sit in `fsync`.
const CONTROL_THREADS: usize = 4;

/// The stack of each thread for subtasks, whatever the environment says: what runs on it, a guest's calls among it, is bounded by this.
pub const DATA_STACK_BYTES: usize = 2 << 20;

/// A task's turn: long against the microseconds that handing the thread over costs, short against everything that may wait for it.
const TURN: Duration = Duration::from_millis(1);

/// Owns both tokio runtimes.
pub struct ThreadRuntime {
    data: tokio::runtime::Runtime,
    control: tokio::runtime::Runtime,
}

impl ThreadRuntime {
    /// Starts `data_threads` threads for subtasks, and the control threads.
    pub fn new(data_threads: usize) -> std::io::Result<Self> {
        let mut data = Builder::new_multi_thread();
        data.worker_threads(data_threads.max(1)).thread_name("weir-data").thread_stack_size(DATA_STACK_BYTES);
        let data = data.enable_time().build()?;
        let control = Builder::new_multi_thread().worker_threads(CONTROL_THREADS).thread_name("weir-control").enable_all().build()?;
        Ok(Self { data, control })
    }

    /// The traits over these threads.
    pub fn runtime(&self) -> Runtime {
        let threads = Arc::new(Threads { data: self.data.handle().clone(), control: self.control.handle().clone(), started: started() });
        Runtime { spawn: threads.clone(), clock: threads, seed: Arc::new(fresh_seed) }
    }

    /// The threads that are never behind a guest: where a client's connections are driven.
    pub fn control(&self) -> &Handle {
        self.control.handle()
    }

    /// Runs `future` on the calling thread with the control runtime behind it.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.control.block_on(future)
    }

    /// Stops both runtimes without waiting for what still runs.
    pub fn shutdown(self) {
        self.data.shutdown_background();
        self.control.shutdown_background();
    }
}

#[expect(clippy::disallowed_methods, reason = "this file is where the ambient clock comes in")]
fn started() -> Instant {
    Instant::now()
}

/// A seed that differs between processes and calls.
#[expect(clippy::disallowed_methods, reason = "this file is where ambient chance comes in")]
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos()));
    hasher.finish()
}

struct Threads {
    data: Handle,
    control: Handle,
    started: Instant,
}

impl Spawn for Threads {
    #[expect(clippy::disallowed_methods, reason = "this file is what the Spawn trait stands for")]
    fn spawn(&self, lane: Lane, _name: &str, future: BoxFuture<'static, ()>) {
        // Detached: a TaskGroup knows when it has ended.
        match lane {
            Lane::Data => drop(self.data.spawn(future)),
            Lane::Control => drop(self.control.spawn(future)),
            Lane::Blocking => {
                let control = self.control.clone();
                drop(self.control.spawn_blocking(move || control.block_on(future)));
            }
        }
    }
}

impl Clock for Threads {
    fn now(&self) -> Monotonic {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this file is where the ambient clock comes in")]
    fn wall_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }

    #[expect(clippy::disallowed_methods, reason = "this file is what the Clock trait stands for")]
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        match self.started.checked_add(deadline) {
            // The timer belongs to whichever of the two runtimes polls it: both drive time.
            Some(deadline) => async move { tokio::time::sleep_until(deadline.into()).await }.boxed(),
            // Later than the operating system can tell: never.
            None => std::future::pending().boxed(),
        }
    }

    fn turn(&self) -> Duration {
        TURN
    }
}
