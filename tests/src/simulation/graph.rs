//! The graph of simulated jobs: two stages, of which the second counts, natively or in a guest.

use super::counter::Counter;
use super::lines::LinesFactory;
use super::{Disk, NumberSource, RekeyFactory, Scenario, TimedBy, disk, join_inputs};
use std::sync::Arc;
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, JobGraph, QuarantineSink, Vertex, VertexKind};
use weir_engine::operator::{LATE_OUTPUT, QUARANTINE_OUTPUT};
use weir_engine::runtime::Simulator;

/// The graph source → rekey → (key) count → (forward) sink, parallelism drawn anew at each start. What a guest emits that counts keys is put into lines before the sink.
/// Records that come too late for windows have a sink of their own, where there may be any.
pub(super) fn graph(simulator: &Simulator, disk: &Disk, scenario: Scenario) -> JobGraph {
    let (counter, timed_by) = (scenario.counter, scenario.timed_by);
    if matches!(counter, Counter::Join | Counter::WindowedJoin) {
        return join_inputs::graph(simulator, disk, scenario, counter.factory(simulator, scenario));
    }
    let source = Arc::new(NumberSource {
        count: scenario.records,
        keys: scenario.keys,
        splits: 4,
        order: timed_by.order(counter),
        value: Arc::new(move |number| counter.value(number)),
        time: timed_by.time_at_source(counter.time()),
    });
    let sink = disk::sink(simulator, disk, scenario);
    let parallelism = || 1 + simulator.draw(3) as u32;
    let count_parallelism = parallelism();
    let rekey = match timed_by {
        TimedBy::Source => RekeyFactory::new(simulator.clone(), scenario.failures, scenario.counted_keys),
        TimedBy::ChainedOperator | TimedBy::Operator => {
            RekeyFactory::stamping(simulator.clone(), scenario.failures, scenario.counted_keys, counter.time())
        }
    };
    let vertex = |id: &str, parallelism, kind| Vertex::new(id, parallelism, kind);
    let edge = |from, output, to, partitioning| Edge { from, output, to, input: 0, partitioning };
    let mut vertices = vec![
        vertex("in", parallelism(), VertexKind::Source { source, rate: Some(scenario.per_second) }),
        vertex("rekey", parallelism(), VertexKind::Operator(rekey)),
        vertex("count", count_parallelism, VertexKind::Operator(counter.factory(simulator, scenario))),
    ];
    let mut edges = vec![edge(0, 0, 1, Partitioning::Rebalance), edge(1, 0, 2, Partitioning::Key)];
    if matches!(counter, Counter::Guest(guest) if guest.counts_keys()) {
        vertices.push(vertex("lines", count_parallelism, VertexKind::Operator(LinesFactory::new())));
        edges.push(edge(2, 0, 3, Partitioning::Forward));
    }
    vertices[2].record = scenario.record;
    vertices[timed_by.vertex()].watermark = timed_by.watermark(counter);
    vertices[2].window = counter.windows(simulator);
    let last = vertices.len() - 1;
    vertices.push(vertex("out", count_parallelism, VertexKind::Sink(sink)));
    edges.push(edge(last, 0, last + 1, Partitioning::Forward));
    if matches!(counter, Counter::Guest(guest) if guest.is_poisoned()) {
        vertices.push(vertex("count.quarantine", count_parallelism, VertexKind::Sink(Arc::new(QuarantineSink::new("count")))));
        edges.push(edge(2, QUARANTINE_OUTPUT, last + 2, Partitioning::Forward));
    }
    if counter.takes_late_records() {
        vertices.push(vertex("late", count_parallelism, VertexKind::Sink(disk::sink(simulator, disk, scenario))));
        edges.push(edge(2, LATE_OUTPUT, last + 2, Partitioning::Forward));
    }
    let mut graph = JobGraph { name: "simulated".into(), max_parallelism: 16, vertices, edges };
    timed_by.lay_out(counter, &mut graph);
    graph
}
