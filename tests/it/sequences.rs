//! Random sequences of what can happen to a job: SIGKILL at any moment and at named points, stops, savepoints and runs from them, rescales,
//! upgrades that are fine, migrate, trap or are refused, another process that takes over, with parallelism, modes and settings drawn anew at every
//! start. What is committed in the end is compared with a plain model. In three of four sequences every process is exactly-once, so that a line
//! which is there twice shows.
//!
//! Each test runs as many sequences as `WEIR_SEQUENCES` says, two of them unless it does, on a job of another shape:
//! `WEIR_SEQUENCES=84 cargo test --workspace --test it sequences` makes some 500 of them, in half an hour on two cores. A sequence that fails
//! prints its steps, and the seed that draws the same again.

use crate::WEIR;
use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_tests::process::{Allowed, Bench, Ended, Running, Seed, Signal, Start, Topology, WordCount, plugin, write_variant};

/// What happens to a job before it is left alone.
const STEPS: u64 = 6;
/// The longest that a process is left to itself before the next step.
const LIFE_MS: u64 = 250;
/// Steps of the protocol that a process is killed at, now and then.
const CRASH_POINTS: [&str; 12] = [
    "create log-attempt",
    "create plugins",
    "put state",
    "put checkpoints",
    "create log-completed",
    "create log-override",
    "create log-outcome",
    "create quarantine",
    "commit",
    "prepare",
    "get state",
    "delete state",
];
/// One of these is a job's `max-parallelism`, at all its starts.
const MAX_PARALLELISMS: [u32; 3] = [4, 7, 128];
/// Exchanges the operator by key.
const UPGRADE: &str = "upgrade words --operator count --plugin";
/// Why a command may fail that is sent to a job in the midst of other things.
const REFUSALS: [&str; 9] = [
    "the job is about to end",
    "on probation",
    "at-least-once",
    "runs here",
    "is ending",
    "has ended",
    "the job's input has ended",
    "cannot be reached",
    "is about to begin it",
];

/// A job, and what has been done to it.
struct Sequence {
    topology: Topology,
    seed: Seed,
    bench: Bench,
    max_parallelism: u32,
    /// Processes may be at-least-once. Where one was, doubled lines are no fault any more: most sequences have none.
    may_repeat: bool,
    /// Going back to a savepoint, so many times.
    segments: usize,
    /// Some process has been at-least-once.
    repeats: bool,
    /// This process is at-least-once.
    at_least_once: bool,
    /// Of the plugin in the job file.
    version: u32,
    /// Savepoints and variants of plugins have numbers.
    made: u64,
    /// The component that was made last, and of which version.
    variant: Option<(u32, PathBuf)>,
    /// The savepoint that the next run starts from.
    from: Option<String>,
}

impl Sequence {
    fn new(topology: Topology, mut seed: Seed) -> Self {
        // Of the job that a bench comes with, its name is kept: by that the storage is found.
        let bench = Bench::new(WEIR, WordCount { lines: 0, ..WordCount::default() });
        topology.write_input(&bench);
        let (max_parallelism, may_repeat) = (*seed.pick(&MAX_PARALLELISMS), seed.draw(..4) == 0);
        Self {
            topology,
            seed,
            bench,
            max_parallelism,
            may_repeat,
            segments: 0,
            repeats: false,
            at_least_once: false,
            version: 1,
            made: 0,
            variant: None,
            from: None,
        }
    }

    fn run(mut self) {
        let mut process = self.start();
        for _ in 0..STEPS {
            let life = Duration::from_millis(self.seed.draw(..LIFE_MS));
            // Half of the steps fall behind a checkpoint of the process, so that the job gets on.
            let before = self.bench.log().completed.len();
            let on = !self.seed.coin() || process.running.runs_until("a checkpoint", || self.bench.log().completed.len() > before);
            process = match on && process.running.runs_for(life) {
                true => self.step(process),
                false if self.is_finished(process) => return self.finish(),
                false => self.start(),
            };
        }
        note("kill");
        _ = process.running.kill();
        self.finish();
    }

    /// Starts the job with other settings, behind the end of its last process. It may say that it would take over all the same.
    fn start(&mut self) -> Process {
        let takeover = if self.seed.draw(..4) == 0 { " --takeover" } else { "" };
        self.start_with(takeover)
    }

    /// Writes a job file with other settings, and starts it with `option`.
    fn start_with(&mut self, option: &str) -> Process {
        let seed = &mut self.seed;
        let (barriers, repeats) = match seed.draw(..7) {
            0 if self.may_repeat => ("mode = \"at-least-once\"", true),
            1 | 2 => ("unaligned = \"always\"", false),
            3 => ("unaligned = \"20ms\"", false),
            _ => ("", false),
        };
        (self.repeats, self.at_least_once) = (self.repeats || repeats, repeats);
        let checkpoints = format!(
            "interval = \"{}ms\"\nmax-concurrent = {}\nretain = {}\n{barriers}",
            seed.draw(20..120),
            seed.draw(1..=3),
            seed.draw(1..=4)
        );
        let (parallelism, keyed_parallelism) = (seed.draw(1..=3) as u32, seed.draw(1..=3) as u32);
        let (segment, version, rebalance, max_parallelism) = (self.segments, self.version, seed.coin(), self.max_parallelism);
        let start = Start { parallelism, keyed_parallelism, rebalance, checkpoints, unlimited: false, segment, version, max_parallelism };
        self.bench.write_job(&self.topology.job_file(&start));
        let from = self.from.take().map_or(String::new(), |savepoint| format!(" --from ./{savepoint}"));
        let line = format!("run job.toml{from}{option}");
        let crash = (self.seed.draw(..4) == 0).then(|| {
            let step = self.seed.pick(&CRASH_POINTS);
            format!("{step} {} {}", self.seed.pick(&["before", "after"]), self.seed.draw(1..=4))
        });
        note(&format!("{line}  {start:?}, crash at {crash:?}"));
        let variables: Vec<_> = crash.iter().map(|point| ("WEIR_CRASH_AT", point.as_str())).collect();
        Process { running: self.bench.start_with(&line, &variables), crashes: crash.is_some(), may_be_fenced: false }
    }

    /// Does something to the job. Gives the process that runs then.
    fn step(&mut self, process: Process) -> Process {
        match self.seed.draw(..13) {
            0 | 1 => {
                note("kill");
                _ = process.running.kill();
                self.start()
            }
            // Before it listens to signals one ends it as a kill does.
            2 => self.after("terminate", Process { crashes: true, ..process }, |_, running| running.send(Signal::Terminate)),
            3 => self.after("stop", process, |sequence, _| _ = sequence.ask("stop words")),
            4 => self.after("cancel", process, |sequence, _| _ = sequence.ask("cancel words")),
            5 => self.stop_with_savepoint(process),
            12 => self.take_over(process),
            6 | 7 => self.savepoint(process),
            8 => {
                let operator = if self.seed.coin() { " --operator count" } else { "" };
                let line = format!("rescale words --parallelism {}{operator}", self.seed.draw(1..=4));
                _ = self.ask(&line);
                process
            }
            _ => self.upgrade(process),
        }
    }

    /// Ends the process in this way, and starts the next.
    fn after(&mut self, how: &str, process: Process, end: impl FnOnce(&mut Self, &Running)) -> Process {
        note(how);
        end(self, &process.running);
        if self.is_finished(process) {
            note("which was the end");
        }
        self.start()
    }

    /// Starts another process in the place of the one that runs, which is fenced, or comes to its end before that.
    fn take_over(&mut self, older: Process) -> Process {
        let younger = self.start_with(" --takeover");
        let ended = older.running.ended();
        note(&format!("the older: {:?}", ended.code));
        assert!(is_fenced(&ended) || ended.code == Some(0) || (older.crashes && ended.code.is_none()), "{ended:?}");
        // The older may have begun its attempt behind that of the younger, where it had only just been started: then it is the one that goes on.
        Process { may_be_fenced: !is_fenced(&ended), ..younger }
    }

    /// What was read up to the savepoint of a stop is committed, and nothing else: a run from it goes on in the same place.
    fn stop_with_savepoint(&mut self, process: Process) -> Process {
        let savepoint = self.name("stopped");
        let stopped = self.ask(&format!("stop words --savepoint {savepoint}"));
        if stopped.code != Some(0) {
            return process;
        }
        if !self.is_finished(process) && self.seed.coin() {
            self.from = Some(savepoint);
        }
        self.start()
    }

    /// A run from a savepoint of a job that went on repeats what was committed since, and writes it elsewhere.
    fn savepoint(&mut self, process: Process) -> Process {
        let savepoint = self.name("taken");
        let unaligned = if self.seed.coin() && !self.at_least_once { " --unaligned" } else { "" };
        let taken = self.ask(&format!("savepoint create words {savepoint}{unaligned}"));
        if taken.code != Some(0) || self.seed.coin() {
            return process;
        }
        note("kill, and back to it");
        _ = process.running.kill();
        self.segments += 1;
        self.from = Some(savepoint);
        self.start()
    }

    fn upgrade(&mut self, process: Process) -> Process {
        let trapping = self.topology.trapping_component(self.version).filter(|_| self.progress() < 0.35);
        match (self.seed.draw(..4), trapping) {
            (0, Some(component)) => self.upgrade_to_a_trap(&component),
            (1, _) if self.topology.migrates() && self.version == 1 => self.upgrade_that_migrates(),
            (2, _) => {
                note("an upgrade that does not fit");
                let line = format!("{UPGRADE} {} --probation 50ms", plugin("keyed-count").display());
                self.bench.run(&line).assert(1, &[]);
            }
            _ => return self.upgrade_to_a_variant(process),
        }
        process
    }

    /// The trap comes long before the end of the input, and so before the end of the probation.
    fn upgrade_to_a_trap(&mut self, component: &Path) {
        let ended = self.ask(&format!("{UPGRADE} {} --probation 30s --output json", component.display()));
        assert_ne!(ended.code, Some(0), "a version that traps is accepted: {ended:?}");
    }

    /// Where it is cut off on probation the state is that of the first version, and migrates at the next start.
    fn upgrade_that_migrates(&mut self) {
        let (component, probation) = (self.topology.component(2), self.seed.draw(..300));
        let ended = self.ask(&format!("{UPGRADE} {} --probation {probation}ms --output json", component.display()));
        if !ended.stdout.contains("rolled-back") {
            self.version = 2;
        }
    }

    fn upgrade_to_a_variant(&mut self, process: Process) -> Process {
        let line = format!("{UPGRADE} {} --probation {}ms", self.variant(), self.seed.draw(..300));
        if self.seed.coin() {
            _ = self.ask(&line);
            return process;
        }
        note(&format!("{line}, and a kill in its midst"));
        let mut command = self.bench.start(&line);
        command.runs_for(Duration::from_millis(self.seed.draw(..LIFE_MS)));
        _ = process.running.kill();
        self.start()
    }

    fn name(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}-{}", self.made)
    }

    /// Another component that does what the one of the job file does.
    fn variant(&mut self) -> String {
        let name = self.name("variant") + ".wasm";
        let last = self.variant.take().filter(|(version, _)| *version == self.version);
        let base = last.map_or_else(|| self.topology.component(self.version), |(_, path)| path);
        write_variant(&base, &self.bench.path(&name));
        self.variant = Some((self.version, self.bench.path(&name)));
        name
    }

    /// The share of the output that is committed.
    fn progress(&self) -> f64 {
        let committed = self.topology.committed(&self.bench, self.segments).len() as f64;
        committed / self.topology.expected().len() as f64
    }

    /// Sends a command. It may fail where the job is in the midst of other things, or ends.
    fn ask(&mut self, line: &str) -> Ended {
        let ended = self.bench.run(line);
        let said = ended.stderr.lines().next().unwrap_or_default().to_owned();
        note(&format!("{line}: {:?} {said}", ended.code));
        let refused = || REFUSALS.iter().any(|refusal| ended.stderr.contains(refusal));
        let gone = || self.bench.run("status words").code != Some(0);
        // A record that would be set aside is a fault on trial.
        let may_roll_back = line.contains("trapping") || matches!(self.topology, Topology::SetAside | Topology::KeptAside);
        let outcomes = ["rolled back", "rolled-back", "the old component goes on"];
        let rolled_back = || may_roll_back && outcomes.iter().any(|outcome| ended.stdout.contains(outcome));
        assert!(ended.code == Some(0) || refused() || gone() || rolled_back(), "{ended:?}");
        ended
    }

    /// Waits for the end of a process that is asked to end, or has ended. True where it has come to the end of the input.
    fn is_finished(&mut self, process: Process) -> bool {
        let Process { running, crashes, may_be_fenced } = process;
        let ended = running.ended();
        let as_expected = ended.code == Some(0) || (crashes && ended.code.is_none()) || (may_be_fenced && is_fenced(&ended));
        assert!(as_expected, "{ended:?}");
        self.bench.log().finished
    }

    /// Lets the job go on to its end, and compares.
    fn finish(&mut self) {
        let (segment, version, max_parallelism) = (self.segments, self.version, self.max_parallelism);
        let (parallelism, keyed_parallelism, checkpoints) = (2, 2, "interval = \"100ms\"".into());
        let start =
            Start { parallelism, keyed_parallelism, rebalance: false, checkpoints, unlimited: true, segment, version, max_parallelism };
        self.bench.write_job(&self.topology.job_file(&start));
        let from = self.from.take().map_or(String::new(), |savepoint| format!(" --from ./{savepoint}"));
        note(&format!("run job.toml{from} to the end"));
        self.bench.run(&format!("run job.toml{from}")).assert(0, &[]);
        let (committed, expected) = (self.topology.committed(&self.bench, self.segments), self.topology.expected());
        let allowed = Allowed { topology: self.topology, segments: self.segments as u64, repeats: self.repeats };
        if let Some(how) = allowed.difference(&committed, &expected) {
            panic!("the output is not what the input gives: {how}");
        }
    }
}

/// What is done, for whoever reads the failure.
fn note(step: &str) {
    println!("  {step}");
}

/// A process of the job.
struct Process {
    running: Running,
    /// It kills itself at some point.
    crashes: bool,
    /// It has taken the job over from one that may have begun only then.
    may_be_fenced: bool,
}

/// Another process has the job now.
fn is_fenced(ended: &Ended) -> bool {
    ended.code == Some(1) && ended.stderr.contains("another process has taken it over")
}

/// Runs as many sequences on `topology` as asked for, or the one of `WEIR_SEED`.
fn check(topology: Topology) {
    if std::env::var("WEIR_SEED").is_ok() {
        return Sequence::new(topology, Seed::of_run()).run();
    }
    let sequences = std::env::var("WEIR_SEQUENCES").map_or(2, |number| number.parse().expect("WEIR_SEQUENCES is a number"));
    for _ in 0..sequences {
        let seed = Seed::of_run();
        println!("{topology:?}: seed {}", seed.number());
        Sequence::new(topology, seed).run();
    }
}

#[test]
fn whatever_happens_to_a_job_that_counts_it_commits_its_input_once() {
    check(Topology::Counted);
}

#[test]
fn whatever_happens_to_a_job_with_two_operators_by_key_it_commits_its_input_once() {
    check(Topology::CountedTwice);
}

#[test]
fn whatever_happens_to_a_join_it_commits_its_input_once() {
    check(Topology::Joined);
}

#[test]
fn whatever_happens_to_a_job_that_sets_records_aside_it_commits_them_once() {
    check(Topology::SetAside);
}

#[test]
fn whatever_happens_to_a_job_that_keeps_records_aside_it_commits_them_once() {
    check(Topology::KeptAside);
}

#[test]
fn whatever_happens_to_a_job_whose_state_is_migrated_it_commits_its_input_once() {
    check(Topology::Migrated);
}

#[test]
fn whatever_happens_to_a_job_with_windows_and_timers_each_speaks_once() {
    check(Topology::Timed);
}
