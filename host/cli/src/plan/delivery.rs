//! What becomes of a record after a failure, for each way from a source to a sink.

use crate::job_file::duration_text;
use serde::Serialize;
use weir_engine::checkpoint::CheckpointMode;
use weir_engine::job::Partitioning;
use weir_engine::job::{Edge, JobGraph, VertexKind};
use weir_engine::outbox::Atomicity;
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
            let of_sink = SinkPromise { delivery: sink.delivery(), atomicity: sink.outbox().map(|target| target.atomicity()) };
            let (delivery, why) = delivery(&vertex.id, source.capabilities().replayable, &graph.vertices[to].id, of_sink, merging);
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

/// What a sink says of itself.
#[derive(Clone, Copy)]
struct SinkPromise {
    delivery: Delivery,
    /// Of the target of its outbox, where it has one.
    atomicity: Option<Atomicity>,
}

impl SinkPromise {
    /// On what its promise rests beside the checkpoint: its target's memory, where that has no transactions.
    fn condition(self, sink: &str) -> Option<String> {
        let leaves_out = format!("the target of `{sink}` has no transactions and leaves out records whose ids it has seen");
        match self.atomicity? {
            Atomicity::Transactions => None,
            Atomicity::IdsRemembered { remembered: None } => Some(leaves_out),
            Atomicity::IdsRemembered { remembered: Some(remembered) } => {
                let time = duration_text(remembered);
                Some(format!(
                    "{leaves_out} within {time}: what it has of a chunk is there twice, and behind newer records, where publishing breaks off in it and goes on later"
                ))
            }
        }
    }
}

/// `merging`: a vertex on the way that has several channels and holds none of them back from its barrier.
fn delivery(source: &str, replayable: bool, sink: &str, of_sink: SinkPromise, merging: Option<&str>) -> (PathDelivery, String) {
    let lost = (!replayable).then(|| format!("`{source}` cannot be read again: what it had given since the last checkpoint is lost"));
    let shown = (of_sink.delivery == Delivery::MayRepeat)
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
    let nothing = || format!("`{source}` is read again from the checkpoint, `{sink}` shows what a complete checkpoint covers");
    let fine = (delivery == PathDelivery::ExactlyOnce).then(nothing);
    let reasons: Vec<_> = [fine, lost, shown, merged, of_sink.condition(sink)].into_iter().flatten().collect();
    (delivery, reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_once_needs_both_ends() {
        let check = |replayable, delivery| super::delivery("in", replayable, "out", SinkPromise { delivery, atomicity: None }, None).0;
        assert_eq!(check(true, Delivery::ExactlyOnce), PathDelivery::ExactlyOnce);
        assert_eq!(check(true, Delivery::MayRepeat), PathDelivery::MayRepeat);
        assert_eq!(check(false, Delivery::ExactlyOnce), PathDelivery::MayLose);
        assert_eq!(check(false, Delivery::MayRepeat), PathDelivery::MayRepeatOrLose);
    }

    #[track_caller]
    fn check_condition(atomicity: Option<Atomicity>, expect: Option<&str>) {
        let of_sink = SinkPromise { delivery: Delivery::ExactlyOnce, atomicity };
        let (delivery, why) = delivery("in", true, "out", of_sink, None);
        let plain = "`in` is read again from the checkpoint, `out` shows what a complete checkpoint covers";
        let expect = expect.map_or(plain.to_owned(), |condition| format!("{plain}; {condition}"));
        assert_eq!((delivery, why), (PathDelivery::ExactlyOnce, expect));
    }

    #[test]
    fn of_a_target_without_transactions_it_is_said_for_how_long_it_remembers_what_it_has() {
        check_condition(None, None);
        check_condition(Some(Atomicity::Transactions), None);
        let leaves_out = "the target of `out` has no transactions and leaves out records whose ids it has seen";
        check_condition(Some(Atomicity::IdsRemembered { remembered: None }), Some(leaves_out));
        let remembered = Some(std::time::Duration::from_secs(24 * 3600));
        let within = format!(
            "{leaves_out} within 1day: what it has of a chunk is there twice, and behind newer records, where publishing breaks off in it and goes on later"
        );
        check_condition(Some(Atomicity::IdsRemembered { remembered }), Some(&within));
    }
}
