//! What becomes of windows when a call that records were put into them for has been made.

use super::due::DueReason;
use super::index::Filling;
use super::kept::Kept;
use super::plan::PlannedUnit;
use super::sessions::PlannedSession;
use super::unit::key_of_unit;
use super::{Window, WindowKind, Windows};
use crate::state::{StateTime, TimeDomain};
use std::collections::BTreeSet;

impl Windows {
    /// What is to be kept of a planned unit, where that has changed. It is put where it is due.
    pub fn kept_behind_call(&mut self, unit: usize, name: &[u8], hash: u64, time: StateTime) -> Option<Kept> {
        let (window, was_open) = (self.plan.windows[unit], self.plan.is_open_unit[unit]);
        if !self.reads_kept() {
            // It is touched, and has not fired, from here to its end.
            return (!was_open).then(|| {
                self.index.open(key_of_unit(name), hash, window);
                self.due.push(DueReason::OnTime, self.complete_at(window), name);
                Kept::new()
            });
        }
        let PlannedUnit { largest, records, last, session } = self.plan.of_units[unit];
        let mut kept = self.plan.kept[unit].take().unwrap_or_else(Kept::new);
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
        let planned = self.settings.kind.merges().then(|| self.plan.sessions.get(session));
        let is_renamed = planned.is_some_and(PlannedSession::is_renamed);
        // What another part of it had waited for, it waits for now.
        let waits_anew = !was.touched || planned.is_some_and(PlannedSession::moves);
        if let WindowKind::Count { records } = self.settings.kind
            && kept.records >= records
        {
            self.full.push((last, name.to_vec()));
        } else if !was_open || is_renamed || had_come != kept.has_come {
            self.queue(name, window, &kept, time.processing_time);
        } else if waits_anew {
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

    /// True where no key can have more windows than it may when the planned ones are opened, without a look at any key: there are no more different ones.
    pub fn are_surely_few(&self) -> bool {
        let opened = || self.plan.is_open_unit.iter().zip(&self.plan.windows).filter(|(is_open, _)| !**is_open);
        let open = match (self.settings.kind, self.due.different()) {
            (WindowKind::Global, _) => Some(0),
            (_, open) => open,
        };
        let is_within = |new: usize| open.is_some_and(|open| open + new <= self.settings.max_per_key as usize);
        is_within(opened().count()) || is_within(opened().map(|(_, window)| window.start).collect::<BTreeSet<_>>().len())
    }

    /// Notes what is known by key, and what came too late.
    pub fn note_keys(&mut self) {
        let Self { plan, index, late, .. } = self;
        late.append(&mut plan.late);
        match self.settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } | WindowKind::Global => {}
            WindowKind::Session { .. } => {
                for key in 0..plan.keys.keys.len() {
                    let name = plan.keys.keys.get(key);
                    plan.sessions.changed_of(key).for_each(|session| index.change_session(name, session.olds(), session.window));
                }
            }
            WindowKind::Count { .. } => {
                for (key, filling) in plan.filling.iter().enumerate() {
                    index.set_filling(plan.keys.keys.get(key), *filling);
                }
            }
        }
    }

    /// The starts of all units that one of so many records of this key may be put into, or that may become one by it, but for those that its time says.
    pub fn starts_of_key(&self, key: &[u8], records: usize) -> Vec<i64> {
        match self.settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => Vec::new(),
            WindowKind::Global => vec![super::NO_BOUND],
            WindowKind::Session { .. } => self.index.sessions(key).iter().map(|open| open.start).collect(),
            WindowKind::Count { records: full } => {
                let Filling { number, .. } = self.index.filling(key);
                let more = i64::try_from(records as u64 / full.max(1)).unwrap_or(i64::MAX);
                (number..=number.saturating_add(more).saturating_add(1)).collect()
            }
        }
    }

    /// Those that a record's time says.
    pub fn starts_of_record(&self, time: i64) -> impl Iterator<Item = i64> {
        let opened = self.settings.kind.merges().then_some(time);
        opened.into_iter().chain(self.settings.kind.windows_at(time).map(|window| window.start))
    }

    /// Takes the full counts, in the order of their last records.
    pub fn take_full(&mut self) -> Vec<Vec<u8>> {
        let mut full = std::mem::take(&mut self.full);
        full.sort_unstable();
        full.into_iter().map(|(_, unit)| unit).collect()
    }
}
