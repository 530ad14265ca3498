//! Timers by the clock: an operator that gathers the numbers of a key's records from the first on for some ms of the clock, and says all of them when a timer tells it
//! that this is over. When that is depends on who was faster; what has to hold of any run is looked at in each call, and in what comes of it:
//!
//! * The clock never runs backwards for a key, also where that of the machine has been put back between two processes.
//! * A timer fires when it is due, and what came due while nothing ran fires before anything else does.
//! * What was set and not deleted fires once, so that each record is said once, or is still gathered when the input has ended.

use super::kept::{Kept, state};
use super::operators::{Faults, select};
use super::{Barriers, Counter, Scenario};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_engine::element::{NO_TIMESTAMP, RecordBatch};
use weir_engine::operator::{FiredTimers, OperatorDescriptor, Subtask, TimerDescriptor};
use weir_engine::runtime::{Clock, Monotonic, Runtime, Simulator};
use weir_engine::state::{KeyedState, StateKind};
use weir_engine::{BatchBuilder, Column, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// The numbers of the records that wait.
const NUMBERS: usize = 0;
/// When the key's timer is due.
const DUE: usize = 1;
/// What the last call of the key was told of the clock.
const TOLD: usize = 2;

/// The clock of a machine may be put back by so many ms between two processes.
const BACK_MS: u64 = 300;

/// The runtime of a process of `scenario`.
pub(super) fn runtime(simulator: &Simulator, scenario: Scenario) -> Runtime {
    machine(simulator.runtime(), simulator, scenario)
}

/// This runtime on a machine of its own: where timers go by the clock, that is behind by a time that is drawn.
pub(super) fn machine(runtime: Runtime, simulator: &Simulator, scenario: Scenario) -> Runtime {
    if scenario.counter != Counter::Clocked {
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
    clocked: Clocked,
}

impl ClockedFactory {
    /// That fails so, and keeps its state so.
    pub(super) fn new(faults: Faults, kept: Kept) -> Arc<Self> {
        Self::of(faults, kept, false)
    }

    /// Whose timers fire at the very ms for which they are set.
    pub(super) fn prompt(faults: Faults) -> Arc<Self> {
        Self::of(faults, Kept::USUAL, true)
    }

    fn of(faults: Faults, mut kept: Kept, is_prompt: bool) -> Arc<Self> {
        let numbers = |name| kept.numbers(name, StateKind::Value);
        let states = vec![state("numbers", StateKind::List), numbers("due"), numbers("told")];
        let timers = vec![TimerDescriptor { name: "over".into(), event_time: false }];
        let described = kept.describe("clocked", states, StateKind::Value);
        let clocked = Clocked { faults, kept, is_prompt, last_call: None };
        Arc::new(Self { descriptor: OperatorDescriptor { timers, ..described }, clocked })
    }
}

impl OperatorFactory for ClockedFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, _subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(self.clocked.clone()))
    }
}

#[derive(Clone)]
struct Clocked {
    faults: Faults,
    kept: Kept,
    /// Nothing keeps it waiting.
    is_prompt: bool,
    /// What this instance was told of the clock last.
    last_call: Option<i64>,
}

fn wrong(what: String) -> EngineError {
    EngineError::new(ErrorKind::FixInput, what)
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

    /// A time that is kept of a key.
    fn time(&self, state: &KeyedState, key: usize, of: usize) -> Result<Option<i64>, EngineError> {
        Ok(self.kept.number(state, key, of)?.map(|time| time as i64))
    }

    fn keep(&self, state: &mut KeyedState, key: usize, of: usize, time: i64) -> Result<(), EngineError> {
        state.set_value(key, self.kept.at(of), &self.kept.write(time as u64))
    }

    /// A key hears of the clock.
    fn tell(&self, state: &mut KeyedState, key: usize, now: i64) -> Result<(), EngineError> {
        if let Some(told) = self.time(state, key, TOLD)?.filter(|told| *told > now) {
            return Err(wrong(format!("a key has been told of {told}, and hears of {now} now")));
        }
        self.keep(state, key, TOLD, now)
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
            self.tell(state, key, now)?;
            let number = batch.values().get(record);
            match self.time(state, key, DUE)? {
                Some(due) if due <= now => return Err(wrong(format!("a record comes at {now}, in front of a timer of {due}"))),
                // Now and then it takes longer.
                Some(due) if number.ends_with(b"5") => {
                    if !state.delete_timer(key, 0, due)? {
                        return Err(wrong(format!("the timer of {due} is not set")));
                    }
                    state.set_timer(key, 0, due + 3)?;
                    self.keep(state, key, DUE, due + 3)?;
                }
                Some(_) => {}
                None => {
                    let due = now + 5 + i64::from(number[number.len() - 1] - b'0') * 6;
                    state.set_timer(key, 0, due)?;
                    self.keep(state, key, DUE, due)?;
                    self.kept.mark(state, key, due as u64)?;
                }
            }
            state.list_append(key, self.kept.at(NUMBERS), number)?;
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
            self.tell(state, key, now)?;
            if self.time(state, key, DUE)? != Some(due) {
                return Err(wrong(format!("a timer of {due} fires that is not set")));
            }
            // An instance that has been called before has waited for it.
            if due > now || before.is_some_and(|before| self.is_prompt && due.max(before) != now) {
                return Err(wrong(format!("a timer of {due} fires at {now}, behind a call at {before:?}")));
            }
            let (name, mut numbers) = (fired.keys().get(place), Column::new());
            state.list_read(key, self.kept.at(NUMBERS), 0, usize::MAX, &mut numbers)?;
            let numbers: Vec<_> = numbers.iter().map(String::from_utf8_lossy).collect();
            out.push(Some(name), format!("{} {due} {}", String::from_utf8_lossy(name), numbers.join(",")).as_bytes(), None);
            state.clear(key, self.kept.at(NUMBERS))?;
            state.clear(key, self.kept.at(DUE))?;
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

/// How many records these lines say.
pub(super) fn numbers_in(lines: &[String]) -> u64 {
    lines.iter().map(|line| line.matches(',').count() as u64 + 1).sum()
}

/// Judges what has been said, and what is still gathered: each record is there once, under its key, and no timer of a key has fired twice. Where records may come
/// more than once, so may these.
pub(super) fn judge(scenario: Scenario, lines: &[String], open: Option<&[Vec<u64>]>) -> Result<(), String> {
    let (mut times, mut fired) = (BTreeMap::new(), BTreeMap::new());
    let is_exact = scenario.barriers != Barriers::AtLeastOnce;
    for line in lines {
        let what = || format!("`{line}` is nothing that is gathered");
        let [key, due, numbers] = line.split(' ').collect::<Vec<_>>()[..] else { return Err(what()) };
        let key: u64 = key.parse().map_err(|_| what())?;
        if let Some(other) = fired.insert((key, due), line).filter(|_| is_exact) {
            return Err(format!("`{line}` and `{other}` are of one timer"));
        }
        for number in numbers.split(',') {
            let number: u64 = number.parse().map_err(|_| what())?;
            if number % scenario.keys % scenario.counted_keys != key {
                return Err(format!("`{line}` has a record of another key: {number}"));
            }
            *times.entry(number).or_insert(0_usize) += 1;
        }
    }
    if fired.is_empty() {
        return Err("no timer has fired".into());
    }
    open.unwrap_or_default().iter().flatten().for_each(|number| *times.entry(*number).or_insert(0) += 1);
    let is_right = |times: usize| times == 1 || (times > 1 && !is_exact);
    let once = |number: &u64| times.get(number).map_or(open.is_none(), |times| is_right(*times));
    match (0..scenario.records).find(|number| !once(number)) {
        Some(number) => Err(format!("record {number} is there {} times", times.get(&number).unwrap_or(&0))),
        None if times.len() as u64 > scenario.records => Err("there are records that the input has not".into()),
        None => Ok(()),
    }
}
