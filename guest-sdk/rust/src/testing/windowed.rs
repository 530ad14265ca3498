//! The test host of a windowed operator: records go into their windows, and windows fire when the test has moved time.
//!
//! It is a plain model of the engine's windows, to be read beside their rules: one map of open windows, and all that may go wrong undone by a copy of it.

use super::TestHost;
use super::open_windows::{Arrival, Merge, OpenWindows, Place, Unit};
use super::record::{TestRecord, batch_of, vecs};
use super::test_host::TestFailure;
use super::window::{LateRecord, TestWindow};
use crate::bindings::weir::operator::types::{Batch, Column, WindowBatch, Windows};
use crate::columns::{empty_column, empty_keyed_column, items, push_item, push_s64, push_u32};
use crate::context::NO_TIMESTAMP;
use crate::instance::Instance;
use crate::operator::Operator;
use crate::windows::{Window, WindowReason};

/// What the host keeps of windows.
#[derive(Clone)]
pub(super) struct Windowed {
    pub(super) open: OpenWindows,
    pub(super) late: Vec<LateRecord>,
    /// So many windows are in a call at most.
    pub(super) fired_max: usize,
}

/// A record of a call in one of its windows.
struct Row {
    record: usize,
    unit: Unit,
}

impl<O: Operator> TestHost<O> {
    /// The operator's windows, as a job file gives them. Panics where it is not [windowed](Operator::WINDOWED).
    pub fn with_window(mut self, window: TestWindow) -> Self {
        assert!(O::WINDOWED, "{} is not windowed", O::NAME);
        self.windowed = Some(Windowed { open: OpenWindows::new(window), late: Vec::new(), fired_max: 1_024 });
        self
    }

    /// Windows that go on and have new records fire early, as at a tick of the job file's `emit = { every = … }`.
    pub fn fire_early(&mut self) -> Result<(), TestFailure> {
        let early = self.windowed_mut().open.early();
        self.fire_in_calls(&early)
    }

    /// The records that came too late so far.
    pub fn late(&self) -> &[LateRecord] {
        self.windowed.as_ref().map_or(&[], |windowed| &windowed.late)
    }

    /// The bounds of a key's open windows, in the order of their starts.
    pub fn open_windows(&self, key: impl AsRef<[u8]>) -> Vec<Window> {
        let Some(Windowed { open, .. }) = &self.windowed else { return Vec::new() };
        open.of_key(key.as_ref()).iter().filter_map(|unit| open.get(unit).window).collect()
    }

    /// Under which key [`Self::value`], [`Self::list`] and [`Self::map`] find the state of a key in the window with this start.
    pub fn in_window(&self, key: impl AsRef<[u8]>, start: i64) -> Vec<u8> {
        Unit { start, key: key.as_ref().to_vec() }.bytes()
    }

    fn windowed_mut(&mut self) -> &mut Windowed {
        self.windowed.as_mut().unwrap_or_else(|| panic!("{} is windowed: `with_window` gives it windows, as a job file does", O::NAME))
    }

    /// What time has passed; `None`: nothing yet. Of the clock's windows that is what the clock has passed: what it shows may still be added to.
    fn passed(&mut self) -> Option<i64> {
        match self.windowed_mut().open.settings.by_clock {
            true => Some(self.processing_time - 1),
            false => Some(self.watermark).filter(|&watermark| watermark != NO_TIMESTAMP),
        }
    }

    /// Works a batch of a keyed input off.
    pub(super) fn send_into_windows(&mut self, input: u32, records: &[TestRecord]) -> Result<(), TestFailure> {
        let before = (self.windowed_mut().clone(), self.store.clone());
        let sent = self.work_into_windows(input, records);
        if sent.is_err() {
            (self.windowed, self.store) = (Some(before.0), before.1);
        }
        sent
    }

    /// In calls that are cut before a record which makes one session of several: what was done to these counts before.
    fn work_into_windows(&mut self, input: u32, records: &[TestRecord]) -> Result<(), TestFailure> {
        let passed = self.passed();
        let mut rows: Vec<Row> = Vec::new();
        for (index, record) in records.iter().enumerate() {
            let Some(key) = &record.key else { panic!("record {index} has no key, and its input is keyed: {record:?}") };
            let arrival = Arrival { key, timestamp: record.timestamp, passed, clock: self.processing_time };
            let failed = |message: String| TestFailure { record: Some(index), message };
            if let Some(merge) = self.windowed_mut().open.merge(&arrival) {
                self.call_with_rows(input, records, &std::mem::take(&mut rows))?;
                self.join(&merge).map_err(failed)?;
            }
            match self.windowed_mut().open.place(&arrival).map_err(failed)? {
                Place::In(units) => rows.extend(units.into_iter().map(|unit| Row { record: index, unit })),
                Place::Late(window) => {
                    let Windowed { open, late, .. } = self.windowed_mut();
                    let late_ms = passed.unwrap_or(NO_TIMESTAMP).saturating_sub(open.gone_at(window)).saturating_add(1);
                    late.push(LateRecord { record: record.clone(), window, late_ms });
                }
            }
        }
        self.call_with_rows(input, records, &rows)
    }

    /// One call with rows, behind which windows fire that are full.
    fn call_with_rows(&mut self, input: u32, records: &[TestRecord], rows: &[Row]) -> Result<(), TestFailure> {
        if rows.is_empty() {
            return Ok(());
        }
        let in_units: Vec<_> = rows.iter().map(|row| records[row.record].clone().key(row.unit.bytes())).collect();
        let mut given = batch_of(&in_units, true);
        let units = vecs(&given.keys);
        given.states = self.store.columns(&self.descriptor.states, &units);
        given.keys = keys_of(&units);
        let open = &self.windowed_mut().open;
        given.windows = open.settings.has_known_bounds().then(|| bounds(units.iter().map(|unit| open.get(&Unit::of(unit)).window)));
        self.call(input, units, &batch_of(&in_units, true), |instance, context| instance.process(context, given))
            .map_err(|failure| TestFailure { record: failure.record.map(|row| rows[row].record), ..failure })?;
        let touched: Vec<Unit> = rows.iter().map(|row| row.unit.clone()).collect();
        let full = self.windowed_mut().open.full(&touched);
        self.fire_in_calls(&full)?;
        let failed = |message| TestFailure { record: None, message };
        self.windowed_mut().open.to_be_first(&touched).iter().try_for_each(|merge| self.join(merge).map_err(failed))
    }

    /// Makes one window of several, and one of their state.
    fn join(&mut self, merge: &Merge) -> Result<(), String> {
        self.windowed_mut().open.join(merge);
        let parts: Vec<Vec<u8>> = merge.parts.iter().map(Unit::bytes).collect();
        self.store.join(&parts, &merge.into.bytes(), merge_values::<O>)
    }

    /// Fires what is due by now; corrections where they have waited since `changed_by` on the clock.
    pub(super) fn fire_windows(&mut self, changed_by: i64) -> Result<(), TestFailure> {
        let Some(passed) = self.passed() else { return Ok(()) };
        let due = self.windowed_mut().open.due(passed, changed_by);
        self.fire_in_calls(&due)?;
        for unit in self.windowed_mut().open.take_gone(passed) {
            self.store.forget(&unit.bytes());
        }
        Ok(())
    }

    /// The input has ended.
    pub(super) fn fire_last_windows(&mut self) -> Result<(), TestFailure> {
        if !self.windowed_mut().open.settings.by_clock {
            self.fire_windows(i64::MAX)?;
        }
        let endless = self.windowed_mut().open.endless();
        self.fire_in_calls(&endless)
    }

    fn fire_in_calls(&mut self, fired: &[(Unit, WindowReason)]) -> Result<(), TestFailure> {
        let fired_max = self.windowed_mut().fired_max;
        fired.chunks(fired_max).try_for_each(|fired| self.call_with_windows(fired))
    }

    fn call_with_windows(&mut self, fired: &[(Unit, WindowReason)]) -> Result<(), TestFailure> {
        let units: Vec<Vec<u8>> = fired.iter().map(|(unit, _)| unit.bytes()).collect();
        let open = &self.windowed_mut().open;
        let windows: Vec<Option<Window>> = fired.iter().map(|(unit, _)| open.get(unit).window).collect();
        let (mut inherited, mut revisions, mut replaces) = (Vec::new(), Vec::new(), empty_keyed_column());
        for (index, (unit, _)) in (0..).zip(fired) {
            let known = open.get(unit);
            let record = TestRecord::new("").key(unit.bytes());
            let time = known.window.map(Window::last_ms).or(known.newest);
            inherited.push(TestRecord { timestamp: time, ..record });
            push_u32(&mut revisions, known.fired);
            for replaced in &known.replaces {
                push_u32(&mut replaces.keys, index);
                push_item(&mut replaces.items, [replaced.start.to_le_bytes(), replaced.end.to_le_bytes()].as_flattened());
            }
        }
        let batch = Batch { keys: keys_of(&units), ..batch_of(&inherited, true) };
        let reasons = fired.iter().map(|(_, reason)| *reason as u8).collect();
        let states = self.store.columns(&self.descriptor.states, &units);
        let given = WindowBatch { keys: keys_of(&units), windows: bounds(windows.into_iter()), reasons, revisions, replaces, states };
        self.call(0, units, &batch, |instance, context| instance.on_windows(context, given))?;
        let passed = self.passed().unwrap_or(NO_TIMESTAMP);
        for (unit, reason) in fired {
            if self.windowed_mut().open.has_fired(unit, *reason, passed) {
                self.store.forget(&unit.bytes());
            }
        }
        Ok(())
    }
}

/// One value of two of a state, as the component makes it: a call without instance and host.
fn merge_values<O: Operator>(state: u32, earlier: &[u8], later: &[u8]) -> Result<Vec<u8>, String> {
    let one = |value: &[u8]| {
        let mut column = empty_column();
        push_item(&mut column, value);
        column
    };
    let merged = Instance::<O>::merge(state, &one(earlier), &one(later))?;
    items(&merged).next().map(<[u8]>::to_vec).ok_or_else(|| "nothing came of two values".to_owned())
}

/// The keys that units are of.
fn keys_of(units: &[Vec<u8>]) -> Column {
    let mut keys = empty_column();
    units.iter().for_each(|unit| push_item(&mut keys, &Unit::of(unit).key));
    keys
}

fn bounds(of: impl Iterator<Item = Option<Window>>) -> Windows {
    let mut windows = Windows { starts: Vec::new(), ends: Vec::new() };
    for window in of {
        push_s64(&mut windows.starts, window.map_or(i64::MIN, |window| window.start));
        push_s64(&mut windows.ends, window.map_or(i64::MIN, |window| window.end));
    }
    windows
}
