//! Between two attempts of a job that changes: the one that follows has another shape, or goes back to the old one.

use super::attempt_context::{AttemptContext, Redeployed};
use super::change::{Purpose, Redeploy};
use super::control::UpgradeEvent;
use super::history::History;
use super::recorder::fenced;
use super::supervisor::Supervisor;
use crate::checkpoint::{Append, JobLog, LogEntry};
use crate::element::AttemptId;
use crate::error::{EngineError, ErrorKind};
use std::sync::Arc;

impl Supervisor {
    /// The next attempt has another shape; the log keeps that.
    pub(super) async fn redeploy(&mut self, log: &mut JobLog, context: &AttemptContext, redeploy: Redeploy) -> Result<(), EngineError> {
        let Redeploy { purpose, began } = redeploy;
        let newest = History::of(log.entries()).completed().last().map(|newest| newest.checkpoint_id);
        let checkpoint_id = newest.unwrap_or(context.next_checkpoint);
        let (overrides, probation) = match &purpose {
            Purpose::Rescale { change, .. } => (change.overrides.clone(), false),
            Purpose::Upgrade(trial) => (trial.overrides.clone(), true),
        };
        let (attempt, nonce, changed_ms) = (context.attempt, context.nonce.clone(), self.runtime.clock.wall_ms());
        self.append(log, LogEntry::Override { attempt, nonce, checkpoint_id, overrides, probation, changed_ms }).await?;
        let (graph, reply) = match purpose {
            Purpose::Rescale { change, reply } => (Arc::new(change.graph), Some(reply)),
            Purpose::Upgrade(trial) => {
                let new = trial.new.clone();
                self.trial = Some(trial.begun_behind(checkpoint_id));
                (new, None)
            }
        };
        self.graph = graph;
        self.redeployed = began.map(|began| Redeployed { checkpoint_id, began, reply });
        Ok(())
    }

    /// Goes back to where an upgrade changed over, with the old component. False where there is none that is not decided.
    pub(super) async fn roll_back(&mut self, log: &mut JobLog, error: &EngineError) -> Result<bool, EngineError> {
        let Some(trial) = self.trial.take() else { return Ok(false) };
        // Whether it is decided only the whole log says.
        log.read_on().await?;
        if error.kind() == ErrorKind::Fenced || !self.newest_is_ours(&History::of(log.entries())) {
            return Err(fenced(&self.graph.name));
        }
        let began = |entry: &LogEntry| matches!(entry, LogEntry::Override { checkpoint_id, .. } if Some(*checkpoint_id) == trial.since);
        let outcome = |entry: &LogEntry| matches!(entry, LogEntry::Outcome { .. });
        let behind = log.entries().iter().position(began).map(|place| &log.entries()[place..]);
        match behind.map(|entries| entries.iter().any(outcome)) {
            // The attempt failed before it heard that the log has accepted it.
            Some(true) => {
                self.graph = trial.new;
                _ = trial.events.send(UpgradeEvent::Accepted);
                return Ok(false);
            }
            Some(false) => {
                let (attempt, nonce) = (self.report.attempt.unwrap_or(AttemptId(0)), self.nonces.last().cloned().unwrap_or_default());
                let decided_ms = self.runtime.clock.wall_ms();
                let reason = Some(error.to_string());
                self.append(log, LogEntry::Outcome { attempt, nonce, accepted: false, reason, decided_ms }).await?;
            }
            None => {}
        }
        self.graph = trial.old;
        self.status.restarts.add(1);
        (self.options.notice)(&format!("the upgrade is rolled back: {error}"));
        _ = trial.events.send(UpgradeEvent::RolledBack(error.clone()));
        Ok(true)
    }

    async fn append(&self, log: &mut JobLog, entry: LogEntry) -> Result<(), EngineError> {
        match log.append(entry).await? {
            Append::Done => Ok(()),
            Append::Taken => Err(fenced(&self.graph.name)),
        }
    }
}
