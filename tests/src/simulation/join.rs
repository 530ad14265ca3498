//! The operator of a job with several inputs ([`super::join_inputs`]): two are joined by key over state that they share, under rules that a third one broadcasts.
//!
//! What it commits does not depend on the order in which inputs come: every pair of records of one key is emitted once, whichever of the
//! two is the later, and each rule by one subtask, with the number of rules so far, which come in order from one split. What a record sees
//! of the rules does depend on it, so that is judged as it happens: the rules that have come are the first so and so many, and a key
//! never sees fewer than before, wherever its group and a copy of the rules have been moved to. What is wrong is emitted as a line that
//! nobody expects. All this holds of aligned checkpoints, at whose barriers every copy has seen the same rules.
//!
//! In windows the two sides are taken down, and the pairs of one window are said when it is over. Nothing is said of rules then. Beside the two lists stands how many
//! records there are in both, in a form that has a version.

use super::kept::{Kept, state};
use super::operators::{Faults, descriptor, select};
use super::speaking::into_windows;
use std::sync::Arc;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::operator::{InputDescriptor, OperatorDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{BroadcastState, FiredWindows, StateDescriptor, StateKind};
use weir_engine::{BatchBuilder, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// Inputs: the two sides, whose lists have the same numbers, and the rules.
const SIDES: [usize; 2] = [0, 1];
pub(super) const RULES_INPUT: u32 = 2;
/// How many rules a key has seen; in windows, how many records of the two sides there are.
const SEEN: usize = 2;
/// The rules by their number, big-endian.
const RULES: usize = 3;
/// How often a rule has been taken in, under the empty entry.
const TAKEN: usize = 4;

/// Makes the operator that joins.
#[derive(Clone)]
pub struct JoinFactory {
    descriptor: OperatorDescriptor,
    faults: Faults,
    kept: Kept,
}

impl JoinFactory {
    /// `one_in`: a failure in so many batches.
    pub fn new(simulator: Simulator, one_in: Option<u64>) -> Arc<Self> {
        let descriptor = with_inputs(descriptor("join", states(state("seen", StateKind::Value))));
        Arc::new(Self { descriptor, faults: Faults::new(simulator, one_in), kept: Kept::USUAL })
    }

    /// That pairs what is in one window, and keeps its state so.
    pub(super) fn in_windows(simulator: Simulator, one_in: Option<u64>, mut kept: Kept) -> Arc<Self> {
        let descriptor = with_inputs(kept.describe_windowed("join", states(kept.numbers("seen", StateKind::Value)), SEEN));
        Arc::new(Self { descriptor, faults: Faults::new(simulator, one_in), kept })
    }
}

fn states(seen: StateDescriptor) -> Vec<StateDescriptor> {
    let [left, right] = ["left", "right"].map(|name| state(name, StateKind::List));
    let [rules, taken] = ["rules", "taken"].map(|name| state(name, StateKind::Broadcast));
    vec![left, right, seen, rules, taken]
}

fn with_inputs(descriptor: OperatorDescriptor) -> OperatorDescriptor {
    let input = |name: &str| InputDescriptor { name: name.into(), ..InputDescriptor::default() };
    OperatorDescriptor { inputs: ["left", "right", "rules"].map(input).to_vec(), ..descriptor }
}

impl OperatorFactory for JoinFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        let (faults, kept, subtask) = (self.faults.clone(), self.kept, subtask.clone());
        Ok(Box::new(Join { faults, kept, subtask, in_windows: self.descriptor.windowed }))
    }
}

struct Join {
    faults: Faults,
    kept: Kept,
    subtask: Subtask,
    in_windows: bool,
}

impl Operator for Join {
    fn process(&mut self, input: u32, batch: &Arc<RecordBatch>, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("join")?;
        let mut out = BatchBuilder::new();
        if input == RULES_INPUT {
            assert!(context.state.is_none(), "a broadcast brings no state by key");
            self.take_in(batch, context.broadcast.writable().expect("the rules are broadcast"), &mut out);
            if self.in_windows {
                return Ok(());
            }
        } else if self.in_windows {
            return take_down(SIDES[input as usize], self.kept, batch, context);
        } else {
            assert!(context.broadcast.writable().is_none(), "only broadcasts change broadcast state");
            join(SIDES[input as usize], batch, context, &mut out)?;
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }

    fn on_windows(&mut self, fired: &FiredWindows, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
        self.faults.strike("pair")?;
        let state = context.state.as_deref_mut().expect("windows are of keys");
        state.select(fired, 0..fired.len()).map_err(|error| error.into_error(|_| panic!("a window without a key")))?;
        let mut out = BatchBuilder::new();
        for place in 0..fired.len() {
            let (unit, mut sides) = (state.key_of()[place] as usize, [Column::new(), Column::new()]);
            for side in SIDES {
                state.list_read(unit, self.kept.at(side), 0, usize::MAX, &mut sides[side])?;
            }
            if self.kept.number(state, unit, SEEN)? != Some((sides[0].len() + sides[1].len()) as u64) {
                return Err(EngineError::new(ErrorKind::FixInput, "a window's lists and their count have come apart"));
            }
            for left in sides[0].iter() {
                sides[1].iter().for_each(|right| out.push(None, &[&b"pair "[..], left, b" ", right].concat(), None));
            }
        }
        context.outputs.push((0, out.finish().into()));
        Ok(())
    }
}

impl Join {
    /// Every subtask keeps every rule; one of them emits it.
    fn take_in(&self, batch: &RecordBatch, rules: &mut BroadcastState, out: &mut BatchBuilder) {
        for value in batch.values().iter() {
            let rule: u64 = std::str::from_utf8(value).expect("text").parse().expect("a number");
            let taken = rules.get(self.kept.at(TAKEN), b"").map_or(0, number) + 1;
            rules.put(self.kept.at(RULES), &rule.to_be_bytes(), value);
            rules.put(self.kept.at(TAKEN), b"", &taken.to_be_bytes());
            if rule % u64::from(self.subtask.parallelism) == u64::from(self.subtask.index) {
                out.push(None, format!("rule {rule} {taken}").as_bytes(), None);
            }
        }
    }
}

/// Emits each record of `side` with all of the other side that its key has, and keeps it for those that come later.
fn join(side: usize, batch: &RecordBatch, context: &mut OperatorContext<'_>, out: &mut BatchBuilder) -> Result<(), EngineError> {
    let rules = rules_so_far(context.broadcast.readable().expect("declared"), out);
    let state = context.state.as_deref_mut().expect("a key edge");
    select(state, batch)?;
    for record in 0..batch.len() {
        let (key, value) = (state.key_of()[record] as usize, batch.values().get(record));
        let mut others = Column::new();
        state.list_read(key, SIDES[1 - side], 0, usize::MAX, &mut others)?;
        for other in others.iter() {
            let (left, right) = if side == 0 { (value, other) } else { (other, value) };
            out.push(None, &[&b"pair "[..], left, b" ", right].concat(), None);
        }
        state.list_append(key, side, value)?;
        let seen = state.copied_value(key, SEEN)?.map_or(0, |bytes| number(&bytes));
        if rules < seen {
            out.push(None, format!("a key has seen {seen} rules and is shown {rules}").as_bytes(), None);
        }
        state.set_value(key, SEEN, &rules.to_be_bytes())?;
    }
    Ok(())
}

/// Keeps the records of `side` for when their windows are over.
fn take_down(side: usize, kept: Kept, batch: &RecordBatch, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
    let state = context.state.as_deref_mut().expect("a key edge");
    let late = into_windows(state, batch, |state, record, unit| {
        let seen = kept.number(state, unit, SEEN)?.unwrap_or(0) + 1;
        state.list_append(unit, kept.at(side), batch.values().get(record))?;
        state.set_value(unit, kept.at(SEEN), &kept.write(seen))?;
        kept.mark(state, unit, seen)
    })?;
    if late == 0 { Ok(()) } else { Err(EngineError::new(ErrorKind::FixInput, "a record is late, and every side was in order")) }
}

/// How many rules have come.
fn rules_so_far(rules: &BroadcastState, out: &mut BatchBuilder) -> u64 {
    let (mut entries, mut values) = (Column::new(), Column::new());
    rules.scan(RULES, None, usize::MAX, &mut entries, &mut values);
    let (count, taken) = (entries.len() as u64, rules.get(TAKEN, b"").map_or(0, number));
    if count != taken || !entries.iter().map(number).eq(0..count) {
        out.push(None, format!("{taken} rules were taken in, and there are {count}").as_bytes(), None);
    }
    count
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}
