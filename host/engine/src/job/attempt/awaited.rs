//! Checkpoints that somebody has asked for, from the request to the answer.
//!
//! A checkpoint as the job takes them is handed over once it is complete. One that a savepoint is made of waits until the output up to it is committed and
//! published, because a savepoint holds none; for no longer than a checkpoint may take, and a target that is down until then is named. One that cannot be begun
//! because sinks stand still is given up after the same time, from the request on.

use crate::checkpoint::Trigger;
use crate::element::CheckpointId;
use crate::error::{EngineError, ErrorKind};
use crate::job::CompletedCheckpoint;
use crate::job::control::{HeldCheckpoint, Reply};
use crate::job::pins::{Pin, Pins};
use crate::outbox::Outboxes;
use crate::runtime::Monotonic;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The requests of one attempt.
#[derive(Default)]
pub(in crate::job) struct Awaited {
    /// Those that have not been triggered, in the order in which they will be.
    asked: VecDeque<(Trigger, Reply<HeldCheckpoint>)>,
    /// Those that are under way.
    under_way: BTreeMap<CheckpointId, UnderWay>,
    /// Those that are complete and whose output is being committed or published.
    committing: BTreeMap<CheckpointId, Committing>,
}

struct UnderWay {
    trigger: Trigger,
    pin: Pin,
    reply: Reply<HeldCheckpoint>,
}

struct Committing {
    held: HeldCheckpoint,
    /// Tasks that have not committed it.
    missing: BTreeSet<usize>,
    deadline: Monotonic,
    reply: Reply<HeldCheckpoint>,
}

impl Awaited {
    /// Somebody asks. Whoever does may have gone when the answer comes, here and below.
    pub fn ask(&mut self, trigger: Trigger, reply: Reply<HeldCheckpoint>) {
        self.asked.push_back((trigger, reply));
    }

    /// A checkpoint has been triggered: it answers the first that asked for one like it.
    pub fn on_triggered(&mut self, checkpoint_id: CheckpointId, trigger: Trigger, pins: &Pins) {
        if let Some(place) = self.asked.iter().position(|(asked, _)| *asked == trigger)
            && let Some((_, reply)) = self.asked.remove(place)
        {
            self.under_way.insert(checkpoint_id, UnderWay { trigger, pin: pins.pin(checkpoint_id), reply });
        }
    }

    /// One that was asked for like this is given up before it was triggered.
    pub(crate) fn on_not_taken(&mut self, trigger: Trigger, error: EngineError) {
        let place = self.asked.iter().position(|(asked, _)| *asked == trigger);
        if let Some((_, reply)) = place.and_then(|place| self.asked.remove(place)) {
            _ = reply.send(Err(error.context(format!("take a {}", what(trigger)))));
        }
    }

    /// It is complete. `tasks` tasks have yet to commit it, and have until `deadline`.
    pub fn on_completed(&mut self, checkpoint: CompletedCheckpoint, tasks: usize, deadline: Monotonic) {
        let checkpoint_id = checkpoint.checkpoint_id;
        let Some(UnderWay { trigger, pin, reply }) = self.under_way.remove(&checkpoint_id) else { return };
        let held = HeldCheckpoint { checkpoint, _pin: pin };
        match trigger {
            Trigger::Savepoint | Trigger::UnalignedSavepoint => {
                let missing = (0..tasks).collect();
                self.committing.insert(checkpoint_id, Committing { held, missing, deadline, reply });
            }
            Trigger::Periodic
            | Trigger::Requested
            | Trigger::Upgrade
            | Trigger::Redeploy
            | Trigger::StopSavepoint
            | Trigger::Stop
            | Trigger::Final => _ = reply.send(Ok(held)),
        }
    }

    /// It has failed.
    pub(crate) fn on_failed(&mut self, checkpoint_id: CheckpointId, reason: &str) {
        if let Some(UnderWay { reply, .. }) = self.under_way.remove(&checkpoint_id) {
            _ = reply.send(Err(EngineError::new(ErrorKind::Retry, format!("checkpoint {checkpoint_id} failed: {reason}"))));
        }
    }

    /// A task has committed what a checkpoint covers.
    pub(crate) fn on_committed(&mut self, checkpoint_id: CheckpointId, task: usize, outboxes: &Outboxes) {
        let Some(committing) = self.committing.get_mut(&checkpoint_id) else { return };
        committing.missing.remove(&task);
        self.on_published(outboxes);
    }

    /// More is published.
    pub(crate) fn on_published(&mut self, outboxes: &Outboxes) {
        let is_done =
            |id: &CheckpointId, committing: &mut Committing| committing.missing.is_empty() && outboxes.unpublished(*id).is_empty();
        for (_, Committing { held, reply, .. }) in self.committing.extract_if(.., is_done) {
            _ = reply.send(Ok(held));
        }
    }

    /// When [`Self::on_time`] has something to do.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.committing.values().map(|committing| committing.deadline).min()
    }

    /// Time has passed: what is not committed and published by now is no savepoint. `targets` names where output of a checkpoint goes that is not, of
    /// these tasks or of an outbox.
    pub(crate) fn on_time(&mut self, now: Monotonic, targets: impl Fn(CheckpointId, &BTreeSet<usize>) -> String) {
        for (checkpoint_id, late) in self.committing.extract_if(.., |_, committing| now >= committing.deadline) {
            let message = format!(
                "take a savepoint: checkpoint {checkpoint_id} is complete, but its output is not committed yet: {}",
                targets(checkpoint_id, &late.missing)
            );
            let hint = "the job goes on; take the savepoint once the target answers again, or raise `timeout` in [checkpoints]";
            _ = late.reply.send(Err(EngineError::new(ErrorKind::Retry, message).with_hint(hint)));
        }
    }

    /// The attempt is over for this, perhaps because output could not be committed. Whoever waits asks again.
    pub(crate) fn on_attempt_over(&mut self, error: &EngineError) {
        let not_triggered = std::mem::take(&mut self.asked).into_iter();
        let under_way = std::mem::take(&mut self.under_way).into_values().map(|UnderWay { trigger, reply, .. }| (trigger, reply));
        for (trigger, reply) in not_triggered.chain(under_way) {
            let error = error.clone().context(format!("take a {}: the dataflow was over before it was complete", what(trigger)));
            _ = reply.send(Err(if error.hint().is_some() { error } else { error.with_hint("ask again once the job runs") }));
        }
        for (checkpoint_id, Committing { reply, .. }) in std::mem::take(&mut self.committing) {
            let attempted = format!("take a savepoint: checkpoint {checkpoint_id} is complete, but its output was not committed");
            _ = reply.send(Err(error.clone().context(attempted)));
        }
    }
}

/// What whoever asked for it is waiting for.
fn what(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Savepoint | Trigger::UnalignedSavepoint | Trigger::StopSavepoint => "savepoint",
        Trigger::Periodic | Trigger::Requested | Trigger::Upgrade | Trigger::Redeploy | Trigger::Stop | Trigger::Final => "checkpoint",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::AttemptId;
    use std::time::Duration;
    use tokio::sync::oneshot::{self, error::TryRecvError};

    /// Somebody who has asked for a checkpoint.
    struct Asked {
        awaited: Awaited,
        answer: oneshot::Receiver<Result<HeldCheckpoint, EngineError>>,
        pins: Pins,
    }

    /// Checkpoint 1 of two tasks, asked for by `trigger` and complete, whose output may take until 500 ms.
    fn completed(trigger: Trigger) -> Asked {
        let (mut awaited, pins, (reply, answer)) = (Awaited::default(), Pins::default(), oneshot::channel());
        awaited.ask(trigger, reply);
        awaited.on_triggered(CheckpointId(1), trigger, &pins);
        let checkpoint = CompletedCheckpoint {
            checkpoint_id: CheckpointId(1),
            attempt: AttemptId(1),
            metadata: "checkpoints/1-1/metadata.json".into(),
            checksum: 0,
        };
        awaited.on_completed(checkpoint, 2, Duration::from_millis(500));
        Asked { awaited, answer, pins }
    }

    #[test]
    fn a_checkpoint_is_handed_over_once_it_is_complete_and_a_savepoint_once_every_task_has_committed() {
        let Asked { mut answer, .. } = completed(Trigger::Requested);
        assert!(matches!(answer.try_recv(), Ok(Ok(_))));
        for trigger in [Trigger::Savepoint, Trigger::UnalignedSavepoint] {
            let Asked { mut awaited, mut answer, pins } = completed(trigger);
            awaited.on_committed(CheckpointId(1), 1, &Outboxes::default());
            awaited.on_committed(CheckpointId(1), 1, &Outboxes::default());
            awaited.on_committed(CheckpointId(2), 0, &Outboxes::default());
            assert!(matches!(answer.try_recv(), Err(TryRecvError::Empty)), "one task has not committed it");
            awaited.on_committed(CheckpointId(1), 0, &Outboxes::default());
            assert!(matches!(answer.try_recv(), Ok(Ok(_))));
            assert_eq!(pins.spared(CheckpointId(2), Duration::ZERO), BTreeSet::new(), "it is dropped by who was handed it");
        }
    }

    #[test]
    fn a_target_that_is_down_is_named_when_the_time_is_over() {
        let Asked { mut awaited, mut answer, .. } = completed(Trigger::Savepoint);
        awaited.on_committed(CheckpointId(1), 0, &Outboxes::default());
        assert_eq!(awaited.deadline(), Some(Duration::from_millis(500)));
        awaited.on_time(Duration::from_millis(499), |_, _| unreachable!("it is not late"));
        assert!(matches!(answer.try_recv(), Err(TryRecvError::Empty)));
        awaited.on_time(Duration::from_millis(500), |_, missing| format!("the sink of task {missing:?}"));
        let error = answer.try_recv().expect("an answer").expect_err("it is late");
        assert!(
            error.to_string().contains("checkpoint 1 is complete, but its output is not committed yet: the sink of task {1}"),
            "{error}"
        );
        assert_eq!(awaited.deadline(), None);
    }

    #[test]
    fn what_is_not_begun_is_answered_in_the_order_of_the_requests_for_one_like_it() {
        let mut awaited = Awaited::default();
        let mut answers: Vec<_> = [Trigger::Savepoint, Trigger::Requested, Trigger::Savepoint]
            .into_iter()
            .map(|trigger| {
                let (reply, answer) = oneshot::channel();
                awaited.ask(trigger, reply);
                answer
            })
            .collect();
        awaited.on_not_taken(Trigger::Savepoint, EngineError::new(ErrorKind::Retry, "not begun after 1s: the sink `out` is full"));
        let error = answers[0].try_recv().expect("an answer").expect_err("it is given up");
        assert_eq!(error.to_string(), "take a savepoint: not begun after 1s: the sink `out` is full");
        assert!(answers[1..].iter_mut().all(|answer| matches!(answer.try_recv(), Err(TryRecvError::Empty))));
    }

    #[test]
    fn an_attempt_that_fails_while_it_commits_says_why() {
        let Asked { mut awaited, mut answer, .. } = completed(Trigger::Savepoint);
        awaited.on_attempt_over(&EngineError::new(ErrorKind::Restart, "commit out/part-1: the disk is gone"));
        let error = answer.try_recv().expect("an answer").expect_err("it failed");
        assert!(error.to_string().ends_with("its output was not committed: commit out/part-1: the disk is gone"), "{error}");
    }

    #[test]
    fn an_attempt_that_fails_before_what_was_asked_for_is_complete_says_why() {
        let pins = Pins::default();
        for (trigger, what) in [(Trigger::Savepoint, "savepoint"), (Trigger::Requested, "checkpoint")] {
            for triggered in [false, true] {
                let (mut awaited, (reply, mut answer)) = (Awaited::default(), oneshot::channel());
                awaited.ask(trigger, reply);
                if triggered {
                    awaited.on_triggered(CheckpointId(2), trigger, &pins);
                }
                awaited.on_attempt_over(&EngineError::new(ErrorKind::Restart, "commit out/part-1: the disk is gone"));
                let error = answer.try_recv().expect("an answer").expect_err("it failed");
                let says = format!("take a {what}: the dataflow was over before it was complete: commit out/part-1: the disk is gone");
                assert_eq!((error.to_string(), error.hint()), (says, Some("ask again once the job runs")));
            }
        }
    }
}
