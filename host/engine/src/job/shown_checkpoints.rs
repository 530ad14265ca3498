//! What a running job shows of its newest checkpoints: how each went, task by task, and where its time went.

use crate::checkpoint::{CompletedTasks, StateHandle, Trigger, paths};
use crate::element::CheckpointId;
use crate::runtime::Monotonic;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many checkpoints are shown.
const SHOWN: usize = 100;

/// What has become of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointState {
    /// It is under way.
    Pending,
    /// It is complete.
    Completed,
    /// It has failed, for this reason.
    Failed(String),
}

/// A checkpoint of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCheckpoint {
    /// Its id.
    pub checkpoint_id: CheckpointId,
    /// Why it was taken.
    pub trigger: Trigger,
    /// When, in ms since 1970.
    pub triggered_at_ms: i64,
    /// What has become of it.
    pub state: CheckpointState,
    /// From the trigger to the last acknowledgement, or to when it failed; zero while it is under way.
    pub duration: Duration,
    /// Bytes of all objects that it wrote, once it is complete.
    pub bytes: u64,
    /// What each task has done for it.
    pub tasks: Vec<ShownTask>,
}

/// What a task has done for a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownTask {
    /// The place of its first vertex in the graph.
    pub vertex: usize,
    /// The subtask.
    pub subtask: u32,
    /// From the barrier's arrival on the first channel until it had come on all of them, or had overtaken; `None`: it has not.
    pub alignment: Option<Duration>,
    /// How long the task stood still to capture its state.
    pub capture: Option<Duration>,
    /// From then on until its part was durable.
    pub upload: Option<Duration>,
    /// Bytes of the state that its part stands for, those that older checkpoints have written included.
    pub state_bytes: u64,
    /// Bytes of the objects with keyed state as a whole that it wrote.
    pub full_bytes: u64,
    /// Bytes of the objects with what has changed of keyed state that it wrote.
    pub incremental_bytes: u64,
    /// Bytes of the records that the barrier had overtaken.
    pub in_flight_bytes: u64,
    captured_at: Option<Monotonic>,
}

/// The newest checkpoints.
#[derive(Debug, Default)]
pub struct ShownCheckpoints(Mutex<VecDeque<ShownCheckpoint>>);

impl ShownCheckpoints {
    /// All of them, the newest first.
    pub fn get(&self) -> Vec<ShownCheckpoint> {
        self.lock().iter().rev().cloned().collect()
    }

    /// One has begun, for tasks whose first vertices and subtasks these are.
    pub(super) fn on_triggered(&self, checkpoint_id: CheckpointId, trigger: Trigger, triggered_at_ms: i64, tasks: &[(usize, u32)]) {
        let mut all = self.lock();
        if all.len() == SHOWN {
            all.pop_front();
        }
        let tasks = tasks.iter().map(|&(vertex, subtask)| ShownTask { vertex, subtask, ..ShownTask::default() }).collect();
        let (state, duration, bytes) = (CheckpointState::Pending, Duration::ZERO, 0);
        all.push_back(ShownCheckpoint { checkpoint_id, trigger, triggered_at_ms, state, duration, bytes, tasks });
    }

    /// A task has captured its state.
    pub(super) fn on_captured(&self, checkpoint_id: CheckpointId, task: usize, (alignment, capture): (Duration, Duration), now: Monotonic) {
        self.with_task(checkpoint_id, task, |task| {
            (task.alignment, task.capture, task.captured_at) = (Some(alignment), Some(capture), Some(now));
        });
    }

    /// A task's part is durable.
    pub(super) fn on_acknowledged(&self, checkpoint_id: CheckpointId, task: usize, parts: &CompletedTasks, now: Monotonic) {
        self.with_task(checkpoint_id, task, |task| {
            task.upload = task.captured_at.map(|at| now.saturating_sub(at));
            task.state_bytes = parts.iter().map(|(_, part)| part.state_bytes).sum();
            (task.full_bytes, task.incremental_bytes) = written_bytes(checkpoint_id, parts);
            task.in_flight_bytes = parts.iter().filter_map(|(_, part)| part.in_flight.as_ref()).map(|handle| handle.bytes).sum();
        });
    }

    /// One is over.
    pub(super) fn on_end(&self, checkpoint_id: CheckpointId, state: CheckpointState, duration: Duration, bytes: u64) {
        if let Some(one) = self.lock().iter_mut().rfind(|one| one.checkpoint_id == checkpoint_id) {
            (one.state, one.duration, one.bytes) = (state, duration, bytes);
        }
    }

    /// The attempt is over, and with it what was under way.
    pub(super) fn on_attempt_over(&self) {
        for one in self.lock().iter_mut().filter(|one| one.state == CheckpointState::Pending) {
            one.state = CheckpointState::Failed("the attempt ended before it".into());
        }
    }

    fn with_task(&self, checkpoint_id: CheckpointId, task: usize, change: impl FnOnce(&mut ShownTask)) {
        let mut all = self.lock();
        let one = all.iter_mut().rfind(|one| one.checkpoint_id == checkpoint_id);
        if let Some(task) = one.and_then(|one| one.tasks.get_mut(task)) {
            change(task);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<ShownCheckpoint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of keyed state that were written for a checkpoint: as a whole, and as changes. Operators of one task share an object, which counts once.
fn written_bytes(checkpoint_id: CheckpointId, parts: &CompletedTasks) -> (u64, u64) {
    let wrote = |handle: &&StateHandle| paths::owner_of(&handle.object).is_some_and(|(_, id)| id == checkpoint_id);
    let sum = |handles: BTreeSet<&StateHandle>| handles.into_iter().map(|handle| handle.bytes).sum();
    let full = parts.iter().filter_map(|(_, part)| part.state.as_ref()).filter(wrote).collect();
    let changes = parts.iter().flat_map(|(_, part)| &part.deltas).filter(wrote).collect();
    (sum(full), sum(changes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::SubtaskSnapshot;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn where_the_time_of_a_checkpoint_went_is_shown_task_by_task() {
        let shown = ShownCheckpoints::default();
        let id = CheckpointId(7);
        shown.on_triggered(id, Trigger::Periodic, 1_000, &[(0, 0), (1, 0)]);
        shown.on_captured(id, 1, (30 * MS, 2 * MS), 40 * MS);
        let part = SubtaskSnapshot { state_bytes: 500, ..SubtaskSnapshot::default() };
        shown.on_acknowledged(id, 1, &vec![(1, part.clone()), (2, part)], 55 * MS);
        let [one] = &shown.get()[..] else { panic!("one is under way") };
        let times = |task: &ShownTask| (task.alignment, task.capture, task.upload, task.state_bytes);
        assert_eq!(times(&one.tasks[1]), (Some(30 * MS), Some(2 * MS), Some(15 * MS), 1_000));
        assert_eq!((times(&one.tasks[0]), &one.state), ((None, None, None, 0), &CheckpointState::Pending));
        shown.on_end(id, CheckpointState::Completed, 60 * MS, 99);
        shown.on_attempt_over();
        let one = &shown.get()[0];
        assert_eq!((&one.state, one.duration, one.bytes), (&CheckpointState::Completed, 60 * MS, 99));
    }

    #[test]
    fn what_a_checkpoint_wrote_of_state_is_told_apart_from_what_older_ones_did() {
        let object = |path: &str, bytes| StateHandle { object: path.into(), bytes, checksum: 0 };
        let (whole, old, new) =
            (object("state/1-5-op-0-n.state", 1_000), object("state/1-6-op-0-n.state", 30), object("state/1-7-op-0-n.state", 7));
        let part = |state: &StateHandle, deltas: &[&StateHandle]| SubtaskSnapshot {
            state: Some(state.clone()),
            deltas: deltas.iter().map(|handle| (*handle).clone()).collect(),
            ..SubtaskSnapshot::default()
        };
        let written = |id, parts: Vec<SubtaskSnapshot>| written_bytes(CheckpointId(id), &parts.into_iter().enumerate().collect());
        assert_eq!(
            written(7, vec![part(&whole, &[&old, &new]), part(&whole, &[&old, &new])]),
            (0, 7),
            "two operators of a task, one object"
        );
        assert_eq!(written(5, vec![part(&whole, &[])]), (1_000, 0));
        assert_eq!(written(8, vec![part(&whole, &[&old])]), (0, 0));
    }

    #[test]
    fn what_was_under_way_ends_with_its_attempt_and_the_newest_are_kept() {
        let shown = ShownCheckpoints::default();
        (0..SHOWN as u64 + 5).for_each(|id| shown.on_triggered(CheckpointId(id), Trigger::Periodic, 0, &[]));
        shown.on_attempt_over();
        let all = shown.get();
        assert_eq!((all.len(), all[0].checkpoint_id), (SHOWN, CheckpointId(SHOWN as u64 + 4)));
        assert!(matches!(&all[0].state, CheckpointState::Failed(why) if why.contains("attempt")));
        // One of a task that is not known, or of a checkpoint that is not shown any more, changes nothing.
        shown.on_captured(CheckpointId(0), 3, (MS, MS), MS);
        assert_eq!(shown.get(), all);
    }
}
