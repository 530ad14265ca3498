//! Query 12 of Nexmark, whose windows go by the clock, against the reference in Python: a simulated job of its operators, whose clock shows the time of each event as it
//! comes. The events are those that the real source gives.

use crate::WEIR;
use crate::nexmark::{compare, job};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use weir_engine::checkpoint::CheckpointConfig;
use weir_engine::job::{Edge, JobControl, JobGraph, JobOutcome, JobStatus, Partitioning, RestartPolicy, Vertex, VertexKind, run_job};
use weir_engine::runtime::{Clock, SimulationEnd, Simulator};
use weir_engine::state::{TimeDomain, WindowKind, WindowSettings};
use weir_engine::storage::ObjectStorage;
use weir_engine::{EngineError, ReadStatus, ReaderContext, Source, SourceReader, SplitBatch, SplitProgress, SplitState};
use weir_tests::process::{Bench, WordCount, examples};
use weir_tests::sandbox::options;
use weir_tests::simulation::{Disk, DiskSink};
use weir_wasm::{CompileCache, CompileIn, EngineMode, Limits, OnFailure, OperatorSettings, Plugin, WasmEngine, WasmOperatorFactory};

const EVENTS: u64 = 100_000;
/// Shortly behind the moment at which simulations begin. From one event to the next it is 200 ms, and a batch waits for 10.
const BASE_TIME: &str = "2026-01-01T00:00:10Z";
const WINDOW_MS: i64 = 10_000;
/// What the job file says of the two operators.
const SAID: [&str; 2] = ["config = { by = \"bidder\", whole = false }", "window = { tumbling = \"10s\", time = \"processing\" }"];

/// The events of the real source, each with its time, in order; the reference reads them where they were written.
fn events(bench: &Bench) -> Vec<(i64, Vec<u8>)> {
    bench.write_job(&job(EVENTS, &[]).replace("2015-07-15T18:45:00Z", BASE_TIME));
    bench.run("run job.toml").assert(0, &[]);
    let event = |line: &String| {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        let bytes = match line["value"]["base64"].as_str() {
            Some(encoded) => STANDARD.decode(encoded).expect("base64"),
            None => line["value"].as_str().expect("a text").as_bytes().to_vec(),
        };
        (i64::from_le_bytes(bytes[1..9].try_into().expect("eight bytes")), bytes)
    };
    let mut events: Vec<_> = bench.committed_in("all-events").keys().map(event).collect();
    events.sort();
    assert_eq!(events.len() as u64, EVENTS);
    events
}

/// Gives each event when the clock shows its time, and ends when the last one's window is over.
struct Paced(Arc<Vec<(i64, Vec<u8>)>>);

struct PacedReader {
    events: Arc<Vec<(i64, Vec<u8>)>>,
    split: SplitState,
    next: usize,
    clock: Arc<dyn Clock>,
    wait: Option<BoxFuture<'static, ()>>,
}

impl Source for Paced {
    fn connector(&self) -> &'static str {
        "paced"
    }

    fn identity(&self) -> Value {
        json!({})
    }

    fn discover(&self, _parallelism: u32) -> BoxFuture<'_, Result<Vec<SplitState>, EngineError>> {
        ready(Ok(vec![SplitState::unread("events".into(), Value::Null)])).boxed()
    }

    fn verify<'a>(&'a self, _splits: &'a [SplitState]) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn reader(&self, context: &ReaderContext, mut splits: Vec<SplitState>) -> Result<Box<dyn SourceReader>, EngineError> {
        let split = splits.pop().expect("there is one subtask");
        let clock = context.io.clock().clone();
        Ok(Box::new(PacedReader { events: self.0.clone(), split, next: 0, clock, wait: None }))
    }
}

impl SourceReader for PacedReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, _max_records: usize, out: &mut SplitBatch) -> Poll<Result<ReadStatus, EngineError>> {
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.poll_unpin(cx));
                self.wait = None;
            }
            let over = self.events.last().map_or(0, |(time, _)| time + 2 * WINDOW_MS);
            let event = self.events.get(self.next);
            let left = event.map_or(over, |(time, _)| *time) - self.clock.wall_ms();
            match (u64::try_from(left), event) {
                (Ok(1..), _) => self.wait = Some(self.clock.sleep_until(self.clock.now() + Duration::from_millis(left.unsigned_abs()))),
                (_, Some((time, event))) => {
                    out.of(0).push(None, event, Some(*time));
                    self.next += 1;
                    self.split.progress = SplitProgress::At(json!(self.next));
                    return Poll::Ready(Ok(ReadStatus::More));
                }
                (_, None) => {
                    self.split.progress = SplitProgress::Finished;
                    return Poll::Ready(Ok(ReadStatus::End));
                }
            }
        }
    }

    fn splits(&self) -> Vec<SplitState> {
        vec![self.split.clone()]
    }
}

/// The query as its job file has it, behind a source of these events.
fn graph(events: Vec<(i64, Vec<u8>)>, disk: &Disk) -> JobGraph {
    let engine = WasmEngine::new(EngineMode::Fuel, &CompileCache::Off, CompileIn::ThisProcess).expect("the Wasm engine starts");
    let operator = |id: &str, parallelism, component: &str, config: &str| {
        let plugin = Plugin::load(&examples("nexmark").join(component), &engine).expect("a query's operator loads");
        let settings =
            OperatorSettings { operator: id.into(), config: config.into(), limits: Limits::default(), on_failure: OnFailure::Fail };
        Vertex::new(
            id,
            parallelism,
            VertexKind::Operator(Arc::new(WasmOperatorFactory::new(plugin, settings).expect("no fuel is asked for"))),
        )
    };
    let edge = |from, to, partitioning| Edge { from, output: 0, to, input: 0, partitioning };
    let mut vertices = vec![
        Vertex::new("events", 1, VertexKind::Source { source: Arc::new(Paced(Arc::new(events))), rate: None }),
        operator("bids", 1, "bids_by.wasm", r#"{"by":"bidder","whole":false}"#),
        operator("q12", 2, "bids_in_windows.wasm", "{}"),
        Vertex::new("out", 2, VertexKind::Sink(Arc::new(DiskSink { disk: disk.clone(), simulator: None }))),
    ];
    let tumbling = WindowKind::Tumbling { size: WINDOW_MS, offset: 0 };
    vertices[2].window = Some(WindowSettings { time: TimeDomain::Processing, ..WindowSettings::new(tumbling) });
    let edges = vec![edge(0, 1, Partitioning::Forward), edge(1, 2, Partitioning::Key), edge(2, 3, Partitioning::Forward)];
    JobGraph { name: "q12".into(), max_parallelism: 16, vertices, edges }
}

#[test]
fn windows_of_the_clock_have_the_bids_of_their_ten_seconds_as_a_plain_computation_counts_them() {
    let query = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/nexmark/q12.toml")).expect("a job file");
    assert!(SAID.iter().all(|said| query.contains(said)), "{query}");
    let (bench, disk, simulator) = (Bench::new(WEIR, WordCount::default()), Disk::default(), Simulator::new(12));
    let (_control, inbox) = JobControl::new();
    let status = Arc::new(JobStatus::new(4));
    let checkpoints = CheckpointConfig { interval: Duration::from_secs(600), ..CheckpointConfig::default() };
    let options = options(Arc::new(ObjectStorage::in_memory()), &disk, checkpoints, RestartPolicy::default());
    let run = run_job(graph(events(&bench), &disk), options, simulator.runtime(), status.clone(), inbox);
    let slot = Arc::new(Mutex::new(None));
    let report = slot.clone();
    let watched = async move { *slot.lock().expect("no panic") = Some(run.await) };
    assert_eq!(simulator.run(watched.boxed(), 100_000_000), SimulationEnd::Finished);
    let report = report.lock().expect("no panic").take().expect("the job has ended");
    assert!(matches!(report.outcome, JobOutcome::Finished), "{:?}", report.outcome);
    assert_eq!((status.restarts.get(), status.completed.get() > 30), (0, true));
    fs::create_dir(bench.path("rows-12")).expect("a folder");
    fs::write(bench.path("rows-12/part-out-0-1-0"), disk.committed_by("out").join("\n") + "\n").expect("written");
    compare(&bench, &[12]);
}
