//! The graph of simulated jobs: two stages, of which the second counts, natively or in a guest.

use super::disk;
use super::join::{self, JoinFactory};
use super::lines::LinesFactory;
use super::timed::TimedFactory;
use super::windowed::{self, WindowedFactory};
use super::{CountFactory, Disk, NumberSource, RekeyFactory, Scenario};
use crate::sandbox::{faulty, keyed_count};
use std::sync::Arc;
use weir_engine::OperatorFactory;
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, JobGraph, QuarantineSink, Vertex, VertexKind};
use weir_engine::operator::QUARANTINE_OUTPUT;
use weir_engine::runtime::Simulator;
use weir_engine::state::WindowSettings;
use weir_engine::time::WatermarkSettings;
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin, QuarantineLimit, WasmOperatorFactory};

/// What counts the records of each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// An operator in the host's language.
    Native,
    /// The same, which forgets a key that it has counted up to three.
    Forgetful,
    /// The guest `keyed-count`.
    Guest,
    /// The guest `faulty`, with poison among the records, which is set aside.
    PoisonedGuest,
    /// Records are counted by windows of event time, which timers close.
    Timed,
    /// Records are counted by windows of event time, which the engine opens and closes.
    Windowed,
    /// The same, by sessions.
    Sessions,
    /// Nothing is counted: two inputs are joined, under rules that are broadcast.
    Join,
}

impl Counter {
    /// The value of record `number`: itself, or poison.
    pub fn value(self, number: u64) -> String {
        match (self, number % 13) {
            (Self::PoisonedGuest, 5) => format!("{}:{number}", ["trap", "fail", "panic", "divide"][(number / 13 % 4) as usize]),
            (
                Self::Native
                | Self::Forgetful
                | Self::Guest
                | Self::PoisonedGuest
                | Self::Timed
                | Self::Windowed
                | Self::Sessions
                | Self::Join,
                _,
            ) => number.to_string(),
        }
    }

    /// Up to which number each key is counted before it begins anew.
    pub fn up_to(self) -> u64 {
        match self {
            Self::Forgetful => 3,
            Self::Native | Self::Guest | Self::PoisonedGuest | Self::Timed | Self::Windowed | Self::Sessions | Self::Join => u64::MAX,
        }
    }

    fn goes_by_time(self) -> bool {
        match self {
            Self::Timed | Self::Windowed | Self::Sessions => true,
            Self::Native | Self::Forgetful | Self::Guest | Self::PoisonedGuest | Self::Join => false,
        }
    }

    fn windows(self) -> Option<WindowSettings> {
        match self {
            Self::Windowed => Some(windowed::tumbling()),
            Self::Sessions => Some(windowed::sessions()),
            Self::Native | Self::Forgetful | Self::Guest | Self::PoisonedGuest | Self::Timed | Self::Join => None,
        }
    }

    fn is_guest(self) -> bool {
        match self {
            Self::Native | Self::Forgetful | Self::Timed | Self::Windowed | Self::Sessions | Self::Join => false,
            Self::Guest | Self::PoisonedGuest => true,
        }
    }
}

/// The graph source → rekey → (key) count → (forward) sink, parallelism drawn anew at each start. What a guest emits is put into lines before the sink.
pub(super) fn graph(simulator: &Simulator, disk: &Disk, scenario: Scenario) -> JobGraph {
    let counter = scenario.counter;
    if counter == Counter::Join {
        return join::graph(simulator, disk, scenario, factory(counter, simulator, scenario.failures));
    }
    let source = Arc::new(NumberSource {
        count: scenario.records,
        keys: scenario.keys,
        splits: 4,
        in_turn: counter.goes_by_time(),
        value: Arc::new(move |number| counter.value(number)),
    });
    let sink = disk::sink(simulator, disk, scenario);
    let parallelism = || 1 + simulator.draw(3) as u32;
    let count_parallelism = parallelism();
    let vertex = |id: &str, parallelism, kind| Vertex::new(id, parallelism, kind);
    let edge = |from, output, to, partitioning| Edge { from, output, to, input: 0, partitioning };
    let mut vertices = vec![
        vertex("in", parallelism(), VertexKind::Source { source, rate: Some(2_000.0) }),
        vertex(
            "rekey",
            parallelism(),
            VertexKind::Operator(RekeyFactory::new(simulator.clone(), scenario.failures, scenario.counted_keys)),
        ),
        vertex("count", count_parallelism, VertexKind::Operator(factory(counter, simulator, scenario.failures))),
    ];
    let mut edges = vec![edge(0, 0, 1, Partitioning::Rebalance), edge(1, 0, 2, Partitioning::Key)];
    if counter.is_guest() {
        vertices.push(vertex("lines", count_parallelism, VertexKind::Operator(LinesFactory::new())));
        edges.push(edge(2, 0, 3, Partitioning::Forward));
    }
    vertices[2].record = scenario.record;
    vertices[0].watermark = counter.goes_by_time().then(WatermarkSettings::default);
    vertices[2].window = counter.windows();
    let last = vertices.len() - 1;
    vertices.push(vertex("out", count_parallelism, VertexKind::Sink(sink)));
    edges.push(edge(last, 0, last + 1, Partitioning::Forward));
    if counter == Counter::PoisonedGuest {
        vertices.push(vertex("count.quarantine", count_parallelism, VertexKind::Sink(Arc::new(QuarantineSink::new("count")))));
        edges.push(edge(2, QUARANTINE_OUTPUT, last + 2, Partitioning::Forward));
    }
    JobGraph { name: "simulated".into(), max_parallelism: 16, vertices, edges }
}

fn factory(counter: Counter, simulator: &Simulator, failures: Option<u64>) -> Arc<dyn OperatorFactory> {
    match counter {
        Counter::Native | Counter::Forgetful => CountFactory::new(simulator.clone(), failures, counter.up_to()),
        Counter::Join => JoinFactory::new(simulator.clone(), failures),
        Counter::Windowed | Counter::Sessions => WindowedFactory::new(simulator.clone(), failures),
        Counter::Timed => TimedFactory::new(simulator.clone(), failures),
        Counter::Guest => guest(keyed_count(EngineMode::Fuel), OnFailure::Fail),
        Counter::PoisonedGuest => guest(faulty(EngineMode::Fuel), OnFailure::Quarantine { limit: QuarantineLimit::default() }),
    }
}

fn guest(plugin: Plugin, on_failure: OnFailure) -> Arc<dyn OperatorFactory> {
    let settings = OperatorSettings { operator: "count".into(), config: "{}".into(), limits: Limits::default(), on_failure };
    Arc::new(WasmOperatorFactory::new(plugin, settings))
}
