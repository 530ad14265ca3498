//! Counters of a run. They are looked up once per subtask and added to once per batch.

mod histogram;
mod lag;
mod occupation;
mod pending;
mod subtasks;
mod watermark;

pub use histogram::{BOUNDS_S, Histogram, Observed};
pub use lag::{KnownLag, LagUnit, SourceLag, SplitLag, SubtaskLags, SubtaskTroubles, Trouble};
pub(crate) use occupation::Occupied;
pub use occupation::{Occupation, Occupations, TimeSpent};
pub use pending::{Pending, SubtaskPending};
pub use subtasks::{SubtaskMetrics, Subtasks};
pub use watermark::SubtaskWatermarks;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A counter that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// The sum so far.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A sum of amounts that come and go.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// One of the amounts has changed.
    pub fn change(&self, before: u64, after: u64) {
        self.0.fetch_add(after.wrapping_sub(before), Relaxed);
    }

    /// All amounts are gone.
    pub(crate) fn reset(&self) {
        self.0.store(0, Relaxed);
    }

    /// The sum as it is.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Amounts that subtasks have now, each its own.
#[derive(Debug, Default)]
pub struct SubtaskAmounts(Mutex<BTreeMap<u32, u64>>);

impl SubtaskAmounts {
    /// Subtask `index` has so much.
    pub fn set(&self, index: u32, amount: u64) {
        self.lock().insert(index, amount);
    }

    /// Other subtasks will have theirs.
    pub(crate) fn reset(&self) {
        self.lock().clear();
    }

    /// What all of them have together.
    pub fn sum(&self) -> u64 {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names of sums that one vertex may have.
const NAMES: usize = 256;

/// Sums under names that an operator gives (`ctx.metric`).
#[derive(Debug, Default)]
pub struct NamedSums(Mutex<BTreeMap<String, i64>>);

impl NamedSums {
    /// Adds to the sum of a name. Names beyond the first 256 are left out.
    pub fn add(&self, name: &str, delta: i64) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sum) = sums.get_mut(name) {
            *sum = sum.saturating_add(delta);
        } else if sums.len() < NAMES {
            sums.insert(name.to_owned(), delta);
        }
    }

    /// All sums so far.
    pub fn get(&self) -> BTreeMap<String, i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How often something has happened, by a few names that are weir's own.
#[derive(Debug, Default)]
pub struct NamedCounts(Mutex<BTreeMap<&'static str, u64>>);

impl NamedCounts {
    /// Adds to the count of a name.
    pub fn add(&self, name: &'static str, count: u64) {
        if count > 0 {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += count;
        }
    }

    /// All counts so far; none of them is zero.
    pub fn get(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }
}

/// What an operator's plugin has taken of what it may.
#[derive(Debug, Default)]
pub struct PluginMetrics {
    /// Instances that were replaced because their memory had grown.
    pub recycled: Counter,
    /// Fuel of all calls; zero where nobody counts it.
    pub fuel: Counter,
    /// How long its calls have taken, what they asked of the host included, ns.
    pub time_ns: Counter,
    /// Bytes of the memories and tables of its instances, as of each one's last call.
    pub memory: SubtaskAmounts,
    /// How often a call came to an end at a limit, tries that narrow a batch down included, by the limit's name in a job file; of log lines, how many were
    /// dropped.
    pub limits: NamedCounts,
}

/// Counters of one vertex, shared by its subtasks and by all attempts of the process.
#[derive(Debug, Default)]
pub struct VertexMetrics {
    /// What each of its subtasks counts.
    pub subtasks: Subtasks,
    /// Records that were quarantined.
    pub quarantined: Counter,
    /// Records that came too late for every window that they would have been put into.
    pub late: Counter,
    /// Records that a source skipped because they could not be read.
    pub skipped: Counter,
    /// Records of a source that are too far ahead of the clock to move its watermark.
    pub ahead: Counter,
    /// What its plugin has taken, where it is an operator that has one.
    pub plugin: PluginMetrics,
    /// What the operator counts itself, summed up over its subtasks. A call that had no effect counts nothing.
    pub own: NamedSums,
    /// What its subtasks keep, keyed and broadcast state together: see [`crate::state::size`].
    pub state_bytes: Gauge,
    /// Keys that its subtasks keep state of, as of the last barrier of each.
    pub state_keys: SubtaskAmounts,
    /// Windows that are open at its subtasks, as of the last barrier of each.
    pub open_windows: Gauge,
    /// Timers that are set and windows that wait for a time, as of the last barrier of each subtask.
    pub pending: SubtaskPending,
    /// How far event time has come at it.
    pub watermark: SubtaskWatermarks,
    /// How far a source's subtasks lag behind what there is, as of up to a second ago, or of the last barrier where a subtask has been held up since.
    pub lag: SubtaskLags,
    /// Why a source's subtasks do not get what there is, as of then; why a sink's do not get rid of what they have.
    pub trouble: SubtaskTroubles,
}

impl VertexMetrics {
    /// Records that came in.
    pub fn records_in(&self) -> u64 {
        self.subtasks.sum(|subtask| &subtask.records_in)
    }

    /// Records that went out, over all outputs but quarantine and late ones.
    pub fn records_out(&self) -> u64 {
        self.subtasks.sum(|subtask| &subtask.records_out)
    }
}

/// Counters of a job: one entry for each vertex, in the graph's order.
#[derive(Clone, Debug, Default)]
pub struct JobMetrics {
    /// Indexed like the graph's vertices.
    pub vertices: Vec<Arc<VertexMetrics>>,
}

impl JobMetrics {
    /// Zeroed counters for `vertices` vertices.
    pub fn new(vertices: usize) -> Self {
        Self { vertices: (0..vertices).map(|_| Arc::default()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_sums_add_up_and_are_bounded() {
        let sums = NamedSums::default();
        sums.add("b", 2);
        sums.add("a", i64::MAX);
        sums.add("a", 1);
        sums.add("b", -5);
        assert_eq!(sums.get(), BTreeMap::from([("a".to_owned(), i64::MAX), ("b".to_owned(), -3)]));
        (0..2 * NAMES).for_each(|number| sums.add(&format!("n{number}"), 1));
        assert_eq!(sums.get().len(), NAMES);
    }

    #[test]
    fn a_subtask_has_what_it_said_last() {
        let amounts = SubtaskAmounts::default();
        amounts.set(0, 5);
        amounts.set(1, 7);
        amounts.set(0, 2);
        assert_eq!(amounts.sum(), 9);
        amounts.reset();
        assert_eq!(amounts.sum(), 0);
    }

    #[test]
    fn a_gauge_is_the_sum_of_what_there_is() {
        let gauge = Gauge::default();
        gauge.change(0, 100);
        gauge.change(0, 7);
        gauge.change(100, 40);
        gauge.change(7, 0);
        assert_eq!(gauge.get(), 40);
        gauge.reset();
        assert_eq!(gauge.get(), 0);
    }
}
