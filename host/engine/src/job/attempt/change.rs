//! Changing a running job: a rescale goes through a redeployment; an upgrade changes an operator over at a barrier, or through a redeployment
//! where its state has to be migrated, and is on trial until it has proven itself.
//!
//! On trial, checkpoints are provisional: the log has them, but nothing of them is committed, and a failure of whatever kind goes back to the
//! checkpoint that the trial began at, with the old graph. Invariant: while there is a trial, no task has been told of the completion of a
//! checkpoint behind `since`.

use crate::checkpoint::{Override, Remedy, RestoreOptions, Trigger};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::Attempt;
use crate::job::attempt::context::{AttemptEnd, DeployedFor, Redeployed};
use crate::job::attempt::recorder::RecordRequest;
use crate::job::control::{GraphChange, Reply, Rescaled, Upgrade, UpgradeEvent, UpgradeEvents};
use crate::job::restore::planned;
use crate::job::{JobGraph, ResumePoint, VertexKind, layout};
use crate::operator::{Operator, Subtask};
use crate::runtime::Monotonic;
use crate::task::TaskControl;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An upgrade that has changed over, or is about to.
pub(in crate::job) struct Trial {
    /// The last checkpoint of the old graph; `None` until it is triggered.
    pub since: Option<CheckpointId>,
    pub old: Arc<JobGraph>,
    pub new: Arc<JobGraph>,
    pub overrides: Vec<Override>,
    vertex: usize,
    /// For each task with the vertex in it its new operator, until these have been sent. The lock is for whoever only looks at a supervisor.
    operators: Mutex<Vec<(usize, Box<dyn Operator>)>>,
    pause: Duration,
    probation: Duration,
    /// When it has proven itself; `None` until it works.
    pub ends: Option<Monotonic>,
    /// The newest provisional checkpoint.
    newest: Option<CheckpointId>,
    /// The log is being told that it is accepted.
    deciding: bool,
    pub events: UpgradeEvents,
}

/// The end of an attempt that another is to follow in another shape.
pub(in crate::job) struct Redeploy {
    pub purpose: Purpose,
    /// When its checkpoint was triggered.
    pub began: Option<Monotonic>,
}

/// What a redeployment is for.
pub(in crate::job) enum Purpose {
    Rescale {
        change: GraphChange,
        reply: Reply<Rescaled>,
    },
    /// An upgrade whose state is migrated when it is restored.
    Upgrade(Trial),
}

impl Redeploy {
    /// It does not come to it: whoever asked for it learns why.
    pub fn refuse(self, error: EngineError) {
        let error = error.context("the job goes on as it was: it was over before its tasks could change over");
        match self.purpose {
            Purpose::Rescale { reply, .. } => _ = reply.send(Err(error)),
            Purpose::Upgrade(trial) => _ = trial.events.send(UpgradeEvent::Refused(error)),
        }
    }
}

impl Trial {
    /// True where the new operator keeps other state than the old one, so that it cannot take over what is there.
    fn migrates(&self) -> bool {
        let states = |graph: &JobGraph| match &graph.vertices[self.vertex].kind {
            VertexKind::Operator(factory) => factory.descriptor().states.clone(),
            VertexKind::Source { .. } | VertexKind::Sink(_) => Vec::new(),
        };
        states(&self.old) != states(&self.new)
    }

    /// The subtasks of this vertex are on trial.
    pub fn vertex(&self) -> usize {
        self.vertex
    }

    /// It goes on from this checkpoint.
    pub fn begun_behind(self, checkpoint_id: CheckpointId) -> Self {
        // The redeployment makes its operators itself.
        Self { since: Some(checkpoint_id), operators: Mutex::default(), ..self }
    }

    /// The job has ended before anybody decided: the next run has the old operator. Where the log is about to accept the new one nobody can say.
    pub fn ended(self, error: EngineError, to: ResumePoint) {
        if !self.deciding {
            _ = self.events.send(UpgradeEvent::RolledBack { error, to });
        }
    }

    /// The new operator works.
    pub fn begin(&mut self, now: Monotonic, pause: Duration) {
        self.ends = Some(now + self.probation);
        if let Some(checkpoint_id) = self.since {
            _ = self.events.send(UpgradeEvent::Switched { checkpoint_id, pause });
        }
    }
}

impl Attempt<'_> {
    pub(in crate::job) fn on_rescale(&mut self, change: GraphChange, reply: Reply<Rescaled>) -> Option<AttemptEnd> {
        if let Some(error) = self.unfit(&change) {
            _ = reply.send(Err(error));
            return None;
        }
        self.redeploy = Some(Redeploy { purpose: Purpose::Rescale { change, reply }, began: None });
        self.want(Trigger::Redeploy)
    }

    pub(in crate::job) fn on_upgrade(&mut self, upgrade: Upgrade, events: UpgradeEvents) -> Option<AttemptEnd> {
        match self.trial_of(upgrade, events.clone()) {
            Ok(trial) if trial.migrates() => {
                self.redeploy = Some(Redeploy { purpose: Purpose::Upgrade(trial), began: None });
                self.want(Trigger::Redeploy)
            }
            Ok(trial) => {
                *self.session.trial = Some(trial);
                self.want(Trigger::Upgrade)
            }
            Err(error) => {
                _ = events.send(UpgradeEvent::Refused(error));
                None
            }
        }
    }

    /// Why the job cannot change now, or not in this way.
    fn unfit(&self, change: &GraphChange) -> Option<EngineError> {
        let refused = |message: String, hint: &str| Some(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
        if self.session.trial.is_some() {
            return refused("an upgrade is on probation".into(), "wait until it is over");
        }
        if self.redeploy.is_some() || self.session.redeployed.is_some() || self.stop_seen.is_some() {
            return refused("the job is being stopped or rescaled".into(), "wait until that is done");
        }
        let planned = planned(&self.session.graph.identity(), &change.graph, &RestoreOptions::default());
        if !planned.refusals.is_empty() {
            let lines: Vec<&str> = planned.refusals.iter().map(|refusal| refusal.text.as_str()).collect();
            let more = || "`weir stop --savepoint` and a changed job file that starts from the savepoint can do more".to_owned();
            let hint = planned.remedy().and_then(Remedy::migration).unwrap_or_else(more);
            return refused(format!("the running job cannot change in this way\n  {}", lines.join("\n  ")), &hint);
        }
        None
    }

    /// Everything that can fail before the barrier: the new operators are made here.
    fn trial_of(&self, upgrade: Upgrade, events: UpgradeEvents) -> Result<Trial, EngineError> {
        let Upgrade { change, vertex: id, probation } = upgrade;
        if let Some(error) = self.unfit(&change) {
            return Err(error);
        }
        let new = Arc::new(change.graph);
        let place = new.vertices.iter().position(|vertex| vertex.id == id);
        let Some((place, VertexKind::Operator(factory))) = place.map(|place| (place, &new.vertices[place].kind)) else {
            return Err(EngineError::new(ErrorKind::FixInput, format!("the job has no operator `{id}`")));
        };
        let shape = |graph: &JobGraph| graph.vertices.iter().map(|vertex| vertex.parallelism).collect::<Vec<_>>();
        if shape(&new) != shape(self.session.graph) {
            // Its operators would go to other tasks than are meant.
            let message = "the job has been rescaled since the upgrade was worked out";
            return Err(EngineError::new(ErrorKind::Retry, message).with_hint("ask once more"));
        }
        let schemas = new.input_schemas(place, factory.descriptor().inputs.len());
        let mut operators = Vec::new();
        for (task, index) in tasks_of(&new, place) {
            let subtask = Subtask { vertex: id.clone(), index, parallelism: new.vertices[place].parallelism };
            let mut operator = factory.create(&subtask, &schemas).map_err(|error| error.context(&id))?;
            operator.set_probation(true);
            operators.push((task, operator));
        }
        Ok(Trial {
            since: None,
            old: self.session.graph.clone(),
            new,
            overrides: change.overrides,
            vertex: place,
            operators: Mutex::new(operators),
            pause: Duration::ZERO,
            probation,
            ends: None,
            newest: None,
            deciding: false,
            events,
        })
    }

    /// The barrier of the upgrade is about to be sent: the new operators go ahead of it.
    pub(in crate::job) fn send_operators(&mut self, checkpoint_id: CheckpointId) {
        let Some(trial) = self.session.trial else { return };
        trial.since = Some(checkpoint_id);
        let vertex = trial.vertex;
        let operators = trial.operators.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (task, operator) in operators.drain(..) {
            // A task that is gone has sent why.
            _ = self.deployment.controls[task].send(TaskControl::Swap { checkpoint_id, vertex, operator });
        }
    }

    pub(in crate::job) fn on_swapped(&mut self, pause: Duration) {
        if let Some(trial) = self.session.trial {
            trial.pause = trial.pause.max(pause);
        }
    }

    /// The checkpoint of the upgrade is complete: what follows is provisional.
    pub(in crate::job) fn begin_probation(&mut self, checkpoint_id: CheckpointId) {
        let now = self.context.runtime.clock.now();
        let Some(trial) = self.session.trial else { return };
        trial.begin(now, trial.pause);
        let (graph, overrides) = (trial.new.clone(), trial.overrides.clone());
        self.request(RecordRequest::Override { checkpoint_id, graph, overrides, probation: true });
    }

    /// Every task has restored what it was to restore. What the attempt was deployed for has come true, and the log is told before any checkpoint
    /// of the new shape can complete.
    pub(in crate::job) fn on_deployed(&mut self) {
        let now = self.context.runtime.clock.now();
        let Some(redeployed) = self.session.redeployed.as_mut() else { return };
        redeployed.pause = Some(now.saturating_sub(redeployed.began));
        let checkpoint_id = redeployed.checkpoint_id;
        let (overrides, probation) = match (&redeployed.purpose, self.session.trial.as_ref()) {
            (DeployedFor::Rescale { overrides, .. }, _) => (overrides.clone(), false),
            (DeployedFor::Upgrade, Some(trial)) => (trial.overrides.clone(), true),
            (DeployedFor::Upgrade, None) => return,
        };
        self.request(RecordRequest::Override { checkpoint_id, graph: self.context.graph.clone(), overrides, probation });
    }

    /// The log has the change. One that was made by a swap goes on as it is.
    pub(in crate::job) fn on_overridden(&mut self) {
        let now = self.context.runtime.clock.now();
        let Some(Redeployed { checkpoint_id, pause, purpose, .. }) = self.session.redeployed.take() else { return };
        let pause = pause.unwrap_or_default();
        match purpose {
            DeployedFor::Rescale { old, reply, .. } => {
                *self.session.unproven = Some(old);
                _ = reply.send(Ok(Rescaled { checkpoint_id, pause }));
            }
            DeployedFor::Upgrade => {
                if let Some(trial) = self.session.trial {
                    trial.begin(now, pause);
                }
            }
        }
    }

    /// True where a completed checkpoint is provisional: no task may be told of it. One that completes behind the end of the probation, or
    /// behind the end of the input, decides it.
    pub(in crate::job) fn keep_provisional(&mut self, checkpoint_id: CheckpointId, trigger: Trigger) -> bool {
        let now = self.context.runtime.clock.now();
        let Some(trial) = self.session.trial.as_mut().filter(|trial| trial.since.is_some_and(|since| since < checkpoint_id)) else {
            return false;
        };
        trial.newest = Some(checkpoint_id);
        let proven = trigger == Trigger::Final || trial.ends.is_some_and(|ends| now >= ends);
        if proven && !std::mem::replace(&mut trial.deciding, true) {
            self.request(RecordRequest::Accept);
        }
        true
    }

    /// When the probation is over and a checkpoint has to be taken that ends it.
    pub(in crate::job) fn probation_ends(&self) -> Option<Monotonic> {
        self.session.trial.as_ref().filter(|_| !self.probation_over).and_then(|trial| trial.ends)
    }

    pub(in crate::job) fn on_probation_over(&mut self) -> Option<AttemptEnd> {
        self.probation_over = true;
        self.want(Trigger::Requested)
    }

    /// The log says that the upgrade holds.
    pub(in crate::job) fn on_accepted(&mut self) {
        let Some(trial) = self.session.trial.take() else { return };
        *self.session.graph = trial.new;
        self.probation_over = false;
        for (task, _) in tasks_of(self.session.graph, trial.vertex) {
            _ = self.deployment.controls[task].send(TaskControl::EndProbation(trial.vertex));
        }
        if let Some(newest) = trial.newest {
            self.tell_all(|| TaskControl::Complete(newest));
        }
        _ = trial.events.send(UpgradeEvent::Accepted);
    }
}

/// For each subtask of `vertex` the number of its task and its index.
pub(in crate::job) fn tasks_of(graph: &JobGraph, vertex: usize) -> Vec<(usize, u32)> {
    let mut first = 0;
    for task in layout(graph) {
        let parallelism = graph.vertices[task.members[0]].parallelism;
        if task.members.contains(&vertex) {
            return (0..parallelism).map(|index| (first + index as usize, index)).collect();
        }
        first += parallelism as usize;
    }
    Vec::new()
}
