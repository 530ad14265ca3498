//! On which completed checkpoint each one under way builds, and what must not be deleted for that.
//!
//! A checkpoint's base is the newest completed one of the attempt at its trigger. The coordinator's side writes it down here before it tells
//! any task of the trigger, and every task asks here, so that all build on the same one, whatever each has heard by the time the barrier
//! reaches it. A task may always write everything instead.
//!
//! Invariant: what a checkpoint under way names is its own, or its base's; its base's objects are kept until it is complete or has failed. A
//! trigger that comes between two of the log writer's deletions has as its base the checkpoint that was the newest completed one at the first of
//! them, or one that was recorded since, so these are kept as well, also where the log holds newer ones.

use crate::element::CheckpointId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The bases of one attempt's checkpoints.
#[derive(Debug, Default)]
pub struct CheckpointBases {
    under_way: Mutex<UnderWay>,
    /// Told when a checkpoint is complete or has failed.
    decided: Notify,
}

#[derive(Debug, Default)]
struct UnderWay {
    completed: Option<CheckpointId>,
    bases: BTreeMap<CheckpointId, Option<CheckpointId>>,
}

/// What checkpoints under way, and the next one, may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectsInUse {
    /// Every object of these completed checkpoints.
    pub bases: BTreeSet<CheckpointId>,
    /// The newest completed checkpoint that is known here: newer ones that the log has may become bases, with every object.
    pub newest_known: Option<CheckpointId>,
    /// What checkpoints from this one on have written.
    pub oldest_under_way: Option<CheckpointId>,
}

impl ObjectsInUse {
    /// True where every object of this completed checkpoint has to stay.
    pub(crate) fn may_be_base(&self, completed: CheckpointId) -> bool {
        self.bases.contains(&completed) || self.newest_known < Some(completed)
    }
}

impl CheckpointBases {
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A checkpoint is about to be triggered.
    pub fn on_triggered(&self, checkpoint_id: CheckpointId) {
        let mut under_way = self.lock();
        let base = under_way.completed;
        under_way.bases.insert(checkpoint_id, base);
    }

    /// The log says that it is complete.
    pub fn on_completed(&self, checkpoint_id: CheckpointId) {
        let mut under_way = self.lock();
        under_way.bases.remove(&checkpoint_id);
        under_way.completed = under_way.completed.max(Some(checkpoint_id));
        drop(under_way);
        self.decided.notify_waiters();
    }

    /// It has failed: it will never be complete.
    pub(crate) fn on_failed(&self, checkpoint_id: CheckpointId) {
        self.lock().bases.remove(&checkpoint_id);
        self.decided.notify_waiters();
    }

    /// The newest completed checkpoint of the attempt.
    pub fn completed(&self) -> Option<CheckpointId> {
        self.lock().completed
    }

    /// Waits until a checkpoint is complete or has failed.
    pub async fn decided(&self, checkpoint_id: CheckpointId) {
        loop {
            let mut decided = pin!(self.decided.notified());
            decided.as_mut().enable();
            if !self.is_under_way(checkpoint_id) {
                return;
            }
            decided.await;
        }
    }

    /// What a checkpoint builds on; `None`: on nothing. Of one that has failed meanwhile it is nobody's concern.
    pub(crate) fn base_of(&self, checkpoint_id: CheckpointId) -> Option<CheckpointId> {
        let under_way = self.lock();
        under_way.bases.get(&checkpoint_id).copied().unwrap_or(under_way.completed)
    }

    /// True from a checkpoint's trigger until it is complete or has failed. Asked by whoever writes for it: that it has failed shows here at once,
    /// also where the task has not come to hear of it.
    pub(crate) fn is_under_way(&self, checkpoint_id: CheckpointId) -> bool {
        self.lock().bases.contains_key(&checkpoint_id)
    }

    /// The oldest of these that is under way.
    pub(crate) fn oldest_under_way(&self, of: Range<CheckpointId>) -> Option<CheckpointId> {
        self.lock().bases.range(of).next().map(|(id, _)| *id)
    }

    /// What must not be deleted now.
    pub(crate) fn in_use(&self) -> ObjectsInUse {
        let under_way = self.lock();
        let bases = under_way.bases.values().copied().chain([under_way.completed]).flatten().collect();
        ObjectsInUse { bases, newest_known: under_way.completed, oldest_under_way: under_way.bases.keys().next().copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl CheckpointBases {
        /// `t3`: checkpoint 3 is triggered, `c3`: it is complete, `f3`: it has failed.
        pub(crate) fn after(events: &str) -> Self {
            let bases = Self::default();
            for event in events.split_whitespace() {
                let checkpoint_id = CheckpointId(event[1..].parse().unwrap());
                match &event[..1] {
                    "t" => bases.on_triggered(checkpoint_id),
                    "c" => bases.on_completed(checkpoint_id),
                    _ => bases.on_failed(checkpoint_id),
                }
            }
            bases
        }
    }

    /// After these events the bases in use and the oldest checkpoint under way.
    #[track_caller]
    fn check(events: &str, expect: (&[u64], Option<u64>)) -> CheckpointBases {
        let bases = CheckpointBases::after(events);
        let in_use = bases.in_use();
        assert_eq!((in_use.bases.iter().map(|id| id.0).collect(), in_use.oldest_under_way.map(|id| id.0)), (expect.0.to_vec(), expect.1));
        bases
    }

    #[test]
    fn a_base_is_in_use_until_the_last_that_builds_on_it_is_over() {
        check("", (&[], None));
        check("t1 t2", (&[], Some(1)));
        check("t1 c1 t2 t3 c2", (&[1, 2], Some(3)));
        check("t1 c1 t2 t3 c2 f3", (&[2], None));
        check("t1 c1 t2 t3 c3", (&[1, 3], Some(2)));
        check("t1 c1 t2 t3 c3 c2", (&[3], None));
    }

    #[test]
    fn the_base_is_the_newest_completed_one_at_the_trigger() {
        let bases = check("t1 c1 t2 t3 c2 t4", (&[1, 2], Some(3)));
        assert_eq!([1, 3, 4].map(|id| bases.base_of(CheckpointId(id)).map(|base| base.0)), [Some(2), Some(1), Some(2)]);
        assert_eq!(check("t1 t2", (&[], Some(1))).base_of(CheckpointId(2)), None);
        assert_eq!([1, 2, 3, 4, 5].map(|id| bases.is_under_way(CheckpointId(id))), [false, false, true, true, false]);
    }

    #[test]
    fn what_is_recorded_and_not_yet_known_here_may_become_a_base() {
        let bases = check("t1 c1 t2 t3", (&[1], Some(2)));
        assert_eq!([1, 2, 3].map(|id| bases.in_use().may_be_base(CheckpointId(id))), [true; 3]);
        let bases = check("t1 c1 t2 t3 c3", (&[1, 3], Some(2)));
        assert_eq!([1, 2, 3].map(|id| bases.in_use().may_be_base(CheckpointId(id))), [true, false, true]);
    }
}
