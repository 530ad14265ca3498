//! Windows by hand: an operator that counts the records of a key within fifty milliseconds of event time, and says so when a timer tells it that they are over.
//! Splits are in order and watermarks wait for the slowest, so no record is ever late, whatever was restored at whatever parallelism.

use super::Scenario;
use super::kept::Kept;
use super::operators::{Faults, select};
use super::source::in_order;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::element::RecordBatch;
use weir_engine::operator::{FiredTimers, OperatorDescriptor, Subtask, TimerDescriptor};
use weir_engine::state::{KeyedState, StateKind};
use weir_engine::{BatchBuilder, Column, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// How long a window is.
pub(super) const WINDOW: i64 = 50;

/// Counts by key and window.
pub struct TimedFactory {
    descriptor: OperatorDescriptor,
    timed: Timed,
}

impl TimedFactory {
    /// That fails so, and keeps its state so.
    pub(super) fn new(faults: Faults, mut kept: Kept) -> Arc<Self> {
        let timers = vec![TimerDescriptor { name: "over".into(), event_time: true }];
        let described = kept.describe("timed", vec![kept.numbers("counts", StateKind::Map)], StateKind::Map);
        Arc::new(Self { descriptor: OperatorDescriptor { timers, ..described }, timed: Timed { faults, kept } })
    }
}

impl OperatorFactory for TimedFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.timed.clone()))
    }
}

#[derive(Clone)]
struct Timed {
    faults: Faults,
    kept: Kept,
}

impl Timed {
    /// The count of a window of a key.
    fn count(&self, state: &KeyedState, key: usize, window: [u8; 8]) -> Result<u64, EngineError> {
        let mut value = Column::new();
        let found = state.map_get(key, self.kept.at(0), &window, &mut value)?;
        Ok(if found { self.kept.read(value.get(0)) } else { 0 })
    }
}

impl Operator for Timed {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("count in windows")?;
        let state = context.state.as_deref_mut().expect("a key edge");
        select(state, batch)?;
        for record in 0..batch.len() {
            let (key, time) = (state.key_of()[record] as usize, batch.timestamps()[record]);
            if time <= context.watermark {
                let message = format!("a record of {time} comes behind the watermark {}", context.watermark);
                return Err(EngineError::new(ErrorKind::FixInput, message));
            }
            let start = time - time.rem_euclid(WINDOW);
            let counted = self.count(state, key, start.to_be_bytes())? + 1;
            state.map_put(key, self.kept.at(0), &start.to_be_bytes(), &self.kept.write(counted))?;
            self.kept.mark_entry(state, key, &start.to_be_bytes(), counted)?;
            state.set_timer(key, 0, start + WINDOW - 1)?;
        }
        Ok(())
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("close windows")?;
        let state = context.state.as_deref_mut().expect("timers are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a timer without a key")))?;
        let mut out = BatchBuilder::new();
        for place in 0..fired.len() {
            let (key, start) = (state.key_of()[place] as usize, fired.due()[place] + 1 - WINDOW);
            let counted = self.count(state, key, start.to_be_bytes())?;
            state.map_remove(key, self.kept.at(0), &start.to_be_bytes())?;
            self.kept.unmark_entry(state, key, &start.to_be_bytes())?;
            let name = fired.keys().get(place);
            let line = format!("{} {start} {counted}", String::from_utf8_lossy(name));
            out.push(Some(name), line.as_bytes(), Some(fired.due()[place]));
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

/// One line for each key and window, with the number of its records.
pub(super) fn windows(scenario: Scenario) -> impl Iterator<Item = String> {
    windows_by(scenario, in_order)
}

/// The same of records of these times.
pub(super) fn windows_by(scenario: Scenario, time: fn(u64) -> i64) -> impl Iterator<Item = String> {
    counts_by(scenario, time).into_iter().map(|((key, start), count)| format!("{key} {start} {count}"))
}

/// How many records there are of each key and window, by its start.
pub(super) fn counts_in_windows(scenario: Scenario) -> BTreeMap<(u64, i64), u64> {
    counts_by(scenario, in_order)
}

fn counts_by(scenario: Scenario, time: fn(u64) -> i64) -> BTreeMap<(u64, i64), u64> {
    let mut counts = BTreeMap::new();
    for number in 0..scenario.records {
        let (key, time) = (number % scenario.keys % scenario.counted_keys, time(number));
        *counts.entry((key, time - time.rem_euclid(WINDOW))).or_default() += 1;
    }
    counts
}
