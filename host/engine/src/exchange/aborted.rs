//! Checkpoints that were given up before their barriers had passed, remembered until a newer one's has: what comes of theirs counts for nothing.
//!
//! Bounded: ids are dense, and what is neither past nor given up is under way, so the ranges kept here are one more than the checkpoints under way
//! at most, however many are given up in a row.

use crate::element::CheckpointId;
use std::collections::BTreeMap;

/// The checkpoints given up, as ranges: first id to last id.
#[derive(Clone, Debug, Default)]
pub(super) struct AbortedCheckpoints(BTreeMap<CheckpointId, CheckpointId>);

impl AbortedCheckpoints {
    /// Remembers one.
    pub fn insert(&mut self, checkpoint_id: CheckpointId) {
        if self.contains(checkpoint_id) {
            return;
        }
        let (mut first, mut last) = (checkpoint_id, checkpoint_id);
        if let Some((&before, _)) = self.0.range(..checkpoint_id).next_back().filter(|(_, end)| end.0 + 1 == checkpoint_id.0) {
            first = before;
        }
        if let Some(end) = checkpoint_id.0.checked_add(1).and_then(|next| self.0.remove(&CheckpointId(next))) {
            last = end;
        }
        self.0.insert(first, last);
    }

    /// True for one that was given up.
    pub fn contains(&self, checkpoint_id: CheckpointId) -> bool {
        self.0.range(..=checkpoint_id).next_back().is_some_and(|(_, last)| *last >= checkpoint_id)
    }

    /// Everything up to this one is past, given up or not.
    pub(crate) fn forget_up_to(&mut self, checkpoint_id: CheckpointId) {
        self.0.retain(|_, last| *last > checkpoint_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(inserted: &[u64], up_to: u64, expect: &[(u64, u64)]) {
        let mut aborted = AbortedCheckpoints::default();
        inserted.iter().for_each(|&id| aborted.insert(CheckpointId(id)));
        inserted.iter().for_each(|&id| assert!(aborted.contains(CheckpointId(id)), "{id}"));
        aborted.forget_up_to(CheckpointId(up_to));
        assert_eq!(aborted.0.iter().map(|(first, last)| (first.0, last.0)).collect::<Vec<_>>(), expect, "{inserted:?} up to {up_to}");
    }

    #[test]
    fn checkpoints_given_up_in_a_row_take_the_room_of_one() {
        check(&(1..10_000).collect::<Vec<_>>(), 0, &[(1, 9_999)]);
        check(&[5, 3, 4, 4, 9, 8, 1], 0, &[(1, 1), (3, 5), (8, 9)]);
    }

    #[test]
    fn what_is_past_is_forgotten() {
        check(&[1, 3, 4, 8], 4, &[(8, 8)]);
        check(&[1, 3, 4, 8], 3, &[(3, 4), (8, 8)]);
    }

    #[test]
    fn nothing_else_counts_as_given_up() {
        let mut aborted = AbortedCheckpoints::default();
        [3, 4, 8].into_iter().for_each(|id| aborted.insert(CheckpointId(id)));
        assert_eq!([2, 5, 7, 9].map(|id| aborted.contains(CheckpointId(id))), [false; 4]);
    }
}
