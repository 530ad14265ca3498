//! Subtasks as they run: a source or an input gate at the head, a chain of operators and sinks behind it, an output at the end.

mod broadcast;
mod call_log;
mod call_pace;
mod chain;
mod commits;
#[cfg(test)]
mod due_tests;
#[cfg(test)]
mod failure_tests;
mod in_flight_object;
mod increments;
mod key_question;
mod lag_watch;
#[cfg(test)]
mod open_windows_tests;
mod operator_task;
mod output_time;
mod rate_limiter;
mod restore;
mod shared_files;
mod snapshots;
mod source_task;
mod source_time;
mod subtask;
mod subtask_capture;
mod subtask_restore;
mod successor;
#[cfg(test)]
mod testing;
mod timer;
mod timers;
mod turn;
mod windows;

pub use broadcast::NodeBroadcast;
pub use call_log::{CallLog, CallLogBudget, KeptStretch};
pub use chain::{Chain, Node, NodeBody, Target};
pub(crate) use commits::commit_all;
pub use in_flight_object::InFlightEdge;
pub use key_question::{KeyAnswer, KeyQuestion};
pub use operator_task::OperatorTask;
pub use output_time::OutputTime;
pub use rate_limiter::RateLimiter;
#[cfg(feature = "testing")]
pub use restore::KeyedRestore;
pub use restore::TimesOfGroups;
pub use snapshots::{InFlight, SnapshotContext, Snapshots};
pub use source_task::{Reading, SourceTask};
pub use source_time::SourceClock;
pub use subtask::{Emitted, OperatorSubtask, SubtaskPlace};
pub use subtask_capture::SubtaskCapture;
pub use subtask_restore::RestoreSource;
pub use successor::Successor;

use crate::checkpoint::{CompletedTasks, Trigger};
use crate::element::{BarrierAlignment, CheckpointId};
use crate::error::EngineError;
use crate::exchange::Decline;
use crate::source::SplitState;
use std::time::Duration;
use tokio::sync::mpsc;

/// What the attempt tells a task.
pub enum TaskControl {
    /// A checkpoint begins. Sources act on it; other tasks only once their input has ended, else they wait for the barrier.
    Trigger {
        /// The checkpoint that is taken.
        checkpoint_id: CheckpointId,
        /// Why it is taken.
        trigger: Trigger,
        /// What its barriers do with records in front of them.
        alignment: BarrierAlignment,
    },
    /// A checkpoint is complete: commit what it covers.
    Complete(CheckpointId),
    /// A checkpoint has been given up.
    Abort(CheckpointId),
    /// A checkpoint's barriers overtake from now on. Sources have sent theirs.
    Overtake(CheckpointId),
    /// Splits that were found: the source at the head reads them behind the next barrier, and they are part of that checkpoint.
    Assign(Vec<SplitState>),
    /// Sources act as if their input had ended where they are.
    Drain,
    /// Behind the barrier of this checkpoint another operator works for a vertex, on the state that is there.
    Swap {
        /// The checkpoint behind whose barrier the operator is replaced.
        checkpoint_id: CheckpointId,
        /// The vertex whose operator is replaced.
        vertex: usize,
        /// The operator that goes on from there.
        operator: Successor,
    },
    /// The operator of this vertex is no longer on probation.
    EndProbation(usize),
    /// Somebody wants to know what a key has: answered between two calls.
    Look(KeyQuestion),
}

/// What a task tells the attempt.
#[derive(Debug)]
pub enum TaskEvent {
    /// It has handled a checkpoint's barrier: what is left to do for that happens in the background, whatever the task is at.
    Captured {
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// From the barrier's arrival on the first channel until it was handled.
        alignment: Duration,
        /// How long it took to capture the state.
        capture: Duration,
    },
    /// Its part of a checkpoint is durable.
    Acknowledged {
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// The vertices in the task: (vertex, its subtask's part).
        parts: CompletedTasks,
    },
    /// It cannot take this checkpoint.
    Declined {
        /// The checkpoint.
        checkpoint_id: CheckpointId,
        /// Why.
        decline: Decline,
    },
    /// It has restored what it was to restore.
    Running,
    /// Another operator works in it from now on; taking the snapshot and changing over took so long.
    Swapped(Duration),
    /// Its input has ended and been worked off.
    InputEnded,
    /// Everything up to this checkpoint is committed.
    Committed(CheckpointId),
    /// It has failed and is gone.
    Failed(EngineError),
}

/// Sends a task's events to the attempt.
#[derive(Clone)]
pub struct TaskEvents {
    task: usize,
    sender: mpsc::UnboundedSender<(usize, TaskEvent)>,
}

impl TaskEvents {
    /// Events of task number `task`.
    pub fn new(task: usize, sender: mpsc::UnboundedSender<(usize, TaskEvent)>) -> Self {
        Self { task, sender }
    }

    /// Sends one. An attempt that is over needs none.
    pub fn send(&self, event: TaskEvent) {
        _ = self.sender.send((self.task, event));
    }
}
