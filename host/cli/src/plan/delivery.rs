//! What becomes of a record after a failure, for each way from a source to a sink.

use serde::Serialize;
use weir_engine::checkpoint::CheckpointMode;
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, JobGraph, VertexKind};
use weir_engine::sink::Delivery;

/// What a path promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanPath {
    /// The source.
    pub source: String,
    /// The sink.
    pub sink: String,
    /// What becomes of a record after a failure.
    pub delivery: PathDelivery,
    /// Why.
    pub why: String,
}

/// What becomes of a record after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathDelivery {
    /// It shows once.
    ExactlyOnce,
    /// It may show again.
    MayRepeat,
    /// It may be lost.
    MayLose,
    /// Some may show again, some may be lost.
    MayRepeatOrLose,
}

impl PathDelivery {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly-once",
            Self::MayRepeat => "may repeat",
            Self::MayLose => "may lose",
            Self::MayRepeatOrLose => "may repeat or lose",
        }
    }
}

/// One entry for each source and sink that a record can travel between.
pub(super) fn paths(graph: &JobGraph, mode: CheckpointMode) -> Vec<PlanPath> {
    let mut paths = Vec::new();
    for (from, vertex) in graph.vertices.iter().enumerate() {
        let VertexKind::Source { source, .. } = &vertex.kind else { continue };
        for to in reachable(graph, from) {
            let VertexKind::Sink(sink) = &graph.vertices[to].kind else { continue };
            let merging = match mode {
                CheckpointMode::ExactlyOnce => None,
                CheckpointMode::AtLeastOnce => merging(graph, from, to),
            };
            let (delivery, why) = delivery(&vertex.id, source.capabilities().replayable, &graph.vertices[to].id, sink.delivery(), merging);
            paths.push(PlanPath { source: vertex.id.clone(), sink: graph.vertices[to].id.clone(), delivery, why });
        }
    }
    paths
}

/// The vertices behind `from`, ascending. Vertices are in topological order, so one pass finds all.
fn reachable(graph: &JobGraph, from: usize) -> Vec<usize> {
    let mut reached = vec![false; graph.vertices.len()];
    reached[from] = true;
    for vertex in from..graph.vertices.len() {
        if reached[vertex] {
            graph.outputs(vertex).for_each(|(_, edge)| reached[edge.to] = true);
        }
    }
    (0..reached.len()).filter(|&vertex| vertex != from && reached[vertex]).collect()
}

/// The first vertex between `from` and `to`, that one included, whose subtasks have several input channels.
fn merging(graph: &JobGraph, from: usize, to: usize) -> Option<&str> {
    let of_edge = |edge: &Edge| match edge.partitioning {
        Partitioning::Forward => 1,
        Partitioning::Key | Partitioning::Rebalance | Partitioning::Broadcast => graph.vertices[edge.from].parallelism,
    };
    let between = reachable(graph, from).into_iter().filter(|&vertex| vertex == to || reachable(graph, vertex).contains(&to));
    let mut merging = between.filter(|&vertex| graph.inputs(vertex).map(|(_, edge)| of_edge(edge)).sum::<u32>() > 1);
    merging.next().map(|vertex| graph.vertices[vertex].id.as_str())
}

/// `merging`: a vertex on the way that has several channels and holds none of them back from its barrier.
fn delivery(source: &str, replayable: bool, sink: &str, of_sink: Delivery, merging: Option<&str>) -> (PathDelivery, String) {
    let lost = (!replayable).then(|| format!("`{source}` cannot be read again: what it had given since the last checkpoint is lost"));
    let shown = (of_sink == Delivery::MayRepeat)
        .then(|| format!("`{sink}` shows records before their checkpoint is complete: they are written again"));
    let merged = merging.map(|vertex| {
        format!("`{vertex}` has several input channels, and at-least-once it works on behind a barrier: what it did there is done again")
    });
    let delivery = match (lost.is_some(), shown.is_some() || merged.is_some()) {
        (false, false) => PathDelivery::ExactlyOnce,
        (false, true) => PathDelivery::MayRepeat,
        (true, false) => PathDelivery::MayLose,
        (true, true) => PathDelivery::MayRepeatOrLose,
    };
    let reasons: Vec<_> = [lost, shown, merged].into_iter().flatten().collect();
    if reasons.is_empty() {
        let why = format!("`{source}` is read again from the checkpoint, `{sink}` shows what a complete checkpoint covers");
        return (delivery, why);
    }
    (delivery, reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_once_needs_both_ends() {
        let check = |replayable, of_sink| delivery("in", replayable, "out", of_sink, None).0;
        assert_eq!(check(true, Delivery::ExactlyOnce), PathDelivery::ExactlyOnce);
        assert_eq!(check(true, Delivery::MayRepeat), PathDelivery::MayRepeat);
        assert_eq!(check(false, Delivery::ExactlyOnce), PathDelivery::MayLose);
        assert_eq!(check(false, Delivery::MayRepeat), PathDelivery::MayRepeatOrLose);
    }
}
