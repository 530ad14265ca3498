//! A plugin that declares a newer version of its state and brings nothing over of what is kept: nowhere is it said to be migrated, what can be done is, and `weir dev`
//! offers to give the state up.

use crate::dev::Developed;
use std::process::Stdio;
use weir_engine::element::{key_group_of, key_hash};
use weir_tests::process::{Keyboard, Running, Signal, examples, plugin};

/// What is wrong with it.
const WHY: &str = "count.occurrences: version 1 in the checkpoint, 2 in the job, and the plugin does not bring it over";
/// What the plugin itself says.
const ITS_WORDS: &str = "cannot migrate state `occurrences` from version 1";
const MIGRATED: &str = "migrated from version";
/// Key groups of the job.
const MAX_PARALLELISM: u32 = 128;

fn newer() -> Vec<u8> {
    version("count_without_a_way")
}

fn version(name: &str) -> Vec<u8> {
    std::fs::read(examples("other-versions").join(format!("{name}.wasm"))).expect("a component")
}

/// Ends it, once nothing has been said to be migrated.
fn stopped(process: Running) -> String {
    let said = crate::dev::stopped(process);
    assert!(!said.contains(MIGRATED), "nothing is migrated: {said}");
    said
}

#[test]
fn a_version_that_nothing_leads_to_is_given_up_at_the_keyboard_where_the_job_runs() {
    let mut job = Developed::new();
    let mut keyboard = Keyboard::new();
    let command = job.bench.command("dev job.toml");
    let mut process = Running::start_reading(command, "weir dev job.toml", Stdio::from(keyboard.read_from()));
    job.send(&mut process);
    // What is kept of the word is in a checkpoint by then.
    let before = job.bench.log().completed.len();
    assert!(process.runs_until("two checkpoints", || job.bench.log().completed.len() >= before + 2));
    job.write(&newer());
    job.says(&mut process, WHY);
    job.says(&mut process, ITS_WORDS);
    job.goes_on(&mut process, "the new plugin does not go on with what is kept of count.occurrences; the one before it goes on");
    keyboard.types("reset");
    job.says(&mut process, "the job stops behind a checkpoint");
    job.says(&mut process, "count.occurrences: dropped");
    job.emits(&mut process, "a 1 of version 2");
    let said = stopped(process);
    assert!(!said.contains("rolled back"), "the job has not been stopped in vain: {said}");
}

#[test]
fn a_version_that_nothing_leads_to_is_given_up_by_the_flag_where_nobody_runs_the_job() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    stopped(process);

    job.write(&newer());
    let mut process = job.start("dev job.toml");
    job.heard = 0;
    job.says(&mut process, WHY);
    job.says(&mut process, "give up what is kept with `--drop-state count.occurrences`");
    job.says(&mut process, "the job does not go on with what is kept of count.occurrences, and does not run");
    process.send(Signal::Interrupt);
    assert!(!process.ended().stderr.contains(MIGRATED));

    let mut process = job.start("dev job.toml --reset-state");
    job.heard = 0;
    job.says(&mut process, "what is kept of count.occurrences is given up");
    job.says(&mut process, "count.occurrences: dropped");
    job.emits(&mut process, "a 1 of version 2");
    stopped(process);
}

#[test]
fn a_run_is_refused_with_what_can_be_done_and_a_check_and_an_upgrade_say_why() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    let upgrade =
        format!("upgrade job.toml --operator count --plugin {}", examples("other-versions").join("count_without_a_way.wasm").display());
    let upgraded = job.bench.run(&upgrade);
    upgraded.assert(1, &[]);
    assert!(upgraded.stdout.contains("is rolled back") && upgraded.stdout.contains(ITS_WORDS), "{upgraded:?}");
    assert!(!upgraded.stderr.contains(MIGRATED), "{upgraded:?}");
    job.send(&mut process);
    stopped(process);

    job.write(&newer());
    let attempts = job.bench.log().attempts;
    let refused = job.bench.run("run job.toml");
    let hint = "hint: write a `migrate` in the plugin that brings values of the older version over; or give up what is kept with `--drop-state count.occurrences`, undo the change, or start over with --fresh";
    refused.assert(1, &["the job has changed\n  ", WHY, ITS_WORDS, hint]);
    assert!(!refused.stderr.contains(MIGRATED), "{refused:?}");
    assert_eq!(job.bench.log().attempts, attempts, "a refused run begins nothing");
    let newest = job.bench.log().newest().id;
    let checked = job.bench.run(&format!("check job.toml --from {newest}"));
    checked.assert(1, &[WHY, hint]);
    assert!(checked.stdout.contains("occurrences: refused") && !checked.stdout.contains("migrated"), "{checked:?}");
    let checked = job.bench.run(&format!("check job.toml --from {newest} --drop-state count.occurrences"));
    checked.assert(0, &[]);
}

#[test]
fn what_begins_with_the_newer_version_has_nothing_to_bring_over() {
    let mut job = Developed::new();
    job.write(&newer());
    let mut process = job.start("dev job.toml");
    job.emits(&mut process, "a 1 of version 2");
    // Back to the older one nothing leads either.
    job.write(&std::fs::read(plugin("word-count-count")).expect("a component"));
    job.says(&mut process, "does not go on with what is kept of count.occurrences; the one before it goes on");
    stopped(process);
}

/// Of the last key group, which a trial does not come to where there is much in front of it.
fn word_at_the_end() -> String {
    let group = |word: &String| key_group_of(key_hash(word.as_bytes()), MAX_PARALLELISM);
    (0..).map(|number| format!("last{number}")).find(|word| group(word) == MAX_PARALLELISM - 1).expect("there is one")
}

#[test]
fn what_cannot_be_brought_over_further_on_fails_the_restore_with_what_can_be_done() {
    let mut job = Developed::new();
    let last = word_at_the_end();
    let line = |word: &str| format!("{{\"word\":\"{word}\"}}\n");
    let words: String = (0..3_000).map(|number| line(&format!("w{number}"))).collect();
    std::fs::write(job.bench.path("words.jsonl"), words + &line(&last).repeat(77)).expect("a file");
    let mut process = job.start("run job.toml");
    job.emits(&mut process, &format!("{{\"word\":\"{last}\",\"count\":77}}"));
    stopped(process);

    job.write(&version("count_with_a_gap"));
    let failed = job.bench.run("run job.toml");
    let hint = "hint: mend `migrate` of the plugin; or give up what is kept with `--drop-state count`, undo the change, or start over with --fresh";
    failed.assert(1, &["resuming from checkpoint", "restore count: ", "nobody knows what 77 of them are", hint]);
    assert!(!failed.stderr.contains(MIGRATED), "{failed:?}");
    let mut process = job.start("run job.toml --drop-state count");
    job.heard = 0;
    job.says(&mut process, "count: dropped (occurrences)");
    stopped(process);
}
