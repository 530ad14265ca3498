//! `weir dev`: what a job file may change under a running job and what it may not, plugins that fail once they have taken over, and what is answered at the keyboard.

use crate::WEIR;
use crate::dev::{Developed, stopped};
use std::process::Stdio;
use weir_tests::process::{Bench, Keyboard, Running, WordCount, plugin, write_variant};

fn bytes_of(package: &str) -> Vec<u8> {
    std::fs::read(plugin(package)).expect("a component")
}

/// Saves another job file, which is refused with these texts, one after the other; the job has not been stopped for it.
fn refused(job: &mut Developed, process: &mut Running, (was, is): (&str, &str), says: &[&str]) {
    let resumed = process.said().matches("stops behind a checkpoint").count();
    job.bench.edit_job(was, is);
    says.iter().for_each(|what| job.says(process, what));
    job.goes_on(process, "the job goes on as it was");
    job.bench.edit_job(is, was);
    job.goes_on(process, "what was refused is undone, and it says what runs already");
    assert_eq!(process.said().matches("stops behind a checkpoint").count(), resumed, "{}", process.said());
}

#[test]
fn what_a_running_job_cannot_go_on_with_is_refused_before_it_is_stopped() {
    let mut job = Developed::new();
    std::fs::write(job.bench.path("others.jsonl"), "").expect("a file");
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    let path = ("path = \"words.jsonl\"", "path = \"others.jsonl\"");
    refused(
        &mut job,
        &mut process,
        path,
        &["the job has changed", "words: `path` is ", "words.jsonl\" in the checkpoint, ", "`weir dev job.toml --fresh` starts over"],
    );
    refused(&mut job, &mut process, ("[operator.count]", "[operator.counted]"), &[]);
    let name = ("name = \"words\"", "name = \"others\"");
    refused(&mut job, &mut process, name, &["`name = \"others\"` is another job than `name = \"words\"`", "stop this with Ctrl-C"]);
    let storage = ("[checkpoints]", "[checkpoints]\nstorage = \"file:elsewhere\"");
    refused(&mut job, &mut process, storage, &["is another job than"]);
    stopped(process);
}

#[test]
fn a_job_without_a_checkpoint_is_not_stopped_for_what_it_could_not_go_on_with() {
    let mut job = Developed::new();
    std::fs::write(job.bench.path("others.jsonl"), "").expect("a file");
    job.bench.edit_job("interval = \"100ms\"", "interval = \"1h\"");
    let mut process = job.start("dev job.toml");
    let bench = &job.bench;
    assert!(process.runs_until("a job", || bench.run("status job.toml --output json").stdout.contains("\"running\"")));
    job.bench.edit_job("path = \"words.jsonl\"", "path = \"others.jsonl\"");
    job.says(&mut process, "the job has changed");
    job.says(&mut process, "the job goes on as it was");
    stopped(process);
}

#[test]
fn limits_and_parallelism_are_taken_over_and_said_by_their_names() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    job.bench.edit_job("[sink.out]", "limits = { memory = \"48MiB\" }\n[sink.out]");
    job.says(&mut process, "job.toml was saved: operator.count.limits");
    job.goes_on(&mut process, "resuming from checkpoint");
    job.bench.edit_job("48MiB", "49MiB");
    job.bench.edit_job("parallelism = 1", "parallelism = 2");
    job.says(&mut process, "operator.count.limits.memory");
    job.goes_on(&mut process, "resuming from checkpoint");
    job.bench.edit_job("49MiB", "1B");
    job.goes_on(&mut process, "the job goes on as it was");
    stopped(process);
}

#[test]
fn a_job_that_could_not_begin_anew_does_so_once_it_can() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    stopped(process);
    let built = "plugin = \"count.wasm\"\nbuild = \"cp written.wasm count.wasm\"\nsources = [\"written.wasm\"]";
    let nowhere = format!("plugin = \"sha256:{}\"", "0".repeat(64));
    job.bench.edit_job(built, &nowhere);
    let mut process = job.start("dev job.toml --fresh");
    job.heard = 0;
    job.says(&mut process, "the job has failed: what is saved begins it, from its beginning");
    job.bench.edit_job(&nowhere, built);
    job.goes_on(&mut process, "job.toml was saved: operator.count");
    assert!(!process.said().contains("resuming from") && !process.said().contains("last checkpoint"), "{}", process.said());
    // It has begun: what is saved from now on goes on.
    job.bench.edit_job("parallelism = 1", "parallelism = 2");
    job.goes_on(&mut process, "resuming from checkpoint");
    stopped(process);
}

#[test]
fn a_config_is_taken_over_and_holds_for_what_comes_next() {
    let bench = Bench::new(WEIR, WordCount::default());
    std::fs::copy(plugin("flight-delays"), bench.path("delays.wasm")).expect("a component");
    std::fs::write(bench.path("rows.csv"), "tailnum,arr_delay\na,4\n").expect("rows");
    bench.write_job(
        "name = \"words\"\nparallelism = 1\n[checkpoints]\ninterval = \"100ms\"\n[source.rows]\nconnector = \"file\"\npath = \"rows.csv\"\nformat = \"csv\"\nkey = \"tailnum\"\nfollow = true\n\
         [operator.delays]\nplugin = \"delays.wasm\"\ninput = { from = \"rows\", by = \"key\" }\nconfig = { emit = \"totals\" }\n\
         [sink.out]\nconnector = \"file\"\ninput = \"delays\"\npath = \"out\"\n",
    );
    let (mut process, mut heard) = (bench.start("dev job.toml"), 0);
    let has = |process: &mut Running, line: &str| {
        let there = || bench.parts().iter().any(|part| std::fs::read_to_string(part).is_ok_and(|text| text.contains(line)));
        assert!(process.runs_until(line, there), "{}", process.said());
    };
    has(&mut process, "{\"tailnum\":\"a\",\"flights\":1,\"total_delay\":4}");
    bench.edit_job("\"totals\"", "\"mean\"");
    assert!(process.says("job.toml was saved: operator.delays.config.emit", &mut heard), "{}", process.said());
    assert!(process.says("resuming from checkpoint", &mut heard), "{}", process.said());
    let rows = std::fs::OpenOptions::new().append(true).open(bench.path("rows.csv"));
    rows.and_then(|mut rows| std::io::Write::write_all(&mut rows, b"a,6\n")).expect("a row");
    has(&mut process, "a,2,5.00");
    stopped(process);
}

#[test]
fn a_plugin_that_traps_on_probation_goes_back_and_stays_back_when_the_job_file_is_saved() {
    let mut job = Developed::new();
    job.bench.edit_job("interval = \"100ms\"", "interval = \"1h\"");
    job.bench.edit_job("follow = true", "follow = true\nrate = 2000");
    let mut process = job.start("dev job.toml");
    // Enough for a minute: it traps within the tenth part of its second.
    job.come(120_000);
    let bench = &job.bench;
    assert!(process.runs_until("a job", || bench.run("status job.toml --output json").stdout.contains("\"running\"")));
    job.write(&bytes_of("trapping-count"));
    job.says(&mut process, "count: the new plugin failed, and the one before it goes on");
    job.bench.edit_job("interval = \"1h\"", "interval = \"100ms\"");
    job.says(&mut process, "job.toml was saved: checkpoints.interval");
    job.says(&mut process, "resuming from checkpoint");
    // The one that traps would do so at each hundredth of them.
    let (bench, before) = (&job.bench, job.bench.committed_in("out").len());
    assert!(process.runs_until("counts", || bench.committed_in("out").len() > before + 300), "{}", process.said());
    assert!(!process.said()[job.heard..].contains("restarting in"), "{}", process.said());
    stopped(process);
}

#[test]
fn a_plugin_that_traps_once_its_probation_is_over_goes_back_from_the_last_checkpoint() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    job.write(&bytes_of("trapping-count"));
    job.says(&mut process, "trapping-count 0.1.0 has taken over behind checkpoint");
    job.come(99);
    job.says(&mut process, "restarting in");
    job.goes_on(&mut process, "count: trapping-count 0.1.0 has failed, and the one before it goes on from the last checkpoint");

    // Its file is still the bad one, which no run of the job takes.
    job.bench.edit_job("parallelism = 1", "parallelism = 2");
    job.says(&mut process, "job.toml was saved: parallelism");
    job.goes_on(&mut process, "resuming from checkpoint");
    let variant = job.bench.path("variant.wasm");
    write_variant(&plugin("word-count-count"), &variant);
    job.write(&std::fs::read(&variant).expect("a component"));
    job.goes_on(&mut process, "word-count-count 0.1.0 has taken over behind checkpoint");
    assert!(!process.said().contains("does not count any more"), "{}", process.said());
    stopped(process);
}

#[test]
fn where_output_cannot_be_taken_back_is_said_once() {
    let mut job = Developed::new();
    job.bench.edit_job("[sink.out]", "[sink.shown]\nconnector = \"stdout\"\ninput = \"count\"\n[sink.out]");
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    let variant = job.bench.path("variant.wasm");
    write_variant(&plugin("word-count-count"), &variant);
    for bytes in [std::fs::read(&variant).expect("a component"), bytes_of("word-count-count")] {
        job.write(&bytes);
        job.goes_on(&mut process, "has taken over behind checkpoint");
    }
    assert_eq!(process.said().matches("the sink `shown` cannot take back what it has written").count(), 1, "{}", process.said());
    stopped(process);
}

#[test]
fn what_the_file_has_had_before_is_no_news_at_each_start() {
    let mut job = Developed::new();
    let mut process = job.start("dev job.toml");
    job.send(&mut process);
    let variant = job.bench.path("variant.wasm");
    write_variant(&plugin("word-count-count"), &variant);
    job.write(&std::fs::read(&variant).expect("a component"));
    job.goes_on(&mut process, "has taken over behind checkpoint");
    stopped(process);
    job.write(&bytes_of("word-count-count"));
    let mut process = job.start("dev job.toml");
    job.heard = 0;
    job.send(&mut process);
    job.bench.edit_job("parallelism = 1", "parallelism = 2");
    job.says(&mut process, "resuming from checkpoint");
    job.goes_on(&mut process, "resuming from checkpoint");
    assert!(!process.said().contains("does not count any more"), "{}", process.said());
    stopped(process);
}

#[test]
fn states_are_given_up_at_the_keyboard() {
    let mut job = Developed::new();
    let mut keyboard = Keyboard::new();
    let command = job.bench.command("dev job.toml");
    let mut process = Running::start_reading(command, "weir dev job.toml", Stdio::from(keyboard.read_from()));
    job.send(&mut process);
    keyboard.types("reset");
    job.says(&mut process, "there is nothing to answer");
    job.write(&bytes_of("keyed-count"));
    job.says(&mut process, "the one before it goes on");
    job.goes_on(&mut process, "type `reset` to give up what is kept");
    keyboard.types("rest");
    job.says(&mut process, "`reset` gives up what is kept");
    keyboard.types("reset");
    job.says(&mut process, "the job stops behind a checkpoint");
    job.says(&mut process, "resuming from checkpoint");
    stopped(process);
}
