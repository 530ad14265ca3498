//! How much state a subtask may keep: its own limit, or its part of what all subtasks without one may keep together.
//!
//! State that is there already is never refused: a restore may bring more than the limit of today allows, and a job whose limit was lowered
//! must be able to go on with less. What is refused is growth beyond it.

use crate::error::{EngineError, ErrorKind};
use crate::metrics::VertexMetrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The hint of every refusal.
const HINT: &str = "let the operator keep less (fewer keys, shorter values), spread its keys over more subtasks, or raise limits.state-bytes of the \
                    operator: a job may be resumed with another limit";

/// What the subtasks of a job that have no limit of their own may keep together.
#[derive(Debug)]
pub struct StatePool {
    limit: u64,
    used: AtomicU64,
}

impl StatePool {
    /// A pool of `limit` bytes; `None`: without end.
    pub fn new(limit: Option<u64>) -> Arc<Self> {
        Arc::new(Self { limit: limit.unwrap_or(u64::MAX), used: AtomicU64::new(0) })
    }
}

/// One subtask's state as far as it counts, keyed and broadcast together.
#[derive(Debug)]
pub struct StateAllowance {
    /// `operator "x" subtask 0`
    place: String,
    /// The subtask's own limit; without one it shares the pool.
    own: Option<u64>,
    pool: Arc<StatePool>,
    /// Bytes that it kept by key when they were last noted.
    keyed: AtomicU64,
    /// Bytes of broadcast state that it kept when they were last noted.
    broadcast: AtomicU64,
    /// Windows that are open, as they are shown: nothing limits them here.
    open_windows: AtomicU64,
    metrics: Arc<VertexMetrics>,
}

impl StateAllowance {
    /// For a subtask that keeps nothing yet.
    pub fn new(place: String, own: Option<u64>, pool: Arc<StatePool>, metrics: Arc<VertexMetrics>) -> Arc<Self> {
        let [keyed, broadcast, open_windows] = [0; 3].map(AtomicU64::new);
        Arc::new(Self { place, own, pool, keyed, broadcast, open_windows, metrics })
    }

    /// Refuses growth from `bytes`, which the subtask keeps now, to `grown` where that is more than it may keep.
    pub fn check(&self, bytes: u64, grown: u64) -> Result<(), EngineError> {
        if grown <= bytes {
            return Ok(());
        }
        let refuse = |what: String| Err(EngineError::new(ErrorKind::FixInput, format!("{}: {what}", self.place)).with_hint(HINT));
        if let Some(limit) = self.own {
            return if grown <= limit {
                Ok(())
            } else {
                refuse(format!("its state would have {grown} bytes, and {limit} are the most (limits.state-bytes)"))
            };
        }
        let others = self.pool.used.load(Relaxed).saturating_sub(self.kept());
        let (all, limit) = (others.saturating_add(grown), self.pool.limit);
        if all <= limit {
            return Ok(());
        }
        refuse(format!(
            "its state would have {grown} bytes, and all operators' together {all}: {limit} are the most, half of the memory that there is \
             (limits.state-bytes is a limit of its own)"
        ))
    }

    /// What it kept by key when that was last noted.
    pub fn keyed(&self) -> u64 {
        self.keyed.load(Relaxed)
    }

    fn kept(&self) -> u64 {
        self.keyed() + self.broadcast.load(Relaxed)
    }

    /// Notes what the subtask keeps now. Only its own task does, so nothing comes between the two.
    pub fn note(&self, keyed: u64, broadcast: u64) {
        let (before, bytes) = (self.kept(), keyed + broadcast);
        self.keyed.store(keyed, Relaxed);
        self.broadcast.store(broadcast, Relaxed);
        if before == bytes {
            return;
        }
        self.metrics.state_bytes.change(before, bytes);
        if self.own.is_none() {
            self.pool.used.fetch_add(bytes.wrapping_sub(before), Relaxed);
        }
    }

    /// Notes how many windows are open at the subtask now.
    pub(crate) fn note_open_windows(&self, open: u64) {
        self.metrics.open_windows.change(self.open_windows.swap(open, Relaxed), open);
    }

    /// Notes what the subtask keeps now, and refuses what has grown beyond its limit since it was last noted: for operators that change state
    /// without asking first.
    pub(crate) fn settle(&self, keyed: u64, broadcast: u64) -> Result<(), EngineError> {
        let checked = self.check(self.kept(), keyed + broadcast);
        self.note(keyed, broadcast);
        checked
    }
}

impl Drop for StateAllowance {
    /// What the subtask kept is free again; the counter goes on to show it, until the next attempt begins.
    fn drop(&mut self) {
        if self.own.is_none() {
            self.pool.used.fetch_sub(self.kept(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(own: Option<u64>, pool: &Arc<StatePool>) -> (Arc<StateAllowance>, Arc<VertexMetrics>) {
        let metrics = Arc::<VertexMetrics>::default();
        (StateAllowance::new("operator \"o\" subtask 1".into(), own, pool.clone(), metrics.clone()), metrics)
    }

    #[test]
    fn growth_beyond_the_subtasks_own_limit_is_refused_by_name_and_what_does_not_grow_never_is() {
        let (allowance, metrics) = allowance(Some(100), &StatePool::new(Some(10)));
        allowance.settle(100, 0).unwrap();
        let error = allowance.check(100, 101).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FixInput);
        assert!(error.to_string().starts_with("operator \"o\" subtask 1: its state would have 101 bytes, and 100 are the most"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("limits.state-bytes")));
        // A restore brought more.
        allowance.note(100, 50);
        assert_eq!(metrics.state_bytes.get(), 150);
        allowance.settle(150, 0).unwrap();
        allowance.settle(140, 0).unwrap();
        [3, 5, 2].into_iter().for_each(|open| allowance.note_open_windows(open));
        assert_eq!(metrics.open_windows.get(), 2);
        assert!(allowance.settle(141, 0).is_err());
    }

    #[test]
    fn subtasks_without_a_limit_share_the_pool_and_give_it_back() {
        let pool = StatePool::new(Some(100));
        let ((one, metrics), (other, _), (own, _)) = (allowance(None, &pool), allowance(None, &pool), allowance(Some(1_000), &pool));
        own.settle(900, 0).unwrap();
        one.settle(70, 0).unwrap();
        other.settle(30, 0).unwrap();
        let error = other.check(30, 31).unwrap_err().to_string();
        assert!(error.contains("would have 31 bytes, and all operators' together 101: 100 are the most"), "{error}");
        drop(one);
        assert_eq!(metrics.state_bytes.get(), 70);
        other.settle(100, 0).unwrap();
        assert!(other.settle(101, 0).is_err());
    }

    #[test]
    fn without_limits_state_grows_as_it_likes_and_is_counted() {
        let (allowance, metrics) = allowance(None, &StatePool::new(None));
        allowance.settle(1 << 50, 0).unwrap();
        assert_eq!(metrics.state_bytes.get(), 1 << 50);
    }
}
