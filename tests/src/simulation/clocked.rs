//! Timers by the clock: an operator that gathers the numbers of a key's records from the first on for some ms of the clock, and says all of them when a timer tells it
//! that this is over. When that is depends on who was faster; what has to hold of any run is looked at in each call, and in what comes of it:
//!
//! * The clock never runs backwards for a key, also where that of the machine has been put back between two processes.
//! * A timer fires when it is due, and what came due while nothing ran fires before anything else does.
//! * What was set and not deleted fires once, so that each record is said once, or is still gathered when the input has ended.

use super::Scenario;
use super::operators::{Faults, descriptor, select};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::element::{NO_TIMESTAMP, RecordBatch};
use weir_engine::operator::{FiredTimers, OperatorDescriptor, Subtask, TimerDescriptor};
use weir_engine::runtime::{Clock, Monotonic, Runtime, Simulator};
use weir_engine::state::{KeyedState, StateDescriptor, StateKind};
use weir_engine::{BatchBuilder, Column, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// The numbers of the records that wait.
const NUMBERS: usize = 0;
/// When the key's timer is due.
const DUE: usize = 1;
/// What the last call of the key was told of the clock.
const TOLD: usize = 2;

/// The clock of a machine may be put back by so many ms between two processes.
const BACK_MS: u64 = 300;

/// The runtime of a process of `scenario`: where timers go by the clock, that of its machine is behind by a time that is drawn.
pub(super) fn runtime(simulator: &Simulator, scenario: Scenario) -> Runtime {
    let runtime = simulator.runtime();
    if scenario.counter != super::Counter::Clocked {
        return runtime;
    }
    let behind_ms = simulator.draw(BACK_MS) as i64;
    Runtime { clock: Arc::new(PutBack { clock: runtime.clock.clone(), behind_ms }), ..runtime }
}

struct PutBack {
    clock: Arc<dyn Clock>,
    behind_ms: i64,
}

impl Clock for PutBack {
    fn now(&self) -> Monotonic {
        self.clock.now()
    }

    fn wall_ms(&self) -> i64 {
        self.clock.wall_ms() - self.behind_ms
    }

    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        self.clock.sleep_until(deadline)
    }
}

/// Gathers by key.
pub struct ClockedFactory {
    descriptor: OperatorDescriptor,
    faults: Faults,
}

impl ClockedFactory {
    /// `one_in`: a failure in so many calls.
    pub fn new(simulator: Simulator, one_in: Option<u64>) -> Arc<Self> {
        let state = |name: &str, kind| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl: None };
        let states = vec![state("numbers", StateKind::List), state("due", StateKind::Value), state("told", StateKind::Value)];
        let timers = vec![TimerDescriptor { name: "over".into(), event_time: false }];
        let descriptor = OperatorDescriptor { timers, ..descriptor("clocked", states) };
        Arc::new(Self { descriptor, faults: Faults::new(simulator, one_in) })
    }
}

impl OperatorFactory for ClockedFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Clocked { faults: self.faults.clone(), last_call: None }))
    }
}

struct Clocked {
    faults: Faults,
    /// What this instance was told of the clock last.
    last_call: Option<i64>,
}

fn wrong(what: String) -> EngineError {
    EngineError::new(ErrorKind::FixInput, what)
}

fn time(state: &KeyedState, key: usize, of: usize) -> Result<Option<i64>, EngineError> {
    Ok(state.copied_value(key, of)?.map(|bytes| i64::from_le_bytes(bytes.try_into().expect("eight bytes"))))
}

impl Clocked {
    /// A call at this time: the one before it may not have been later.
    fn call(&mut self, what: &str, now: i64) -> Result<Option<i64>, EngineError> {
        self.faults.strike(what)?;
        match self.last_call.replace(now) {
            Some(before) if before > now => Err(wrong(format!("the clock runs back from {before} to {now}"))),
            before => Ok(before),
        }
    }

    /// A key hears of the clock.
    fn tell(state: &mut KeyedState, key: usize, now: i64) -> Result<(), EngineError> {
        if let Some(told) = time(state, key, TOLD)?.filter(|told| *told > now) {
            return Err(wrong(format!("a key has been told of {told}, and hears of {now} now")));
        }
        state.set_value(key, TOLD, &now.to_le_bytes())
    }
}

impl Operator for Clocked {
    fn process(&mut self, _input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let now = context.processing_time;
        self.call("gather", now)?;
        assert_eq!(context.watermark, NO_TIMESTAMP, "no source makes watermarks");
        let state = context.state.as_deref_mut().expect("a key edge");
        select(state, batch)?;
        for record in 0..batch.len() {
            let key = state.key_of()[record] as usize;
            Self::tell(state, key, now)?;
            let number = batch.values().get(record);
            match time(state, key, DUE)? {
                Some(due) if due <= now => return Err(wrong(format!("a record comes at {now}, in front of a timer of {due}"))),
                // Now and then it takes longer.
                Some(due) if number.ends_with(b"5") => {
                    if !state.delete_timer(key, 0, due)? {
                        return Err(wrong(format!("the timer of {due} is not set")));
                    }
                    state.set_timer(key, 0, due + 3)?;
                    state.set_value(key, DUE, &(due + 3).to_le_bytes())?;
                }
                Some(_) => {}
                None => {
                    let due = now + 5 + i64::from(number[number.len() - 1] - b'0') * 6;
                    state.set_timer(key, 0, due)?;
                    state.set_value(key, DUE, &due.to_le_bytes())?;
                }
            }
            state.list_append(key, NUMBERS, number)?;
        }
        Ok(())
    }

    fn on_timers(&mut self, fired: &FiredTimers, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        let now = context.processing_time;
        let before = self.call("say what is gathered", now)?;
        let state = context.state.as_deref_mut().expect("timers are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a timer without a key")))?;
        let mut out = BatchBuilder::new();
        for (place, &due) in fired.due().iter().enumerate() {
            let key = state.key_of()[place] as usize;
            Self::tell(state, key, now)?;
            if time(state, key, DUE)? != Some(due) {
                return Err(wrong(format!("a timer of {due} fires that is not set")));
            }
            // An instance that has been called before has waited for it.
            if due > now || before.is_some_and(|before| due.max(before) != now) {
                return Err(wrong(format!("a timer of {due} fires at {now}, behind a call at {before:?}")));
            }
            let (name, mut numbers) = (fired.keys().get(place), Column::new());
            state.list_read(key, NUMBERS, 0, usize::MAX, &mut numbers)?;
            let numbers: Vec<_> = numbers.iter().map(String::from_utf8_lossy).collect();
            out.push(Some(name), format!("{} {due} {}", String::from_utf8_lossy(name), numbers.join(",")).as_bytes(), None);
            state.clear(key, NUMBERS)?;
            state.clear(key, DUE)?;
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

/// Judges what has been said, and what is still gathered: each record is there once, under its key, and no timer of a key has fired twice.
pub(super) fn judge(scenario: Scenario, lines: &[String], open: Option<&[Vec<u64>]>) -> Result<(), String> {
    let mut times = BTreeMap::new();
    let mut fired = BTreeMap::new();
    for line in lines {
        let what = || format!("`{line}` is nothing that is gathered");
        let [key, due, numbers] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(what()) };
        let key: u64 = key.parse().map_err(|_| what())?;
        if let Some(other) = fired.insert((key, due), line) {
            return Err(format!("`{line}` and `{other}` are of one timer"));
        }
        for number in numbers.split(',') {
            let number: u64 = number.parse().map_err(|_| what())?;
            if number % scenario.keys % scenario.counted_keys != key {
                return Err(format!("`{line}` has a record of another key: {number}"));
            }
            *times.entry(number).or_insert(0) += 1;
        }
    }
    if fired.is_empty() {
        return Err("no timer has fired".into());
    }
    open.unwrap_or_default().iter().flatten().for_each(|number| *times.entry(*number).or_insert(0) += 1);
    let once = |number: &u64| matches!((times.get(number), open.is_some()), (Some(1), _) | (None, false));
    match (0..scenario.records).find(|number| !once(number)) {
        Some(number) => Err(format!("record {number} is there {} times", times.get(&number).unwrap_or(&0))),
        None if times.len() as u64 > scenario.records => Err("there are records that the input has not".into()),
        None => Ok(()),
    }
}
