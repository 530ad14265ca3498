//! The host that a test holds in its hands.

use super::imports::{Call, during};
use super::lifetimes::CallTimes;
use super::record::{TestRecord, batch_of, records_of, vecs};
use super::store::Store;
use super::windowed::Windowed;
use crate::bindings::weir::operator::types::{self, Batch, Context, Descriptor, Effects, Failure, StateKind};
use crate::cbor;
use crate::context::NO_TIMESTAMP;
use crate::instance::Instance;
use crate::log::Level;
use crate::operator::{Operator, Output, Setup};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Runs one subtask of an operator in memory.
pub struct TestHost<O: Operator> {
    config: String,
    setup: Setup,
    pub(super) descriptor: Descriptor,
    instance: Instance<O>,
    /// Of each input, whether it is keyed.
    keyed: Vec<bool>,
    pub(super) store: Store,
    outputs: Vec<Vec<TestRecord>>,
    logs: Vec<(Level, String)>,
    metrics: BTreeMap<String, i64>,
    pub(super) watermark: i64,
    pub(super) processing_time: i64,
    /// The input has ended: event timers that are set from now on stay.
    pub(super) is_at_end: bool,
    /// Of a windowed operator.
    pub(super) windowed: Option<Windowed>,
    /// What is kept is judged by these.
    pub(super) times: CallTimes,
}

/// A batch that failed, and so had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFailure {
    /// The index of the record that failed; where timers were due or windows fired, of the timer or window in its call.
    pub record: Option<usize>,
    /// The operator's error.
    pub message: String,
}

impl<O: Operator> TestHost<O> {
    /// Opens the operator with a configuration in JSON. Inputs are keyed if the operator declares states by key or timers or is windowed, but for
    /// those that are declared as broadcast.
    pub fn open(config: &str) -> Result<Self, String> {
        Self::open_with(config, Setup { schemas: vec![None; O::INPUTS.len()], ..Setup::default() })
    }

    /// Opens the operator with a setup of the test's own.
    pub fn open_with(config: &str, setup: Setup) -> Result<Self, String> {
        let descriptor = Instance::<O>::describe();
        let by_key = descriptor.windowed
            || !descriptor.timers.is_empty()
            || descriptor.states.iter().any(|state| state.kind != StateKind::Broadcast);
        let mut logs = Vec::new();
        let instance = open_instance(config, &setup, &mut logs)?;
        Ok(Self {
            config: config.to_owned(),
            setup,
            instance,
            keyed: O::INPUTS.iter().map(|input| by_key && !input.is_broadcast()).collect(),
            store: Store::default(),
            outputs: vec![Vec::new(); descriptor.outputs.len()],
            descriptor,
            logs,
            metrics: BTreeMap::new(),
            watermark: NO_TIMESTAMP,
            processing_time: 0,
            is_at_end: false,
            windowed: None,
            times: CallTimes::default(),
        })
    }

    /// From now on input `input` is keyed, or is not.
    pub fn set_keyed(&mut self, input: u32, keyed: bool) {
        self.keyed[input as usize] = keyed;
    }

    /// The event time and processing time that batches are handed from now on. Fires no timers: [`Self::advance_to`] and [`Self::advance_clock`] do.
    pub fn set_time(&mut self, watermark: Option<i64>, processing_time: i64) {
        self.watermark = watermark.unwrap_or(NO_TIMESTAMP);
        self.processing_time = processing_time;
    }

    /// Hands the operator one batch on its first input.
    pub fn send(&mut self, records: &[TestRecord]) -> Result<(), TestFailure> {
        self.send_to(0, records)
    }

    /// Hands the operator one batch on input `input`, and fires timers that it sets to a time that has come. Panics where the input is keyed and a
    /// record has no key, and where the operator is windowed and was given no window.
    pub fn send_to(&mut self, input: u32, records: &[TestRecord]) -> Result<(), TestFailure> {
        if records.is_empty() {
            return Ok(());
        }
        let keyed = self.keyed[input as usize];
        if O::WINDOWED && keyed {
            return self.send_into_windows(input, records);
        }
        let mut batch = batch_of(records, keyed);
        let keys = if keyed { vecs(&batch.keys) } else { Vec::new() };
        if keyed {
            self.begin_call(&keys, None);
            batch.states = self.store.columns(&self.descriptor.states, &keys);
        }
        self.call(input, keys, &batch_of(records, keyed), |instance, context| instance.process(context, batch))?;
        self.fire_due()
    }

    /// One call, whose effects inherit from `batch`.
    pub(super) fn call(
        &mut self,
        input: u32,
        keys: Vec<Vec<u8>>,
        batch: &Batch,
        call: impl FnOnce(&mut Instance<O>, Context) -> Result<Effects, Failure>,
    ) -> Result<(), TestFailure> {
        let context = Context { input, watermark: self.watermark, processing_time: self.processing_time };
        let behind = Call { store: std::mem::take(&mut self.store), keys, logs: std::mem::take(&mut self.logs) };
        let (Call { store, keys, logs }, result) = during(behind, || call(&mut self.instance, context));
        (self.store, self.logs) = (store, logs);
        let effects = result.map_err(failure)?;
        for output in &effects.outputs {
            self.outputs[output.output as usize].extend(records_of(output, batch));
        }
        self.store.stamp(&effects, &self.descriptor.states, &keys, &self.times);
        self.store.apply(&effects, &keys);
        self.store.forget_empty();
        for metric in &effects.metrics {
            *self.metrics.entry(metric.name.clone()).or_default() += metric.delta;
        }
        Ok(())
    }

    /// Drops the operator and opens a new one, as the host may do between any two batches. State stays.
    pub fn replace_instance(&mut self) -> Result<(), String> {
        self.instance = open_instance(&self.config, &self.setup, &mut self.logs)?;
        Ok(())
    }

    /// What was emitted to the main output so far.
    pub fn emitted(&self) -> &[TestRecord] {
        &self.outputs[0]
    }

    /// What was emitted to `output` so far.
    pub fn emitted_to(&self, output: Output) -> &[TestRecord] {
        let index = self.descriptor.outputs.iter().position(|declared| declared.name == output.name);
        &self.outputs[index.unwrap_or_else(|| panic!("{} has no output `{}`", O::NAME, output.name))]
    }

    /// Takes what was emitted to the main output so far.
    pub fn take_emitted(&mut self) -> Vec<TestRecord> {
        std::mem::take(&mut self.outputs[0])
    }

    /// The encoded value of a key. What has expired by now is not there, here and below.
    pub fn value(&self, state: &str, key: impl AsRef<[u8]>) -> Option<&[u8]> {
        let of = self.of(state, key);
        let is_there = self.living(&of.1).values.contains_key(&of);
        self.store.values.get(&of).filter(|_| is_there).map(Vec::as_slice)
    }

    /// The value of a key, of a state that is kept as CBOR. Panics where its bytes are no `T`.
    pub fn value_as<T: DeserializeOwned>(&self, state: &str, key: impl AsRef<[u8]>) -> Option<T> {
        self.value(state, key).map(|bytes| cbor::decode(bytes).unwrap_or_else(|error| panic!("decode state `{state}`: {error}")))
    }

    /// The encoded items of a key's list.
    pub fn list(&self, state: &str, key: impl AsRef<[u8]>) -> &[Vec<u8>] {
        let of = self.of(state, key);
        let living = self.living(&of.1).lists.get(&of).map_or(0, Vec::len);
        self.store.lists.get(&of).map_or(&[], |list| &list[list.len() - living..])
    }

    /// The encoded entries of a key's map, in order.
    pub fn map(&self, state: &str, key: impl AsRef<[u8]>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let of = self.of(state, key);
        self.living(&of.1).maps.remove(&of).into_iter().flatten().collect()
    }

    /// The encoded entries of a broadcast state, in order.
    pub fn broadcast(&self, state: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let (number, _) = self.of(state, "");
        self.store.broadcasts.get(&number).into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The lines logged so far.
    pub fn logs(&self) -> &[(Level, String)] {
        &self.logs
    }

    /// The sum of an operator's counter so far.
    pub fn metric(&self, name: &str) -> i64 {
        self.metrics.get(name).copied().unwrap_or(0)
    }

    /// All that the operator did so far, in a form that two runs can be compared by.
    pub(super) fn results(&self) -> impl PartialEq + std::fmt::Debug + use<O> {
        (self.outputs.clone(), self.store.clone(), self.metrics.clone(), self.late().to_vec())
    }

    /// The state's number and the key.
    pub(super) fn of(&self, state: &str, key: impl AsRef<[u8]>) -> (u32, Vec<u8>) {
        let number = self.descriptor.states.iter().position(|declared| declared.name == state);
        let number = number.unwrap_or_else(|| panic!("{} has no state `{state}`", O::NAME));
        (number as u32, key.as_ref().to_vec())
    }
}

fn open_instance<O: Operator>(config: &str, setup: &Setup, logs: &mut Vec<(Level, String)>) -> Result<Instance<O>, String> {
    let subtask = types::Subtask { index: setup.subtask.index, parallelism: setup.subtask.parallelism, seed: setup.subtask.seed };
    let call = Call { logs: std::mem::take(logs), ..Call::default() };
    let (call, opened) = during(call, || Instance::open(config, setup.schemas.clone(), subtask));
    *logs = call.logs;
    opened
}

fn failure(failure: Failure) -> TestFailure {
    TestFailure { record: failure.cause.map(|record| record as usize), message: failure.message }
}
