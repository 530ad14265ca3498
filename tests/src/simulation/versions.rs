//! The versions of an operator that a simulated job is upgraded to: some are bad, and some keep their state in another form.

use super::operators::{descriptor, select};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::operator::{Component, OperatorDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{StateDescriptor, StateKind, StateMigrator};
use weir_engine::{BatchBuilder, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// A counter cannot be deployed with so many subtasks.
pub(super) const UNDEPLOYABLE: u32 = 9;
/// A counter can be deployed with so many subtasks, but gets nowhere.
pub(super) const HOPELESS: u32 = 8;

/// What stands for the SHA-256 of a version's component.
pub(super) fn digest(version: u64) -> String {
    format!("v{version}")
}

/// Counts records per key and emits `key count version`. Every third version is bad: on probation it fails now and then. Versions 4 to 7 keep the count in
/// another form than 1 to 3, and so on: what is taken over from older ones is migrated.
pub(super) struct VersionFactory {
    descriptor: OperatorDescriptor,
    component: Component,
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
        let component = Component { digest: digest(version), bytes: digest(version).into_bytes().into() };
        let bad = version.is_multiple_of(3);
        Self { descriptor: descriptor("count", vec![state]), component, simulator, version, failures, bad, call: Duration::ZERO }
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
        Ok(Box::new(VersionedCount { simulator, version, failures, call, on_probation: false }))
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

struct VersionedCount {
    simulator: Simulator,
    version: u64,
    failures: Option<u64>,
    call: Duration,
    on_probation: bool,
}

impl Operator for VersionedCount {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let state = context.state.as_deref_mut().expect("a key edge");
        select(state, batch)?;
        let mut out = BatchBuilder::new();
        for record in 0..batch.len() {
            let key = state.key_of()[record] as usize;
            let form = form_of(self.version);
            let count = state.copied_value(key, 0)?.map_or(0, |bytes| read_form(&bytes, form)) + 1;
            state.set_value(key, 0, &write_form(count, form))?;
            let line = format!("{} {count} {}", String::from_utf8_lossy(batch.keys().get(record)), self.version);
            out.push(batch.key(record), line.as_bytes(), None);
        }
        context.outputs.push((0, out.finish().into()));
        if self.on_probation && !self.call.is_zero() {
            self.simulator.call_takes(self.call);
        }
        let bad = self.on_probation && self.version.is_multiple_of(3) && self.simulator.draw(3) == 0;
        if bad || self.failures.is_some_and(|one_in| self.simulator.draw(one_in) == 0) {
            return Err(EngineError::new(ErrorKind::Restart, "injected failure"));
        }
        Ok(())
    }

    fn set_probation(&mut self, on_probation: bool) {
        self.on_probation = on_probation;
    }
}
