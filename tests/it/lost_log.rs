//! A job's log that is gone, or has lost its newest entries: what was committed shows it, and no run begins that would commit it again unasked.

use crate::WEIR;
use std::fs;
use weir_tests::process::{Bench, Signal, WordCount, differences};

fn stopped_job() -> Bench {
    let bench = Bench::new(WEIR, WordCount { parallelism: 2, ..WordCount::unhurried() });
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("committed parts", || bench.log().completed.len() >= 3 && bench.checkpoints_of_parts().len() >= 2));
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    bench
}

#[test]
fn a_log_that_is_gone_is_refused_by_every_command_that_needs_it() {
    let bench = stopped_job();
    let newest = bench.log().newest().id;
    let (log, aside) = (bench.storage().join("log"), bench.path("log-aside"));
    fs::rename(&log, &aside).expect("a folder");
    let lines = bench.committed();
    let check = format!("check job.toml --from {newest}");
    for line in ["run job.toml", "run job.toml --fresh", "checkpoint list job.toml", &check] {
        bench.run(line).assert(1, &["is there: the log is gone", "put the folder `log` back; or move the whole folder away"]);
    }
    assert!(!log.exists() && bench.committed() == lines, "a refused run begins nothing");
    fs::rename(&aside, &log).expect("a folder");
    bench.hasten();
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn a_folder_that_was_moved_away_whole_is_no_log_that_is_gone() {
    let bench = stopped_job();
    fs::rename(bench.storage(), bench.path("aside")).expect("a folder");
    fs::rename(bench.path("out"), bench.path("out-aside")).expect("a folder");
    bench.hasten();
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

/// What is left of a log without its newest entries.
struct Shortened {
    /// The newest checkpoint that has output, and whose output is committed.
    lost: u64,
    /// The completed checkpoint before it: the newest one that the log still knows.
    known: u64,
    /// The first entry that is gone.
    entry: u64,
}

/// Moves aside the entry of the checkpoint that made the newest output visible, and those behind it. Which one that is, the output says: a checkpoint
/// that follows close behind another has none of its own, though its metadata may still name what the other one has to commit.
fn without_newest_entry(bench: &Bench) -> Shortened {
    let lost = *bench.checkpoints_of_parts().last().expect("committed output");
    let log = bench.log();
    let by = log.completed.iter().position(|checkpoint| checkpoint.id >= lost).expect("a checkpoint that made it visible");
    let known = log.completed[by.checked_sub(1).expect("a checkpoint before it")].id;
    Shortened { lost, known, entry: without_entries_from(bench, log.completed[by].id) }
}

/// The entry of this completed checkpoint, which is moved aside with those behind it.
fn without_entries_from(bench: &Bench, id: u64) -> u64 {
    let log = bench.log();
    let is_newest = |seq: &u64| {
        let text = fs::read_to_string(bench.log_entry(*seq)).expect("an entry");
        text.contains("\"kind\":\"completed\"") && text.contains(&format!("\"checkpoint_id\":{id},"))
    };
    let entry = (1..=log.entries).rev().find(is_newest).expect("an entry");
    fs::create_dir_all(bench.path("aside")).expect("a folder");
    for seq in entry..=log.entries {
        fs::rename(bench.log_entry(seq), bench.path(&format!("aside/{seq}.json"))).expect("an entry");
    }
    entry
}

#[test]
fn newest_entries_that_are_lost_are_missed_by_the_output_that_they_made_visible() {
    let bench = stopped_job();
    let Shortened { lost, known, entry } = without_newest_entry(&bench);
    let refused = bench.run("run job.toml --output json");
    refused.assert(
        1,
        &[
            &format!("output of checkpoint {lost} is committed in out"),
            &format!("knows none behind checkpoint {known}: its newest entries are lost"),
            &format!("put them back; or `--from {known}` goes on from there"),
        ],
    );
    assert_eq!((refused.document()["outcome"].clone(), bench.log().entries), ("failed".into(), entry - 1), "a refused run begins nothing");
    for moved in fs::read_dir(bench.path("aside")).expect("a folder").map(|moved| moved.expect("an entry")) {
        fs::rename(moved.path(), bench.storage().join("log").join(moved.file_name())).expect("an entry");
    }
    bench.hasten();
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn where_so_much_is_lost_that_no_known_checkpoint_is_kept_none_is_advised() {
    let bench = Bench::new(WEIR, WordCount { parallelism: 2, ..WordCount::default() });
    let mut process = bench.start("run job.toml -q");
    assert!(process.runs_until("many checkpoints", || bench.log().completed.len() >= 8 && bench.parts().len() >= 2));
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    let log = bench.log();
    let known = log.completed[1].id;
    without_entries_from(&bench, log.completed[2].id);
    bench
        .run("run job.toml")
        .assert(1, &["its newest entries are lost", "put them back; or `--fresh` starts over, and the output repeats"]);
    let gone = bench.run(&format!("run job.toml --from {known}"));
    gone.assert(1, &["it is not there"]);
    assert!(!gone.stderr.contains("`--from"), "{gone:?}");
}

#[test]
fn whoever_goes_on_by_name_repeats_the_output_behind_it_and_is_not_asked_again() {
    let bench = stopped_job();
    let known = without_newest_entry(&bench).known;
    let killed = bench.run_with(&format!("run job.toml -q --from {known}"), &[("WEIR_CRASH_AT", "create log-completed after 2")]);
    assert_eq!(killed.code, None, "{killed:?}");
    bench.hasten();
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_at_least_once();
    assert!(differences(&bench.committed(), &bench.job().output()).is_some(), "what is repeated shows");
}

#[test]
fn metadata_without_its_entry_is_what_a_crash_leaves_behind_and_no_reason_to_refuse() {
    for parallelism in [1, 2] {
        let bench = Bench::new(WEIR, WordCount { parallelism, ..WordCount::default() });
        let killed = bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", "put checkpoints after 3")]);
        assert_eq!(killed.code, None, "{killed:?}");
        bench.run("run job.toml -q").assert(0, &[]);
        bench.assert_exactly_once();
    }
}
