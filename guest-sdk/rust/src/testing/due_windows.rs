//! Which of the open windows fire when time has passed something, in which order, and which are gone.

use super::open_windows::{Merge, Open, OpenWindows, Unit};
use super::window::Kind;
use crate::windows::{Window, WindowReason};
use std::collections::BTreeSet;

/// A correction waits no longer for the next watermark, in ms of the clock.
pub(super) const CORRECTION_MS: i64 = 100;

impl OpenWindows {
    /// When time has passed this, nothing is left of a window.
    pub(super) fn gone_at(&self, window: Window) -> i64 {
        window.last_ms().saturating_add(self.settings.lateness)
    }

    /// Those that fire when time has passed `passed`, in the order in which they do; corrections, of those that have changed by `changed_by` on the clock.
    pub(super) fn due(&self, passed: i64, changed_by: i64) -> Vec<(Unit, WindowReason)> {
        self.in_order(|open| {
            let has_ended = open.window.is_some_and(|window| window.last_ms() <= passed);
            match (has_ended, open.is_complete) {
                (true, false) => Some(WindowReason::OnTime),
                (true, true) => open.changed_at.filter(|at| *at <= changed_by).map(|_| WindowReason::Correction),
                (false, _) => None,
            }
        })
    }

    /// Those that have changed and go on.
    pub(super) fn early(&self) -> Vec<(Unit, WindowReason)> {
        self.in_order(|open| (open.changed_at.is_some() && !open.is_complete).then_some(WindowReason::Early))
    }

    /// Of these those that are full.
    pub(super) fn full(&self, touched: &[Unit]) -> Vec<(Unit, WindowReason)> {
        let Kind::Count { records } = self.settings.kind else { return Vec::new() };
        // Each where its last record is.
        let mut last_first = BTreeSet::new();
        let mut full: Vec<_> = touched.iter().rev().filter(|unit| last_first.insert(*unit)).collect();
        full.reverse();
        full.retain(|unit| self.open[*unit].records == records);
        full.into_iter().map(|unit| (unit.clone(), WindowReason::OnTime)).collect()
    }

    /// What is left of counts behind those that were full, each to be the first again.
    pub(super) fn to_be_first(&self, touched: &[Unit]) -> Vec<Merge> {
        let touched: BTreeSet<&Unit> = touched.iter().filter(|unit| self.open.contains_key(*unit) && unit.start != 0).collect();
        let first = |unit: &Unit| Merge { into: Unit { start: 0, key: unit.key.clone() }, parts: vec![unit.clone()] };
        match self.settings.kind {
            Kind::Count { .. } => touched.into_iter().map(first).collect(),
            Kind::Hopping { .. } | Kind::Session { .. } | Kind::Global => Vec::new(),
        }
    }

    /// A global window, which fires at the end of the input.
    pub(super) fn endless(&self) -> Vec<(Unit, WindowReason)> {
        match self.settings.kind {
            Kind::Global => self.in_order(|_| Some(WindowReason::OnTime)),
            Kind::Hopping { .. } | Kind::Session { .. } | Kind::Count { .. } => Vec::new(),
        }
    }

    fn in_order(&self, fires: impl Fn(&Open) -> Option<WindowReason>) -> Vec<(Unit, WindowReason)> {
        let mut units: Vec<_> = self.open.iter().filter_map(|(unit, open)| Some((unit.clone(), fires(open)?))).collect();
        units.sort_by_key(|(unit, _)| (self.open[unit].window.map(|window| window.end), unit.clone()));
        units
    }

    /// A window has fired; true where nothing is left of it.
    pub(super) fn has_fired(&mut self, unit: &Unit, reason: WindowReason, passed: i64) -> bool {
        let lateness = self.settings.lateness;
        let Some(open) = self.open.get_mut(unit) else { return false };
        open.fired += 1;
        open.changed_at = None;
        open.replaces.clear();
        open.has_spoken = true;
        open.is_complete |= reason != WindowReason::Early;
        let is_gone = match open.window {
            Some(window) => window.last_ms().saturating_add(lateness) <= passed,
            None => reason != WindowReason::Early,
        };
        if is_gone {
            self.open.remove(unit);
        }
        is_gone
    }

    /// Takes out those of which time has passed all that they wait for.
    pub(super) fn take_gone(&mut self, passed: i64) -> Vec<Unit> {
        let is_gone = |open: &Open| open.window.is_some_and(|window| self.gone_at(window) <= passed);
        let gone: Vec<Unit> = self.open.iter().filter(|(_, open)| is_gone(open)).map(|(unit, _)| unit.clone()).collect();
        gone.iter().for_each(|unit| drop(self.open.remove(unit)));
        gone
    }
}
