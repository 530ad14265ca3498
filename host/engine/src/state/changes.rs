//! What has changed since which snapshot: kept for as long as that snapshot may be the base of another.
//!
//! Changes are noted by the interval between two snapshots, and what changed since a base is the union of all intervals after it. So what an
//! aborted checkpoint would have written goes into the next one, whichever that is.

use super::entry::Key;
use crate::element::CheckpointId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Snapshots that are remembered at most. Where so many were taken since a base completed, the base is forgotten, and everything is written.
const REMEMBERED: usize = 32;

/// What changed in one key group from one snapshot to the next.
#[derive(Clone, Default)]
pub(super) struct Changes {
    /// For each chunk a bit for each entry that was written to.
    pub changed: Vec<u64>,
    /// Keys of the earlier snapshot that were removed, each once; some may be back.
    pub removed: Arc<Vec<Key>>,
}

/// The changes of one key group since a base.
#[derive(Default)]
pub(super) struct SinceBase {
    /// As in [`Changes`].
    pub changed: Vec<u64>,
    /// By interval, so that taking a snapshot copies none; a key may be in several, and may not have been in the base.
    pub removed: Vec<Arc<Vec<Key>>>,
}

impl SinceBase {
    /// Adds a later interval's.
    pub fn add(&mut self, later: &Changes) {
        self.add_entries(&later.changed);
        if !later.removed.is_empty() {
            self.removed.push(later.removed.clone());
        }
    }

    /// Adds the entries alone that were written to in a later interval.
    pub(crate) fn add_entries(&mut self, later: &[u64]) {
        self.changed.resize(self.changed.len().max(later.len()), 0);
        self.changed.iter_mut().zip(later).for_each(|(all, later)| *all |= later);
    }

    /// Number of keys that changed or were removed, at most.
    pub fn count(&self) -> u64 {
        let changed: u64 = self.changed.iter().map(|entries| u64::from(entries.count_ones())).sum();
        changed + self.removed.iter().map(|removed| removed.len() as u64).sum::<u64>()
    }

    /// True where nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.changed.iter().all(|&entries| entries == 0)
    }
}

/// A snapshot, and for each key group what changed from it to the next one; of the newest snapshot the tables know that themselves.
struct Base {
    checkpoint_id: CheckpointId,
    until_next: Vec<Changes>,
}

/// The snapshots that may be bases, oldest first.
#[derive(Default)]
pub(super) struct ChangeHistory {
    snapshots: VecDeque<Base>,
}

impl ChangeHistory {
    /// A snapshot has been taken; `changes` of each key group came between the one before and it.
    pub(crate) fn on_snapshot(&mut self, checkpoint_id: CheckpointId, changes: Vec<Changes>) {
        if let Some(before) = self.snapshots.back_mut() {
            assert!(before.checkpoint_id < checkpoint_id, "a snapshot for {checkpoint_id} behind one for {}", before.checkpoint_id);
            before.until_next = changes;
        }
        self.snapshots.push_back(Base { checkpoint_id, until_next: Vec::new() });
        if self.snapshots.len() > REMEMBERED {
            self.snapshots.pop_front();
        }
    }

    /// True where [`ChangeHistory::since`] can tell.
    pub fn knows(&self, base: CheckpointId) -> bool {
        self.snapshots.iter().any(|snapshot| snapshot.checkpoint_id == base)
    }

    /// What changed in table `number` from `base` to the newest snapshot.
    pub fn since(&self, base: CheckpointId, number: usize) -> SinceBase {
        let mut since = SinceBase::default();
        let intervals = self.snapshots.iter().filter(|snapshot| snapshot.checkpoint_id >= base);
        intervals.filter_map(|snapshot| snapshot.until_next.get(number)).for_each(|changes| since.add(changes));
        since
    }

    /// Forgets the snapshots before `base`.
    pub fn retire(&mut self, base: CheckpointId) {
        while self.snapshots.front().is_some_and(|snapshot| snapshot.checkpoint_id < base) {
            self.snapshots.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(changed: u64, removed: &[&[u8]]) -> Changes {
        Changes { changed: vec![changed], removed: Arc::new(removed.iter().map(|key| Key::new(key)).collect()) }
    }

    #[test]
    fn changes_since_a_base_are_those_of_all_snapshots_behind_it() {
        let mut history = ChangeHistory::default();
        history.on_snapshot(CheckpointId(1), vec![changes(0b1, &[])]);
        history.on_snapshot(CheckpointId(2), vec![changes(0b10, &[b"a"])]);
        history.on_snapshot(CheckpointId(3), vec![changes(0b100, &[b"b"])]);
        let since = |history: &ChangeHistory, base| {
            let mut since = history.since(CheckpointId(base), 0);
            since.add(&changes(0b1_0000, &[]));
            (since.changed[0], since.removed.len(), since.count())
        };
        assert_eq!(since(&history, 1), (0b1_0110, 2, 5));
        assert_eq!(since(&history, 2), (0b1_0100, 1, 3));
        assert_eq!(since(&history, 3), (0b1_0000, 0, 1));
        history.retire(CheckpointId(3));
        assert_eq!([1, 2, 3].map(|id| history.knows(CheckpointId(id))), [false, false, true]);
    }

    #[test]
    fn a_base_is_forgotten_when_too_many_snapshots_follow_it() {
        let mut history = ChangeHistory::default();
        (0..=REMEMBERED as u64).for_each(|id| history.on_snapshot(CheckpointId(id), Vec::new()));
        assert_eq!([0, 1].map(|id| history.knows(CheckpointId(id))), [false, true]);
    }
}
