//! How long a stop may take: the part of the coordinator's rules that hurries its last checkpoint.
//!
//! For `stop_timeout` the last checkpoint is what every other of the job is. Then it overtakes; where it may not (a savepoint is to be made of it,
//! or no channel is held back in the first place) or needs more room than the in-flight budget has, it is given up. Every task has a
//! second to handle the barrier: one that is inside a long call does not hear of it. What is left behind that second, to write and to commit,
//! depends on no operator and has as long as the records had, and a second at least: a disk may take that for one `fsync`. Nothing is lost by giving up: a run resumes from the checkpoint before.
//!
//! The time counts from when the stop was asked for, over restarts too.

use super::{CheckpointCoordinator, CheckpointMode, CoordinatorAction, Pending, Trigger};
use crate::element::CheckpointId;
use crate::runtime::Monotonic;
use std::time::Duration;

/// What tasks have to handle the last barrier once it overtakes.
pub(crate) const BARRIER_MAX: Duration = Duration::from_secs(1);

/// What a stop may take in all.
pub(crate) fn stop_max(stop_timeout: Duration) -> Duration {
    stop_timeout.saturating_add(BARRIER_MAX).saturating_add(stop_timeout.max(BARRIER_MAX))
}

/// A stop that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    /// A savepoint is to be made of the last checkpoint: it holds no records in flight.
    for_savepoint: bool,
    patience: Patience,
    overtakes_at: Monotonic,
    captured_by: Monotonic,
    over_by: Monotonic,
}

/// How long a stop has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Not long.
    Waits,
    /// Its checkpoint overtakes, and tasks are about to handle the barrier.
    Overtakes,
    /// They have; what they have captured is being written and committed.
    Writes,
}

impl Stopping {
    fn new(trigger: Trigger, began: Monotonic, stop_timeout: Duration) -> Self {
        let overtakes_at = began.saturating_add(stop_timeout);
        Self {
            for_savepoint: trigger == Trigger::StopSavepoint,
            patience: Patience::Waits,
            overtakes_at,
            captured_by: overtakes_at.saturating_add(BARRIER_MAX),
            over_by: began.saturating_add(stop_max(stop_timeout)),
        }
    }

    /// When patience runs out next.
    pub fn deadline(&self) -> Monotonic {
        match self.patience {
            Patience::Waits => self.overtakes_at,
            Patience::Overtakes => self.captured_by,
            Patience::Writes => self.over_by,
        }
    }
}

/// What has become of the last checkpoint.
enum Last {
    /// It has not been triggered.
    Wanted,
    /// So many tasks have not handled its barrier.
    Pending(CheckpointId, usize),
    /// No operator is needed for it any more.
    Captured,
}

impl CheckpointCoordinator {
    /// The job is to be stopped, `began` is when that was asked for; `trigger` is one of those that stop a job. Where a stop for a savepoint is under
    /// way, one without takes its place.
    pub fn stop(&mut self, trigger: Trigger, began: Monotonic, now: Monotonic) -> Vec<CoordinatorAction> {
        let timeout = self.config.stop_timeout;
        let stopping = self.stopping.get_or_insert_with(|| Stopping::new(trigger, began, timeout));
        stopping.for_savepoint &= trigger == Trigger::StopSavepoint;
        let under_way = self.pending.values_mut().find(|pending| pending.trigger == Trigger::StopSavepoint);
        if let Some(pending) = under_way {
            pending.trigger = trigger;
        }
        self.want(trigger, now)
    }

    /// True once a stop's last checkpoint overtakes.
    pub(super) fn has_hurried(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| stopping.patience != Patience::Waits)
    }

    /// Does what a stop is due for.
    pub(super) fn hurry(&mut self, now: Monotonic, actions: &mut Vec<CoordinatorAction>) {
        let Some(stopping) = self.stopping.filter(|stopping| now >= stopping.deadline()) else { return };
        match (stopping.patience, self.last()) {
            (Patience::Waits, _) => self.overtake(now, actions),
            (Patience::Overtakes, Last::Captured) => self.be(Patience::Writes),
            (Patience::Overtakes, Last::Pending(_, behind)) => {
                let tasks = if behind == 1 { "task is" } else { "tasks are" };
                self.give_up_stop(format!("{behind} {tasks} at work on what came before its barrier"), now, actions);
            }
            (Patience::Overtakes, Last::Wanted) => self.give_up_stop("another checkpoint is being written".into(), now, actions),
            (Patience::Writes, _) => self.give_up_stop("the storage, or a target of the output, takes too long".into(), now, actions),
        }
    }

    fn be(&mut self, patience: Patience) {
        if let Some(stopping) = &mut self.stopping {
            stopping.patience = patience;
        }
    }

    fn last(&self) -> Last {
        let last = self.pending.iter().find(|(_, pending)| pending.trigger.ends_the_job());
        match last {
            None if self.over && self.pending.is_empty() => Last::Captured,
            None => Last::Wanted,
            Some((_, Pending { writing: true, .. })) => Last::Captured,
            Some((&id, pending)) => match pending.not_captured.iter().filter(|&&behind| behind).count() {
                0 => Last::Captured,
                behind => Last::Pending(id, behind),
            },
        }
    }

    /// The last checkpoint waits for nothing any more: for no record and for no other checkpoint.
    fn overtake(&mut self, now: Monotonic, actions: &mut Vec<CoordinatorAction>) {
        self.be(Patience::Overtakes);
        let last = self.last();
        if matches!(last, Last::Captured) {
            return;
        }
        if let Some(why) = self.must_not_overtake() {
            // Records are in front of it only where it has a barrier.
            let failure = self.last_failure.take().filter(|_| matches!(last, Last::Wanted));
            return self.give_up_stop(failure.unwrap_or_else(|| why.into()), now, actions);
        }
        self.wanted.retain(|wanted| wanted.trigger.ends_the_job());
        self.wanted.iter_mut().for_each(|wanted| wanted.not_before = now);
        let others = self.pending.iter().filter(|(_, pending)| !pending.trigger.ends_the_job() && !pending.writing);
        for checkpoint_id in others.map(|(&id, _)| id).collect::<Vec<_>>() {
            self.drop_pending(checkpoint_id, "the job is being stopped, and has waited long enough for this one".into(), now, actions);
        }
        match last {
            Last::Pending(checkpoint_id, _) => actions.push(CoordinatorAction::Overtake { checkpoint_id }),
            Last::Wanted | Last::Captured => {}
        }
    }

    fn must_not_overtake(&self) -> Option<&'static str> {
        match self.config.mode {
            CheckpointMode::AtLeastOnce => Some("at-least-once checkpoints do not overtake, and records are still in front of it"),
            CheckpointMode::ExactlyOnce if self.stopping.is_some_and(|stopping| stopping.for_savepoint) => {
                Some("a savepoint holds no records in flight, and records are still in front of it")
            }
            CheckpointMode::ExactlyOnce => None,
        }
    }

    /// Ends the stop without what has not been done of it. What is being written is for the log to decide.
    pub(super) fn give_up_stop(&mut self, reason: String, now: Monotonic, actions: &mut Vec<CoordinatorAction>) {
        let under_way: Vec<_> = self.pending.iter().filter(|(_, pending)| !pending.writing).map(|(&id, _)| id).collect();
        for checkpoint_id in under_way {
            self.drop_pending(checkpoint_id, format!("the stop took too long: {reason}"), now, actions);
        }
        (self.stopping, self.over) = (None, true);
        actions.push(CoordinatorAction::GiveUpStop { reason });
    }
}

#[cfg(test)]
#[path = "stopping_tests.rs"]
mod tests;
