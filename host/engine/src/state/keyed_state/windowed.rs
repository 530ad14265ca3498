//! Keyed state of a windowed operator: records are put into windows where their keys are selected, so that all that is addressed by a key's index is addressed by a
//! unit's.
//!
//! What a selection has planned is taken note of when the call that it was made for has been made ([`KeyedState::accept`]), and undone where that has failed, or another
//! selection takes its place ([`KeyedState::reject`]). Units that become one do so in front of the call: they alone are changed before it, and put back.

use super::{KeyedState, SelectError};
use crate::element::Column;
use crate::error::EngineError;
use crate::state::distinct_keys::DistinctKeys;
use crate::state::windows::{Kept, Merging, NoWindow, Planning, Windows, key_of_unit, put_unit, unit_hash};
use crate::state::{CallKeys, KeySlot, LateRecord, SelectedKeys, StateMerger, TimeDomain, Unwindowed, Window, WindowSettings};
use foldhash::fast::FixedState;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

impl KeyedState {
    /// The same, with records put into windows: the last of the states is that of windows.
    pub fn with_windows(self, settings: WindowSettings, merger: Option<Arc<dyn StateMerger>>) -> Self {
        let state = self.states.len() - 1;
        Self { windows: Some(Box::new(Windows::new(settings, state, merger))), ..self }
    }

    /// True where records are put into windows.
    pub fn is_windowed(&self) -> bool {
        self.windows.is_some()
    }

    /// How many windows are open, each of each key; `None`: there are no windows. It is a look at each key group.
    pub fn open_windows(&self) -> Option<u64> {
        // Of every window that is open the host keeps something, and of none that is not is anything kept.
        self.is_windowed().then(|| self.backend.keys())
    }

    /// See [`KeyedState::select`]; `of` are records.
    pub(super) fn select_windows(&mut self, of: CallKeys<'_>, range: Range<usize>) -> Result<usize, SelectError> {
        self.reject().map_err(SelectError::Failed)?;
        let mut wanted = range.clone();
        loop {
            let Some(windows) = &mut self.windows else { return Ok(range.len()) };
            let Windows { settings, index, plan, .. } = &mut **windows;
            let planned = plan.make(Planning { settings, index, of, time: self.time }, wanted.clone());
            planned.inspect_err(|_| plan.is_open = false).map_err(SelectError::Unwindowed)?;
            if let Err(failed) = self.make_one().map_err(SelectError::Failed)? {
                self.reject().map_err(SelectError::Failed)?;
                if failed.record == wanted.start {
                    return Err(SelectError::Unwindowed(failed));
                }
                wanted.end = failed.record;
                continue;
            }
            self.look_up_planned().map_err(SelectError::Failed)?;
            match self.first_beyond_limit().map_err(SelectError::Failed)? {
                None => break,
                Some(record) if record == wanted.start => {
                    self.reject().map_err(SelectError::Failed)?;
                    let max = self.windows.as_ref().map_or(0, |windows| windows.settings.max_per_key);
                    return Err(SelectError::Unwindowed(NoWindow::beyond_limit(of.keys.get(record), max).of(record)));
                }
                Some(record) => {
                    self.reject().map_err(SelectError::Failed)?;
                    wanted.end = record;
                }
            }
        }
        Ok(self.windows.as_ref().map_or(0, |windows| windows.plan.range.len()))
    }

    /// Selects the units of the plan, and reads what is kept of them.
    fn look_up_planned(&mut self) -> Result<(), EngineError> {
        let Self { windows: Some(windows), backend, distinct, slots, time, .. } = self else { return Ok(()) };
        let reads_kept = windows.reads_kept();
        let Windows { settings, plan, state, .. } = &mut **windows;
        distinct.gather_units(&plan.units, &plan.hashes);
        let DistinctKeys { keys, hashes, key_of, .. } = distinct;
        backend.lookup(SelectedKeys { keys, hashes, time: *time }, slots)?;
        plan.note_units(settings, keys, key_of, reads_kept);
        plan.is_open_unit.extend(slots.iter().map(|slot| slot.entry != KeySlot::ABSENT));
        let (mut present, mut stored) = (Vec::new(), Column::new());
        if reads_kept {
            backend.gather_values(slots, *state, usize::MAX, &mut present, &mut stored)?;
        }
        for (&unit, stored) in present.iter().zip(stored.iter()) {
            plan.kept[unit as usize] = Some(Kept::decode(&settings.kind, keys.get(unit as usize), stored)?);
        }
        Ok(())
    }

    /// The first record that would open more windows of its key than there may be.
    fn first_beyond_limit(&mut self) -> Result<Option<usize>, EngineError> {
        let Self { windows: Some(windows), backend, .. } = self else { return Ok(None) };
        // Sessions are known one by one, and have been counted; of counts a key has one.
        if !windows.index.is_of_number() || windows.are_surely_few() {
            return Ok(None);
        }
        if windows.index.is_uncounted() {
            let mut open = Vec::new();
            backend.each_value(windows.state, &mut |unit, _| open.push(unit_hash(unit)))?;
            windows.index.count(open.into_iter());
        }
        let mut opened = HashMap::<u64, u32, FixedState>::default();
        let is_beyond = |(unit, is_open): &(usize, &bool)| {
            let hash = self.distinct.hashes[*unit];
            !**is_open && {
                let number = opened.entry(hash).or_insert_with(|| windows.index.number(hash));
                *number += 1;
                *number > windows.settings.max_per_key
            }
        };
        let beyond = windows.plan.is_open_unit.iter().enumerate().find(is_beyond).map(|(unit, _)| unit);
        let row = beyond.and_then(|unit| self.distinct.key_of.iter().position(|&of| of as usize == unit));
        Ok(row.map(|row| windows.plan.rows[row] as usize))
    }

    /// Makes one unit of those whose sessions become one. The inner error says which record has to wait for that, or cannot be taken.
    fn make_one(&mut self) -> Result<Result<(), Unwindowed>, EngineError> {
        let Self { windows: Some(windows), backend, states, time, .. } = self else { return Ok(Ok(())) };
        if !windows.settings.kind.merges() {
            return Ok(Ok(()));
        }
        let Windows { settings, plan, undo, state, merger, .. } = &mut **windows;
        for (key, session) in plan.sessions.moving() {
            let merging = Merging { kind: &settings.kind, states, state: *state, merger: merger.as_deref() };
            let key = (plan.keys.keys.get(key), plan.keys.hashes[key]);
            if let Err(error) = merging.make_one(&mut **backend, *time, (key, session), undo)? {
                return Ok(Err(NoWindow::from(format!("its window becomes one with others: {error}")).of(session.cause)));
            }
        }
        Ok(Ok(()))
    }

    /// What the operator was called for with what is selected is done: what was planned for it holds. At the end of a call of the operator the last is by itself.
    pub fn accept(&mut self) -> Result<(), EngineError> {
        let Self { windows: Some(windows), backend, distinct, slots, time, .. } = self else { return Ok(()) };
        if !std::mem::take(&mut windows.plan.is_open) {
            return Ok(());
        }
        windows.undo.clear();
        let mut stored = Vec::new();
        let units = windows.plan.is_open_unit.len();
        for (unit, slot) in slots.iter_mut().enumerate().take(units) {
            let name = distinct.keys.get(unit);
            if let Some(kept) = windows.kept_behind_call(unit, name, distinct.hashes[unit], *time) {
                stored.clear();
                kept.encode(&windows.settings.kind, &mut stored);
                backend.set_value(slot, name, windows.state, &stored)?;
            }
        }
        windows.note_keys();
        Ok(())
    }

    /// The call that was made with what is selected has failed: what had been prepared for it is undone.
    pub fn reject(&mut self) -> Result<(), EngineError> {
        let Self { windows: Some(windows), backend, time, .. } = self else { return Ok(()) };
        windows.plan.is_open = false;
        while let Some(undo) = windows.undo.pop() {
            undo.apply(&mut **backend, *time)?;
        }
        Ok(())
    }

    /// Records that came too late in the calls that have been made since this was asked last.
    pub(crate) fn take_late(&mut self) -> Vec<LateRecord> {
        self.windows.as_mut().map_or_else(Vec::new, |windows| std::mem::take(&mut windows.late))
    }

    /// Selects all units that a call with these may change, outside of any call, and `more` units.
    pub(crate) fn select_touched<'u>(&mut self, of: CallKeys<'_>, more: impl Iterator<Item = &'u [u8]>) -> Result<(), SelectError> {
        if !self.is_windowed() {
            return self.select(of, 0..of.len()).map(|_| ());
        }
        let (mut units, mut hashes) = if self.is_of_records(of) { self.units_of(of) } else { (of.keys.clone(), of.hashes.to_vec()) };
        for unit in more {
            units.push(unit);
            hashes.push(unit_hash(unit));
        }
        self.select_units(CallKeys::new(&units, &hashes, &[]), 0..units.len()).map(|_| ())
    }

    /// What makes one value of two from now on.
    pub(crate) fn set_merger(&mut self, merger: Option<Arc<dyn StateMerger>>) {
        if let Some(windows) = &mut self.windows {
            windows.merger = merger;
        }
    }

    /// What is kept has been changed behind the operator's back: which windows are open is found out anew. `now`: the clock.
    pub(crate) fn look_through_windows(&mut self, now: i64) -> Result<(), EngineError> {
        if let Some(windows) = &mut self.windows {
            **windows = Windows::new(windows.settings.clone(), windows.state, windows.merger.clone());
        }
        self.queue_restored_windows(now)
    }

    /// For each selected unit its key alone.
    pub(super) fn keys_of_units(&self) -> Option<&Column> {
        self.windows.as_ref().map(|windows| &windows.plan.shown)
    }

    /// Selects windows that fire.
    pub(super) fn select_units(&mut self, of: CallKeys<'_>, range: Range<usize>) -> Result<usize, SelectError> {
        self.reject().map_err(SelectError::Failed)?;
        let Self { windows: Some(windows), backend, distinct, slots, time, .. } = self else { return Ok(range.len()) };
        // What is due has been looked up, and as a rule the operator asks for all of it.
        windows.all_selected &= range == (0..of.len()) && of.keys == &distinct.keys;
        if windows.all_selected {
            return Ok(range.len());
        }
        distinct.gather(of, range.clone());
        let DistinctKeys { keys, hashes, .. } = distinct;
        backend.lookup(SelectedKeys { keys, hashes, time: *time }, slots).map_err(SelectError::Failed)?;
        let plan = &mut windows.plan;
        plan.is_open_unit.clear();
        plan.rows.clear();
        plan.windows.clear();
        plan.shown.clear();
        keys.iter().for_each(|unit| plan.shown.push(key_of_unit(unit)));
        plan.range = 0..0;
        Ok(range.len())
    }

    /// See [`KeyedState::rows`].
    pub(super) fn planned_rows(&self) -> Option<&[u32]> {
        let plan = &self.windows.as_ref()?.plan;
        (plan.is_open && !plan.is_plain()).then_some(&plan.rows)
    }

    /// See [`KeyedState::windows`].
    pub(super) fn planned_windows(&self) -> Option<&[Window]> {
        let windows = self.windows.as_ref()?;
        (windows.plan.is_open && windows.settings.kind.has_known_bounds()).then_some(&windows.plan.windows)
    }

    /// All units that records may be put into, or that may become one by them, in front of a call: what has to be where it is read.
    pub(super) fn units_of(&self, of: CallKeys<'_>) -> (Column, Vec<u64>) {
        let (mut units, mut hashes, mut keys) = (Column::new(), Vec::new(), DistinctKeys::default());
        let Some(windows) = &self.windows else { return (units, hashes) };
        let mut put = |start: i64, key: &[u8], hash| {
            units.push_with(|unit| put_unit(start, key, unit));
            hashes.push(hash);
        };
        keys.gather(of, 0..of.len());
        for (key, &hash) in keys.keys.iter().zip(&keys.hashes) {
            windows.starts_of_key(key, of.len()).into_iter().for_each(|start| put(start, key, hash));
        }
        let by_clock = windows.settings.time == TimeDomain::Processing;
        for (record, &key) in keys.key_of.iter().enumerate() {
            let time = if by_clock { self.time.processing_time } else { of.times[record] };
            let (key, hash) = (keys.keys.get(key as usize), keys.hashes[key as usize]);
            windows.starts_of_record(time).for_each(|start| put(start, key, hash));
        }
        (units, hashes)
    }

    /// The units of these keys that are open.
    pub(crate) fn open_units_of(&self, keys: &BTreeSet<Vec<u8>>) -> Result<BTreeSet<Vec<u8>>, EngineError> {
        let mut units = BTreeSet::new();
        if let Some(windows) = &self.windows {
            self.backend.each_value(windows.state, &mut |unit, _| {
                if keys.contains(key_of_unit(unit)) {
                    units.insert(unit.to_vec());
                }
            })?;
        }
        Ok(units)
    }

    /// What is addressed by the indexes of [`KeyedState::keys`]: a key, or a key in one of its windows.
    pub(crate) fn unit_keys(&self) -> &Column {
        &self.distinct.keys
    }
}

#[cfg(test)]
#[path = "windowed_tests.rs"]
mod tests;
