//! The rules of taking checkpoints, as a pure state machine: event and time in, actions out.
//!
//! A checkpoint is pending from its trigger until every task has acknowledged it, then being written until the log's answer is known, then
//! complete. Once it is being written nothing can abort it: only the log decides. Invariants: ids only rise; at most
//! `max_concurrent` checkpoints are pending or being written; one that is to be written aborts every older pending one, so that they
//! complete in the order of their ids: what a newer one subsumes may already be committed and deleted.
//!
//! While sinks stand still (`stalled`) no time counts, and what somebody has asked for is not triggered, and given up when its time is over: so whoever
//! asked has an answer, and nothing is under way that would have to be taken back. Nothing that is triggered then stalls before it is complete, because only
//! what becomes complete makes sinks stand still.
//!
//! What is asked for is triggered as soon as nothing else is under way; everything that comes by itself, a last checkpoint's further tries among it,
//! keeps the interval from the trigger before and the pause from the end of what was under way: a second of each at most where the sources stand still
//! until it is complete. A stop has little time, and that is `stopping.rs`.

mod action;
mod config;
mod stopping;
mod trigger;

use crate::element::{BarrierAlignment, CheckpointId};
use crate::exchange::Decline;
use crate::runtime::Monotonic;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use stopping::Stopping;

pub use action::{CompletedTasks, CoordinatorAction, WhyNotTaken};
pub use config::{CheckpointConfig, CheckpointMode};
pub(crate) use stopping::{BARRIER_MAX, stop_max};
pub use trigger::Trigger;

/// From one try of a last checkpoint to the next, at most, where the sources stand still meanwhile.
const SUSPENDED_MAX: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Pending {
    pub trigger: Trigger,
    triggered_at: Monotonic,
    /// Its time counts from here: from its trigger, or from when the sinks went on.
    timed_from: Monotonic,
    /// Its whole time has begun anew because the sinks went on, which it does once.
    timed_anew: bool,
    /// By task, whether it has yet to handle the barrier.
    pub not_captured: Vec<bool>,
    /// By task, whether it has yet to acknowledge the checkpoint.
    missing: Vec<bool>,
    parts: CompletedTasks,
    pub writing: bool,
}

/// A checkpoint that has to be taken.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    pub trigger: Trigger,
    /// A further try of one that has failed comes no earlier than this.
    pub not_before: Monotonic,
    /// Somebody has asked for it, and waits no longer than this where sinks stand still.
    pub given_up_at: Option<Monotonic>,
}

impl Wanted {
    fn by_itself(trigger: Trigger, not_before: Monotonic) -> Self {
        Self { trigger, not_before, given_up_at: None }
    }
}

/// The coordinator of one attempt.
#[derive(Debug)]
pub struct CheckpointCoordinator {
    config: CheckpointConfig,
    tasks: usize,
    next_id: CheckpointId,
    pending: BTreeMap<CheckpointId, Pending>,
    next_trigger: Monotonic,
    /// What has to be taken as soon as nothing else is under way, in this order; one that is the last stands behind the others.
    wanted: VecDeque<Wanted>,
    /// The last one has been triggered and has not failed: nothing is triggered behind it, whatever is wanted.
    over: bool,
    failures_in_a_row: u32,
    /// Why the newest of those that end the job has failed.
    last_failure: Option<String>,
    stopping: Option<Stopping>,
    /// Since when sinks stand still behind a barrier until more is published: no checkpoint can be blamed for taking long.
    stalled: Option<Monotonic>,
}

impl CheckpointCoordinator {
    /// The coordinator of `tasks` tasks; ids begin at `next_id`, the first trigger comes after one interval. What the attempt before had under
    /// way has ended with it, so the pause is kept too.
    pub fn new(config: CheckpointConfig, tasks: usize, next_id: CheckpointId, now: Monotonic) -> Self {
        Self {
            config,
            tasks,
            next_id,
            pending: BTreeMap::new(),
            next_trigger: now.saturating_add(config.interval.max(config.min_pause)),
            wanted: VecDeque::new(),
            over: false,
            failures_in_a_row: 0,
            last_failure: None,
            stopping: None,
            stalled: None,
        }
    }

    /// When [`Self::on_time`] has something to do next, by itself.
    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        let timeouts = self.pending.values().filter(|pending| self.is_timed(pending)).map(|pending| self.times_out_at(pending));
        let trigger = self.takes_periodic().then_some(self.next_trigger);
        let front = self.wanted.front().filter(|wanted| self.pending.is_empty() && !self.over && !self.is_held_back(wanted));
        let again = front.map(|wanted| wanted.not_before);
        let given_up = self.wanted.iter().filter(|wanted| self.is_held_back(wanted)).filter_map(|wanted| wanted.given_up_at);
        let stopping = self.stopping.as_ref().map(Stopping::deadline);
        timeouts.chain(trigger).chain(again).chain(given_up).chain(stopping).min()
    }

    fn is_timed(&self, pending: &Pending) -> bool {
        !pending.writing && self.stalled.is_none()
    }

    fn times_out_at(&self, pending: &Pending) -> Monotonic {
        pending.timed_from.saturating_add(self.config.timeout)
    }

    fn is_held_back(&self, wanted: &Wanted) -> bool {
        self.stalled.is_some() && wanted.given_up_at.is_some()
    }

    /// Sinks stand still, or go on. A checkpoint that is pending meanwhile has its whole time from then on, once; from the second time on only the time
    /// that they stood still is not counted, so that one which can never complete times out however often they do.
    pub(crate) fn set_stalled(&mut self, stalled: bool, now: Monotonic) {
        match (self.stalled, stalled) {
            (None, true) => self.stalled = Some(now),
            (Some(since), false) => {
                self.stalled = None;
                for pending in self.pending.values_mut() {
                    let anew = !std::mem::replace(&mut pending.timed_anew, true);
                    let stood_still = now.saturating_sub(since.max(pending.timed_from));
                    pending.timed_from = if anew { now } else { pending.timed_from.saturating_add(stood_still) };
                }
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// Time has passed.
    pub(crate) fn on_time(&mut self, now: Monotonic) -> Vec<CoordinatorAction> {
        let mut actions = Vec::new();
        let timed_out = |pending: &Pending| self.is_timed(pending) && now >= self.times_out_at(pending);
        let expired: Vec<_> = self.pending.iter().filter(|(_, pending)| timed_out(pending)).map(|(&id, _)| id).collect();
        for checkpoint_id in expired {
            let missing = self.pending[&checkpoint_id].missing.iter().filter(|&&missing| missing).count();
            let reason = format!("timed out after {:?}: {missing} of {} tasks have not acknowledged it", self.config.timeout, self.tasks);
            self.fail(checkpoint_id, reason, now, &mut actions);
        }
        self.hurry(now, &mut actions);
        self.give_up_what_is_held_back(now, &mut actions);
        self.trigger_if_due(now, &mut actions);
        actions
    }

    fn give_up_what_is_held_back(&mut self, now: Monotonic, actions: &mut Vec<CoordinatorAction>) {
        if self.stalled.is_none() {
            return;
        }
        let is_over = |wanted: &Wanted| wanted.given_up_at.is_some_and(|at| now >= at);
        let (over, left): (VecDeque<_>, _) = std::mem::take(&mut self.wanted).into_iter().partition(is_over);
        self.wanted = left;
        let not_taken = |Wanted { trigger, .. }| CoordinatorAction::NotTaken { trigger, why: WhyNotTaken::SinksStandStill };
        actions.extend(over.into_iter().map(not_taken));
    }

    /// A checkpoint is wanted: it is taken as soon as nothing else is under way, and nothing beside it. Of those that are the last one is
    /// taken: the end of the input outranks a stop, because with nothing left to read the two are the same.
    pub fn want(&mut self, trigger: Trigger, now: Monotonic) -> Vec<CoordinatorAction> {
        self.take(Wanted::by_itself(trigger, Monotonic::ZERO), now)
    }

    /// The same for somebody who waits for it, but not for ever: while sinks stand still it is not triggered, and after the time that a checkpoint has it is not
    /// taken.
    pub(crate) fn ask(&mut self, trigger: Trigger, now: Monotonic) -> Vec<CoordinatorAction> {
        let given_up_at = Some(now.saturating_add(self.config.timeout));
        self.take(Wanted { given_up_at, ..Wanted::by_itself(trigger, Monotonic::ZERO) }, now)
    }

    fn take(&mut self, wanted: Wanted, now: Monotonic) -> Vec<CoordinatorAction> {
        let mut actions = Vec::new();
        self.enqueue(wanted, &mut actions);
        self.trigger_if_due(now, &mut actions);
        actions
    }

    fn enqueue(&mut self, wanted: Wanted, actions: &mut Vec<CoordinatorAction>) {
        let last = self.wanted.pop_back_if(|wanted| wanted.trigger.is_last());
        match last {
            Some(last) if wanted.trigger.is_last() => {
                // Whoever asks anew does not wait for what an earlier failure has put off.
                let not_before = last.not_before.min(wanted.not_before);
                let (which, other) = if last.trigger > wanted.trigger { (last, wanted) } else { (wanted, last) };
                self.wanted.push_back(Wanted { not_before, ..which });
                if other.trigger == Trigger::Redeploy && which.trigger != Trigger::Redeploy {
                    // The end may take long, and whoever asked for the change must not wait for that.
                    actions.push(CoordinatorAction::NotTaken { trigger: other.trigger, why: WhyNotTaken::JobEnds });
                }
            }
            Some(last) => self.wanted.extend([wanted, last]),
            None => self.wanted.push_back(wanted),
        }
    }

    /// `task` has handled the barrier: what is left of its part happens in the background.
    pub(crate) fn on_captured(&mut self, checkpoint_id: CheckpointId, task: usize) {
        if let Some(pending) = self.pending.get_mut(&checkpoint_id) {
            pending.not_captured[task] = false;
        }
    }

    /// `task` has made its part durable. `parts` are the vertices in it.
    pub(crate) fn on_acknowledged(
        &mut self,
        checkpoint_id: CheckpointId,
        task: usize,
        parts: CompletedTasks,
        now: Monotonic,
    ) -> Vec<CoordinatorAction> {
        let Some(pending) = self.pending.get_mut(&checkpoint_id) else { return Vec::new() };
        pending.not_captured[task] = false;
        if !std::mem::replace(&mut pending.missing[task], false) {
            return Vec::new();
        }
        pending.parts.extend(parts);
        if pending.missing.contains(&true) {
            return Vec::new();
        }
        pending.writing = true;
        let (trigger, duration, parts) = (pending.trigger, now.saturating_sub(pending.triggered_at), std::mem::take(&mut pending.parts));
        let mut actions = Vec::new();
        let older: Vec<_> = self.pending.range(..checkpoint_id).filter(|(_, pending)| !pending.writing).map(|(&id, _)| id).collect();
        for older in older {
            self.drop_pending(older, format!("checkpoint {checkpoint_id} was acknowledged by all tasks before it"), now, &mut actions);
        }
        actions.push(CoordinatorAction::Write { checkpoint_id, trigger, duration, parts });
        actions
    }

    /// A task does not take this checkpoint. What a restart would not mend does not count as a failure in a row: too much in flight, or a
    /// newer barrier, which has followed an earlier failure. A final or stop checkpoint counts, so that it is not tried without end.
    pub(crate) fn on_declined(&mut self, checkpoint_id: CheckpointId, decline: Decline, now: Monotonic) -> Vec<CoordinatorAction> {
        let mut actions = Vec::new();
        if let Some(pending) = self.pending.get(&checkpoint_id).filter(|pending| !pending.writing) {
            match (&decline, pending.trigger) {
                (
                    Decline::NewerBarrier | Decline::OverBudget { .. },
                    Trigger::Periodic | Trigger::Requested | Trigger::Savepoint | Trigger::UnalignedSavepoint | Trigger::Upgrade,
                ) => {
                    self.drop_pending(checkpoint_id, decline.to_string(), now, &mut actions);
                    self.next_trigger = self.next_trigger.max(now.saturating_add(self.config.interval));
                }
                (
                    Decline::NewerBarrier | Decline::OverBudget { .. },
                    Trigger::Final | Trigger::Stop | Trigger::StopSavepoint | Trigger::Redeploy,
                )
                | (Decline::Failed(_), _) => {
                    self.fail(checkpoint_id, decline.to_string(), now, &mut actions);
                }
            }
            self.trigger_if_due(now, &mut actions);
        }
        actions
    }

    /// The log says that it is complete.
    pub(crate) fn on_written(&mut self, checkpoint_id: CheckpointId, now: Monotonic) -> Vec<CoordinatorAction> {
        let Some(pending) = self.pending.remove(&checkpoint_id) else { return Vec::new() };
        self.failures_in_a_row = 0;
        let mut actions = vec![CoordinatorAction::NotifyComplete { checkpoint_id, trigger: pending.trigger }];
        self.next_trigger = self.next_trigger.max(now.saturating_add(self.config.min_pause));
        self.trigger_if_due(now, &mut actions);
        actions
    }

    /// Its metadata could not be written; the log holds no entry of it.
    pub(crate) fn on_not_written(&mut self, checkpoint_id: CheckpointId, reason: String, now: Monotonic) -> Vec<CoordinatorAction> {
        let mut actions = Vec::new();
        if self.pending.contains_key(&checkpoint_id) {
            self.fail(checkpoint_id, reason, now, &mut actions);
            self.trigger_if_due(now, &mut actions);
        }
        actions
    }

    fn fail(&mut self, checkpoint_id: CheckpointId, reason: String, now: Monotonic, actions: &mut Vec<CoordinatorAction>) {
        let Pending { trigger, triggered_at, .. } = self.pending[&checkpoint_id];
        self.drop_pending(checkpoint_id, reason.clone(), now, actions);
        if trigger.ends_the_job() && self.has_hurried() {
            return self.give_up_stop(reason, now, actions);
        }
        self.failures_in_a_row += 1;
        if trigger.is_last() {
            let most = if trigger.suspends() { SUSPENDED_MAX } else { Duration::MAX };
            let from_trigger = triggered_at.saturating_add(self.config.interval.min(most));
            let from_end = now.saturating_add(self.config.min_pause.min(most));
            self.enqueue(Wanted::by_itself(trigger, from_trigger.max(from_end)), actions);
        }
        if trigger.ends_the_job() {
            self.last_failure = Some(format!("checkpoint {checkpoint_id} failed: {reason}"));
        }
        if self.failures_in_a_row > self.config.tolerate_failures {
            actions.push(CoordinatorAction::FailJob { reason: format!("checkpoint {checkpoint_id} failed: {reason}") });
        }
    }

    fn drop_pending(&mut self, checkpoint_id: CheckpointId, reason: String, now: Monotonic, actions: &mut Vec<CoordinatorAction>) {
        let Some(pending) = self.pending.remove(&checkpoint_id) else { return };
        self.over &= !pending.trigger.is_last();
        let duration = now.saturating_sub(pending.triggered_at);
        actions.push(CoordinatorAction::Abort { checkpoint_id, trigger: pending.trigger, duration, reason });
        self.next_trigger = self.next_trigger.max(now.saturating_add(self.config.min_pause));
    }

    /// Whether only time keeps the next periodic one back. Behind one that is under way no pause can have passed.
    fn takes_periodic(&self) -> bool {
        let alone = self.pending.values().any(|pending| pending.trigger != Trigger::Periodic);
        let most = if self.config.min_pause.is_zero() { self.config.max_concurrent } else { 1 };
        self.wanted.is_empty() && !alone && self.pending.len() < most
    }

    /// What the barriers of a checkpoint do with the records in front of them. Where no channel is held back, nothing may be overtaken either:
    /// nobody would hand those records on.
    fn alignment(&self, trigger: Trigger) -> BarrierAlignment {
        match self.config.mode {
            CheckpointMode::AtLeastOnce => BarrierAlignment::Aligned,
            CheckpointMode::ExactlyOnce if trigger.ends_the_job() && self.has_hurried() => BarrierAlignment::Unaligned,
            CheckpointMode::ExactlyOnce => trigger.alignment(self.config.alignment),
        }
    }

    fn trigger_if_due(&mut self, now: Monotonic, actions: &mut Vec<CoordinatorAction>) {
        let trigger = match self.wanted.front() {
            Some(_) | None if self.over => return,
            Some(wanted) if self.is_held_back(wanted) => return,
            Some(wanted) if self.pending.is_empty() && now >= wanted.not_before => wanted.trigger,
            None if self.takes_periodic() && now >= self.next_trigger => Trigger::Periodic,
            Some(_) | None => return,
        };
        let checkpoint_id = self.next_id;
        self.next_id = CheckpointId(checkpoint_id.0 + 1);
        if trigger != Trigger::Periodic {
            self.wanted.pop_front();
        }
        self.over = trigger.is_last();
        // Triggers that could not be kept are skipped, not piled up.
        self.next_trigger = if trigger.is_last() { Monotonic::MAX } else { now.saturating_add(self.config.interval) };
        let (not_captured, missing) = (vec![true; self.tasks], vec![true; self.tasks]);
        let (timed_from, timed_anew, parts) = (now, false, Vec::new());
        let pending = Pending { trigger, triggered_at: now, timed_from, timed_anew, not_captured, missing, parts, writing: false };
        self.pending.insert(checkpoint_id, pending);
        actions.push(CoordinatorAction::Trigger { checkpoint_id, trigger, alignment: self.alignment(trigger) });
    }
}

#[cfg(test)]
mod tests;
