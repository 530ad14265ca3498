//! Timers of keys. What is set is state of its key, one value state for each declared timer, so that it is captured, stored by increments, restored,
//! rescaled and looked into as any other is; beside it a queue says which is next, and is made from the state when that has been restored.
//!
//! ```text
//! value = *time    ; ms, 8 bytes each, little-endian, strictly ascending
//! ```

use super::timer_queue::TimerQueue;
use super::{StateDescriptor, StateKind};
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// What the name of a timer's state begins with. No state that an author declares is named so.
pub const TIMER_STATE: &str = "weir:timer:";

/// Which time a timer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeDomain {
    /// The watermark.
    Event,
    /// The clock.
    Processing,
}

/// What stood in the place of the time that a timer goes by before it was said there.
const UNSAID: &str = "raw";

/// The state that keeps a declared timer. Its schema says which time it goes by.
pub fn timer_state(name: &str, domain: TimeDomain) -> StateDescriptor {
    let schema = match domain {
        TimeDomain::Event => "event time",
        TimeDomain::Processing => "processing time",
    };
    StateDescriptor { name: format!("{TIMER_STATE}{name}"), kind: StateKind::Value, schema: schema.into(), version: 1, ttl: None }
}

/// True where the states of a timer, as one was and as it is, may be of the same one: older checkpoints do not say which time it went by.
pub(crate) fn is_timer_of_both(was: &StateDescriptor, is: &StateDescriptor) -> bool {
    was.schema == is.schema || was.schema == UNSAID
}

/// True where this may be the state of a timer by this time.
pub(super) fn may_be_of_timer_by(state: &StateDescriptor, domain: TimeDomain) -> bool {
    state.name.starts_with(TIMER_STATE) && (state.schema == UNSAID || state.schema == timer_state("", domain).schema)
}

/// The timers of one subtask's keys.
pub(super) struct Timers {
    /// The index of the first one's state; the others' follow it.
    pub first_state: usize,
    /// For each declared timer what it goes by.
    domains: Vec<TimeDomain>,
    /// How many are set.
    pub set: u64,
    event: TimerQueue,
    processing: TimerQueue,
    /// Event time is at its end: what is set now is kept and does not fire.
    is_at_end: bool,
    /// Up to when timers are due, by event time and by the clock.
    due: Due,
    /// By the hash of a key how many of its timers were due when they were set, since nothing was.
    overdue: HashMap<u64, u32, FixedState>,
}

#[derive(Clone, Copy)]
struct Due {
    event: i64,
    processing: i64,
}

impl Timers {
    /// Of an operator that declares timers of these domains, whose states are those from `first_state` on.
    pub fn new(first_state: usize, domains: Vec<TimeDomain>) -> Self {
        Self {
            first_state,
            domains,
            set: 0,
            event: TimerQueue::default(),
            processing: TimerQueue::default(),
            is_at_end: false,
            due: Due { event: i64::MIN, processing: i64::MIN },
            overdue: HashMap::default(),
        }
    }

    /// Before this time none is due, whichever it goes by; `None`: none is set.
    pub fn not_before(&self) -> Option<i64> {
        self.event.not_before().into_iter().chain(self.processing.not_before()).min().filter(|_| self.set > 0)
    }

    /// Number of declared timers.
    pub fn len(&self) -> usize {
        self.domains.len()
    }

    /// What a declared timer goes by.
    pub fn domain(&self, timer: usize) -> Option<TimeDomain> {
        self.domains.get(timer).copied()
    }

    /// A timer has been set.
    pub fn push(&mut self, timer: usize, time: i64, key: &[u8]) {
        let domain = self.domains[timer];
        if !(self.is_at_end && domain == TimeDomain::Event) {
            self.queue(domain).push(time, key, timer as u32);
        }
    }

    /// Those that go by this time.
    pub fn queue(&mut self, domain: TimeDomain) -> &mut TimerQueue {
        match domain {
            TimeDomain::Event => &mut self.event,
            TimeDomain::Processing => &mut self.processing,
        }
    }

    /// See [`super::KeyedState::on_due`].
    pub fn on_due(&mut self, domain: TimeDomain, until: i64) {
        match domain {
            TimeDomain::Event => self.due.event = until,
            TimeDomain::Processing => self.due.processing = until,
        }
    }

    /// A timer of a key with this hash has been set.
    pub fn on_set(&mut self, timer: usize, time: i64, hash: u64) {
        let until = match self.domains[timer] {
            TimeDomain::Event => self.due.event,
            TimeDomain::Processing => self.due.processing,
        };
        if time <= until {
            *self.overdue.entry(hash).or_default() += 1;
        }
    }

    /// Nothing is due any more.
    pub fn on_none_due(&mut self) {
        if !self.overdue.is_empty() {
            self.overdue = HashMap::default();
        }
    }

    /// See [`super::KeyedState::overdue`].
    pub fn overdue(&self, hash: u64) -> u32 {
        if self.overdue.is_empty() { 0 } else { self.overdue.get(&hash).copied().unwrap_or_default() }
    }

    /// From now on what is set by event time stays.
    pub fn end_event_time(&mut self) {
        self.is_at_end = true;
    }
}

/// The times of a key's timer, as they are stored.
pub(super) struct Times<'a>(pub &'a [u8]);

impl Times<'_> {
    /// How many they are.
    pub fn len(&self) -> u64 {
        self.0.as_chunks::<8>().0.len() as u64
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes))
    }

    fn find(&self, time: i64) -> Result<usize, usize> {
        let (times, _) = self.0.as_chunks::<8>();
        times.binary_search_by_key(&time, |bytes| i64::from_le_bytes(*bytes))
    }

    /// With one more; `None`: it is there.
    pub fn with(&self, time: i64) -> Option<Vec<u8>> {
        let place = self.find(time).err()?;
        let (before, behind) = self.0.split_at(place * 8);
        Some([before, &time.to_le_bytes(), behind].concat())
    }

    /// Without one of them; `None`: it is not there.
    pub fn without(&self, time: i64) -> Option<Vec<u8>> {
        let place = self.find(time).ok()?;
        Some([&self.0[..place * 8], &self.0[place * 8 + 8..]].concat())
    }

    /// How many of some times are there.
    pub fn count_of(&self, times: &[i64]) -> usize {
        times.iter().filter(|time| self.find(**time).is_ok()).count()
    }

    /// Without the times of `deleted`, and with those of `set`; both ascend. However many they are, what is kept is gone through once.
    pub fn changed(&self, deleted: &[i64], set: &[i64]) -> ChangedTimes {
        let mut changed = ChangedTimes { times: Vec::with_capacity(self.0.len() + 8 * set.len()), new: Vec::new() };
        let mut kept = self.iter().filter(|time| deleted.binary_search(time).is_err()).peekable();
        for &time in set {
            while let Some(before) = kept.next_if(|kept| *kept < time) {
                changed.times.extend_from_slice(&before.to_le_bytes());
            }
            if kept.next_if_eq(&time).is_none() {
                changed.new.push(time);
            }
            changed.times.extend_from_slice(&time.to_le_bytes());
        }
        kept.for_each(|time| changed.times.extend_from_slice(&time.to_le_bytes()));
        changed
    }
}

/// What becomes of the times of a key's timer.
pub(super) struct ChangedTimes {
    /// All of them, as they are stored.
    pub times: Vec<u8>,
    /// Those that were not there.
    pub new: Vec<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_in_order_and_once() {
        let mut bytes = Vec::new();
        for time in [5, -3, i64::MAX, 5, 0, i64::MIN] {
            bytes = Times(&bytes).with(time).unwrap_or(bytes);
        }
        assert_eq!(Times(&bytes).iter().collect::<Vec<_>>(), [i64::MIN, -3, 0, 5, i64::MAX]);
        assert_eq!(Times(&bytes).without(7), None);
        for time in [0, i64::MAX, i64::MIN] {
            bytes = Times(&bytes).without(time).unwrap();
        }
        assert_eq!(Times(&bytes).iter().collect::<Vec<_>>(), [-3, 5]);
        assert_eq!(Times(&Times(&bytes).without(-3).unwrap()).without(5), Some(Vec::new()));
    }

    #[test]
    fn changing_many_times_at_once_is_changing_one_after_the_other() {
        for seed in 0..500 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut some = || (0..rng.usize(0..6)).map(|_| rng.i64(-4..5)).collect::<std::collections::BTreeSet<_>>();
            let (there, deleted, set) = (some(), some(), some());
            let bytes: Vec<u8> = there.iter().flat_map(|time| time.to_le_bytes()).collect();
            let list = |times: &std::collections::BTreeSet<i64>| times.iter().copied().collect::<Vec<_>>();
            let changed = Times(&bytes).changed(&list(&deleted), &list(&set));
            let left = &there - &deleted;
            assert_eq!(Times(&changed.times).iter().collect::<Vec<_>>(), list(&(&left | &set)), "seed {seed}");
            assert_eq!(changed.new, list(&(&set - &left)), "seed {seed}");
            assert_eq!(Times(&bytes).count_of(&list(&set)), (&there & &set).len());
        }
    }
}
