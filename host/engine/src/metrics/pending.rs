//! What waits for its time at an operator: timers that are set, and windows that are open, as of each subtask's last barrier.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What waits at one subtask, or at all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Timers that are set.
    pub timers: u64,
    /// No timer is due before, ms by the time that it goes by; `None`: none is set.
    pub oldest_timer: Option<i64>,
    /// No window that waits for a time is complete, or closed, before, ms; `None`: none does.
    pub oldest_window: Option<i64>,
}

/// What waits at each subtask of a vertex.
#[derive(Debug, Default)]
pub struct SubtaskPending(Mutex<BTreeMap<u32, Pending>>);

impl SubtaskPending {
    /// So much waits at subtask `index` now.
    pub fn set(&self, index: u32, pending: Pending) {
        self.lock().insert(index, pending);
    }

    /// Other subtasks will have theirs.
    pub(crate) fn reset(&self) {
        self.lock().clear();
    }

    /// What waits at all of them.
    pub fn get(&self) -> Pending {
        let earlier = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        self.lock().values().fold(Pending::default(), |all, one| Pending {
            timers: all.timers + one.timers,
            oldest_timer: earlier(all.oldest_timer, one.oldest_timer),
            oldest_window: earlier(all.oldest_window, one.oldest_window),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_of_all_subtasks_count_and_the_oldest_of_all_is_the_oldest() {
        let pending = SubtaskPending::default();
        pending.set(0, Pending { timers: 7, oldest_timer: Some(50), oldest_window: None });
        pending.set(1, Pending { timers: 2, oldest_timer: Some(-3), oldest_window: Some(9) });
        pending.set(0, Pending { timers: 1, oldest_timer: None, oldest_window: Some(4) });
        assert_eq!(pending.get(), Pending { timers: 3, oldest_timer: Some(-3), oldest_window: Some(4) });
        pending.reset();
        assert_eq!(pending.get(), Pending::default());
    }
}
