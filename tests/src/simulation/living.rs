//! States with a time to live: an operator that counts the records of each key, and at each record looks whether what it wrote before is still there. Beside it
//! stands when that was written, in a state that lives for ever: a plain model, which is asked in each call. Where the two disagree the job fails.

use super::operators::{Faults, descriptor, select};
use std::sync::Arc;
use weir_engine::element::{END_OF_TIME, NO_TIMESTAMP, RecordBatch};
use weir_engine::operator::{OperatorDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{KeyedState, StateDescriptor, StateKind, StateTtl, TimeDomain};
use weir_engine::{BatchBuilder, Column, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// The count of each key, for ever.
const COUNT: usize = 0;
/// When each of the others was written, for ever.
const WRITTEN: usize = 1;
/// By event time, from when it was written.
const EVENT: usize = 2;
/// By event time, from when it was read.
const READ: usize = 3;
/// By the clock: one entry for each of two records in turn.
const CLOCK: usize = 4;

/// Records of a key are 600 ms apart where there are 600 keys, and take 300 ms.
const EVENT_TTL: u64 = 610;
const READ_TTL: u64 = 640;
const CLOCK_TTL: u64 = 640;

/// In the place of a time, of what was never written.
const NEVER: i64 = i64::MAX;

/// Counts records per key and emits `key count`.
pub struct LivingFactory {
    descriptor: OperatorDescriptor,
    faults: Faults,
}

impl LivingFactory {
    /// `one_in`: a failure in so many batches.
    pub fn new(simulator: Simulator, one_in: Option<u64>) -> Arc<Self> {
        let state = |name: &str, kind, ttl| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl };
        let ttl = |ms, time, refresh_on_read| Some(StateTtl { ms, time, refresh_on_read });
        let states = vec![
            state("count", StateKind::Value, None),
            state("written", StateKind::Value, None),
            state("event", StateKind::Value, ttl(EVENT_TTL, TimeDomain::Event, false)),
            state("read", StateKind::Value, ttl(READ_TTL, TimeDomain::Event, true)),
            state("clock", StateKind::Map, ttl(CLOCK_TTL, TimeDomain::Processing, false)),
        ];
        Arc::new(Self { descriptor: descriptor("living", states), faults: Faults::new(simulator, one_in) })
    }
}

impl OperatorFactory for LivingFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Living(self.faults.clone())))
    }
}

struct Living(Faults);

/// When what is kept of a key was written: by event time, by event time and read since, and by the clock the two entries.
struct Written([i64; 4]);

impl Written {
    fn of(state: &KeyedState, key: usize) -> Result<Self, EngineError> {
        let Some(stored) = state.copied_value(key, WRITTEN)? else { return Ok(Self([NEVER; 4])) };
        let mut times = [0; 4];
        times.iter_mut().zip(stored.chunks(8)).for_each(|(time, bytes)| *time = i64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        Ok(Self(times))
    }

    fn keep(&self, state: &mut KeyedState, key: usize) -> Result<(), EngineError> {
        state.set_value(key, WRITTEN, &self.0.map(i64::to_le_bytes).concat())
    }
}

/// What the model says of what was written then, against what is there.
fn compare(what: &str, ttl: u64, written: i64, now: i64, is_there: bool) -> Result<(), EngineError> {
    let expected = match written {
        NEVER => false,
        // As old as the first time that the subtask was told: that is not known here.
        NO_TIMESTAMP if now != NO_TIMESTAMP => is_there,
        _ => now == NO_TIMESTAMP || now.saturating_sub(written) < ttl as i64,
    };
    if expected == is_there {
        return Ok(());
    }
    let is_there = if is_there { "there" } else { "gone" };
    Err(EngineError::new(ErrorKind::FixInput, format!("{what}: written at {written}, it is {is_there} at {now}, with a ttl of {ttl}")))
}

impl Operator for Living {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.0.strike("live")?;
        let (event, clock) = (context.watermark, context.processing_time);
        assert_ne!(event, END_OF_TIME.0, "no record comes behind the end of time");
        let state = context.state.as_deref_mut().expect("a key edge");
        select(state, batch)?;
        let mut out = BatchBuilder::new();
        for record in 0..batch.len() {
            let key = state.key_of()[record] as usize;
            let count = state.copied_value(key, COUNT)?.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes"))) + 1;
            let mut written = Written::of(state, key)?;
            compare("event", EVENT_TTL, written.0[0], event, state.copied_value(key, EVENT)?.is_some())?;
            let is_read = state.copied_value(key, READ)?.is_some();
            compare("read", READ_TTL, written.0[1], event, is_read)?;
            let (entry, mut value) = ((count % 2) as usize, Column::new());
            let is_there = state.map_get(key, CLOCK, &[entry as u8], &mut value)?;
            compare("clock", CLOCK_TTL, written.0[2 + entry], clock, is_there)?;
            state.set_value(key, EVENT, b"e")?;
            if is_read {
                state.touch(key, READ)?;
            } else {
                state.set_value(key, READ, &count.to_le_bytes())?;
            }
            state.map_put(key, CLOCK, &[entry as u8], b"c")?;
            (written.0[0], written.0[1], written.0[2 + entry]) = (event, event, clock);
            written.keep(state, key)?;
            state.set_value(key, COUNT, &count.to_le_bytes())?;
            let line = format!("{} {count}", String::from_utf8_lossy(batch.keys().get(record)));
            out.push(batch.key(record), line.as_bytes(), None);
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}
