//! The operators of a job whose file changes between its runs: a counter whose names and states come and go and change their version, and a step without any.

use super::Counter;
use super::kept::{FormMigrator, Kept};
use super::operators::{Faults, descriptor};
use std::sync::Arc;
use weir_engine::element::RecordBatch;
use weir_engine::operator::{OperatorDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{StateMerger, StateMigrator};
use weir_engine::{EngineError, Operator, OperatorContext, OperatorFactory};

/// Counts as a counter does, which is called otherwise and keeps its states otherwise.
pub(super) struct EvolvingFactory {
    counter: Arc<dyn OperatorFactory>,
    descriptor: OperatorDescriptor,
    simulator: Simulator,
}

impl EvolvingFactory {
    /// That counts so.
    pub fn new(name: &str, counter: Counter, kept: Kept, simulator: &Simulator, failures: Option<u64>) -> Arc<Self> {
        let counter = counter.keeping(kept, simulator, failures);
        let descriptor = OperatorDescriptor { name: name.into(), ..counter.descriptor().clone() };
        Arc::new(Self { counter, descriptor, simulator: simulator.clone() })
    }
}

impl OperatorFactory for EvolvingFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        self.counter.merger()
    }

    fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        Some(FormMigrator::new(self.simulator.clone(), &self.descriptor.states, false))
    }

    fn create(&self, subtask: &Subtask, schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        self.counter.create(subtask, schemas)
    }
}

/// Hands on what comes.
pub(super) struct PassingFactory {
    descriptor: OperatorDescriptor,
    faults: Faults,
}

impl PassingFactory {
    /// That fails so.
    pub fn new(faults: Faults) -> Arc<Self> {
        Arc::new(Self { descriptor: descriptor("same", Vec::new()), faults })
    }
}

impl OperatorFactory for PassingFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Passing(self.faults.clone())))
    }
}

struct Passing(Faults);

impl Operator for Passing {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.0.strike("pass on")?;
        context.outputs.push((0, batch.clone().into()));
        Ok(())
    }
}
