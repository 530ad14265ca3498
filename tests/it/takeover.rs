//! Two processes on one job: the older is fenced, the younger goes on, and nothing shows twice.

use crate::WEIR;
use std::time::Duration;
use weir_tests::process::{Bench, Job, Seed, Signal, TimedJob, WordCount};

fn check(job: impl Job) {
    let bench = Bench::new(WEIR, job);
    let mut older = bench.start("run job.toml -q --output json");
    assert!(older.runs_until("a committed part", || !bench.parts().is_empty()));
    bench.hasten();
    let younger = bench.start("run job.toml -q --output json --takeover");

    let fenced = older.ended();
    fenced.assert(1, &["job words: another process has taken it over", "hint: this process stops; the other goes on"]);
    let document = fenced.document();
    assert_eq!((&document["outcome"], &document["attempt"]), (&"fenced".into(), &1.into()), "{document}");
    assert!(document["error"].as_str().is_some_and(|error| error.contains("another process")), "{document}");

    let document = younger.ended().assert(0, &[]).document();
    assert_eq!((&document["outcome"], &document["attempt"]), (&"finished".into(), &2.into()), "{document}");
    assert!(document["resumed_from"].is_u64(), "{document}");
    bench.assert_exactly_once();
}

#[test]
fn the_older_of_two_processes_is_fenced() {
    check(WordCount::long());
}

#[test]
fn the_older_of_two_parallel_processes_is_fenced() {
    check(WordCount { parallelism: 2, ..WordCount::long() });
}

#[test]
fn windows_that_are_open_and_timers_that_are_set_go_on_in_the_process_that_takes_over() {
    check(TimedJob { parallelism: 2, ..TimedJob::long() });
}

#[test]
fn of_many_processes_the_youngest_goes_on() {
    let bench = Bench::new(WEIR, WordCount::long());
    let mut first = bench.start("run job.toml -q --output json");
    assert!(first.runs_until("a committed part", || !bench.parts().is_empty()));
    bench.edit_job("rate = 300", "rate = 5000");
    // Three that start at once: each takes over from those before it, whatever order they come in.
    let mut all = vec![first];
    all.extend((0..3).map(|_| bench.start("run job.toml -q --output json --takeover")));
    let outcomes = all.into_iter().map(|process| process.ended().document()["outcome"].as_str().expect("an outcome").to_owned());
    let outcomes: Vec<String> = outcomes.collect();
    assert_eq!(outcomes[0], "fenced", "the oldest: {outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "finished").count(), 1, "{outcomes:?}");
    // One that is held up on its way in finds the job at its end.
    assert!(outcomes.iter().all(|outcome| ["finished", "fenced", "already-finished"].contains(&outcome.as_str())), "{outcomes:?}");
    bench.assert_exactly_once();
}

/// Lets processes take over from each other, each held at a random moment, until one finishes; wakes the others then.
fn check_sleepers(job: impl Job, sleepers: usize) {
    let (mut seed, bench) = (Seed::of_run(), Bench::new(WEIR, job));
    let mut held = Vec::new();
    for number in 0..sleepers {
        let before = bench.log();
        let mut process = bench.start("run job.toml -q --output json --takeover");
        // Half of them are held on their way in, which may be before they have begun an attempt.
        let begun = || bench.log().completed.len() > before.completed.len() && !bench.parts().is_empty();
        let runs = (number > 0 && seed.coin()) || process.runs_until("a checkpoint", begun);
        assert!(runs && process.runs_for(Duration::from_millis(seed.draw(..100))), "{:?}", process.ended());
        process.send(Signal::Pause);
        held.push(process);
    }
    bench.hasten();
    bench.run("run job.toml -q --takeover").assert(0, &[]);
    bench.assert_exactly_once();

    for process in held {
        process.send(Signal::Continue);
        let ended = process.ended();
        let document = ended.document();
        let (outcome, had_begun) = (&document["outcome"], !document["attempt"].is_null());
        match had_begun {
            true => assert!(ended.code == Some(1) && outcome == "fenced", "{ended:?}"),
            false => assert!(ended.code == Some(0) && outcome == "already-finished", "{ended:?}"),
        }
        bench.assert_exactly_once();
    }
}

#[test]
fn a_process_that_wakes_up_behind_the_end_is_fenced_and_changes_nothing() {
    check_sleepers(WordCount::long(), 4);
}

#[test]
fn parallel_processes_that_wake_up_behind_the_end_are_fenced_and_change_nothing() {
    check_sleepers(WordCount { parallelism: 2, ..WordCount::long() }, 4);
}

#[test]
fn windows_and_timers_of_a_process_that_wakes_up_behind_the_end_change_nothing() {
    check_sleepers(TimedJob { parallelism: 2, ..TimedJob::long() }, 3);
}

/// Holds a process, deletes all that it has stored, and runs the job anew in its place, to its end or for a while; then lets the first go on.
fn check_replaced(parallelism: u32, lets_the_other_finish: bool) {
    let bench = Bench::new(WEIR, WordCount { parallelism, ..WordCount::long() });
    let mut sleeper = bench.start("run job.toml -q --output json");
    assert!(sleeper.runs_until("two checkpoints", || bench.log().completed.len() >= 2));
    sleeper.send(Signal::Pause);
    // As where another machine has the storage: nobody knows of the process that sleeps.
    for folder in [".weir", "out", "home"] {
        std::fs::remove_dir_all(bench.path(folder)).expect("a folder");
    }
    bench.edit_job("rate = 300", "rate = 5000");
    let mut other = bench.start("run job.toml -q --output json");
    assert!(other.runs_until("two checkpoints", || bench.log().completed.len() >= 2));
    if lets_the_other_finish {
        other.ended().assert(0, &[]);
        sleeper.send(Signal::Continue);
    } else {
        sleeper.send(Signal::Continue);
        other.ended().assert(0, &[]);
    }
    let fenced = sleeper.ended();
    fenced.assert(1, &["is an entry of another log: the storage was replaced under this process", "leaves the other's log alone"]);
    assert_eq!(fenced.document()["outcome"], "fenced");
    bench.assert_exactly_once();
    bench.run("run job.toml").assert(0, &["words has finished already"]);
}

#[test]
fn a_process_that_wakes_up_in_a_storage_that_was_replaced_is_fenced_and_changes_nothing() {
    check_replaced(1, true);
    check_replaced(2, false);
}

#[test]
fn a_job_that_a_process_here_runs_is_not_taken_over_unasked() {
    let bench = Bench::new(WEIR, WordCount::long());
    for line in ["run job.toml", "run job.toml --no-api"] {
        let parts = bench.parts().len();
        let mut first = bench.start(line);
        assert!(first.runs_until("a committed part", || bench.parts().len() > parts));
        let attempts = bench.log().attempts;
        let refused = bench.run("run job.toml --output json");
        refused.assert(1, &[&format!("job words runs already: process {} of yours has it", first.id()), "--takeover"]);
        assert_eq!(refused.document()["outcome"], "failed");
        // One that is stopped may go on at any time.
        first.send(Signal::Pause);
        bench.run("run job.toml --no-api").assert(1, &["runs already: process"]);
        first.send(Signal::Continue);
        assert_eq!(bench.log().attempts, attempts, "nothing was begun");
        assert!(first.runs());
        first.send(Signal::Terminate);
        first.ended().assert(0, &["stopping after a last checkpoint"]);
    }
    let mut first = bench.start("run job.toml");
    let parts = bench.parts().len();
    assert!(first.runs_until("a committed part", || bench.parts().len() > parts));
    let pid = first.id();
    bench.hasten();
    let second = bench.start("run job.toml --takeover");
    first.ended().assert(1, &["another process has taken it over"]);
    second.ended().assert(0, &[&format!("taking over from process {pid}, which is fenced and stops")]);
    bench.assert_exactly_once();
}

#[test]
fn of_two_that_begin_at_once_one_runs_and_the_other_is_refused() {
    let bench = Bench::new(WEIR, WordCount { lines: 20_000, ..WordCount::default() });
    let line = "run job.toml -q --output json";
    let both = [bench.start(line), bench.start(line)].map(|process| process.ended());
    let outcomes = both.each_ref().map(|ended| ended.document()["outcome"].as_str().expect("an outcome").to_owned());
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "finished").count(), 1, "{both:?}");
    let refused = both.iter().find(|ended| ended.document()["outcome"] != "finished").expect("the other one");
    // One that is held up for all the time that the job takes finds it at its end.
    let is_refused = refused.code == Some(1) && refused.stderr.contains("runs already");
    assert!(is_refused || refused.document()["outcome"] == "already-finished", "{both:?}");
    assert_eq!(bench.log().attempts, 1);
    bench.assert_exactly_once();
}

#[test]
fn a_run_whose_predecessor_was_not_seen_to_end_takes_over_and_says_so() {
    let bench = Bench::new(WEIR, WordCount::long());
    let mut first = bench.start("run job.toml");
    assert!(first.runs_until("a committed part", || !bench.parts().is_empty()));
    assert!(first.kill());
    let mut second = bench.start("run job.toml");
    let parts = bench.parts().len();
    assert!(second.runs_until("a committed part", || bench.parts().len() > parts));
    second.send(Signal::Terminate);
    second.ended().assert(0, &["taking over from attempt 1, whose end is not in the log"]);
    bench.hasten();
    let third = bench.run("run job.toml");
    third.assert(0, &[]);
    assert!(!third.stderr.contains("taking over"), "the one before it was stopped: {}", third.stderr);
    bench.assert_exactly_once();
}

#[test]
fn whoever_is_told_that_a_job_has_stopped_can_run_it() {
    let bench = Bench::new(WEIR, WordCount::long());
    for line in ["stop words", "cancel words", "stop words --savepoint"] {
        let parts = bench.parts().len();
        let mut process = bench.start("run job.toml -q");
        assert!(process.runs_until("a committed part", || bench.parts().len() > parts));
        bench.run(line).assert(0, &[]);
        let (parts, mut next) = (bench.parts().len(), bench.start("run job.toml -q"));
        assert!(next.runs_until("a committed part", || bench.parts().len() > parts));
        next.send(Signal::Terminate);
        next.ended().assert(0, &[]);
        process.ended().assert(0, &[]);
    }
    bench.hasten();
    bench.run("run job.toml -q").assert(0, &[]);
    bench.assert_exactly_once();
}
