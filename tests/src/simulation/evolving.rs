//! The operator of a job whose file changes between its runs: it counts by key, its states come and go and change their version, and it may count in windows of the
//! engine or in ones that timers close.

use super::Counter;
use super::operators::{Faults, descriptor, select};
use super::speaking::into_windows;
use super::timed::WINDOW;
use std::sync::Arc;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::operator::{FiredTimers, OperatorDescriptor, Subtask, TimerDescriptor};
use weir_engine::state::{FiredWindows, KeyedState, StateDescriptor, StateKind, StateMerger, StateMigrator};
use weir_engine::{BatchBuilder, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// The states of the counter, when it has both.
pub(super) const COUNT: &str = "count";
/// How far it has been counted.
pub(super) const MARKS: &str = "marks";

/// What it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// All records of a key.
    Records,
    /// Those in each window of the engine.
    InWindows,
    /// Those until a timer.
    UntilTimers,
}

impl Counts {
    /// As this counter does.
    pub fn of(counter: Counter) -> Self {
        match counter {
            Counter::Timed => Self::UntilTimers,
            Counter::Windowed | Counter::Sessions => Self::InWindows,
            _ => Self::Records,
        }
    }

    /// One of the states, at this version.
    pub fn state(self, name: &str, version: u32) -> StateDescriptor {
        let schema = if version == 1 { "raw" } else { "string" };
        let kind = if self == Self::UntilTimers { StateKind::Map } else { StateKind::Value };
        StateDescriptor { name: name.into(), kind, schema: schema.into(), version, ttl: None }
    }
}

/// Counts records per key and emits `key count`; without a state it hands on what comes.
pub(super) struct EvolvingFactory {
    descriptor: OperatorDescriptor,
    faults: Faults,
    /// `None`: nothing.
    counts: Option<Counts>,
}

impl EvolvingFactory {
    /// That counts so, where it has a state.
    pub fn new(name: &str, states: Vec<StateDescriptor>, faults: Faults, counts: Counts) -> Arc<Self> {
        let counts = Some(counts).filter(|_| !states.is_empty());
        let (windowed, is_timed) = (counts == Some(Counts::InWindows), counts == Some(Counts::UntilTimers));
        let merging = (0..states.len()).filter(|_| windowed).collect();
        let timers = Vec::from_iter(is_timed.then(|| TimerDescriptor { name: "over".into(), event_time: true }));
        Arc::new(Self { descriptor: OperatorDescriptor { windowed, merging, timers, ..descriptor(name, states) }, faults, counts })
    }
}

impl OperatorFactory for EvolvingFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn merger(&self) -> Option<Arc<dyn StateMerger>> {
        Some(Arc::new(SumsUp(self.descriptor.states.clone())))
    }

    fn migrator(&self) -> Option<Arc<dyn StateMigrator>> {
        Some(Arc::new(ToText(self.descriptor.states.clone())))
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Evolving { states: self.descriptor.states.clone(), faults: self.faults.clone(), counts: self.counts }))
    }
}

/// Counts in eight bytes become counts in decimal.
struct ToText(Vec<StateDescriptor>);

impl StateMigrator for ToText {
    fn migrate(&self, state: usize, from_version: u32, values: &Column) -> Result<Column, EngineError> {
        assert_eq!((self.0[state].name.as_str(), from_version), (COUNT, 1), "nothing else has two versions");
        let mut migrated = Column::new();
        values.iter().for_each(|value| migrated.push(&encode(decode(value, 1), 2)));
        Ok(migrated)
    }

    fn batch_bytes(&self) -> u64 {
        20
    }
}

fn decode(bytes: &[u8], version: u32) -> u64 {
    match version {
        1 => u64::from_le_bytes(bytes.try_into().expect("eight bytes")),
        _ => std::str::from_utf8(bytes).expect("text").parse().expect("a number"),
    }
}

fn encode(count: u64, version: u32) -> Vec<u8> {
    if version == 1 { count.to_le_bytes().to_vec() } else { count.to_string().into_bytes() }
}

/// Numbers of windows that become one add up.
struct SumsUp(Vec<StateDescriptor>);

impl StateMerger for SumsUp {
    fn merge(&self, state: usize, earlier: &Column, later: &Column) -> Result<Column, EngineError> {
        let (mut sums, version) = (Column::new(), self.0[state].version);
        let sum = |(one, other)| encode(decode(one, version) + decode(other, version), version);
        earlier.iter().zip(later.iter()).for_each(|pair| sums.push(&sum(pair)));
        Ok(sums)
    }
}

/// What a map has of a window.
fn stored(state: &KeyedState, key: usize, map: usize, window: [u8; 8]) -> Result<Option<Vec<u8>>, EngineError> {
    let mut value = Column::new();
    Ok(state.map_get(key, map, &window, &mut value)?.then(|| value.get(0).to_vec()))
}

struct Evolving {
    states: Vec<StateDescriptor>,
    faults: Faults,
    counts: Option<Counts>,
}

impl Evolving {
    fn place(&self, name: &str) -> Option<usize> {
        self.states.iter().position(|state| state.name == name)
    }

    /// A batch of records is counted by key: each count is told.
    fn count_records(&self, batch: &RecordBatch, state: &mut KeyedState) -> Result<RecordBatch, EngineError> {
        select(state, batch)?;
        let mut out = BatchBuilder::new();
        for record in 0..batch.len() {
            let key = state.key_of()[record] as usize;
            let count = self.count(state, key)?;
            let line = format!("{} {count}", String::from_utf8_lossy(batch.keys().get(record)));
            out.push(batch.key(record), line.as_bytes(), None);
        }
        Ok(out.finish())
    }

    /// The same, until a timer.
    fn count_until_timers(&self, batch: &RecordBatch, state: &mut KeyedState, watermark: i64) -> Result<(), EngineError> {
        let count_at = self.place(COUNT).expect("it has one");
        let version = self.states[count_at].version;
        select(state, batch)?;
        for record in 0..batch.len() {
            let (key, time) = (state.key_of()[record] as usize, batch.timestamps()[record]);
            if time <= watermark {
                return Err(EngineError::new(ErrorKind::FixInput, "a record is late, and all are in order"));
            }
            let start = time - time.rem_euclid(WINDOW);
            let window = start.to_be_bytes();
            let count = stored(state, key, count_at, window)?.map_or(0, |bytes| decode(&bytes, version)) + 1;
            state.map_put(key, count_at, &window, &encode(count, version))?;
            if let Some(marks_at) = self.place(MARKS) {
                if let Some(mark) = stored(state, key, marks_at, window)? {
                    assert!(decode(&mark, 1) < count, "a mark is older than the count");
                }
                state.map_put(key, marks_at, &window, &encode(count, 1))?;
            }
            state.set_timer(key, 0, start + WINDOW - 1)?;
        }
        Ok(())
    }

    /// A record of this key of state has come, which marks that it was counted: the new count.
    fn count(&self, state: &mut KeyedState, key: usize) -> Result<u64, EngineError> {
        let count_at = self.place(COUNT).expect("it has one");
        let version = self.states[count_at].version;
        let count = state.copied_value(key, count_at)?.map_or(0, |bytes| decode(&bytes, version)) + 1;
        state.set_value(key, count_at, &encode(count, version))?;
        if let Some(marks_at) = self.place(MARKS) {
            if let Some(mark) = state.copied_value(key, marks_at)? {
                assert!(decode(&mark, 1) < count, "a mark is older than the count");
            }
            state.set_value(key, marks_at, &encode(count, 1))?;
        }
        Ok(count)
    }
}

impl Operator for Evolving {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("evolving")?;
        let (Some(state), Some(counts)) = (context.state.as_deref_mut(), self.counts) else {
            context.outputs.push((0, batch.clone().into()));
            return Ok(());
        };
        match counts {
            Counts::Records => {
                let counted = self.count_records(batch, state)?;
                context.outputs.push((0, counted.into()));
                Ok(())
            }
            Counts::UntilTimers => self.count_until_timers(batch, state, context.watermark),
            Counts::InWindows => {
                let late = into_windows(state, batch, |state, _, unit| self.count(state, unit).map(drop))?;
                let error = || EngineError::new(ErrorKind::FixInput, "a record is late, and all are in order");
                if late == 0 { Ok(()) } else { Err(error()) }
            }
        }
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("timers of evolving")?;
        let count_at = self.place(COUNT).expect("it has one");
        let state = context.state.as_deref_mut().expect("timers are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a timer without a key")))?;
        let mut out = BatchBuilder::new();
        for (place, due) in fired.due().iter().enumerate() {
            let (key, start) = (state.key_of()[place] as usize, due + 1 - WINDOW);
            let stored = stored(state, key, count_at, start.to_be_bytes())?.expect("a window is there until it is over");
            for states in 0..self.states.len() {
                state.map_remove(key, states, &start.to_be_bytes())?;
            }
            let (key, count) = (fired.keys().get(place), decode(&stored, self.states[count_at].version));
            out.push(Some(key), format!("{} {start} {count}", String::from_utf8_lossy(key)).as_bytes(), Some(*due));
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("windows of evolving")?;
        let count_at = self.place(COUNT).expect("it has one");
        let state = context.state.as_deref_mut().expect("windows are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a window without a key")))?;
        let mut out = BatchBuilder::new();
        for (place, firing) in fired.firings().iter().enumerate() {
            let stored = state.copied_value(state.key_of()[place] as usize, count_at)?.expect("a window that fires has records");
            let (key, count) = (fired.keys().get(place), decode(&stored, self.states[count_at].version));
            let line = format!("{} {} {count}", String::from_utf8_lossy(key), firing.window.start);
            out.push(Some(key), line.as_bytes(), Some(firing.timestamp));
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}
