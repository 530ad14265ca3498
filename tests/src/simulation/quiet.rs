//! Jobs one of whose splits goes quiet: event time goes on without it, by what the others bring or, where all are quiet, by the clock. Only then does it speak
//! again: a time that stalled would be a job that never ends. What it brings then is late or corrects what was said, and nothing of it is lost.

use super::graph::graph;
use super::lives::{PROCESSES, is_over, live};
use super::run::{VERTICES, options};
use super::source::{NumberSource, ReadOrder, split};
use super::spoken::{self, Punctuality, Spoken};
use super::state::left_open;
use super::{Counter, Disk, Scenario, clocked};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use weir_engine::job::{JobControl, JobStatus, VertexKind, run_job};
use weir_engine::runtime::{Clock, Simulator};
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::time::WatermarkSettings;
use weir_engine::{EngineError, ReadStatus, ReaderContext, Source, SourceReader, SplitBatch, SplitProgress, SplitState};

/// How often a quiet split looks whether it may speak.
const LOOK: Duration = Duration::from_millis(10);
/// A split is idle after this.
const IDLE_AFTER: Duration = Duration::from_millis(30);
/// Windows this far behind the last record of a quiet split have spoken before it goes on.
const FAR: u64 = 400;

/// By what time goes on without the quiet split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoesOn {
    /// By the records of the others.
    ByOthers,
    /// By the clock, as the others have ended.
    ByClock,
}

/// Numbers in splits of which the first goes quiet at a third of its records.
#[derive(Clone)]
struct QuietSource {
    numbers: NumberSource,
    simulator: Simulator,
    disk: Disk,
    goes_on: GoesOn,
    /// The quiet split speaks again; that outlives processes.
    speaks: Arc<AtomicBool>,
    /// Lines that were committed at the last look.
    seen: Arc<AtomicUsize>,
}

impl QuietSource {
    fn is_quiet(&self, split: &SplitState) -> bool {
        let at = match &split.progress {
            SplitProgress::At(position) => position.as_u64().expect("a position is a number"),
            SplitProgress::Unread | SplitProgress::Finished => 0,
        };
        split.id == "0" && at >= self.numbers.count / 3 && !self.speaks.load(Relaxed)
    }

    /// Looks whether windows have spoken that had to wait for time to go on.
    fn look(&self) {
        let lines = self.disk.line_count();
        if self.seen.swap(lines, Relaxed) == lines {
            return;
        }
        let spoken = spoken::spoken_on_time(&self.disk.committed());
        let (newest, last) = (spoken.last().copied().unwrap_or(0), self.numbers.count - 1);
        let has_gone_on = match self.goes_on {
            GoesOn::ByOthers => newest >= self.numbers.count / 3 + FAR,
            GoesOn::ByClock => spoken.contains(&last),
        };
        self.speaks.fetch_or(has_gone_on, Relaxed);
    }
}

impl Source for QuietSource {
    fn connector(&self) -> &'static str {
        "quiet"
    }

    fn identity(&self) -> serde_json::Value {
        self.numbers.identity()
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok((0..self.numbers.splits).map(split).collect())).boxed()
    }

    fn verify<'a>(&'a self, _splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn reader(&self, _context: &ReaderContext, splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        Ok(Box::new(QuietReader { source: self.clone(), splits, turn: 0, looks_again: None }))
    }
}

struct QuietReader {
    source: QuietSource,
    splits: Vec<SplitState>,
    turn: usize,
    looks_again: Option<BoxFuture<'static, ()>>,
}

impl SourceReader for QuietReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        loop {
            let count = self.splits.len();
            let open = |split: &SplitState| split.progress != SplitProgress::Finished;
            let mut places = (0..count).map(|step| (self.turn + step) % count);
            if let Some(place) = places.find(|&place| open(&self.splits[place]) && !self.source.is_quiet(&self.splits[place])) {
                self.source.numbers.read(&mut self.splits[place], max_records.min(5), out.of(place));
                self.turn = place + 1;
                let status = if self.splits.iter().any(open) { ReadStatus::More } else { ReadStatus::End };
                return Poll::Ready(Ok(status));
            }
            if !self.splits.iter().any(open) {
                return Poll::Ready(Ok(ReadStatus::End));
            }
            let simulator = self.source.simulator.clone();
            let timer = self.looks_again.get_or_insert_with(|| async move { simulator.sleep_until(simulator.now() + LOOK).await }.boxed());
            if timer.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
            self.looks_again = None;
            self.source.look();
        }
    }

    fn splits(&self) -> Vec<SplitState> {
        self.splits.clone()
    }

    fn is_idle(&self, split: usize) -> bool {
        self.source.is_quiet(&self.splits[split])
    }
}

/// Runs a job one of whose splits goes quiet from one seed, killed again and again, until it has finished, and judges what its windows said.
pub fn simulate_quiet_split(seed: u64, scenario: Scenario, goes_on: GoesOn) -> Result<Spoken, String> {
    let Counter::Speaking(of) = scenario.counter else { return Err("only windows tell that time goes on".into()) };
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let (speaks, counter) = (Arc::new(AtomicBool::new(false)), scenario.counter);
    for number in 1..=PROCESSES {
        let mut graph = graph(&simulator, &disk, scenario);
        let value = Arc::new(move |number| counter.value(number));
        let (order, time) = (ReadOrder::InTurn, scenario.timed_by.time_at_source(counter.time()));
        let numbers = NumberSource { count: scenario.records, keys: scenario.keys, splits: 4, order, value, time };
        let source = QuietSource {
            numbers,
            simulator: simulator.clone(),
            disk: disk.clone(),
            goes_on,
            speaks: speaks.clone(),
            seen: Arc::default(),
        };
        graph.vertices[0].kind = VertexKind::Source { source: Arc::new(source), rate: Some(2_000.0) };
        let advance_when_idle = goes_on == GoesOn::ByClock;
        graph.vertices[scenario.timed_by.vertex()].watermark =
            Some(WatermarkSettings { idle_after: Some(IDLE_AFTER), advance_when_idle, ..WatermarkSettings::default() });
        let (_control, inbox) = JobControl::new();
        let options = options(&simulator, &disk, &objects, scenario);
        let job = run_job(graph, options, clocked::runtime(&simulator, scenario), Arc::new(JobStatus::new(VERTICES)), inbox);
        let ended = live(&simulator, scenario.killed_within(number, PROCESSES), async move { job.await.outcome })?;
        if is_over(ended)? {
            let open = left_open(&simulator, &objects, scenario)?;
            return spoken::judge(scenario, of, Punctuality::AnyIsLate, &disk.committed(), open.as_deref());
        }
    }
    Err(format!("not finished after {PROCESSES} processes"))
}
