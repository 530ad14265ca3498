//! When event time began for key groups: what was written before counts as written then, in whatever run it is looked at.

use super::{KeyGroupRange, key_group_of};
use crate::element::NO_TIMESTAMP;

/// What a checkpoint knew of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EventTimeBegan {
    /// Groups of which it is known; disjoint.
    known: Vec<(KeyGroupRange, i64)>,
    /// Groups of the whole job.
    max_parallelism: u32,
}

impl EventTimeBegan {
    /// Where it began for these groups then.
    pub fn new(known: Vec<(KeyGroupRange, i64)>, max_parallelism: u32) -> Self {
        Self { known, max_parallelism }
    }

    /// True where nothing is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// For a group; the smallest time there is where that is not known.
    fn of(&self, group: u32) -> i64 {
        self.known.iter().find(|(groups, _)| groups.contains(group)).map_or(NO_TIMESTAMP, |(_, began)| *began)
    }

    /// For the group of a key with this hash.
    pub fn of_hash(&self, hash: u64) -> i64 {
        if self.is_empty() { NO_TIMESTAMP } else { self.of(key_group_of(hash, self.max_parallelism)) }
    }

    /// When it began for all of `range`, where that is one and the same time.
    pub fn of_all(&self, range: KeyGroupRange) -> Option<i64> {
        let began = self.of(range.start);
        (began != NO_TIMESTAMP && (range.start..range.end).all(|group| self.of(group) == began)).then_some(began)
    }

    /// What a checkpoint keeps for the groups of `range`, where it began at `first` for those that nothing was known of.
    pub fn capture(&self, first: i64, range: KeyGroupRange) -> Vec<(KeyGroupRange, i64)> {
        let mut all: Vec<(KeyGroupRange, i64)> = Vec::new();
        for group in range.start..range.end {
            let began = Some(self.of(group)).filter(|began| *began != NO_TIMESTAMP).unwrap_or(first);
            match all.last_mut().filter(|(_, last)| *last == began) {
                Some((groups, _)) => groups.end = group + 1,
                None => all.push((KeyGroupRange { start: group, end: group + 1 }, began)),
            }
        }
        all.retain(|(_, began)| *began != NO_TIMESTAMP);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(start: u32, end: u32) -> KeyGroupRange {
        KeyGroupRange { start, end }
    }

    #[test]
    fn what_a_checkpoint_knew_holds_and_the_rest_begins_with_the_first_time_that_is_told() {
        let began = EventTimeBegan::new(vec![(groups(0, 2), 7), (groups(3, 4), 9)], 8);
        assert_eq!(began.capture(30, groups(0, 6)), [(groups(0, 2), 7), (groups(2, 3), 30), (groups(3, 4), 9), (groups(4, 6), 30)]);
        assert_eq!(began.capture(NO_TIMESTAMP, groups(0, 6)), [(groups(0, 2), 7), (groups(3, 4), 9)]);
        assert_eq!(EventTimeBegan::default().capture(5, groups(2, 6)), [(groups(2, 6), 5)]);
        assert_eq!(EventTimeBegan::default().capture(NO_TIMESTAMP, groups(2, 6)), []);
        assert_eq!([0, 2, 3].map(|group| began.of(group)), [7, NO_TIMESTAMP, 9]);
        assert_eq!((began.of_all(groups(0, 2)), began.of_all(groups(1, 3)), began.of_all(groups(2, 3))), (Some(7), None, None));
        assert_eq!(EventTimeBegan::default().of_hash(3), NO_TIMESTAMP);
    }
}
