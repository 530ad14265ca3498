//! Sources that a replay must not wait for, read without end, or read at all.

use super::bench::{Count, beginning, graph, split};
use super::{ReplayPoint, Upstream, values};
use crate::element::BatchBuilder;
use crate::error::EngineError;
use crate::exchange::Partitioning::Forward;
use crate::job::{JobGraph, VertexKind};
use crate::operator::Subtask;
use crate::runtime::Simulator;
use crate::source::{ReadStatus, Source, SourceCapabilities, SourceReader, SplitProgress, SplitState};
use futures_util::FutureExt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

#[derive(Clone, Copy, PartialEq)]
enum Odd {
    /// Gives `a1` without end,
    Endless,
    /// `a1` after it had nothing three times, and then nothing for ever,
    Slow,
    /// and what cannot be read again.
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

    fn discover(&self, _parallelism: u32) -> Result<Vec<SplitState>, EngineError> {
        Ok(vec![split(SplitProgress::Unread)])
    }

    fn verify(&self, _splits: &[SplitState]) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    fn reader(&self, _subtask: &Subtask, _splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(OddReader { kind: *self, polls: 0 }))
    }
}

impl SourceReader for OddReader {
    fn poll_read(&mut self, _cx: &mut Context<'_>, _max: usize, out: &mut BatchBuilder) -> Poll<Result<ReadStatus, EngineError>> {
        self.polls += 1;
        if self.kind == Odd::Slow && self.polls != 4 {
            return Poll::Pending;
        }
        out.push(Some(b"a"), b"a1", None);
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
        &[(0, 1, 0, Forward), (1, 2, 0, Forward)],
    );
    let simulator = Simulator::new(1);
    let point = ReplayPoint { clock: simulator.runtime().clock, ..beginning() };
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let replayed = async move {
        let mut upstream = Upstream::restore(&graph, 2, &point, records).await?;
        let mut all = Vec::new();
        while let Some(input) = upstream.next().await? {
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
