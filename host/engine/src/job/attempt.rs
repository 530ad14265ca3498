//! One attempt: deploys the tasks and stands between them, the coordinator and the recorder until it is over.

use super::attempt_context::{AttemptContext, AttemptEnd, Redeployed, Session};
use super::change::Redeploy;
use super::control::{CheckpointRequest, HeldCheckpoint, JobCommand, Reply, Rescaled, StopKind};
use super::deploy::{Deployment, deploy};
use super::pins::Pin;
use super::recorder::{RecordEvent, RecordRequest, Recorder};
use super::status::CheckpointItem;
use crate::checkpoint::{CheckpointCoordinator, CoordinatorAction, JobLog, Trigger};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::runtime::{Lane, TaskGroup};
use crate::task::{TaskControl, TaskEvent};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

enum Event {
    Task(usize, TaskEvent),
    Record(RecordEvent),
    Stop(StopKind),
    Command(JobCommand),
    Time,
}

/// Runs one attempt to its end. The log comes back with what was appended.
pub(super) async fn run_attempt(context: &AttemptContext, log: JobLog, session: Session<'_>) -> (AttemptEnd, JobLog) {
    let owner = (context.attempt, context.nonce.clone());
    let (retain, pins) = (context.retain, session.inbox.pins.clone());
    let recorder = Recorder::new(log, context.store.clone(), context.runtime.clock.clone(), context.graph.clone(), owner, (retain, pins));
    let (requests, received) = mpsc::unbounded_channel();
    let (answers, records) = mpsc::unbounded_channel();
    let (done, log) = oneshot::channel();
    // Not part of the attempt's group: it finishes what it has begun.
    let serve = async move { _ = done.send(recorder.run(received, answers).await) };
    context.runtime.spawn.spawn(Lane::Control, "recorder", serve.boxed());

    let (panicked, panics) = mpsc::unbounded_channel::<String>();
    let on_panic = Arc::new(move |name: &str, message: &str| _ = panicked.send(format!("task {name} panicked: {message}")));
    let group = TaskGroup::new(context.runtime.spawn.clone(), on_panic);
    let end = match deploy(context, &group) {
        Ok(deployment) => Attempt::new(context, deployment, requests, records, panics, session).run().await,
        Err(error) => {
            drop(requests);
            AttemptEnd::Failed(error)
        }
    };
    group.abort();
    group.ended().await;
    let log = log.await.expect("the recorder hands the log back");
    (end, log)
}

pub(super) struct Attempt<'a> {
    pub(super) context: &'a AttemptContext,
    pub(super) session: Session<'a>,
    coordinator: CheckpointCoordinator,
    pub(super) deployment: Deployment,
    requests: mpsc::UnboundedSender<RecordRequest>,
    records: mpsc::UnboundedReceiver<RecordEvent>,
    panics: mpsc::UnboundedReceiver<String>,
    timer: Option<BoxFuture<'static, ()>>,
    pub(super) stop_seen: Option<StopKind>,
    /// Checkpoints that were asked for and have not been triggered, in the order in which they will be,
    asked: VecDeque<(Trigger, Reply<HeldCheckpoint>)>,
    /// and those that are under way.
    awaited: BTreeMap<CheckpointId, (Pin, Reply<HeldCheckpoint>)>,
    tasks_reading: usize,
    /// Tasks that are still restoring.
    tasks_starting: usize,
    pub(super) redeploy: Option<Redeploy>,
    /// The checkpoint that ends the probation has been asked for.
    pub(super) probation_over: bool,
    /// The last checkpoint, once it is complete, and how many tasks have yet to commit it.
    last: Option<(CheckpointId, Trigger, usize)>,
}

impl<'a> Attempt<'a> {
    fn new(
        context: &'a AttemptContext,
        deployment: Deployment,
        requests: mpsc::UnboundedSender<RecordRequest>,
        records: mpsc::UnboundedReceiver<RecordEvent>,
        panics: mpsc::UnboundedReceiver<String>,
        session: Session<'a>,
    ) -> Self {
        let tasks = deployment.controls.len();
        let coordinator = CheckpointCoordinator::new(context.config, tasks, context.next_checkpoint, context.runtime.clock.now());
        Self {
            context,
            coordinator,
            deployment,
            requests,
            records,
            panics,
            timer: None,
            session,
            stop_seen: None,
            asked: VecDeque::new(),
            awaited: BTreeMap::new(),
            tasks_reading: tasks,
            tasks_starting: tasks,
            redeploy: None,
            probation_over: false,
            last: None,
        }
    }

    async fn run(mut self) -> AttemptEnd {
        loop {
            let deadline = self.coordinator.next_deadline().into_iter().chain(self.probation_ends()).min();
            self.timer = deadline.map(|deadline| self.context.runtime.clock.sleep_until(deadline));
            let event = poll_fn(|cx| self.poll_event(cx)).await;
            let end = match event {
                Event::Task(task, event) => self.on_task(task, event),
                Event::Record(event) => self.on_record(event),
                Event::Stop(kind) => self.on_stop(kind),
                Event::Command(JobCommand::Checkpoint { request, reply }) => self.on_request(request, reply),
                Event::Command(JobCommand::Rescale { change, reply }) => self.on_rescale(change, reply),
                Event::Command(JobCommand::Upgrade { upgrade, events }) => self.on_upgrade(upgrade, events),
                Event::Time if self.probation_ends().is_some_and(|ends| self.context.runtime.clock.now() >= ends) => {
                    self.on_probation_over()
                }
                Event::Time => {
                    let actions = self.coordinator.on_time(self.context.runtime.clock.now());
                    self.follow(actions)
                }
            };
            if let Some(end) = end {
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
        if let Poll::Ready(Some(event)) = self.records.poll_recv(cx) {
            return Poll::Ready(Event::Record(event));
        }
        if let Poll::Ready(kind) = self.session.inbox.poll_stop(self.stop_seen, cx) {
            return Poll::Ready(Event::Stop(kind));
        }
        if let Poll::Ready(command) = self.session.inbox.poll_command(cx) {
            return Poll::Ready(Event::Command(command));
        }
        match &mut self.timer {
            Some(timer) => timer.poll_unpin(cx).map(|()| Event::Time),
            None => Poll::Pending,
        }
    }

    fn on_stop(&mut self, kind: StopKind) -> Option<AttemptEnd> {
        self.stop_seen = Some(kind);
        if self.session.trial.is_some() && kind != StopKind::Cancel {
            // The old component takes the last checkpoint, in the attempt that follows.
            return Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, "the job was stopped while an upgrade was on probation")));
        }
        match kind {
            StopKind::Drain => {
                self.tell_all(|| TaskControl::Drain);
                None
            }
            StopKind::Suspend => self.want(Trigger::Stop),
            StopKind::Cancel => Some(AttemptEnd::Cancelled),
        }
    }

    fn on_request(&mut self, request: CheckpointRequest, reply: Reply<HeldCheckpoint>) -> Option<AttemptEnd> {
        let trigger = match request {
            CheckpointRequest::Checkpoint => Trigger::Requested,
            CheckpointRequest::Savepoint => Trigger::Savepoint,
            CheckpointRequest::UnalignedSavepoint => Trigger::UnalignedSavepoint,
        };
        if self.session.trial.is_some() && trigger != Trigger::Requested {
            // It would hold what a rollback takes back.
            let error = EngineError::new(ErrorKind::FixInput, "an upgrade is on probation").with_hint("wait until it is over");
            _ = reply.send(Err(error));
            return None;
        }
        self.asked.push_back((trigger, reply));
        self.want(trigger)
    }

    pub(super) fn want(&mut self, trigger: Trigger) -> Option<AttemptEnd> {
        let actions = self.coordinator.want(trigger, self.context.runtime.clock.now());
        self.follow(actions)
    }

    fn on_task(&mut self, task: usize, event: TaskEvent) -> Option<AttemptEnd> {
        let now = self.context.runtime.clock.now();
        let actions = match event {
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
            TaskEvent::Committed(checkpoint_id) => return self.on_committed(checkpoint_id),
            TaskEvent::Failed(error) => return Some(AttemptEnd::Failed(error)),
        };
        self.follow(actions)
    }

    fn on_running(&mut self) -> Option<AttemptEnd> {
        self.tasks_starting -= 1;
        if self.tasks_starting > 0 {
            return None;
        }
        let now = self.context.runtime.clock.now();
        match (self.session.redeployed.take(), self.session.trial.as_mut()) {
            (Some(Redeployed { checkpoint_id, began, reply: Some(reply) }), _) => {
                _ = reply.send(Ok(Rescaled { checkpoint_id, pause: now.saturating_sub(began) }));
            }
            (Some(Redeployed { began, reply: None, .. }), Some(trial)) => trial.begin(now, now.saturating_sub(began)),
            (Some(_) | None, _) => {}
        }
        None
    }

    fn on_committed(&mut self, checkpoint_id: CheckpointId) -> Option<AttemptEnd> {
        let (last, trigger, missing) = self.last.as_mut()?;
        if *last != checkpoint_id {
            return None;
        }
        *missing -= 1;
        match (*missing, *trigger) {
            (0, Trigger::Final) => self.request(RecordRequest::Finished),
            (0, Trigger::Stop) => return Some(AttemptEnd::Stopped),
            (0, Trigger::Redeploy) => return self.redeploy.take().map(|redeploy| AttemptEnd::Redeploy(Box::new(redeploy))),
            _ => {}
        }
        None
    }

    fn on_record(&mut self, event: RecordEvent) -> Option<AttemptEnd> {
        let now = self.context.runtime.clock.now();
        let actions = match event {
            RecordEvent::Recorded { checkpoint, duration, bytes } => {
                let checkpoint_id = checkpoint.checkpoint_id;
                let duration_ms = duration.as_millis() as u64;
                info!(%checkpoint_id, duration_ms, bytes, "checkpoint completed");
                self.context.status.on_completed(CheckpointItem { checkpoint_id, duration_ms, bytes });
                if let Some((pin, reply)) = self.awaited.remove(&checkpoint_id) {
                    // Whoever asked may have gone.
                    _ = reply.send(Ok(HeldCheckpoint { checkpoint, _pin: pin }));
                }
                let actions = self.coordinator.on_recorded(checkpoint_id, now);
                let end = self.follow(actions);
                self.request(RecordRequest::Collect(self.context.bases.in_use()));
                return end;
            }
            RecordEvent::NotRecorded { checkpoint_id, error } => {
                self.coordinator.on_recording_failed(checkpoint_id, error.to_string(), now)
            }
            RecordEvent::Accepted => {
                self.on_accepted();
                return None;
            }
            RecordEvent::Finished => return Some(AttemptEnd::Finished),
            RecordEvent::Over(error) => return Some(AttemptEnd::Failed(error)),
        };
        self.follow(actions)
    }

    fn follow(&mut self, actions: Vec<CoordinatorAction>) -> Option<AttemptEnd> {
        for action in actions {
            match action {
                CoordinatorAction::Trigger { checkpoint_id, trigger, alignment } => {
                    self.context.bases.on_triggered(checkpoint_id);
                    if let Some(place) = self.asked.iter().position(|(asked, _)| *asked == trigger)
                        && let Some((_, reply)) = self.asked.remove(place)
                    {
                        self.awaited.insert(checkpoint_id, (self.session.inbox.pins.pin(checkpoint_id), reply));
                    }
                    self.before_trigger(checkpoint_id, trigger);
                    self.tell_all(|| TaskControl::Trigger { checkpoint_id, trigger, alignment });
                }
                CoordinatorAction::Record { checkpoint_id, trigger, duration, parts } => {
                    self.request(RecordRequest::Completed { checkpoint_id, trigger, duration, parts });
                }
                CoordinatorAction::NotifyComplete { checkpoint_id, trigger } => {
                    self.context.bases.on_completed(checkpoint_id);
                    if trigger.is_last() {
                        self.last = Some((checkpoint_id, trigger, self.deployment.controls.len()));
                    }
                    if !self.keep_provisional(checkpoint_id, trigger) {
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
                    if let Some((_, reply)) = self.awaited.remove(&checkpoint_id) {
                        _ = reply.send(Err(EngineError::new(ErrorKind::Retry, format!("checkpoint {checkpoint_id} failed: {reason}"))));
                    }
                    self.tell_all(|| TaskControl::Abort(checkpoint_id));
                    let failed =
                        (trigger == Trigger::Upgrade).then(|| format!("checkpoint {checkpoint_id} of the upgrade failed: {reason}"));
                    self.request(RecordRequest::Failed { checkpoint_id, trigger, duration, reason });
                    if let Some(message) = failed {
                        // Some tasks may have changed over.
                        return Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, message)));
                    }
                }
                CoordinatorAction::FailJob { reason } => return Some(AttemptEnd::Failed(EngineError::new(ErrorKind::Restart, reason))),
            }
        }
        None
    }

    fn before_trigger(&mut self, checkpoint_id: CheckpointId, trigger: Trigger) {
        match (trigger, &mut self.redeploy) {
            (Trigger::Upgrade, _) => self.send_operators(checkpoint_id),
            (Trigger::Redeploy, Some(redeploy)) => redeploy.began = Some(self.context.runtime.clock.now()),
            _ => {}
        }
    }

    pub(super) fn tell_all(&self, control: impl Fn() -> TaskControl) {
        // A task that is gone has sent why, or panicked: both end the attempt.
        self.deployment.controls.iter().for_each(|task| _ = task.send(control()));
    }

    pub(super) fn request(&self, request: RecordRequest) {
        _ = self.requests.send(request);
    }
}
