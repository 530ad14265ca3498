//! Time, moved by hand: what is due fires as the engine fires it.
//!
//! Timers come in the order of their times. A call holds one time only of each key, and what it sets and deletes counts before the key's next.

use super::TestHost;
use super::due_windows::CORRECTION_MS;
use super::record::{TestRecord, batch_of, vecs};
use super::store::SetTimer;
use super::test_host::TestFailure;
use crate::bindings::weir::operator::types::{TimeDomain, TimerBatch};
use crate::columns::push_u32;
use crate::operator::Operator;
use crate::timers::Timer;
use std::collections::{BTreeMap, BTreeSet};

/// Timers of one call at most.
const FIRED_MAX: usize = 1_024;
/// So many timers of a key may be set that are due already, before nothing is due.
const OVERDUE_MAX: u32 = 10_000;

impl<O: Operator> TestHost<O> {
    /// The watermark comes to `watermark`, ms: event timers up to it fire, and windows that end before it or have corrections. Time never runs backwards; an earlier one changes nothing. A failed call had no
    /// effect, and its timers stay.
    pub fn advance_to(&mut self, watermark: i64) -> Result<(), TestFailure> {
        self.watermark = self.watermark.max(watermark);
        if O::WINDOWED { self.fire_windows(i64::MAX) } else { self.fire_due() }
    }

    /// The clock goes on by so many ms: processing timers up to its time fire, windows that end by it, and corrections that have waited for 100 ms.
    pub fn advance_clock(&mut self, ms: i64) -> Result<(), TestFailure> {
        self.processing_time = self.processing_time.saturating_add(ms.max(0));
        if O::WINDOWED { self.fire_windows(self.processing_time - CORRECTION_MS) } else { self.fire_due() }
    }

    /// The input ends: event timers that are there fire, and those that these set stay, as processing timers do. So do windows of event time and global ones
    /// fire, and those that are not full and those of the clock stay.
    pub fn end_input(&mut self) -> Result<(), TestFailure> {
        (self.watermark, self.is_at_end) = (i64::MAX, true);
        if O::WINDOWED {
            return self.fire_last_windows();
        }
        self.fire(TimeDomain::Event, i64::MAX)
    }

    /// The times that a timer of a key is set to, ascending.
    pub fn timers(&self, timer: Timer, key: impl AsRef<[u8]>) -> Vec<i64> {
        let number = O::TIMERS.iter().position(|declared| *declared == timer);
        let number = number.unwrap_or_else(|| panic!("{} has no timer `{}`", O::NAME, timer.name())) as u32;
        let of = |set: &&SetTimer| set.timer == number && set.key == key.as_ref();
        self.store.timers.iter().filter(of).map(|set| set.time).collect()
    }

    /// Fires what is due by now.
    pub(super) fn fire_due(&mut self) -> Result<(), TestFailure> {
        if !self.is_at_end {
            self.fire(TimeDomain::Event, self.watermark)?;
        }
        self.fire(TimeDomain::Processing, self.processing_time)
    }

    /// Fires the timers of one domain up to a time, those too that they set; at the end of event time not those.
    fn fire(&mut self, domain: TimeDomain, until: i64) -> Result<(), TestFailure> {
        let mut there: BTreeSet<SetTimer> = self.due(domain, until).cloned().collect();
        let mut overdue: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let only_there = self.is_at_end && domain == TimeDomain::Event;
        loop {
            let fired = self.next_call(domain, until, only_there.then_some(&there));
            if fired.is_empty() {
                return Ok(());
            }
            for timer in fired.iter().filter(|timer| !there.remove(*timer)) {
                let count = overdue.entry(timer.key.clone()).or_default();
                *count += 1;
                if *count > OVERDUE_MAX {
                    let key = timer.key.escape_ascii();
                    let message =
                        format!("more than {OVERDUE_MAX} timers of the key {key} were due when they were set, one behind the other");
                    return Err(TestFailure { record: None, message });
                }
            }
            self.call_timers(&fired)?;
        }
    }

    /// Those of one domain that are set up to a time, in the order in which they fire.
    fn due(&self, domain: TimeDomain, until: i64) -> impl Iterator<Item = &SetTimer> {
        let is_of = move |timer: &&SetTimer| self.descriptor.timers[timer.timer as usize].domain == domain;
        self.store.timers.iter().take_while(move |timer| timer.time <= until).filter(is_of)
    }

    /// The timers of the next call, of `only` these where it is said: one time of each key.
    fn next_call(&self, domain: TimeDomain, until: i64, only: Option<&BTreeSet<SetTimer>>) -> Vec<SetTimer> {
        let mut times = BTreeMap::new();
        let due = self.due(domain, until).filter(|timer| only.is_none_or(|only| only.contains(*timer)));
        due.take_while(|timer| *times.entry(&timer.key).or_insert(timer.time) == timer.time).take(FIRED_MAX).cloned().collect()
    }

    /// A timer is gone when it is called for, and may be set anew; where the call fails it was never gone.
    fn call_timers(&mut self, fired: &[SetTimer]) -> Result<(), TestFailure> {
        let records: Vec<_> = fired.iter().map(|timer| TestRecord::new("").key(&timer.key).at(timer.time)).collect();
        let batch = batch_of(&records, true);
        let keys = vecs(&batch.keys);
        let mut timers = Vec::new();
        fired.iter().for_each(|timer| push_u32(&mut timers, timer.timer));
        self.begin_call(&keys, self.due_of(fired, &keys));
        let states = self.store.columns(&self.descriptor.states, &keys);
        let (key_of, times) = (batch.key_of.clone(), fired.iter().flat_map(|timer| timer.time.to_le_bytes()).collect());
        let given = TimerBatch { keys: batch.keys.clone(), key_of, timers, times, states };
        for timer in fired {
            self.store.timers.remove(timer);
        }
        let called = self.call(0, keys, &batch, |instance, context| instance.on_timers(context, given));
        if called.is_err() {
            self.store.timers.extend(fired.iter().cloned());
        }
        called
    }

    /// For each key the time at which its timers were due, with what they go by.
    fn due_of(&self, fired: &[SetTimer], keys: &[Vec<u8>]) -> Option<(TimeDomain, Vec<i64>)> {
        let domain = self.descriptor.timers[fired.first()?.timer as usize].domain;
        let due: BTreeMap<_, _> = fired.iter().map(|timer| (&timer.key, timer.time)).collect();
        Some((domain, keys.iter().map(|key| due[key]).collect()))
    }
}
