//! One operator in one instance: runs its calls over the boundary's columns. `export!` puts it behind the component's
//! exports, the in-memory host calls it as it is.

mod windowed;

use crate::bindings::weir::operator::types::{
    self, Batch, Column, Descriptor, Effects, Failure, Headers, InputDecl, InputPartitioning, KeyedColumn, Metric, OutputDecl, TimerBatch,
};
use crate::columns::{empty_column, empty_keyed_column, item, items, push_item, s64_at, u32_at, u32_count, u32s};
use crate::context::{Context, Record};
use crate::error::Result;
use crate::log;
use crate::migrate::OldValue;
use crate::operator::{Input, Operator, Partitioning, RecordSchema, Setup, Subtask};
use crate::output_buffer::{OutputBuffer, Room};
use crate::state::{BatchInput, StateFault, States};
use crate::timers::{FiredTimer, Timer, Timers};

/// An operator that was opened, with the handles of its states.
pub struct Instance<O: Operator> {
    operator: O,
    states: O::States,
    /// Of each output.
    rooms: Vec<Room>,
}

impl<O: Operator> Instance<O> {
    /// What the operator declares.
    pub fn describe() -> Descriptor {
        const { assert!(!O::WINDOWED || O::TIMERS.is_empty(), "a windowed operator has no timers: its windows fire") };
        const {
            assert!(
                !O::WINDOWED || !O::States::HAS_TTL,
                "a windowed operator's states have no time to live: they live as long as their window"
            )
        };
        Descriptor {
            name: O::NAME.to_owned(),
            version: O::VERSION.to_owned(),
            inputs: O::INPUTS
                .iter()
                .map(|input| InputDecl {
                    name: input.name.to_owned(),
                    accepts: input.accepts.iter().map(record_schema).collect(),
                    partitioning: match input.partitioning {
                        Partitioning::Any => InputPartitioning::Any,
                        Partitioning::ByKey => InputPartitioning::ByKey,
                        Partitioning::Broadcast => InputPartitioning::Broadcast,
                    },
                })
                .collect(),
            outputs: O::OUTPUTS
                .iter()
                .map(|output| OutputDecl { name: output.name.to_owned(), schema: output.schema.as_ref().map(record_schema) })
                .collect(),
            states: O::States::declarations(),
            timers: O::TIMERS.iter().map(Timer::declaration).collect(),
            windowed: O::WINDOWED,
        }
    }

    /// Opens the operator with its configuration, which is JSON; none at all reads as an empty object.
    pub fn open(config: &str, schemas: Vec<Option<String>>, subtask: types::Subtask) -> Result<Self, String> {
        log::panics();
        let config = if matches!(config.trim(), "" | "null") { "{}" } else { config };
        let config = serde_json::from_str(config).map_err(|error| format!("read the config of {}: {error}", O::NAME))?;
        let subtask = Subtask { index: subtask.index, parallelism: subtask.parallelism, seed: subtask.seed };
        let operator = O::open(config, &Setup { schemas, subtask }).map_err(|error| error.to_string())?;
        Ok(Self { operator, states: O::States::new(), rooms: vec![Room::default(); O::OUTPUTS.len()] })
    }

    /// Works one batch off.
    pub fn process(&mut self, call: types::Context, batch: Batch) -> Result<Effects, Failure> {
        let records = u32_count(&batch.values.ends);
        let Some(input) = O::INPUTS.get(call.input as usize) else {
            return Err(Failure { cause: None, message: format!("{} has no input {}", O::NAME, call.input) });
        };
        let brings = match (!batch.key_of.is_empty(), input.is_broadcast()) {
            (true, _) => BatchInput::Keyed { keys: u32_count(&batch.keys.ends) },
            (false, true) => BatchInput::Broadcast,
            (false, false) => BatchInput::Other,
        };
        let effects = self.call(call, brings, batch, records, |operator, context| run(operator, context, records, input))?;
        if O::WINDOWED { windowed::without_output::<O>(effects) } else { Ok(effects) }
    }

    /// Works timers off that are due. They are laid out as a batch of records whose times are when they were due, and that have no values.
    pub fn on_timers(&mut self, call: types::Context, fired: TimerBatch) -> Result<Effects, Failure> {
        let TimerBatch { keys, key_of, timers, times, states } = fired;
        let count = u32_count(&timers);
        let brings = BatchInput::Keyed { keys: u32_count(&keys.ends) };
        let batch = Batch { keys, key_of, timestamps: times, states, ..no_records() };
        self.call(call, brings, batch, count, |operator, context| fire(operator, context, &timers))
    }

    /// One call: hands its keys' state to the handles, has `work` done, and takes together what came of it.
    fn call(
        &mut self,
        call: types::Context,
        brings: BatchInput,
        mut batch: Batch,
        count: usize,
        work: impl FnOnce(&mut O, &mut Context<'_, O>) -> Result<(), Failure>,
    ) -> Result<Effects, Failure> {
        begin(&mut self.states, brings, std::mem::take(&mut batch.states));
        let mut buffers = self.rooms.iter().map(|&room| OutputBuffer::with_room(room, count));
        let main = buffers.next().unwrap_or_else(|| OutputBuffer::with_room(Room::default(), 0));
        let side = buffers.collect();
        let timers = Timers::new(O::NAME, O::TIMERS, call.watermark);
        let mut context = Context { timers, call, states: &mut self.states, batch: &batch, record: 0, main, side, metrics: Vec::new() };
        work(&mut self.operator, &mut context)?;
        let Context { timers, main, side, metrics, .. } = context;
        let mut effects = no_effects();
        for (index, buffer) in std::iter::once(main).chain(side).enumerate() {
            if let Some(room) = self.rooms.get_mut(index) {
                *room = buffer.room(count);
            }
            effects.outputs.extend(buffer.finish(index as u32));
        }
        effects.timers = timers.finish();
        effects.metrics.extend(metrics.into_iter().map(|(name, delta)| Metric { name: name.to_owned(), delta }));
        finish(&mut self.states, &mut effects).map_err(|fault| failure_of(&batch, fault))?;
        Ok(effects)
    }

    /// Rewrites values of an older version of a state.
    pub fn migrate(state: u32, from_version: u32, values: &Column) -> Result<Column, String> {
        let declarations = O::States::declarations();
        let Some(declared) = declarations.get(state as usize) else {
            return Err(format!("{} has no state {state}", O::NAME));
        };
        let mut migrated = empty_column();
        for bytes in items(values) {
            let value = OldValue { operator: O::NAME, state: &declared.name, from_version, bytes };
            let value = O::migrate(&declared.name, from_version, value).map_err(|error| error.to_string())?;
            push_item(&mut migrated, &value);
        }
        Ok(migrated)
    }
}

/// Works the records off one by one. The failing one is named.
#[inline]
fn run<O: Operator>(operator: &mut O, context: &mut Context<'_, O>, records: usize, input: &'static Input) -> Result<(), Failure> {
    let batch = context.batch;
    let keyed = !batch.key_of.is_empty();
    let mut start = 0;
    for index in 0..records {
        let end = u32_at(&batch.values.ends, index) as usize;
        context.record = index as u32;
        if keyed {
            let key = u32_at(&batch.key_of, index);
            context.states.select(key);
            context.timers.key = Some(key);
        }
        let record = Record { batch, index, value: &batch.values.data[start..end], input };
        if let Err(error) = operator.process(record, context) {
            return Err(Failure { cause: Some(index as u32), message: error.to_string() });
        }
        start = end;
    }
    Ok(())
}

/// Works the timers off one by one. The failing one is named.
fn fire<O: Operator>(operator: &mut O, context: &mut Context<'_, O>, timers: &[u8]) -> Result<(), Failure> {
    let batch = context.batch;
    for (index, number) in u32s(timers).enumerate() {
        let Some(&timer) = O::TIMERS.get(number as usize) else {
            return Err(Failure { cause: Some(index as u32), message: format!("{} has no timer {number}", O::NAME) });
        };
        let key = u32_at(&batch.key_of, index);
        context.record = index as u32;
        context.states.select(key);
        context.timers.key = Some(key);
        let fired = FiredTimer { timer, key: item(&batch.keys, key as usize), time: s64_at(&batch.timestamps, index) };
        if let Err(error) = operator.on_timer(fired, context) {
            return Err(Failure { cause: Some(index as u32), message: error.to_string() });
        }
    }
    Ok(())
}

/// A batch without records: what timers and windows are laid out in.
fn no_records() -> Batch {
    Batch {
        keys: empty_column(),
        key_of: Vec::new(),
        keyless: Vec::new(),
        values: empty_column(),
        valueless: Vec::new(),
        headers: Headers { ends: Vec::new(), names: empty_column(), values: empty_column() },
        timestamps: Vec::new(),
        states: Vec::new(),
        windows: None,
    }
}

fn begin(states: &mut impl States, input: BatchInput, values: Vec<KeyedColumn>) {
    let mut values = values.into_iter();
    states.for_each(&mut |state| state.begin(input, values.next().unwrap_or_else(empty_keyed_column)));
}

fn finish(states: &mut impl States, effects: &mut Effects) -> Result<(), StateFault> {
    let mut result = Ok(());
    states.for_each(&mut |state| {
        if result.is_ok() {
            result = state.finish(effects);
        }
    });
    result
}

/// The failure of the last record, timer or window that has the key whose state cannot be encoded.
#[cold]
fn failure_of(batch: &Batch, fault: StateFault) -> Failure {
    let last = u32s(&batch.key_of).enumerate().filter(|&(_, key)| key == fault.key).map(|(record, _)| record as u32).last();
    Failure { cause: last, message: fault.error.to_string() }
}

fn record_schema(schema: &RecordSchema) -> types::RecordSchema {
    types::RecordSchema { id: schema.id.to_owned(), version: schema.version }
}

pub(crate) fn no_effects() -> Effects {
    Effects {
        outputs: Vec::new(),
        values: Vec::new(),
        lists: Vec::new(),
        maps: Vec::new(),
        broadcasts: Vec::new(),
        touched: Vec::new(),
        timers: Vec::new(),
        metrics: Vec::new(),
    }
}
