//! Which windows a record is put into, as the job says it.

use super::{NO_BOUND, Window};
use crate::element::NO_TIMESTAMP;
use crate::state::TimeDomain;

/// A record is put into so many windows at most.
pub const HOPS_MAX: i64 = 1_000;

/// What becomes of the records of a windowed operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowSettings {
    /// What windows there are.
    pub kind: WindowKind,
    /// For how long behind its end a window takes records, ms; 0 or more, and 0 where its time is not that of events.
    pub lateness: i64,
    /// How often windows that records have come for since fire besides, ms of the clock; above 0.
    pub emit_every: Option<u64>,
    /// Which time windows go by. Counts and a global window go by none.
    pub time: TimeDomain,
    /// Windows of a key that may be open.
    pub max_per_key: u32,
}

/// What windows there are. Times are in ms; sizes, steps and gaps are above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// One behind the other, of one size.
    Tumbling {
        /// How long one is.
        size: i64,
        /// Where one begins, counted from 1970.
        offset: i64,
    },
    /// Of one size, and a new one at each step.
    Hopping {
        /// How long one is.
        size: i64,
        /// From the beginning of one to that of the next; `size` at most, and a [`HOPS_MAX`]th of it at least.
        every: i64,
        /// Where one begins, counted from 1970.
        offset: i64,
    },
    /// As long as records come without a pause.
    Session {
        /// How long the pause is.
        gap: i64,
    },
    /// So many records of a key.
    Count {
        /// How many.
        records: u64,
    },
    /// One for all records of a key.
    Global,
}

impl WindowSettings {
    /// Windows by event time that fire when they are complete, and take nothing late.
    pub fn new(kind: WindowKind) -> Self {
        Self { kind, lateness: 0, emit_every: None, time: TimeDomain::Event, max_per_key: 10_000 }
    }

    /// What has to stay as it is while windows are open, in words: it stands in checkpoints as the schema of the state that the host keeps of a window.
    pub fn described(&self) -> String {
        let time = match self.time {
            TimeDomain::Event => "event",
            TimeDomain::Processing => "processing",
        };
        match self.kind {
            WindowKind::Tumbling { size, offset } => format!("tumbling {size} ms offset {offset} ms, {time} time"),
            WindowKind::Hopping { size, every, offset } => format!("hopping {size} ms every {every} ms offset {offset} ms, {time} time"),
            WindowKind::Session { gap } => format!("session {gap} ms, {time} time"),
            WindowKind::Count { records } => format!("count {records}"),
            WindowKind::Global => "global".to_owned(),
        }
    }

    /// How many different windows are open at once where records come in order: those that a time is in, those that are open for late ones, and the next.
    pub fn likely_open(&self) -> u64 {
        match self.kind {
            WindowKind::Tumbling { size, .. } => self.in_steps_of(size, size),
            WindowKind::Hopping { size, every, .. } => self.in_steps_of(size, every),
            WindowKind::Session { .. } | WindowKind::Count { .. } | WindowKind::Global => 1,
        }
    }

    fn in_steps_of(&self, size: i64, every: i64) -> u64 {
        let (size, lateness, every) = (size.unsigned_abs(), self.lateness.unsigned_abs(), every.unsigned_abs().max(1));
        size.saturating_add(lateness).div_ceil(every).saturating_add(1)
    }

    /// True where a record without a time cannot be put into any.
    pub fn needs_timestamps(&self) -> bool {
        self.time == TimeDomain::Event && !matches!(self.kind, WindowKind::Count { .. } | WindowKind::Global)
    }
}

impl WindowKind {
    /// True where a record may make one window of two.
    pub fn merges(&self) -> bool {
        matches!(self, Self::Session { .. })
    }

    /// True where the bounds of a record's windows are known when it comes.
    pub fn has_known_bounds(&self) -> bool {
        matches!(self, Self::Tumbling { .. } | Self::Hopping { .. })
    }

    /// The window that starts at `start`; one without bounds where it does not have any by that.
    pub fn window_of(&self, start: i64) -> Window {
        match *self {
            Self::Tumbling { size, .. } | Self::Hopping { size, .. } => Window { start, end: start.saturating_add(size) },
            Self::Session { .. } | Self::Count { .. } | Self::Global => Window { start: NO_BOUND, end: NO_BOUND },
        }
    }

    /// The one window of a time where there is one, found without much ado; `None` says nothing.
    #[inline]
    pub(super) fn window_at(&self, time: i64) -> Option<Window> {
        let Self::Tumbling { size, offset } = *self else { return None };
        let start = time.checked_sub(time.checked_sub(offset)?.rem_euclid(size))?;
        Some(Window { start, end: start.checked_add(size)? }).filter(|_| time != NO_TIMESTAMP)
    }

    /// The windows of a time, first to last; none but for tumbling and hopping ones, and where the numbers of time end.
    pub fn windows_at(&self, time: i64) -> impl Iterator<Item = Window> {
        let (size, every, offset) = match *self {
            Self::Tumbling { size, offset } => (size, size, offset),
            Self::Hopping { size, every, offset } => (size, every, offset),
            Self::Session { .. } | Self::Count { .. } | Self::Global => (0, 1, 0),
        };
        // In 128 bits nothing overflows; most times are far from where 64 do.
        let last = match time.checked_sub(offset).and_then(|since| time.checked_sub(since.rem_euclid(every))) {
            Some(last) => i128::from(last),
            None => i128::from(time) - (i128::from(time) - i128::from(offset)).rem_euclid(i128::from(every)),
        };
        let hops = match time {
            NO_TIMESTAMP => 0,
            _ if size == every => 1,
            _ => (i128::from(size) - (i128::from(time) - last) - 1).div_euclid(i128::from(every)) + 1,
        };
        (0..hops).rev().filter_map(move |hop| {
            let start = last - hop * i128::from(every);
            Some(Window { start: i64::try_from(start).ok()?, end: i64::try_from(start + i128::from(size)).ok()? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: WindowKind, time: i64, expect: &[(i64, i64)]) {
        let windows: Vec<_> = kind.windows_at(time).map(|window| (window.start, window.end)).collect();
        assert_eq!(windows, expect, "{kind:?} at {time}");
        if let Some(window) = kind.window_at(time) {
            assert_eq!(expect, [(window.start, window.end)], "{kind:?} at {time}");
        }
    }

    #[test]
    fn a_time_is_in_one_tumbling_window_also_before_1970() {
        let kind = WindowKind::Tumbling { size: 10, offset: 0 };
        check(kind, 0, &[(0, 10)]);
        check(kind, 9, &[(0, 10)]);
        check(kind, 10, &[(10, 20)]);
        check(kind, -1, &[(-10, 0)]);
        check(kind, -10, &[(-10, 0)]);
        check(WindowKind::Tumbling { size: 10, offset: 3 }, 2, &[(-7, 3)]);
        check(WindowKind::Tumbling { size: 10, offset: -7 }, 3, &[(3, 13)]);
    }

    #[test]
    fn a_time_is_in_each_hopping_window_that_covers_it_first_to_last() {
        let kind = WindowKind::Hopping { size: 10, every: 4, offset: 0 };
        check(kind, 0, &[(-8, 2), (-4, 6), (0, 10)]);
        check(kind, 3, &[(-4, 6), (0, 10)]);
        check(kind, -1, &[(-8, 2), (-4, 6)]);
        for time in -30..30 {
            let covering = (-20..20).map(|step| step * 4).filter(|start| (*start..start + 10).contains(&time));
            check(kind, time, &covering.map(|start| (start, start + 10)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn where_the_numbers_of_time_end_there_are_no_windows() {
        check(WindowKind::Tumbling { size: 1_000, offset: 0 }, i64::MAX, &[]);
        check(WindowKind::Tumbling { size: 1_000, offset: 0 }, i64::MIN + 1, &[]);
        check(WindowKind::Hopping { size: i64::MAX, every: i64::MAX, offset: 0 }, -5, &[(-i64::MAX, 0)]);
        check(WindowKind::Tumbling { size: 1_000, offset: 0 }, NO_TIMESTAMP, &[]);
    }
}
