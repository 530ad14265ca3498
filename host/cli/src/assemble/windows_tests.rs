//! What an operator with windows needs. Built-in steps stand in for plugins.

use super::*;
use crate::failure::Failure;
use crate::job_file::{SourceText, parse};
use std::sync::Arc;
use weir_engine::operator::{InputDescriptor, LATE_OUTPUT, Operator, OperatorFactory, OutputDescriptor, Subtask};
use weir_engine::state::{StateDescriptor, WindowKind};
use weir_engine::{EngineError, ErrorKind};

/// A windowed operator with two inputs, and with states of these kinds, named by letters; the `merging` ones merge.
fn windowed(states: &[StateKind], merging: &[usize]) -> OperatorDescriptor {
    let state = |(letter, kind): (char, &StateKind)| StateDescriptor {
        name: letter.to_string(),
        kind: *kind,
        schema: "raw".into(),
        version: 1,
        ttl: None,
    };
    OperatorDescriptor {
        inputs: vec![InputDescriptor::default(), InputDescriptor::default()],
        outputs: vec![OutputDescriptor::default()],
        states: ('a'..).zip(states).map(state).collect(),
        windowed: true,
        merging: merging.to_vec(),
        ..OperatorDescriptor::default()
    }
}

fn job(op: &str) -> JobFile {
    let text = format!(
        "name = \"j\"\n[source.in]\nconnector = \"generator\"\n[source.more]\nconnector = \"nexmark\"\n[operator.op]\nnative = \"pass-through\"\n{op}\n\
         [sink.out]\nconnector = \"blackhole\"\ninput = \"op\"\n"
    );
    let source = SourceText { name: "job.toml".into(), text: text.into() };
    parse(source, std::path::Path::new("/jobs"), 2).expect("a job file that can be read")
}

fn texts(job: &JobFile, problems: Vec<Problem>) -> Vec<String> {
    match job.refuse(problems) {
        Ok(()) => Vec::new(),
        Err(failure) => Failure::from(failure).text().lines().map(str::to_owned).collect(),
    }
}

#[track_caller]
fn check(op: &str, descriptor: &OperatorDescriptor, expect: &[&str]) {
    let job = job(op);
    assert_eq!(texts(&job, problems(&job.operators[0], descriptor)), expect);
}

const BY_KEY: &str = "input = { from = \"in\", by = \"key\" }";

#[test]
fn windows_and_what_is_windowed_belong_together() {
    check(BY_KEY, &OperatorDescriptor::default(), &[]);
    check(&format!("{BY_KEY}\nwindow = {{ count = 5 }}"), &windowed(&[StateKind::Value], &[]), &[]);
    check(
        &format!("{BY_KEY}\nwindow = {{ count = 5 }}"),
        &OperatorDescriptor::default(),
        &[
            "job.toml:9:1: `op` keeps nothing by windows (leave `window` out, or name a plugin that is windowed (`weir plugin inspect` tells))",
        ],
    );
    check(
        BY_KEY,
        &windowed(&[], &[]),
        &["job.toml:6:11: `op` keeps what it keeps by windows, and nothing says which (write `window` in [operator.op], for example \
           `window = { tumbling = \"1h\" }`)"],
    );
}

#[test]
fn inputs_of_windows_come_by_key_or_by_broadcast() {
    let with = |inputs: &str| format!("inputs = [{inputs}]\nwindow = {{ tumbling = \"1h\" }}");
    let (key, broadcast) = ("{ from = \"in\", by = \"key\" }", "{ from = \"more\", by = \"broadcast\" }");
    let stateful = windowed(&[StateKind::Value], &[]);
    check(&with(&format!("{key}, {broadcast}")), &stateful, &[]);
    check(
        &with(&format!("{key}, \"more\"")),
        &stateful,
        &["job.toml:8:40: windows belong to keys, and this input of `op` is fed by `forward` (write `{ from = \"more\", by = \"key\" }`)"],
    );
    check(
        &with(broadcast),
        &stateful,
        &["job.toml:8:11: windows belong to keys, and every input of `op` is broadcast (write `{ from = \"more\", by = \"key\" }`)"],
    );
    // The states need the same, and that is said once.
    let job = job(&with("\"in\""));
    assert_eq!(texts(&job, super::super::inputs::unserved(&job.operators[0], &stateful)), [""; 0]);
    assert_eq!(texts(&job, problems(&job.operators[0], &stateful)).len(), 1);
}

#[test]
fn what_is_kept_of_sessions_merges() {
    use StateKind::{Broadcast, List, Map, Value};
    let with = |window: &str| format!("{BY_KEY}\nwindow = {window}");
    let states = [Value, List, Map, Broadcast, Value];
    check(&with("{ tumbling = \"1h\" }"), &windowed(&states, &[]), &[]);
    check(&with("{ session = \"1h\" }"), &windowed(&states, &[0, 2, 4]), &[]);
    check(&with("{ session = \"1h\" }"), &windowed(&[List, Broadcast], &[]), &[]);
    check(
        &with("{ lateness = \"1m\", session = \"1h\" }"),
        &windowed(&states, &[0]),
        &[
            "job.toml:9:29: a record may make one session of two, and `op` does not merge what it keeps of them (`c`, `e`) (its plugin says of \
           each value and map that it merges, and does (lists are merged without it); or take windows of another kind)",
        ],
    );
}

struct Windowed(OperatorDescriptor);

impl OperatorFactory for Windowed {
    fn descriptor(&self) -> &OperatorDescriptor {
        &self.0
    }

    fn create(&self, _: &Subtask, _: &[Option<String>]) -> Result<Box<dyn Operator>, EngineError> {
        Err(EngineError::new(ErrorKind::Bug, "it is not run"))
    }
}

/// What the job comes to whose operator is windowed.
fn assembled(text: &str) -> Result<JobGraph, String> {
    let source = SourceText { name: "job.toml".into(), text: text.into() };
    let job = parse(source, std::path::Path::new("/jobs"), 2).expect("a job file that can be read");
    let make: fn(&OperatorStep) -> Arc<dyn OperatorFactory> = |step| match step.id.value.as_str() {
        "op" => Arc::new(Windowed(OperatorDescriptor { inputs: vec![InputDescriptor::default()], ..windowed(&[StateKind::Value], &[]) })),
        _ => crate::native::factory("pass-through", None).expect("it is built in"),
    };
    let operators = job.operators.iter().map(|step| (step.id.value.clone(), make(step))).collect();
    super::super::put_together(&job, || Ok(operators)).map(|assembly| assembly.graph).map_err(|failure| failure.text())
}

const TIMED: &str = "name = \"j\"\n[source.in]\nconnector = \"nexmark\"\nWATERMARK\n[operator.pass]\nnative = \"pass-through\"\ninput = \"in\"\n\
                     [operator.op]\nnative = \"pass-through\"\ninput = { from = \"pass\", by = \"key\" }\nwindow = WINDOW\n\
                     [sink.out]\nconnector = \"blackhole\"\ninput = \"op.late\"\n";

fn timed(watermark: &str, window: &str) -> String {
    TIMED.replace("WATERMARK", watermark).replace("WINDOW", window)
}

#[test]
fn a_window_by_event_time_needs_somebody_in_front_who_tells_it() {
    let refused = |text: &str| assembled(text).err().unwrap_or_default();
    let nothing = "the windows of `op` go by event time, and nothing in front of it tells any";
    let or = "or the windows go by the clock: `time = \"processing\"`";
    for window in ["{ tumbling = \"1h\" }", "{ hopping = \"1h\", every = \"1m\" }", "{ session = \"1h\" }"] {
        // Sessions of values that do not merge are another problem.
        let text = refused(&timed("", window));
        let last = text.lines().find(|line| line.contains("event time")).unwrap_or_default();
        assert_eq!(last, format!("job.toml:11:1: {nothing} (write `watermark = {{ delay = \"5s\" }}` in [source.in], {or})"));
    }
    let hourly = "{ tumbling = \"1h\" }";
    let in_the_operator = timed("", hourly).replace("input = \"in\"", "input = \"in\"\nwatermark = {}");
    for text in [timed("watermark = {}", hourly), in_the_operator] {
        assert_eq!(refused(&text), "");
    }
    for window in ["{ tumbling = \"1h\", time = \"processing\" }", "{ count = 5 }", "{ global = true }"] {
        assert_eq!(refused(&timed("", window)), "", "{window}");
    }
    // Its own watermarks are for those behind it.
    let own = timed("", hourly).replace("window =", "watermark = {}\nwindow =");
    assert!(refused(&own).contains(nothing), "{}", refused(&own));
    let without_times = timed("", hourly).replace("\"nexmark\"", "\"generator\"");
    let hint = "`watermark` in [source.in] tells it where its records have a time, or `watermark` of an operator that gives them one";
    assert_eq!(refused(&without_times), format!("job.toml:11:1: {nothing} ({hint}, {or})"));
}

#[test]
fn late_records_go_where_the_job_says_and_windows_are_those_of_the_file() {
    let graph = assembled(&timed("watermark = {}", "{ tumbling = \"1h\", lateness = \"1m\" }")).expect("a fine job");
    let late = graph.edges.last().expect("an edge");
    assert_eq!((late.output, graph.output_name(late.from, late.output)), (LATE_OUTPUT, "late".to_owned()));
    let window = graph.vertices[late.from].window.clone().expect("windows");
    assert_eq!((window.kind, window.lateness), (WindowKind::Tumbling { size: 3_600_000, offset: 0 }, 60_000));
    assert!(graph.vertices.iter().all(|vertex| vertex.window.is_some() == (vertex.id == "op")));
}

#[test]
fn nothing_is_late_for_an_operator_without_windows() {
    let text = timed("watermark = {}", "{ tumbling = \"1h\" }").replace("\"op.late\"", "\"pass.late\"");
    let expect = "job.toml:14:9: `pass` has no output `late`: it keeps nothing by windows, so no record comes too late for one (write `pass`, or take a \
                  plugin for it that is windowed)";
    assert_eq!(assembled(&text).err().unwrap_or_default(), expect);
    assert!(crate::assemble::assemble(&job(BY_KEY), |_| panic!("no plugin")).is_ok());
}

#[test]
fn a_window_by_event_time_is_refused_where_a_source_that_never_ends_tells_none() {
    let second = |settings: &str| format!("[source.second]\nconnector = \"nexmark\"\n{settings}\n[operator.pass]");
    let text = |settings: &str| {
        let two = timed("watermark = {}", "{ tumbling = \"1h\" }").replace("[operator.pass]", &second(settings));
        two.replace("input = \"in\"", "inputs = [\"in\", \"second\"]")
    };
    let message = "the windows of `op` go by event time, which waits for the end of `second`: that tells none, and never ends";
    let expect = format!("job.toml:14:1: {message} (write `watermark = {{ delay = \"5s\" }}` in [source.second])");
    assert_eq!(assembled(&text("")).err().unwrap_or_default(), expect);
    for fine in ["watermark = {}", "count = 5"] {
        assert_eq!(assembled(&text(fine)).err().unwrap_or_default(), "", "{fine}");
    }
    let between = text("").replace("native = \"pass-through\"\ninputs", "native = \"pass-through\"\nwatermark = {}\ninputs");
    assert_eq!(assembled(&between).err().unwrap_or_default(), "", "the operator between tells it");
}
