//! The versions of an operator that a simulated job is upgraded to: some are bad, and some keep their state in another form.

use super::Counter;
use super::operators::{descriptor, select};
use super::speaking::into_windows;
use super::timed::WINDOW;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::operator::{Component, FiredTimers, OperatorDescriptor, Subtask, TimerDescriptor};
use weir_engine::runtime::Simulator;
use weir_engine::state::{FiredWindows, KeyedState, StateDescriptor, StateKind, StateMerger, StateMigrator};
use weir_engine::{BatchBuilder, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// A counter cannot be deployed with so many subtasks.
pub(super) const UNDEPLOYABLE: u32 = 9;
/// A counter can be deployed with so many subtasks, but gets nowhere.
pub(super) const HOPELESS: u32 = 8;

/// What stands for the SHA-256 of a version's component.
pub(super) fn digest(version: u64) -> String {
    format!("v{version}")
}

/// Counts records per key and emits `key count version`, or counts them in windows, which it closes itself by timers or the engine does, and emits
/// `key start count version`. Every third version is bad: on probation it fails now and then. Versions 4 to 7 keep the count in
/// another form than 1 to 3, and so on: what is taken over from older ones is migrated.
pub(super) struct VersionFactory {
    descriptor: OperatorDescriptor,
    component: Component,
    counter: Counter,
    simulator: Simulator,
    version: u64,
    failures: Option<u64>,
    /// Its migrations fail now and then.
    bad: bool,
    /// What its calls take on probation.
    call: Duration,
}

impl VersionFactory {
    /// `failures`: one in so many batches.
    pub fn new(simulator: Simulator, version: u64, failures: Option<u64>) -> Self {
        let form = form_of(version);
        let state =
            StateDescriptor { name: "count".into(), kind: StateKind::Value, schema: format!("raw{form}"), version: form, ttl: None };
        let descriptor = descriptor("count", vec![state]);
        let component = Component { digest: digest(version), bytes: digest(version).into_bytes().into() };
        let bad = version.is_multiple_of(3);
        Self { descriptor, component, counter: Counter::Native, simulator, version, failures, bad, call: Duration::ZERO }
    }

    /// That counts in the windows of this counter, where it has any.
    pub fn counting(mut self, counter: Counter) -> Self {
        match counter {
            Counter::Timed => {
                self.descriptor.states[0].kind = StateKind::Map;
                self.descriptor.timers = vec![TimerDescriptor { name: "over".into(), event_time: true }];
            }
            Counter::Windowed | Counter::Sessions => (self.descriptor.windowed, self.descriptor.merging) = (true, vec![0]),
            _ => {}
        }
        Self { counter, ..self }
    }

    /// That never fails, and whose calls take so long on probation.
    pub fn slow(simulator: Simulator, version: u64, call: Duration) -> Self {
        Self { call, ..Self::sturdy(simulator, version) }
    }

    /// That never fails.
    pub fn sturdy(simulator: Simulator, version: u64) -> Self {
        Self { bad: false, ..Self::new(simulator, version, None) }
    }
}

impl OperatorFactory for VersionFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn component(&self) -> Option<&Component> {
        Some(&self.component)
    }

    fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        Some(Arc::new(FormMigrator { simulator: self.simulator.clone(), to: form_of(self.version), bad: self.bad }))
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        Some(Arc::new(FormMerger(form_of(self.version))))
    }

    fn create(&self, subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        let (simulator, version, call) = (self.simulator.clone(), self.version, self.call);
        if subtask.parallelism == UNDEPLOYABLE && subtask.index == 5 {
            let kind = match simulator.draw(4) {
                0 => panic!("injected panic of a deployment"),
                1 => ErrorKind::FixInput,
                2 => ErrorKind::Restart,
                _ => ErrorKind::Retry,
            };
            return Err(EngineError::new(kind, "injected failure of a deployment"));
        }
        let failures = if subtask.parallelism == HOPELESS { Some(1) } else { self.failures };
        Ok(Box::new(VersionedCount { simulator, version, counter: self.counter, failures, call, on_probation: false }))
    }
}

/// The version of the state that a version of the operator keeps.
fn form_of(version: u64) -> u32 {
    1 + (version / 4) as u32
}

/// A count in this form: its number in front, so that no form passes for another.
fn write_form(count: u64, form: u32) -> Vec<u8> {
    [&form.to_le_bytes()[..], &count.to_le_bytes()].concat()
}

fn read_form(bytes: &[u8], form: u32) -> u64 {
    let (prefix, count) = bytes.split_at(4);
    assert_eq!(prefix, form.to_le_bytes(), "a version sees only its own form of the state");
    u64::from_le_bytes(count.try_into().expect("eight bytes"))
}

struct FormMigrator {
    simulator: Simulator,
    to: u32,
    bad: bool,
}

impl StateMigrator for FormMigrator {
    fn migrate(&self, _state: usize, from_version: u32, values: &Column) -> Result<Column, EngineError> {
        if self.bad && self.simulator.draw(4) == 0 {
            return Err(EngineError::new(ErrorKind::FixInput, "injected failure of a migration"));
        }
        let mut migrated = Column::new();
        values.iter().for_each(|value| migrated.push(&write_form(read_form(value, from_version), self.to)));
        Ok(migrated)
    }

    fn batch_bytes(&self) -> u64 {
        100
    }
}

/// Counts of this form add up.
struct FormMerger(u32);

impl StateMerger for FormMerger {
    fn merge(&self, _state: usize, earlier: &Column, later: &Column) -> Result<Column, EngineError> {
        let mut merged = Column::new();
        let sum = |(one, other): (&[u8], &[u8])| read_form(one, self.0) + read_form(other, self.0);
        earlier.iter().zip(later.iter()).for_each(|pair| merged.push(&write_form(sum(pair), self.0)));
        Ok(merged)
    }
}

struct VersionedCount {
    simulator: Simulator,
    version: u64,
    counter: Counter,
    failures: Option<u64>,
    call: Duration,
    on_probation: bool,
}

impl VersionedCount {
    /// A batch of records has been counted: each count is told.
    fn count(&self, batch: &RecordBatch, state: &mut KeyedState) -> Result<BatchBuilder, EngineError> {
        let (form, mut out) = (form_of(self.version), BatchBuilder::new());
        select(state, batch)?;
        for record in 0..batch.len() {
            let key = state.key_of()[record] as usize;
            let count = state.copied_value(key, 0)?.map_or(0, |bytes| read_form(&bytes, form)) + 1;
            state.set_value(key, 0, &write_form(count, form))?;
            let line = format!("{} {count} {}", String::from_utf8_lossy(batch.keys().get(record)), self.version);
            out.push(batch.key(record), line.as_bytes(), None);
        }
        Ok(out)
    }

    /// The same, in windows that timers close.
    fn count_until_timers(&self, batch: &RecordBatch, state: &mut KeyedState) -> Result<(), EngineError> {
        let form = form_of(self.version);
        select(state, batch)?;
        for record in 0..batch.len() {
            let (key, time, mut value) = (state.key_of()[record] as usize, batch.timestamps()[record], Column::new());
            let start = time - time.rem_euclid(WINDOW);
            let counted = if state.map_get(key, 0, &start.to_be_bytes(), &mut value)? { read_form(value.get(0), form) } else { 0 };
            state.map_put(key, 0, &start.to_be_bytes(), &write_form(counted + 1, form))?;
            state.set_timer(key, 0, start + WINDOW - 1)?;
        }
        Ok(())
    }

    /// The same, in windows of the engine.
    fn count_in_windows(&self, batch: &RecordBatch, state: &mut KeyedState) -> Result<(), EngineError> {
        let form = form_of(self.version);
        let late = into_windows(state, batch, |state, _, unit| {
            let counted = state.copied_value(unit, 0)?.map_or(0, |bytes| read_form(&bytes, form)) + 1;
            state.set_value(unit, 0, &write_form(counted, form))
        })?;
        if late == 0 { Ok(()) } else { Err(EngineError::new(ErrorKind::FixInput, "a record is late, and all are in order")) }
    }

    /// A window of a key is over.
    fn tell(&self, out: &mut BatchBuilder, key: &[u8], start: i64, count: &[u8]) {
        let count = read_form(count, form_of(self.version));
        out.push(Some(key), format!("{} {start} {count} {}", String::from_utf8_lossy(key), self.version).as_bytes(), None);
    }

    fn strike(&self) -> Result<(), EngineError> {
        let bad = self.on_probation && self.version.is_multiple_of(3) && self.simulator.draw(3) == 0;
        if bad || self.failures.is_some_and(|one_in| self.simulator.draw(one_in) == 0) {
            return Err(EngineError::new(ErrorKind::Restart, "injected failure"));
        }
        Ok(())
    }
}

impl Operator for VersionedCount {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("a key edge");
        match self.counter {
            Counter::Timed => self.count_until_timers(batch, state)?,
            Counter::Windowed | Counter::Sessions => self.count_in_windows(batch, state)?,
            _ => {
                let counted = self.count(batch, state)?;
                context.outputs.push((0, counted.finish().into()));
            }
        }
        if self.on_probation && !self.call.is_zero() {
            self.simulator.call_takes(self.call);
        }
        self.strike()
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("timers are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a timer without a key")))?;
        let mut out = BatchBuilder::new();
        for place in 0..fired.len() {
            let (key, start, mut count) = (state.key_of()[place] as usize, fired.due()[place] + 1 - WINDOW, Column::new());
            assert!(state.map_get(key, 0, &start.to_be_bytes(), &mut count)?, "a window is there until it is over");
            state.map_remove(key, 0, &start.to_be_bytes())?;
            self.tell(&mut out, fired.keys().get(place), start, count.get(0));
        }
        context.outputs.push((0, out.finish().into()));
        self.strike()
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("windows are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a window without a key")))?;
        let mut out = BatchBuilder::new();
        for (place, firing) in fired.firings().iter().enumerate() {
            let count = state.copied_value(state.key_of()[place] as usize, 0)?.expect("a window that fires has records");
            self.tell(&mut out, fired.keys().get(place), firing.window.start, &count);
        }
        context.outputs.push((0, out.finish().into()));
        self.strike()
    }

    fn set_probation(&mut self, on_probation: bool) {
        self.on_probation = on_probation;
    }
}
