//! Projects that are moved or copied between two runs, at the moment when that hurts most: a checkpoint is complete and its output not committed.
//! What the job file names relatively is the folder's own, wherever that is by then.

use crate::WEIR;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use weir_tests::process::{Bench, Signal, WordCount};

/// A job that was killed between a checkpoint's completion and the commit of its output.
fn killed_before_commit(parallelism: u32) -> Bench {
    let bench = Bench::new(WEIR, WordCount { parallelism, ..WordCount::default() });
    let killed = bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", "commit before 3")]);
    assert_eq!(killed.code, None, "{killed:?}");
    assert!(bench.parts_of_newest_checkpoint().iter().any(|part| !part.exists()), "something waits for its commit");
    bench
}

/// Every file of the output folder, pending ones too.
fn files(bench: &Bench) -> BTreeMap<PathBuf, Vec<u8>> {
    let folders = ["out", "out/.pending"].map(|folder| fs::read_dir(bench.path(folder)).expect("a folder"));
    let paths = folders.into_iter().flatten().map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    paths.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
}

#[test]
fn a_moved_project_commits_into_its_own_folder_and_goes_on_there() {
    for parallelism in [1, 2] {
        let bench = killed_before_commit(parallelism).moved();
        bench.run("run job.toml -q").assert(0, &[]);
        bench.assert_exactly_once();
        bench.assert_nothing_pending();
    }
}

#[test]
fn a_copied_project_commits_into_its_own_folder_and_leaves_the_originals_alone() {
    let original = killed_before_commit(2);
    let copy = original.copied();
    let before = files(&original);
    copy.run("run job.toml -q").assert(0, &[]);
    copy.assert_exactly_once();
    assert_eq!(files(&original), before);
    // The original then goes on as if there had been no copy.
    original.run("run job.toml -q").assert(0, &[]);
    original.assert_exactly_once();
    original.assert_nothing_pending();
}

#[test]
fn output_that_did_not_come_along_is_named_with_the_place_that_it_is_in() {
    let original = killed_before_commit(1);
    let copy = original.copied();
    fs::remove_dir_all(copy.path("out")).expect("a folder");
    let refused = copy.run("run job.toml -q");
    let here = format!("commit {}/part-", copy.path("out").display());
    refused.assert(1, &[&here, "it is missing", &format!("the file is at {}", original.path("out").display()), "bring it here"]);
    original.run("run job.toml -q").assert(0, &[]);
    original.assert_exactly_once();
}

#[test]
fn an_absolute_output_folder_is_where_it_was_wherever_the_project_is() {
    let bench = Bench::new(WEIR, WordCount::default());
    let elsewhere = tempfile::tempdir().expect("a folder");
    let out = format!("path = \"{}\"", elsewhere.path().join("out").display());
    bench.edit_job("path = \"out\"", &out);
    let killed = bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", "commit before 3")]);
    assert_eq!(killed.code, None, "{killed:?}");
    let bench = bench.moved();
    bench.run("run job.toml -q").assert(0, &[]);
    fs::rename(elsewhere.path().join("out"), bench.path("out")).expect("it can be moved");
    bench.assert_exactly_once();
}

#[test]
fn a_run_of_a_copied_projects_savepoint_writes_into_the_copy() {
    let original = Bench::new(WEIR, WordCount::unhurried());
    let mut process = original.start("run job.toml -q");
    assert!(process.runs_until("a committed part", || !original.parts().is_empty()));
    original.run("savepoint create words").assert(0, &[]);
    process.send(Signal::Terminate);
    process.ended().assert(0, &[]);
    let copy = original.copied();
    let before = files(&original);
    let entries = fs::read_dir(copy.storage().join("savepoints")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let savepoint = entries.into_iter().find(|path| path.is_dir()).expect("a savepoint");
    let ended = copy.run(&format!("run --from {}", savepoint.display()));
    ended.assert(0, &[&format!("its relative paths begin at {}", copy.path("").display().to_string().trim_end_matches('/'))]);
    assert_eq!(files(&original), before);
    copy.assert_at_least_once();
}
