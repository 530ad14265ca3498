//! States with a time to live: an operator that counts the records of each key, and at each record looks whether what it wrote before is still there. Beside it
//! stands when that was written, in a state that lives for ever: a plain model, which is asked in each call. Where the two disagree the job fails.

use super::kept::{self, Kept};
use super::operators::{Faults, select};
use std::sync::Arc;
use weir_engine::element::{END_OF_TIME, NO_TIMESTAMP, RecordBatch};
use weir_engine::operator::{OperatorDescriptor, Subtask};
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
    living: Living,
}

impl LivingFactory {
    /// That fails so, and keeps its state so.
    pub(super) fn new(faults: Faults, mut kept: Kept) -> Arc<Self> {
        let lives = |name, kind, ms, time, refresh_on_read| {
            let ttl = Some(StateTtl { ms, time, refresh_on_read });
            StateDescriptor { ttl, ..kept.numbers(name, kind) }
        };
        let states = vec![
            kept.numbers("count", StateKind::Value),
            kept::state("written", StateKind::Value),
            lives("event", StateKind::Value, EVENT_TTL, TimeDomain::Event, false),
            lives("read", StateKind::Value, READ_TTL, TimeDomain::Event, true),
            lives("clock", StateKind::Map, CLOCK_TTL, TimeDomain::Processing, false),
        ];
        let descriptor = kept.describe("living", states, StateKind::Value);
        Arc::new(Self { descriptor, living: Living { faults, kept } })
    }
}

impl OperatorFactory for LivingFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.living.clone()))
    }
}

#[derive(Clone)]
struct Living {
    faults: Faults,
    kept: Kept,
}

/// When what is kept of a key was written: by event time, by event time and read since, and by the clock the two entries.
struct Written([i64; 4]);

impl Written {
    fn of(kept: Kept, state: &KeyedState, key: usize) -> Result<Self, EngineError> {
        let Some(stored) = state.copied_value(key, kept.at(WRITTEN))? else { return Ok(Self([NEVER; 4])) };
        let mut times = [0; 4];
        times.iter_mut().zip(stored.chunks(8)).for_each(|(time, bytes)| *time = i64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        Ok(Self(times))
    }

    fn keep(&self, kept: Kept, state: &mut KeyedState, key: usize) -> Result<(), EngineError> {
        state.set_value(key, kept.at(WRITTEN), &self.0.map(i64::to_le_bytes).concat())
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
        self.faults.strike("live")?;
        let (event, clock, kept) = (context.watermark, context.processing_time, self.kept);
        assert_ne!(event, END_OF_TIME.0, "no record comes behind the end of time");
        let state = context.state.as_deref_mut().expect("a key edge");
        select(state, batch)?;
        let mut out = BatchBuilder::new();
        for record in 0..batch.len() {
            let key = state.key_of()[record] as usize;
            let count = kept.number(state, key, COUNT)?.unwrap_or(0) + 1;
            let mut written = Written::of(kept, state, key)?;
            compare("event", EVENT_TTL, written.0[0], event, kept.number(state, key, EVENT)?.is_some())?;
            let is_read = kept.number(state, key, READ)?.is_some();
            compare("read", READ_TTL, written.0[1], event, is_read)?;
            let (entry, mut value) = ((count % 2) as usize, Column::new());
            let is_there = state.map_get(key, kept.at(CLOCK), &[entry as u8], &mut value)?;
            compare("clock", CLOCK_TTL, written.0[2 + entry], clock, is_there)?;
            if is_there && kept.read(value.get(0)) + 2 != count {
                return Err(EngineError::new(ErrorKind::FixInput, "an entry is not of the record before the last"));
            }
            state.set_value(key, kept.at(EVENT), &kept.write(count))?;
            if is_read {
                state.touch(key, kept.at(READ))?;
            } else {
                state.set_value(key, kept.at(READ), &kept.write(count))?;
            }
            state.map_put(key, kept.at(CLOCK), &[entry as u8], &kept.write(count))?;
            (written.0[0], written.0[1], written.0[2 + entry]) = (event, event, clock);
            written.keep(kept, state, key)?;
            state.set_value(key, kept.at(COUNT), &kept.write(count))?;
            kept.mark(state, key, count)?;
            let line = format!("{} {count}", String::from_utf8_lossy(batch.keys().get(record)));
            out.push(batch.key(record), line.as_bytes(), None);
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}
