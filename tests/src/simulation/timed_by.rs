//! Who says what time records are of: their source, or an operator behind it that alone can read it, and that makes watermarks of what it emits.
//!
//! An operator's subtask knows of no splits: what it emits has to be nearly in order. One that is chained to a source is given records in order, from wherever its
//! splits resume. One behind an edge is given those of a single reader, and after a restore what was in flight to several subtasks comes in any order: its delay is
//! longer than that. So no record is late there either, and what is counted in windows is what a plain model says.

use super::spoken::Punctuality;
use super::{Counter, ReadOrder};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::OperatorFactory;
use weir_engine::element::NO_TIMESTAMP;
use weir_engine::job::{Edge, JobGraph, Partitioning, Vertex, VertexKind};
use weir_engine::time::WatermarkSettings;

/// What was in flight between two tasks is of less time than this: a record is of a ms, and there are two of them in each.
const IN_FLIGHT: Duration = Duration::from_millis(200);

/// Who makes watermarks of the times of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimedBy {
    /// The source.
    Source,
    /// The operator behind it, in its task.
    ChainedOperator,
    /// The operator behind it, in tasks of its own.
    Operator,
}

impl TimedBy {
    /// The place in the graph of the vertex that does.
    pub(super) fn vertex(self) -> usize {
        usize::from(self != Self::Source)
    }

    /// How the source's readers go through their splits.
    pub(super) fn order(self, counter: Counter) -> ReadOrder {
        match (counter.goes_by_time(), self) {
            (false, _) => ReadOrder::OneByOne,
            (true, Self::Source) => ReadOrder::InTurn,
            (true, Self::ChainedOperator | Self::Operator) => ReadOrder::ByNumber,
        }
    }

    /// What the source says of records whose time is this.
    pub(super) fn time_at_source(self, time: fn(u64) -> i64) -> fn(u64) -> i64 {
        if self == Self::Source { time } else { |_| NO_TIMESTAMP }
    }

    /// How it makes watermarks; `None`: nothing goes by time.
    pub(super) fn watermark(self, counter: Counter) -> Option<WatermarkSettings> {
        let delay = if self == Self::Operator && !counter.takes_late_records() { IN_FLIGHT } else { Duration::ZERO };
        counter.goes_by_time().then(|| WatermarkSettings { delay, ..WatermarkSettings::default() })
    }

    /// Which records may be late for windows that take late ones.
    pub(super) fn punctuality(self) -> Punctuality {
        match self {
            Self::Source | Self::ChainedOperator => Punctuality::InOrderIsInTime,
            Self::Operator => Punctuality::AnyIsLate,
        }
    }

    /// Lays out the first two vertices of a graph, of which the second is the operator.
    pub(super) fn lay_out(self, counter: Counter, graph: &mut JobGraph) {
        match self {
            Self::Source => {}
            Self::ChainedOperator => {
                graph.vertices[1].parallelism = graph.vertices[0].parallelism;
                graph.edges[0].partitioning = Partitioning::Forward;
            }
            Self::Operator if counter.takes_late_records() => {}
            Self::Operator => graph.vertices[0].parallelism = 1,
        }
    }

    /// Puts the operator between the source and what is behind it.
    pub(super) fn put_between(self, counter: Counter, graph: &mut JobGraph, operator: Arc<dyn OperatorFactory>) {
        let parallelism = graph.vertices[0].parallelism;
        graph.vertices.insert(1, Vertex::new("stamp", parallelism, VertexKind::Operator(operator)));
        for edge in &mut graph.edges {
            (edge.from, edge.to) = (edge.from + 1, edge.to + 1);
        }
        graph.edges.insert(0, Edge { from: 0, output: 0, to: 1, input: 0, partitioning: Partitioning::Rebalance });
        self.lay_out(counter, graph);
    }
}
