//! Built-in steps with windows and timers in the place of plugins.

use super::*;
use crate::assemble::assemble;
use crate::job_file::{SourceText, parse};
use crate::plan::stand_in::Declared;
use std::sync::Arc;
use weir_engine::job::VertexKind;
use weir_engine::operator::{OperatorDescriptor, TimerDescriptor};
use weir_engine::state::{StateDescriptor, StateKind, StateTtl, TimeDomain, WindowSettings};
use weir_engine::time::WatermarkSettings;

const JOB: &str = "name = \"j\"
[source.endless]
connector = \"generator\"
[source.ends]
connector = \"generator\"
count = 5
[operator.between]
native = \"pass-through\"
input = \"ends\"
[operator.op]
native = \"keyed-count\"
inputs = [{ from = \"endless\", by = \"key\" }, { from = \"between\", by = \"key\" }]
[sink.out]
connector = \"blackhole\"
input = \"op\"
";

enum Has {
    Window(WindowKind),
    ByClock(WindowKind),
    /// A state with a time to live.
    Living(TimeDomain),
    Early,
    Timer,
}

/// What is said of `op`, where the vertices of `with_watermarks` make watermarks.
#[track_caller]
fn check(has: Has, with_watermarks: &[&str], expect: &[&str]) {
    check_job(JOB, has, with_watermarks, expect);
}

#[track_caller]
fn check_job(job: &str, has: Has, with_watermarks: &[&str], expect: &[&str]) {
    let source = SourceText { name: "job.toml".into(), text: job.into() };
    let job = parse(source, std::path::Path::new("/jobs"), 2).expect("a job file that can be read");
    let assembly = assemble(&job, |_| panic!("no plugin in this job")).map_err(|failure| failure.text());
    let mut graph = assembly.expect("a job that fits together").graph;
    for vertex in &mut graph.vertices {
        vertex.watermark = with_watermarks.contains(&vertex.id.as_str()).then(WatermarkSettings::default);
        if vertex.id != "op" {
            continue;
        }
        let timers = vec![TimerDescriptor { name: "due".into(), event_time: true }];
        match has {
            Has::Timer => {
                vertex.kind = VertexKind::Operator(Arc::new(Declared(OperatorDescriptor { timers, ..OperatorDescriptor::default() })));
            }
            Has::Living(time) => {
                let ttl = Some(StateTtl { ms: 5, time, refresh_on_read: false });
                let state = StateDescriptor { name: "seen".into(), kind: StateKind::Value, schema: "raw".into(), version: 1, ttl };
                vertex.kind =
                    VertexKind::Operator(Arc::new(Declared(OperatorDescriptor { states: vec![state], ..OperatorDescriptor::default() })));
            }
            Has::Window(kind) => vertex.window = Some(WindowSettings::new(kind)),
            Has::ByClock(kind) => {
                vertex.window = Some(WindowSettings { time: TimeDomain::Processing, ..WindowSettings::new(kind) });
            }
            Has::Early => vertex.window = Some(WindowSettings { emit_every: Some(5), ..WindowSettings::new(WindowKind::Global) }),
        }
    }
    assert_eq!([crate::plan::timers::living_without_time(&graph), remarks(&graph)].concat(), expect);
}

const HOURLY: WindowKind = WindowKind::Tumbling { size: 3_600_000, offset: 0 };

#[test]
fn what_waits_for_a_source_that_tells_nothing_until_its_end_is_warned_of() {
    let hint = "`watermark` in [source.ends] tells it where its records have a time, or `watermark` of an operator that gives them one";
    let warning = |what: &str| format!("warning: {what} for the end of `ends`, which tells no event time before it ({hint})");
    check(Has::Window(HOURLY), &["endless"], &[&warning("the windows of `op` wait")]);
    check(Has::Timer, &["endless"], &[&warning("the timer `due` of `op` waits")]);
    for told in [&["endless", "ends"][..], &["endless", "between"]] {
        check(Has::Window(HOURLY), told, &[]);
        check(Has::Timer, told, &[]);
    }
    // Where nobody tells, and where one never ends, something else is said of it.
    check(Has::Window(HOURLY), &[], &[]);
    check(Has::Window(HOURLY), &["ends"], &[]);
    check(Has::Window(WindowKind::Count { records: 5 }), &["endless"], &[]);
}

#[test]
fn a_window_without_bounds_that_never_speaks_is_warned_of() {
    let never = "warning: the window of `op` fires at the end of its input alone, and `endless` never ends (`emit = { every = \"1m\" }` lets it fire before)";
    check(Has::Window(WindowKind::Global), &["endless", "ends"], &[never]);
    check(Has::Early, &[], &[]);
}

#[test]
fn what_an_end_of_the_input_comes_too_early_for_is_warned_of() {
    let ends = JOB.replace("{ from = \"endless\", by = \"key\" }, ", "");
    let warning = |what: &str| format!("warning: the input of `op` ends, and {what}: they stay in the last checkpoint");
    let (by_clock, counts) = ("windows by the clock that are open then say nothing", "counts that are not full then say nothing");
    check_job(&ends, Has::ByClock(HOURLY), &[], &[&warning(by_clock)]);
    check_job(&ends, Has::Window(WindowKind::Count { records: 5 }), &[], &[&warning(counts)]);
    check_job(&ends, Has::Window(HOURLY), &["ends"], &[]);
    check_job(&ends, Has::Window(WindowKind::Global), &["ends"], &[]);
    check(Has::ByClock(HOURLY), &[], &[]);
}

#[test]
fn a_time_to_live_by_event_time_that_nobody_tells_is_warned_of() {
    let never = "warning: the state `seen` of `op` has a time to live by event time, and nothing in front of it gives any: nothing of it expires (`watermark` of a source, or of an operator, says how)";
    check(Has::Living(TimeDomain::Event), &[], &[never]);
    check(Has::Living(TimeDomain::Event), &["between"], &[]);
    check(Has::Living(TimeDomain::Processing), &[], &[]);
}
