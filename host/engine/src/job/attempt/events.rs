//! What an attempt makes of what it hears: from its tasks, from the log writer, from whoever asks something of the job.

use super::Attempt;
use crate::checkpoint::{CheckpointMode, Trigger};
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::attempt::context::AttemptEnd;
use crate::job::attempt::log_writer::{LogEvent, LogRequest};
use crate::job::attempt::splits::Look;
use crate::job::control::{CheckpointRequest, HeldCheckpoint, Reply, StopKind};
use crate::job::history::CompletedCheckpoint;
use crate::job::status::CheckpointItem;
use crate::task::{TaskControl, TaskEvent};
use std::time::Duration;
use tracing::info;

impl Attempt<'_> {
    pub(super) fn on_stop(&mut self, kind: StopKind) -> Option<AttemptEnd> {
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

    pub(super) fn on_request(&mut self, request: CheckpointRequest, reply: Reply<HeldCheckpoint>) -> Option<AttemptEnd> {
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
        self.ask(trigger)
    }

    /// Has a checkpoint taken that somebody waits for.
    pub(in crate::job) fn ask(&mut self, trigger: Trigger) -> Option<AttemptEnd> {
        let actions = self.coordinator.ask(trigger, self.context.runtime.clock.now());
        self.follow(actions)
    }

    pub(in crate::job) fn want(&mut self, trigger: Trigger) -> Option<AttemptEnd> {
        let actions = self.coordinator.want(trigger, self.context.runtime.clock.now());
        self.follow(actions)
    }

    pub(super) fn on_task(&mut self, task: usize, event: TaskEvent) -> Option<AttemptEnd> {
        let now = self.context.runtime.clock.now();
        let actions = match event {
            TaskEvent::Captured { checkpoint_id, alignment, capture } => {
                self.context.status.checkpoint_history.on_captured(checkpoint_id, task, (alignment, capture), now);
                self.context.status.alignments.observe(alignment);
                self.coordinator.on_captured(checkpoint_id, task);
                return None;
            }
            TaskEvent::Acknowledged { checkpoint_id, parts } => {
                self.context.status.checkpoint_history.on_acknowledged(checkpoint_id, task, &parts, now);
                self.coordinator.on_acknowledged(checkpoint_id, task, parts, now)
            }
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

    pub(super) fn on_look(&mut self, look: Look) -> Option<AttemptEnd> {
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

    pub(super) fn on_log_event(&mut self, event: LogEvent) -> Option<AttemptEnd> {
        let now = self.context.runtime.clock.now();
        let actions = match event {
            LogEvent::Written { checkpoint, duration, bytes } => return self.on_written(checkpoint, duration, bytes),
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

    fn on_written(&mut self, checkpoint: CompletedCheckpoint, duration: Duration, bytes: u64) -> Option<AttemptEnd> {
        let now = self.context.runtime.clock.now();
        let checkpoint_id = checkpoint.checkpoint_id;
        let duration_ms = duration.as_millis() as u64;
        info!(%checkpoint_id, duration_ms, bytes, "checkpoint completed");
        self.context.status.on_completed(CheckpointItem { checkpoint_id, duration_ms, bytes });
        let deadline = now.saturating_add(self.context.config.timeout);
        self.awaited.on_completed(checkpoint, self.deployment.controls.len(), deadline);
        let actions = self.coordinator.on_written(checkpoint_id, now);
        let end = self.follow(actions);
        self.request(LogRequest::Collect(self.context.bases.in_use()));
        end
    }
}
