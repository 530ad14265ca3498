//! Changing a running job: a rescale goes through a redeployment; an upgrade changes an operator over at a barrier, or through a redeployment
//! where its state has to be migrated, and is on trial until it has proven itself.
//!
//! The rules of a trial are in [`Trial`](crate::job::trial::Trial); this does what it says. On trial, checkpoints are provisional: the log has them,
//! but nothing of them is committed, and a failure of whatever kind goes back to the checkpoint that the trial began at, with the old graph.

use crate::checkpoint::{Override, RestoreOptions, Trigger};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::Attempt;
use crate::job::attempt::context::{AttemptEnd, DeployedFor, Redeployed};
use crate::job::attempt::log_writer::LogRequest;
use crate::job::control::{Fitting, GraphChange, Reply, Rescaled, Upgrade, UpgradeEvent, UpgradeEvents};
use crate::job::restore::{REFUSED, planned};
use crate::job::trial::{Completed, Switched, Trial};
use crate::job::{JobGraph, ResumePoint, VertexKind, layout};
use crate::runtime::Monotonic;
use crate::task::{Successor, TaskControl};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// An upgrade that has changed over, or is about to: its [`Trial`] with all that it is about.
pub(in crate::job) struct TriedUpgrade {
    pub trial: Trial,
    pub old: Arc<JobGraph>,
    pub new: Arc<JobGraph>,
    pub overrides: Vec<Override>,
    vertex: usize,
    /// For each task with the vertex in it its new operator, until these have been sent. The lock is for whoever only looks at an attempt.
    operators: Mutex<Vec<NewOperator>>,
    pub events: UpgradeEvents,
}

/// An operator that is to take over.
struct NewOperator {
    /// The task that it goes to.
    task: usize,
    operator: Successor,
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
    Upgrade(TriedUpgrade),
}

impl Redeploy {
    /// The attempt is over before it comes to it: whoever asked for it learns why.
    pub fn over(self, error: EngineError) {
        self.refuse(error.context("the job goes on as it was: it was over before its tasks could change over"));
    }

    /// It does not come to it: whoever asked for it learns why.
    pub fn refuse(self, error: EngineError) {
        match self.purpose {
            Purpose::Rescale { reply, .. } => _ = reply.send(Err(error)),
            Purpose::Upgrade(tried) => _ = tried.events.send(UpgradeEvent::Refused(error)),
        }
    }
}

impl TriedUpgrade {
    /// True where the new operator keeps other state than the old one, so that it cannot take over what is there.
    fn migrates(&self) -> bool {
        let states = |graph: &JobGraph| graph.vertices[self.vertex].kept_states();
        states(&self.old) != states(&self.new)
    }

    /// The subtasks of this vertex are on trial.
    pub fn vertex(&self) -> usize {
        self.vertex
    }

    /// It goes on from this checkpoint. The redeployment makes its operators itself.
    pub(crate) fn redeployed_behind(mut self, checkpoint_id: CheckpointId) -> Self {
        self.trial.on_redeployment(checkpoint_id);
        Self { operators: Mutex::default(), ..self }
    }

    /// What is said of an upgrade that holds.
    pub fn accepted_text(&self) -> String {
        let component = |graph: &JobGraph| match &graph.vertices[self.vertex].kind {
            VertexKind::Operator(factory) => factory.component().map(|component| component.digest.chars().take(8).collect::<String>()),
            VertexKind::Source { .. } | VertexKind::Sink(_) => None,
        };
        let components = component(&self.old).zip(component(&self.new)).map(|(old, new)| format!(": component {old} → {new}"));
        let behind = self.trial.since().map(|since| format!(", behind checkpoint {since}")).unwrap_or_default();
        format!("{} is upgraded{behind}{}", self.new.vertices[self.vertex].id, components.unwrap_or_default())
    }

    /// The job has ended before anybody decided: the next run has the old operator.
    pub fn ended(self, error: EngineError, to: ResumePoint) {
        if self.trial.is_undecided() {
            _ = self.events.send(UpgradeEvent::RolledBack { error, to });
        }
    }

    /// The new operator works. `pause`: for how long a redeployment stood still.
    fn begin(&mut self, now: Monotonic, pause: Option<Duration>) {
        if let Some(Switched { since, pause }) = self.trial.on_working(now, pause) {
            _ = self.events.send(UpgradeEvent::Switched { checkpoint_id: since, pause });
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
        self.ask(Trigger::Redeploy)
    }

    pub(in crate::job) fn on_upgrade(&mut self, upgrade: Upgrade, events: UpgradeEvents) -> Option<AttemptEnd> {
        match self.tried(upgrade, events.clone()) {
            Ok(tried) if tried.migrates() => {
                self.redeploy = Some(Redeploy { purpose: Purpose::Upgrade(tried), began: None });
                self.ask(Trigger::Redeploy)
            }
            Ok(tried) => {
                *self.session.tried = Some(tried);
                self.ask(Trigger::Upgrade)
            }
            Err(error) => {
                _ = events.send(UpgradeEvent::Refused(error));
                None
            }
        }
    }

    /// Whether an upgrade could begin now, by all that is looked at in front of its barrier, and what it would change. The operators that are made for that are let go.
    pub(in crate::job) fn on_check(&mut self, upgrade: Upgrade, reply: Reply<Fitting>) {
        let changes = planned(&self.session.graph.identity(), &upgrade.change.graph, &RestoreOptions::default()).plan.lines();
        let (events, _) = mpsc::unbounded_channel();
        let fitting = self.tried(upgrade, events).map(|tried| Fitting { changes, migrates: tried.migrates() });
        // Whoever asked may have gone.
        _ = reply.send(fitting);
    }

    /// Why the job cannot change now, or not in this way.
    fn unfit(&self, change: &GraphChange) -> Option<EngineError> {
        let refused = |message: String, hint: &str| Some(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
        if self.session.tried.is_some() {
            return refused("an upgrade is on probation".into(), "wait until it is over");
        }
        if self.redeploy.is_some() || self.session.redeployed.is_some() || self.stop_seen.is_some() {
            return refused("the job is being stopped or rescaled".into(), "wait until that is done");
        }
        if let Some(error) = self.no_room_for_a_change() {
            return Some(error);
        }
        let planned = planned(&self.session.graph.identity(), &change.graph, &RestoreOptions::default());
        planned.accepted_in_place(REFUSED).err()
    }

    /// Everything that can fail before the barrier: the new operators are made here.
    fn tried(&self, upgrade: Upgrade, events: UpgradeEvents) -> Result<TriedUpgrade, EngineError> {
        let Upgrade { change, vertex: id, probation, until_checkpoint } = upgrade;
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
        let mut operators = Vec::new();
        for (task, index) in tasks_of(&new, place) {
            let of_subtask = (index, new.vertices[place].parallelism);
            operators.push(NewOperator { task, operator: Successor::new(new.subtask_place(place, factory, of_subtask))? });
        }
        Ok(TriedUpgrade {
            trial: Trial::new(probation).or_until_checkpoint(until_checkpoint),
            old: self.session.graph.clone(),
            new,
            overrides: change.overrides,
            vertex: place,
            operators: Mutex::new(operators),
            events,
        })
    }

    /// The barrier of the upgrade is about to be sent: the new operators go ahead of it.
    pub(in crate::job) fn send_operators(&mut self, checkpoint_id: CheckpointId) {
        let Some(tried) = self.session.tried else { return };
        tried.trial.on_barrier(checkpoint_id);
        let vertex = tried.vertex;
        let operators = tried.operators.get_mut().unwrap_or_else(PoisonError::into_inner);
        for NewOperator { task, operator } in operators.drain(..) {
            // A task that is gone has sent why.
            _ = self.deployment.controls[task].send(TaskControl::Swap { checkpoint_id, vertex, operator });
        }
    }

    pub(in crate::job) fn on_swapped(&mut self, pause: Duration) {
        if let Some(tried) = self.session.tried {
            tried.trial.on_swapped(pause);
        }
    }

    /// The checkpoint of the upgrade is complete: what follows is provisional.
    pub(in crate::job) fn begin_probation(&mut self, checkpoint_id: CheckpointId) {
        let now = self.context.runtime.clock.now();
        let Some(tried) = self.session.tried else { return };
        tried.begin(now, None);
        self.context.status.set_layout(&tried.new);
        let (graph, overrides) = (tried.new.clone(), tried.overrides.clone());
        self.request(LogRequest::Override { checkpoint_id, graph, overrides, probation: true });
    }

    /// Every task has restored what it was to restore. What the attempt was deployed for has come true, and the log is told before any checkpoint
    /// of the new shape can complete.
    pub(in crate::job) fn on_deployed(&mut self) {
        self.context.status.set_running(true);
        self.context.said_when_restored.iter().for_each(|line| (self.context.notice)(line));
        let now = self.context.runtime.clock.now();
        let Some(redeployed) = self.session.redeployed.as_mut() else { return };
        redeployed.pause = Some(now.saturating_sub(redeployed.began));
        let checkpoint_id = redeployed.checkpoint_id;
        let (overrides, probation) = match (&redeployed.purpose, self.session.tried.as_ref()) {
            (DeployedFor::Rescale { overrides, .. }, _) => (overrides.clone(), false),
            (DeployedFor::Upgrade, Some(tried)) => (tried.overrides.clone(), true),
            (DeployedFor::Upgrade, None) => return,
        };
        self.request(LogRequest::Override { checkpoint_id, graph: self.context.graph.clone(), overrides, probation });
    }

    /// The log has the change. One that was made by a swap goes on as it is.
    pub(in crate::job) fn on_overridden(&mut self) {
        let now = self.context.runtime.clock.now();
        let Some(Redeployed { checkpoint_id, pause, purpose, .. }) = self.session.redeployed.take() else { return };
        let pause = pause.unwrap_or_default();
        match purpose {
            DeployedFor::Rescale { old, reply, .. } => {
                (self.context.notice)(&rescaled_text(checkpoint_id, &old.graph, self.session.graph));
                *self.session.unproven = Some(old);
                _ = reply.send(Ok(Rescaled { checkpoint_id, pause }));
            }
            DeployedFor::Upgrade => {
                if let Some(tried) = self.session.tried {
                    tried.begin(now, Some(pause));
                }
            }
        }
    }

    /// True where a completed checkpoint is provisional: no task may be told of it.
    pub(in crate::job) fn keep_provisional(&mut self, checkpoint_id: CheckpointId, trigger: Trigger) -> bool {
        let now = self.context.runtime.clock.now();
        match self.session.tried.as_mut().map(|tried| tried.trial.on_completed(checkpoint_id, trigger, now)) {
            None | Some(Completed::ForGood) => false,
            Some(Completed::Provisionally) => true,
            Some(Completed::AsProof) => {
                self.request(LogRequest::Accept);
                true
            }
        }
    }

    /// When the probation is over and a checkpoint has to be taken that ends it.
    pub(in crate::job) fn probation_ends(&self) -> Option<Monotonic> {
        self.session.tried.as_ref().and_then(|tried| tried.trial.deadline())
    }

    /// True, once, where the probation is over.
    pub(in crate::job) fn probation_is_over(&mut self) -> bool {
        let now = self.context.runtime.clock.now();
        self.session.tried.as_mut().is_some_and(|tried| tried.trial.on_time(now))
    }

    /// The log says that the upgrade holds.
    pub(in crate::job) fn on_accepted(&mut self) {
        let Some(tried) = self.session.tried.take() else { return };
        (self.context.notice)(&tried.accepted_text());
        *self.session.graph = tried.new;
        for (task, _) in tasks_of(self.session.graph, tried.vertex) {
            _ = self.deployment.controls[task].send(TaskControl::EndProbation(tried.vertex));
        }
        if let Some(newest) = tried.trial.on_accepted() {
            self.context.outboxes.on_final(newest);
            self.tell_all(|| TaskControl::Complete(newest));
        }
        _ = tried.events.send(UpgradeEvent::Accepted);
    }
}

/// What is said of a rescale that has been made, behind this checkpoint.
pub(in crate::job) fn rescaled_text(checkpoint_id: CheckpointId, old: &JobGraph, new: &JobGraph) -> String {
    let both = old.vertices.iter().zip(&new.vertices).filter(|(old, new)| old.parallelism != new.parallelism);
    let steps: Vec<String> = both.map(|(old, new)| format!("{} {} → {}", new.id, old.parallelism, new.parallelism)).collect();
    let steps = if steps.is_empty() { "every step as it was".to_owned() } else { steps.join(", ") };
    format!("rescaled behind checkpoint {checkpoint_id}: {steps}")
}

/// For each task, by its number, its first vertex and the subtask.
pub(in crate::job) fn places_of_tasks(graph: &JobGraph) -> Vec<(usize, u32)> {
    let subtasks = |head: usize| (0..graph.vertices[head].parallelism).map(move |index| (head, index));
    layout(graph).into_iter().flat_map(|task| subtasks(task.members[0])).collect()
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
