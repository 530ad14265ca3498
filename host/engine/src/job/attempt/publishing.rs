//! What of an attempt waits for outboxes: its checkpoints for their markers, its end for what is to be published.
//!
//! Neither a start nor a redeployment waits for publishing. The end of the job does, however long it takes; a stop for as long as it has time: what is not
//! published by then is in the last checkpoint, and the next run publishes it.

use crate::checkpoint::Trigger;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::context::AttemptEnd;
use crate::job::attempt::log_writer::LogRequest;
use crate::job::attempt::{Attempt, LastCheckpoint};
use crate::outbox::OutboxEvent;
use crate::runtime::Monotonic;

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

    /// What checkpoints wait for whose markers are not there.
    pub(super) fn waits_for_markers(&self) -> String {
        let sinks: Vec<String> = self.context.outboxes.without_marker().iter().map(|sink| format!("`{sink}`")).collect();
        format!("no target has answered yet of the sink {}", sinks.join(", "))
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
        let message = format!(
            "{full}: as much output waits as may (`max-unpublished`), and none of it can be published before the probation is over"
        );
        Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, message).with_hint("try it with a shorter probation")))
    }
}
