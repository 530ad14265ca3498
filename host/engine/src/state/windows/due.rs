//! Which open windows are due: the complete ones by their time, the others when something has come for them and its moment has.
//!
//! The queue names windows by the time at which they were to be due when they were put in. A session may have become longer since, or be gone; whoever takes
//! one out looks at what is kept of it, and puts it in again where it is due later.

use super::{WindowKind, WindowSettings, start_of_unit};
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
    /// An empty one for windows of this kind.
    fn of(kind: &WindowKind) -> Self {
        match kind {
            WindowKind::Session { .. } | WindowKind::Count { .. } => Self::Any(TimerQueue::default()),
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } | WindowKind::Global => Self::Common(BTreeMap::new()),
        }
    }

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
    /// Those of both that are due, as they were when they came to be: nobody waits until many have been moved.
    released: VecDeque<(DueReason, BTreeSet<Place>)>,
    /// Those that have been taken out, and are looked at again.
    again: VecDeque<DueWindow>,
    /// Those whose key has not come to their time, while others have. Each is looked at again once, when all have.
    held: Queue,
    /// Event time to which all keys have come.
    watermark: i64,
}

impl DueWindows {
    pub fn new(kind: &WindowKind) -> Self {
        let (touched, corrections, released, again) = Default::default();
        let (queue, held) = (Queue::of(kind), Queue::of(kind));
        Self { queue, touched, tick: None, corrections, corrected_at: None, released, again, held, watermark: i64::MIN }
    }

    /// How many different windows are waiting to be complete, or closed, at most; `None`: that is not known.
    pub fn different(&self) -> Option<usize> {
        match (&self.queue, &self.held) {
            (Queue::Common(queue), Queue::Common(held)) => Some(queue.len() + held.len()),
            (Queue::Any(_), _) | (_, Queue::Any(_)) => None,
        }
    }

    /// Before this time none of those that wait for one is complete, or closed; `None`: none does.
    pub fn not_before(&self) -> Option<i64> {
        let first = self.queue.not_before().into_iter().chain(self.held.not_before()).min();
        first.filter(|first| *first != i64::MAX)
    }

    /// Starts of the windows that wait, where keys have them in common; nothing else tells them apart.
    pub fn starts(&self) -> BTreeSet<i64> {
        let of_queue = |queue: &Queue| match queue {
            // Those of one time and reason have one start.
            Queue::Common(buckets) => buckets.values().filter_map(Bucket::peek).map(start_of_unit).collect(),
            Queue::Any(_) => Vec::new(),
        };
        let again = self.again.iter().map(|window| start_of_unit(window.unit.as_slice()));
        of_queue(&self.queue).into_iter().chain(of_queue(&self.held)).chain(again).collect()
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

    /// Event time has come to `watermark` for all keys: what has to be corrected is, and what was held may be due.
    pub fn on_watermark(&mut self, watermark: i64) {
        self.watermark = watermark;
        self.release_corrections();
    }

    fn release_corrections(&mut self) {
        self.corrected_at = None;
        Self::release(&mut self.released, DueReason::Correction, &mut self.corrections);
    }

    fn release(released: &mut VecDeque<(DueReason, BTreeSet<Place>)>, reason: DueReason, due: &mut BTreeSet<Place>) {
        if !due.is_empty() {
            released.push_back((reason, std::mem::take(due)));
        }
    }

    /// One that was taken out waits until all keys have come to its time.
    pub fn hold(&mut self, window: DueWindow) {
        self.held.push(window.time, window.unit.as_slice(), window.reason as u32);
    }

    /// One that was taken out is looked at again, behind the call.
    pub fn look_again(&mut self, window: DueWindow) {
        self.again.push_back(window);
    }

    fn on_clock(&mut self, now: i64) {
        if self.corrected_at.is_some_and(|at| at <= now) {
            self.release_corrections();
        }
        if self.tick.is_some_and(|at| at <= now) {
            self.tick = None;
            Self::release(&mut self.released, DueReason::Early, &mut self.touched);
        }
    }

    /// True where windows may be due: event time has come to `event`, the clock to `now`.
    pub fn are_due(&mut self, settings: &WindowSettings, event: i64, now: i64) -> bool {
        self.on_clock(now);
        let is_due = |queue: &Queue, until: i64| queue.not_before().is_some_and(|time| time <= until);
        !self.again.is_empty()
            || !self.released.is_empty()
            || is_due(&self.held, self.watermark)
            || is_due(&self.queue, until(settings, event, now))
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
        if let Some(next) = self.again.front() {
            let said = fits(None, next.unit.as_slice())?;
            return self.again.pop_front().map(|next| (next, said));
        }
        if let Some((reason, released)) = self.released.front_mut() {
            let (_, unit) = released.first()?;
            let said = fits(None, unit)?;
            let (end, unit) = released.pop_first()?;
            let window = DueWindow { reason: *reason, unit: UnitName::new(&unit), time: end.saturating_sub(1) };
            if released.is_empty() {
                self.released.pop_front();
            }
            return Some((window, said));
        }
        // One that was held may have been put back where it is due later: which of both is first is known anew each time. Where the first of a stretch of time is
        // not known yet, looking for it is a piece of work.
        let held = self.held.not_before().filter(|time| *time <= self.watermark);
        let is_first = |held: i64| self.queue.not_before().is_none_or(|time| held <= time);
        match held.is_some_and(is_first) {
            true => self.held.take(self.watermark, fits),
            false => self.queue.take(until(settings, event, now), fits),
        }
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
#[path = "due_tests.rs"]
mod tests;
