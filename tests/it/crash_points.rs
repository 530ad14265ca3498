//! SIGKILL at named points of the protocol, before and after each of its steps: whichever it is, the next run finishes the job, and its
//! input shows in what is committed as often as the job's mode promises.
//!
//! One round over all points is the least; `WEIR_KILLS=1000 cargo test -p weir-tests crash_points` goes on until each test has killed that
//! often, each time at another pass of the points.

use crate::WEIR;
use std::fs;
use weir_tests::process::{Bench, Ended, Job, Seed, TimedJob, WordCount};

/// How a job takes its checkpoints, and what that promises of its output.
struct Mode {
    /// Lines of `[checkpoints]`.
    settings: &'static str,
    /// Each record is counted once, and not once or more often.
    once: bool,
}

const EXACTLY_ONCE: Mode = Mode { settings: "mode = \"exactly-once\"\nunaligned = \"never\"", once: true };

const UNALIGNED: Mode = Mode { settings: "unaligned = \"always\"\nmax-concurrent = 2", once: true };
const AT_LEAST_ONCE: Mode = Mode { settings: "mode = \"at-least-once\"", once: false };

/// A step that the process is killed at.
struct Point {
    step: &'static str,
    /// One of its first so many passes. A run that is held up may take fewer checkpoints, and has the first pass in any case.
    passes: u64,
}

const fn point(step: &'static str, passes: u64) -> Point {
    Point { step, passes }
}

/// On the way to the first checkpoint.
const STARTING: [Point; 7] = [
    point("list log", 1),
    point("create probe", 2),
    point("get probe", 1),
    point("delete probe", 1),
    point("create log-attempt", 1),
    point("create plugins", 2),
    point("prepare", 3),
];

/// Around a checkpoint.
const RUNNING: [Point; 9] = [
    point("put state", 4),
    point("put checkpoints", 4),
    point("create log-completed", 4),
    point("commit", 4),
    point("list checkpoints", 5),
    point("list state", 4),
    point("delete checkpoints", 2),
    point("delete state", 2),
    point("create log-finished", 1),
];

/// On the way from a checkpoint.
const RESTORING: [Point; 7] = [
    point("get log", 2),
    point("get checkpoints", 1),
    point("create probe", 1),
    point("create log-attempt", 1),
    point("commit", 1),
    point("create plugins", 2),
    point("get state", 1),
];

/// Lays a job out that runs for less than a second, at this parallelism and with these lines of `[checkpoints]`.
type LayOut<J> = fn(u32, String) -> J;

fn words(parallelism: u32, checkpoints: String) -> WordCount {
    WordCount { lines: 1_200, parallelism, checkpoints, ..WordCount::default() }
}

/// Windows are open and timers set wherever it is killed.
fn timed(parallelism: u32, checkpoints: String) -> TimedJob {
    TimedJob { rows: 1_200, parallelism, checkpoints, ..TimedJob::default() }
}

/// A job under way, with what its processes have come to.
struct Victim<'a, J> {
    mode: &'a Mode,
    bench: Bench<J>,
    kills: usize,
}

impl<'a, J: Job> Victim<'a, J> {
    fn new(lay_out: LayOut<J>, mode: &'a Mode, parallelism: u32) -> Self {
        let bench = Bench::new(WEIR, lay_out(parallelism, format!("retain = 1\n{}", mode.settings)));
        Self { mode, bench, kills: 0 }
    }

    /// Runs the job until the point kills it. False where it came to its end first.
    fn is_killed_at(&mut self, point: &str) -> bool {
        let ended = self.bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", point)]);
        self.kills += usize::from(ended.code.is_none());
        assert!(matches!(ended.code, None | Some(0)), "{point}: {ended:?}");
        ended.code.is_none()
    }

    /// Lets the job finish, and compares.
    fn finish(&self) -> Ended {
        let last = self.bench.run("run job.toml --output json");
        last.assert(0, &[]);
        let outcome = last.document()["outcome"].clone();
        assert!(outcome == "finished" || outcome == "already-finished", "{last:?}");
        match self.mode.once {
            true => self.bench.assert_exactly_once(),
            false => self.bench.assert_counted_at_least_once(),
        }
        self.bench.assert_nothing_pending();
        self.bench.assert_nothing_left_behind(1, self.kills);
        last
    }
}

/// Kills jobs at each of `points`, `before` it and `after` it, and lets each of them finish. `first`: where a process is killed before that.
fn check<J: Job>(lay_out: LayOut<J>, mode: &Mode, first: Option<&str>, points: &[Point]) {
    let (mut seed, mut kills) = (Seed::of_run(), 0);
    let wanted = std::env::var("WEIR_KILLS").map_or(0, |kills| kills.parse().expect("WEIR_KILLS is a number"));
    while kills == 0 || kills < wanted {
        for point in points {
            for side in ["before", "after"] {
                let pass = seed.draw(1..=point.passes);
                let parallelism = seed.draw(1..=2) as u32;
                let named = |pass: u64| format!("{} {side} {pass}", point.step);
                println!("{}, parallelism {parallelism}", named(pass));
                kills += kill_at(lay_out, mode, first, &named(pass), parallelism).unwrap_or_else(|| {
                    let first_pass = kill_at(lay_out, mode, first, &named(1), parallelism);
                    first_pass.unwrap_or_else(|| panic!("no process passes `{}`", named(1)))
                });
            }
        }
    }
    println!("{kills} kills");
}

/// Kills a job at `point` and lets it finish. How often it was killed; `None` where it finished without coming to the point.
fn kill_at<J: Job>(lay_out: LayOut<J>, mode: &Mode, first: Option<&str>, point: &str, parallelism: u32) -> Option<usize> {
    let mut victim = Victim::new(lay_out, mode, parallelism);
    if let Some(first) = first {
        assert!(victim.is_killed_at(first), "`{first}` is not passed");
    }
    let killed = victim.is_killed_at(point);
    victim.finish();
    killed.then_some(victim.kills)
}

#[test]
fn a_job_that_is_killed_while_it_starts_commits_its_input_once() {
    check(words, &EXACTLY_ONCE, None, &STARTING);
}

#[test]
fn a_job_that_is_killed_around_a_checkpoint_commits_its_input_once() {
    check(words, &EXACTLY_ONCE, None, &RUNNING);
}

#[test]
fn a_job_that_is_killed_while_it_restores_commits_its_input_once() {
    check(words, &EXACTLY_ONCE, Some("create log-completed after 2"), &RESTORING);
}

#[test]
fn a_job_whose_barriers_overtake_is_killed_around_a_checkpoint_and_commits_its_input_once() {
    check(words, &UNALIGNED, None, &RUNNING);
}

#[test]
fn a_job_whose_barriers_overtake_is_killed_while_it_restores_and_commits_its_input_once() {
    check(words, &UNALIGNED, Some("create log-completed after 2"), &RESTORING);
}

#[test]
fn an_at_least_once_job_that_is_killed_around_a_checkpoint_loses_nothing() {
    check(words, &AT_LEAST_ONCE, None, &RUNNING);
}

#[test]
fn an_at_least_once_job_that_is_killed_while_it_restores_loses_nothing() {
    check(words, &AT_LEAST_ONCE, Some("create log-completed after 2"), &RESTORING);
}

#[test]
fn windows_and_timers_of_a_job_that_is_killed_around_a_checkpoint_speak_once() {
    check(timed, &EXACTLY_ONCE, None, &RUNNING);
}

#[test]
fn windows_and_timers_of_a_job_that_is_killed_while_it_restores_speak_once() {
    check(timed, &UNALIGNED, Some("create log-completed after 2"), &RESTORING);
}

#[test]
fn windows_and_timers_of_an_at_least_once_job_that_is_killed_around_a_checkpoint_lose_nothing() {
    check(timed, &AT_LEAST_ONCE, None, &RUNNING);
}

#[test]
fn a_job_that_is_killed_while_it_writes_a_failure_down_commits_its_input_once() {
    for side in ["before", "after"] {
        let mut victim = Victim::new(words, &EXACTLY_ONCE, 1);
        // No state object can be written below a file.
        let in_the_way = victim.bench.storage().join("state");
        fs::create_dir_all(victim.bench.storage()).expect("a folder");
        fs::write(&in_the_way, "").expect("a file");
        let point = format!("create log-failed {side} 1");
        assert!(victim.is_killed_at(&point), "`{point}` is not passed");
        fs::remove_file(&in_the_way).expect("it is there");
        victim.finish();
        assert_eq!(victim.bench.log().failed, u64::from(side == "after"));
    }
}

#[test]
fn records_set_aside_by_a_job_that_is_killed_while_it_commits_them_are_there_once() {
    for side in ["before", "after"] {
        let mut victim = Victim::new(words, &EXACTLY_ONCE, 1);
        // The plugin takes lines of text only.
        let input = fs::read(victim.bench.path("input.txt")).expect("an input");
        fs::write(victim.bench.path("input.txt"), [b"\xff\xfe\n", &input[..]].concat()).expect("it can be written");
        victim.bench.edit_job("input = \"lines\"", "input = \"lines\"\non-failure = \"quarantine\"");
        let point = format!("create quarantine {side} 1");
        assert!(victim.is_killed_at(&point), "`{point}` is not passed");
        victim.finish();
        let parts: Vec<_> = fs::read_dir(victim.bench.storage().join("quarantine/split")).expect("a folder").collect();
        assert_eq!(parts.len(), 1, "{parts:?}");
        let part = fs::read_to_string(parts[0].as_ref().expect("a file").path()).expect("it can be read");
        assert_eq!(part.lines().count(), 1, "{part}");
    }
}

#[test]
fn a_variable_that_names_no_point_is_refused() {
    let victim = Victim::new(words, &EXACTLY_ONCE, 1);
    let refused = victim.bench.run_with("run job.toml -q", &[("WEIR_CRASH_AT", "now")]);
    refused.assert(2, &["WEIR_CRASH_AT: `now` is no point to crash at"]);
}
