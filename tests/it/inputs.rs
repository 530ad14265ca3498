//! Operators with several inputs: the example `enrich` under a kill and a rescale, and job files that do not give an operator the inputs
//! that it needs.

use crate::WEIR;
use std::fmt::Write;
use std::fs;
use weir_tests::process::{Bench, Lines, WordCount, differences, plugin};

pub const FLIGHTS: u64 = 600;
pub const AIRCRAFT: u64 = 50;
/// Of the others nothing is known.
pub const PLANES: u64 = 40;

/// A folder with flights and planes, which come side by side within a second.
fn bench() -> Bench {
    // Of the job that a bench comes with, its name is kept: by that the storage is found.
    let bench = Bench::new(WEIR, WordCount::default());
    let mut flights = "tailnum,time_hour,carrier,flight,origin,dest,arr_delay\n".to_owned();
    (0..FLIGHTS).for_each(|n| writeln!(flights, "N{},T{n},UA,{n},EWR,IAH,NA", n % AIRCRAFT).expect("a text"));
    let mut planes = "tailnum,year,manufacturer,model,seats\n".to_owned();
    (0..PLANES).for_each(|n| writeln!(planes, "N{n},{},BOEING,737,{n}", 1960 + n).expect("a text"));
    fs::write(bench.path("flights.csv"), flights).expect("an input");
    fs::write(bench.path("planes.csv"), planes).expect("an input");
    bench
}

fn job_file(parallelism: u32, inputs: &str) -> String {
    let enrich = plugin("enrich");
    format!(
        "name = \"words\"
parallelism = {parallelism}
[checkpoints]
interval = \"50ms\"
[source.flights]
connector = \"file\"
path = \"flights.csv\"
format = \"csv\"
key = \"tailnum\"
rate = {FLIGHTS}
[source.planes]
connector = \"file\"
path = \"planes.csv\"
format = \"csv\"
key = \"tailnum\"
rate = {PLANES}
[operator.enrich]
plugin = {enrich:?}
inputs = [{inputs}]
[sink.out]
connector = \"file\"
input = \"enrich\"
path = \"out\"
"
    )
}

const BY_PLACE: &str = r#"{ from = "flights", by = "key" }, { from = "planes", by = "key" }"#;
const BY_NAME: &str = r#"{ from = "planes", by = "key", to = "planes" }, { from = "flights", by = "key", to = "flights" }"#;

/// A folder with the example and its input.
pub fn enrich_bench() -> Bench {
    let bench = bench();
    bench.write_job(&job_file(2, BY_PLACE));
    bench
}

/// A plain join.
fn joined() -> Lines {
    let line = |n: u64| {
        let plane = n % AIRCRAFT;
        format!(
            "{{\"tailnum\":\"N{plane}\",\"time_hour\":\"T{n}\",\"carrier\":\"UA\",\"flight\":{n},\"origin\":\"EWR\",\"dest\":\"IAH\",\"arr_delay\":null,\"manufacturer\":\"BOEING\",\"model\":\"737\",\"year\":{},\"seats\":{plane}}}",
            1960 + plane
        )
    };
    (0..FLIGHTS).filter(|n| n % AIRCRAFT < PLANES).map(|n| (line(n), 1)).collect()
}

#[test]
fn flights_are_joined_with_planes_once_over_a_kill_and_a_rescale() {
    let bench = enrich_bench();
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("two checkpoints", || bench.log().completed.len() >= 2 && !bench.parts().is_empty()));
    assert!(process.kill());
    bench.write_job(&job_file(3, BY_NAME));
    let ended = bench.run("run job.toml --output json");
    ended.assert(0, &["resuming from checkpoint"]);
    assert_eq!(ended.document()["outcome"], "finished", "{ended:?}");
    if let Some(how) = differences(&bench.committed(), &joined()) {
        panic!("the output is not that of a join: {how}");
    }
    bench.assert_nothing_pending();
}

#[test]
fn an_operator_whose_inputs_are_exchanged_is_opened_with_what_it_is_fed() {
    let bench = bench();
    bench.write_job(&job_file(1, BY_PLACE));
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("a checkpoint", || !bench.log().completed.is_empty()));
    assert!(process.kill());
    bench.write_job(&job_file(
        1,
        &BY_NAME.replace("to = \"planes\"", "to = \"x\"").replace("flights\" }", "planes\" }").replace("\"x\"", "\"flights\""),
    ));
    bench.run("run job.toml -q").assert(1, &["operator \"enrich\"", "open: ", "no column"]);
}

#[track_caller]
fn refused(bench: &Bench, job_file: &str, parts: &[&str]) {
    bench.write_job(job_file);
    bench.run("check job.toml").assert(2, parts);
}

#[test]
fn check_says_which_input_is_fed_by_what_and_refuses_what_does_not_fit() {
    let bench = bench();
    bench.write_job(&job_file(1, BY_NAME));
    let checked = bench.run("check job.toml");
    checked.assert(0, &[]);
    assert!(
        checked.stdout.contains("flights → enrich (flights)  key") && checked.stdout.contains("planes → enrich (planes)  key"),
        "{checked:?}"
    );

    let case = |inputs: &str, parts: &[&str]| refused(&bench, &job_file(1, inputs), parts);
    case(
        r#"{ from = "flights", by = "key" }"#,
        &["`enrich` has 2 inputs and is given 1", "one for each of `flights`, `planes`, in this order"],
    );
    case(r#"{ from = "flights", by = "key", to = "flights" }"#, &["nothing feeds the input `planes` of `enrich`"]);
    case(&BY_NAME.replace("to = \"planes\"", "to = \"plains\""), &["`enrich` has no input `plains`", "did you mean `planes`?"]);
    case(&BY_NAME.replace(", to = \"planes\"", ""), &["`enrich` has several inputs, and this does not say which one it feeds"]);
    case(
        &format!("{BY_NAME}, {{ from = \"planes\", to = \"flights\" }}"),
        &["the input `flights` of `enrich` is fed by `forward` from here and by `key` from elsewhere"],
    );
    case(
        &BY_NAME.replace("from = \"planes\", by = \"key\"", "from = \"planes\", by = \"rebalance\""),
        &[
            "the input `planes` of `enrich` is fed by `rebalance`, and the operator takes it by `key` only",
            "write `by = \"key\"` in this entry",
        ],
    );
    case(&format!("{BY_NAME}, {{ from = \"planes\", by = \"key\", to = \"planes\" }}"), &["`planes` is an input of this step already"]);
    let sink = job_file(1, BY_NAME).replace("input = \"enrich\"", "input = { from = \"enrich\", to = \"in\" }");
    refused(&bench, &sink, &["`to` names an input of an operator, and `out` is a sink"]);
}

#[test]
fn several_steps_may_feed_one_input_and_one_step_several() {
    let bench = bench();
    let both = format!("{BY_NAME}, {{ from = \"flights\", by = \"key\", to = \"planes\" }}");
    bench.write_job(&job_file(1, &both));
    // A flight is no plane: what is fed by both has no one header, and the plugin says so.
    bench.run("check job.toml").assert(2, &["enrich needs the headers of its rows"]);
    let planes = job_file(1, &format!("{BY_NAME}, {{ from = \"more\", by = \"key\", to = \"planes\" }}"));
    let more = "[source.more]\nconnector = \"file\"\npath = \"more.csv\"\nformat = \"csv\"\nkey = \"tailnum\"\n[operator.enrich]";
    fs::write(bench.path("more.csv"), "tailnum,year,manufacturer,model,seats\nN40,1960,BOEING,737,1\n").expect("an input");
    bench.write_job(&planes.replace("[operator.enrich]", more));
    bench.run("run job.toml -q").assert(0, &[]);
    let (committed, joined) = (bench.committed(), joined());
    let added = committed.keys().filter(|line| line.contains("\"tailnum\":\"N40\"")).count() as u64;
    assert_eq!((added, committed.len()), (FLIGHTS / AIRCRAFT, joined.len() + (FLIGHTS / AIRCRAFT) as usize));
}

/// The job with the tests' puppet in place of `enrich`: it keeps broadcast state.
fn puppet_job(parallelism: u32, inputs: &str) -> String {
    job_file(parallelism, inputs).replace(&format!("{:?}", plugin("enrich")), &format!("{:?}", plugin("weir-wasm-puppet")))
}

fn by_broadcast() -> String {
    BY_PLACE.replacen("\"planes\", by = \"key\"", "\"planes\", by = \"broadcast\"", 1)
}

#[test]
fn inspect_shows_how_much_broadcast_state_there_is() {
    let bench = bench();
    let rules =
        "tailnum,year,manufacturer,model,seats\nrule a=1,1960,BOEING,737,1\nrule b=2,1960,BOEING,737,1\nrule a=3,1960,BOEING,737,1\n";
    fs::write(bench.path("planes.csv"), rules).expect("an input");
    bench.write_job(&puppet_job(2, &by_broadcast()));
    bench.run("run job.toml -q").assert(0, &[]);
    let id = bench.log().newest().id;
    let inspected = bench.run(&format!("checkpoint inspect job.toml {id} --output json")).document();
    let vertex = |name: &str| inspected["vertices"].as_array().into_iter().flatten().find(|vertex| vertex["id"] == name).expect("a vertex");
    let enrich = vertex("enrich");
    assert_eq!((&enrich["broadcast_keys"], &vertex("out")["broadcast_keys"]), (&2.into(), &0.into()), "{inspected}");
    let bytes = |subtask: usize| enrich["subtasks"][subtask]["broadcast_bytes"].as_u64();
    assert!(bytes(0) > Some(0) && bytes(0) == bytes(1), "{inspected}");
    let shown = bench.run(&format!("checkpoint inspect job.toml {id}")).stdout;
    assert!(shown.contains("enrich: 2 keys of broadcast state") && shown.contains(" broadcast\n"), "{shown}");
}

#[test]
fn broadcast_state_needs_a_broadcast_input_and_state_by_key_a_keyed_one() {
    let bench = bench();
    let job = |inputs: &str| puppet_job(1, inputs);
    let by_broadcast = by_broadcast();
    bench.write_job(&job(&by_broadcast));
    bench.run("check job.toml").assert(0, &[]);
    refused(
        &bench,
        &job(BY_PLACE),
        &["`enrich` keeps broadcast state (`rules`), but none of its inputs is broadcast", "`by = \"broadcast\"`"],
    );
    let unkeyed = by_broadcast.replace("by = \"key\"", "by = \"forward\"");
    refused(
        &bench,
        &job(&unkeyed),
        &["`enrich` keeps state by key (`count`, `items`, `entries`, `fresh`, `lately`), but none of its inputs is", "distributed by key"],
    );
}

/// Asks a running job to go on with `package` in place of its `enrich`, which is refused with `why`: nothing of it is in the log, and the job goes on.
#[track_caller]
fn upgrade_refused(bench: &Bench, package: &str, why: &str) {
    let mut process = bench.start("run job.toml --output json");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    let line = format!("upgrade words --operator enrich --plugin {} --probation 1s", plugin(package).display());
    bench.run(&line).assert(1, &[why]);
    let log = bench.log();
    assert!(process.runs_until("another checkpoint", || bench.log().completed.len() > log.completed.len()), "{:?}", process.ended());
    bench.run("stop words").assert(0, &[]);
    assert_eq!(process.ended().document()["outcome"], "stopped");
    assert_eq!((bench.log().overrides, bench.log().attempts), (0, 1), "the job went on as it was");
}

/// The rates of sources whose job is under way for longer than an upgrade of it takes to be refused.
fn slowly(job: String) -> String {
    job.replace(&format!("rate = {FLIGHTS}"), "rate = 20").replace(&format!("rate = {PLANES}"), "rate = 2")
}

#[test]
fn a_live_upgrade_to_what_takes_an_input_by_key_that_is_fed_otherwise_is_refused_and_the_old_one_goes_on() {
    let bench = bench();
    bench.write_job(&slowly(puppet_job(2, &by_broadcast())));
    upgrade_refused(&bench, "enrich", "the input `planes` of `enrich` is fed by `broadcast`, and the operator takes it by `key` only");
}

#[test]
fn a_live_upgrade_to_what_takes_an_input_by_broadcast_that_is_fed_otherwise_is_refused_and_the_old_one_goes_on() {
    let bench = bench();
    bench.write_job(&slowly(job_file(2, BY_PLACE)));
    let why = "the input `planes` of `enrich` is fed by `key`, and the operator takes it by `broadcast` only";
    upgrade_refused(&bench, "broadcast-planes", why);
    bench.write_job(&job_file(2, BY_PLACE));
    bench.run("run job.toml -q").assert(0, &[]);
    if let Some(how) = differences(&bench.committed(), &joined()) {
        panic!("the output is not that of a join: {how}");
    }
}
