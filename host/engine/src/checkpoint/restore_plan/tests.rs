//! Plans of single changes, and what is said of them.

use super::*;
use crate::checkpoint::VertexIdentity;
use crate::state::{StateDescriptor, StateKind, TimeDomain, WINDOW_STATE, timer_state};

/// A graph of words: `in*` is a source, `op(a:v1,b:m2)` an operator with a value state `a` of version 1 and a map state `b` of version 2.
pub(super) fn graph(words: &str) -> GraphIdentity {
    let vertices = words.split_whitespace().map(|word| match word.split_once('(') {
        None if word.ends_with('*') => (word.trim_end_matches('*').to_owned(), source("data")),
        None => (word.to_owned(), operator("")),
        Some((id, states)) => (id.to_owned(), operator(states.trim_end_matches(')'))),
    });
    GraphIdentity { max_parallelism: 8, vertices: vertices.collect(), edges: Vec::new() }
}

fn source(path: &str) -> VertexIdentity {
    VertexIdentity::Source { connector: "file".into(), settings: serde_json::json!({ "path": path }) }
}

fn operator(states: &str) -> VertexIdentity {
    let state = |text: &str| {
        // Windows: `~hourly`.
        if let Some(windows) = text.strip_prefix('~') {
            let (name, kind) = (WINDOW_STATE.into(), StateKind::Value);
            return StateDescriptor { name, kind, schema: windows.into(), version: 1, ttl: None };
        }
        // Timers: `due@event-time`; as older weirs wrote them: `due@raw`.
        if let Some((timer, time)) = text.split_once('@') {
            let state = timer_state(timer, TimeDomain::Event);
            return StateDescriptor { schema: time.replace('-', " "), ..state };
        }
        let (name, rest) = text.split_once(':').expect("a name");
        let kind = match &rest[..1] {
            "v" => StateKind::Value,
            "l" => StateKind::List,
            "m" => StateKind::Map,
            _ => StateKind::Broadcast,
        };
        let (version, schema) = rest[1..].split_once('=').unwrap_or((&rest[1..], "raw"));
        StateDescriptor { name: name.into(), kind, schema: schema.into(), version: version.parse().expect("a version"), ttl: None }
    };
    VertexIdentity::Operator { states: states.split(',').filter(|text| !text.is_empty()).map(state).collect(), component: None }
}

/// Options of words: `tally<count` renames, `-count.a` drops.
pub(super) fn options(words: &str) -> RestoreOptions {
    let mut options = RestoreOptions::default();
    for word in words.split_whitespace() {
        match word.split_once('<') {
            Some((now, was)) => _ = options.renames.insert(now.into(), was.into()),
            None => _ = options.drops.insert(word.trim_start_matches('-').into()),
        }
    }
    options
}

/// The lines that a run prints.
#[track_caller]
pub(super) fn check(was: &str, now: &str, said: &str, expect: &[&str]) -> RestorePlan {
    let planned = plan_identities(&graph(was), &graph(now), &options(said));
    assert_eq!(planned.refusals, [], "{was} → {now}");
    assert_eq!(planned.plan.lines(), expect, "{was} → {now}");
    planned.plan
}

/// The refusals' first lines, and the hint.
#[track_caller]
pub(super) fn refused(was: &str, now: &str, said: &str, expect: &[&str], hint: &str) {
    let planned = plan_identities(&graph(was), &graph(now), &options(said));
    let lines: Vec<_> = planned.refusals.iter().map(|refusal| refusal.text.lines().next().unwrap_or_default()).collect();
    assert_eq!(lines, expect, "{was} → {now}");
    let error = planned.accepted("checkpoint 3").expect_err("refused");
    assert_eq!((error.kind(), error.hint().is_some_and(|shown| shown.contains(hint))), (ErrorKind::FixInput, true), "{error:?}");
}

const MIGRATE: &str = "gets a new version, 2 (in Rust `#[state(version = 2)]`), and `migrate`";
const UNDO: &str = "undo the change";
pub(super) const GIVE_UP: &str = "gives up what is kept so";
const DROP: &str = "`--drop-state` gives up";

#[test]
fn what_is_as_it_was_needs_no_word() {
    check("in* op(a:v1)", "in* op(a:v1)", "", &[]);
}

#[test]
fn steps_may_come_and_stateless_ones_go() {
    check(
        "in* op(a:v1) same",
        "in* more* op(a:v1) audit(n:v1) pass",
        "",
        &["audit: new, begins empty", "more: new, is read from its beginning", "pass: new", "same: gone; it kept no state"],
    );
}

#[test]
fn a_step_goes_on_under_a_new_id_as_often_as_the_job_file_says_so() {
    let plan = check("in* op(a:v1)", "rows* sums(a:v1)", "sums<op rows<in", &["rows: renamed, was in", "sums: renamed, was op"]);
    assert_eq!((plan.from("sums"), plan.from("rows")), (Some("op"), Some("in")));
    check("rows* sums(a:v1)", "rows* sums(a:v1)", "sums<op rows<in", &[]);
}

#[test]
fn a_name_that_leaves_open_what_goes_on_is_refused() {
    let both = "sums: `was = \"op\"`, but the checkpoint has both; take `was` out to go on with sums, or drop one of the two by name";
    refused("op(a:v1) sums(a:v1)", "sums(a:v1)", "sums<op", &[both], UNDO);
    assert_eq!(
        check("op(a:v1) sums(a:v1)", "sums(a:v1)", "sums<op -sums", &["sums: renamed, was op", "sums: dropped (a)"]).from("sums"),
        Some("op")
    );
    assert_eq!(check("op(a:v1) sums(a:v1)", "sums(a:v1)", "sums<op -op", &["op: dropped (a)"]).from("sums"), Some("sums"));
    refused("op(a:v1)", "one(a:v1) two(a:v1)", "one<op two<op", &["two: `was = \"op\"`, but another step goes on with that"], UNDO);
    refused(
        "op(a:v1)",
        "op(a:v1) sums(a:v1)",
        "sums<opp",
        &["sums: `was = \"opp\"`, but the checkpoint has neither; take `was` out to begin empty"],
        UNDO,
    );
}

#[test]
fn what_was_kept_is_dropped_by_name_alone() {
    refused(
        "in* op(a:v1,b:v1) more*",
        "in* op(b:v1)",
        "",
        &[
            "more: in the checkpoint, not in the job file; `--drop-state more` drops what it kept (positions)",
            "op.a: in the checkpoint, and op does not declare it any more; `--drop-state op.a` drops it",
        ],
        DROP,
    );
    let plan = check("in* op(a:v1,b:v1) more*", "in* op(b:v1)", "-more -op.a", &["more: dropped (positions)", "op.a: dropped"]);
    assert_eq!(plan.places("op"), [None, Some(0)]);
    refused(
        "in* op(a:v1,b:v1)",
        "in*",
        "-op.a",
        &["op: in the checkpoint, not in the job file; `--drop-state op` drops what it kept (a, b)"],
        DROP,
    );
    check("in* op(a:v1,b:v1)", "in*", "-op.a -op.b", &["op: dropped (a, b)"]);
    // Of a step that goes on as well: it begins anew.
    check(
        "in* op(a:v1,b:v1)",
        "in* op(a:v1,b:v1)",
        "-op.a -in",
        &["in: new, is read from its beginning", "op.a: new, begins empty", "in: dropped (positions)", "op.a: dropped"],
    );
    check("op(a:v1)", "op(a:v1)", "-op", &["op: new, begins empty", "op: dropped (a)"]);
}

#[test]
fn a_name_that_drops_nothing_is_a_mistake() {
    let nothing = |name: &str| format!("--drop-state {name}: the checkpoint keeps nothing of that name; it keeps `in`, `op`, `op.a`");
    for name in ["opp", "op.b", "same", "op.a.b"] {
        refused("in* op(a:v1) same", "in* op(a:v1)", &format!("-{name}"), &[&nothing(name)], "leave the name out");
    }
}

#[test]
fn states_go_by_their_names_and_not_by_their_order() {
    let plan = check("op(a:v1,b:m2,c:l1)", "op(c:l1,new:v1,a:v1,b:m2)", "", &["op.new: new, begins empty"]);
    assert_eq!(plan.places("op"), [Some(2), Some(3), Some(0)]);
}

#[test]
fn a_newer_version_is_migrated_and_nothing_else_may_differ() {
    let plan = check(
        "op(a:v1=u32,b:m2)",
        "sums(b:m5,a:v2=u64)",
        "sums<op",
        &["sums: renamed, was op", "sums.a: migrated from version 1 to 2", "sums.b: migrated from version 2 to 5"],
    );
    assert_eq!(plan.places("sums"), [Some(1), Some(0)]);
    refused(
        "op(a:v2)",
        "op(a:v1)",
        "",
        &["op.a: the job has an older version of it"],
        "name the newer plugin in the job file, or run the components",
    );
    refused("op(a:v1)", "op(a:m2)", "", &["op.a: its kind has changed"], UNDO);
    refused("op(a:v1=T{x:u32})", "op(a:v1=T{x:u64})", "", &["op.a: its description has changed, and its version has not"], MIGRATE);
    // What has to be undone in any case is said first.
    refused(
        "in* op(a:v1=u32,b:v1)",
        "in* op(a:v1=u64,b:m1)",
        "",
        &["op.a: its description has changed, and its version has not", "op.b: its kind has changed"],
        UNDO,
    );
    check("op(a:v1=T{x:u32})", "op(a:v1=U{x:u32})", "", &[]);
    check("op(a:v2)", "op(a:v1)", "-op.a", &["op.a: new, begins empty", "op.a: dropped"]);
}

#[test]
fn a_timer_keeps_going_by_the_time_that_it_went_by() {
    for (was, now) in
        [("event-time", "event-time"), ("processing-time", "processing-time"), ("raw", "event-time"), ("raw", "processing-time")]
    {
        let plan = check(&format!("op(due@{was})"), &format!("op(due@{now})"), "", &[]);
        assert_eq!(plan.places("op"), [Some(0)]);
    }
    let other = "op.weir:timer:due: the timer `due` went by event time, and goes by processing time now: those that are set are of the one and not of the other";
    refused("op(a:v1,due@event-time)", "op(a:v1,due@processing-time)", "", &[other], "`--drop-state op.weir:timer:due` gives up");
    let anew = ["op.weir:timer:due: new, begins empty", "op.weir:timer:due: dropped"];
    check("op(a:v1,due@event-time)", "op(a:v1,due@processing-time)", "-op.weir:timer:due", &anew);
}

#[test]
fn a_refusal_names_the_steps_of_the_job_that_it_is_about() {
    let steps = |was: &str, now: &str, said: &str| {
        let refused = plan_identities(&graph(was), &graph(now), &options(said)).accepted("checkpoint 3");
        refused.expect_err("refused").steps().to_vec()
    };
    assert_eq!(steps("op(due@event-time)", "op(due@processing-time)", ""), ["op"]);
    assert_eq!(steps("op(a:v1)", "sums(a:m1)", "sums<op"), ["sums"]);
    assert_eq!(steps("one(a:v1,b:v1) two(a:v1)", "one(a:m1,b:m1) two(a:m1)", ""), ["one", "two"]);
    // What is gone stands in no file.
    assert_eq!(steps("op(a:v1)", "", ""), [""; 0]);
}

#[test]
fn what_a_restore_is_refused_for_is_not_planned_to_be_kept() {
    let fates = |was: &str, now: &str, said: &str| {
        let plan = plan_identities(&graph(was), &graph(now), &options(said)).plan;
        let op = &plan.vertices["op"];
        let fates: Vec<_> = op.states.iter().map(|state| state.fate == StateFate::Refused).collect();
        (op.refused, fates)
    };
    assert_eq!(fates("op(a:v1=u32,b:v1)", "op(a:v1=u64,b:v1)", ""), (false, vec![true, false]));
    assert_eq!(fates("op(a:v1,b:v2)", "op(a:m1,b:v1)", ""), (false, vec![true, true]));
    assert_eq!(fates("op(a:v1,b:v1)", "op(b:v1)", ""), (false, vec![true, false]));
    assert_eq!(fates("op(a:v1,b:v1)", "op(b:v1)", "-op.a"), (false, vec![false, false]));
    assert_eq!(fates("op(a:v1) sums(a:v1)", "op(a:v1)", "op<sums"), (true, vec![]));
    assert_eq!(fates("op*", "op(a:v1)", ""), (true, vec![]));
}

#[test]
fn a_change_in_place_names_no_flag_that_only_a_start_has_but_says_what_a_start_can_do() {
    let refused = |was: &str, now: &str| {
        let planned = plan_identities(&graph(was), &graph(now), &RestoreOptions::default());
        let error = planned.accepted_in_place("it cannot change").expect_err("refused");
        (error.to_string(), error.hint().unwrap_or_default().to_owned())
    };
    let (error, hint) = refused("op(a:v1,b:v1,c:v1)", "op(a:v1)");
    let lines =
        ["op.b: in the checkpoint, and op does not declare it any more", "op.c: in the checkpoint, and op does not declare it any more"];
    assert_eq!(error, format!("it cannot change\n  {}\n  {}", lines[0], lines[1]));
    assert!(
        hint.starts_with("only a start drops state: ") && hint.ends_with("`weir run JOBFILE --drop-state op.b --drop-state op.c`"),
        "{hint}"
    );
    let (error, _) = refused("more(a:v1) op(a:v1)", "op(a:v1)");
    assert_eq!(error, "it cannot change\n  more: in the checkpoint, not in the job file; it kept a");
    let changes = [("op(a:v1=u32)", "op(a:v1=u64)"), ("op(a:v2)", "op(a:v1)"), ("op(a:v1)", "op(a:m1)"), ("op(a:v1,b:v1)", "op(a:v2)")];
    for (was, now) in changes {
        let (error, hint) = refused(was, now);
        assert!(!error.contains("--") && !error.contains("resume"), "{error}");
        assert!(!hint.contains("--fresh") && !hint.contains("--pinned"), "{hint}");
    }
}

#[test]
fn where_nothing_is_restored_a_name_to_be_dropped_is_told_for_unknown_or_idle() {
    let told = |drops: &str| {
        let (same, options) = (graph("op(a:v1)"), options(drops));
        plan_identities(&same, &same, &options).idle_drops(&options)
    };
    let unknown = "--drop-state nix: the checkpoint keeps nothing of that name; it keeps `op`, `op.a`";
    let idle = "--drop-state: nothing is dropped, because the job has finished";
    assert_eq!(told(""), [""; 0]);
    assert_eq!(told("-nix"), [unknown]);
    assert_eq!(told("-op.a"), [idle]);
    assert_eq!(told("-nix -op"), [unknown, idle]);
}

#[test]
fn the_two_descriptions_stand_side_by_side() {
    let planned = plan_identities(&graph("op(a:v10=T{x:u32})"), &graph("op(a:b9=T{x:u64})"), &RestoreOptions::default());
    let expect = "resume checkpoint 3: the job has changed
  op.a: its kind has changed
      checkpoint  v10  value      T{x:u32}
      job         v9   broadcast  T{x:u64}";
    assert_eq!(planned.accepted("checkpoint 3").expect_err("refused").to_string(), expect);
}

#[test]
fn what_a_source_reads_and_what_a_step_is_does_not_change() {
    let mut moved = graph("in* op(a:v1)");
    moved.vertices.insert("in".into(), source("elsewhere"));
    moved.max_parallelism = 4;
    let planned = plan_identities(&graph("in* op(a:v1)"), &moved, &RestoreOptions::default());
    let lines: Vec<_> = planned.refusals.iter().map(|refusal| refusal.text.as_str()).collect();
    assert_eq!(lines[0], "max-parallelism: 8 in the checkpoint, 4 in the job file");
    assert_eq!(lines[1], "in: `path` is \"data\" in the checkpoint, \"elsewhere\" in the job file");
    refused("x*", "x(a:v1)", "", &["x: a source in the checkpoint, an operator in the job file"], UNDO);
    refused("x", "y*", "y<x", &["y: an operator in the checkpoint, a source in the job file"], UNDO);
    check("x*", "x(a:v1)", "-x", &["x: new, begins empty", "x: dropped (positions)"]);
}

#[test]
fn another_component_is_named() {
    let component = |digest: &str| {
        let mut graph = graph("op");
        graph.vertices.insert("op".into(), VertexIdentity::Operator { states: Vec::new(), component: Some(digest.into()) });
        graph
    };
    let planned = plan_identities(&component("aaaaaaaaaaaa"), &component("bbbbbbbbbbbb"), &RestoreOptions::default());
    assert_eq!(planned.plan.lines(), ["op: component aaaaaaaa → bbbbbbbb"]);
}

#[test]
fn records_in_flight_follow_the_new_ids_of_both_ends() {
    let edge = |from: &str, to: &str| EdgeIdentity {
        from: from.into(),
        output: "out".into(),
        to: to.into(),
        input: 0,
        partitioning: crate::exchange::Partitioning::Key,
    };
    let plan = check("in* op(a:v1)", "in* sums(a:v1)", "sums<op files<out", &["sums: renamed, was op"]);
    assert_eq!(plan.edge_now(&edge("in", "op")), edge("in", "sums"));
    assert_eq!(plan.edge_now(&edge("op", "out")), edge("sums", "files"));
    assert_eq!(plan.edge_now(&edge("op", "files")), edge("sums", "files"));
}

#[test]
fn what_is_in_the_way_is_named_as_it_is_dropped() {
    let named = |was: &str, now: &str, said: &str, expect: &[&str]| {
        let planned = |options: &RestoreOptions| plan_identities(&graph(was), &graph(now), options);
        let names = planned(&options(said)).in_the_way();
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expect, "{was} → {now}");
        let drops = RestoreOptions { drops: names, ..options(said) };
        assert_eq!(planned(&drops).refusals, [], "{was} → {now}");
    };
    named("op(a:v1)", "op(a:v1)", "", &[]);
    named("op(a:v1=u32,b:v1,c:v2,d:v1)", "op(a:v1=u64,b:v1,c:v1)", "", &["op.a", "op.c", "op.d"]);
    named("op(a:v1)", "sums(a:m1)", "sums<op", &["op.a"]);
    named("op(due@event-time,a:v1)", "op(due@processing-time,a:v1)", "", &["op.weir:timer:due"]);
    named("op(~hourly,a:v1)", "op(~daily,a:v1)", "", &["op"]);
    // A step that is gone is nobody's.
    assert_eq!(plan_identities(&graph("op(a:v1)"), &graph("in*"), &options("")).in_the_way(), BTreeSet::new());
}
