//! Replays of small jobs: what an operator is given in which order, and how two versions of it are told apart.

mod bench;
mod call_logs;
mod counts;
mod lifetimes;
mod odd_sources;
mod time;
mod timed;

use super::*;
use crate::element::RecordBatch;
use crate::error::EngineError;
use crate::exchange::Partitioning::{Broadcast, Forward, Key};
use crate::job::{JobGraph, VertexKind};
use crate::runtime::Simulator;
use crate::state::StateBackendFactory;
use crate::state::conformance::{FaultyBackendFactory, StateFaultPlan};
use bench::{COUNT, Count, OPERATOR, SEEN, TIMES, beginning, checkpoint, counting, edge, graph, source, words};
use futures_util::FutureExt;
use std::sync::Arc;

fn now<T>(future: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    future.now_or_never().expect("nothing here waits")
}

fn values(batch: &RecordBatch) -> String {
    batch.values().iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// The next records; time that comes in front of them is passed over.
fn next_records(upstream: &mut Upstream) -> Result<Option<ReplayInput>, EngineError> {
    loop {
        match now(upstream.next())? {
            Some(Given::Records(input)) => return Ok(Some(input)),
            Some(Given::Watermark(_)) => {}
            None => return Ok(None),
        }
    }
}

/// What the operator at `vertex` is given, batch by batch: `number/edge: words`.
fn given(graph: &JobGraph, vertex: usize, point: &ReplayPoint, records: u64) -> Result<String, EngineError> {
    let mut upstream = now(Upstream::restore(graph, vertex, point, records))?;
    let mut lines = Vec::new();
    while let Some(ReplayInput { number, edge, batch }) = next_records(&mut upstream)? {
        lines.push(format!("{number}/{edge}: {}", values(&batch)));
    }
    Ok(lines.join(", "))
}

#[track_caller]
fn run(old: Count, new: Count, words: &'static str) -> DryRunReport {
    run_from(&beginning(), &counting(words, old), &counting(words, new)).expect("both run")
}

fn run_from(point: &ReplayPoint, old: &JobGraph, new: &JobGraph) -> Result<DryRunReport, EngineError> {
    let mut upstream = now(Upstream::restore(old, OPERATOR, point, 1_000))?;
    let mut versions = (now(IsolatedOperator::restore(old, OPERATOR, point))?, now(IsolatedOperator::restore(new, OPERATOR, point))?);
    now(dry_run(&mut upstream, (&mut versions.0, &mut versions.1), &*point.clock))
}

fn silent(words: &'static str) -> Count {
    Count { silent: words, ..Count::default() }
}

fn fails(words: &'static str) -> Count {
    Count { fails: words, ..Count::default() }
}

#[test]
fn sources_take_turns_and_what_lies_between_runs_too() {
    let count = |count: Count| VertexKind::Operator(count.factory());
    let vertices = vec![
        ("left", source("a1 b1 a2 b2 a3")),
        ("right", source("x1 x2 x3")),
        ("aside", source("n1")),
        ("between", count(silent("b1"))),
        ("subject", count(Count::default())),
        ("other", count(fails("n1"))),
    ];
    let edges = [edge(0, 3, 0, Key), edge(3, 4, 0, Forward), edge(1, 4, 0, Forward), edge(2, 5, 0, Forward), edge(3, 5, 0, Key)];
    let graph = graph(vertices, edges);
    let all = "0/1: a1=1, 1/2: x1 x2, 2/1: a2=2 b2=2, 3/2: x3, 4/1: a3=3";
    assert_eq!(given(&graph, 4, &beginning(), 100).unwrap(), all);
    assert_eq!(given(&graph, 4, &beginning(), 100).unwrap(), all);
    assert_eq!(given(&graph, 4, &beginning(), 4).unwrap(), "0/1: a1=1, 1/2: x1 x2, 2/1: a2=2");
    assert_eq!(given(&graph, 4, &beginning(), 0).unwrap(), "");
}

#[test]
fn a_checkpoint_gives_its_records_in_flight_first_and_then_what_was_not_read() {
    let graph = counting("a1 b1 a2 b2 a3", Count::default());
    assert_eq!(given(&graph, OPERATOR, &checkpoint(&graph, 3, "b9 a9"), 100).unwrap(), "0/0: b9 a9, 1/0: b2 a3");
    assert_eq!(given(&graph, OPERATOR, &checkpoint(&graph, 3, ""), 100).unwrap(), "0/0: b2 a3");
}

#[test]
fn an_operator_goes_on_with_the_state_of_the_checkpoint() {
    let graph = counting("a1", Count::default());
    let point = checkpoint(&graph, 0, "");
    let mut upstream = now(Upstream::restore(&graph, OPERATOR, &point, 10)).unwrap();
    let mut operator = now(IsolatedOperator::restore(&graph, OPERATOR, &point)).unwrap();
    let input = next_records(&mut upstream).unwrap().expect("a word");
    let before = now(operator.contents_of(input.edge, &input.batch)).unwrap();
    let held = |state| before.held[&(state, b"a".to_vec())].clone();
    assert_eq!((held(COUNT), held(SEEN)), (Held::Value(vec![3]), Held::List(vec![b"a0".to_vec(); 3])));
    assert_eq!(held(TIMES), Held::Map(vec![(b"a0".to_vec(), vec![3])]));
    assert_eq!(values(now(operator.process(input.edge, &input.batch)).unwrap()[0].1.batch()), "a1=4");
}

#[test]
fn effects_tell_what_was_emitted_and_what_changed_and_a_failure_changes_nothing() {
    let graph = counting("a1 b1 a2", fails("b1"));
    let point = checkpoint(&graph, 0, "");
    let mut upstream = now(Upstream::restore(&graph, OPERATOR, &point, 10)).unwrap();
    let mut operator = now(IsolatedOperator::restore(&graph, OPERATOR, &point)).unwrap();
    let mut all = Vec::new();
    while let Some(input) = next_records(&mut upstream).unwrap() {
        all.extend((0..input.batch.len()).map(|record| now(effects_of(&mut operator, &input, record)).unwrap()));
    }
    assert_eq!(all.iter().map(|one| (one.batch, one.record, one.outputs.len())).collect::<Vec<_>>(), [(0, 0, 1), (0, 1, 0), (1, 0, 1)]);
    assert_eq!((all[0].input.as_str(), all[0].key.as_deref(), all[0].given.value.as_deref()), ("words", Some(&b"a"[..]), Some(&b"a1"[..])));
    let change =
        StateChange { state: "count".into(), key: b"a".to_vec(), before: Some(Held::Value(vec![3])), after: Some(Held::Value(vec![4])) };
    assert_eq!((all[0].changes.len(), &all[0].changes[0]), (3, &change));
    assert!(all[1].changes.is_empty() && all[1].error.as_ref().is_some_and(|error| error.to_string() == "count: cannot take b1"));
    assert_eq!(all[2].outputs[0].record.value.as_deref(), Some(&b"a2=5"[..]));
}

#[test]
fn state_of_another_version_and_a_changed_job_are_refused_by_name() {
    let graph = counting("a1", Count::default());
    let point = checkpoint(&graph, 0, "");
    let newer = counting("a1", Count { version: 2, ..Count::default() });
    let refused = run_from(&point, &graph, &newer).unwrap_err();
    assert!(refused.to_string().contains("count.count: version 0 in the checkpoint, version 2 in the job"), "{refused}");
    point.check(&graph).expect("it is the same job");
    let refused = point.check(&counting("b1", Count::default())).unwrap_err();
    assert!(refused.to_string().contains("replay from checkpoint 1: the job has changed\n  in: settings"), "{refused}");
}

/// Keeps the same in another way.
fn wide() -> Count {
    Count { version: 1, wide: true, ..Count::default() }
}

#[test]
fn a_version_that_keeps_the_same_in_another_way_agrees_and_what_it_does_otherwise_is_told() {
    let words = "a1 b1 a2 c1 a3";
    let (old, new) = (counting(words, Count::default()), counting(words, wide()));
    for point in [beginning(), checkpoint(&old, 1, "b9")] {
        let report = run_from(&point, &old, &new).expect("both run");
        assert!(report.agrees() && report.records_in >= 5, "{report:?}");
    }
    let report = run(fails("a2"), wide(), words);
    let differ: Vec<_> = report.states.iter().map(|state| [state.only_old, state.only_new, state.different]).collect();
    assert_eq!(differ, [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]]);
    // Both as the new version has it.
    let count = &report.states[COUNT].examples[0];
    assert_eq!((&count.old, &count.new), (&Some(Held::Value(b"~\x02".to_vec())), &Some(Held::Value(b"~\x03".to_vec()))));
}

#[test]
fn broadcast_state_of_an_older_version_is_migrated_too() {
    let job = |count: Count| {
        let vertices = vec![("in", source("a1 a2")), ("count", VertexKind::Operator(count.factory())), ("rules", source("r1 r2 r3"))];
        graph(vertices, [edge(0, 1, 0, Key), edge(2, 1, 1, Broadcast)])
    };
    assert!(run_from(&beginning(), &job(Count::default()), &job(wide())).expect("both run").agrees());
}

#[test]
fn a_version_agrees_with_itself() {
    let report = run(Count::default(), Count::default(), "a1 b1 a2 c1 a3");
    assert!(report.agrees() && !report.gave_up, "{report:?}");
    assert_eq!((report.records_in, report.batches, report.old.failures, report.old.fuel), (5, 3, 0, None));
    assert_eq!(report.states.iter().map(|state| state.name.as_str()).collect::<Vec<_>>(), ["count", "seen", "times", "rules"]);
}

#[test]
fn outputs_that_differ_are_counted_and_shown() {
    let report = run(silent("b1"), silent("a2"), "a1 b1 a2 c1 a3");
    let out = &report.outputs[0];
    assert_eq!((out.name.as_str(), out.only_old, out.only_new, out.different), ("out", 1, 1, 0));
    let shown = |emitted: &Option<EmittedRecord>| {
        emitted.as_ref().map(|emitted| String::from_utf8_lossy(emitted.value.as_deref().unwrap_or_default()).into_owned())
    };
    let examples: Vec<_> = out.examples.iter().map(|example| (example.key.clone(), shown(&example.old), shown(&example.new))).collect();
    assert_eq!(examples, [(Some(b"b".to_vec()), None, Some("b1=1".into())), (Some(b"a".to_vec()), Some("a2=2".into()), None)]);
    assert!(!report.agrees() && report.states.iter().all(Differences::is_empty));
}

#[test]
fn a_record_that_a_version_fails_on_leaves_nothing_behind_and_the_rest_goes_on() {
    let report = run(Count::default(), fails("a2 b1"), "a1 b1 a2 c1 a3");
    assert_eq!((report.old.failures, report.new.failures), (0, 2));
    let FailedRecord { batch, record, message } = &report.new.examples[1];
    let second = RecordOfBatch { place: 0, key: Some(b"a".to_vec()), value: Some(b"a2".to_vec()) };
    assert_eq!((batch, record), (&1, &Some(second)));
    assert_eq!(message, "count: cannot take a2");
    let differ: Vec<_> = report.states.iter().map(|state| [state.only_old, state.only_new, state.different]).collect();
    // Of `b` the new version has nothing, of `a` one less.
    assert_eq!(differ, [[1, 0, 1], [1, 0, 1], [1, 0, 1], [0, 0, 0]]);
    let seen = &report.states[SEEN].examples[0];
    assert_eq!(seen.new, Some(Held::List(vec![b"a1".to_vec(), b"a3".to_vec()])));
    // a3 is the third of its key in one and the second in the other.
    assert_eq!([report.outputs[0].only_old, report.outputs[0].different], [2, 1]);
}

#[test]
fn versions_that_fail_on_the_same_records_agree() {
    let report = run(fails("a2"), fails("a2"), "a1 b1 a2 c1 a3");
    assert!(report.agrees() && report.failures_agree && report.new.failures == 1, "{report:?}");
    let report = run(Count { silent: "a2", ..fails("") }, fails("a2"), "a1 b1 a2 c1 a3");
    assert!(!report.failures_agree && !report.agrees());
}

#[test]
fn a_version_that_keeps_failing_is_given_up() {
    let words: &'static str = Box::leak("a1 ".repeat(300).into_boxed_str());
    let report = run(Count::default(), fails("a1"), words);
    assert!(report.gave_up && report.new.failures == 100 && report.records_in == 100, "{report:?}");
}

#[test]
fn broadcast_state_is_compared_and_put_back_after_a_failure() {
    let job = |count: Count| {
        let vertices = vec![("in", source("a1 a2")), ("count", VertexKind::Operator(count.factory())), ("rules", source("r1 r2 r3"))];
        graph(vertices, [edge(0, 1, 0, Key), edge(2, 1, 1, Broadcast)])
    };
    let report = run_from(&beginning(), &job(Count::default()), &job(fails("r2"))).unwrap();
    let rules = &report.states[3];
    assert_eq!((rules.only_old, rules.only_new, rules.different), (1, 0, 0), "{report:?}");
    assert_eq!((rules.examples[0].key.as_deref(), report.new.failures), (Some(&b"r2"[..]), 1));
    assert!(run_from(&beginning(), &job(fails("r2")), &job(fails("r2"))).unwrap().agrees());
}

#[test]
fn a_call_whose_states_cannot_be_fetched_names_the_operator_once_as_one_that_fails_does() {
    let plan = StateFaultPlan { prefetch: 1_000, ..StateFaultPlan::default() };
    let failing: Arc<dyn StateBackendFactory> = Arc::new(FaultyBackendFactory::new(Simulator::new(1), plan));
    for (backends, says) in [(failing, "injected failure"), (beginning().backends, "cannot take a1")] {
        let graph = counting("a1", fails("a1"));
        let point = ReplayPoint { backends, ..beginning() };
        let mut operator = now(IsolatedOperator::restore(&graph, OPERATOR, &point)).unwrap();
        let error = now(operator.process(0, &Arc::new(words("a1")))).unwrap_err().to_string();
        assert!(error.starts_with("count: ") && error.matches("count: ").count() == 1 && error.contains(says), "{error}");
    }
}
