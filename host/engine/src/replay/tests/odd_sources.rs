//! Sources that a replay must not wait for, read without end, or read at all.

use super::bench::{Count, beginning, edge, graph, split};
use super::timed;
use super::{Given, ReplayPoint, Upstream, values};
use crate::error::EngineError;
use crate::exchange::Partitioning::Forward;
use crate::job::{JobGraph, Vertex, VertexKind};
use crate::runtime::{ConnectorIo, Simulator};
use crate::source::{ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitProgress, SplitState};
use crate::time::WatermarkSettings;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
enum Odd {
    /// Gives `a1` without end.
    Endless,
    /// Gives `a1` after it had nothing three times, and then nothing for ever.
    Slow,
    /// The same, of a split that it does not say it has caught up with.
    Stalling,
    /// Has no splits, and gives nothing.
    Splitless,
    /// Gives what cannot be read again.
    Unreplayable,
}

struct OddReader {
    kind: Odd,
    polls: u32,
}

impl Source for Odd {
    fn connector(&self) -> &'static str {
        "odd"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities { replayable: *self != Self::Unreplayable, ..Default::default() }
    }

    fn identity(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok(vec![split(SplitProgress::Unread)])).boxed()
    }

    fn verify<'a>(&'a self, _splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, _splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(OddReader { kind: *self, polls: 0 }))
    }
}

impl SourceReader for OddReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, _max: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        self.polls += 1;
        let is_slow = matches!(self.kind, Odd::Slow | Odd::Stalling) && self.polls != 4;
        if is_slow || self.kind == Odd::Splitless {
            return Poll::Pending;
        }
        out.of(0).push(Some(b"a"), b"a1", None);
        Poll::Ready(Ok(ReadStatus::More))
    }

    fn splits(&self) -> Vec<SplitState> {
        if self.kind == Odd::Stalling { vec![split(SplitProgress::Unread)] } else { Vec::new() }
    }
}

/// A source in front of two operators, the first of which is this one.
fn job(source: Odd, between: Count) -> JobGraph {
    let operator = |count: Count| VertexKind::Operator(count.factory());
    let source = VertexKind::Source { source: Arc::new(source), rate: None };
    let vertices = vec![("in", source), ("between", operator(between)), ("subject", operator(Count::default()))];
    graph(vertices, [edge(0, 1, 0, Forward), edge(1, 2, 0, Forward)])
}

/// All that an operator behind `between` is given from `source`, on simulated time.
#[track_caller]
fn given(source: Odd, between: Count, records: u64) -> Result<Vec<String>, EngineError> {
    given_in(job(source, between), records)
}

/// All that operator 2 of `graph` is given, on simulated time, and which sources have stalled.
#[track_caller]
fn given_in(graph: JobGraph, records: u64) -> Result<Vec<String>, EngineError> {
    let simulator = Simulator::new(1);
    let runtime = simulator.runtime();
    let point = ReplayPoint { io: ConnectorIo::of(&runtime), clock: runtime.clock, ..beginning() };
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let replayed = async move {
        let mut upstream = Upstream::restore(&graph, 2, &point, records).await?;
        let mut all = Vec::new();
        while let Some(given) = upstream.next().await? {
            match given {
                Given::Records(input) => all.push(values(&input.batch)),
                Given::Watermark(time) => all.push(format!("@{time}")),
            }
        }
        all.extend(upstream.stalled().into_iter().map(|source| format!("{source} stalled")));
        Ok(all)
    };
    simulator.run(replayed.map(move |replayed| *slot.lock().unwrap() = Some(replayed)).boxed(), 1_000_000);
    result.lock().unwrap().take().expect("the replay has an end")
}

#[test]
fn a_source_that_has_nothing_is_waited_for_and_then_left() {
    assert_eq!(given(Odd::Slow, Count::default(), 10).unwrap(), ["a1"]);
}

#[test]
fn one_that_stalls_is_named_and_holds_time_back() {
    let watermark = || Some(WatermarkSettings { idle_after: Some(Duration::from_secs(1)), ..WatermarkSettings::default() });
    let with_another = |odd: Odd| {
        let mut graph = job(odd, Count::default());
        graph.vertices[0].watermark = watermark();
        graph.vertices.push(Vertex { watermark: watermark(), ..timed::source("other", "b5 b9", false) });
        graph.edges.push(edge(3, 2, 0, Forward));
        given_in(graph, 10).unwrap()
    };
    assert_eq!(with_another(Odd::Stalling), ["a1", "b5 b9", "in stalled"]);
    // One without splits has nothing that could be waited for.
    assert_eq!(with_another(Odd::Splitless), ["b5 b9", "@8"]);
}

#[test]
fn a_source_is_not_read_without_end_where_nothing_of_it_comes_through() {
    let silent = Count { silent: "a1", ..Count::default() };
    assert_eq!(given(Odd::Endless, silent, 2).unwrap(), [""; 0]);
    assert_eq!(given(Odd::Endless, Count::default(), 2).unwrap(), ["a1", "a1"]);
}

#[test]
fn a_source_that_cannot_be_read_again_is_refused_by_name() {
    let refused = given(Odd::Unreplayable, Count::default(), 1).unwrap_err();
    assert_eq!(refused.to_string(), "in: a source that cannot be read again cannot be replayed");
}
