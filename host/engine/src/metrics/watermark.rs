//! How far event time has come at a vertex: at its slowest subtask, as watermarks are merged.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The watermark of one vertex, as its subtasks said last. It never falls, but where other subtasks begin.
#[derive(Debug, Default)]
pub struct SubtaskWatermarks(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    subtasks: Vec<Subtask>,
    /// What the slowest one has come to, in ms since 1970.
    slowest: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subtask {
    /// It has said nothing: there may be anything to come.
    Silent,
    At(i64),
    /// Nobody waits for it: it is idle, or its input has ended.
    Left,
}

impl SubtaskWatermarks {
    /// Subtask `index` has come to `watermark`, in ms since 1970; `None`: nobody waits for it, because it is idle or its input has ended.
    pub fn set(&self, index: u32, watermark: Option<i64>) {
        let mut said = self.lock();
        let Some(subtask) = said.subtasks.get_mut(index as usize) else { return };
        *subtask = watermark.map_or(Subtask::Left, Subtask::At);
        said.slowest = said.slowest.max(said.merged());
    }

    /// So many other subtasks begin.
    pub fn reset(&self, parallelism: u32) {
        *self.lock() = Said { subtasks: vec![Subtask::Silent; parallelism as usize], slowest: None };
    }

    /// What the slowest subtask has come to that is waited for, in ms since 1970. Where none is, it stays what it was; `None`: one has said nothing yet, or time
    /// is made nowhere in front of the vertex.
    pub fn get(&self) -> Option<i64> {
        self.lock().slowest
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn merged(&self) -> Option<i64> {
        if self.subtasks.contains(&Subtask::Silent) {
            return None;
        }
        let at = |subtask: &Subtask| match subtask {
            Subtask::At(watermark) => Some(*watermark),
            Subtask::Silent | Subtask::Left => None,
        };
        self.subtasks.iter().filter_map(at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told behind each: `05` is subtask 0 at 5, `0~` that nobody waits for it.
    #[track_caller]
    fn check(parallelism: u32, events: &str, expect: &str) {
        let watermarks = SubtaskWatermarks::default();
        watermarks.reset(parallelism);
        let told = events.split_whitespace().map(|event| {
            let (index, watermark) = event.split_at(1);
            watermarks.set(index.parse().unwrap(), watermark.parse().ok());
            watermarks.get().map_or("-".into(), |watermark| watermark.to_string())
        });
        assert_eq!(told.collect::<Vec<_>>().join(" "), expect, "{events}");
    }

    #[test]
    fn the_slowest_subtask_that_is_waited_for_counts_and_time_never_falls() {
        check(1, "05 07", "5 7");
        check(2, "05 13 19 0~ 06 112", "- 3 5 9 9 9");
        check(2, "05 13 0~ 1~", "- 3 3 3");
        check(2, "0~ 1~ 05", "- - 5");
    }

    #[test]
    fn other_subtasks_begin_with_nothing() {
        let watermarks = SubtaskWatermarks::default();
        watermarks.set(0, Some(7));
        assert_eq!(watermarks.get(), None, "nobody runs");
        watermarks.reset(1);
        watermarks.set(0, Some(7));
        assert_eq!(watermarks.get(), Some(7));
        watermarks.reset(2);
        assert_eq!(watermarks.get(), None);
    }
}
