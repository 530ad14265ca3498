//! A job with several inputs: two are joined by key over state that they share, under rules that a third one broadcasts.
//!
//! What it commits does not depend on the order in which inputs come: every pair of records of one key is emitted once, whichever of the
//! two is the later, and each rule by one subtask, with the number of rules so far, which come in order from one split. What a record sees
//! of the rules does depend on it, so that is judged as it happens: the rules that have come are the first so and so many, and a key
//! never sees fewer than before, wherever its group and a copy of the rules have been moved to. What is wrong is emitted as a line that
//! nobody expects. All this holds of aligned checkpoints, at whose barriers every copy has seen the same rules.
//!
//! In windows the two sides are taken down, and the pairs of one window are said when it is over. Nothing is said of rules then.

use super::disk;
use super::operators::{Faults, descriptor, select};
use super::source::in_order;
use super::speaking::into_windows;
use super::timed::WINDOW;
use super::{Disk, NumberSource, ReadOrder, Scenario};
use std::sync::Arc;
use weir_engine::element::{Column, RecordBatch};
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, JobGraph, Vertex, VertexKind};
use weir_engine::operator::{InputDescriptor, OperatorDescriptor, Subtask};
use weir_engine::runtime::Simulator;
use weir_engine::state::{BroadcastState, FiredWindows, StateDescriptor, StateKind};
use weir_engine::time::WatermarkSettings;
use weir_engine::{BatchBuilder, EngineError, ErrorKind, Operator, OperatorContext, OperatorFactory};

/// Inputs: the two sides, whose lists have the same numbers, and the rules.
const SIDES: [usize; 2] = [0, 1];
const RULES_INPUT: u32 = 2;
/// How many rules a key has seen.
const SEEN: usize = 2;
/// The rules by their number, big-endian.
const RULES: usize = 3;
/// How often a rule has been taken in, under the empty entry.
const TAKEN: usize = 4;

/// Records of each side, and rules.
fn counts(scenario: Scenario) -> (u64, u64) {
    (scenario.records / 4, scenario.records / 20)
}

/// The lines that the job commits, in any order.
pub(super) fn joined_lines(scenario: Scenario) -> impl Iterator<Item = String> {
    let (side, rules) = counts(scenario);
    let matching = move |left: u64| (left % scenario.keys..side).step_by(scenario.keys as usize);
    let pairs = (0..side).flat_map(move |left| matching(left).map(move |right| format!("pair {left} {right}")));
    pairs.chain((0..rules).map(|rule| format!("rule {rule} {}", rule + 1)))
}

/// The lines of the job with windows, in any order.
pub(super) fn joined_in_windows(scenario: Scenario) -> impl Iterator<Item = String> {
    let window = |line: &str| line.parse::<i64>().expect("a number") / WINDOW;
    joined_lines(scenario).filter(move |line| match line.split(' ').collect::<Vec<_>>()[..] {
        ["pair", left, right] => window(left) == window(right),
        _ => false,
    })
}

/// The time of a rule: there are five records of a side for each.
fn time_of_rule(rule: u64) -> i64 {
    5 * rule as i64
}

/// The graph left, right → (key) join ← (broadcast) rules; join → (forward) sink. Parallelism is drawn anew at each start.
pub(super) fn graph(simulator: &Simulator, disk: &Disk, scenario: Scenario, join: Arc<dyn OperatorFactory>) -> JobGraph {
    let parallelism = || 1 + simulator.draw(3) as u32;
    let join_parallelism = parallelism();
    let vertex = |id: &str, parallelism, kind| Vertex::new(id, parallelism, kind);
    let goes_by_time = scenario.counter.goes_by_time();
    let source = |id: &str, count: u64, splits, time| {
        let value = Arc::new(|number: u64| number.to_string());
        let order = if goes_by_time { ReadOrder::InTurn } else { ReadOrder::OneByOne };
        let source = NumberSource { count, keys: scenario.keys, splits, order, value, time };
        // All inputs last equally long.
        let rate = 2_000.0 * count as f64 / scenario.records as f64;
        let watermark = goes_by_time.then(WatermarkSettings::default);
        Vertex { watermark, ..vertex(id, parallelism(), VertexKind::Source { source: Arc::new(source), rate: Some(rate) }) }
    };
    let edge = |from, to, input, partitioning| Edge { from, output: 0, to, input, partitioning };
    let (side, rules) = counts(scenario);
    let sink = disk::sink(simulator, disk, scenario);
    let window = scenario.counter.windows(simulator);
    JobGraph {
        name: "simulated".into(),
        max_parallelism: 16,
        vertices: vec![
            source("left", side, 4, in_order),
            source("right", side, 4, in_order),
            source("rules", rules, 1, time_of_rule),
            Vertex { record: scenario.record, window, ..vertex("join", join_parallelism, VertexKind::Operator(join)) },
            vertex("out", join_parallelism, VertexKind::Sink(sink)),
        ],
        edges: vec![
            edge(0, 3, 0, Partitioning::Key),
            edge(1, 3, 1, Partitioning::Key),
            edge(2, 3, RULES_INPUT, Partitioning::Broadcast),
            edge(3, 4, 0, Partitioning::Forward),
        ],
    }
}

/// Makes the operator that joins.
#[derive(Clone)]
pub struct JoinFactory {
    descriptor: OperatorDescriptor,
    faults: Faults,
}

impl JoinFactory {
    /// `one_in`: a failure in so many batches.
    pub fn new(simulator: Simulator, one_in: Option<u64>) -> Arc<Self> {
        let state = |name: &str, kind| StateDescriptor { name: name.into(), kind, schema: "raw".into(), version: 1, ttl: None };
        let states = vec![
            state("left", StateKind::List),
            state("right", StateKind::List),
            state("seen", StateKind::Value),
            state("rules", StateKind::Broadcast),
            state("taken", StateKind::Broadcast),
        ];
        let input = |name: &str| InputDescriptor { name: name.into(), ..InputDescriptor::default() };
        let inputs = ["left", "right", "rules"].map(input).to_vec();
        Arc::new(Self { descriptor: OperatorDescriptor { inputs, ..descriptor("join", states) }, faults: Faults::new(simulator, one_in) })
    }

    /// That pairs what is in one window.
    pub fn in_windows(simulator: Simulator, one_in: Option<u64>) -> Arc<Self> {
        let Self { descriptor, faults } = Arc::unwrap_or_clone(Self::new(simulator, one_in));
        Arc::new(Self { descriptor: OperatorDescriptor { windowed: true, merging: vec![SEEN], ..descriptor }, faults })
    }
}

impl OperatorFactory for JoinFactory {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.descriptor
    }

    fn create(&self, subtask: &Subtask, _schemas: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Ok(Box::new(Join { faults: self.faults.clone(), subtask: subtask.clone(), in_windows: self.descriptor.windowed }))
    }
}

struct Join {
    faults: Faults,
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
            return take_down(SIDES[input as usize], batch, context);
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
                state.list_read(unit, side, 0, usize::MAX, &mut sides[side])?;
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
            let taken = rules.get(TAKEN, b"").map_or(0, number) + 1;
            rules.put(RULES, &rule.to_be_bytes(), value);
            rules.put(TAKEN, b"", &taken.to_be_bytes());
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
fn take_down(side: usize, batch: &RecordBatch, context: &mut OperatorContext<'_>) -> Result<(), EngineError> {
    let state = context.state.as_deref_mut().expect("a key edge");
    let late = into_windows(state, batch, |state, record, unit| state.list_append(unit, side, batch.values().get(record)))?;
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
