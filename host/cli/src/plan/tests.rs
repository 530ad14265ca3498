//! The plan of small jobs of built-in steps.

use super::delivery::PathDelivery;
use super::order::KeyOrder;
use super::*;
use crate::assemble::assemble;
use crate::job_file::{SourceText, parse};
use crate::plugins::PluginOrigins;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::EngineError;
use weir_engine::outbox::{Atomicity, OutboxOwner, OutboxSession, OutboxSink, OutboxTarget};
use weir_engine::runtime::ConnectorIo;

fn job(text: &str) -> JobFile {
    let source = SourceText { name: "job.toml".into(), text: text.into() };
    parse(source, std::path::Path::new("/jobs"), 2).expect("a job file that can be read")
}

fn assembled(text: &str) -> Assembly {
    let assembly = assemble(&job(text), |_| panic!("no plugin in this job")).map_err(|failure| failure.text());
    assembly.expect("a job that fits together")
}

fn planned(text: &str) -> PlanDocument {
    plan(&job(text), &assembled(text), &PluginOrigins::new())
}

const JOB: &str = "name = \"j\"
[source.in]
connector = \"generator\"
count = 10
rate = 5
[operator.count]
native = \"keyed-count\"
record = true
input = { from = \"in\", by = \"key\" }
[operator.same]
native = \"pass-through\"
input = \"count\"
[sink.gone]
connector = \"blackhole\"
inputs = [\"count\", \"same\"]
[sink.shown]
connector = \"stdout\"
input = \"same\"
parallelism = 1
";

#[test]
fn what_compiling_may_take_follows_from_the_file_where_the_job_does_not_say() {
    let by_size = compile_limits(CompileLimits::default(), Some(2_000_000));
    assert_eq!(by_size, json!({ "time": "15s", "memory": "640MiB" }));
    let own = CompileLimits { time: Some(std::time::Duration::from_secs(60)), memory: None };
    assert_eq!(compile_limits(own, Some(0)), json!({ "time": "1m", "memory": "512MiB" }));
    assert_eq!(compile_limits(CompileLimits::default(), None), json!({ "time": null, "memory": null }));
}

#[test]
fn forward_edges_are_chained_and_steps_with_several_inputs_are_not() {
    let plan = planned(JOB);
    assert_eq!(plan.chains, [vec!["in"], vec!["count", "same"], vec!["gone"], vec!["shown"]]);
    let edges: Vec<_> = plan.edges.iter().map(|edge| format!("{}>{} {} {}", edge.from, edge.to, edge.by, edge.chained)).collect();
    assert_eq!(
        edges,
        [
            "in>count key false",
            "count>same forward true",
            "count>gone forward false",
            "same>gone forward false",
            "same>shown rebalance false"
        ]
    );
}

#[test]
fn every_path_says_what_it_promises_and_why() {
    let plan = planned(JOB);
    let shown = plan.paths.iter().find(|path| path.sink == "shown").expect("a path");
    assert_eq!((shown.source.as_str(), shown.delivery), ("in", PathDelivery::MayRepeat));
    assert_eq!(shown.why, "`shown` shows records before their checkpoint is complete: they are written again");

    let standard = planned(
        "name = \"j\"\n[source.in]\nconnector = \"stdin\"\nreplay = \"none\"\n[sink.out]\nconnector = \"stdout\"\ninput = \"in\"\n",
    );
    assert_eq!(standard.paths.len(), 1);
    assert_eq!(standard.paths[0].delivery, PathDelivery::MayRepeatOrLose);
}

/// A target that remembers ids for five minutes.
struct Remembering;

impl OutboxTarget for Remembering {
    fn connector(&self) -> &'static str {
        "remembering"
    }

    fn identity(&self) -> Value {
        Value::Null
    }

    fn atomicity(&self) -> Atomicity {
        Atomicity::IdsRemembered { remembered: Some(Duration::from_secs(300)) }
    }

    fn take_over<'a>(
        &'a self,
        _owner: &'a OutboxOwner,
        _io: &'a ConnectorIo,
    ) -> BoxFuture<'a, Result<Box<dyn OutboxSession>, EngineError>> {
        unreachable!("a plan publishes nothing")
    }
}

#[test]
fn a_path_to_a_target_without_transactions_says_for_how_long_it_remembers() {
    let mut graph = assembled(JOB).graph;
    let shown = graph.vertices.iter().position(|vertex| vertex.id == "shown").expect("a sink");
    graph.vertices[shown].kind = VertexKind::Sink(Arc::new(OutboxSink::new(Arc::new(Remembering))));
    let paths = delivery::paths(&graph, weir_engine::checkpoint::CheckpointMode::ExactlyOnce);
    let path = paths.iter().find(|path| path.sink == "shown").expect("a path");
    assert_eq!(path.delivery, PathDelivery::ExactlyOnce);
    assert!(path.why.contains("the target of `shown` has no transactions") && path.why.contains("within 5m"), "{}", path.why);
}

#[test]
fn at_least_once_may_repeat_where_channels_merge() {
    let delivery = |parallelism: u32, mode: &str| {
        planned(&format!(
            "name = \"j\"\nparallelism = {parallelism}\n[checkpoints]\nmode = {mode:?}\n[source.in]\nconnector = \"generator\"\ncount = 10\n\
             [operator.count]\nnative = \"keyed-count\"\ninput = {{ from = \"in\", by = \"key\" }}\n\
             [sink.out]\nconnector = \"file\"\ninput = \"count\"\npath = \"out\"\n"
        ))
        .paths[0]
            .delivery
    };
    assert_eq!(delivery(2, "exactly-once"), PathDelivery::ExactlyOnce);
    assert_eq!(delivery(2, "at-least-once"), PathDelivery::MayRepeat);
    // Every step has one input channel.
    assert_eq!(delivery(1, "at-least-once"), PathDelivery::ExactlyOnce);
}

#[test]
fn defaults_are_shown() {
    let plan = planned(JOB);
    assert_eq!(plan.checkpoints["interval"], "1s");
    assert_eq!(plan.checkpoints["storage"], "file:.weir");
    assert_eq!(plan.checkpoints["max-in-flight-bytes"], "256MiB");
    assert_eq!(plan.checkpoints["stop-timeout"], "10s");
    assert_eq!(plan.restart["max-delay"], "30s");
    assert_eq!((&plan.vertices[0].settings["rate"], &plan.vertices[0].settings["keys"]), (&5.0.into(), &100_000.into()));
    let text = plan_text(&plan);
    for line in [
        "j (job.toml): parallelism 2, 128 key groups",
        "  in → count  key",
        "  count → same  forward, chained",
        "  interval = \"1s\"",
        "  max-in-flight-bytes = \"256MiB\"",
        "         rate = 5.0",
        "         record = true",
        "         record = false",
        "  count → same",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

/// The order between each source and keyed operator of a job with these steps.
fn orders(steps: &str) -> Vec<(String, KeyOrder)> {
    let orders = planned(&format!("name = \"j\"\n{steps}")).orders;
    orders.iter().map(|order| (format!("{}>{}", order.source, order.operator), order.order)).collect()
}

#[track_caller]
fn check_order(source: &str, steps: &str, expect: KeyOrder) {
    let steps = format!(
        "[source.in]\n{source}\n{steps}[operator.op]\nnative = \"keyed-count\"\ninput = {{ from = \"a\", by = \"key\" }}\n[sink.out]\nconnector = \"blackhole\"\ninput = \"op\"\n"
    );
    let order = orders(&steps).into_iter().find(|(name, _)| name == "in>op");
    assert_eq!(order.map(|(_, order)| order), Some(expect), "{steps}");
}

#[test]
fn a_keys_order_is_that_of_the_source_where_its_records_take_one_way() {
    use KeyOrder::{AsInEachPiece, AsInTheSource, NotKept};
    let file = "connector = \"file\"\nformat = \"csv\"\nkey = \"k\"\npath = ";
    let step = |from: &str, more: &str| format!("[operator.a]\nnative = \"pass-through\"\ninput = {from}\n{more}\n");
    let forward = step("\"in\"", "");
    check_order(&format!("{file}\"x.csv\""), &forward, AsInTheSource);
    check_order(&format!("{file}\"*.csv\""), &forward, AsInEachPiece);
    check_order(&format!("{file}\"x.csv\"\nsplit = \"64MiB\""), &forward, NotKept);
    check_order(
        "connector = \"stdin\"\nreplay = \"none\"\nformat = \"csv\"\nkey = \"k\"",
        &step("\"in\"", "parallelism = 1"),
        AsInTheSource,
    );
    check_order("connector = \"stdin\"\nreplay = \"none\"\nformat = \"csv\"\nkey = \"k\"", &forward, NotKept);
    check_order("connector = \"generator\"", &forward, NotKept);
    check_order("connector = \"generator\"\nparallelism = 1", &step("\"in\"", "parallelism = 1"), AsInTheSource);

    let one = format!("{file}\"x.csv\"");
    check_order(&one, &step("{ from = \"in\", by = \"key\" }", ""), AsInTheSource);
    check_order(&one, &step("{ from = \"in\", by = \"rebalance\" }", ""), NotKept);
    check_order(&one, &step("{ from = \"in\", by = \"rebalance\" }", "parallelism = 1"), AsInTheSource);
    check_order(&one, &step("{ from = \"in\", by = \"broadcast\" }", ""), NotKept);
    check_order(&one, &step("\"in\"", "parallelism = 3"), NotKept);
    let diamond = "[operator.l]\nnative = \"pass-through\"\ninput = \"in\"\n[operator.r]\nnative = \"pass-through\"\ninput = \"in\"\n";
    check_order(&one, &format!("{diamond}[operator.a]\nnative = \"pass-through\"\ninputs = [\"l\", \"r\"]\n"), NotKept);
}

#[test]
fn of_what_one_subtask_reads_it_is_said_where_its_order_ends() {
    use KeyOrder::NotKept;
    let stdin = "[source.in]\nconnector = \"stdin\"\nreplay = \"none\"\n";
    let check_spread = |source: &str, parallelism: [u32; 2], expect: &[(&str, KeyOrder)]| {
        let [a, b] = parallelism;
        let steps = format!(
            "{source}[operator.a]\nnative = \"pass-through\"\ninput = \"in\"\nparallelism = {a}\n\
             [operator.b]\nnative = \"pass-through\"\ninput = \"a\"\nparallelism = {b}\n[sink.out]\nconnector = \"stdout\"\ninput = \"b\"\n"
        );
        let expect: Vec<_> = expect.iter().map(|(way, order)| ((*way).to_owned(), *order)).collect();
        assert_eq!(orders(&steps), expect, "{steps}");
    };
    check_spread(stdin, [1, 1], &[]);
    check_spread(stdin, [2, 2], &[("in>a", NotKept)]);
    check_spread(stdin, [1, 3], &[("in>b", NotKept)]);
    check_spread("[source.in]\nconnector = \"generator\"\n", [2, 3], &[]);
    let plan = planned(&format!(
        "name = \"j\"\nparallelism = 2\n{stdin}[operator.a]\nnative = \"pass-through\"\ninput = \"in\"\n[sink.out]\nconnector = \"stdout\"\ninput = \"a\"\n"
    ));
    let line = "  in → a: not kept; `in` → `a` (`rebalance`) deals what comes of standard input out to 2 subtasks, which do not wait for each other; `parallelism = 1` keeps it in order";
    assert!(plan_text(&plan).lines().any(|shown| shown == line), "{}", plan_text(&plan));
}

#[test]
fn a_source_that_no_step_reads_is_warned_of() {
    let idle = "[source.idle]\nconnector = \"file\"\npath = \"x\"\non-error = \"quarantine\"\nformat = \"jsonl\"\n";
    let line = "warning: no step takes the records of `idle`: `input` of a step names its source";
    assert_eq!(planned(&format!("{JOB}{idle}")).remarks, [line]);
    assert_eq!(planned(JOB).remarks, [""; 0]);
}

#[test]
fn an_order_says_why_and_on_what_condition() {
    let plan = planned(
        "name = \"j\"\n[source.in]\nconnector = \"file\"\nformat = \"csv\"\nkey = \"k\"\npath = \"*.csv\"\n\
         [operator.a]\nnative = \"keyed-count\"\ninput = { from = \"in\", by = \"key\" }\n[operator.b]\nnative = \"keyed-count\"\ninput = { from = \"a\", by = \"key\" }\n\
         [sink.out]\nconnector = \"blackhole\"\ninput = \"b\"\n",
    );
    let text = plan_text(&plan);
    let piece = "as in each piece of the source; each file of `in` is read from front to back, several of them side by side";
    for line in [format!("  in → a: {piece}"), format!("  in → b: {piece}, as long as `a` leaves keys as they are")] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    let document = serde_json::to_value(&plan).expect("a document is JSON");
    assert_eq!((&document["orders"][0]["order"], &document["remarks"]), (&json!("as-in-each-piece"), &json!([])));
    let in_turn = planned(
        "name = \"j\"\n[source.in]\nconnector = \"file\"\nformat = \"csv\"\nkey = \"k\"\ntimestamp = \"t\"\npath = \"*.csv\"\nwatermark = { order = \"name\" }\n\
         [operator.a]\nnative = \"keyed-count\"\ninput = { from = \"in\", by = \"key\" }\n[sink.out]\nconnector = \"blackhole\"\ninput = \"a\"\n",
    );
    assert_eq!(in_turn.orders[0].why, "each file of `in` is read from front to back, one behind the other in each subtask");
}

#[test]
fn the_plan_says_of_each_source_whether_its_records_have_a_time_and_how_event_time_is_told() {
    let times = |text: &str| planned(text).times;
    let time = |source: &str, timestamps: Option<&str>, watermarks: Option<&str>| PlanTime {
        step: source.into(),
        timestamps: timestamps.map(str::to_owned),
        watermarks: watermarks.map(str::to_owned),
    };
    assert_eq!(times(JOB), [time("in", None, None)]);
    assert!(plan_text(&planned(JOB)).contains("\ntime of records\n  in: none\n"));
    let job = |more: &str| {
        format!("name = \"j\"\n[source.a]\nconnector = \"nexmark\"\n{more}\n[sink.out]\nconnector = \"blackhole\"\ninput = \"a\"\n")
    };
    assert_eq!(times(&job("")), [time("a", Some("the events' own"), None)]);
    let words = "watermarks are 5s behind the newest of the split that is furthest back, without those that have had nothing for 30s";
    assert_eq!(times(&job("watermark = {}")), [time("a", Some("the events' own"), Some(words))]);
    let all = "watermark = { delay = \"0s\", advance-when-idle = true, max-ahead = \"1h\" }";
    let shown = plan_text(&planned(&job(all)));
    let line = "  a: the events' own; watermarks are 0s behind the newest of the split that is furthest back, without those that have had nothing for 30s; \
        where all are so, time goes on by the clock; records more than 1h ahead of the clock move none\n";
    assert!(shown.contains(line), "{shown}");
    let operator = job("").replace(
        "input = \"a\"",
        "input = \"count\"\n[operator.count]\nnative = \"pass-through\"\ninput = \"a\"\nwatermark = { delay = \"1s\" }",
    );
    let words = "watermarks are 1s behind the newest of the subtask that is furthest back, without those that have had nothing for 30s";
    assert_eq!(times(&operator), [time("a", Some("the events' own"), None), time("count", Some("those of what it emits"), Some(words))]);
    let never = times(&job("watermark = { idle-after = \"never\" }")).remove(0).watermarks.unwrap_or_default();
    assert!(never.ends_with(", and none is ever left out"), "{never}");
}

#[test]
fn windows_are_shown_with_all_that_holds_of_them() {
    let text = "name = \"j\"\n[source.in]\nconnector = \"nexmark\"\n[operator.op]\nnative = \"pass-through\"\ninput = { from = \"in\", by = \"key\" }\n\
                window = { hopping = \"60m\", every = \"10m\" }\n[sink.out]\nconnector = \"blackhole\"\ninput = \"op\"\n";
    let source = SourceText { name: "job.toml".into(), text: text.into() };
    let job = parse(source, std::path::Path::new("/jobs"), 2).expect("a job file that can be read");
    let shown = serde_json::json!({
        "emit": "close", "every": "10m", "hopping": "1h", "lateness": "0s", "offset": "0s", "time": "event"
    });
    assert_eq!(operator_settings(&job.operators[0], None)["window"], shown);
}
