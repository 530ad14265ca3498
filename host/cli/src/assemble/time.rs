//! Where event time comes from: the steps in front of one, and watermarks that a source cannot make, without times, or without the order that they are to rest on.

use crate::job_file::{Problem, SourceStep};
use std::collections::BTreeSet;
use weir_engine::Source;
use weir_engine::job::{JobGraph, Vertex, VertexKind};

/// What is wrong with a source's `watermark`.
pub(super) fn problems(step: &SourceStep, source: &dyn Source) -> Vec<Problem> {
    let Some(watermark) = &step.watermark else { return Vec::new() };
    let id = &step.id.value;
    let mut problems = Vec::new();
    if source.timestamps().is_none() {
        let message = format!("the records of `{id}` have no time that a watermark could be made of");
        let hint = match source.capabilities().timestamp_setting {
            true => format!("`timestamp` in [source.{id}] names a column (`format = \"csv\"`) or a field (`format = \"jsonl\"`)"),
            false => format!("leave `watermark` out: a `{}` source gives none", source.connector()),
        };
        problems.push(Problem::new(watermark.span.clone(), message).hint(hint));
    }
    if let Some(order) = watermark.order.as_ref().filter(|_| !source.reads_in_order()) {
        let message = format!("`{id}` does not read what it reads in the order of names");
        problems.push(Problem::new(order.clone(), message).hint("leave `order` out; files without `follow` are read so"));
    }
    problems
}

/// Who tells a vertex its event time: the sources and operators with `watermark` whose records come to it through no other operator with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Somebody does.
    pub by_somebody: bool,
    /// Sources that tell none before their end, which is waited for.
    pub not_by: BTreeSet<usize>,
}

impl Told {
    /// Those that never end, or those that do.
    pub fn not_by<'g>(&self, graph: &'g JobGraph, is_endless: bool) -> Vec<&'g Vertex> {
        self.not_by.iter().map(|&source| &graph.vertices[source]).filter(|source| self::is_endless(source) == is_endless).collect()
    }
}

/// True for a source that never ends.
pub(crate) fn is_endless(vertex: &Vertex) -> bool {
    matches!(&vertex.kind, VertexKind::Source { source, .. } if !source.capabilities().bounded)
}

/// Who tells `vertex` its event time.
pub(crate) fn told(graph: &JobGraph, vertex: usize) -> Told {
    let (mut told, mut seen, mut left) = (Told::default(), BTreeSet::new(), vec![vertex]);
    while let Some(to) = left.pop() {
        for from in graph.inputs(to).map(|(_, edge)| edge.from).collect::<Vec<_>>() {
            if graph.vertices[from].watermark.is_some() {
                told.by_somebody = true;
            } else if seen.insert(from) {
                match graph.vertices[from].kind {
                    VertexKind::Source { .. } => _ = told.not_by.insert(from),
                    VertexKind::Operator(_) | VertexKind::Sink(_) => left.push(from),
                }
            }
        }
    }
    told
}

/// All vertices that records of a vertex may have come through.
pub(crate) fn in_front_of(graph: &JobGraph, vertex: usize) -> BTreeSet<usize> {
    let (mut found, mut left) = (BTreeSet::new(), vec![vertex]);
    while let Some(to) = left.pop() {
        let from = graph.edges.iter().filter(|edge| edge.to == to).map(|edge| edge.from);
        left.extend(from.filter(|&from| found.insert(from)));
    }
    found
}
