//! A job file that was changed between two runs: what state cannot follow is refused with the difference shown, the rest is followed.

use crate::WEIR;
use std::fs;
use weir_tests::process::{Bench, Ended, Signal, WordCount, differences, plugin};

/// A job that was stopped in its midst.
fn stopped_job(parallelism: u32) -> Bench {
    let bench = Bench::new(WEIR, WordCount { parallelism, ..WordCount::default() });
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("two checkpoints", || bench.log().completed.len() >= 2));
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    bench
}

/// Runs the job with `edits`, has it refused with `parts`, and puts the job file back.
#[track_caller]
fn refused(bench: &Bench, edits: &[(&str, &str)], parts: &[&str]) {
    let before = bench.log();
    edits.iter().for_each(|(was, is)| bench.edit_job(was, is));
    let refused = bench.run("run job.toml --output json");
    let newest = before.newest().id;
    let hint = "hint: undo the change, or start over with --fresh";
    refused.assert(1, &[&format!("resume checkpoint {newest}: the job has changed"), hint]).assert(1, parts);
    assert_eq!(refused.document()["outcome"], "failed");
    assert_eq!(bench.log().attempts, before.attempts, "a refused run begins nothing");
    bench.write_job(&bench.job().job_file());
}

/// Runs the job with `edits` to its end.
#[track_caller]
fn followed(bench: &Bench, edits: &[(&str, &str)]) -> Ended {
    edits.iter().for_each(|(was, is)| bench.edit_job(was, is));
    let ended = bench.run("run job.toml --output json");
    ended.assert(0, &["resuming from checkpoint"]);
    assert_eq!(ended.document()["outcome"], "finished", "{ended:?}");
    ended
}

#[test]
fn changes_that_state_cannot_follow_are_refused_and_shown() {
    let bench = stopped_job(2);
    refused(
        &bench,
        &[("[operator.count]", "[operator.tally]"), ("input = \"count\"", "input = \"tally\"")],
        &[
            "count: in the checkpoint, not in the job file",
            "tally: in the job file, not in the checkpoint",
            "edge split.out → count (key): in the checkpoint, not in the job file",
            "edge split.out → tally (key): in the job file, not in the checkpoint",
        ],
    );
    refused(
        &bench,
        &[("parallelism = 2", "parallelism = 2\nmax-parallelism = 64")],
        &["max-parallelism: 128 in the checkpoint, 64 in the job file"],
    );
    refused(
        &bench,
        &[("input = \"lines\"", "input = { from = \"lines\", by = \"rebalance\" }")],
        &["edge lines.out → split (forward): in the checkpoint", "edge lines.out → split (rebalance): in the job file"],
    );
    refused(
        &bench,
        &[(&format!("plugin = {:?}", plugin("word-count-count")), "native = \"keyed-count\"")],
        &["count: states [occurrences value v1 occurrences{count:u64}] in the checkpoint, [totals value"],
    );

    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn another_source_is_refused_and_shown() {
    let bench = stopped_job(1);
    fs::copy(bench.path("input.txt"), bench.path("other.txt")).expect("a copy");
    let was_now = |was: &str, now: &str| {
        refused(&bench, &[(was, now)], &["lines: settings {", "} in the checkpoint, {", "} in the job file"]);
    };
    was_now("path = \"input.txt\"", "path = \"other.txt\"");
    was_now("format = \"lines\"", "format = \"jsonl\"");
    was_now("format = \"lines\"", "format = \"jsonl\"\nkey = \"word\"");
    refused(
        &bench,
        &[("connector = \"file\"\npath = \"input.txt\"\nformat = \"lines\"", "connector = \"generator\"\ncount = 5")],
        &["lines: connector `file` in the checkpoint, `generator` in the job file"],
    );

    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn an_input_that_is_not_the_one_that_was_read_is_refused_by_name() {
    let bench = stopped_job(1);
    let input = bench.job().input();
    let check = |text: Option<&str>| {
        match text {
            Some(text) => fs::write(bench.path("input.txt"), text).expect("an input"),
            None => fs::remove_file(bench.path("input.txt")).expect("an input"),
        }
        bench.run("run job.toml -q").assert(1, &["lines: ", "input.txt", "hint: "]);
    };
    check(Some(&input.replacen("word", "WORD", 1)));
    check(Some(&input[..input.len() / 2]));
    check(Some(&format!("{input}more\n")));
    check(None);

    fs::write(bench.path("input.txt"), input).expect("an input");
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn a_job_goes_on_at_another_parallelism() {
    for (was, is) in [(1, 3), (2, 1), (3, 2)] {
        let bench = stopped_job(was);
        let ended = followed(&bench, &[(&format!("parallelism = {was}"), &format!("parallelism = {is}"))]);
        assert_eq!(ended.document()["vertices"][2]["parallelism"], is);
        bench.assert_exactly_once();
    }
}

#[test]
fn settings_that_touch_no_state_may_change() {
    let bench = stopped_job(2);
    let limits = "config = {}\nparallelism = 1\nlimits = { memory = \"32MiB\" }\n[sink.out]";
    followed(&bench, &[("[sink.out]", limits), ("interval = \"50ms\"", "interval = \"20ms\"\nretain = 5"), ("rate = 3000", "rate = 9000")]);
    bench.assert_exactly_once();
}

#[test]
fn output_that_was_committed_stays_where_it_was_when_the_sink_moves() {
    let bench = stopped_job(2);
    let mut lines = bench.committed();
    followed(&bench, &[("path = \"out\"", "path = \"elsewhere\"")]);
    assert_eq!(bench.committed(), lines, "the first folder");
    for (line, count) in bench.committed_in("elsewhere") {
        *lines.entry(line).or_default() += count;
    }
    assert_eq!(differences(&lines, &bench.job().output()), None);
}

#[test]
fn a_new_component_with_the_same_states_goes_on_and_is_named() {
    let bench = stopped_job(2);
    let old = plugin("word-count-count");
    let mut component = fs::read(&old).expect("a component");
    // A custom section of no meaning: name "x", no contents.
    component.extend_from_slice(&[0, 2, 1, b'x']);
    fs::write(bench.path("count.wasm"), component).expect("a component");
    let ended = followed(&bench, &[(&format!("{old:?}"), "\"count.wasm\"")]);
    ended.assert(0, &["count: component ", " → "]);
    bench.assert_exactly_once();
}
