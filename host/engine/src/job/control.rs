//! How a running job is spoken to: it can be stopped, and asked for checkpoints while it runs.
//!
//! A stop is a state and not a message: it holds across restarts, and the strongest one asked for counts. Everything else is a command with an
//! answer; one that is asked while the dataflow restarts waits for the next attempt.

use super::CompletedCheckpoint;
use super::pins::{Pin, Pins};
use crate::error::{EngineError, ErrorKind};
use std::pin::pin;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot, watch};

/// How a job is stopped, from the gentlest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopKind {
    /// Its sources end as if there were no more input: what they have read is worked off, and the job is finished.
    Drain,
    /// After a last checkpoint, from which it can go on.
    Suspend,
    /// At once: what has happened since the last checkpoint happens again when it goes on.
    Cancel,
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

/// What a command comes to.
pub(super) type Reply<T> = oneshot::Sender<Result<T, EngineError>>;

/// What a running job can be asked for.
pub(super) enum JobCommand {
    Checkpoint { request: CheckpointRequest, reply: Reply<HeldCheckpoint> },
}

/// Speaks to a running job.
#[derive(Clone)]
pub struct JobControl {
    stop: watch::Sender<Option<StopKind>>,
    commands: mpsc::UnboundedSender<JobCommand>,
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
        (Self { stop, commands }, JobInbox { stop: requested, commands: received, pins: Pins::default() })
    }

    /// Asks the job to stop; a stronger stop that was asked for before stays.
    pub fn stop(&self, kind: StopKind) {
        self.stop.send_modify(|stop| *stop = (*stop).max(Some(kind)));
    }

    /// Has a checkpoint taken out of turn; the answer comes when it is complete.
    pub async fn checkpoint(&self, request: CheckpointRequest) -> Result<HeldCheckpoint, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.ask(JobCommand::Checkpoint { request, reply }, answer).await
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

    pub(super) fn stop_requested(&self) -> Option<StopKind> {
        *self.stop.borrow()
    }

    pub(super) fn poll_command(&mut self, cx: &mut Context<'_>) -> Poll<JobCommand> {
        match self.commands.poll_recv(cx) {
            Poll::Ready(Some(command)) => Poll::Ready(command),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
