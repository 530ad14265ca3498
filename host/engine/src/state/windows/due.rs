//! Which open windows are due: the complete ones by their time, the others when something has come for them and its moment has.
//!
//! The queue names windows by the time at which they were to be due when they were put in. A session may have become longer since, or be gone; whoever takes
//! one out looks at what is kept of it, and puts it in again where it is due later.

use super::{WindowKind, WindowSettings};
use crate::element::Column;
use crate::state::TimeDomain;
use crate::state::small_bytes::SmallBytes;
use crate::state::timer_queue::TimerQueue;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Bytes after which a bucket begins another part.
const PART_BYTES: usize = 1 << 20;

/// So long by the clock a correction waits at most, ms.
const CORRECTION_MS: i64 = 100;

/// Why a window is looked at. The numbers are stored with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum DueReason {
    /// It is complete.
    OnTime = 0,
    /// Its turn to fire early has come.
    Early = 1,
    /// It has records that came late.
    Correction = 2,
    /// Nothing may come for it any more.
    Closed = 3,
}

impl DueReason {
    /// The reason of a number.
    pub fn of(number: u32) -> Option<Self> {
        [Self::OnTime, Self::Early, Self::Correction, Self::Closed].into_iter().find(|reason| *reason as u32 == number)
    }
}

/// A window that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DueWindow {
    pub reason: DueReason,
    /// The key of its state.
    pub unit: UnitName,
    /// When it is due, or was to be.
    pub time: i64,
}

/// A unit; most are short.
pub(crate) type UnitName = SmallBytes<30>;

/// Windows by the time at which they are complete, or closed.
enum Queue {
    /// Each at a time of its own.
    Any(TimerQueue),
    /// Many at few times, as windows that all keys have in common: by time and reason, those of one unordered.
    Common(BTreeMap<(i64, u32), Bucket>),
}

/// Units of one time and reason, in parts: what has been taken out of the first is forgotten with it.
#[derive(Default)]
struct Bucket {
    parts: VecDeque<Column>,
    /// Those in front of it have been taken out of the first part.
    next: usize,
}

impl Bucket {
    fn push(&mut self, unit: &[u8]) {
        match self.parts.back_mut().filter(|last| last.byte_len() < PART_BYTES) {
            Some(last) => last.push(unit),
            None => {
                let mut last = Column::new();
                last.push(unit);
                self.parts.push_back(last);
            }
        }
    }

    fn peek(&self) -> Option<&[u8]> {
        self.parts.front().map(|first| first.get(self.next))
    }

    /// Goes past the next one.
    fn step(&mut self) {
        self.next += 1;
        if self.parts.front().is_some_and(|first| first.len() == self.next) {
            self.parts.pop_front();
            self.next = 0;
        }
    }
}

impl Queue {
    fn push(&mut self, time: i64, unit: &[u8], reason: u32) {
        match self {
            Self::Any(queue) => queue.push(time, unit, reason),
            Self::Common(buckets) => buckets.entry((time, reason)).or_default().push(unit),
        }
    }

    fn not_before(&self) -> Option<i64> {
        match self {
            Self::Any(queue) => queue.not_before(),
            Self::Common(buckets) => buckets.first_key_value().map(|((time, _), _)| *time),
        }
    }

    /// Takes the next one out, up to a time, where `fits` says something of it.
    fn take<T>(&mut self, until: i64, fits: impl FnOnce(Option<i64>, &[u8]) -> Option<T>) -> Option<(DueWindow, T)> {
        match self {
            Self::Any(queue) => {
                let next = queue.next().filter(|next| next.time <= until)?;
                let said = fits(Some(next.time), next.key())?;
                let taken = queue.pop()?;
                Some((DueWindow { reason: DueReason::of(taken.timer)?, unit: UnitName::new(taken.key()), time: taken.time }, said))
            }
            Self::Common(buckets) => {
                let mut first = buckets.first_entry()?;
                let (time, reason) = *first.key();
                if time > until {
                    return None;
                }
                let bucket = first.get_mut();
                let unit = bucket.peek()?;
                let said = fits(Some(time), unit)?;
                let taken = DueWindow { reason: DueReason::of(reason)?, unit: UnitName::new(unit), time };
                bucket.step();
                if bucket.parts.is_empty() {
                    first.remove();
                }
                Some((taken, said))
            }
        }
    }
}

/// A window by its end, then its start, then its key: the unit begins with the start.
type Place = (i64, Vec<u8>);

/// The windows of one subtask in the order in which they are due.
pub(in crate::state) struct DueWindows {
    /// Those that are or will be complete, or closed, at a time.
    queue: Queue,
    /// Those that have records since they fired last, and go on: where they fire early.
    touched: BTreeSet<Place>,
    /// When they do next, by the clock.
    tick: Option<i64>,
    /// Those that have to be corrected.
    corrections: BTreeSet<Place>,
    /// When they are at the latest, by the clock.
    corrected_at: Option<i64>,
    /// Those of both that are due.
    released: VecDeque<DueWindow>,
    /// Those whose key has not come to their time, while others have: they are looked at again when time goes on.
    held: Vec<DueWindow>,
}

impl DueWindows {
    pub fn new(kind: &WindowKind) -> Self {
        let queue = match kind {
            WindowKind::Session { .. } | WindowKind::Count { .. } => Queue::Any(TimerQueue::default()),
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } | WindowKind::Global => Queue::Common(BTreeMap::new()),
        };
        let (touched, corrections, released, held) = Default::default();
        Self { queue, touched, tick: None, corrections, corrected_at: None, released, held }
    }

    /// How many different windows are waiting to be complete, or closed, at most; `None`: that is not known.
    pub fn different(&self) -> Option<usize> {
        match &self.queue {
            Queue::Common(buckets) if self.held.is_empty() => Some(buckets.len()),
            Queue::Any(_) | Queue::Common(_) => None,
        }
    }

    /// A window is due for `reason`, which is one of the queue's, at a time.
    pub fn push(&mut self, reason: DueReason, time: i64, unit: &[u8]) {
        self.queue.push(time, unit, reason as u32);
    }

    /// Records have come for a window that goes on. `now`: the clock.
    pub fn touch(&mut self, settings: &WindowSettings, end: i64, unit: &[u8], now: i64) {
        let Some(every) = settings.emit_every else { return };
        self.touched.insert((end, unit.to_vec()));
        let every = i64::try_from(every).unwrap_or(i64::MAX).max(1);
        self.tick.get_or_insert_with(|| now.saturating_sub(now.rem_euclid(every)).saturating_add(every));
    }

    /// Records have come late for a window. `now`: the clock.
    pub fn correct(&mut self, end: i64, unit: &[u8], now: i64) {
        self.corrections.insert((end, unit.to_vec()));
        self.corrected_at.get_or_insert_with(|| now.saturating_add(CORRECTION_MS));
    }

    /// Event time has gone on: what has to be corrected is.
    pub fn on_watermark(&mut self) {
        self.corrected_at = None;
        let due = std::mem::take(&mut self.corrections).into_iter();
        self.released.extend(due.map(|(end, unit)| DueWindow {
            reason: DueReason::Correction,
            unit: UnitName::new(&unit),
            time: end.saturating_sub(1),
        }));
    }

    /// One that was taken out waits for time to go on.
    pub fn hold(&mut self, window: DueWindow) {
        self.held.push(window);
    }

    /// Time has gone on.
    pub fn put_held_back(&mut self) {
        for held in std::mem::take(&mut self.held) {
            self.queue.push(held.time, held.unit.as_slice(), held.reason as u32);
        }
    }

    /// One that was taken out is looked at again, behind the call.
    pub fn release(&mut self, window: DueWindow) {
        self.released.push_back(window);
    }

    fn on_clock(&mut self, now: i64) {
        if self.corrected_at.is_some_and(|at| at <= now) {
            self.on_watermark();
        }
        if self.tick.is_some_and(|at| at <= now) {
            self.tick = None;
            let due = std::mem::take(&mut self.touched).into_iter();
            self.released.extend(due.map(|(end, unit)| DueWindow {
                reason: DueReason::Early,
                unit: UnitName::new(&unit),
                time: end.saturating_sub(1),
            }));
        }
    }

    /// True where windows may be due: event time has come to `event`, the clock to `now`.
    pub fn are_due(&mut self, settings: &WindowSettings, event: i64, now: i64) -> bool {
        self.on_clock(now);
        !self.released.is_empty() || self.queue.not_before().is_some_and(|time| time <= until(settings, event, now))
    }

    /// When something is due by the clock at the earliest.
    pub fn next_by_clock(&self, settings: &WindowSettings) -> Option<i64> {
        let complete = self.queue.not_before().filter(|_| settings.time == TimeDomain::Processing);
        [complete, self.tick, self.corrected_at].into_iter().flatten().min()
    }

    /// Takes the next one out, where `fits` says something of it: it is told the time at which it is due by the queue, and the unit.
    pub fn take<T>(
        &mut self,
        settings: &WindowSettings,
        (event, now): (i64, i64),
        fits: impl FnOnce(Option<i64>, &[u8]) -> Option<T>,
    ) -> Option<(DueWindow, T)> {
        self.on_clock(now);
        if let Some(next) = self.released.front() {
            let said = fits(None, next.unit.as_slice())?;
            return self.released.pop_front().map(|next| (next, said));
        }
        self.queue.take(until(settings, event, now), fits)
    }
}

/// Up to when windows are due.
fn until(settings: &WindowSettings, event: i64, now: i64) -> i64 {
    match settings.time {
        TimeDomain::Event => event,
        TimeDomain::Processing => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> WindowSettings {
        WindowSettings { emit_every: Some(60), ..WindowSettings::new(WindowKind::Tumbling { size: 10, offset: 0 }) }
    }

    fn taken(due: &mut DueWindows, event: i64, now: i64) -> Vec<(DueReason, Vec<u8>)> {
        let mut next = || due.take(&settings(), (event, now), |_, _| Some(()));
        std::iter::from_fn(|| next().map(|(window, ())| (window.reason, window.unit.as_slice().to_vec()))).collect()
    }

    #[test]
    fn windows_that_were_touched_fire_early_at_the_next_tick_of_the_clock_and_not_before() {
        let mut due = DueWindows::new(&settings().kind);
        due.touch(&settings(), 10, b"b", 1_007);
        due.touch(&settings(), 10, b"a", 1_019);
        due.touch(&settings(), 10, b"b", 1_019);
        assert_eq!(due.next_by_clock(&settings()), Some(1_020), "a multiple of sixty");
        assert!(!due.are_due(&settings(), 0, 1_019));
        assert_eq!(taken(&mut due, 0, 1_020), [(DueReason::Early, b"a".to_vec()), (DueReason::Early, b"b".to_vec())]);
        assert_eq!(due.next_by_clock(&settings()), None);
        due.touch(&settings(), 10, b"a", 1_020);
        assert_eq!(due.next_by_clock(&settings()), Some(1_080));
    }

    #[test]
    fn a_correction_waits_for_the_next_watermark_and_a_tenth_of_a_second_at_most() {
        let mut due = DueWindows::new(&settings().kind);
        due.correct(10, b"a", 1_000);
        due.correct(10, b"b", 1_050);
        assert_eq!(due.next_by_clock(&settings()), Some(1_100), "it is the first that has waited longest");
        assert!(!due.are_due(&settings(), 0, 1_099));
        assert_eq!(taken(&mut due, 0, 1_100).len(), 2);
        due.correct(10, b"a", 2_000);
        assert!(!due.are_due(&settings(), 0, 2_000));
        due.on_watermark();
        assert_eq!(taken(&mut due, 0, 2_000), [(DueReason::Correction, b"a".to_vec())]);
    }

    #[test]
    fn windows_of_one_time_are_all_there_however_many_they_are() {
        let mut due = DueWindows::new(&settings().kind);
        let unit = |number: u32| [&number.to_be_bytes()[..], &[0; 96]].concat();
        // More than two parts.
        let count = 2 * (PART_BYTES / 100) as u32 + 500;
        for number in 0..count {
            due.push(DueReason::OnTime, 9, &unit(number));
            due.push(DueReason::Closed, 20 + i64::from(number % 2), &unit(number));
        }
        assert_eq!(taken(&mut due, 8, 0), []);
        let on_time = taken(&mut due, 9, 0);
        assert!(on_time.iter().map(|(_, unit)| unit.clone()).eq((0..count).map(unit)));
        assert_eq!(taken(&mut due, 20, 0).len(), count as usize / 2);
        assert_eq!(taken(&mut due, 21, 0).len(), count as usize / 2);
        assert_eq!(due.queue.not_before(), None);
    }
}
