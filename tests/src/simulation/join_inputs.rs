//! The job of [`super::join`]: its two sides and its rules, and the lines that it commits, in windows or not. And the first input of jobs that change, which may be one of its
//! sides.

use super::disk;
use super::join::RULES_INPUT;
use super::source::in_order;
use super::timed::WINDOW;
use super::windowed::time_of;
use super::{Counter, Disk, NumberSource, ReadOrder, Scenario};
use std::sync::Arc;
use weir_engine::OperatorFactory;
use weir_engine::job::{Edge, JobGraph, Partitioning, Vertex, VertexKind};
use weir_engine::runtime::Simulator;
use weir_engine::time::WatermarkSettings;

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

/// A side whose records are of these times.
pub(super) fn side(scenario: Scenario, time: fn(u64) -> i64) -> NumberSource {
    numbers(scenario, counts(scenario).0, 4, time)
}

fn numbers(scenario: Scenario, count: u64, splits: u64, time: fn(u64) -> i64) -> NumberSource {
    let order = if scenario.counter.goes_by_time() { ReadOrder::InTurn } else { ReadOrder::OneByOne };
    NumberSource { count, keys: scenario.keys, splits, order, value: Arc::new(|number| number.to_string()), time }
}

/// The vertex of an input, where `per_second` records come in all: all inputs last equally long.
pub(super) fn input(id: &str, parallelism: u32, numbers: NumberSource, per_second: f64, scenario: Scenario) -> Vertex {
    let rate = Some(per_second * numbers.count as f64 / scenario.records as f64);
    let watermark = scenario.counter.goes_by_time().then(WatermarkSettings::default);
    Vertex { watermark, ..Vertex::new(id, parallelism, VertexKind::Source { source: Arc::new(numbers), rate }) }
}

/// The first input of a job that changes, or the only one.
pub(super) fn first(scenario: Scenario, parallelism: u32) -> Vertex {
    let Scenario { counter, timed_by, .. } = scenario;
    let time = timed_by.time_at_source(time_of(counter));
    let numbers = match counter {
        Counter::WindowedJoin => side(scenario, time),
        _ => NumberSource { order: timed_by.order(counter), ..numbers(scenario, scenario.records, 4, time) },
    };
    input("in", parallelism, numbers, per_second_changing(scenario), scenario)
}

/// Records of all inputs in a second, in a job that changes: that takes time.
pub(super) fn per_second_changing(scenario: Scenario) -> f64 {
    scenario.per_second / 2.0
}

/// Adds the other side and the rules, of this parallelism, to a job whose operator stands at `to`.
pub(super) fn add_others(
    (vertices, edges): (&mut Vec<Vertex>, &mut Vec<Edge>),
    to: &[usize],
    parallelism: [u32; 2],
    per_second: f64,
    scenario: Scenario,
) {
    let rules = numbers(scenario, counts(scenario).1, 1, time_of_rule);
    let others = [("right", 1, side(scenario, in_order), Partitioning::Key), ("rules", RULES_INPUT, rules, Partitioning::Broadcast)];
    for ((id, input, numbers, partitioning), parallelism) in others.into_iter().zip(parallelism) {
        let from = vertices.len();
        edges.extend(to.iter().map(|&to| Edge { from, output: 0, to, input, partitioning }));
        vertices.push(self::input(id, parallelism, numbers, per_second, scenario));
    }
}

/// The graph left, right → (key) join ← (broadcast) rules; join → (forward) sink. Parallelism is drawn anew at each start.
pub(super) fn graph(simulator: &Simulator, disk: &Disk, scenario: Scenario, join: Arc<dyn OperatorFactory>) -> JobGraph {
    let parallelism = || 1 + simulator.draw(3) as u32;
    let of_join = parallelism();
    let window = scenario.counter.windows(simulator);
    let mut vertices = vec![
        input("left", parallelism(), side(scenario, in_order), scenario.per_second, scenario),
        Vertex { record: scenario.record, window, ..Vertex::new("join", of_join, VertexKind::Operator(join)) },
        Vertex::new("out", of_join, VertexKind::Sink(disk::sink(simulator, disk, scenario))),
    ];
    let edge = |from, to, partitioning| Edge { from, output: 0, to, input: 0, partitioning };
    let mut edges = vec![edge(0, 1, Partitioning::Key), edge(1, 2, Partitioning::Forward)];
    add_others((&mut vertices, &mut edges), &[1], [parallelism(), parallelism()], scenario.per_second, scenario);
    JobGraph { name: "simulated".into(), max_parallelism: 16, vertices, edges }
}
