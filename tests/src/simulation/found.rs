//! Jobs whose splits come into being while they run, killed at random moments: whatever a crash comes between (a look, a barrier, the log's entry),
//! each record of every split counts once, and a reader hears of no checkpoint that the log does not have.
//!
//! Where a job goes by time it goes on by the clock between two splits, for longer than windows last. What takes late records, or asks for no time of theirs, is given splits
//! whose records lie among those that have been read: most are late. What takes none is given splits of which each is newer than all before it by more than a clock goes on
//! meanwhile, and they come once all of those has been said: that takes time that has gone on by the clock, and not too far.
//!
//! One reader finds all of these. Of several that were idle the first to tell of what is new moves time on, and what another finds then may be older, and late by the
//! rules; and where they are idle again time goes on from where the last of them was. Of a job with two sides one finds splits, and the other waits for it in the windows.

use super::graph::graph;
use super::growing::{Bring, GrowingSource, SPLITS, Seen, block_of, in_blocks};
use super::join_inputs::{self, joined_in_windows};
use super::judge::{check, same};
use super::lives::{PROCESSES, is_over, live};
use super::run::{VERTICES, options, wait_for};
use super::source::{NumberSource, ReadOrder};
use super::spoken::{Punctuality, judge, spoken_of};
use super::state::left_open;
use super::timed::windows_by;
use super::windowed::session_lines_by;
use super::{Counter, Disk, Guest, RekeyFactory, Scenario, Spoken, TimedBy, clocked};
use futures_util::future::{Either, select};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_engine::checkpoint::{JobLog, LogEntry};
use weir_engine::element::CheckpointId;
use weir_engine::job::{JobControl, JobGraph, JobReport, JobStatus, StopKind, VertexKind, run_job};
use weir_engine::runtime::{Clock, Simulator};
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::time::WatermarkSettings;

/// What simulated jobs that found splits came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FoundReport {
    /// Splits that were assigned to a running reader.
    pub assigned: u64,
    /// Checkpoints that readers heard of.
    pub heard: u64,
    /// Processes started.
    pub processes: u64,
    /// What windows said besides what they say once and in time.
    pub spoken: Spoken,
}

/// Runs a job whose splits come into being while it runs from one seed, killed again and again, until all of its output is committed; then ends its
/// input, and compares.
pub fn simulate_found_splits(seed: u64, scenario: Scenario) -> Result<FoundReport, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let (seen, expected) = (Arc::new(Mutex::new(Seen::default())), Arc::new(Expected::of(scenario)));
    let mut report = FoundReport::default();
    loop {
        report.processes += 1;
        let ended = process(&simulator, scenario, &disk, &objects, (&seen, &expected), report.processes)?;
        if is_over(ended.map(|job| job.outcome))? {
            break;
        }
        if report.processes > PROCESSES {
            return Err(format!("not finished after {PROCESSES} processes"));
        }
    }
    let spoken = match scenario.counter {
        Counter::Speaking(of) | Counter::Guest(Guest::Speaking(of)) => {
            let open = left_open(&simulator, &objects, scenario)?;
            judge(scenario, of, Punctuality::AnyIsLate, &disk.committed(), open.as_deref())?
        }
        _ if Bring::to(scenario.counter) == Bring::NewTime => {
            same("committed", expected.lines.iter().cloned(), &disk.committed())?;
            let open = left_open(&simulator, &objects, scenario)?.map_or(0, |open| open.len());
            if open > 0 { Err(format!("the input has ended, and there is state of {open} keys")) } else { Ok(Spoken::default()) }?
        }
        _ => check(&simulator, &disk, &objects, scenario)?,
    };
    let seen = seen.lock().expect("no panic");
    check_heard(&simulator, &objects, &seen.heard)?;
    Ok(FoundReport { assigned: seen.assigned, heard: seen.heard.len() as u64, spoken, ..report })
}

/// One process; `None` where it was killed. Its input is ended once all records are committed.
fn process(
    simulator: &Simulator,
    scenario: Scenario,
    disk: &Disk,
    objects: &Arc<dyn Store>,
    (seen, expected): (&Arc<Mutex<Seen>>, &Arc<Expected>),
    number: u64,
) -> Result<Option<JobReport>, String> {
    let mut graph = graph(simulator, disk, scenario);
    let bring = Bring::to(scenario.counter);
    let (of_disk, of_splits) = (disk.clone(), expected.clone());
    let said = Arc::new(move || if bring == Bring::NewTime { of_splits.said(&of_disk.committed()) } else { 0 });
    let source = GrowingSource { numbers: numbers(scenario, bring), bring, said, simulator: simulator.clone(), seen: seen.clone() };
    graph.vertices[0].kind = VertexKind::Source { source: Arc::new(source), rate: Some(2_000.0) };
    if bring == Bring::NewTime {
        by_one_reader(simulator, &mut graph, scenario);
    }
    // Between two splits it is idle for longer than a window, and of what comes then most is late.
    let on_by_the_clock =
        WatermarkSettings { idle_after: Some(Duration::from_millis(30)), advance_when_idle: true, ..WatermarkSettings::default() };
    graph.vertices[scenario.timed_by.vertex()].watermark = scenario.counter.goes_by_time().then_some(on_by_the_clock);
    let (control, inbox) = JobControl::new();
    let options = options(simulator, disk, objects, scenario);
    let job = run_job(graph, options, clocked::runtime(simulator, scenario), Arc::new(JobStatus::new(VERTICES)), inbox);
    let (clock, committed, expected) = (simulator.clone(), disk.clone(), expected.clone());
    let end = async move {
        let mut seen = None;
        while seen.replace(committed.line_count()) == Some(committed.line_count()) || !is_heard_of(scenario, &committed, &expected) {
            clock.sleep_until(clock.now() + Duration::from_millis(10)).await;
        }
        control.stop(StopKind::Drain);
        control
    };
    let ended = async move {
        match select(pin!(job), pin!(end)).await {
            Either::Left((report, _)) => report,
            Either::Right((_control, job)) => job.await,
        }
    };
    live(simulator, scenario.killed_within(number, PROCESSES), ended)
}

/// What its splits have in them.
fn numbers(scenario: Scenario, bring: Bring) -> NumberSource {
    let counter = scenario.counter;
    let time = scenario.timed_by.time_at_source(bring.time(counter));
    if counter == Counter::WindowedJoin {
        return join_inputs::side(scenario, time);
    }
    let order = if bring == Bring::NewTime { scenario.timed_by.order(counter) } else { ReadOrder::OneByOne };
    let value = Arc::new(move |number| counter.value(number));
    NumberSource { count: scenario.records, keys: scenario.keys, splits: SPLITS, order, value, time }
}

/// One reader finds all splits, and whoever says what time records are of says that they are newer than all that were read before.
fn by_one_reader(simulator: &Simulator, graph: &mut JobGraph, scenario: Scenario) {
    graph.vertices[0].parallelism = 1;
    if scenario.timed_by != TimedBy::Source {
        graph.vertices[1].parallelism = 1;
        let stamp = RekeyFactory::stamping(simulator.clone(), scenario.failures, scenario.counted_keys, in_blocks);
        graph.vertices[1].kind = VertexKind::Operator(stamp);
    }
    if let Some(right) = graph.vertices.iter_mut().find(|vertex| vertex.id == "right") {
        right.kind = join_inputs::input("right", right.parallelism, join_inputs::side(scenario, in_blocks), 2_000.0, scenario).kind;
    }
}

/// What is to be said of splits of which each is newer than those before it.
struct Expected {
    lines: Vec<String>,
    /// How many of them speak of each split.
    of_splits: BTreeMap<usize, usize>,
}

impl Expected {
    fn of(scenario: Scenario) -> Self {
        let lines: Vec<String> = match scenario.counter {
            counter if Bring::to(counter) == Bring::AnyTime => Vec::new(),
            Counter::Sessions => session_lines_by(scenario, in_blocks).collect(),
            Counter::WindowedJoin => joined_in_windows(scenario).collect(),
            _ => windows_by(scenario, in_blocks).collect(),
        };
        let of_splits = of_splits(&lines);
        Self { lines, of_splits }
    }

    /// Of how many splits, from the first on, these lines say all.
    fn said(&self, lines: &[String]) -> u64 {
        let said = of_splits(lines);
        self.of_splits.iter().take_while(|(split, lines)| said.get(split) >= Some(lines)).count() as u64
    }
}

/// How many lines speak of each split: behind a word stands the number of a record, or a time.
fn of_splits(lines: &[String]) -> BTreeMap<usize, usize> {
    let mut of_splits = BTreeMap::new();
    for line in lines {
        let number = line.split(' ').nth(1).and_then(|number| number.parse().ok()).expect("a line speaks of a number or a time");
        *of_splits.entry(block_of(number)).or_default() += 1;
    }
    of_splits
}

/// True where all records show in what is committed. Those in windows do so without an end of the input, as time goes on without records.
fn is_heard_of(scenario: Scenario, disk: &Disk, expected: &Expected) -> bool {
    let lines = disk.committed();
    match scenario.counter {
        Counter::Speaking(_) | Counter::Guest(Guest::Speaking(_)) => spoken_of(&lines).len() as u64 >= scenario.records,
        Counter::Clocked => clocked::numbers_in(&lines) >= scenario.records,
        counter if Bring::to(counter) == Bring::NewTime => lines.len() >= expected.lines.len(),
        _ => lines.len() as u64 >= scenario.records,
    }
}

/// Every checkpoint that a reader has heard of is in the log.
fn check_heard(simulator: &Simulator, objects: &Arc<dyn Store>, heard: &[CheckpointId]) -> Result<(), String> {
    let (store, clock) = (objects.clone(), simulator.runtime().clock);
    let log = wait_for(simulator, async move { JobLog::open(store, clock).await })?.map_err(|error| error.to_string())?;
    let is_completed = |heard: &CheckpointId| {
        log.entries().iter().any(|entry| matches!(entry, LogEntry::Completed { checkpoint_id, .. } if checkpoint_id == heard))
    };
    match heard.iter().find(|heard| !is_completed(heard)) {
        Some(other) => Err(format!("a reader heard of checkpoint {other}, which does not exist")),
        None => Ok(()),
    }
}
