//! Sources that a replay must not wait for, read without end, or read at all.

use super::bench::{Count, beginning, edge, graph, split};
use super::{Given, ReplayPoint, Upstream, values};
use crate::error::EngineError;
use crate::exchange::Partitioning::Forward;
use crate::job::{JobGraph, VertexKind};
use crate::runtime::{ConnectorIo, Simulator};
use crate::source::{ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitProgress, SplitState};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

#[derive(Clone, Copy, PartialEq)]
enum Odd {
    /// Gives `a1` without end.
    Endless,
    /// Gives `a1` after it had nothing three times, and then nothing for ever.
    Slow,
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
        if self.kind == Odd::Slow && self.polls != 4 {
            return Poll::Pending;
        }
        out.of(0).push(Some(b"a"), b"a1", None);
        Poll::Ready(Ok(ReadStatus::More))
    }

    fn splits(&self) -> Vec<SplitState> {
        Vec::new()
    }
}

/// All that an operator behind `between` is given from `source`, on simulated time.
#[track_caller]
fn given(source: Odd, between: Count, records: u64) -> Result<Vec<String>, EngineError> {
    let operator = |count: Count| VertexKind::Operator(count.factory());
    let source = VertexKind::Source { source: Arc::new(source), rate: None };
    let graph: JobGraph = graph(
        vec![("in", source), ("between", operator(between)), ("subject", operator(Count::default()))],
        [edge(0, 1, 0, Forward), edge(1, 2, 0, Forward)],
    );
    let simulator = Simulator::new(1);
    let runtime = simulator.runtime();
    let point = ReplayPoint { io: ConnectorIo::of(&runtime), clock: runtime.clock, ..beginning() };
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let replayed = async move {
        let mut upstream = Upstream::restore(&graph, 2, &point, records).await?;
        let mut all = Vec::new();
        while let Some(given) = upstream.next().await? {
            let Given::Records(input) = given else { continue };
            all.push(values(&input.batch));
        }
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
