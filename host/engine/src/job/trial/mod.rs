//! The trial of an upgrade, as a pure state machine: it is told what happens and says what is to be done.
//!
//! ```text
//! Wanted ── barrier sent ──▶ ChangingOver ── its checkpoint complete ──▶ OnProbation ── proven ──▶ Deciding ── the log has it ──▶ (over)
//!    └───── redeployed ────▶ Deploying ──── the log has the change ────────▲
//! ```
//!
//! Whatever fails before the log has accepted the upgrade goes back to `since`, the last checkpoint of the old operator. Invariants: a checkpoint
//! behind `since` is provisional, which means that no task is told of its completion, until the trial is over; the verdict is asked for once; a
//! trial that is being decided does not say that it has failed, because the log may have accepted it.

#[cfg(test)]
mod tests;

use crate::checkpoint::Trigger;
use crate::element::CheckpointId;
use crate::runtime::Monotonic;
use std::time::Duration;

/// An upgrade from the request to the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::job) struct Trial {
    /// How long the new operator has to work.
    probation: Duration,
    /// The first checkpoint of its own is proof enough, however soon that comes.
    until_checkpoint: bool,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Its checkpoint has not been triggered.
    Wanted,
    /// Its barrier is on its way, and tasks change over behind it.
    ChangingOver {
        since: CheckpointId,
        /// The longest time that a task took to change over.
        pause: Duration,
    },
    /// The dataflow is deployed anew from its checkpoint.
    Deploying { since: CheckpointId },
    /// The new operator works.
    OnProbation {
        since: CheckpointId,
        ends: Monotonic,
        /// A checkpoint that ends the probation has been asked for.
        asked: bool,
    },
    /// The log is being told that the upgrade is accepted.
    Deciding {
        since: CheckpointId,
        /// The newest checkpoint behind `since` that is complete.
        newest: CheckpointId,
    },
}

/// What a completed checkpoint is while there is a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::job) enum Completed {
    /// It holds: tasks are told of it.
    ForGood,
    /// Nothing behind the upgrade is for good yet.
    Provisionally,
    /// The same, and it is the proof: the log is to be told that the upgrade is accepted.
    AsProof,
}

/// Whoever asked for the upgrade is to be told that the new operator works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::job) struct Switched {
    /// The checkpoint behind which it has changed over.
    pub since: CheckpointId,
    /// How long records stood still.
    pub pause: Duration,
}

/// What becomes of a trial that something has failed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::job) enum Verdict {
    /// The old operator goes on from the checkpoint that the trial began at.
    GoBack {
        /// The log has the change, and has to say that it is taken back.
        log_has_it: bool,
    },
    /// The log had accepted it without the attempt's hearing of it.
    Accepted,
}

impl Trial {
    /// One that has been asked for.
    pub fn new(probation: Duration) -> Self {
        Self { probation, until_checkpoint: false, stage: Stage::Wanted }
    }

    /// The same, where the first checkpoint of the new operator ends the probation, if the time has not done so before.
    pub fn or_until_checkpoint(self, until_checkpoint: bool) -> Self {
        Self { until_checkpoint, ..self }
    }

    /// The last checkpoint of the old operator; `None` until it is triggered.
    pub fn since(&self) -> Option<CheckpointId> {
        match self.stage {
            Stage::Wanted => None,
            Stage::ChangingOver { since, .. } | Stage::Deploying { since } => Some(since),
            Stage::OnProbation { since, .. } | Stage::Deciding { since, .. } => Some(since),
        }
    }

    /// The barrier behind which tasks change over is about to be sent.
    pub(crate) fn on_barrier(&mut self, since: CheckpointId) {
        self.stage = Stage::ChangingOver { since, pause: Duration::ZERO };
    }

    /// The dataflow is about to be deployed anew from this checkpoint.
    pub(crate) fn on_redeployment(&mut self, since: CheckpointId) {
        self.stage = Stage::Deploying { since };
    }

    /// A task has changed over.
    pub(crate) fn on_swapped(&mut self, took: Duration) {
        if let Stage::ChangingOver { pause, .. } = &mut self.stage {
            *pause = took.max(*pause);
        }
    }

    /// The checkpoint that tasks changed over behind is complete, or all tasks of a deployment run and the log has that; records stood still for
    /// `pause`, where that is another time than the tasks'. What follows is on probation.
    pub(crate) fn on_working(&mut self, now: Monotonic, pause: Option<Duration>) -> Option<Switched> {
        let (since, swapped) = match self.stage {
            Stage::ChangingOver { since, pause } => (since, pause),
            Stage::Deploying { since } => (since, Duration::ZERO),
            Stage::Wanted | Stage::OnProbation { .. } | Stage::Deciding { .. } => return None,
        };
        self.stage = Stage::OnProbation { since, ends: now + self.probation, asked: false };
        Some(Switched { since, pause: pause.unwrap_or(swapped) })
    }

    /// A checkpoint is complete. One that completes behind the end of the probation, or behind the end of the input, is the proof; where the first one is to do,
    /// the first while the new operator works.
    pub fn on_completed(&mut self, checkpoint_id: CheckpointId, trigger: Trigger, now: Monotonic) -> Completed {
        let Some(since) = self.since().filter(|&since| since < checkpoint_id) else { return Completed::ForGood };
        match &mut self.stage {
            Stage::Deciding { newest, .. } => {
                *newest = checkpoint_id;
                return Completed::Provisionally;
            }
            Stage::OnProbation { ends, .. } if self.until_checkpoint || now >= *ends => {}
            // The new operator has worked on all that there is.
            Stage::ChangingOver { .. } | Stage::Deploying { .. } | Stage::OnProbation { .. } if trigger == Trigger::Final => {}
            Stage::Wanted | Stage::ChangingOver { .. } | Stage::Deploying { .. } | Stage::OnProbation { .. } => {
                return Completed::Provisionally;
            }
        }
        self.stage = Stage::Deciding { since, newest: checkpoint_id };
        Completed::AsProof
    }

    /// When the probation is over and nothing that ends it has been asked for.
    pub fn deadline(&self) -> Option<Monotonic> {
        match self.stage {
            Stage::OnProbation { ends, asked: false, .. } => Some(ends),
            Stage::OnProbation { asked: true, .. } => None,
            Stage::Wanted | Stage::ChangingOver { .. } | Stage::Deploying { .. } | Stage::Deciding { .. } => None,
        }
    }

    /// True, once, where the probation is over: a checkpoint is to be taken that proves the new operator.
    pub(crate) fn on_time(&mut self, now: Monotonic) -> bool {
        match &mut self.stage {
            Stage::OnProbation { ends, asked, .. } if now >= *ends => !std::mem::replace(asked, true),
            Stage::OnProbation { .. } | Stage::Deciding { .. } => false,
            Stage::Wanted | Stage::ChangingOver { .. } | Stage::Deploying { .. } => false,
        }
    }

    /// The log has accepted it. Tasks are to be told of the newest checkpoint, which holds with all in front of it.
    pub(crate) fn on_accepted(self) -> Option<CheckpointId> {
        match self.stage {
            Stage::Deciding { newest, .. } => Some(newest),
            Stage::Wanted | Stage::ChangingOver { .. } | Stage::Deploying { .. } | Stage::OnProbation { .. } => None,
        }
    }

    /// Something has failed. `accepted`: what the whole log says; `None`: it does not have the change.
    pub fn verdict(&self, accepted: Option<bool>) -> Verdict {
        match accepted {
            Some(true) => Verdict::Accepted,
            Some(false) => Verdict::GoBack { log_has_it: true },
            None => Verdict::GoBack { log_has_it: false },
        }
    }

    /// True where the job may end in the middle of it and say that the upgrade is rolled back: what the log is about to accept nobody can say that of.
    pub(crate) fn is_undecided(&self) -> bool {
        match self.stage {
            Stage::Wanted | Stage::ChangingOver { .. } | Stage::Deploying { .. } | Stage::OnProbation { .. } => true,
            Stage::Deciding { .. } => false,
        }
    }
}
