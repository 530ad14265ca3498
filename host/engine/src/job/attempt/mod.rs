//! One attempt: deploys the tasks and stands between them, the coordinator and the log writer until it is over.

mod awaited;
pub(in crate::job) mod change;
pub(in crate::job) mod context;
mod deploy;
pub(in crate::job) mod log_writer;
mod publishing;
mod splits;

use crate::checkpoint::{BARRIER_MAX, CheckpointCoordinator, CheckpointMode, CoordinatorAction, JobLog, Trigger};
use crate::element::{BarrierAlignment, CheckpointId};
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::awaited::Awaited;
use crate::job::attempt::change::{Redeploy, tasks_of};
use crate::job::attempt::context::{AttemptContext, AttemptEnd, Session, WaitsFor, inside_calls};
use crate::job::attempt::deploy::{Deployment, deploy};
use crate::job::attempt::log_writer::{LogEvent, LogRequest, LogWriter};
use crate::job::attempt::splits::{Assignment, Discovery, Look, Splits, splits_at_start};
use crate::job::control::{CheckpointRequest, HeldCheckpoint, JobCommand, JobInbox, Reply, StopKind};
use crate::job::status::CheckpointItem;
use crate::job::{JobGraph, VertexKind};
use crate::outbox::OutboxEvent;
use crate::runtime::{Clock, Lane, TaskGroup, panic_message};
use crate::task::{TaskControl, TaskEvent};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, join, select};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

/// A process that ends does not wait longer for what its tasks are at: one may be inside a long call, and what it does there is thrown away.
pub(in crate::job) const LEAVE_MAX: Duration = Duration::from_millis(300);

enum Event {
    Task(usize, TaskEvent),
    Log(LogEvent),
    Outbox(OutboxEvent),
    Look(Look),
    Stop(StopKind),
    Command(JobCommand),
    Time,
}

/// Runs one attempt to its end. The log comes back with what was appended; `None`: the process ends, and its storage has no answer.
pub(in crate::job) async fn run_attempt(context: &AttemptContext, log: JobLog, mut session: Session<'_>) -> (AttemptEnd, Option<JobLog>) {
    let owner = (context.attempt, context.nonce.clone());
    let (retain, pins) = (context.retain, session.inbox.pins.clone());
    let log_writer =
        LogWriter::new(log, context.store.clone(), context.runtime.clock.clone(), context.graph.clone(), owner, (retain, pins))
            .with_outboxes(context.outboxes.clone(), context.kept.clone());
    let (requests, received) = mpsc::unbounded_channel();
    let (answers, log_events) = mpsc::unbounded_channel();
    let (done, log) = oneshot::channel();
    // Not part of the attempt's group: it finishes what it has begun.
    let serve = async move { _ = done.send(log_writer.run(received, answers).await) };
    context.runtime.spawn.spawn(Lane::Control, "log-writer", serve.boxed());

    let (panicked, panics) = mpsc::unbounded_channel::<String>();
    let on_panic = Arc::new(move |name: &str, message: &str| _ = panicked.send(format!("task {name} panicked: {message}")));
    let group = TaskGroup::new(context.runtime.spawn.clone(), on_panic);
    *session.waits_for = WaitsFor::Sources;
    let splits = splits_at_start(context).await;
    *session.waits_for = WaitsFor::Either;
    let end = match splits.and_then(|splits| deployed(context, &group, splits)) {
        Ok(deployment) => Attempt::new(context, deployment, requests, log_events, panics, session.lent()).run().await,
        Err(error) => {
            drop(requests);
            AttemptEnd::Failed(error)
        }
    };
    group.abort();
    let log = async { log.await.expect("the log writer hands the log back") };
    let clock = &context.runtime.clock;
    let no_longer = |most: Duration| clock.sleep_until(clock.now() + most);
    *session.waits_for = WaitsFor::Tasks(group.clone());
    let end = if end.another_may_follow() { end.after(&left(&group, session.inbox, &**clock).await) } else { end };
    *session.waits_for = if matches!(end, AttemptEnd::Stopped) { WaitsFor::Nothing } else { WaitsFor::Storage };
    let log = match &end {
        AttemptEnd::Redeploy(_) | AttemptEnd::Failed(_) | AttemptEnd::NotLeft(_) => Some(log.await),
        AttemptEnd::Finished => Some(join(group.ended(), log).await.1),
        // What is left of a stop is to delete what the last checkpoint has made superfluous, which the next run does as well.
        AttemptEnd::Stopped => {
            match select(join(select(group.ended().boxed(), no_longer(LEAVE_MAX)), log).boxed(), no_longer(BARRIER_MAX)).await {
                Either::Left(((_, log), _)) => Some(log),
                Either::Right(_) => None,
            }
        }
        AttemptEnd::StopGivenUp(_) | AttemptEnd::Cancelled => match select(join(group.ended(), log).boxed(), no_longer(LEAVE_MAX)).await {
            Either::Left(((_, log), _)) => Some(log),
            Either::Right(_) => None,
        },
    };
    (end, log)
}

/// Waits until the tasks of an attempt that is over have left, but no longer than [`BARRIER_MAX`] behind a stop: the next attempt would have to wait for them, and one
/// may be inside a long call. The names of those that have not left.
async fn left(group: &TaskGroup, inbox: &JobInbox, clock: &dyn Clock) -> Vec<String> {
    let long_enough = async {
        inbox.stopped().await;
        clock.sleep_until(clock.now().saturating_add(BARRIER_MAX)).await;
    };
    match select(pin!(group.ended()), pin!(long_enough)).await {
        Either::Left(_) => Vec::new(),
        Either::Right(_) => group.running(),
    }
}

impl AttemptEnd {
    /// True where the job may go on in another attempt, which begins when no task of this one is left.
    fn another_may_follow(&self) -> bool {
        match self {
            Self::Redeploy(_) | Self::Failed(_) => true,
            Self::Finished | Self::Stopped | Self::StopGivenUp(_) | Self::NotLeft(_) | Self::Cancelled => false,
        }
    }

    /// The same where these tasks have not left in the time that a stop gives them: then none follows.
    fn after(self, late: &[String]) -> Self {
        if late.is_empty() {
            return self;
        }
        let hint = "`time-per-batch` in the `limits` of a step bounds how long a call may take";
        let not_left = |error: EngineError| Self::NotLeft(error.context(format!("stop the job: {}", inside_calls(late))).with_hint(hint));
        match self {
            Self::Failed(error) => not_left(error),
            Self::Redeploy(redeploy) => {
                let error = EngineError::new(ErrorKind::Restart, "the job was about to change over");
                redeploy.refuse(error.clone());
                not_left(error)
            }
            Self::Finished | Self::Stopped | Self::StopGivenUp(_) | Self::NotLeft(_) | Self::Cancelled => self,
        }
    }
}

/// As [`deploy`], where a panic is an error: what cannot be deployed must not take the job with it.
fn deployed(context: &AttemptContext, group: &TaskGroup, splits: Splits) -> Result<Deployed, EngineError> {
    let discovery = Discovery::begin(context, group, &splits);
    std::panic::catch_unwind(AssertUnwindSafe(|| deploy(context, group, splits)))
        .map(|tasks| tasks.map(|tasks| Deployed { tasks, discovery }))
        .unwrap_or_else(|panic| Err(EngineError::new(ErrorKind::Bug, format!("deploy the job: {}", panic_message(&*panic)))))
}

/// The tasks of an attempt, and what looks for more to read.
struct Deployed {
    tasks: Deployment,
    discovery: Discovery,
}

pub(in crate::job) struct Attempt<'a> {
    pub(in crate::job) context: &'a AttemptContext,
    pub(in crate::job) session: Session<'a>,
    coordinator: CheckpointCoordinator,
    pub(in crate::job) deployment: Deployment,
    discovery: Discovery,
    requests: mpsc::UnboundedSender<LogRequest>,
    log_events: mpsc::UnboundedReceiver<LogEvent>,
    panics: mpsc::UnboundedReceiver<String>,
    timer: Option<BoxFuture<'static, ()>>,
    pub(in crate::job) stop_seen: Option<StopKind>,
    /// Checkpoints that were asked for.
    awaited: Awaited,
    tasks_reading: usize,
    /// Tasks that are still restoring.
    tasks_starting: usize,
    pub(in crate::job) redeploy: Option<Redeploy>,
    /// The last checkpoint, once it is complete.
    last: Option<LastCheckpoint>,
    /// Checkpoints that all tasks have acknowledged, and that wait for a marker to be in a target.
    without_marker: Vec<LogRequest>,
}

/// What an attempt ends with.
#[derive(Clone, Copy)]
struct LastCheckpoint {
    checkpoint_id: CheckpointId,
    trigger: Trigger,
    /// Tasks that have yet to commit it.
    uncommitted: usize,
    /// The log is being told that the job is finished.
    finishing: bool,
}

impl<'a> Attempt<'a> {
    fn new(
        context: &'a AttemptContext,
        deployed: Deployed,
        requests: mpsc::UnboundedSender<LogRequest>,
        log_events: mpsc::UnboundedReceiver<LogEvent>,
        panics: mpsc::UnboundedReceiver<String>,
        session: Session<'a>,
    ) -> Self {
        let Deployed { tasks: deployment, discovery } = deployed;
        let tasks = deployment.controls.len();
        let coordinator = CheckpointCoordinator::new(context.config, tasks, context.next_checkpoint, context.runtime.clock.now());
        Self {
            context,
            coordinator,
            deployment,
            discovery,
            requests,
            log_events,
            panics,
            timer: None,
            session,
            stop_seen: None,
            awaited: Awaited::default(),
            tasks_reading: tasks,
            tasks_starting: tasks,
            redeploy: None,
            last: None,
            without_marker: Vec::new(),
        }
    }

    async fn run(mut self) -> AttemptEnd {
        loop {
            self.coordinator.set_stalled(self.context.outboxes.stop_sinks(), self.context.runtime.clock.now());
            let others = [self.probation_ends(), self.awaited.deadline(), self.publishes_until()].into_iter().flatten();
            let deadline = others.chain(self.coordinator.next_deadline()).min();
            self.timer = deadline.map(|deadline| self.context.runtime.clock.sleep_until(deadline));
            let event = poll_fn(|cx| self.poll_event(cx)).await;
            let end = match event {
                Event::Task(task, event) => self.on_task(task, event),
                Event::Log(event) => self.on_log_event(event),
                Event::Outbox(event) => self.on_outbox(event),
                Event::Look(look) => self.on_look(look),
                Event::Stop(kind) => self.on_stop(kind),
                Event::Command(JobCommand::Checkpoint { request, reply }) => self.on_request(request, reply),
                Event::Command(JobCommand::Rescale { change, reply }) => self.on_rescale(change, reply),
                Event::Command(JobCommand::Upgrade { upgrade, events }) => self.on_upgrade(upgrade, events),
                Event::Time if self.probation_is_over() => self.want(Trigger::Requested),
                Event::Time if self.publishes_until().is_some_and(|until| self.context.runtime.clock.now() >= until) => {
                    self.on_publishing_too_long()
                }
                Event::Time => {
                    let outboxes = &self.context.outboxes;
                    self.awaited.on_time(self.context.runtime.clock.now(), |checkpoint_id, tasks| {
                        sinks_of(&self.context.graph, tasks, &outboxes.unpublished(checkpoint_id))
                    });
                    let actions = self.coordinator.on_time(self.context.runtime.clock.now());
                    self.follow(actions)
                }
            };
            if let Some(end) = end {
                self.tell_of_the_end(&end);
                return end;
            }
        }
    }

    /// Answers whoever has asked for something that this attempt has not come to.
    fn tell_of_the_end(&mut self, end: &AttemptEnd) {
        let why = match end {
            AttemptEnd::Failed(error) | AttemptEnd::StopGivenUp(error) | AttemptEnd::NotLeft(error) => error.clone(),
            AttemptEnd::Redeploy(_) => EngineError::new(ErrorKind::Retry, "the job changes over to another shape"),
            AttemptEnd::Finished | AttemptEnd::Stopped => EngineError::new(ErrorKind::Restart, "the job has ended"),
            AttemptEnd::Cancelled => EngineError::new(ErrorKind::Restart, "the job was cancelled"),
        };
        self.awaited.on_attempt_over(&why);
        if let Some(redeploy) = self.redeploy.take() {
            redeploy.refuse(why);
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Poll::Ready(Some((task, event))) = self.deployment.events.poll_recv(cx) {
            return Poll::Ready(Event::Task(task, event));
        }
        if let Poll::Ready(Some(panic)) = self.panics.poll_recv(cx) {
            return Poll::Ready(Event::Task(0, TaskEvent::Failed(EngineError::new(ErrorKind::Restart, panic))));
        }
        if let Poll::Ready(Some(event)) = self.log_events.poll_recv(cx) {
            return Poll::Ready(Event::Log(event));
        }
        if let Poll::Ready(Some(event)) = self.deployment.published.poll_recv(cx) {
            return Poll::Ready(Event::Outbox(event));
        }
        if let Poll::Ready(kind) = self.session.inbox.poll_stop(self.stop_seen, cx) {
            return Poll::Ready(Event::Stop(kind));
        }
        if let Poll::Ready(command) = self.session.inbox.poll_command(cx) {
            return Poll::Ready(Event::Command(command));
        }
        if let Poll::Ready(look) = self.discovery.poll(cx) {
            return Poll::Ready(Event::Look(look));
        }
        match &mut self.timer {
            Some(timer) => timer.poll_unpin(cx).map(|()| Event::Time),
            None => Poll::Pending,
        }
    }

    fn on_stop(&mut self, kind: StopKind) -> Option<AttemptEnd> {
        self.stop_seen = Some(kind);
        if kind.is_prompt() {
            self.session.stop_began.get_or_insert(self.context.runtime.clock.now());
        }
        if self.session.tried.is_some() && kind != StopKind::Cancel {
            // The old component takes the last checkpoint, in the attempt that follows.
            return Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, "the job was stopped while an upgrade was on probation")));
        }
        match kind {
            StopKind::Drain => {
                self.tell_all(|| TaskControl::Drain);
                None
            }
            StopKind::SuspendForSavepoint => self.suspend(Trigger::StopSavepoint),
            StopKind::Suspend => self.suspend(Trigger::Stop),
            StopKind::Cancel => Some(AttemptEnd::Cancelled),
        }
    }

    fn suspend(&mut self, trigger: Trigger) -> Option<AttemptEnd> {
        let now = self.context.runtime.clock.now();
        let actions = self.coordinator.stop(trigger, self.session.stop_began.unwrap_or(now), now);
        self.follow(actions)
    }

    fn on_request(&mut self, request: CheckpointRequest, reply: Reply<HeldCheckpoint>) -> Option<AttemptEnd> {
        let trigger = match request {
            CheckpointRequest::Checkpoint => Trigger::Requested,
            CheckpointRequest::Savepoint => Trigger::Savepoint,
            CheckpointRequest::UnalignedSavepoint => Trigger::UnalignedSavepoint,
        };
        if self.session.tried.is_some() && trigger != Trigger::Requested {
            // It would hold what a rollback takes back.
            let error = EngineError::new(ErrorKind::FixInput, "an upgrade is on probation").with_hint("wait until it is over");
            _ = reply.send(Err(error));
            return None;
        }
        if trigger == Trigger::UnalignedSavepoint && self.context.config.mode == CheckpointMode::AtLeastOnce {
            let message = "take an unaligned savepoint: the job is at-least-once, where no channel is held back and a barrier has nothing to overtake";
            _ = reply.send(Err(EngineError::new(ErrorKind::FixInput, message).with_hint("leave `--unaligned` out")));
            return None;
        }
        self.awaited.ask(trigger, reply);
        self.want(trigger)
    }

    pub(in crate::job) fn want(&mut self, trigger: Trigger) -> Option<AttemptEnd> {
        let actions = self.coordinator.want(trigger, self.context.runtime.clock.now());
        self.follow(actions)
    }

    fn on_task(&mut self, task: usize, event: TaskEvent) -> Option<AttemptEnd> {
        let now = self.context.runtime.clock.now();
        let actions = match event {
            TaskEvent::Captured(checkpoint_id) => {
                self.coordinator.on_captured(checkpoint_id, task);
                return None;
            }
            TaskEvent::Acknowledged { checkpoint_id, parts } => self.coordinator.on_acknowledged(checkpoint_id, task, parts, now),
            TaskEvent::Declined { checkpoint_id, decline } => self.coordinator.on_declined(checkpoint_id, decline, now),
            TaskEvent::InputEnded => {
                self.tasks_reading -= 1;
                if self.tasks_reading > 0 {
                    return None;
                }
                self.coordinator.want(Trigger::Final, now)
            }
            TaskEvent::Running => return self.on_running(),
            TaskEvent::Swapped(pause) => {
                self.on_swapped(pause);
                return None;
            }
            TaskEvent::Committed(checkpoint_id) => return self.on_committed(checkpoint_id, task),
            TaskEvent::Failed(error) => return Some(AttemptEnd::Failed(error)),
        };
        self.follow(actions)
    }

    fn on_running(&mut self) -> Option<AttemptEnd> {
        self.tasks_starting -= 1;
        if self.tasks_starting > 0 {
            return None;
        }
        self.on_deployed();
        None
    }

    fn on_committed(&mut self, checkpoint_id: CheckpointId, task: usize) -> Option<AttemptEnd> {
        self.awaited.on_committed(checkpoint_id, task, &self.context.outboxes);
        let last = self.last.as_mut().filter(|last| last.checkpoint_id == checkpoint_id)?;
        last.uncommitted -= 1;
        self.end_if_done()
    }

    fn on_look(&mut self, look: Look) -> Option<AttemptEnd> {
        match self.discovery.on_look(look) {
            Ok((vertex, ids)) => {
                let source = &self.context.graph.vertices[vertex].id;
                ids.iter()
                    .for_each(|id| (self.context.notice)(&format!("{source}: {id} has come and is read from the next checkpoint on")));
                None
            }
            Err(error) => Some(AttemptEnd::Failed(error)),
        }
    }

    fn on_log_event(&mut self, event: LogEvent) -> Option<AttemptEnd> {
        let now = self.context.runtime.clock.now();
        let actions = match event {
            LogEvent::Written { checkpoint, duration, bytes } => {
                let checkpoint_id = checkpoint.checkpoint_id;
                let duration_ms = duration.as_millis() as u64;
                info!(%checkpoint_id, duration_ms, bytes, "checkpoint completed");
                self.context.status.on_completed(CheckpointItem { checkpoint_id, duration_ms, bytes });
                let deadline = now.saturating_add(self.context.config.timeout);
                self.awaited.on_completed(checkpoint, self.deployment.controls.len(), deadline);
                let actions = self.coordinator.on_written(checkpoint_id, now);
                let end = self.follow(actions);
                self.request(LogRequest::Collect(self.context.bases.in_use()));
                return end;
            }
            LogEvent::NotWritten { checkpoint_id, error } => self.coordinator.on_not_written(checkpoint_id, error.to_string(), now),
            LogEvent::Overridden => {
                self.on_overridden();
                return None;
            }
            LogEvent::Accepted => {
                self.on_accepted();
                return None;
            }
            LogEvent::Finished => return Some(AttemptEnd::Finished),
            LogEvent::Over(error) => return Some(AttemptEnd::Failed(error)),
        };
        self.follow(actions)
    }

    fn follow(&mut self, actions: Vec<CoordinatorAction>) -> Option<AttemptEnd> {
        for action in actions {
            match action {
                CoordinatorAction::Trigger { checkpoint_id, trigger, alignment } => {
                    self.context.bases.on_triggered(checkpoint_id);
                    self.awaited.on_triggered(checkpoint_id, trigger, &self.session.inbox.pins);
                    let usual = self.context.config.alignment;
                    if trigger.ends_the_job() && alignment == BarrierAlignment::Unaligned && usual != BarrierAlignment::Unaligned {
                        self.say_that_it_overtakes();
                    }
                    self.before_trigger(checkpoint_id, trigger);
                    for Assignment { task, splits } in self.discovery.assignments(trigger) {
                        _ = self.deployment.controls[task].send(TaskControl::Assign(splits));
                    }
                    self.tell_all(|| TaskControl::Trigger { checkpoint_id, trigger, alignment });
                }
                CoordinatorAction::Write { checkpoint_id, trigger, duration, parts } => {
                    self.discovery.on_acknowledged(&parts);
                    self.write(LogRequest::Completed { checkpoint_id, trigger, duration, parts });
                }
                CoordinatorAction::NotifyComplete { checkpoint_id, trigger } => {
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
                }
                CoordinatorAction::Abort { checkpoint_id, trigger, duration, reason } => {
                    warn!(%checkpoint_id, %reason, "checkpoint failed");
                    self.context.status.failed.add(1);
                    self.context.bases.on_failed(checkpoint_id);
                    self.awaited.on_failed(checkpoint_id, &reason);
                    self.tell_all(|| TaskControl::Abort(checkpoint_id));
                    let failed =
                        (trigger == Trigger::Upgrade).then(|| format!("checkpoint {checkpoint_id} of the upgrade failed: {reason}"));
                    self.request(LogRequest::Failed { checkpoint_id, trigger, duration, reason });
                    if let Some(message) = failed {
                        // Some tasks may have changed over.
                        return Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, message)));
                    }
                }
                CoordinatorAction::Overtake { checkpoint_id } => {
                    self.say_that_it_overtakes();
                    self.tell_all(|| TaskControl::Overtake(checkpoint_id));
                }
                CoordinatorAction::GiveUpStop { reason } => {
                    return Some(self.stopped_unpublished().unwrap_or_else(|| AttemptEnd::StopGivenUp(self.given_up(&reason))));
                }
                CoordinatorAction::FailJob { reason } => return Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, reason))),
            }
        }
        None
    }

    fn say_that_it_overtakes(&self) {
        (self.context.notice)("the last checkpoint takes long: its barriers overtake the records in front of them");
    }

    fn given_up(&self, reason: &str) -> EngineError {
        let after = self.context.config.stop_timeout;
        let message = match &self.last {
            Some(LastCheckpoint { checkpoint_id, .. }) => {
                format!("stop the job: checkpoint {checkpoint_id} is complete, but its output is not all committed ({reason})")
            }
            None if !self.without_marker.is_empty() => {
                format!("stop the job: {} after {after:?} ({reason})", self.waits_for_markers())
            }
            None => format!("stop the job: its last checkpoint is given up after {after:?} ({reason})"),
        };
        EngineError::new(ErrorKind::Restart, message).with_hint("`stop-timeout` in [checkpoints] gives a stop more time")
    }

    fn before_trigger(&mut self, checkpoint_id: CheckpointId, trigger: Trigger) {
        match (trigger, &mut self.redeploy) {
            (Trigger::Upgrade, _) => self.send_operators(checkpoint_id),
            (Trigger::Redeploy, Some(redeploy)) => redeploy.began = Some(self.context.runtime.clock.now()),
            _ => {}
        }
    }

    pub(in crate::job) fn tell_all(&self, control: impl Fn() -> TaskControl) {
        // A task that is gone has sent why, or panicked: both end the attempt.
        self.deployment.controls.iter().for_each(|task| _ = task.send(control()));
    }

    pub(in crate::job) fn request(&self, request: LogRequest) {
        _ = self.requests.send(request);
    }
}

/// The sinks in these tasks, and these others, by name.
fn sinks_of(graph: &JobGraph, tasks: &BTreeSet<usize>, others: &[&str]) -> String {
    let sinks = graph.vertices.iter().enumerate().filter(|(_, vertex)| matches!(vertex.kind, VertexKind::Sink(_)));
    let late = sinks.filter(|(place, _)| tasks_of(graph, *place).iter().any(|(task, _)| tasks.contains(task)));
    let ids = late.map(|(_, vertex)| vertex.id.as_str()).chain(others.iter().copied());
    ids.collect::<BTreeSet<_>>().into_iter().map(|id| format!("the sink `{id}`")).collect::<Vec<_>>().join(", ")
}
