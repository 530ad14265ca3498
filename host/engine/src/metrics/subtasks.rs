//! What each subtask of a vertex counts. A subtask of the same number goes on counting where one of an attempt before has ended, so that sums only rise.

use super::{Counter, Histogram, Occupations};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counters of one subtask.
#[derive(Debug, Default)]
pub struct SubtaskMetrics {
    /// Records that came in.
    pub records_in: Counter,
    /// Records that went out, over all outputs but quarantine and late ones.
    pub records_out: Counter,
    /// Bytes of the batches that came in, as they lie in memory.
    pub bytes_in: Counter,
    /// Those of the records that went out; of some records of a batch in proportion.
    pub bytes_out: Counter,
    /// How long it worked on each batch, without what came of that further down. A source's is not measured.
    pub batch_time: Histogram,
    /// What its task does with its time, where this is the first vertex of the task: those that are chained to it have the same thread and the same times.
    pub occupations: Arc<Occupations>,
}

impl SubtaskMetrics {
    /// So many records of so many bytes went out.
    #[inline]
    pub(crate) fn emitted(&self, records: usize, bytes: usize) {
        self.records_out.add(records as u64);
        self.bytes_out.add(bytes as u64);
    }
}

/// The subtasks of a vertex that there are or were in this process.
#[derive(Debug, Default)]
pub struct Subtasks(Mutex<Vec<Arc<SubtaskMetrics>>>);

impl Subtasks {
    /// The counters of the subtask of this number.
    pub fn of(&self, index: u32) -> Arc<SubtaskMetrics> {
        let mut all = self.lock();
        let wanted = index as usize + 1;
        if all.len() < wanted {
            all.resize_with(wanted, Arc::default);
        }
        all[index as usize].clone()
    }

    /// All of them, by number. There may be more than run now.
    pub fn all(&self) -> Vec<Arc<SubtaskMetrics>> {
        self.lock().clone()
    }

    /// A sum over all of them.
    pub(crate) fn sum(&self, of: impl Fn(&SubtaskMetrics) -> &Counter) -> u64 {
        self.lock().iter().map(|subtask| of(subtask).get()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<SubtaskMetrics>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subtask_goes_on_counting_and_one_that_is_gone_still_counts() {
        let subtasks = Subtasks::default();
        subtasks.of(1).records_in.add(5);
        subtasks.of(0).records_in.add(2);
        subtasks.of(1).records_in.add(1);
        assert_eq!((subtasks.all().len(), subtasks.sum(|subtask| &subtask.records_in)), (2, 8));
    }
}
