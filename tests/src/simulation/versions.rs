//! The versions of an operator that a simulated job is upgraded to: some are bad, and some keep their state in another form.

use super::Counter;
use super::kept::{FormMigrator, Kept};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::element::{RecordBatch, Selection};
use weir_engine::operator::{Component, FiredTimers, OperatorDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{FiredWindows, StateMerger, StateMigrator};
use weir_engine::{BatchBuilder, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// A counter cannot be deployed with so many subtasks.
pub(super) const UNDEPLOYABLE: u32 = 9;
/// A counter can be deployed with so many subtasks, but gets nowhere.
pub(super) const HOPELESS: u32 = 8;

/// What stands for the SHA-256 of a version's component.
pub(super) fn digest(version: u64) -> String {
    format!("v{version}")
}

/// Counts as a counter does, and puts its version behind each line. Every third version is bad: on probation it fails now and then. Versions 4 to 7 keep
/// their numbers in another form than 1 to 3, and so on: what is taken over from older ones is migrated.
pub(super) struct VersionFactory {
    counter: Arc<dyn OperatorFactory>,
    descriptor: OperatorDescriptor,
    component: Component,
    simulator: Simulator,
    version: u64,
    failures: Option<u64>,
    /// Its migrations fail now and then.
    is_bad: bool,
    /// What its calls take on probation.
    call: Duration,
}

impl VersionFactory {
    /// `failures`: one in so many calls.
    pub fn new(simulator: Simulator, counter: Counter, version: u64, failures: Option<u64>) -> Self {
        let counter = counter.keeping(Kept::new(1 + (version / 4) as u32, None), &simulator, None);
        let descriptor = OperatorDescriptor { name: "count".into(), ..counter.descriptor().clone() };
        let component = Component { digest: digest(version), bytes: digest(version).into_bytes().into() };
        let is_bad = version.is_multiple_of(3);
        Self { counter, descriptor, component, simulator, version, failures, is_bad, call: Duration::ZERO }
    }

    /// That never fails, and whose calls take so long on probation.
    pub fn slow(simulator: Simulator, counter: Counter, version: u64, call: Duration) -> Self {
        Self { call, ..Self::sturdy(simulator, counter, version) }
    }

    /// That never fails.
    pub fn sturdy(simulator: Simulator, counter: Counter, version: u64) -> Self {
        Self { is_bad: false, ..Self::new(simulator, counter, version, None) }
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
        Some(FormMigrator::new(self.simulator.clone(), &self.descriptor.states, self.is_bad))
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        self.counter.merger()
    }

    fn create(&self, subtask: &Subtask, schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
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
        let counter = self.counter.create(subtask, schemas)?;
        Ok(Box::new(Versioned { counter, simulator, version, failures, call, on_probation: false }))
    }
}

struct Versioned {
    counter: Box<dyn Operator>,
    simulator: Simulator,
    version: u64,
    failures: Option<u64>,
    call: Duration,
    on_probation: bool,
}

impl Versioned {
    /// What the counter emits is signed, and now and then it fails.
    fn sign(&self, outputs: &mut [(u32, Selection)]) -> Result<(), EngineError> {
        for (_, records) in outputs.iter_mut().filter(|(output, _)| *output == 0) {
            let (batch, mut signed) = (records.clone().compact(), BatchBuilder::new());
            for record in 0..batch.len() {
                let line = [batch.values().get(record), format!(" {}", self.version).as_bytes()].concat();
                signed.push(batch.key(record), &line, Some(batch.timestamps()[record]));
            }
            *records = signed.finish().into();
        }
        let is_bad = self.on_probation && self.version.is_multiple_of(3) && self.simulator.draw(3) == 0;
        if is_bad || self.failures.is_some_and(|one_in| self.simulator.draw(one_in) == 0) {
            return Err(EngineError::new(ErrorKind::Restart, "injected failure"));
        }
        Ok(())
    }
}

impl Operator for Versioned {
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let before = context.outputs.len();
        self.counter.process(input, batch, context)?;
        if self.on_probation && !self.call.is_zero() {
            self.simulator.call_takes(self.call);
        }
        self.sign(&mut context.outputs[before..])
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let before = context.outputs.len();
        self.counter.on_timers(fired, context)?;
        self.sign(&mut context.outputs[before..])
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let before = context.outputs.len();
        self.counter.on_windows(fired, context)?;
        self.sign(&mut context.outputs[before..])
    }

    fn set_probation(&mut self, on_probation: bool) {
        self.on_probation = on_probation;
    }
}
