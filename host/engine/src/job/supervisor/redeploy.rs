//! Between two attempts of a job that changes: the one that follows has another shape, or goes back to the old one.
//!
//! Invariant: the log has a change only once all tasks of the new shape have run. What cannot be deployed, for whatever reason, is undone by the attempt
//! that follows; a process that is killed meanwhile leaves nothing that the next would have to undo.

use crate::checkpoint::{Append, JobLog, LogEntry, Override, Replaced};
use crate::element::{AttemptId, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::change::{Purpose, Redeploy, TriedUpgrade, rescaled_text};
use crate::job::attempt::context::{AttemptContext, DeployedFor, OldShape, Redeployed};
use crate::job::control::{GraphChange, Reply, Rescaled, StopKind, UpgradeEvent};
use crate::job::history::{History, fenced};
use crate::job::supervisor::Supervisor;
use crate::job::trial::Verdict;
use crate::job::{JobGraph, ResumePoint};
use std::sync::Arc;

impl Supervisor {
    /// The next attempt has another shape.
    pub(in crate::job) fn redeploy(&mut self, log: &JobLog, context: &AttemptContext, redeploy: Redeploy) {
        let newest = History::of(log.entries()).completed().last().map(|newest| newest.checkpoint_id);
        let checkpoint_id = newest.unwrap_or(context.next_checkpoint);
        let began = redeploy.began.unwrap_or_else(|| self.runtime.clock.now());
        let (graph, purpose) = match redeploy.purpose {
            Purpose::Rescale { change, reply } => self.rescaled(checkpoint_id, change, reply),
            Purpose::Upgrade(tried) => {
                let new = tried.new.clone();
                self.tried = Some(tried.redeployed_behind(checkpoint_id));
                (new, DeployedFor::Upgrade)
            }
        };
        self.graph = graph;
        self.redeployed = Some(Redeployed { checkpoint_id, began, pause: None, purpose });
    }

    fn rescaled(&self, checkpoint_id: CheckpointId, change: GraphChange, reply: Reply<Rescaled>) -> (Arc<JobGraph>, DeployedFor) {
        let GraphChange { graph, overrides } = change;
        let back = overrides.iter().map(|change| as_in(change, &self.graph)).collect();
        let old = OldShape { checkpoint_id, graph: self.graph.clone(), overrides: back };
        (Arc::new(graph), DeployedFor::Rescale { overrides, old, reply })
    }

    /// True where a failure is laid to a change that is under way: the next attempt goes back.
    pub(in crate::job) fn is_of_a_change(&mut self, error: &EngineError) -> bool {
        let changing = self.tried.is_some() || self.redeployed.is_some();
        if !changing || self.failed_change.is_some() || error.kind() == ErrorKind::Fenced {
            return false;
        }
        self.failed_change = Some(error.clone());
        true
    }

    /// True where the job would be given up in a shape in which no checkpoint has ever completed: it goes back to the one before.
    pub(in crate::job) fn gives_up_rescale(&mut self, error: &EngineError, stopping: Option<StopKind>) -> bool {
        let may_be_the_shape = self.unproven.is_some() && self.failed_change.is_none() && error.kind() != ErrorKind::Fenced;
        if !may_be_the_shape || stopping.is_some_and(StopKind::is_prompt) {
            return false;
        }
        self.failed_change = Some(error.clone());
        self.restarts.on_progress();
        true
    }

    /// Goes back to what was before a change that has failed. An error leaves everything as it is, to be tried again.
    pub(in crate::job) async fn go_back(&mut self, log: &mut JobLog) -> Result<(), EngineError> {
        let Some(error) = self.failed_change.clone() else { return Ok(()) };
        // What the log has of the change only the whole log says.
        log.read_on().await?;
        if !self.newest_is_ours(&History::of(log.entries())) {
            return Err(fenced(&self.graph.name));
        }
        if self.tried.is_some() {
            self.roll_back(log, &error).await?;
        } else if self.redeployed.is_some() {
            self.undo_deployment(log, &error);
        } else if self.unproven.is_some() {
            self.undo_rescale(log, &error).await?;
        }
        (self.redeployed, self.failed_change) = (None, None);
        self.status.restarts.add(1);
        Ok(())
    }

    /// Goes back to where an upgrade changed over, with the old component.
    async fn roll_back(&mut self, log: &mut JobLog, error: &EngineError) -> Result<(), EngineError> {
        let Some(TriedUpgrade { trial, .. }) = &self.tried else { return Ok(()) };
        let since = trial.since();
        let began = |entry: &LogEntry| matches!(entry, LogEntry::Override { checkpoint_id, .. } if Some(*checkpoint_id) == since);
        let outcome = |entry: &LogEntry| matches!(entry, LogEntry::Outcome { .. });
        let behind = log.entries().iter().position(began).map(|place| &log.entries()[place..]);
        let verdict = trial.verdict(behind.map(|entries| entries.iter().any(outcome)));
        if verdict == (Verdict::GoBack { log_has_it: true }) {
            let (attempt, nonce) = self.owner();
            let (reason, decided_ms) = (Some(error.to_string()), self.runtime.clock.wall_ms());
            self.append(log, LogEntry::Outcome { attempt, nonce, accepted: false, reason, decided_ms }).await?;
        }
        let Some(tried) = self.tried.take() else { return Ok(()) };
        if verdict == Verdict::Accepted {
            (self.options.notice)(&tried.accepted_text());
            self.graph = tried.new;
            _ = tried.events.send(UpgradeEvent::Accepted);
            return Ok(());
        }
        self.graph = tried.old;
        (self.options.notice)(&format!("the upgrade is rolled back: {error}"));
        let origin = History::of(log.entries()).origin(&self.mode);
        let to = origin.as_ref().map_or(ResumePoint::Beginning, ResumePoint::from);
        _ = tried.events.send(UpgradeEvent::RolledBack { error: error.clone(), to });
        Ok(())
    }

    /// A shape that could not be deployed: the job is in the old one again, and whoever asked learns why.
    fn undo_deployment(&mut self, log: &JobLog, error: &EngineError) {
        let Some(Redeployed { checkpoint_id, pause, purpose: DeployedFor::Rescale { old, reply, .. }, .. }) = self.redeployed.take() else {
            return;
        };
        if log
            .entries()
            .iter()
            .any(|entry| matches!(entry, LogEntry::Override { checkpoint_id: id, probation: false, .. } if *id == checkpoint_id))
        {
            // The attempt failed before it heard that the log has the change.
            (self.options.notice)(&rescaled_text(checkpoint_id, &old.graph, &self.graph));
            self.unproven = Some(old);
            _ = reply.send(Ok(Rescaled { checkpoint_id, pause: pause.unwrap_or_default() }));
            return;
        }
        self.graph = old.graph;
        // Whoever asked may ask for something else at once, and has to find the job as it is.
        self.status.set_layout(&self.graph);
        (self.options.notice)(&format!("the rescale is undone: {error}"));
        let error = error.clone().context("the job cannot be deployed with this parallelism, and goes on as it was");
        _ = reply.send(Err(error));
    }

    /// A shape in which the job has got no further: the log brings the old one back.
    async fn undo_rescale(&mut self, log: &mut JobLog, error: &EngineError) -> Result<(), EngineError> {
        let Some(OldShape { checkpoint_id, overrides, .. }) = &self.unproven else { return Ok(()) };
        let (checkpoint_id, overrides, (attempt, nonce)) = (*checkpoint_id, overrides.clone(), self.owner());
        let changed_ms = self.runtime.clock.wall_ms();
        self.append(log, LogEntry::Override { attempt, nonce, checkpoint_id, overrides, probation: false, changed_ms }).await?;
        if let Some(old) = self.unproven.take() {
            self.graph = old.graph;
            self.status.set_layout(&self.graph);
        }
        (self.options.notice)(&format!("the rescale is undone, the job got no further with it: {error}"));
        Ok(())
    }

    /// The newest attempt of this process.
    fn owner(&self) -> (AttemptId, String) {
        (self.report.attempt.unwrap_or(AttemptId(0)), self.nonces.last().cloned().unwrap_or_default())
    }

    async fn append(&self, log: &mut JobLog, entry: LogEntry) -> Result<(), EngineError> {
        match log.append(entry).await? {
            Append::Done => Ok(()),
            Append::Taken => Err(fenced(&self.graph.name)),
        }
    }
}

/// What the log has to say of a rescaled vertex for it to be as in `graph`.
fn as_in(change: &Override, graph: &JobGraph) -> Override {
    let was = graph.vertices.iter().find(|vertex| vertex.id == change.vertex).map(|vertex| vertex.parallelism);
    let parallelism = change.parallelism.as_ref().map(|Replaced { file, now }| Replaced { file: *file, now: was.unwrap_or(*now) });
    Override { vertex: change.vertex.clone(), parallelism, ..Override::default() }
}
