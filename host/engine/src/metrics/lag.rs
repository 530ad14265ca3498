//! How far a source lags behind what there is: split by split, and for all of its subtasks together.
//!
//! Lags are summed up and never taken for more than they are: a split of which nobody knows counts as unknown, not as zero.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a lag is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LagUnit {
    /// Records, as the offsets of a broker count them: some of them may be none for the job (control records, what a compaction has taken out).
    Records,
    /// Bytes of what records are read from, uncompressed.
    Bytes,
}

impl LagUnit {
    /// As in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Bytes => "bytes",
        }
    }
}

/// What there is of one split and has not been handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitLag {
    /// How much it is.
    pub amount: u64,
    /// What of.
    pub unit: LagUnit,
}

impl fmt::Display for SplitLag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.unit.name())
    }
}

/// What there is of several splits and has not been handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceLag {
    /// Of the splits that are known; `None` where none is.
    pub known: Option<KnownLag>,
    /// Splits of which it is not known, or is counted in something else.
    pub unknown_splits: u64,
}

/// The lag of the splits of which it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLag {
    /// What it is counted in.
    pub unit: LagUnit,
    /// How many splits these are.
    pub splits: u64,
    /// The lag of all of them together.
    pub total: u64,
    /// The lag of the one that lags most.
    pub largest: u64,
    /// The id of that one.
    pub largest_split: String,
}

impl KnownLag {
    /// Adds so many splits, of which `largest_split` lags most. A job may have many: the name is kept in the room of the last one.
    fn add(&mut self, splits: u64, total: u64, largest: u64, largest_split: &str) {
        self.splits += splits;
        self.total = self.total.saturating_add(total);
        if largest > self.largest {
            self.largest = largest;
            self.largest_split.clear();
            self.largest_split.push_str(largest_split);
        }
    }
}

impl SourceLag {
    /// Adds the split that is called `split`.
    pub fn add(&mut self, split: &str, lag: Option<SplitLag>) {
        match (&mut self.known, lag) {
            (_, None) => self.unknown_splits += 1,
            (known @ None, Some(SplitLag { amount, unit })) => {
                *known = Some(KnownLag { unit, splits: 1, total: amount, largest: amount, largest_split: split.to_owned() });
            }
            (Some(known), Some(SplitLag { unit, .. })) if known.unit != unit => self.unknown_splits += 1,
            (Some(known), Some(SplitLag { amount, .. })) => known.add(1, amount, amount, split),
        }
    }

    /// Adds other splits.
    pub fn merge(&mut self, others: Self) {
        self.unknown_splits += others.unknown_splits;
        match (&mut self.known, others.known) {
            (_, None) => {}
            (known @ None, others) => *known = others,
            (Some(known), Some(others)) if known.unit != others.unit => self.unknown_splits += others.splits,
            (Some(known), Some(others)) => {
                known.add(others.splits, others.total, others.largest, &others.largest_split);
            }
        }
    }
}

/// The lag of one source, as its subtasks said last.
#[derive(Debug, Default)]
pub struct SubtaskLags(Mutex<BTreeMap<u32, SourceLag>>);

impl SubtaskLags {
    /// The splits of subtask `index` lag so far by now.
    pub fn set(&self, index: u32, lag: SourceLag) {
        self.lock().insert(index, lag);
    }

    /// Other subtasks will read.
    pub(crate) fn reset(&self) {
        self.lock().clear();
    }

    /// That of all subtasks together.
    pub fn get(&self) -> SourceLag {
        let mut all = SourceLag::default();
        self.lock().values().for_each(|lag| all.merge(lag.clone()));
        all
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, SourceLag>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(splits: &[(&str, Option<SplitLag>)]) -> SourceLag {
        let mut lag = SourceLag::default();
        splits.iter().for_each(|(split, of)| lag.add(split, *of));
        lag
    }

    fn bytes(amount: u64) -> Option<SplitLag> {
        Some(SplitLag { amount, unit: LagUnit::Bytes })
    }

    #[test]
    fn lags_add_up_and_the_largest_has_a_name() {
        let known = KnownLag { unit: LagUnit::Bytes, splits: 3, total: 16, largest: 9, largest_split: "b".into() };
        let lag = of(&[("a", bytes(7)), ("b", bytes(9)), ("c", bytes(0))]);
        assert_eq!(lag, SourceLag { known: Some(known), unknown_splits: 0 });
        assert_eq!(of(&[("a", bytes(u64::MAX)), ("b", bytes(9))]).known.unwrap().total, u64::MAX, "however much it is");
    }

    #[test]
    fn a_split_of_which_nobody_knows_does_not_count_as_nothing() {
        assert_eq!(of(&[]), SourceLag::default());
        assert_eq!(of(&[("a", None), ("b", None)]), SourceLag { known: None, unknown_splits: 2 });
        let lag = of(&[("a", None), ("b", bytes(3))]);
        assert_eq!((lag.known.unwrap().total, lag.unknown_splits), (3, 1));
    }

    #[test]
    fn records_are_not_added_to_bytes() {
        let records = Some(SplitLag { amount: 1, unit: LagUnit::Records });
        let mut lag = of(&[("a", bytes(3)), ("b", records)]);
        lag.merge(of(&[("c", records), ("d", records), ("e", None)]));
        assert_eq!((lag.known.unwrap().total, lag.unknown_splits), (3, 4));
    }

    #[test]
    fn what_a_subtask_said_last_counts() {
        let lags = SubtaskLags::default();
        lags.set(0, of(&[("a", bytes(7)), ("b", None)]));
        lags.set(1, of(&[("c", bytes(5))]));
        lags.set(0, of(&[("a", bytes(2)), ("b", bytes(4))]));
        let known = KnownLag { unit: LagUnit::Bytes, splits: 3, total: 11, largest: 5, largest_split: "c".into() };
        assert_eq!(lags.get(), SourceLag { known: Some(known), unknown_splits: 0 });
        lags.reset();
        assert_eq!(lags.get(), SourceLag::default());
    }
}
