//! One attempt: deploys the tasks and stands between them, the coordinator and the log writer until it is over.
//!
//! It hears one thing at a time (`events`), asks the coordinator what that comes to, and carries its answer out (`actions`); what it hears of its
//! outboxes is `publishing`. Where something ends it, it is left (`leaving`).

mod actions;
mod awaited;
pub(in crate::job) mod change;
pub(in crate::job) mod context;
mod deploy;
mod events;
mod leaving;
pub(in crate::job) mod log_writer;
mod looking_up;
mod publishing;
mod splits;

use crate::checkpoint::{CheckpointCoordinator, JobLog, Trigger};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::awaited::Awaited;
use crate::job::attempt::change::{Redeploy, places_of_tasks, tasks_of};
use crate::job::attempt::context::{AttemptContext, AttemptEnd, Session, WaitsFor};
use crate::job::attempt::deploy::{Deployment, deploy};
pub(in crate::job) use crate::job::attempt::leaving::LEAVE_MAX;
use crate::job::attempt::leaving::leave;
use crate::job::attempt::log_writer::{LogEvent, LogRequest, LogWriter};
use crate::job::attempt::publishing::Waiting;
use crate::job::attempt::splits::{Discovery, Look, Splits, splits_at_start};
use crate::job::control::{JobCommand, StopKind};
use crate::job::{JobGraph, VertexKind};
use crate::outbox::OutboxEvent;
use crate::runtime::{Lane, TaskGroup, panic_message};
use crate::task::TaskEvent;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

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
    leave(context, end, &group, log, session).await
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
    /// The first vertex and the subtask of each task.
    places: Vec<(usize, u32)>,
    tasks_reading: usize,
    /// Tasks that are still restoring.
    tasks_starting: usize,
    pub(in crate::job) redeploy: Option<Redeploy>,
    /// The last checkpoint, once it is complete.
    last: Option<LastCheckpoint>,
    /// Checkpoints that all tasks have acknowledged, and that wait for a marker to be in a target.
    without_marker: Vec<LogRequest>,
    /// What the end of the job waits for.
    waiting: Waiting,
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
            places: places_of_tasks(&context.graph),
            tasks_reading: tasks,
            tasks_starting: tasks,
            redeploy: None,
            last: None,
            without_marker: Vec::new(),
            waiting: Waiting::default(),
        }
    }

    async fn run(mut self) -> AttemptEnd {
        loop {
            self.look_at_outboxes();
            let others = [self.probation_ends(), self.awaited.deadline(), self.publishes_until(), self.says_at()].into_iter().flatten();
            let deadline = others.chain(self.coordinator.next_deadline()).min();
            self.timer = deadline.map(|deadline| self.context.runtime.clock.sleep_until(deadline));
            let event = poll_fn(|cx| self.poll_event(cx)).await;
            // What has become complete, or was published, since the last look.
            self.look_at_outboxes();
            let end = match event {
                Event::Task(task, event) => self.on_task(task, event),
                Event::Log(event) => self.on_log_event(event),
                Event::Outbox(event) => self.on_outbox(event),
                Event::Look(look) => self.on_look(look),
                Event::Stop(kind) => self.on_stop(kind),
                Event::Command(JobCommand::Checkpoint { request, reply }) => self.on_request(request, reply),
                Event::Command(JobCommand::Rescale { change, reply }) => self.on_rescale(change, reply),
                Event::Command(JobCommand::Check { upgrade, reply }) => {
                    self.on_check(upgrade, reply);
                    None
                }
                Event::Command(JobCommand::LookUp { operator, key, reply }) => {
                    self.on_look_up(&operator, key, reply);
                    None
                }
                Event::Command(JobCommand::Upgrade { upgrade, events }) => self.on_upgrade(upgrade, events),
                Event::Time if self.probation_is_over() => self.want(Trigger::Requested),
                Event::Time if self.says_at().is_some_and(|at| self.context.runtime.clock.now() >= at) => {
                    self.say_what_it_waits_for();
                    None
                }
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
                self.context.status.set_running(false);
                self.tell_of_the_end(&end);
                return end;
            }
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
}

/// The sinks in these tasks, and these others, by name.
fn sinks_of(graph: &JobGraph, tasks: &BTreeSet<usize>, others: &[&str]) -> String {
    let sinks = graph.vertices.iter().enumerate().filter(|(_, vertex)| matches!(vertex.kind, VertexKind::Sink(_)));
    let late = sinks.filter(|(place, _)| tasks_of(graph, *place).iter().any(|(task, _)| tasks.contains(task)));
    let ids = late.map(|(_, vertex)| vertex.id.as_str()).chain(others.iter().copied());
    ids.collect::<BTreeSet<_>>().into_iter().map(|id| format!("the sink `{id}`")).collect::<Vec<_>>().join(", ")
}
