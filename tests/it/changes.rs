//! A job file that was changed between two runs: steps come, go, and have new names; what state cannot follow is refused with the difference
//! shown, and what would be lost is given up by name alone.

use crate::WEIR;
use std::collections::BTreeMap;
use std::fs;
use weir_tests::process::{Bench, Ended, Signal, WordCount, differences, plugin};

/// A job that was stopped in its midst.
fn stopped_job(parallelism: u32) -> Bench {
    let bench = Bench::new(WEIR, WordCount { parallelism, ..WordCount::unhurried() });
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("two checkpoints", || bench.log().completed.len() >= 2));
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    bench.hasten();
    bench
}

const UNDO: &str = "hint: undo the change, or start over with --fresh";
const DROP: &str = "hint: `--drop-state` gives up what it names";

/// Runs the job with `edits`, has it refused with `parts`, and puts the job file back.
#[track_caller]
fn refused(bench: &Bench, edits: &[(&str, &str)], parts: &[&str], hint: &str) {
    let before = bench.log();
    edits.iter().for_each(|(was, is)| bench.edit_job(was, is));
    let refused = bench.run("run job.toml --output json");
    let newest = before.newest().id;
    refused.assert(1, &[&format!("resume checkpoint {newest}: the job has changed"), hint]).assert(1, parts);
    assert_eq!(refused.document()["outcome"], "failed");
    // `weir check` says the same, without a run.
    bench.run(&format!("check job.toml --from {newest}")).assert(1, parts).assert(1, &[hint]);
    assert_eq!(bench.log().attempts, before.attempts, "a refused run begins nothing");
    bench.write_job(&bench.job().job_file());
    bench.hasten();
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
        &["count: in the checkpoint, not in the job file; `--drop-state count` drops what it kept (occurrences)"],
        DROP,
    );
    refused(
        &bench,
        &[("parallelism = 2", "parallelism = 2\nmax-parallelism = 64")],
        &["max-parallelism: 128 in the checkpoint, 64 in the job file"],
        UNDO,
    );
    refused(
        &bench,
        &[(&format!("plugin = {:?}", plugin("word-count-count")), "native = \"keyed-count\"")],
        &["count.occurrences: in the checkpoint, and count does not declare it any more; `--drop-state count.occurrences` drops it"],
        DROP,
    );
    refused(
        &bench,
        &[
            ("[operator.count]\n", "[operator.count]\nwas = \"counts\"\n"),
            ("[operator.split]\n", "[operator.cut]\nwas = \"spilt\"\n"),
            ("from = \"split\"", "from = \"cut\""),
        ],
        &["cut: `was = \"spilt\"`, but the checkpoint has neither; take `was` out to begin empty"],
        UNDO,
    );

    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn another_source_is_refused_and_shown() {
    let bench = stopped_job(1);
    fs::copy(bench.path("input.txt"), bench.path("other.txt")).expect("a copy");
    let was_now = |was: &str, now: &str, lines: &[&str]| refused(&bench, &[(was, now)], lines, UNDO);
    let format = "lines: `format` is \"lines\" in the checkpoint, \"jsonl\" in the job file";
    was_now(
        "path = \"input.txt\"",
        "path = \"other.txt\"",
        &["lines: `path` is \"input.txt\" in the checkpoint, \"other.txt\" in the job file"],
    );
    was_now("format = \"lines\"", "format = \"jsonl\"", &[format]);
    let key = "lines: `key` is nothing in the checkpoint, \"word\" in the job file";
    was_now("format = \"lines\"", "format = \"jsonl\"\nkey = \"word\"", &[format, key]);
    refused(
        &bench,
        &[("connector = \"file\"\npath = \"input.txt\"\nformat = \"lines\"", "connector = \"generator\"\ncount = 5")],
        &["lines: connector `file` in the checkpoint, `generator` in the job file"],
        UNDO,
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
    // An edge without state may change its way, too.
    bench.edit_job("input = \"lines\"", "input = { from = \"lines\", by = \"rebalance\" }");
    followed(
        &bench,
        &[("[sink.out]", limits), ("interval = \"50ms\"", "interval = \"20ms\"\nretain = 5"), ("rate = 1000000", "rate = 9000")],
    );
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

#[test]
fn steps_of_every_kind_go_on_under_new_ids() {
    let bench = stopped_job(2);
    let renames = [
        ("[source.lines]", "[source.rows]\nwas = \"lines\""),
        ("input = \"lines\"", "input = \"rows\""),
        ("[operator.split]", "[operator.cut]\nwas = \"split\""),
        ("from = \"split\"", "from = \"cut\""),
        ("[operator.count]", "[operator.tally]\nwas = \"count\""),
        ("input = \"count\"", "input = \"tally\""),
        ("[sink.out]", "[sink.files]\nwas = \"out\""),
    ];
    let ended = followed(&bench, &renames);
    ended.assert(0, &["rows: renamed, was lines", "cut: renamed, was split", "tally: renamed, was count"]);
    bench.assert_exactly_once();
    // The name stays in the job file: the checkpoints know the new one now.
    bench.run("run job.toml").assert(0, &["has finished already"]);
}

#[test]
fn steps_without_state_come_and_go() {
    let bench = stopped_job(2);
    let between = "[operator.same]\nnative = \"pass-through\"\ninput = \"lines\"\n[operator.split]";
    let edits = [("input = \"lines\"", "input = { from = \"same\", by = \"rebalance\" }"), ("[operator.split]", between)];
    edits.iter().for_each(|(was, is)| bench.edit_job(was, is));
    bench.edit_job("rate = 1000000", "rate = 100");
    let before = bench.log().completed.len();
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a checkpoint", || bench.log().completed.len() > before));
    process.send(Signal::Terminate);
    process.ended().assert(0, &["same: new"]);
    bench.write_job(&bench.job().job_file());
    bench.hasten();
    followed(&bench, &[]).assert(0, &["same: gone; it kept no state"]);
    bench.assert_exactly_once();
}

/// Of each word how often each count was committed.
fn counts(bench: &Bench) -> BTreeMap<String, BTreeMap<u64, u64>> {
    let mut counts = BTreeMap::<String, BTreeMap<u64, u64>>::new();
    for (line, times) in bench.committed() {
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let (word, count) = (line["word"].as_str().expect("a word"), line["count"].as_u64().expect("a count"));
        *counts.entry(word.to_owned()).or_default().entry(count).or_default() += times;
    }
    counts
}

#[test]
fn what_is_named_is_given_up_and_nothing_else() {
    let bench = stopped_job(2);
    let newest = bench.log().newest().id;
    bench.run("run job.toml --drop-state cuont").assert(
        1,
        &[
            &format!("resume checkpoint {newest}: there is nothing to drop"),
            "--drop-state cuont: the checkpoint keeps nothing of that name; it keeps `count`, `count.occurrences`, `lines`",
        ],
    );
    let before = counts(&bench);
    [("[operator.count]", "[operator.tally]"), ("input = \"count\"", "input = \"tally\"")]
        .iter()
        .for_each(|(was, is)| bench.edit_job(was, is));
    let checked = bench.run(&format!("check job.toml --from {newest} --drop-state count --output json"));
    let restore = &checked.assert(0, &[]).document()["restore"];
    assert_eq!((&restore["checkpoint"], &restore["refused"]), (&newest.into(), &serde_json::json!([])), "{restore}");
    assert_eq!(restore["left"], serde_json::json!([{"name": "count", "kept": ["occurrences"], "allowed": true}]));
    let ended = bench.run("run job.toml --drop-state count");
    ended.assert(0, &["count: dropped (occurrences)", "tally: new, begins empty"]);
    // Every record was counted once: up to the checkpoint by the one, and from 1 on again by the other.
    let mut expected = BTreeMap::<String, BTreeMap<u64, u64>>::new();
    for (word, counted) in counts_of_input(&bench) {
        let first = before.get(&word).map_or(0, |counts| counts.len() as u64);
        let all = (1..=first).chain(1..=counted - first);
        all.for_each(|count| *expected.entry(word.clone()).or_default().entry(count).or_default() += 1);
    }
    assert_eq!(counts(&bench), expected);
}

fn counts_of_input(bench: &Bench) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    bench.job().input().split_whitespace().for_each(|word| *counts.entry(word.to_owned()).or_default() += 1);
    counts
}

#[test]
fn without_a_checkpoint_there_is_nothing_to_give_up() {
    let bench = Bench::new(WEIR, WordCount::default());
    bench.run("run job.toml --drop-state count").assert(1, &["drop the state count: there is no checkpoint that could keep it"]);
    assert_eq!(bench.log().entries, 0);
}

#[test]
fn check_shows_what_a_run_would_take_over() {
    let bench = stopped_job(1);
    let newest = bench.log().newest().id;
    let same = bench.run("check job.toml");
    assert!(!same.stdout.contains("taken over") && same.code == Some(0), "{same:?}");
    bench.edit_job("[operator.count]", "[operator.tally]\nwas = \"count\"");
    bench.edit_job("input = \"count\"", "input = \"tally\"");
    let checked = bench.run(&format!("check job.toml --from {newest}"));
    checked.assert(0, &[]);
    for part in
        [format!("taken over from checkpoint {newest}\n"), "was count, 40 keys".into(), "occurrences: kept".into(), "1 split\n".into()]
    {
        assert!(checked.stdout.contains(&part), "{part}: {checked:?}");
    }
    bench.run("check job.toml --from 999").assert(1, &["check checkpoint 999: the job has no completed checkpoint with that id"]);
    bench.run("check job.toml --from latest").assert(2, &["neither a checkpoint id nor the URL or path of a savepoint"]);
}
