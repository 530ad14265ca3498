//! How a batch that a guest fails on is narrowed down to the records that it fails on alone. Timers that are due and windows that fire are narrowed down as records are.
//!
//! Pure: a part and its fault in, the parts to try next out. Parts are tried in the order of their records and each part that
//! succeeds takes effect at once, so every other record sees exactly the state that it would see had the poison never been there.
//! That holds for a record that the guest names, too: it is tried alone in its own place, after those in front of it.
//!
//! Invariant: every answer but [`Next::SetAside`] is a smaller part, or the same single record on a new instance or with more time;
//! so it ends.

use crate::fault::GuestFault;
use std::ops::Range;
use std::time::Duration;

/// The least time that a part of a batch gets.
const LEAST_DEADLINE: Duration = Duration::from_millis(20);
/// The time that narrowing one batch may take in all, at least.
const LEAST_BUDGET: Duration = Duration::from_secs(10);

/// The time that narrowing one batch may take, where a batch gets `limit`. A record that spins takes that time once, and the parts that it lay in
/// take it once more together: there is room for both, and for a second such record.
pub(crate) fn budget(limit: Duration) -> Duration {
    limit.saturating_mul(4).max(LEAST_BUDGET)
}

/// Records that are still to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) range: Range<usize>,
    pub(crate) narrowing: Option<Narrowing>,
}

/// A part belongs to a batch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Narrowing {
    /// Records of that batch.
    pub(crate) whole: usize,
    /// When it failed.
    pub(crate) since: Duration,
    /// This part gets the whole batch's time, and its fuel.
    pub(crate) full_time: bool,
}

impl Part {
    /// The time that this part gets, where a batch gets `limit`: its share.
    pub(crate) fn deadline(&self, limit: Duration) -> Duration {
        match self.narrowing {
            None | Some(Narrowing { full_time: true, .. }) => limit,
            Some(Narrowing { whole, .. }) => {
                let share = limit.mul_f64(self.range.len() as f64 / whole.max(1) as f64);
                share.max(LEAST_DEADLINE).min(limit)
            }
        }
    }
}

impl Part {
    /// For how many records its fuel is reckoned: a single one that passed it has the whole batch's once, as a call costs something of its own.
    pub(crate) fn fuel_for(&self) -> usize {
        match self.narrowing {
            Some(Narrowing { full_time: true, whole, .. }) => whole.max(self.range.len()),
            Some(Narrowing { full_time: false, .. }) | None => self.range.len(),
        }
    }

    /// Whether it has had the whole batch's share of what it was stopped for by `fault`, where a batch gets the time `limit`.
    pub(crate) fn had_all(&self, fault: &GuestFault, limit: Duration) -> bool {
        match fault {
            GuestFault::FuelLimit { .. } => self.narrowing.is_none_or(|narrowing| self.fuel_for() >= narrowing.whole),
            _ => self.deadline(limit) >= limit,
        }
    }
}

/// What comes after a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// These parts, in this order.
    Parts(Vec<Part>),
    /// The one record of the part is poison.
    SetAside,
}

/// `part` has failed. `fresh`: on an instance that had worked on nothing before; `had_all`: with the whole batch's time, or its fuel, see [`Part::had_all`].
pub(crate) fn next(part: &Part, fault: &GuestFault, fresh: bool, had_all: bool, now: Duration) -> Next {
    let narrowing = part.narrowing.unwrap_or(Narrowing { whole: part.range.len(), since: now, full_time: false });
    let with = |range: Range<usize>| Part { range, narrowing: Some(Narrowing { full_time: false, ..narrowing }) };
    if part.range.len() == 1 {
        let in_time = !matches!(fault, GuestFault::DeadlineExceeded { .. } | GuestFault::FuelLimit { .. });
        return match (fresh, in_time || had_all) {
            (true, true) => Next::SetAside,
            (true, false) => Next::Parts(vec![Part { narrowing: Some(Narrowing { full_time: true, ..narrowing }), ..part.clone() }]),
            (false, _) => Next::Parts(vec![Part { narrowing: Some(narrowing), ..part.clone() }]),
        };
    }
    let Range { start, end } = part.range;
    let cuts = match named(fault, part.range.len()) {
        Some(record) => [start, start + record, start + record + 1, end],
        None => [start, start + part.range.len() / 2, end, end],
    };
    Next::Parts(cuts.windows(2).map(|cut| cut[0]..cut[1]).filter(|range| !range.is_empty()).map(with).collect())
}

/// The record, the timer, or the firing, that the guest blames, if there is such a one.
pub(crate) fn named(fault: &GuestFault, records: usize) -> Option<usize> {
    match fault {
        GuestFault::Failure { record: blamed, .. }
        | GuestFault::TimerFailure { timer: blamed, .. }
        | GuestFault::WindowFailure { firing: blamed, .. } => blamed.map(|at| at as usize).filter(|&at| at < records),
        GuestFault::Unwindowed { .. } => (records == 1).then_some(0),
        GuestFault::Trap { out_of_stack: true, .. } => (records == 1).then_some(0),
        GuestFault::Trap { .. } | GuestFault::DeadlineExceeded { .. } | GuestFault::FuelLimit { .. } => None,
        GuestFault::MemoryLimit { .. } | GuestFault::TableLimit { .. } => None,
        GuestFault::OutputLimit { .. } | GuestFault::StateLimit { .. } => None,
        GuestFault::Malformed { .. } | GuestFault::OpenFailed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(5);

    fn part(range: Range<usize>) -> Part {
        Part { range, narrowing: None }
    }

    fn trap() -> GuestFault {
        GuestFault::Trap { message: String::new(), said: None, out_of_stack: false, backtrace: None }
    }

    fn late() -> GuestFault {
        GuestFault::DeadlineExceeded { limit: Duration::ZERO, backtrace: None }
    }

    fn blamed(record: u32) -> GuestFault {
        GuestFault::Failure { record: Some(record), message: String::new() }
    }

    fn check(range: Range<usize>, fault: GuestFault, expect: &[Range<usize>]) {
        let Next::Parts(parts) = next(&part(range), &fault, true, true, NOW) else { panic!("{expect:?} wanted") };
        assert_eq!(parts.iter().map(|part| part.range.clone()).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_trap_is_halved_and_a_named_record_stands_alone_in_its_place() {
        check(4..10, trap(), &[4..7, 7..10]);
        check(4..7, trap(), &[4..5, 5..7]);
        check(4..10, blamed(2), &[4..6, 6..7, 7..10]);
        check(4..10, blamed(0), &[4..5, 5..10]);
        check(4..10, blamed(5), &[4..9, 9..10]);
        check(4..10, blamed(6), &[4..7, 7..10]);
    }

    #[test]
    fn one_record_is_set_aside_only_after_failing_on_a_new_instance() {
        assert_eq!(next(&part(3..4), &trap(), true, true, NOW), Next::SetAside);
        let again = Part { range: 3..4, narrowing: Some(Narrowing { whole: 1, since: NOW, full_time: false }) };
        assert_eq!(next(&part(3..4), &trap(), false, true, NOW), Next::Parts(vec![again]));
    }

    #[test]
    fn one_record_that_was_late_gets_the_full_time_once() {
        let narrowing = Narrowing { whole: 100, since: NOW, full_time: false };
        let small = Part { range: 3..4, narrowing: Some(narrowing) };
        let full = Part { range: 3..4, narrowing: Some(Narrowing { full_time: true, ..narrowing }) };
        assert_eq!(next(&small, &late(), true, false, NOW), Next::Parts(vec![full.clone()]));
        assert_eq!(next(&full, &late(), true, true, NOW), Next::SetAside);
        assert_eq!(
            (small.deadline(Duration::from_secs(1)), full.deadline(Duration::from_secs(1))),
            (LEAST_DEADLINE, Duration::from_secs(1))
        );
    }

    #[test]
    fn one_record_that_passed_its_fuel_gets_the_whole_batchs_once() {
        let fuel = GuestFault::FuelLimit { limit: 7, backtrace: None };
        let narrowing = Narrowing { whole: 100, since: NOW, full_time: false };
        let small = Part { range: 3..4, narrowing: Some(narrowing) };
        let full = Part { range: 3..4, narrowing: Some(Narrowing { full_time: true, ..narrowing }) };
        assert_eq!((part(0..100).fuel_for(), small.fuel_for(), full.fuel_for()), (100, 1, 100));
        // However little time a batch may take, which is another matter.
        for limit in [LEAST_DEADLINE, Duration::from_secs(1)] {
            assert!(!small.had_all(&fuel, limit) && full.had_all(&fuel, limit) && part(3..4).had_all(&fuel, limit));
        }
        assert!(!small.had_all(&late(), Duration::from_secs(1)) && full.had_all(&late(), Duration::from_secs(1)));
        assert_eq!(next(&small, &fuel, true, false, NOW), Next::Parts(vec![full.clone()]));
        assert_eq!(next(&full, &fuel, true, true, NOW), Next::SetAside);
    }

    #[test]
    fn narrowing_ends_for_any_fault_and_finds_exactly_the_poison() {
        for poison in 0..37_usize {
            let (mut parts, mut found, mut done, mut steps) = (vec![part(0..37)], Vec::new(), Vec::new(), 0);
            while let Some(part) = parts.pop() {
                steps += 1;
                if !part.range.contains(&poison) {
                    done.extend(part.range);
                    continue;
                }
                match next(&part, &trap(), true, true, NOW) {
                    Next::SetAside => found.push(part.range.start),
                    Next::Parts(next) => parts.extend(next.into_iter().rev()),
                }
            }
            assert_eq!(found, [poison]);
            assert!(done.is_sorted() && done.len() == 36 && steps < 20);
        }
    }
}
