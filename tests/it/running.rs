//! A running job is spoken to: it answers, is changed without losing or doubling a record, and stops.

use crate::WEIR;
use serde_json::Value;
use weir_tests::process::{Bench, Ended, Running, Signal, WordCount, plugin, wait_until, write_variant};

/// A job that runs for more than a minute where nobody stops it, and has committed something. Another run of it reads as fast as it can.
fn started(parallelism: u32) -> (Bench, Running) {
    let bench = Bench::new(WEIR, WordCount { parallelism, ..WordCount::long() });
    let mut process = bench.start("run job.toml --output json");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    bench.hasten();
    (bench, process)
}

#[track_caller]
fn good(ended: &Ended) -> Value {
    ended.assert(0, &[]);
    ended.document()
}

#[test]
fn a_running_job_answers_by_name_and_by_file_and_stops() {
    let (bench, process) = started(1);
    assert_eq!(good(&bench.run("jobs --output json"))["jobs"][0]["job"], "words");
    let status = good(&bench.run("status words --output json"));
    assert_eq!((&status["state"], &status["vertices"][2]["id"]), (&"running".into(), &"count".into()));
    assert_eq!(good(&bench.run("status job.toml --output json"))["pid"], status["pid"]);
    let checkpoint = good(&bench.run("checkpoint trigger words --output json"))["checkpoint"].as_u64();
    assert!(checkpoint > status["last_checkpoint"]["id"].as_u64(), "{checkpoint:?}");
    bench.run("status others").assert(1, &["no job `others` runs here", "running are: words"]);

    let stopped = good(&bench.run("stop words --output json"));
    assert_eq!((&stopped["outcome"], &stopped["checkpoint"]), (&"stopped".into(), &bench.log().newest().id.into()));
    assert_eq!(process.ended().document()["outcome"], "stopped");
    bench.run("stop job.toml").assert(1, &["no job `job.toml` runs here", "weir run job.toml"]);
    assert_eq!(good(&bench.run("jobs --output json"))["jobs"], serde_json::json!([]));
    good(&bench.run("run job.toml --output json"));
    bench.assert_exactly_once();
}

#[test]
fn a_drained_job_is_finished_where_it_was() {
    let (bench, process) = started(2);
    let drained = good(&bench.run("stop words --drain --output json"));
    assert_eq!(drained["outcome"], "finished");
    let document = process.ended().document();
    let committed: u64 = bench.committed().values().sum();
    assert_eq!(document["vertices"][3]["records_in"], committed, "what was read is committed");
    assert!(committed < bench.job().output().len() as u64, "it was drained before its end");
    bench.run("run job.toml").assert(0, &["has finished already"]);
}

#[test]
fn a_folder_that_is_called_as_the_job_does_not_hide_it() {
    let (bench, process) = started(1);
    std::fs::create_dir(bench.path("words")).expect("a folder");
    let own = plugin("word-count-count");
    good(&bench.run("checkpoint list words --output json"));
    good(&bench.run("savepoint list words --output json"));
    good(&bench.run("state list words --output json"));
    good(&bench.run("replay words --operator count --records 5 --output json"));
    good(&bench.run(&format!("upgrade words --operator count --plugin {} --dry-run --records 5 --output json", own.display())));
    process.send(Signal::Interrupt);
    process.ended().assert(0, &[]);
    bench.run("checkpoint list words").assert(2, &["words"]);
}

#[test]
fn a_cancelled_job_goes_on_from_its_last_checkpoint() {
    let (bench, process) = started(1);
    assert_eq!(good(&bench.run("cancel words --output json"))["outcome"], "cancelled");
    assert_eq!(process.ended().document()["outcome"], "cancelled");
    good(&bench.run("run job.toml --output json"));
    bench.assert_exactly_once();
}

#[test]
fn savepoints_are_whole_and_jobs_start_from_them() {
    let (bench, process) = started(2);
    let taken = good(&bench.run("savepoint create words taken --output json"));
    let stopped = good(&bench.run("stop words --savepoint stopped --output json"));
    process.ended().assert(0, &[]);
    let url = stopped["savepoint"].as_str().expect("a savepoint");
    for folder in ["taken", "stopped"] {
        assert_eq!(good(&bench.run(&format!("savepoint verify {folder} --output json")))["whole"], true);
        let inspected = good(&bench.run(&format!("savepoint inspect {folder} --output json")));
        assert_eq!((&inspected["job"], &inspected["operators"][0]["states"][0]["name"]), (&"words".into(), &"occurrences".into()));
    }
    bench.run("savepoint create words taken").assert(1, &["no job `words` runs here"]);
    let listed = good(&bench.run("savepoint list job.toml --output json"));
    assert_eq!(listed["savepoints"][1]["checkpoint"], taken["checkpoint"]);

    // Nothing is lost or doubled between the savepoint of a stop and the stop, at whatever parallelism it goes on.
    bench.edit_job("parallelism = 2", "parallelism = 3");
    let resumed = bench.run(&format!("run job.toml --from {url} --output json"));
    resumed.assert(0, &[&format!("resuming from the savepoint {url}")]);
    bench.assert_exactly_once();
    bench.run(&format!("run job.toml --from {url}")).assert(0, &["has finished already"]);

    std::fs::write(bench.path("stopped/notes.txt"), "mine").expect("written");
    bench.run("savepoint delete stopped").assert(0, &[]);
    assert_eq!(std::fs::read_dir(bench.path("stopped")).expect("a folder").count(), 1, "only what is not its own is left");
    bench.run("savepoint inspect stopped").assert(1, &["there is no savepoint.json"]);
}

#[test]
fn a_rescaled_job_counts_each_record_once_and_stays_rescaled() {
    let (bench, process) = started(1);
    assert!(good(&bench.run("rescale words --parallelism 3 --output json"))["pause_ms"].is_number());
    good(&bench.run("rescale words --parallelism 2 --operator count --output json"));
    let status = good(&bench.run("status words --output json"));
    let parallelism: Vec<_> = status["vertices"].as_array().expect("vertices").iter().map(|vertex| vertex["parallelism"].clone()).collect();
    assert_eq!(parallelism, [3, 3, 2, 3]);
    bench.run("rescale words --parallelism 2 --operator cuont").assert(1, &["no step `cuont`"]);
    bench.run("rescale words --parallelism 1000").assert(1, &["key groups"]);
    assert!(process.kill());
    bench.run("run job.toml").assert(0, &["count: parallelism 2 by a rescale; the job file says 1", "out: parallelism 3 by a rescale"]);
    bench.assert_exactly_once();
}

#[test]
fn an_upgrade_takes_over_and_a_bad_one_goes_back_by_itself() {
    let (bench, process) = started(2);
    write_variant(&plugin("word-count-count"), &bench.path("v2.wasm"));
    let accepted = good(&bench.run("upgrade words --operator count --plugin v2.wasm --probation 200ms --output json"));
    assert_eq!(accepted["outcome"], "accepted");

    let line = format!("upgrade words --operator count --plugin {} --probation 30s --output json", plugin("trapping-count").display());
    let rolled_back = bench.run(&line);
    rolled_back.assert(1, &[]);
    let document = rolled_back.document();
    assert_eq!(document["outcome"], "rolled-back");
    assert!(document["reason"].as_str().is_some_and(|reason| reason.contains("every hundredth occurrence")), "{document}");

    let line = format!("upgrade words --operator count --plugin {} --probation 1s", plugin("keyed-count").display());
    bench.run(&line).assert(1, &["the running job cannot change in this way", "occurrences"]);
    bench.run("upgrade words --operator sink --plugin v2.wasm").assert(1, &["no operator `sink`"]);

    assert!(process.kill());
    let resumed = bench.run("run job.toml");
    resumed.assert(0, &["count: component", "by an upgrade"]);
    bench.assert_exactly_once();
}

#[test]
fn a_process_that_is_killed_on_probation_goes_back_to_the_old_component() {
    let (bench, process) = started(1);
    write_variant(&plugin("word-count-count"), &bench.path("v2.wasm"));
    let mut upgrade = bench.start("upgrade words --operator count --plugin v2.wasm --probation 60s");
    assert!(upgrade.runs_until("the override in the log", || bench.log().overrides > 0));
    // What the old component did up to the barrier is committed; what follows it is not.
    let some_time = std::time::Duration::from_millis(300);
    assert!(upgrade.runs_for(some_time));
    let committed = bench.committed();
    assert!(upgrade.runs_for(some_time));
    assert_eq!(bench.committed(), committed, "nothing is committed on probation");
    for line in ["savepoint create words taken", "rescale words --parallelism 2", "upgrade words --operator count --plugin v2.wasm"] {
        bench.run(line).assert(1, &["an upgrade of `count` is on probation, behind checkpoint", "hint: wait until it is over"]);
    }
    assert!(process.kill());
    upgrade.ended().assert(1, &[]);
    bench.run("run job.toml").assert(0, &["the upgrade of count was cut off on probation and is given up"]);
    bench.assert_exactly_once();
}

/// A job whose `count` is being upgraded, on the word of a command that was killed.
fn upgraded_by_nobody(probation: &str) -> (Bench, Running) {
    let (bench, process) = started(1);
    write_variant(&plugin("word-count-count"), &bench.path("v2.wasm"));
    let mut upgrade = bench.start(&format!("upgrade words --operator count --plugin v2.wasm --probation {probation}"));
    // Where the probation is short it may be told of the end before it is killed.
    _ = upgrade.runs_until("the override in the log", || bench.log().overrides > 0);
    assert!(bench.log().overrides > 0, "{:?}", upgrade.ended());
    _ = upgrade.kill();
    (bench, process)
}

#[test]
fn an_upgrade_goes_on_without_the_command_that_asked_for_it_and_the_next_change_keeps_it() {
    // The first is on probation for as long as its job is there, the second for as long as its end is waited for.
    let (bench, _process) = upgraded_by_nobody("60s");
    bench.run("rescale words --parallelism 2").assert(1, &["an upgrade of `count` is"]);
    let (bench, process) = upgraded_by_nobody("1s");
    let component = || {
        let folder = format!("taken-{}", bench.log().entries);
        good(&bench.run(&format!("savepoint create words {folder} --output json")));
        let inspected = good(&bench.run(&format!("savepoint inspect {folder} --output json")));
        inspected["plugins"].as_array().expect("plugins").iter().find(|plugin| plugin["id"] == "count").expect("count")["digest"].clone()
    };
    wait_until("the end of the probation", || good(&bench.run("status words --output json"))["change"].is_null());
    good(&bench.run("rescale words --parallelism 2 --output json"));
    let old = good(&bench.run(&format!("plugin inspect {} --output json", plugin("word-count-count").display())))["digest"].clone();
    assert_ne!(format!("sha256:{}", component().as_str().expect("a digest")), old.as_str().expect("a digest"));
    assert!(process.kill());
    bench.run("run job.toml").assert(0, &["count: component", "count: parallelism 2 by a rescale"]);
    bench.assert_exactly_once();
}

#[test]
fn a_savepoint_that_cannot_be_written_stops_nothing_and_one_that_is_not_there_is_not_made() {
    let (bench, process) = started(1);
    std::fs::create_dir(bench.path("full")).expect("a folder");
    std::fs::write(bench.path("full/notes.txt"), "mine").expect("written");
    bench.run("stop words --savepoint full").assert(1, &["the folder is not empty: notes.txt"]);
    assert_eq!(good(&bench.run("status words --output json"))["state"], "running");
    assert!(process.kill());
    bench.run("run job.toml --from ./typo --no-api").assert(1, &["there is no savepoint.json"]);
    assert!(!bench.path("typo").exists(), "looking for a savepoint makes no folder");
}

/// Stops a job while an upgrade is on probation by `stop`: it goes back to the barrier of the upgrade, and stops behind it with the old component.
fn check_stop_on_probation(stop: impl Fn(&Bench, &Running)) {
    let (bench, process) = started(1);
    write_variant(&plugin("word-count-count"), &bench.path("v2.wasm"));
    let mut upgrade = bench.start("upgrade words --operator count --plugin v2.wasm --probation 1h");
    assert!(upgrade.runs_until("the override in the log", || bench.log().overrides > 0));
    assert!(upgrade.runs_for(std::time::Duration::from_millis(200)));
    stop(&bench, &process);
    process.ended().assert(0, &["the upgrade is rolled back: the job was stopped while an upgrade was on probation"]);
    let rolled_back = upgrade.ended();
    assert!(rolled_back.code == Some(1) && rolled_back.stdout.contains("is rolled back"), "{rolled_back:?}");
    let resumed = bench.run("run job.toml");
    resumed.assert(0, &["resuming from checkpoint"]);
    assert!(!resumed.stderr.contains("by an upgrade") && !resumed.stderr.contains("given up"), "{}", resumed.stderr);
    bench.assert_exactly_once();
}

#[test]
fn a_stop_on_probation_goes_back_to_the_barrier_of_the_upgrade_first() {
    check_stop_on_probation(|bench, _| assert_eq!(good(&bench.run("stop words --output json"))["outcome"], "stopped"));
}

#[test]
fn sigterm_on_probation_goes_back_to_the_barrier_of_the_upgrade_first() {
    check_stop_on_probation(|_, process| process.send(Signal::Terminate));
}

#[test]
fn a_stop_whose_savepoint_cannot_be_written_says_that_the_job_has_stopped() {
    let (bench, process) = started(1);
    // The folder itself has a name that is just not too long; what would lie in it has.
    let base = bench.path("").display().to_string();
    let mut target = String::new();
    while base.len() + target.len() < 4_030 {
        target.push_str(&format!("{}/", "x".repeat((4_030 - base.len() - target.len()).clamp(1, 200))));
    }
    let stopped = bench.run(&format!("stop words --savepoint ./{target} --output json"));
    let newest = bench.log().newest().id;
    stopped.assert(
        1,
        &[&format!("the job has stopped behind checkpoint {newest}, but its savepoint could not be written"), "hint: nothing is lost"],
    );
    let document = stopped.document();
    assert_eq!((&document["outcome"], &document["checkpoint"]), (&"stopped".into(), &newest.into()), "{document}");
    assert!(document["savepoint"].is_null(), "{document}");
    process.ended().assert(0, &[]);
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}

/// `lines` words, in a column of that name; one in a hundred asks a faulty component for a fault, in turn.
fn words_with_faults(lines: usize, faults: &[&str]) -> Vec<String> {
    let word = |line: usize| if line % 100 == 50 { faults[line / 100 % faults.len()].to_owned() } else { format!("v{line}") };
    (0..lines).map(word).collect()
}

#[test]
fn a_faulty_component_goes_in_and_out_by_itself_and_nothing_of_it_is_left() {
    let bench = Bench::new(WEIR, WordCount::default());
    let words = words_with_faults(12_000, &["trap", "spin", "fail", "alloc", "panic", "flood", "malformed:ends-fall"]);
    std::fs::write(bench.path("words.csv"), format!("word\n{}\n", words.join("\n"))).expect("an input");
    bench.write_job(&format!(
        "name = \"words\"
parallelism = 2
[checkpoints]
interval = \"50ms\"
[source.words]
connector = \"file\"
path = \"words.csv\"
format = \"csv\"
key = \"word\"
rate = 300
[operator.echo]
plugin = {:?}
input = {{ from = \"words\", by = \"key\" }}
limits = {{ time-per-batch = \"200ms\" }}
[sink.out]
connector = \"file\"
input = \"echo\"
path = \"out\"
",
        plugin("pass-through")
    ));
    let mut process = bench.start("run job.toml --output json");
    assert!(process.runs_until("a committed part", || !bench.parts().is_empty()));
    let line = format!("upgrade words --operator echo --plugin {} --probation 30s --output json", plugin("faulty").display());
    for _ in 0..3 {
        let ended = bench.run(&line);
        ended.assert(1, &[]);
        let document = ended.document();
        assert_eq!(document["outcome"], "rolled-back", "{document}");
        assert!(document["reason"].as_str().is_some_and(|reason| reason.contains("operator \"echo\"")), "{document}");
    }
    bench.run("stop words").assert(0, &[]);
    assert_eq!(process.ended().document()["outcome"], "stopped");
    bench.edit_job("rate = 300", "rate = 1000000");
    bench.run("run job.toml").assert(0, &["resuming from checkpoint"]);
    let expected: std::collections::BTreeMap<String, u64> = words.into_iter().fold(Default::default(), |mut lines, word| {
        *lines.entry(word).or_default() += 1;
        lines
    });
    assert_eq!(bench.committed(), expected, "every word as it came, by the component that was there before");
}
