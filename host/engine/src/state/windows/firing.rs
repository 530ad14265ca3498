//! What becomes of windows that are due.

use super::due::{DueReason, DueWindow};
use super::fired::{FiredWindow, FiredWindows, WindowReason};
use super::kept::Kept;
use super::{Firing, NO_BOUND, Window, WindowKind, Windows};

impl Windows {
    /// True where a window that is due does fire, or is closed. One that has become longer is put where it is due now, and so is one that is complete behind
    /// `until`: another that has become longer is before it.
    pub fn is_to_fire(&mut self, due: &DueWindow, kept: &Kept, until: i64) -> bool {
        let window = self.window_of(due.unit.as_slice(), kept);
        match due.reason {
            DueReason::Early => kept.touched && !kept.has_come,
            DueReason::Correction => kept.touched && kept.has_come,
            DueReason::OnTime if kept.has_come => false,
            DueReason::OnTime => match self.settings.kind {
                WindowKind::Count { records } => kept.records >= records,
                _ => self.is_still_due(due, self.complete_at(window), until),
            },
            DueReason::Closed => kept.has_come && self.is_still_due(due, self.closed_at(window), i64::MAX),
        }
    }

    /// When the first of some due windows is complete that has become longer since it was put where it is due.
    pub fn first_put_back<'k>(&self, due: impl Iterator<Item = (i64, &'k [u8], &'k Kept)>) -> i64 {
        let longer = due.filter(|(.., kept)| self.settings.kind.merges() && !kept.has_come);
        let ends = longer.filter_map(|(time, unit, kept)| Some(self.complete_at(self.window_of(unit, kept))).filter(|end| *end > time));
        ends.min().unwrap_or(i64::MAX)
    }

    fn is_still_due(&mut self, due: &DueWindow, time: i64, until: i64) -> bool {
        let is_due = time <= due.time.min(until);
        if !is_due {
            self.due.push(due.reason, time, due.unit.as_slice());
        }
        is_due
    }

    /// Takes one in that fires, or is closed.
    pub fn fire(&mut self, due: DueWindow, hash: u64, kept: Kept, fired: &mut FiredWindows) {
        let window = self.window_of(due.unit.as_slice(), &kept);
        let reason = match due.reason {
            DueReason::OnTime => Some(WindowReason::OnTime),
            DueReason::Early => Some(WindowReason::Early),
            DueReason::Correction => Some(WindowReason::Correction),
            DueReason::Closed => None,
        };
        if let Some(reason) = reason {
            let timestamp = if window.end == NO_BOUND { kept.largest } else { window.end - 1 };
            let firing = FiredWindow { window, reason, revision: kept.revision, timestamp };
            fired.push(due.unit.as_slice(), hash, firing, kept.spoken.iter().copied().filter(|spoken| *spoken != window));
        }
        self.firing.push(Firing { unit: due.unit, window, reason: due.reason, hash, kept });
    }

    /// What is kept of a window behind its firing, which is put where it is due next; `None`: it is gone.
    pub fn kept_behind_firing(&mut self, firing: &Firing) -> Option<Kept> {
        let Firing { unit, window, reason, kept, .. } = firing;
        let is_over = match reason {
            DueReason::Closed => true,
            DueReason::OnTime => self.settings.lateness == 0,
            DueReason::Early | DueReason::Correction => false,
        };
        if is_over {
            return None;
        }
        let mut kept = Kept { revision: kept.revision.saturating_add(1), touched: false, ..kept.clone() };
        if self.settings.kind.merges() {
            kept.spoken = vec![Window { ..*window }];
        }
        if *reason == DueReason::OnTime {
            kept.has_come = true;
            self.due.push(DueReason::Closed, self.closed_at(*window), unit.as_slice());
        }
        Some(kept)
    }
}
