//! Whether the records of a key come to a keyed operator in the order of their source.
//!
//! Order is kept on a channel. So a key's records stay in order while all of one piece of the input are on one subtask (they may get other
//! keys there), and behind a `key` edge while each key's are (it may not change there).
//!
//! What a single subtask reads has one order of all its records, also without keys: it is said where that ends.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, JobGraph, VertexKind};
use weir_engine::operator::QUARANTINE_OUTPUT;
use weir_engine::source::SourceOrder;

/// How far the order of a key's records goes between a source and a keyed operator; or that of all records, up to where they are spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanOrder {
    /// The source.
    pub source: String,
    /// The operator, which has an input by key; or the step over whose subtasks the records are spread.
    pub operator: String,
    /// How far it goes.
    pub order: KeyOrder,
    /// Why.
    pub why: String,
}

/// How far the order of a key's records goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOrder {
    /// It is that of the source.
    AsInTheSource,
    /// It is that of each file; records of different files may come in any order.
    AsInEachPiece,
    /// Records may come in another order than they were read.
    NotKept,
}

impl KeyOrder {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::AsInTheSource => "as in the source",
            Self::AsInEachPiece => "as in each piece of the source",
            Self::NotKept => "not kept",
        }
    }
}

/// One entry for each source and keyed operator that its records can come to.
pub(super) fn orders(graph: &JobGraph) -> Vec<PlanOrder> {
    let mut orders = Vec::new();
    for (from, vertex) in graph.vertices.iter().enumerate() {
        let VertexKind::Source { source, .. } = &vertex.kind else { continue };
        let of_source = source.order(vertex.parallelism);
        for (operator, ways) in keyed_operators(graph, from) {
            let (source, operator) = (vertex.id.clone(), graph.vertices[operator].id.clone());
            let (order, why) = verdict(&source, &operator, (&of_source, vertex.reads_in_order()), &ways);
            orders.push(PlanOrder { source, operator, order, why });
        }
        if let Some(reads) = source.capabilities().single_reader {
            orders.extend(spreads(graph, from).map(|edge| spread(graph, (&vertex.id, reads), edge)));
        }
    }
    orders
}

/// The first edges behind `from` that deal records out in turn to several subtasks.
fn spreads(graph: &JobGraph, from: usize) -> impl Iterator<Item = &Edge> {
    let mut in_order = BTreeSet::from([from]);
    let mut spreads = Vec::new();
    for vertex in from + 1..graph.vertices.len() {
        for (_, edge) in graph.inputs(vertex).filter(|(_, edge)| edge.output != QUARANTINE_OUTPUT) {
            let is_one = graph.vertices[edge.to].parallelism == 1;
            match edge.partitioning {
                _ if !in_order.contains(&edge.from) => {}
                Partitioning::Rebalance if !is_one => spreads.push(edge),
                Partitioning::Forward | Partitioning::Rebalance => _ = in_order.insert(vertex),
                Partitioning::Key | Partitioning::Broadcast => {}
            }
        }
    }
    spreads.into_iter()
}

fn spread(graph: &JobGraph, (source, reads): (&str, &str), edge: &Edge) -> PlanOrder {
    let (from, to) = (&graph.vertices[edge.from].id, &graph.vertices[edge.to]);
    let why = format!(
        "`{from}` → `{}` (`rebalance`) deals what comes of {reads} out to {} subtasks, which do not wait for each other; `parallelism = 1` keeps it in order",
        to.id, to.parallelism
    );
    PlanOrder { source: source.to_owned(), operator: to.id.clone(), order: KeyOrder::NotKept, why }
}

/// The ways on which the records of one piece of a source come to a vertex, all together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ways {
    several: bool,
    /// True where the records have been distributed by key: those of a piece are on several subtasks.
    by_key: bool,
    /// Operators that must not give records other keys.
    keep_keys: BTreeSet<String>,
    /// The first edge behind which records overtake each other.
    mixed: Option<String>,
}

impl Ways {
    fn over(&self, graph: &JobGraph, edge: &Edge) -> Self {
        let mut ways = self.clone();
        let (from, to) = (&graph.vertices[edge.from], &graph.vertices[edge.to]);
        match edge.partitioning {
            Partitioning::Forward => {}
            Partitioning::Key => {
                if self.by_key {
                    ways.keep_keys.insert(from.id.clone());
                }
                ways.by_key = true;
            }
            Partitioning::Rebalance | Partitioning::Broadcast if to.parallelism == 1 => {}
            Partitioning::Rebalance | Partitioning::Broadcast => {
                let name = format!("{:?}", edge.partitioning).to_lowercase();
                ways.mixed
                    .get_or_insert_with(|| format!("`{}` → `{}` (`{name}`) spreads the records of a key over subtasks", from.id, to.id));
            }
        }
        ways
    }

    fn and(self, other: Self) -> Self {
        let keep_keys = self.keep_keys.into_iter().chain(other.keep_keys).collect();
        Self { several: true, by_key: self.by_key || other.by_key, keep_keys, mixed: self.mixed.or(other.mixed) }
    }
}

/// The operators with an input by key behind `from`, and the ways there. Vertices are in topological order, so one pass finds all.
fn keyed_operators(graph: &JobGraph, from: usize) -> Vec<(usize, Ways)> {
    let mut ways = BTreeMap::from([(from, Ways::default())]);
    let mut keyed = Vec::new();
    for vertex in from + 1..graph.vertices.len() {
        let over = |(_, edge): (usize, &Edge)| ways.get(&edge.from).map(|ways| ways.over(graph, edge));
        let by_key = graph.inputs(vertex).filter(|(_, edge)| edge.partitioning == Partitioning::Key).filter_map(over).reduce(Ways::and);
        if matches!(graph.vertices[vertex].kind, VertexKind::Operator(_)) {
            keyed.extend(by_key.map(|ways| (vertex, ways)));
        }
        let all = graph.inputs(vertex).filter_map(over).reduce(Ways::and);
        ways.extend(all.map(|all| (vertex, all)));
    }
    keyed
}

fn verdict(source: &str, operator: &str, (of_source, in_turn): (&SourceOrder, bool), ways: &Ways) -> (KeyOrder, String) {
    let why_not = match (of_source, &ways.mixed) {
        (SourceOrder::None(why), _) => Some(format!("of `{source}`, {why}")),
        (_, Some(mixed)) => Some(mixed.clone()),
        _ if ways.several => Some(format!("`{operator}` is reached on several ways, and records on one overtake those on another")),
        (SourceOrder::Whole | SourceOrder::Within(_), None) => None,
    };
    if let Some(why) = why_not {
        return (KeyOrder::NotKept, why);
    }
    let keep: Vec<_> = ways.keep_keys.iter().map(|id| format!("`{id}`")).collect();
    let condition = if keep.is_empty() { String::new() } else { format!(", as long as {} leaves keys as they are", keep.join(", ")) };
    match of_source {
        SourceOrder::Within(piece) => {
            let how = if in_turn { "one behind the other in each subtask" } else { "several of them side by side" };
            let why = format!("each {piece} of `{source}` is read from front to back, {how}{condition}");
            (KeyOrder::AsInEachPiece, why)
        }
        SourceOrder::Whole | SourceOrder::None(_) => {
            (KeyOrder::AsInTheSource, format!("`{source}` is read from front to back, and a key's records take one way{condition}"))
        }
    }
}
