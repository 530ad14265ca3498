//! Rows of two inputs whose times are so far apart, and no further.

use super::{Rows, keep};
use crate::error::Result;
use crate::state::{Cbor, Codec};
use crate::timers::{Timer, Timers};
use std::ops::RangeInclusive;

/// Joins rows of the same key where the right one's time, less the left one's, is within bounds.
///
/// Each row is joined with those of the other side that have come before it, so that every pair comes once, with the second of the two. A row is kept as long as
/// another may come that it goes with, by the watermark: [`Self::past`] drops it then. One that comes later than that is joined with
/// what is there and not kept.
pub struct IntervalJoin<'a, L, R> {
    left: &'a mut Rows<L>,
    right: &'a mut Rows<R>,
    timers: &'a mut Timers,
    /// When rows are past.
    timer: Timer,
    /// How far a right row may be behind a left one, ms.
    within: RangeInclusive<i64>,
}

impl<'a, L, R> IntervalJoin<'a, L, R>
where
    Cbor: Codec<Vec<L>> + Codec<Vec<R>>,
{
    /// The join of the key that is being worked on. `timer` is one of event time that the operator declares for it, and `within` says how far the right row may be
    /// behind the left one, ms: `-5_000..=60_000` is from five seconds before it up to a minute behind it.
    pub fn new(left: &'a mut Rows<L>, right: &'a mut Rows<R>, timers: &'a mut Timers, timer: Timer, within: RangeInclusive<i64>) -> Self {
        Self { left, right, timers, timer, within }
    }

    /// A left row has come: the right ones that it goes with, by time.
    pub fn left(&mut self, time: i64, row: L) -> Result<Vec<R>> {
        let past = time.saturating_add(*self.within.end());
        if !self.timers.has_come(past) {
            self.timers.set(self.timer, past)?;
            keep(self.left, time, row)?;
        }
        rows_at(self.right, time.saturating_add(*self.within.start())..=past)
    }

    /// A right row has come: the left ones that it goes with, by time.
    pub fn right(&mut self, time: i64, row: R) -> Result<Vec<L>> {
        let past = time.saturating_sub(*self.within.start());
        if !self.timers.has_come(past) {
            self.timers.set(self.timer, past)?;
            keep(self.right, time, row)?;
        }
        rows_at(self.left, time.saturating_sub(*self.within.end())..=past)
    }

    /// The timer has fired that was set to `time`: rows that nothing may come for any more are dropped.
    pub fn past(&mut self, time: i64) -> Result<()> {
        self.left.remove(&time.saturating_sub(*self.within.end()))?;
        self.right.remove(&time.saturating_add(*self.within.start()))
    }
}

/// The rows of these times.
fn rows_at<T>(rows: &mut Rows<T>, times: RangeInclusive<i64>) -> Result<Vec<T>>
where
    Cbor: Codec<Vec<T>>,
{
    let mut found = Vec::new();
    for entry in rows.iter()? {
        let (time, of_time) = entry?;
        if times.contains(&time) {
            found.push((time, of_time));
        }
    }
    // Encoded times before 1970 are not in their order.
    found.sort_by_key(|(time, _)| *time);
    Ok(found.into_iter().flat_map(|(_, of_time)| of_time).collect())
}
