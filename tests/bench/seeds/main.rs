//! Runs as many simulated jobs as one wants, and says how many a minute.
//!
//! `cargo bench -p weir-tests --bench seeds -- [COUNT] [FROM] [SCENARIO …]`: COUNT (1,000) seeds from FROM (0) on of each named scenario of
//! `weir_tests::simulation::scenarios::ALL`, of `changes`, where a job is rescaled and upgraded all the time, and of `evolution`, where
//! its file changes from run to run, both also with an outbox sink (`outbox-changes`, `outbox-evolution`), and of each of
//! `weir_tests::simulation::in_time`; of all of them where none is named, on every core. A seed that fails is printed with its
//! scenario and what is wrong; run it again with COUNT 1. Exit code 1 where one has failed.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use weir_tests::simulation::in_time::{IN_TIME, Life, OTHERS, STOPS, changing};
use weir_tests::simulation::scenarios::{ALL, EVERY, FAULTY_STATE, OVERTAKING, PUBLISHING, STORMY, recorded, speaking, timed_by};
use weir_tests::simulation::{
    Barriers, Counter, GoesOn, Scenario, Speaking, TimedBy, simulate, simulate_changes, simulate_evolution, simulate_found_splits,
    simulate_quiet_split,
};

/// From one line of progress to the next.
const PROGRESS: u64 = 5_000;

/// Runs one seed. What comes back is how many processes it started, and how much was done.
type Simulate = fn(u64) -> Result<(u64, u64), String>;

/// Scenarios in which the job is changed while it runs, or its file from run to run, or in which splits come or go quiet.
const CHANGING: [(&str, Simulate); 27] = [
    ("changes", changes),
    ("evolution", evolution),
    ("outbox-changes", outbox_changes),
    ("outbox-evolution", outbox_evolution),
    ("changes-timed", |seed| in_time(seed, Counter::Timed)),
    ("changes-windowed", |seed| in_time(seed, Counter::Windowed)),
    ("changes-sessions", |seed| in_time(seed, Counter::Sessions)),
    ("changes-by-chained", |seed| changed(seed, changing_in_time(seed, TimedBy::ChainedOperator))),
    ("changes-by-operator", |seed| changed(seed, changing_in_time(seed, TimedBy::Operator))),
    ("outbox-changes-timed", |seed| changed(seed, Scenario { barriers: Barriers::ExactlyOnce, ..outbox_in_time(seed) })),
    ("changes-recorded-timed", |seed| changed(seed, Scenario { keys: 15, ..recorded(one_that_counts(seed)) })),
    ("changes-in-time", |seed| changed(seed, changing(one_in_time(seed), OVERTAKING))),
    ("outbox-changes-in-time", |seed| changed(seed, changing(one_in_time(seed), PUBLISHING))),
    ("changes-recorded-in-time", |seed| changed(seed, Scenario { record: true, retain: EVERY, ..changing(one_in_time(seed), OVERTAKING) })),
    ("changes-in-files", |seed| changed(seed, Scenario { state_faults: Some(FAULTY_STATE), ..changing(one_in_time(seed), OVERTAKING) })),
    ("evolution-in-time", |seed| evolved(seed, Scenario { records: 4_000, ..changing(one_in_time(seed), OVERTAKING) })),
    ("outbox-evolution-in-time", |seed| evolved(seed, Scenario { records: 3_000, ..changing(one_in_time(seed), PUBLISHING) })),
    ("evolution-timed", |seed| evolved(seed, Scenario { records: 4_000, counter: Counter::Timed, ..OVERTAKING })),
    ("evolution-windowed", |seed| evolved(seed, Scenario { records: 4_000, counter: Counter::Windowed, ..OVERTAKING })),
    ("evolution-sessions", |seed| evolved(seed, Scenario { records: 4_000, keys: 15, counter: Counter::Sessions, ..OVERTAKING })),
    ("found-late", found_late),
    ("quiet-split", quiet_split),
    ("quiet-source", quiet_source),
    ("quiet-by-chained", |seed| quiet(seed, TimedBy::ChainedOperator, GoesOn::ByOthers)),
    ("quiet-source-by-chained", |seed| quiet(seed, TimedBy::ChainedOperator, GoesOn::ByClock)),
    ("quiet-source-by-operator", |seed| quiet(seed, TimedBy::Operator, GoesOn::ByClock)),
    ("found-by-operator", found_by_operator),
];

fn main() -> ExitCode {
    // Cargo hands `--bench` to every benchmark.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let (count, from) = (numbers.next().unwrap_or(1_000), numbers.next().unwrap_or(0));
    let names: Vec<&String> = arguments.iter().filter(|argument| argument.parse::<u64>().is_err()).collect();
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| *wanted == name);
    let lives = || STOPS.into_iter().chain(OTHERS);
    let there: Vec<&str> =
        ALL.iter().map(|(name, _)| *name).chain(CHANGING.iter().map(|(name, _)| *name)).chain(lives().map(|(name, _)| name)).collect();
    if !there.iter().any(|name| is_wanted(name)) {
        eprintln!("no such scenario; there are: {}", there.join(", "));
        return ExitCode::FAILURE;
    }
    let wanted = ALL.iter().filter(|(name, _)| is_wanted(name));
    let mut failed: u64 = wanted.map(|(name, scenario)| run(name, "checkpoints", (from, count), |seed| one(seed, *scenario))).sum();
    let wanted = CHANGING.into_iter().filter(|(name, _)| is_wanted(name));
    failed += wanted.map(|(name, simulate)| run(name, "changes", (from, count), simulate)).sum::<u64>();
    let wanted = lives().filter(|(name, _)| is_wanted(name));
    let one_of_each = |life: Life| move |seed: u64| life(seed, IN_TIME[seed as usize % IN_TIME.len()]).map(|()| (0, 1));
    failed += wanted.map(|(name, life)| run(name, "lives", (from, count), one_of_each(life))).sum::<u64>();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// (processes, what was done) of one seed.
fn one(seed: u64, scenario: Scenario) -> Result<(u64, u64), String> {
    simulate(seed, scenario).map(|report| (report.processes, report.checkpoints))
}

fn changes(seed: u64) -> Result<(u64, u64), String> {
    changed(seed, Scenario { barriers: Barriers::ExactlyOnce, ..STORMY })
}

fn outbox_changes(seed: u64) -> Result<(u64, u64), String> {
    changed(seed, Scenario { barriers: Barriers::ExactlyOnce, ..PUBLISHING })
}

fn changed(seed: u64, scenario: Scenario) -> Result<(u64, u64), String> {
    simulate_changes(seed, scenario).map(|report| (report.processes, report.rescales + report.accepted + report.rolled_back))
}

fn evolution(seed: u64) -> Result<(u64, u64), String> {
    evolved(seed, Scenario { records: 4_000, barriers: Barriers::ExactlyOnce, ..STORMY })
}

fn outbox_evolution(seed: u64) -> Result<(u64, u64), String> {
    evolved(seed, Scenario { records: 4_000, barriers: Barriers::ExactlyOnce, ..PUBLISHING })
}

/// A job that is changed while it counts in windows, or until timers.
fn in_time(seed: u64, counter: Counter) -> Result<(u64, u64), String> {
    changed(seed, Scenario { counter, keys: 15, ..OVERTAKING })
}

fn found_late(seed: u64) -> Result<(u64, u64), String> {
    simulate_found_splits(seed, speaking(one_of(seed), OVERTAKING)).map(|report| (report.processes, report.spoken.late))
}

/// Splits that are found are read by a source that gives no time.
fn found_by_operator(seed: u64) -> Result<(u64, u64), String> {
    let by = [TimedBy::ChainedOperator, TimedBy::Operator][seed as usize / 3 % 2];
    let scenario = timed_by(by, Counter::Speaking(one_of(seed)), OVERTAKING);
    simulate_found_splits(seed, scenario).map(|report| (report.processes, report.spoken.late))
}

fn quiet_split(seed: u64) -> Result<(u64, u64), String> {
    quiet(seed, TimedBy::Source, GoesOn::ByOthers)
}

fn quiet_source(seed: u64) -> Result<(u64, u64), String> {
    quiet(seed, TimedBy::Source, GoesOn::ByClock)
}

fn quiet(seed: u64, by: TimedBy, goes_on: GoesOn) -> Result<(u64, u64), String> {
    let spoken = simulate_quiet_split(seed, timed_by(by, Counter::Speaking(one_of(seed)), OVERTAKING), goes_on)?;
    Ok((0, spoken.corrections + spoken.late))
}

/// What counts until timers, in windows or in sessions, while the job changes.
fn one_that_counts(seed: u64) -> Counter {
    [Counter::Timed, Counter::Windowed, Counter::Sessions][seed as usize % 3]
}

fn changing_in_time(seed: u64, by: TimedBy) -> Scenario {
    Scenario { keys: 15, ..timed_by(by, one_that_counts(seed), OVERTAKING) }
}

fn outbox_in_time(seed: u64) -> Scenario {
    Scenario { counter: one_that_counts(seed), keys: 15, ..PUBLISHING }
}

/// What goes by time otherwise than those.
fn one_in_time(seed: u64) -> Counter {
    let speaking = [Speaking::Tumbling, Speaking::Hopping, Speaking::Sessions, Speaking::Counts, Speaking::Global, Speaking::ByClock];
    match seed % 9 {
        0 => Counter::Clocked,
        1 => Counter::Living,
        8 => Counter::WindowedJoin,
        of => Counter::Speaking(speaking[of as usize - 2]),
    }
}

/// Windows that are over when event time has gone on.
fn one_of(seed: u64) -> Speaking {
    [Speaking::Tumbling, Speaking::Hopping, Speaking::Sessions][seed as usize % 3]
}

fn evolved(seed: u64, scenario: Scenario) -> Result<(u64, u64), String> {
    simulate_evolution(seed, scenario).map(|report| (report.processes, report.changed))
}

/// Runs the seeds of one scenario on all cores. How many have failed.
#[expect(clippy::disallowed_methods, reason = "seeds are counted by the minute, and run on threads of their own")]
fn run(name: &str, what: &str, (from, count): (u64, u64), simulate: impl Fn(u64) -> Result<(u64, u64), String> + Sync) -> u64 {
    let (started, next, failed) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    let (done, processes) = (AtomicU64::new(0), AtomicU64::new(0));
    let per_minute = |seeds: u64| seeds as f64 / started.elapsed().as_secs_f64() * 60.0;
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            match simulate(from + number) {
                Ok((started, what)) => {
                    done.fetch_add(what, Ordering::Relaxed);
                    processes.fetch_add(started, Ordering::Relaxed);
                }
                Err(what) => {
                    failed.fetch_add(1, Ordering::Relaxed);
                    println!("{name}: seed {}: {what}", from + number);
                }
            }
            if (number + 1) % PROGRESS == 0 {
                println!("{name}: {} seeds, {:.0} a minute", number + 1, per_minute(number + 1));
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| _ = scope.spawn(work));
    });
    let (failed, done, processes) = (failed.into_inner(), done.into_inner(), processes.into_inner());
    println!("{name}: {count} seeds, {failed} failed, {:.0} a minute; {processes} processes, {done} {what}", per_minute(count));
    failed
}
