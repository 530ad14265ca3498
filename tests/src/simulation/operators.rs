//! Native operators of simulated jobs. They fail now and then, on the simulation's dice.

use super::kept::Kept;
use std::sync::Arc;
use weir_engine::element::RecordBatch;
use weir_engine::operator::{InputDescriptor, OperatorDescriptor, OutputDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{KeyedState, StateDescriptor, StateKind};
use weir_engine::{BatchBuilder, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

pub(super) fn descriptor(name: &str, states: Vec<StateDescriptor>) -> OperatorDescriptor {
    OperatorDescriptor {
        name: name.into(),
        version: "1".into(),
        inputs: vec![InputDescriptor { name: "in".into(), ..InputDescriptor::default() }],
        outputs: vec![OutputDescriptor { name: "out".into(), schema: None }],
        states,
        timers: Vec::new(),
        ..OperatorDescriptor::default()
    }
}

/// One failure in so many batches.
#[derive(Clone)]
pub struct Faults {
    simulator: Simulator,
    one_in: Option<u64>,
}

impl Faults {
    pub(super) fn new(simulator: Simulator, one_in: Option<u64>) -> Self {
        Self { simulator, one_in }
    }

    pub(super) fn strike(&self, what: &str) -> Result<(), EngineError> {
        match self.one_in {
            Some(one_in) if self.simulator.draw(one_in) == 0 => {
                Err(EngineError::new(ErrorKind::Restart, format!("{what}: injected failure")))
            }
            _ => Ok(()),
        }
    }
}

/// Gives each record the key `key % keys`: a stage whose output has other keys than its input, and may say what time they are of.
pub struct RekeyFactory {
    descriptor: OperatorDescriptor,
    rekey: Rekey,
}

/// Counts records per key, in a value state, and emits `key count` for each.
pub struct CountFactory {
    descriptor: OperatorDescriptor,
    count: Count,
}

impl RekeyFactory {
    /// `one_in`: a failure in so many batches.
    pub fn new(simulator: Simulator, one_in: Option<u64>, keys: u64) -> Arc<Self> {
        Self::of(Rekey { faults: Faults::new(simulator, one_in), keys, time: None })
    }

    /// That reads the number of each record, and gives it this time.
    pub fn stamping(simulator: Simulator, one_in: Option<u64>, keys: u64, time: fn(u64) -> i64) -> Arc<Self> {
        Self::of(Rekey { faults: Faults::new(simulator, one_in), keys, time: Some(time) })
    }

    fn of(rekey: Rekey) -> Arc<Self> {
        Arc::new(Self { descriptor: descriptor("rekey", Vec::new()), rekey })
    }
}

impl CountFactory {
    /// That fails so, and keeps its state so. A key that has come to `up_to` is forgotten.
    pub(super) fn new(faults: Faults, up_to: u64, mut kept: Kept) -> Arc<Self> {
        let descriptor = kept.describe("count", vec![kept.numbers("count", StateKind::Value)], StateKind::Value);
        Arc::new(Self { descriptor, count: Count { faults, up_to, kept } })
    }
}

impl OperatorFactory for RekeyFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.rekey.clone()))
    }
}

impl OperatorFactory for CountFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.count.clone()))
    }
}

/// Selects the keys of a batch, which all its records have.
pub(super) fn select(state: &mut KeyedState, batch: &RecordBatch) -> Result<(), EngineError> {
    state.select(batch, 0..batch.len()).map_err(|error| error.into_error(|keyless| panic!("record {} has no key", keyless.record)))?;
    Ok(())
}

#[derive(Clone)]
struct Rekey {
    faults: Faults,
    keys: u64,
    /// The time of record n; `None`: it is the one that it came with.
    time: Option<fn(u64) -> i64>,
}

impl Operator for Rekey {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("rekey")?;
        let mut out = BatchBuilder::new();
        for record in 0..batch.len() {
            let key = batch.key(record).expect("the source gives keys");
            let key = number_in(key);
            let value = batch.values().get(record);
            let time = self.time.map_or(batch.timestamps()[record], |time| time(number_in(value)));
            out.push(Some((key % self.keys).to_string().as_bytes()), value, Some(time));
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

fn number_in(text: &[u8]) -> u64 {
    std::str::from_utf8(text).expect("it is text").parse().expect("it is a number")
}

#[derive(Clone)]
struct Count {
    faults: Faults,
    up_to: u64,
    kept: Kept,
}

impl Operator for Count {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("count")?;
        let state = context.state.as_deref_mut().expect("a key edge");
        select(state, batch)?;
        let mut out = BatchBuilder::new();
        for record in 0..batch.len() {
            let key = state.key_of()[record] as usize;
            let count = self.kept.number(state, key, 0)?.unwrap_or(0) + 1;
            if count < self.up_to {
                state.set_value(key, self.kept.at(0), &self.kept.write(count))?;
                self.kept.mark(state, key, count)?;
            } else {
                state.clear(key, self.kept.at(0))?;
                self.kept.unmark(state, key)?;
            }
            let line = format!("{} {count}", String::from_utf8_lossy(batch.keys().get(record)));
            out.push(batch.key(record), line.as_bytes(), None);
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}
