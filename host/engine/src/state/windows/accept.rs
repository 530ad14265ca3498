//! What becomes of windows when a call that records were put into them for has been made.

use super::index::Filling;
use super::kept::Kept;
use super::plan::PlannedUnit;
use super::unit::key_of_unit;
use super::{Window, WindowKind, Windows};
use crate::state::{StateTime, TimeDomain};

impl Windows {
    /// What is to be kept of a planned unit, where that has changed. It is put where it is due.
    pub fn kept_behind_call(&mut self, unit: usize, name: &[u8], hash: u64, time: StateTime) -> Option<Kept> {
        let PlannedUnit { window, kept: before, largest, records, last, session } = &mut self.plan.of_units[unit];
        let (window, largest, records, last, session) = (*window, *largest, *records, *last, *session);
        let was_open = before.is_some();
        let mut kept = before.take().unwrap_or_else(Kept::new);
        if was_open && !self.reads_kept() {
            return None;
        }
        let (was, had_come) = (kept.clone(), kept.has_come);
        kept.touched = true;
        match self.settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => kept.has_come |= self.has_come(window, time),
            WindowKind::Global => kept.largest = kept.largest.max(largest),
            WindowKind::Count { .. } => {
                kept.largest = kept.largest.max(largest);
                kept.records += records;
            }
            WindowKind::Session { .. } => {
                kept.end = window.end;
                kept.has_come = self.has_come(window, time);
            }
        }
        if !was_open && !self.settings.kind.merges() {
            self.index.open(key_of_unit(name), hash, window);
        }
        let is_moved = self.settings.kind.merges() && self.plan.sessions.get(session).moves();
        if let WindowKind::Count { records } = self.settings.kind
            && kept.records >= records
        {
            self.full.push((last, name.to_vec()));
        } else if !was_open || is_moved || had_come != kept.has_come {
            self.queue(name, window, &kept, time.processing_time);
        } else if !was.touched {
            match kept.has_come {
                true => self.due.correct(window.end, name, time.processing_time),
                false => self.due.touch(&self.settings, window.end, name, time.processing_time),
            }
        }
        (kept != was || !was_open).then_some(kept)
    }

    /// True where the time of a window has come before its records did.
    fn has_come(&self, window: Window, time: StateTime) -> bool {
        self.settings.time == TimeDomain::Event && self.complete_at(window) <= time.watermark
    }

    /// Notes what is known by key, and what came too late.
    pub fn note_keys(&mut self) {
        let Self { plan, index, late, .. } = self;
        late.append(&mut plan.late);
        match self.settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } | WindowKind::Global => {}
            WindowKind::Session { .. } => {
                for key in (0..plan.keys.keys.len()).filter(|&key| plan.sessions.is_of(key)) {
                    let windows = plan.sessions.windows_of(key);
                    if !windows.is_empty() {
                        index.set_sessions(plan.keys.keys.get(key), windows);
                    }
                }
            }
            WindowKind::Count { .. } => {
                for (key, filling) in plan.filling.iter().enumerate() {
                    index.set_filling(plan.keys.keys.get(key), *filling);
                }
            }
        }
    }

    /// The starts of all units that a record of this key and time may be put into, or that may become one by it.
    pub fn starts_of(&self, key: &[u8], time: i64) -> Vec<i64> {
        match self.settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => {
                self.settings.kind.windows_at(time).map(|window| window.start).collect()
            }
            WindowKind::Global => vec![super::NO_BOUND],
            WindowKind::Session { .. } => std::iter::once(time).chain(self.index.sessions(key).iter().map(|open| open.start)).collect(),
            WindowKind::Count { records } => {
                let Filling { number, .. } = self.index.filling(key);
                // A transport batch holds no more records than this.
                let more = i64::try_from(super::plan::RECORDS_MAX / records.max(1)).unwrap_or(i64::MAX);
                (number..=number + more + 1).collect()
            }
        }
    }

    /// Takes the full counts, in the order of their last records.
    pub fn take_full(&mut self) -> Vec<Vec<u8>> {
        let mut full = std::mem::take(&mut self.full);
        full.sort_unstable();
        full.into_iter().map(|(_, unit)| unit).collect()
    }
}
