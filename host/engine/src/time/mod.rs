//! Event time: where watermarks come from. How they are merged is in `exchange/watermark_valve.rs`. Pure.

mod floors;
mod processing_time;
mod source_idleness;
mod split_watermarks;

pub use floors::WatermarkFloors;
pub use processing_time::ProcessingTime;
pub(crate) use source_idleness::SourceIdleness;
pub(crate) use split_watermarks::{OpenSplits, SplitWatermarks};

use crate::element::{NO_TIMESTAMP, Watermark};
use std::time::Duration;

/// How watermarks are made of timestamps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatermarkSettings {
    /// How much older than the newest record so far one may be and still be in time.
    pub delay: Duration,
    /// A split is idle once it has been caught up for so long; `None`: it never is.
    pub idle_after: Option<Duration>,
    /// While every split of a source is idle, event time goes on as the clock does.
    pub advance_when_idle: bool,
    /// A record that is further ahead of the clock than this does not move the watermark; `None`: any does.
    pub max_ahead: Option<Duration>,
    /// Splits are read in the order of their names, and one that has not been begun holds nothing back.
    pub in_order: bool,
}

impl WatermarkSettings {
    /// What the largest timestamp so far says: nothing that is older than this is waited for.
    pub(crate) fn watermark_of(&self, largest: i64) -> Watermark {
        Watermark(largest.saturating_sub(millis(self.delay)).saturating_sub(1))
    }

    /// The largest of these timestamps that moves the watermark, and how many are too far ahead to do so.
    pub(crate) fn largest(&self, timestamps: &[i64], wall_ms: i64) -> Largest {
        let Some(max_ahead) = self.max_ahead else {
            return Largest { timestamp: timestamps.iter().copied().max().filter(|largest| *largest != NO_TIMESTAMP), ahead: 0 };
        };
        let latest = wall_ms.saturating_add(millis(max_ahead));
        let largest = timestamps.iter().copied().filter(|timestamp| *timestamp <= latest).max();
        let ahead = timestamps.iter().filter(|timestamp| **timestamp > latest).count() as u64;
        Largest { timestamp: largest.filter(|largest| *largest != NO_TIMESTAMP), ahead }
    }
}

/// What some records say of event time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Largest {
    pub timestamp: Option<i64>,
    /// Records that are too far ahead.
    pub ahead: u64,
}

/// From where the subtasks of a restored operator go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoredTime {
    /// The largest timestamp that each begins with: the smallest that its old ones had come to, as nobody knows whose records each is given. `None`: one of those had
    /// emitted nothing.
    pub largest: Option<i64>,
    /// The smallest of those that had one: what time goes on from once all are idle.
    pub others: Option<i64>,
}

impl RestoredTime {
    /// Where the old subtasks had come to these.
    pub fn of(old: impl Iterator<Item = Option<i64>> + Clone) -> Self {
        Self { largest: old.clone().min().flatten(), others: old.flatten().min() }
    }
}

/// A duration in the unit of timestamps.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_is_behind_all_that_may_still_come() {
        let settings = |ms| WatermarkSettings { delay: Duration::from_millis(ms), ..WatermarkSettings::default() };
        assert_eq!(settings(0).watermark_of(10), Watermark(9), "records of one time are in time together");
        assert_eq!(settings(4).watermark_of(10), Watermark(5));
        assert_eq!(settings(u64::MAX).watermark_of(-10), Watermark(NO_TIMESTAMP));
        assert_eq!(settings(0).watermark_of(NO_TIMESTAMP + 1), Watermark(NO_TIMESTAMP));
    }

    #[test]
    fn a_restored_operators_subtasks_go_on_from_the_one_that_was_furthest_behind() {
        let of = |old: &[Option<i64>]| {
            let RestoredTime { largest, others } = RestoredTime::of(old.iter().copied());
            (largest, others)
        };
        assert_eq!(of(&[Some(7), Some(-3), Some(9)]), (Some(-3), Some(-3)));
        assert_eq!(
            [of(&[Some(7), None]), of(&[None, Some(7)])],
            [(None, Some(7)); 2],
            "one that has emitted nothing may emit anything until it is idle"
        );
        assert_eq!([of(&[]), of(&[None]), of(&[Some(5)])], [(None, None), (None, None), (Some(5), Some(5))]);
    }

    #[test]
    fn what_is_too_far_ahead_of_the_clock_moves_nothing() {
        let settings = |max_ahead| WatermarkSettings { max_ahead, ..WatermarkSettings::default() };
        let of = |max_ahead: Option<u64>, timestamps: &[i64]| settings(max_ahead.map(Duration::from_millis)).largest(timestamps, 100);
        let largest = |timestamp, ahead| Largest { timestamp, ahead };
        assert_eq!(of(None, &[3, 9_000, NO_TIMESTAMP]), largest(Some(9_000), 0));
        assert_eq!(of(Some(5), &[3, 9_000, 105, 106]), largest(Some(105), 2));
        assert_eq!(of(Some(5), &[9_000, NO_TIMESTAMP]), largest(None, 1));
        assert_eq!(of(None, &[NO_TIMESTAMP]), largest(None, 0));
        assert_eq!(of(None, &[]), largest(None, 0));
    }
}
