//! What the coordinator has the attempt do.

use super::Trigger;
use crate::checkpoint::SubtaskSnapshot;
use crate::element::{BarrierAlignment, CheckpointId};
use std::time::Duration;

/// What all tasks have acknowledged: (vertex, its subtask's part), in the order of arrival.
pub type CompletedTasks = Vec<(usize, SubtaskSnapshot)>;

/// What the attempt has to do.
#[derive(Debug, PartialEq)]
pub enum CoordinatorAction {
    /// Tell every task.
    Trigger {
        /// The new checkpoint.
        checkpoint_id: CheckpointId,
        /// Why it is taken.
        trigger: Trigger,
        /// What its barriers do with records in front of them.
        alignment: BarrierAlignment,
    },
    /// Write the metadata, then the log's entry; answer with `CheckpointCoordinator::on_written` or `on_not_written`.
    Write {
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// Why it was taken.
        trigger: Trigger,
        /// How long it took.
        duration: Duration,
        /// What it consists of.
        parts: CompletedTasks,
    },
    /// It is complete: tell every task.
    NotifyComplete {
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// Why it was taken.
        trigger: Trigger,
    },
    /// It has failed: tell every task, and the log.
    Abort {
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// Why it was taken.
        trigger: Trigger,
        /// How long it ran.
        duration: Duration,
        /// Why it failed.
        reason: String,
    },
    /// A stop has taken long enough: tell every task that the barriers of its checkpoint overtake from now on.
    Overtake {
        /// The checkpoint.
        checkpoint_id: CheckpointId,
    },
    /// A stop has taken too long: end the job without what has not been done of it.
    GiveUpStop {
        /// What it was waiting for.
        reason: String,
    },
    /// What somebody has asked for is given up before it is triggered.
    NotTaken {
        /// What it was.
        trigger: Trigger,
        /// Why it is over.
        why: WhyNotTaken,
    },
    /// More have failed in a row than are tolerated: restart the dataflow.
    FailJob {
        /// The last one's reason.
        reason: String,
    },
}

/// Why a checkpoint that somebody has asked for is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNotTaken {
    /// Sinks stand still, and its time is over.
    SinksStandStill,
    /// Another one is the last: the job is about to end.
    JobEnds,
}
