//! What of an attempt waits for outboxes: its checkpoints for their markers, its end for what is to be published.
//!
//! Neither a start nor a redeployment waits for publishing. The end of the job does, however long it takes, and says so; a stop for as long as it has time:
//! what is not published by then is in the last checkpoint, and the next run publishes it. While sinks stand still because of an outbox, a change is
//! refused, and what somebody has asked for is given up when its time is over.

use crate::checkpoint::{Trigger, WhyNotTaken};
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::context::AttemptEnd;
use crate::job::attempt::log_writer::LogRequest;
use crate::job::attempt::{Attempt, LastCheckpoint};
use crate::job::control::UpgradeEvent;
use crate::outbox::OutboxEvent;
use crate::runtime::Monotonic;
use std::time::Duration;

/// The end of a job waits so long for outboxes before it says so.
const SAYS_AFTER: Duration = Duration::from_secs(1);

/// Whether the end of the job waits for outboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    since: Option<Monotonic>,
    said: bool,
}

impl Waiting {
    /// It does now, or does not.
    fn on_look(&mut self, waits: bool, now: Monotonic) {
        self.since = waits.then(|| self.since.unwrap_or(now));
    }

    /// When it has to be said; it is said once.
    fn says_at(self) -> Option<Monotonic> {
        self.since.filter(|_| !self.said).map(|since| since.saturating_add(SAYS_AFTER))
    }
}

impl Attempt<'_> {
    /// A publisher tells.
    pub(super) fn on_outbox(&mut self, event: OutboxEvent) -> Option<AttemptEnd> {
        match event {
            OutboxEvent::Failed(error) => Some(AttemptEnd::Failed(error)),
            OutboxEvent::Progress => {
                self.write_what_waits();
                self.awaited.on_published(&self.context.outboxes);
                self.end_if_done()
            }
        }
    }

    /// Has a checkpoint written into the log, once every target has a marker of the lineage: a checkpoint that is complete says that there is one.
    pub(super) fn write(&mut self, request: LogRequest) {
        self.without_marker.push(request);
        self.write_what_waits();
    }

    fn write_what_waits(&mut self) {
        if !self.without_marker.is_empty() && self.context.outboxes.without_marker().is_empty() {
            let waiting = std::mem::take(&mut self.without_marker);
            waiting.into_iter().for_each(|request| self.request(request));
        }
    }

    /// Sinks may stand still because of an outbox, and the end of the job may wait for one.
    pub(super) fn look_at_outboxes(&mut self) {
        let now = self.context.runtime.clock.now();
        self.coordinator.set_stalled(self.context.outboxes.stop_sinks(), now);
        self.waiting.on_look(self.what_the_end_waits_for().is_some(), now);
    }

    /// What of outboxes the end of the job waits for, if it is near.
    fn what_the_end_waits_for(&self) -> Option<String> {
        let outboxes = &self.context.outboxes;
        match self.last {
            Some(last) if last.trigger.ends_the_job() && !last.finishing => outboxes.what_waits(last.checkpoint_id),
            Some(_) => None,
            None if self.tasks_reading == 0 || self.stop_seen.is_some() => outboxes.what_stops_sinks(),
            None => None,
        }
    }

    /// When [`Self::say_what_it_waits_for`] is due.
    pub(super) fn says_at(&self) -> Option<Monotonic> {
        self.waiting.says_at()
    }

    /// Whoever waits for the end of the job learns what that waits for.
    pub(super) fn say_what_it_waits_for(&mut self) {
        self.waiting.said = true;
        if let Some(what) = self.what_the_end_waits_for() {
            (self.context.notice)(&format!("the end of the job waits for what is to be published: {what}"));
        }
    }

    /// Why a change would have to wait for a target that takes no more.
    pub(super) fn no_room_for_a_change(&self) -> Option<EngineError> {
        self.context.outboxes.full()?;
        let what = self.context.outboxes.what_stops_sinks()?;
        let error = EngineError::new(ErrorKind::FixInput, format!("the job cannot change over now: {what}"));
        Some(error.with_hint("ask again when some of it is published; what is deployed anew would stand still as well"))
    }

    /// Somebody has asked for a checkpoint, or for a change, that is not begun.
    pub(super) fn on_not_taken(&mut self, trigger: Trigger, why: WhyNotTaken) {
        let error = match why {
            WhyNotTaken::SinksStandStill => {
                let what = self.context.outboxes.what_stops_sinks().unwrap_or_else(|| "sinks stand still".to_owned());
                let after = self.context.config.timeout;
                let hint = "the job goes on; ask again once the target takes the output, or raise `timeout` in [checkpoints]";
                EngineError::new(ErrorKind::Retry, format!("not begun after {after:?}: {what}")).with_hint(hint)
            }
            WhyNotTaken::JobEnds => EngineError::new(ErrorKind::Restart, "not begun: the job is about to end"),
        };
        let error =
            if matches!(trigger, Trigger::Redeploy | Trigger::Upgrade) { error.context("the job goes on as it was") } else { error };
        match trigger {
            Trigger::Redeploy => self.redeploy.take().into_iter().for_each(|redeploy| redeploy.refuse(error.clone())),
            Trigger::Upgrade => {
                self.session.tried.take().into_iter().for_each(|tried| _ = tried.events.send(UpgradeEvent::Refused(error.clone())))
            }
            Trigger::Periodic
            | Trigger::Requested
            | Trigger::Savepoint
            | Trigger::UnalignedSavepoint
            | Trigger::StopSavepoint
            | Trigger::Stop
            | Trigger::Final => self.awaited.on_not_taken(trigger, error),
        }
    }

    /// Ends the attempt, or has the job finished, where the last checkpoint is complete and nothing is left to do for it.
    pub(super) fn end_if_done(&mut self) -> Option<AttemptEnd> {
        let LastCheckpoint { checkpoint_id, trigger, uncommitted, finishing } = self.last?;
        let is_published = self.context.outboxes.unpublished(checkpoint_id).is_empty();
        if uncommitted > 0 || finishing {
            return None;
        }
        match trigger {
            Trigger::Final if is_published => {
                self.last = Some(LastCheckpoint { checkpoint_id, trigger, uncommitted, finishing: true });
                self.request(LogRequest::Finished);
                None
            }
            Trigger::Stop | Trigger::StopSavepoint if is_published => Some(AttemptEnd::Stopped),
            Trigger::Redeploy => self.redeploy.take().map(|redeploy| AttemptEnd::Redeploy(Box::new(redeploy))),
            Trigger::Final
            | Trigger::Stop
            | Trigger::StopSavepoint
            | Trigger::Periodic
            | Trigger::Requested
            | Trigger::Savepoint
            | Trigger::UnalignedSavepoint
            | Trigger::Upgrade => None,
        }
    }

    /// Until when a stop waits for nothing but publishing.
    pub(super) fn publishes_until(&self) -> Option<Monotonic> {
        let last = self.last.filter(|last| last.uncommitted == 0 && !last.finishing && last.trigger.ends_the_job())?;
        let began = (*self.session.stop_began)?;
        let waits = !self.context.outboxes.unpublished(last.checkpoint_id).is_empty();
        waits.then(|| began.saturating_add(self.context.config.stop_timeout))
    }

    pub(super) fn on_publishing_too_long(&mut self) -> Option<AttemptEnd> {
        self.stopped_unpublished()
    }

    /// How a stop ends that waits for nothing but publishing; `None`: there is more.
    pub(super) fn stopped_unpublished(&self) -> Option<AttemptEnd> {
        let last = self.last.filter(|last| last.uncommitted == 0 && !last.finishing)?;
        let unpublished = self.context.outboxes.unpublished(last.checkpoint_id);
        if unpublished.is_empty() {
            return None;
        }
        let sinks = unpublished.iter().map(|sink| format!("`{sink}`")).collect::<Vec<_>>().join(", ");
        let what = format!("checkpoint {} is complete, but its output is not all published: {sinks}", last.checkpoint_id);
        if last.trigger == Trigger::StopSavepoint {
            let error = EngineError::new(ErrorKind::Restart, format!("stop the job: {what}: a savepoint would be without it"));
            return Some(AttemptEnd::StopGivenUp(
                error.with_hint("`stop-timeout` in [checkpoints] gives a stop more time; the next run publishes it"),
            ));
        }
        (self.context.notice)(&format!("{what}; the next run publishes it"));
        Some(AttemptEnd::Stopped)
    }

    /// The end of an attempt on trial whose sinks have staged as much as may wait, unless the log is about to accept it. What is on trial cannot be published, and a sink that stops behind
    /// a barrier would never see the one that ends the trial.
    pub(super) fn full_on_trial(&self) -> Option<AttemptEnd> {
        let undecided = self.session.tried.as_ref().is_some_and(|tried| tried.trial.is_undecided());
        let full = self.context.outboxes.full().filter(|_| undecided)?;
        let message = format!("{full}: as much output waits as may, and none of it can be published before the probation is over");
        Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, message).with_hint("try it with a shorter probation")))
    }
}
