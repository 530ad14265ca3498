//! Where event time comes from: the steps in front of one, and watermarks that a source cannot make, without times, or without the order that they are to rest on.

use crate::job_file::{Problem, SourceStep};
use std::collections::BTreeSet;
use weir_engine::Source;
use weir_engine::job::JobGraph;

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

/// Whether a vertex that records of `vertex` may have come through makes watermarks.
pub(crate) fn is_told_in_front_of(graph: &JobGraph, vertex: usize) -> bool {
    in_front_of(graph, vertex).into_iter().any(|before| graph.vertices[before].watermark.is_some())
}

/// All vertices that records of a vertex may have come through.
pub(super) fn in_front_of(graph: &JobGraph, vertex: usize) -> BTreeSet<usize> {
    let (mut found, mut left) = (BTreeSet::new(), vec![vertex]);
    while let Some(to) = left.pop() {
        let from = graph.edges.iter().filter(|edge| edge.to == to).map(|edge| edge.from);
        left.extend(from.filter(|&from| found.insert(from)));
    }
    found
}
