//! Operators that are built into weir: what a plugin is measured against, on the same engine and the same state.

use std::sync::Arc;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::operator::{InputDescriptor, OperatorDescriptor, OutputDescriptor, Subtask};
use weir_engine::state::{KeyedState, Keyless, StateDescriptor, StateKind};
use weir_engine::{EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// Bytes of a key's state and of each record that `keyed-count` emits: the count, then the sum, both u64 little-endian.
const TOTALS_BYTES: usize = 16;
/// `keyed-count` has one state.
const TOTALS: usize = 0;

/// The factory of the built-in operator `name`, one of [`crate::job_file::NATIVE_OPERATORS`]. `state_bytes`: what each subtask may keep.
pub fn factory(name: &str, state_bytes: Option<u64>) -> Option<Arc<dyn OperatorFactory>> {
    let (states, make): (_, fn() -> Box<dyn Operator>) = match name {
        "keyed-count" => (vec![totals_state()], || Box::new(KeyedCount::default())),
        "pass-through" => (Vec::new(), || Box::new(PassThrough)),
        _ => return None,
    };
    Some(Arc::new(Native { descriptor: descriptor(name, states), make, state_bytes }))
}

struct Native {
    descriptor: OperatorDescriptor,
    make: fn() -> Box<dyn Operator>,
    state_bytes: Option<u64>,
}

impl OperatorFactory for Native {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn state_bytes(&self) -> Option<u64> {
        self.state_bytes
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok((self.make)())
    }
}

fn descriptor(name: &str, states: Vec<StateDescriptor>) -> OperatorDescriptor {
    OperatorDescriptor {
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        inputs: vec![InputDescriptor { name: "in".into(), ..InputDescriptor::default() }],
        outputs: vec![OutputDescriptor { name: "out".into(), schema: None }],
        states,
        timers: Vec::new(),
        ..OperatorDescriptor::default()
    }
}

fn totals_state() -> StateDescriptor {
    StateDescriptor { name: "totals".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl: None }
}

/// Emits what comes in.
struct PassThrough;

impl Operator for PassThrough {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        context.outputs.push((0, batch.clone().into()));
        Ok(())
    }
}

/// What `keyed-count` knows of a key.
#[derive(Clone, Copy, Default)]
struct Totals {
    count: u64,
    sum: u64,
}

impl Totals {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, sum) = bytes.split_first_chunk::<8>()?;
        Some(Self { count: u64::from_le_bytes(*count), sum: u64::from_le_bytes(sum.try_into().ok()?) })
    }

    fn to_bytes(self) -> [u8; TOTALS_BYTES] {
        let mut bytes = [0; TOTALS_BYTES];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sum.to_le_bytes());
        bytes
    }
}

/// Per key the number of records and the sum of their values' first bytes. Each key is read and written once a batch.
#[derive(Default)]
struct KeyedCount {
    totals: Vec<Totals>,
    present: Vec<u32>,
    values: Column,
}

impl KeyedCount {
    /// Fills `totals` with what the selected keys have.
    fn load(&mut self, state: &KeyedState) -> Result<(), EngineError> {
        self.totals.clear();
        self.totals.resize(state.keys().len(), Totals::default());
        self.present.clear();
        self.values.clear();
        state.gather_values(TOTALS, usize::MAX, &mut self.present, &mut self.values)?;
        for (&key, value) in self.present.iter().zip(self.values.iter()) {
            let wrong = || {
                EngineError::new(ErrorKind::Corrupt, format!("keyed-count: a key's state has {} bytes, not {TOTALS_BYTES}", value.len()))
            };
            self.totals[key as usize] = Totals::from_bytes(value).ok_or_else(wrong)?;
        }
        Ok(())
    }

    /// Counts every record and gives the new totals of each.
    fn count(&mut self, key_of: &[u32], batch: &RecordBatch) -> Column {
        let mut emitted = Column::with_capacity(batch.len(), batch.len() * TOTALS_BYTES);
        for (&key, value) in key_of.iter().zip(batch.values().iter()) {
            let totals = &mut self.totals[key as usize];
            totals.count += 1;
            totals.sum = totals.sum.wrapping_add(u64::from(value.first().copied().unwrap_or(0)));
            emitted.push(&totals.to_bytes());
        }
        emitted
    }
}

impl Operator for KeyedCount {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let fail = |what: String| EngineError::new(ErrorKind::Restart, format!("keyed-count: {what}"));
        let state = context.state.as_deref_mut().ok_or_else(|| fail("a batch came over an edge that is not keyed".into()))?;
        let keyless = |keyless: Keyless| fail(format!("record {} of a batch has no key", keyless.record));
        state.select(batch, 0..batch.len()).map_err(|error| error.into_error(keyless))?;
        self.load(state)?;
        let emitted = self.count(state.key_of(), batch);
        for (key, totals) in self.totals.iter().enumerate() {
            state.set_value(key, TOTALS, &totals.to_bytes())?;
        }
        context.outputs.push((0, batch.with_values(emitted).into()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_engine::BatchBuilder;
    use weir_engine::metrics::VertexMetrics;
    use weir_engine::state::{BroadcastAccess, MemoryBackendFactory, range_of};

    fn run(operator: &mut dyn Operator, state: Option<&mut KeyedState>, batch: &RecordBatch) -> RecordBatch {
        let (mut outputs, metrics) = (Vec::new(), VertexMetrics::default());
        let mut context = OperatorContext {
            state,
            broadcast: BroadcastAccess::None,
            outputs: &mut outputs,
            watermark: i64::MIN,
            processing_time: 0,
            metrics: &metrics,
        };
        operator.process(0, &Arc::new(batch.clone()), &mut context).expect("a fine batch");
        let (output, batch) = outputs.pop().expect("one output");
        assert_eq!((output, outputs.len()), (0, 0));
        Arc::unwrap_or_clone(batch.compact())
    }

    fn batch(records: &[(&str, &str)]) -> RecordBatch {
        let mut builder = BatchBuilder::new();
        records.iter().for_each(|(key, value)| builder.push(Some(key.as_bytes()), value.as_bytes(), Some(7)));
        builder.finish()
    }

    fn totals(batch: &RecordBatch) -> Vec<(u64, u64)> {
        let read = |value: &[u8]| Totals::from_bytes(value).map(|totals| (totals.count, totals.sum)).expect("16 bytes");
        batch.values().iter().map(read).collect()
    }

    #[test]
    fn keyed_count_emits_every_update_and_goes_on_in_the_next_batch() {
        let states = vec![totals_state()];
        let backend = MemoryBackendFactory::new(1).create(&states, range_of(0, 1, 128), 128);
        let mut state = KeyedState::new(states, backend);
        let mut operator =
            factory("keyed-count", None).unwrap().create(&Subtask { vertex: "c".into(), index: 0, parallelism: 1 }, &[None]).unwrap();
        let out = run(&mut *operator, Some(&mut state), &batch(&[("a", "\u{1}"), ("b", ""), ("a", "\u{2}z")]));
        assert_eq!(totals(&out), [(1, 1), (1, 0), (2, 3)]);
        assert_eq!((out.key(0), out.key(1), out.timestamps()), (Some(&b"a"[..]), Some(&b"b"[..]), &[7, 7, 7][..]));
        let out = run(&mut *operator, Some(&mut state), &batch(&[("b", "\u{5}"), ("a", "\u{4}")]));
        assert_eq!(totals(&out), [(2, 5), (3, 7)]);
    }

    #[test]
    fn pass_through_changes_nothing() {
        let input = batch(&[("a", "1"), ("b", "2")]);
        assert_eq!(run(&mut PassThrough, None, &input), input);
    }

    #[test]
    fn every_listed_native_operator_is_there() {
        assert!(
            crate::job_file::NATIVE_OPERATORS.iter().all(|name| factory(name, None).is_some_and(|made| made.descriptor().name == *name))
        );
    }
}
