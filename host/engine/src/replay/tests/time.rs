//! Time in replays and dry runs: it comes as far as the records bring it, windows and timers fire by it, and each says what came of it.

use super::bench::{GROUPS, beginning, edge};
use super::timed::{Counter, push, source, two_splits};
use super::{now, values};
use crate::element::{BatchBuilder, END_OF_TIME, key_hash};
use crate::exchange::Partitioning::{Forward, Key};
use crate::job::{JobGraph, Vertex, VertexKind};
use crate::operator::{CallKind, FiredTimers, OperatorCall, OperatorDescriptor};
use crate::replay::{
    DryRunReport, Fired, FiredBy, FiringEffects, Given, IsolatedOperator, LoggedSubtask, Upstream, dry_run, effects_of, next_firing,
};
use crate::state::{Window, WindowKind, WindowReason, WindowSettings, unit_hash};
use crate::time::WatermarkSettings;
use std::sync::Arc;
use std::time::Duration;

/// Words that are counted in windows, or with timers where there are none.
pub fn counting(source: Vertex, counter: Counter, window: Option<WindowKind>) -> JobGraph {
    let window = window.map(WindowSettings::new);
    let count = Vertex { window, ..Vertex::new("count", 1, VertexKind::Operator(Arc::new(counter))) };
    JobGraph { name: "job".into(), max_parallelism: GROUPS, vertices: vec![source, count], edges: vec![edge(0, 1, 0, Key)] }
}

const TUMBLING: Option<WindowKind> = Some(WindowKind::Tumbling { size: 10, offset: 0 });

/// What the operator at `vertex` is given.
fn given(graph: &JobGraph, vertex: usize, records: u64) -> String {
    let mut upstream = now(Upstream::restore(graph, vertex, &beginning(), records)).unwrap();
    let mut all = Vec::new();
    while let Some(given) = now(upstream.next()).unwrap() {
        all.push(match given {
            Given::Records(input) => values(&input.batch),
            Given::Watermark(time) if time == END_OF_TIME.0 => "@end".to_owned(),
            Given::Watermark(time) => format!("@{time}"),
        });
    }
    all.join(" ")
}

#[test]
fn time_comes_as_far_as_the_records_bring_it_and_to_its_end_where_the_input_has_one() {
    let graph = |ends| counting(source("in", "a5 b3 a9", ends), Counter::new(false), TUMBLING);
    assert_eq!(given(&graph(true), 1, 100), "a5 b3 @4 a9 @8 @end");
    assert_eq!(given(&graph(false), 1, 100), "a5 b3 @4 a9 @8");
    // What was not asked for brings no time.
    assert_eq!([0, 1, 2].map(|records| given(&graph(true), 1, records)), ["", "a5 @4", "a5 b3 @4"]);
}

#[test]
fn the_slowest_source_holds_time_back_until_it_has_ended_or_is_idle() {
    let graph = |slow: Vertex| {
        let mut graph = counting(source("in", "a5 a6 a7 a8 a9", true), Counter::new(false), TUMBLING);
        graph.vertices.push(slow);
        graph.edges.push(edge(2, 1, 0, Key));
        graph
    };
    let idle = |idle_after| Vertex {
        watermark: Some(WatermarkSettings { idle_after, ..WatermarkSettings::default() }),
        ..source("slow", "b1 b2 b3", false)
    };
    assert_eq!(given(&graph(source("slow", "b1 b2 b3", true)), 1, 100), "a5 a6 b1 b2 @1 a7 a8 b3 @2 a9 @8 @end");
    assert_eq!(given(&graph(idle(None)), 1, 100), "a5 a6 b1 b2 @1 a7 a8 b3 @2 a9");
    assert_eq!(given(&graph(idle(Some(Duration::from_secs(60)))), 1, 100), "a5 a6 b1 b2 @1 a7 a8 b3 @2 a9 @8");
    // One without watermarks says nothing until its end.
    let untimed = |ends| Vertex { watermark: None, ..source("slow", "b1", ends) };
    assert_eq!(given(&graph(untimed(true)), 1, 100), "a5 a6 b1 a7 a8 @7 a9 @8 @end");
    assert_eq!(given(&graph(untimed(false)), 1, 100), "a5 a6 b1 a7 a8 a9");
}

#[test]
fn a_source_that_is_idle_together_with_a_split_without_records_holds_nobody_back() {
    let idle = WatermarkSettings { idle_after: Some(Duration::from_secs(60)), ..WatermarkSettings::default() };
    let mut graph = counting(source("in", "a5 a6 a7 a8 a9", true), Counter::new(false), TUMBLING);
    graph.vertices.push(Vertex { watermark: Some(idle), ..two_splits("slow", "b1 b2 b3") });
    graph.edges.push(edge(2, 1, 0, Key));
    // What the split without records has held back is told, and that it rests, before what the other source has come to.
    assert_eq!(given(&graph, 1, 100), "a5 a6 b1 b2 a7 a8 b3 a9 @2 @8");
}

/// An operator without state.
fn last() -> Vertex {
    let last = Counter::new(false).descriptor;
    let last = Counter { descriptor: OperatorDescriptor { windowed: false, states: Vec::new(), ..last }, ..Counter::new(false) };
    Vertex::new("last", 1, VertexKind::Operator(Arc::new(last)))
}

#[test]
fn what_fires_in_front_comes_ahead_of_the_watermark_and_an_operator_may_make_its_own() {
    let graph = |watermark: Option<WatermarkSettings>| {
        let mut graph = counting(source("in", "a5 b3 a19 a21", true), Counter::new(false), TUMBLING);
        graph.vertices[1].watermark = watermark;
        graph.vertices.push(last());
        graph.edges.push(edge(1, 2, 0, Forward));
        graph
    };
    assert_eq!(given(&graph(None), 2, 100), "@4 1 1 1 @20 1 @end");
    // What a window emits has its last ms for a time.
    let own = WatermarkSettings { delay: Duration::from_millis(5), ..WatermarkSettings::default() };
    assert_eq!(given(&graph(Some(own)), 2, 100), "1 @3 1 1 @13 1 @23 @end");
}

#[test]
fn an_operator_that_makes_its_own_watermarks_is_idle_once_nothing_more_comes_to_it() {
    let graph = |ends, idle_after| {
        let mut graph = counting(source("in", "a5 b3 a19", ends), Counter::new(false), TUMBLING);
        graph.vertices[1].watermark = Some(WatermarkSettings { idle_after, ..WatermarkSettings::default() });
        graph.vertices.push(last());
        graph.vertices.push(source("other", "x30 x31 x32 x33 x34", false));
        graph.edges.extend([edge(1, 2, 0, Forward), edge(3, 2, 0, Forward)]);
        given(&graph, 2, 100)
    };
    let minute = Some(Duration::from_secs(60));
    assert_eq!(graph(false, None), "x30 x31 1 @8 1 x32 x33 x34");
    assert_eq!(graph(false, minute), "x30 x31 1 @8 1 x32 x33 @32 x34 @33");
    assert_eq!(graph(true, minute), "x30 x31 1 @8 1 x32 x33 1 @18 @32 x34 @33");
}

fn of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn fired(fired: &Fired) -> String {
    let key = of(&fired.key);
    match &fired.by {
        FiredBy::Window { window: Window { start, end }, reason, revision, replaces } => {
            let reason = match reason {
                WindowReason::OnTime => "",
                WindowReason::Early => " early",
                WindowReason::Correction => " correction",
            };
            let replaces: String = replaces.iter().map(|window| format!(" for {}-{}", window.start, window.end)).collect();
            format!("{key} {start}-{end}{reason} r{revision}{replaces}")
        }
        FiredBy::Timer { name, due } => format!("{key} {name} at {due}"),
    }
}

fn shown(firing: &FiringEffects) -> String {
    let outputs: Vec<_> = firing.outputs.iter().map(|output| of(output.record.value.as_deref().unwrap_or_default())).collect();
    let fired: Vec<_> = firing.fired.iter().map(fired).collect();
    let fired = if fired.is_empty() { "closed".to_owned() } else { fired.join("+") };
    let error = firing.error.as_ref().map(|error| format!("! {error}")).unwrap_or_default();
    format!("{fired}: {}{error}", outputs.join("+"))
}

/// All that happens to the operator in a replay, up to what fires and fails: `late` stands behind a record that is.
fn replayed(graph: &JobGraph, records: u64) -> Vec<String> {
    now(async {
        let mut upstream = Upstream::restore(graph, 1, &beginning(), records).await?;
        let mut operator = IsolatedOperator::restore(graph, 1, &beginning()).await?;
        let mut all = Vec::new();
        while let Some(given) = upstream.next().await? {
            match given {
                Given::Records(input) => {
                    for record in 0..input.batch.len() {
                        let effects = effects_of(&mut operator, &input, record).await?;
                        let late = effects.outputs.iter().map(|output| format!(" {}", output.output));
                        let fired = effects.fired.iter().map(|one| format!(" ({})", fired(one)));
                        let word = of(effects.given.value.as_deref().unwrap_or_default());
                        all.push(late.chain(fired).fold(word, |text, more| text + &more));
                    }
                }
                Given::Watermark(watermark) => operator.begin_watermark(watermark),
            }
            while let Some(firing) = next_firing(&mut operator).await? {
                all.extend((!firing.is_empty()).then(|| shown(&firing)));
                if firing.error.is_some() {
                    return Ok(all);
                }
            }
        }
        Ok(all)
    })
    .unwrap()
}

#[test]
fn a_window_fires_with_what_it_gave_and_late_records_are_late() {
    let graph = counting(source("in", "a5 b3 a19 b21 a6 a22", true), Counter::new(false), TUMBLING);
    let all =
        ["a5", "b3", "a19", "b21", "a 0-10 r0: 1", "b 0-10 r0: 1", "a 10-20 r0: 1", "a6 late", "a22", "a 20-30 r0: 1", "b 20-30 r0: 1"];
    assert_eq!(replayed(&graph, 100), all);
    assert_eq!(replayed(&graph, 100), all, "two replays are the same");
    assert_eq!(replayed(&graph, 2), ["a5", "b3"], "an input that was not read whole has no end");
}

#[test]
fn what_comes_within_lateness_is_a_correction_and_a_closed_window_is_told() {
    let mut graph = counting(source("in", "a5 a12 a7 a13 a28 a40", true), Counter::new(false), TUMBLING);
    graph.vertices[1].window.as_mut().unwrap().lateness = 10;
    let all = replayed(&graph, 100);
    assert_eq!(all[..6], ["a5", "a12", "a 0-10 r0: 1", "a7", "a13", "a 0-10 correction r1: 2"]);
    assert!(all.contains(&"closed: ".to_owned()), "{all:?}");
}

#[test]
fn sessions_tell_their_bounds_and_a_count_fires_in_its_record() {
    let session = counting(source("in", "a5 a8 a30 b31", true), Counter::new(false), Some(WindowKind::Session { gap: 10 }));
    assert_eq!(replayed(&session, 100), ["a5", "a8", "a30", "b31", "a 5-18 r0: 2", "a 30-40 r0: 1", "b 31-41 r0: 1"]);
    let count = counting(source("in", "a1 b1 a2 a3", true), Counter::new(false), Some(WindowKind::Count { records: 2 }));
    let bound = i64::MIN;
    assert_eq!(replayed(&count, 100), ["a1", "b1", &format!("a2 out (a {bound}-{bound} r0)"), "a3"]);
}

#[test]
fn timers_fire_in_their_order_with_their_names() {
    let graph = counting(source("in", "a5 b3 a9 b14", true), Counter::new(true), None);
    let expect = ["a5", "b3", "a9", "b14", "b later at 8: 2", "a later at 10: 2", "a later at 14: 2", "b later at 19: 2"];
    assert_eq!(replayed(&graph, 100), expect);
}

#[test]
fn a_window_or_timer_that_the_operator_fails_on_is_told_with_its_key_and_why() {
    let job = |timers| {
        let window = if timers { None } else { TUMBLING };
        counting(source("in", "a5 b3 b4 a19 a21", true), Counter { fails: 2, ..Counter::new(timers) }, window)
    };
    let all = ["a5", "b3", "b4", "a19", "a 0-10 r0: 1", "b 0-10 r0: ! count: cannot count to 2"];
    assert_eq!(replayed(&job(false), 100), all);
    let all = ["a5", "b3", "b4", "a19", "b later at 8: ! count: cannot count to 2"];
    assert_eq!(replayed(&job(true), 100), all);
}

#[test]
fn a_closed_window_is_of_its_key_alone() {
    let mut graph = counting(source("in", "a5 b6 a12 b13 a40 b41", true), Counter::new(false), TUMBLING);
    graph.vertices[1].window.as_mut().unwrap().lateness = 10;
    let firings = now(async {
        let mut upstream = Upstream::restore(&graph, 1, &beginning(), 100).await?;
        let mut operator = IsolatedOperator::restore(&graph, 1, &beginning()).await?;
        let mut all = Vec::new();
        while let Some(given) = upstream.next().await? {
            match given {
                Given::Records(input) => _ = operator.process(input.edge, &input.batch).await?,
                Given::Watermark(watermark) => operator.begin_watermark(watermark),
            }
            while let Some(firing) = next_firing(&mut operator).await? {
                all.push(firing);
            }
        }
        Ok(all)
    })
    .unwrap();
    let closed: Vec<_> = firings.iter().filter(|firing| firing.fired.is_empty() && !firing.is_empty()).collect();
    let of = |key: &str| closed.iter().filter(|firing| firing.is_of(key.as_bytes())).count();
    assert!(closed.len() >= 2 && of("a") + of("b") == closed.len() && of("a") == of("b"), "{closed:?}");
}

fn compared(words: &'static str, old: Counter, new: Counter, window: Option<WindowKind>) -> DryRunReport {
    let job = |counter| counting(source("in", words, true), counter, window);
    let (old, new) = (job(old), job(new));
    now(async {
        let mut upstream = Upstream::restore(&old, 1, &beginning(), 100).await?;
        let mut versions =
            (IsolatedOperator::restore(&old, 1, &beginning()).await?, IsolatedOperator::restore(&new, 1, &beginning()).await?);
        dry_run(&mut upstream, (&mut versions.0, &mut versions.1), &*beginning().clock).await
    })
    .unwrap()
}

#[test]
fn versions_are_compared_by_what_their_windows_and_timers_give() {
    for window in [TUMBLING, None] {
        let counter = || Counter::new(window.is_none());
        let same = compared("a5 b3 a19 a21", counter(), counter(), window);
        assert!(same.agrees() && same.watermark == Some(END_OF_TIME.0), "{same:?}");
        let fires = (same.new.windows, same.new.timers, same.old.fired.len());
        assert_eq!(fires, if window.is_some() { (4, 0, 4) } else { (0, 4, 4) });
        let differ = compared("a5 b3 a19 a21", counter(), Counter { more: 1, ..counter() }, window);
        assert!(!differ.agrees() && differ.failures_agree);
        let out = &differ.outputs[0];
        assert_eq!((out.name.as_str(), out.only_old, out.only_new, out.different), ("out", 0, 0, 4));
        let by = out.examples[0].new.as_ref().and_then(|record| record.by.as_ref()).map(fired);
        assert_eq!(by.as_deref(), Some(if window.is_some() { "a 0-10 r0" } else { "a later at 10" }));
    }
}

#[test]
fn a_window_that_a_version_fails_on_is_counted_and_gone() {
    let report = compared("a5 b3 b4 a19 a21", Counter::new(false), Counter { fails: 2, ..Counter::new(false) }, TUMBLING);
    assert_eq!((report.old.failures, report.new.failures, report.failures_agree, report.new.windows), (0, 1, false, 4), "{report:?}");
    let failed: Vec<_> = report.new.fired.iter().filter_map(|one| Some((fired(&one.fired), one.error.clone()?))).collect();
    assert_eq!(failed, [("b 0-10 r0".to_owned(), "count: cannot count to 2".to_owned())]);
    assert_eq!((report.outputs[0].only_old, report.outputs[0].different), (1, 0));
    assert!(report.states.iter().all(|state| state.is_empty()), "{report:?}");
}

#[test]
fn what_fires_in_a_batch_that_fails_is_not_counted() {
    let count = Some(WindowKind::Count { records: 2 });
    let fails = |key| Counter { fails_on: key, ..Counter::new(false) };
    let report = compared("a1 b1 c1 d1 a2 b2 c2 d2", fails("-"), fails("b"), count);
    assert_eq!((report.old.windows, report.new.windows, report.new.failures), (4, 3, 1), "{report:?}");
    let keys: Vec<_> = report.new.fired.iter().map(|one| of(&one.fired.key)).collect();
    assert_eq!(keys, ["a", "c", "d"]);
    // The last that one fails on is not what fires first behind it.
    let report = compared("a1 b1 a2 b2 c5 c6", fails("-"), fails("b"), count);
    assert_eq!(report.new.fired.iter().map(|one| of(&one.fired.key)).collect::<Vec<_>>(), ["a", "c"], "{report:?}");
}

#[test]
fn what_a_batch_that_fails_has_filled_is_as_full_as_before_it() {
    let count = Some(WindowKind::Count { records: 2 });
    let fails = Counter { fails_on: "b", ..Counter::new(false) };
    // The second batch fills both; where it fails, one record of each is there.
    let report = compared("a1 b1 b2 a2", Counter::new(false), fails, count);
    assert_eq!((report.old.windows, report.new.windows, report.new.failures), (2, 1, 1), "{report:?}");
    let keys: Vec<_> = report.new.fired.iter().map(|one| of(&one.fired.key)).collect();
    assert_eq!(keys, ["a"]);
}

#[test]
fn a_batch_that_fails_leaves_no_note_of_what_fired() {
    let counter = Counter { fails_on: "b", ..Counter::new(false) };
    let graph = counting(source("in", "", true), counter, Some(WindowKind::Count { records: 2 }));
    let mut operator = now(IsolatedOperator::restore(&graph, 1, &beginning())).unwrap();
    let batch = |words: &[&str]| {
        let mut batch = BatchBuilder::new();
        words.iter().for_each(|word| push(&mut batch, word));
        Arc::new(batch.finish())
    };
    let all = batch(&["a1", "a2", "b1", "b2"]);
    let before = now(operator.contents_of(0, &all)).unwrap();
    assert!(now(operator.try_process(0, &all, &before)).unwrap().is_err());
    now(operator.process(0, &batch(&["c1", "c2"]))).unwrap();
    let noted: Vec<_> = operator.take_fired().iter().map(|fired| of(&fired.key)).collect();
    assert_eq!(noted, ["c"]);
}

#[test]
fn what_two_versions_emit_by_another_timer_is_the_same() {
    let renamed = |name: &str| {
        let mut counter = Counter::new(true);
        counter.descriptor.timers[0].name = name.into();
        counter
    };
    let report = compared("a5 b3 a19", renamed("later"), renamed("after"), None);
    assert_eq!((report.old.timers, report.new.timers), (3, 3));
    assert!(report.outputs.iter().all(|output| output.is_empty()), "{report:?}");
}

/// The units of these keys in the window that begins at 0, as a call of what is due names them.
fn due_at_9(keys: &[&str]) -> FiredTimers {
    let mut due = FiredTimers::default();
    for key in keys {
        // A unit begins with its window's start, of which the sign is flipped.
        let unit = [&i64::MIN.to_be_bytes()[..], key.as_bytes()].concat();
        due.push(&unit, unit_hash(&unit), 0, 9);
    }
    due
}

#[test]
fn a_recorded_window_that_fails_now_is_told_with_its_key() {
    let graph = counting(source("in", "", true), Counter { fails_on: "b", ..Counter::new(false) }, TUMBLING);
    let mut operator = now(LoggedSubtask::restore(&graph, 1, (0, 1), &beginning())).unwrap();
    let mut batch = BatchBuilder::new();
    ["a5", "b3", "c7"].iter().for_each(|word| push(&mut batch, word));
    let call = |watermark, kind| OperatorCall { watermark, processing_time: 7, kind };
    now(operator.effects_of(0, &call(i64::MIN, CallKind::Batch { input: 0, keyed: true, batch: Arc::new(batch.finish()) }))).unwrap();
    let made = now(operator.effects_of(1, &call(10, CallKind::Windows(Arc::new(due_at_9(&["a", "b", "c"])))))).unwrap();
    let all: Vec<_> = made.firings.iter().map(shown).collect();
    assert_eq!((all.join(", "), made.undivided), ("a 0-10 r0: 1, b 0-10 r0: ! count: cannot count to 1".to_owned(), false));
}

#[test]
fn recorded_windows_fire_again_one_by_one() {
    let graph = counting(source("in", "", true), Counter::new(false), TUMBLING);
    let mut operator = now(LoggedSubtask::restore(&graph, 1, (0, 1), &beginning())).unwrap();
    let mut batch = BatchBuilder::new();
    ["a5", "b3", "a7", "a19"].iter().for_each(|word| push(&mut batch, word));
    let call = |watermark, kind| OperatorCall { watermark, processing_time: 7, kind };
    let records = CallKind::Batch { input: 0, keyed: true, batch: Arc::new(batch.finish()) };
    let made = now(operator.effects_of(0, &call(i64::MIN, records))).unwrap();
    assert_eq!((made.records.len(), made.firings.len(), made.undivided), (4, 0, false));
    let due = due_at_9(&["a", "b"]);
    assert_eq!(unit_hash(due.keys().get(0)), key_hash(b"a"));
    let made = now(operator.effects_of(1, &call(10, CallKind::Windows(Arc::new(due.clone()))))).unwrap();
    let all: Vec<_> = made.firings.iter().map(shown).collect();
    assert_eq!(
        (all, made.undivided, made.recordless.outputs.len()),
        (vec!["a 0-10 r0: 2".to_owned(), "b 0-10 r0: 1".to_owned()], false, 2)
    );
    assert_eq!((made.firings[0].watermark, made.firings[0].changes.len()), (10, 2), "the count and the window are gone");
    let made = now(operator.effects_of(1, &call(11, CallKind::Windows(Arc::new(due))))).unwrap();
    assert!(made.firings.is_empty() && made.recordless.is_empty(), "they are gone");
}
