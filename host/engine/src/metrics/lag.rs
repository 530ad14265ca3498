//! How far a source lags behind what there is: split by split, and for all of its subtasks together; and what troubles a source or a sink.
//!
//! A source may have splits without number: so many that lag most have a name.
//!
//! Lags are summed up and never taken for more than they are: a split of which nobody knows counts as unknown, not as zero.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many splits are named.
const NAMED: usize = 256;

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
    /// The splits that lag most, by id, and how far: the largest lag first, one at least.
    pub most: Vec<(String, u64)>,
}

impl KnownLag {
    /// Names a split that lags so far, unless as many lag further.
    fn name(&mut self, amount: u64, split: impl FnOnce() -> String) {
        let place = self.most.partition_point(|(_, lag)| *lag >= amount);
        if place < NAMED {
            self.most.truncate(NAMED - 1);
            self.most.insert(place, (split(), amount));
        }
    }
}

impl SourceLag {
    /// Adds the split that is called `split`.
    pub fn add(&mut self, split: &str, lag: Option<SplitLag>) {
        match (&mut self.known, lag) {
            (_, None) => self.unknown_splits += 1,
            (known @ None, Some(SplitLag { amount, unit })) => {
                *known = Some(KnownLag { unit, splits: 1, total: amount, most: vec![(split.to_owned(), amount)] });
            }
            (Some(known), Some(SplitLag { unit, .. })) if known.unit != unit => self.unknown_splits += 1,
            (Some(known), Some(SplitLag { amount, .. })) => {
                known.splits += 1;
                known.total = known.total.saturating_add(amount);
                known.name(amount, || split.to_owned());
            }
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
                known.splits += others.splits;
                known.total = known.total.saturating_add(others.total);
                others.most.into_iter().for_each(|(split, amount)| known.name(amount, || split));
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

/// Says what keeps a connector from what it does, while something does; it goes on trying. It is asked at any time, from any thread, and answers at once.
pub type Trouble = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Why the subtasks of one source do not get what there is, or those of one sink do not get rid of what they have.
#[derive(Default)]
pub struct SubtaskTroubles(Mutex<Troubles>);

#[derive(Default)]
struct Troubles {
    /// As they said last.
    said: BTreeMap<u32, String>,
    /// Of those that are asked: a sink that waits for room says nothing by itself.
    asked: BTreeMap<u32, Trouble>,
}

impl SubtaskTroubles {
    /// Subtask `index` has this trouble by now, or none.
    pub fn set(&self, index: u32, trouble: Option<String>) {
        let said = &mut self.lock().said;
        match trouble {
            Some(trouble) => said.insert(index, trouble),
            None => said.remove(&index),
        };
    }

    /// Subtask `index` is asked.
    pub(crate) fn ask(&self, index: u32, trouble: Trouble) {
        self.lock().asked.insert(index, trouble);
    }

    /// Other subtasks will be at work.
    pub(crate) fn reset(&self) {
        *self.lock() = Troubles::default();
    }

    /// That of any of them.
    pub fn get(&self) -> Option<String> {
        let troubles = self.lock();
        troubles.said.values().next().cloned().or_else(|| troubles.asked.values().find_map(|trouble| trouble()))
    }

    fn lock(&self) -> MutexGuard<'_, Troubles> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SubtaskTroubles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SubtaskTroubles").field(&self.get()).finish()
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
    fn as_many_splits_are_named_as_lag_most_and_all_are_counted() {
        let splits: Vec<_> = (0..1_000).map(|amount| (format!("{amount}"), bytes(amount * 7 % 1_000))).collect();
        let mut lag = SourceLag::default();
        splits.iter().for_each(|(split, of)| lag.add(split, *of));
        let mut halves = [SourceLag::default(), SourceLag::default()];
        splits.iter().enumerate().for_each(|(place, (split, of))| halves[place % 2].add(split, *of));
        let [mut all, odd] = halves;
        all.merge(odd);
        for known in [lag.known.unwrap(), all.known.unwrap()] {
            assert_eq!((known.splits, known.total, known.most.len()), (1_000, 499_500, NAMED));
            assert!(known.most.iter().map(|(_, amount)| *amount).eq((744..1_000).rev()), "{:?}", known.most);
        }
    }

    #[test]
    fn lags_add_up_and_the_largest_has_a_name() {
        let known = KnownLag { unit: LagUnit::Bytes, splits: 3, total: 16, most: vec![("b".into(), 9), ("a".into(), 7), ("c".into(), 0)] };
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
        let known = KnownLag { unit: LagUnit::Bytes, splits: 3, total: 11, most: vec![("c".into(), 5), ("b".into(), 4), ("a".into(), 2)] };
        assert_eq!(lags.get(), SourceLag { known: Some(known), unknown_splits: 0 });
        lags.reset();
        assert_eq!(lags.get(), SourceLag::default());
    }

    #[test]
    fn a_subtask_that_is_asked_has_its_trouble_for_as_long_as_it_says_so() {
        let (troubles, away) = (SubtaskTroubles::default(), Arc::new(Mutex::new(true)));
        let asked = away.clone();
        troubles.ask(1, Arc::new(move || asked.lock().unwrap().then(|| "it is away".to_owned())));
        assert_eq!(troubles.get().as_deref(), Some("it is away"));
        troubles.set(0, Some("said".into()));
        assert_eq!(troubles.get().as_deref(), Some("said"));
        troubles.set(0, None);
        *away.lock().unwrap() = false;
        assert_eq!(troubles.get(), None);
        *away.lock().unwrap() = true;
        troubles.reset();
        assert_eq!(troubles.get(), None, "others are at work");
    }
}
