//! Tasks that are stopped together. An attempt's tasks form one group: when it ends, none of them is left behind to write or commit.

use super::{Lane, Spawn};
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Told of a task's panic: its name and the message.
pub type OnPanic = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// A group of tasks. Clones are the same group.
#[derive(Clone)]
pub struct TaskGroup {
    inner: Arc<Inner>,
}

struct Inner {
    spawn: Arc<dyn Spawn>,
    on_panic: OnPanic,
    members: Mutex<Members>,
    ended: Notify,
}

#[derive(Default)]
struct Members {
    next: u64,
    aborted: bool,
    /// Their names, and how they are stopped.
    running: BTreeMap<u64, (String, AbortHandle)>,
}

/// Takes its task off the list, however the task ends.
struct Member {
    group: Arc<Inner>,
    number: u64,
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut members = self.group.lock();
        members.running.remove(&self.number);
        if members.running.is_empty() {
            self.group.ended.notify_waiters();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl TaskGroup {
    /// An empty group.
    pub fn new(spawn: Arc<dyn Spawn>, on_panic: OnPanic) -> Self {
        Self { inner: Arc::new(Inner { spawn, on_panic, members: Mutex::default(), ended: Notify::new() }) }
    }

    /// Starts a task of the group. Nothing is started once the group has been aborted.
    pub fn spawn(&self, lane: Lane, name: &str, future: BoxFuture<'static, ()>) {
        let (abort, registration) = AbortHandle::new_pair();
        let number = {
            let mut members = self.inner.lock();
            if members.aborted {
                return;
            }
            members.next += 1;
            let number = members.next;
            members.running.insert(number, (name.to_owned(), abort));
            number
        };
        let member = Member { group: self.inner.clone(), number };
        let (on_panic, owned_name) = (self.inner.on_panic.clone(), name.to_owned());
        let guarded = async move {
            // The future is dropped before its entry in the list: who waits for the group waits for its files too.
            let caught = Abortable::new(AssertUnwindSafe(future).catch_unwind(), registration).await;
            if let Ok(Err(panic)) = caught {
                on_panic(&owned_name, &panic_message(&*panic));
            }
            drop(member);
        };
        self.inner.spawn.spawn(lane, name, guarded.boxed());
    }

    /// Stops every task between two of its polls.
    pub fn abort(&self) {
        let running = {
            let mut members = self.inner.lock();
            members.aborted = true;
            members.running.values().map(|(_, abort)| abort.clone()).collect::<Vec<_>>()
        };
        running.iter().for_each(AbortHandle::abort);
    }

    /// The names of the tasks that are left.
    pub fn running(&self) -> Vec<String> {
        self.inner.lock().running.values().map(|(name, _)| name.clone()).collect()
    }

    /// Waits until no task is left.
    pub async fn ended(&self) {
        loop {
            let notified = self.inner.ended.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.inner.lock().running.is_empty() {
                return;
            }
            notified.await;
        }
    }
}

/// What a panic says.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".into())
}
