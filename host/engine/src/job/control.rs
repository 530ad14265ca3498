//! How a running job is spoken to: it can be stopped, and asked for checkpoints while it runs.
//!
//! A stop is a state and not a message: it holds across restarts, and the strongest one asked for counts. Everything else is a command with an
//! answer; one that is asked while the dataflow restarts waits for the next attempt.

use super::{CompletedCheckpoint, JobGraph, ResumePoint};
use crate::checkpoint::Override;
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::pins::{Lease, Pin, Pins};
use crate::runtime::Clock;
use crate::task::KeyAnswer;
use futures_util::future::{Either, select};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// How a job is stopped, from the gentlest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopKind {
    /// Its sources end as if there were no more input: what they have read is worked off, and the job is finished.
    Drain,
    /// After a last checkpoint that a savepoint is to be made of: as [`StopKind::Suspend`], and aligned whatever the job's setting.
    SuspendForSavepoint,
    /// After a last checkpoint, from which it can go on.
    Suspend,
    /// At once: what has happened since the last checkpoint happens again when it goes on.
    Cancel,
}

impl StopKind {
    /// True for one that ends the process in any case, within a time.
    pub(super) fn is_prompt(self) -> bool {
        match self {
            Self::Drain => false,
            Self::SuspendForSavepoint | Self::Suspend | Self::Cancel => true,
        }
    }
}

/// A checkpoint that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointRequest {
    /// As the job takes them by itself.
    Checkpoint,
    /// One that a savepoint can be made of: behind an aligned barrier, so without records in flight.
    Savepoint,
    /// One that a savepoint can be made of, by a barrier that overtakes.
    UnalignedSavepoint,
}

/// A completed checkpoint that stays where it is while this is held.
#[derive(Debug)]
pub struct HeldCheckpoint {
    /// The checkpoint.
    pub checkpoint: CompletedCheckpoint,
    pub(super) _pin: Pin,
}

/// The dataflow in another shape: the same operators with other parallelism, or another component for one of them.
pub struct GraphChange {
    /// The graph from then on.
    pub graph: JobGraph,
    /// What it has other than the job file: the log keeps it, so that a restart goes on with it.
    pub overrides: Vec<Override>,
}

/// A rescale that has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescaled {
    /// The checkpoint that it went through.
    pub checkpoint_id: CheckpointId,
    /// From the last record in front of it to the first that can be read behind it.
    pub pause: Duration,
}

/// Another component for an operator of a running job.
pub struct Upgrade {
    /// The graph with the new component.
    pub change: GraphChange,
    /// The operator's id.
    pub vertex: String,
    /// How long the new one has to prove itself.
    pub probation: Duration,
    /// The first checkpoint that completes while it works ends the probation, however short that was.
    pub until_checkpoint: bool,
}

/// What an upgrade that fits would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitting {
    /// A line for each thing that would not simply be as it was.
    pub changes: Vec<String>,
    /// Whether state is migrated, which [`super::try_migrations`] tries.
    pub migrates: bool,
}

/// How an upgrade goes.
#[derive(Debug)]
pub enum UpgradeEvent {
    /// The new component works on probation.
    Switched {
        /// The last checkpoint of the old one.
        checkpoint_id: CheckpointId,
        /// The longest time that a subtask stood still to change over.
        pause: Duration,
    },
    /// It has proven itself, and what it did is committed.
    Accepted,
    /// The old one works again, or will in the next run where the job has ended meanwhile.
    RolledBack {
        /// Why.
        error: EngineError,
        /// Where it goes on: the checkpoint at which they changed over, or what is the newest where that never came to be.
        to: ResumePoint,
    },
    /// Nothing has been changed.
    Refused(EngineError),
}

/// Where the events of an upgrade go. The last is any but [`UpgradeEvent::Switched`].
pub type UpgradeEvents = mpsc::UnboundedSender<UpgradeEvent>;

/// What a command comes to.
pub(super) type Reply<T> = oneshot::Sender<Result<T, EngineError>>;

/// What a running job can be asked for.
pub(super) enum JobCommand {
    Checkpoint { request: CheckpointRequest, reply: Reply<HeldCheckpoint> },
    Rescale { change: GraphChange, reply: Reply<Rescaled> },
    Upgrade { upgrade: Upgrade, events: UpgradeEvents },
    Check { upgrade: Upgrade, reply: Reply<Fitting> },
    LookUp { operator: String, key: Vec<u8>, reply: Reply<Option<KeyAnswer>> },
}

impl JobCommand {
    fn refuse(self, error: EngineError) {
        // Whoever asked may have gone.
        match self {
            Self::Checkpoint { reply, .. } => _ = reply.send(Err(error)),
            Self::Rescale { reply, .. } => _ = reply.send(Err(error)),
            Self::Check { reply, .. } => _ = reply.send(Err(error)),
            Self::LookUp { reply, .. } => _ = reply.send(Err(error)),
            Self::Upgrade { events, .. } => _ = events.send(UpgradeEvent::Refused(error)),
        }
    }
}

/// Speaks to a running job.
#[derive(Clone)]
pub struct JobControl {
    stop: watch::Sender<Option<StopKind>>,
    commands: mpsc::UnboundedSender<JobCommand>,
    pins: Pins,
}

/// The job's end of a [`JobControl`].
pub struct JobInbox {
    stop: watch::Receiver<Option<StopKind>>,
    commands: mpsc::UnboundedReceiver<JobCommand>,
    pub(super) pins: Pins,
}

impl JobControl {
    /// A control and the inbox to run a job with.
    pub fn new() -> (Self, JobInbox) {
        let (stop, requested) = watch::channel(None);
        let (commands, received) = mpsc::unbounded_channel();
        let pins = Pins::default();
        (Self { stop, commands, pins: pins.clone() }, JobInbox { stop: requested, commands: received, pins })
    }

    /// Leaves these completed checkpoints where they are for another process that reads them, for [`super::LEASE`] from `now` on: as far as retention has
    /// not begun to delete them.
    pub fn hold(&self, checkpoints: &BTreeSet<CheckpointId>, now: Duration) -> Result<Lease, EngineError> {
        self.pins.lease(checkpoints, now)
    }

    /// Lets a lease hold on from `now`. False where it has ended.
    pub fn renew(&self, lease: u64, now: Duration) -> bool {
        self.pins.renew(lease, now)
    }

    /// Ends a lease.
    pub fn release(&self, lease: u64) {
        self.pins.end(lease);
    }

    /// Asks the job to stop; a stronger stop that was asked for before stays.
    pub fn stop(&self, kind: StopKind) {
        self.stop.send_modify(|stop| *stop = (*stop).max(Some(kind)));
    }

    /// Has a checkpoint taken out of turn; the answer comes when it is complete, and where a savepoint is to be made of it, when
    /// the output up to it is committed.
    pub async fn checkpoint(&self, request: CheckpointRequest) -> Result<HeldCheckpoint, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.ask(JobCommand::Checkpoint { request, reply }, answer).await
    }

    /// Deploys the job anew from a checkpoint, in another shape; the answer comes when its tasks have restored their state.
    pub async fn rescale(&self, change: GraphChange) -> Result<Rescaled, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.ask(JobCommand::Rescale { change, reply }, answer).await
    }

    /// Lets another component take over for an operator. Where the events end without a last one, the job has ended.
    pub fn upgrade(&self, upgrade: Upgrade) -> mpsc::UnboundedReceiver<UpgradeEvent> {
        let (events, received) = mpsc::unbounded_channel();
        // An inbox that is gone drops the events with the command.
        _ = self.commands.send(JobCommand::Upgrade { upgrade, events });
        received
    }

    /// Whether [`Self::upgrade`] would begin now, and what it would change; the error says why not. Nothing is changed.
    pub async fn check_upgrade(&self, upgrade: Upgrade) -> Result<Fitting, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.ask(JobCommand::Check { upgrade, reply }, answer).await
    }

    /// What is kept of a key of an operator, as of between two of its calls; `None`: there is no such operator, or it keeps nothing by key. While the dataflow restarts
    /// or a call lasts there is no answer: whoever asks bounds its own patience.
    pub async fn look_up(&self, operator: &str, key: &[u8]) -> Result<Option<KeyAnswer>, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.ask(JobCommand::LookUp { operator: operator.to_owned(), key: key.to_vec(), reply }, answer).await
    }

    async fn ask<T>(&self, command: JobCommand, answer: oneshot::Receiver<Result<T, EngineError>>) -> Result<T, EngineError> {
        let over = |what: &str| EngineError::new(ErrorKind::Restart, what);
        self.commands.send(command).map_err(|_ended| over("the job has ended"))?;
        answer.await.map_err(|_dropped| over("the job ended or restarted before it was done").with_hint("ask again once it runs"))?
    }
}

impl JobInbox {
    /// Ready once a stronger stop than `seen` is asked for.
    pub(super) fn poll_stop(&mut self, seen: Option<StopKind>, cx: &mut Context<'_>) -> Poll<StopKind> {
        match pin!(self.stop.wait_for(|&stop| stop > seen)).poll(cx) {
            Poll::Ready(Ok(stop)) => stop.map_or(Poll::Pending, Poll::Ready),
            // Nobody is left who could ask.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// Ready once a stop is asked for that ends the process in any case.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stop = self.stop.clone();
        async move {
            // Nobody is left who could ask.
            if stop.wait_for(|stop| stop.is_some_and(StopKind::is_prompt)).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    pub(super) fn stop_requested(&self) -> Option<StopKind> {
        *self.stop.borrow()
    }

    /// Ready when a stop that was asked for should have been over long ago, which is up to `stop_max` behind it; a cancellation at once, but for a
    /// `grace`. Whatever holds the job up then, it is nothing that the stop's own rules know of.
    pub(super) fn overdue(&self, clock: Arc<dyn Clock>, stop_max: Duration, grace: Duration) -> impl Future<Output = StopKind> + use<> {
        let (mut stop, stopped) = (self.stop.clone(), self.stopped());
        async move {
            stopped.await;
            let began = clock.now();
            let cancelled = async {
                if stop.wait_for(|stop| *stop == Some(StopKind::Cancel)).await.is_err() {
                    std::future::pending::<()>().await;
                }
                clock.sleep_until(clock.now().saturating_add(grace)).await;
            };
            let overdue = clock.sleep_until(began.saturating_add(stop_max).saturating_add(grace));
            match select(pin!(cancelled), overdue).await {
                Either::Left(_) => StopKind::Cancel,
                Either::Right(_) => StopKind::Suspend,
            }
        }
    }

    /// Answers what nobody has asked the dataflow for yet: the job has ended, for this.
    pub(super) fn refuse_commands(&mut self, error: &EngineError) {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            command.refuse(error.clone().context("the job ended before this could be done"));
        }
    }

    pub(super) fn poll_command(&mut self, cx: &mut Context<'_>) -> Poll<JobCommand> {
        match self.commands.poll_recv(cx) {
            Poll::Ready(Some(command)) => Poll::Ready(command),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
