//! Jobs whose splits come into being while they run, killed at random moments: whatever a crash comes between (a look, a barrier, the log's entry),
//! each record of every split counts once, and a reader hears of no checkpoint that the log does not have.

use super::graph::graph;
use super::judge::check;
use super::lives::{PROCESSES, is_over, live};
use super::run::{VERTICES, options, wait_for};
use super::source::{NumberSource, ReadOrder, split};
use super::spoken::{Punctuality, judge, spoken_of};
use super::state::left_open;
use super::{Counter, Disk, Scenario, Spoken, clocked};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, ready, select};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use weir_engine::checkpoint::{JobLog, LogEntry};
use weir_engine::element::CheckpointId;
use weir_engine::job::{JobControl, JobReport, JobStatus, StopKind, VertexKind, run_job};
use weir_engine::runtime::{Clock, Simulator};
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::time::WatermarkSettings;
use weir_engine::{
    EngineError, ErrorKind, ReadStatus, ReaderContext, Source, SourceCapabilities, SourceReader, SplitBatch, SplitProgress, SplitState,
};

/// Splits that there are at last.
const SPLITS: u64 = 9;
/// From one to the next, in simulated time.
const SPLIT_EVERY: Duration = Duration::from_millis(300);

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

/// Numbers in splits of which there is one more every now and then. It never ends by itself.
#[derive(Clone)]
struct GrowingSource {
    numbers: NumberSource,
    simulator: Simulator,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    assigned: u64,
    heard: Vec<CheckpointId>,
}

struct GrowingReader {
    source: GrowingSource,
    splits: Vec<SplitState>,
    turn: usize,
}

impl GrowingSource {
    fn there(&self) -> u64 {
        (1 + self.simulator.now().as_millis() as u64 / SPLIT_EVERY.as_millis() as u64).min(SPLITS)
    }
}

impl Source for GrowingSource {
    fn connector(&self) -> &'static str {
        "growing"
    }

    fn capabilities(&self) -> SourceCapabilities {
        SourceCapabilities { bounded: false, ..SourceCapabilities::default() }
    }

    fn identity(&self) -> serde_json::Value {
        self.numbers.identity()
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok((0..self.there()).map(split).collect())).boxed()
    }

    fn new_splits<'a>(&'a self, known: &'a [SplitState], _parallelism: u32) -> BoxFuture<'a, Result<Vec<SplitState>, EngineError>> {
        async {
            // A look takes its time, and what it compares with may be old by the end of it.
            self.simulator.sleep_until(self.simulator.now() + Duration::from_millis(self.simulator.draw(60))).await;
            let is_new = |split: &SplitState| known.iter().all(|known| known.id != split.id);
            Ok((0..self.there()).map(split).filter(is_new).collect())
        }
        .boxed()
    }

    fn discovery_interval(&self) -> Option<Duration> {
        Some(Duration::from_millis(20))
    }

    fn verify<'a>(&'a self, splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        let ids: BTreeSet<&str> = splits.iter().map(|split| split.id.as_str()).collect();
        assert_eq!(ids.len(), splits.len(), "a checkpoint holds a split once");
        ready(Ok(Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(GrowingReader { source: self.clone(), splits, turn: 0 }))
    }
}

impl SourceReader for GrowingReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        if self.source.simulator.draw(4) == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut room = max_records.min(5);
        for _ in 0..self.splits.len() {
            let place = self.turn % self.splits.len();
            self.turn += 1;
            // A few of each in turn.
            room -= self.source.numbers.read(&mut self.splits[place], room.min(2), out.of(place));
            if room == 0 {
                break;
            }
        }
        // Without any more it is woken by what it is assigned.
        if out.is_empty() { Poll::Pending } else { Poll::Ready(Ok(ReadStatus::More)) }
    }

    fn splits(&self) -> Vec<SplitState> {
        self.splits.clone()
    }

    fn add_splits(&mut self, splits: Vec<SplitState>) -> Result<(), EngineError> {
        self.source.seen.lock().expect("no panic").assigned += splits.len() as u64;
        self.splits.extend(splits);
        Ok(())
    }

    fn is_idle(&self, split: usize) -> bool {
        self.splits[split].progress == SplitProgress::Finished
    }

    fn hears_of_completion(&self) -> bool {
        true
    }

    fn on_completed(
        &mut self,
        checkpoint_id: CheckpointId,
        splits: Vec<SplitState>,
    ) -> Option<BoxFuture<'static, Result<(), EngineError>>> {
        let known = splits.iter().all(|split| self.splits.iter().any(|own| own.id == split.id));
        assert!(known, "a reader is told of its own splits");
        self.source.seen.lock().expect("no panic").heard.push(checkpoint_id);
        Some(ready(Err(EngineError::new(ErrorKind::Retry, "nothing rests on it"))).boxed())
    }
}

/// Runs a job whose splits come into being while it runs from one seed, killed again and again, until all of its output is committed; then ends its
/// input, and compares.
pub fn simulate_found_splits(seed: u64, scenario: Scenario) -> Result<FoundReport, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut report = FoundReport::default();
    loop {
        report.processes += 1;
        let ended = process(&simulator, scenario, &disk, &objects, &seen, report.processes)?;
        if is_over(ended.map(|job| job.outcome))? {
            break;
        }
        if report.processes > PROCESSES {
            return Err(format!("not finished after {PROCESSES} processes"));
        }
    }
    let spoken = match scenario.counter {
        Counter::Speaking(of) => {
            let open = left_open(&simulator, &objects, scenario)?;
            judge(scenario, of, Punctuality::AnyIsLate, &disk.committed(), open.as_deref())?
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
    seen: &Arc<Mutex<Seen>>,
    number: u64,
) -> Result<Option<JobReport>, String> {
    let mut graph = graph(simulator, disk, scenario);
    let value = Arc::new(move |number| scenario.counter.value(number));
    let (order, time) = (ReadOrder::OneByOne, scenario.timed_by.time_at_source(scenario.counter.time()));
    let numbers = NumberSource { count: scenario.records, keys: scenario.keys, splits: SPLITS, order, value, time };
    let source = Arc::new(GrowingSource { numbers, simulator: simulator.clone(), seen: seen.clone() });
    graph.vertices[0].kind = VertexKind::Source { source, rate: Some(2_000.0) };
    // Between two splits it is idle for longer than a window, and of what comes then most is late.
    let on_by_the_clock =
        WatermarkSettings { idle_after: Some(Duration::from_millis(30)), advance_when_idle: true, ..WatermarkSettings::default() };
    graph.vertices[scenario.timed_by.vertex()].watermark = scenario.counter.goes_by_time().then_some(on_by_the_clock);
    let (control, inbox) = JobControl::new();
    let options = options(simulator, disk, objects, scenario);
    let job = run_job(graph, options, clocked::runtime(simulator, scenario), Arc::new(JobStatus::new(VERTICES)), inbox);
    let (clock, committed) = (simulator.clone(), disk.clone());
    let end = async move {
        let mut seen = None;
        while seen.replace(committed.line_count()) == Some(committed.line_count()) || heard_of(scenario, &committed) < scenario.records {
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

/// How many records show in what is committed. Those in windows do so without an end of the input, as time goes on without records.
fn heard_of(scenario: Scenario, disk: &Disk) -> u64 {
    let lines = disk.committed();
    match scenario.counter {
        Counter::Speaking(_) => spoken_of(&lines).len() as u64,
        Counter::Clocked => clocked::numbers_in(&lines),
        _ => lines.len() as u64,
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
