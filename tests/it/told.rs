//! What is said of changes of a running job, and that what a refusal advises works.

use crate::WEIR;
use weir_tests::process::{Bench, Running, WordCount, plugin, write_variant};

/// A job that runs for more than a minute where nobody stops it, and has committed something.
fn started() -> (Bench, Running) {
    let bench = Bench::new(WEIR, WordCount::long());
    let mut process = bench.start("run job.toml");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    bench.hasten();
    (bench, process)
}

#[test]
fn a_job_says_that_it_was_upgraded_and_rescaled_and_is_found_by_its_name_wherever_its_file_is() {
    let (bench, process) = started();
    write_variant(&plugin("word-count-count"), &bench.path("v2.wasm"));
    bench.run("upgrade words --operator count --plugin v2.wasm --probation 200ms").assert(0, &[]);
    bench.run("rescale words --parallelism 2 --operator out").assert(0, &[]);
    bench.run("savepoint create words taken").assert(0, &[]);
    for line in ["savepoint list words", "checkpoint list words"] {
        assert!(bench.run(line).stdout.contains("points of words"), "{line}");
    }
    bench.run("replay words --operator split --records 3 -q --output json").assert(0, &[]);
    bench
        .run("status jop.toml")
        .assert(1, &["no job `jop.toml` runs here: there is no such file", "hint: in this folder there are: `job.toml`"]);
    bench.run("stop words").assert(0, &[]);
    process
        .ended()
        .assert(0, &["weir: count is upgraded, behind checkpoint ", ": component ", "weir: rescaled behind checkpoint ", ": out 1 → 2"]);
}

#[test]
fn what_is_said_of_state_that_an_upgrade_would_lose_is_a_way_that_works() {
    let (bench, process) = started();
    let other = plugin("keyed-count");
    let refused = bench.run(&format!("upgrade words --operator count --plugin {}", other.display()));
    refused.assert(
        1,
        &["the running job cannot change in this way\n  count.occurrences: in the checkpoint, and count does not declare it any more\n"],
    );
    refused.assert(1, &["hint: only a start drops state: ", "`weir run JOBFILE --drop-state count.occurrences`"]);
    bench.run("stop words --savepoint before").assert(0, &[]);
    process.ended().assert(0, &[]);
    let was = format!("{:?}", plugin("word-count-count"));
    bench.edit_job(&was, &format!("{other:?}"));
    bench.run("run job.toml").assert(1, &["the job has changed\n  count.occurrences: "]);
    // Its counts are bytes, which `lines` would refuse.
    bench.edit_job("path = \"out\"", "path = \"counts\"\nformat = \"jsonl\"");
    bench.run("run job.toml --drop-state count.occurrences").assert(0, &["count.occurrences: dropped"]);
}

#[test]
fn a_step_that_is_renamed_behind_an_upgrade_does_not_go_back_in_silence() {
    let (bench, process) = started();
    write_variant(&plugin("word-count-count"), &bench.path("other.wasm"));
    bench.run("upgrade words --operator count --plugin other.wasm --probation 200ms").assert(0, &[]);
    bench.run("stop words").assert(0, &[]);
    process.ended().assert(0, &[]);
    bench.edit_job("[operator.count]", "[operator.tally]\nwas = \"count\"");
    bench.edit_job("input = \"count\"", "input = \"tally\"");
    let refused = bench.run("run job.toml");
    refused.assert(
        1,
        &["tally was count, whose component is ", " by an upgrade; the job file still names ", "hint: name the component of the upgrade"],
    );
    bench.edit_job(&format!("{:?}", plugin("word-count-count")), "\"other.wasm\"");
    bench.run("run job.toml").assert(0, &["finished"]);
}
