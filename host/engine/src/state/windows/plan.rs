//! Which windows the records of one call go into: worked out in front of the call, from the records, the call's time and what of their keys is open. Nothing
//! else changes by it; when the call has been made, what is planned is accepted.

use super::index::{Filling, KeyIndex};
use super::kept::Kept;
use super::sessions::{Added, NoWindow, PlannedSessions};
use super::unit::{key_of_unit, put_unit, start_of_unit};
use super::{NO_BOUND, Window, WindowKind, WindowSettings};
use crate::element::{Column, NO_TIMESTAMP};
use crate::state::distinct_keys::DistinctKeys;
use crate::state::{CallKeys, StateTime, TimeDomain, Unwindowed, key_hash};
use std::ops::Range;

/// So many rows are planned at once, and the last record's besides.
const ROWS_MAX: usize = 1_024;

/// A record that came when its window was gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateRecord {
    /// Its index in the batch.
    pub record: u32,
    /// The window that it would have been put into; of several the last.
    pub window: Window,
    /// With so many ms more of lateness it would have been; 1 at least.
    pub late_ms: i64,
}

/// What comes to a unit in the call, where that has to be known.
#[derive(Clone, Copy)]
pub(in crate::state) struct PlannedUnit {
    /// The largest time of its records in the call.
    pub largest: i64,
    /// Number of its records in the call.
    pub records: u64,
    /// The last of these, by its index in the batch.
    pub last: u32,
    /// Of a session its place in [`Plan::sessions`].
    pub session: u32,
}

/// What has been worked out for one call.
#[derive(Default)]
pub(in crate::state) struct Plan {
    /// Which records of the batch it is of.
    pub range: Range<usize>,
    /// For each row the index of its record in the batch.
    pub rows: Vec<u32>,
    /// For each row its time.
    times: Vec<i64>,
    /// For each row its unit, and the hash of that one's key.
    pub units: Column,
    pub hashes: Vec<u64>,
    pub late: Vec<LateRecord>,
    /// The keys of the distinct units, in the order in which they are selected; and their windows.
    pub shown: Column,
    pub windows: Vec<Window>,
    /// Whether each is open already.
    pub is_open_unit: Vec<bool>,
    /// Where more has to be known: what is kept of each that is open, and what comes to it.
    pub kept: Vec<Option<Kept>>,
    pub of_units: Vec<PlannedUnit>,
    /// The records' keys, where these have to be known one by one.
    pub keys: DistinctKeys,
    pub sessions: PlannedSessions,
    /// For each of `keys` its count.
    pub filling: Vec<Filling>,
    /// It waits for its call to have been made.
    pub is_open: bool,
}

/// What there is to plan with.
#[derive(Clone, Copy)]
pub(in crate::state) struct Planning<'a> {
    pub settings: &'a WindowSettings,
    pub index: &'a KeyIndex,
    pub of: CallKeys<'a>,
    pub time: StateTime,
}

impl Planning<'_> {
    /// The time by which a record is put into windows.
    fn time_of(&self, record: usize) -> Result<i64, String> {
        match self.settings.time {
            TimeDomain::Processing => Ok(self.time.processing_time),
            TimeDomain::Event => match self.of.times[record] {
                NO_TIMESTAMP if self.settings.needs_timestamps() => Err("it has no timestamp, and its window goes by event time".into()),
                time => Ok(time),
            },
        }
    }

    pub fn hash_of(&self, record: usize) -> u64 {
        self.of.hashes.get(record).copied().unwrap_or_else(|| key_hash(self.of.keys.get(record)))
    }

    /// By how much a record of this window comes too late; `None`: it does not.
    pub fn late_by(&self, window: Window) -> Option<i64> {
        if self.settings.time == TimeDomain::Processing {
            return None;
        }
        let until = (window.end - 1).saturating_add(self.settings.lateness);
        (self.time.watermark >= until).then(|| self.time.watermark.saturating_sub(until).saturating_add(1))
    }
}

impl Plan {
    /// Plans the records in `range`, or as many as can be worked off together, one at least.
    pub fn make(&mut self, planning: Planning<'_>, range: Range<usize>) -> Result<(), Unwindowed> {
        self.begin(planning, &range);
        for record in range.clone() {
            if self.rows.len() >= ROWS_MAX && record > range.start {
                self.range = range.start..record;
                break;
            }
            match self.add(planning, record) {
                Ok(true) => {}
                Ok(false) => {
                    self.range = range.start..record;
                    break;
                }
                Err(none) if record == range.start => return Err(none.of(record)),
                // What is wrong with it is said when it is the first.
                Err(_) => {
                    self.range = range.start..record;
                    break;
                }
            }
        }
        if planning.settings.kind.merges() {
            self.name_sessions(planning);
        }
        Ok(())
    }

    fn begin(&mut self, planning: Planning<'_>, range: &Range<usize>) {
        self.range = range.clone();
        self.rows.clear();
        self.times.clear();
        self.units.clear();
        self.hashes.clear();
        self.late.clear();
        self.is_open = true;
        match planning.settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } | WindowKind::Global => {}
            WindowKind::Session { .. } => {
                self.keys.gather(planning.of, range.clone());
                self.sessions.begin(self.keys.keys.iter().map(|key| planning.index.sessions(key).len()));
            }
            WindowKind::Count { .. } => {
                self.keys.gather(planning.of, range.clone());
                self.filling.clear();
                self.filling.extend(self.keys.keys.iter().map(|key| planning.index.filling(key)));
            }
        }
    }

    /// Plans one record. False: it has to wait for the next call.
    fn add(&mut self, planning: Planning<'_>, record: usize) -> Result<bool, NoWindow> {
        let time = planning.time_of(record)?;
        match planning.settings.kind {
            WindowKind::Tumbling { .. } | WindowKind::Hopping { .. } => self.add_to_fixed(planning, record, time)?,
            WindowKind::Global => self.push_row(planning, record, NO_BOUND, time),
            WindowKind::Count { records } => {
                let key = self.keys.key_of[record - self.range.start] as usize;
                let filling = &mut self.filling[key];
                let number = filling.number;
                filling.records += 1;
                if filling.records >= records {
                    *filling = Filling { number: number + 1, records: 0 };
                }
                self.push_row(planning, record, number, time);
            }
            WindowKind::Session { gap } => {
                let key = self.keys.key_of[record - self.range.start];
                let Some(end) = time.checked_add(gap) else {
                    return Err(NoWindow::from(format!("its time, {time} ms, is beyond what windows are made for")));
                };
                let came = Window { start: time, end };
                return match self.sessions.add(planning, (key, self.keys.keys.get(key as usize)), (record, came))? {
                    Added::Row => {
                        self.rows.push(record as u32);
                        self.times.push(time);
                        Ok(true)
                    }
                    Added::Late(late_ms) => {
                        self.late.push(LateRecord { record: record as u32, window: came, late_ms });
                        Ok(true)
                    }
                    Added::Waits => Ok(false),
                };
            }
        }
        Ok(true)
    }

    fn add_to_fixed(&mut self, planning: Planning<'_>, record: usize, time: i64) -> Result<(), String> {
        let mut last = None;
        if let Some(window) = planning.settings.kind.window_at(time) {
            match planning.late_by(window) {
                None => self.push_row(planning, record, window.start, time),
                Some(late_ms) => self.late.push(LateRecord { record: record as u32, window, late_ms }),
            }
            return Ok(());
        }
        for window in planning.settings.kind.windows_at(time) {
            let late_by = planning.late_by(window);
            if late_by.is_none() {
                self.push_row(planning, record, window.start, time);
            }
            last = Some((window, late_by));
        }
        match last {
            None => Err(format!("its time, {time} ms, is beyond what windows are made for")),
            Some((window, Some(late_ms))) => {
                self.late.push(LateRecord { record: record as u32, window, late_ms });
                Ok(())
            }
            Some((_, None)) => Ok(()),
        }
    }

    fn push_row(&mut self, planning: Planning<'_>, record: usize, start: i64, time: i64) {
        self.rows.push(record as u32);
        self.times.push(time);
        self.hashes.push(planning.hash_of(record));
        self.units.push_with(|unit| put_unit(start, planning.of.keys.get(record), unit));
    }

    /// The sessions are known: so are the units of the rows.
    fn name_sessions(&mut self, planning: Planning<'_>) {
        for (row, &record) in self.rows.iter().enumerate() {
            self.hashes.push(planning.hash_of(record as usize));
            let start = self.sessions.of_row(row).window.start;
            self.units.push_with(|unit| put_unit(start, planning.of.keys.get(record as usize), unit));
        }
    }

    /// The rows have been selected: `key_of` says which distinct unit each is of. Their windows are worked out, and, where `in_full` says so, what comes to each.
    pub fn note_units(&mut self, settings: &WindowSettings, units: &Column, key_of: &[u32], in_full: bool) {
        self.shown.clear();
        self.windows.clear();
        self.is_open_unit.clear();
        self.kept.clear();
        self.of_units.clear();
        units.iter().for_each(|unit| self.shown.push(key_of_unit(unit)));
        if in_full {
            self.note_in_full(settings, units.len(), key_of);
        }
        if !settings.kind.merges() {
            self.windows.extend(units.iter().map(|unit| settings.kind.window_of(start_of_unit(unit))));
        }
    }

    fn note_in_full(&mut self, settings: &WindowSettings, units: usize, key_of: &[u32]) {
        self.of_units.resize(units, PlannedUnit { largest: NO_TIMESTAMP, records: 0, last: 0, session: 0 });
        self.kept.resize(units, None);
        for (row, &unit) in key_of.iter().enumerate() {
            let planned = &mut self.of_units[unit as usize];
            if settings.kind.merges() && planned.records == 0 {
                // Units come in the order of their first rows.
                self.windows.push(self.sessions.of_row(row).window);
                planned.session = self.sessions.place_of_row(row);
            }
            planned.largest = planned.largest.max(self.times[row]);
            planned.records += 1;
            planned.last = self.rows[row];
        }
    }

    /// True where the rows are the range's records, each once.
    pub fn is_plain(&self) -> bool {
        // They ascend: a record that is missing, or is there twice, shows in their number or in the first that is out of place.
        self.rows.len() == self.range.len() && self.rows.iter().zip(self.range.clone()).all(|(&row, record)| row as usize == record)
    }
}
