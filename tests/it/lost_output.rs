//! Committed part files are the user's: weir deletes and changes none, and misses those that its newest checkpoint names.

use crate::WEIR;
use std::collections::BTreeMap;
use std::fs;
use weir_tests::process::{Bench, WordCount};

/// A job that was killed where its last checkpoint names output that is there. One asked to stop takes a last checkpoint behind its source's end: where
/// the one before is still being written by then, that last one has nothing new to name, so a kill between two checkpoints is what shows the common case.
fn stopped_job() -> Bench {
    let bench = Bench::new(WEIR, WordCount::unhurried());
    for _ in 0..20 {
        let parts = bench.parts().len();
        let mut process = bench.start("run job.toml -q");
        assert!(process.runs_until("a committed part", || bench.parts().len() > parts));
        assert!(process.kill(), "it ran");
        let named = bench.parts_of_newest_checkpoint();
        if !named.is_empty() && named.iter().all(|part| part.exists()) {
            bench.hasten();
            return bench;
        }
    }
    panic!("twenty last checkpoints had no output");
}

#[test]
fn a_fresh_start_deletes_and_changes_no_committed_file() {
    let bench = Bench::new(WEIR, WordCount { lines: 300, ..WordCount::default() });
    let files = || bench.parts().into_iter().map(|path| (path.clone(), fs::read(path).expect("a part"))).collect::<BTreeMap<_, _>>();
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
    let before = files();

    bench.run("run job.toml").assert(0, &["words has finished already", "--fresh"]);
    assert_eq!(files(), before);

    bench.run("run job.toml -q --fresh").assert(0, &[]);
    let after = files();
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "{:?}\n{:?}", before.keys(), after.keys());
    let twice = bench.job().output().into_keys().map(|line| (line, 2)).collect();
    assert_eq!(bench.committed(), twice);
}

#[test]
fn output_that_was_cleared_away_does_not_keep_a_job_from_starting_over() {
    let bench = stopped_job();
    bench.parts().iter().for_each(|part| fs::remove_file(part).expect("it is there"));
    bench.run("run job.toml --fresh").assert(0, &["output given up"]);
    bench.assert_exactly_once();

    bench.parts().iter().for_each(|part| fs::remove_file(part).expect("it is there"));
    bench.run("run job.toml --fresh").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn a_deleted_part_is_missed_and_can_be_given_up() {
    let bench = stopped_job();
    let parts = bench.parts_of_newest_checkpoint();
    let lost = fs::read_to_string(&parts[0]).expect("a part");
    fs::remove_file(&parts[0]).expect("it is there");
    let name = parts[0].display().to_string();

    let refused = bench.run("run job.toml --output json");
    refused.assert(1, &[&format!("commit {name}: it is missing"), "output are lost", "--accept-lost-output"]);
    assert_eq!(refused.document()["outcome"], "failed");
    // Asking again changes nothing.
    bench.run("run job.toml -q").assert(1, &[&name]);

    bench.run("run job.toml --accept-lost-output").assert(0, &["output given up", &name]);
    let mut expected = bench.job().output();
    for line in lost.lines() {
        expected.remove(line);
    }
    assert_eq!(bench.committed(), expected);
}

#[test]
fn a_deleted_part_that_is_put_back_is_missed_no_more() {
    let bench = stopped_job();
    let part = &bench.parts_of_newest_checkpoint()[0];
    let bytes = fs::read(part).expect("a part");
    fs::remove_file(part).expect("it is there");
    bench.run("run job.toml -q").assert(1, &["it is missing"]);
    fs::write(part, bytes).expect("it can be put back");
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

#[test]
fn a_part_that_was_written_to_is_refused_and_left_alone() {
    let bench = stopped_job();
    let part = &bench.parts_of_newest_checkpoint()[0];
    let text = fs::read_to_string(part).expect("a part").replacen("word", "WORD", 1);
    fs::write(part, &text).expect("it can be written to");
    let name = part.display().to_string();
    bench.run("run job.toml -q").assert(1, &[&name, "it is not the file that the checkpoint names", "move it away"]);
    assert_eq!(fs::read_to_string(part).expect("a part"), text);
}
