//! Carries out what the coordinator has decided: tells the tasks, the log writer, and whoever waits for a checkpoint.

use super::{Attempt, LastCheckpoint};
use crate::checkpoint::{CoordinatorAction, Trigger};
use crate::element::{BarrierAlignment, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::CheckpointState;
use crate::job::attempt::context::AttemptEnd;
use crate::job::attempt::log_writer::LogRequest;
use crate::job::attempt::splits::Assignment;
use crate::task::TaskControl;
use std::time::Duration;
use tracing::warn;

impl Attempt<'_> {
    /// Carries the actions out, one after the other, until one of them ends the attempt.
    pub(super) fn follow(&mut self, actions: Vec<CoordinatorAction>) -> Option<AttemptEnd> {
        actions.into_iter().find_map(|action| self.carry_out(action))
    }

    fn carry_out(&mut self, action: CoordinatorAction) -> Option<AttemptEnd> {
        match action {
            CoordinatorAction::Trigger { checkpoint_id, trigger, alignment } => {
                self.trigger(checkpoint_id, trigger, alignment);
                None
            }
            CoordinatorAction::Write { checkpoint_id, trigger, duration, parts } => {
                self.discovery.on_acknowledged(checkpoint_id, &parts);
                self.write(LogRequest::Completed { checkpoint_id, trigger, duration, parts });
                None
            }
            CoordinatorAction::NotifyComplete { checkpoint_id, trigger } => self.notify_complete(checkpoint_id, trigger),
            CoordinatorAction::Abort { checkpoint_id, trigger, duration, reason } => self.abort(checkpoint_id, trigger, duration, reason),
            CoordinatorAction::NotTaken { trigger, why } => {
                self.on_not_taken(trigger, why);
                None
            }
            CoordinatorAction::Overtake { checkpoint_id } => {
                self.say_that_it_overtakes();
                self.tell_all(|| TaskControl::Overtake(checkpoint_id));
                None
            }
            CoordinatorAction::GiveUpStop { reason } => {
                Some(self.stopped_unpublished().unwrap_or_else(|| AttemptEnd::StopGivenUp(self.given_up(&reason))))
            }
            CoordinatorAction::FailJob { reason } => Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, reason))),
        }
    }

    fn trigger(&mut self, checkpoint_id: CheckpointId, trigger: Trigger, alignment: BarrierAlignment) {
        self.context.bases.on_triggered(checkpoint_id);
        let at_ms = self.context.runtime.clock.wall_ms();
        self.context.status.checkpoint_history.on_triggered(checkpoint_id, trigger, at_ms, &self.places);
        self.awaited.on_triggered(checkpoint_id, trigger, &self.session.inbox.pins);
        let usual = self.context.config.alignment;
        if trigger.ends_the_job() && alignment == BarrierAlignment::Unaligned && usual != BarrierAlignment::Unaligned {
            self.say_that_it_overtakes();
        }
        self.before_trigger(checkpoint_id, trigger);
        // A source that is about to end reads nothing behind this barrier: the next start finds what is left.
        let ends = trigger.is_last() || self.stop_seen.is_some();
        for Assignment { task, splits } in self.discovery.assignments(checkpoint_id, ends) {
            _ = self.deployment.controls[task].send(TaskControl::Assign(splits));
        }
        self.tell_all(|| TaskControl::Trigger { checkpoint_id, trigger, alignment });
    }

    fn before_trigger(&mut self, checkpoint_id: CheckpointId, trigger: Trigger) {
        match (trigger, &mut self.redeploy) {
            (Trigger::Upgrade, _) => self.send_operators(checkpoint_id),
            (Trigger::Redeploy, Some(redeploy)) => redeploy.began = Some(self.context.runtime.clock.now()),
            _ => {}
        }
    }

    fn notify_complete(&mut self, checkpoint_id: CheckpointId, trigger: Trigger) -> Option<AttemptEnd> {
        self.context.bases.on_completed(checkpoint_id);
        if trigger.is_last() {
            let uncommitted = self.deployment.controls.len();
            self.last = Some(LastCheckpoint { checkpoint_id, trigger, uncommitted, finishing: false });
        }
        if self.keep_provisional(checkpoint_id, trigger) {
            if let Some(full) = self.full_on_trial() {
                return Some(full);
            }
        } else {
            self.context.outboxes.on_final(checkpoint_id);
            self.tell_all(|| TaskControl::Complete(checkpoint_id));
        }
        if trigger == Trigger::Upgrade {
            self.begin_probation(checkpoint_id);
        }
        None
    }

    fn abort(&mut self, checkpoint_id: CheckpointId, trigger: Trigger, duration: Duration, reason: String) -> Option<AttemptEnd> {
        warn!(%checkpoint_id, %reason, "checkpoint failed");
        self.context.status.failed.add(1);
        self.context.status.checkpoint_history.on_end(checkpoint_id, CheckpointState::Failed(reason.clone()), duration, 0);
        self.context.bases.on_failed(checkpoint_id);
        self.awaited.on_failed(checkpoint_id, &reason);
        self.tell_all(|| TaskControl::Abort(checkpoint_id));
        // Some tasks may have changed over.
        let message = (trigger == Trigger::Upgrade).then(|| format!("checkpoint {checkpoint_id} of the upgrade failed: {reason}"));
        self.request(LogRequest::Failed { checkpoint_id, trigger, duration, reason });
        message.map(|message| AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, message)))
    }

    fn say_that_it_overtakes(&self) {
        (self.context.notice)("the last checkpoint takes long: its barriers overtake the records in front of them");
    }

    pub(in crate::job) fn tell_all(&self, control: impl Fn() -> TaskControl) {
        // A task that is gone has sent why, or panicked: both end the attempt.
        self.deployment.controls.iter().for_each(|task| _ = task.send(control()));
    }

    pub(in crate::job) fn request(&self, request: LogRequest) {
        _ = self.requests.send(request);
    }
}
