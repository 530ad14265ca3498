//! Windows that are due: what is kept of each says whether it fires, and what becomes of it then.

use super::KeyedState;
use crate::element::Column;
use crate::error::EngineError;
use crate::state::windows::{DueReason, DueWindow, Kept, UnitName, Windows, key_of_unit, start_of_unit};
use crate::state::{CallKeys, FiredWindows, SelectedKeys};

impl KeyedState {
    /// The windows that do fire of those that are due: `units` with the number of its reason and the time at which it was due for each. What is not to fire any
    /// more, or not yet, is seen to.
    pub(crate) fn begin_firing(&mut self, units: CallKeys<'_>, reasons: &[u32], times: &[i64]) -> Result<FiredWindows, EngineError> {
        let mut fired = FiredWindows::default();
        self.select_units(units, 0..units.len()).map_err(|error| error.into_error(|_| unreachable_keyless()))?;
        let Self { windows: Some(windows), backend, distinct, slots, .. } = self else { return Ok(fired) };
        windows.firing.clear();
        windows.failed.clear();
        let (mut present, mut stored) = (Vec::new(), Column::new());
        backend.gather_values(slots, windows.state, usize::MAX, &mut present, &mut stored)?;
        let mut of_units: Vec<Option<Kept>> = (0..slots.len()).map(|_| None).collect();
        for (&unit, stored) in present.iter().zip(stored.iter()) {
            of_units[unit as usize] = Some(Kept::decode(&windows.settings.kind, distinct.keys.get(unit as usize), stored)?);
        }
        let of_place = |place: usize| {
            let unit = distinct.key_of[place] as usize;
            Some((times[place], distinct.keys.get(unit), of_units[unit].as_ref()?))
        };
        let on_time = || (0..reasons.len()).filter(|&place| reasons[place] == DueReason::OnTime as u32);
        let until = windows.first_put_back(on_time().filter_map(of_place));
        // What is complete has no need to fire early.
        let mut is_complete = vec![false; slots.len()];
        for (place, (time, unit, kept)) in on_time().filter_map(|place| Some((place, of_place(place)?))) {
            is_complete[distinct.key_of[place] as usize] |=
                !kept.has_come && windows.complete_at(windows.window_of(unit, kept)) <= time.min(until);
        }
        let mut seen = vec![false; slots.len()];
        // For each unit a bit for each reason for which it was put back.
        let mut put_back = vec![0_u8; slots.len()];
        for (place, &unit) in distinct.key_of.iter().enumerate() {
            let (unit, name) = (unit as usize, distinct.keys.get(unit as usize));
            let Some(reason) = DueReason::of(reasons[place]) else { continue };
            let due = DueWindow { reason, unit: UnitName::new(name), time: times[place] };
            // One that is gone has nothing to say.
            let Some(kept) = &of_units[unit] else { continue };
            if reason == DueReason::Early && is_complete[unit] {
                continue;
            }
            if seen[unit] {
                windows.due.look_again(due);
                continue;
            }
            // One that has waited for a correction speaks before it is closed.
            let due = match reason {
                DueReason::Closed if kept.touched && kept.has_come => {
                    windows.due.look_again(due.clone());
                    DueWindow { reason: DueReason::Correction, ..due }
                }
                DueReason::OnTime | DueReason::Early | DueReason::Correction | DueReason::Closed => due,
            };
            // It may be there twice; once is enough.
            let bit = 1 << due.reason as u32;
            seen[unit] = put_back[unit] & bit == 0 && windows.is_to_fire(&due, kept, until);
            if seen[unit] {
                windows.fire(due, distinct.hashes[unit], kept.clone(), &mut fired);
            } else {
                put_back[unit] |= bit;
            }
        }
        windows.all_selected = fired.len() == units.len();
        Ok(fired)
    }

    /// A window that fires has failed: nothing is kept of it. `firing` is its index in what fires.
    pub fn drop_fired(&mut self, firing: usize) {
        if let Some(windows) = &mut self.windows {
            windows.failed.push(firing as u32);
        }
    }

    /// What has fired has spoken: what is complete is gone, and of the rest it is noted.
    pub(crate) fn end_firing(&mut self) -> Result<(), EngineError> {
        let Self { windows: Some(windows), backend, distinct, slots, time, .. } = self else { return Ok(()) };
        let firings = std::mem::take(&mut windows.firing);
        if !std::mem::take(&mut windows.all_selected) {
            let mut units = Column::new();
            firings.iter().for_each(|firing| units.push(firing.unit.as_slice()));
            let hashes: Vec<u64> = firings.iter().map(|firing| firing.hash).collect();
            distinct.gather_units(&units, &hashes);
            backend.lookup(SelectedKeys { keys: &distinct.keys, hashes: &distinct.hashes, time: *time }, slots)?;
        }
        let (mut spoken, mut stored) = (0, Vec::new());
        for (place, firing) in firings.iter().enumerate() {
            let (unit, slot) = (firing.unit.as_slice(), &mut slots[distinct.key_of[place] as usize]);
            let has_failed = firing.reason != DueReason::Closed && {
                spoken += 1;
                windows.failed.contains(&(spoken - 1))
            };
            match windows.kept_behind_firing(firing).filter(|_| !has_failed) {
                Some(kept) => {
                    stored.clear();
                    kept.encode(&windows.settings.kind, &mut stored);
                    backend.set_value(slot, unit, windows.state, &stored)?;
                }
                None => {
                    windows.index.close(key_of_unit(unit), firing.hash, start_of_unit(unit));
                    backend.remove_key(slot, unit)?;
                }
            }
        }
        windows.firing = firings;
        windows.firing.clear();
        Ok(())
    }

    /// Counts that calls have filled, in the order of their last records.
    pub(crate) fn take_full(&mut self) -> Vec<Vec<u8>> {
        self.windows.as_mut().map_or_else(Vec::new, |windows| windows.take_full())
    }

    /// True where windows may be due: event time has come to `event`, the clock to `now`.
    pub(crate) fn are_windows_due(&mut self, event: i64, now: i64) -> bool {
        self.windows.as_mut().is_some_and(|windows| {
            let Windows { settings, due, .. } = &mut **windows;
            due.are_due(settings, event, now)
        })
    }

    /// When windows are due by the clock at the earliest.
    pub(crate) fn next_window_by_clock(&self) -> Option<i64> {
        let windows = self.windows.as_ref()?;
        windows.due.next_by_clock(&windows.settings)
    }

    /// Takes the next window that is due out, where `fits` says something of it. See [`DueWindows::take`](crate::state::windows::DueWindows).
    pub(crate) fn take_window<T>(
        &mut self,
        until: (i64, i64),
        fits: impl FnOnce(Option<i64>, &[u8]) -> Option<T>,
    ) -> Option<(DueWindow, T)> {
        let Windows { settings, due, .. } = &mut **self.windows.as_mut()?;
        due.take(settings, until, fits)
    }

    /// The time of a window that was taken out has not come for its key: it is looked at again when event time goes on.
    pub(crate) fn hold_window(&mut self, window: DueWindow) {
        if let Some(windows) = &mut self.windows {
            windows.due.hold(window);
        }
    }

    /// Event time has come to `watermark` for all keys: windows that have to be corrected are due, and those that were held may be.
    pub(crate) fn on_event_time(&mut self, watermark: i64) {
        if let Some(windows) = &mut self.windows {
            windows.due.on_watermark(watermark);
        }
    }

    /// The state has been restored: its open windows are due when their time comes. `now`: the clock.
    pub(crate) fn queue_restored_windows(&mut self, now: i64) -> Result<(), EngineError> {
        let Self { backend, windows: Some(windows), .. } = self else { return Ok(()) };
        let mut damaged = None;
        backend.each_value(windows.state, &mut |unit, stored| match Kept::decode(&windows.settings.kind, unit, stored) {
            Ok(kept) => windows.note_restored(unit, &kept, now),
            Err(error) => damaged = Some(error),
        })?;
        damaged.map_or(Ok(()), Err)
    }

    pub(super) fn is_of_records(&self, of: CallKeys<'_>) -> bool {
        self.windows.is_some() && !of.times.is_empty()
    }
}

fn unreachable_keyless() -> EngineError {
    EngineError::new(crate::error::ErrorKind::Bug, "a window without a key")
}
