//! One process after the other of a job whose sink has an outbox, each told what it may and may not do: what a whole simulation with its dice does not show.

use super::lives::POLLS;
use super::run::{VERTICES, options, wait_for};
use super::scenarios::{CALM, EVERY};
use super::{Disk, NumberSource, ReadOrder, in_order};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_engine::checkpoint::{CheckpointConfig, JobLog, RestoreOptions};
use weir_engine::element::CheckpointId;
use weir_engine::job::Partitioning;
use weir_engine::job::{
    CheckpointRequest, Edge, GraphChange, History, JobControl, JobGraph, JobOptions, JobOutcome, JobStatus, OutboxOptions, StartMode,
    StopKind, Vertex, VertexKind, load_metadata, run_job,
};
use weir_engine::outbox::{ChunkBounds, MarkerDecision, OutboxRoom, OutboxSink, OutboxStatus, TargetMemory};
use weir_engine::runtime::{Clock, SimulationEnd, Simulator};
use weir_engine::storage::{ObjectStorage, Store};

/// A job's world: it outlives processes.
pub struct OutboxWorld {
    simulator: Simulator,
    objects: Arc<dyn Store>,
    /// What the sink publishes to.
    pub target: TargetMemory,
    /// What a sink without an outbox writes to.
    disk: Disk,
    /// Records of the input.
    pub records: u64,
    /// Records of a chunk at most.
    pub chunk_records: usize,
}

/// What a process is told.
#[derive(Clone)]
pub struct OutboxProcess {
    /// The sink's id; none: the job has no such sink.
    pub sink: Option<&'static str>,
    /// The id that it had before.
    pub was: Option<&'static str>,
    /// The target's name.
    pub target: &'static str,
    /// Where it starts.
    pub start: StartMode,
    /// What the user has decided.
    pub decision: Option<MarkerDecision>,
    /// `--accept-lost-output`.
    pub accept_lost_output: bool,
    /// How much may wait.
    pub room: OutboxRoom,
    /// What becomes of it.
    pub until: Until,
}

/// What becomes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// It goes on until its job has ended.
    End,
    /// It is killed once it has completed so many checkpoints.
    Killed(u64),
    /// It is killed after so long.
    KilledAfter(Duration),
    /// Its job is stopped once it has completed so many.
    Stopped(u64),
    /// Its job is stopped for a savepoint once it has completed so many.
    StoppedForSavepoint(u64),
    /// A savepoint is asked for, and then it is killed.
    Savepoint,
    /// A change of its shape is asked for, and then it is killed.
    Changed,
    /// The target answers again after so long.
    TargetUpAfter(Duration),
}

/// How a process ended.
#[derive(Debug)]
pub struct OutboxEnd {
    /// How its job did; `None`: it was killed.
    pub outcome: Option<JobOutcome>,
    /// Checkpoints that it completed.
    pub completed: u64,
    /// What it showed at its end.
    pub shown: Vec<OutboxStatus>,
    /// The most bytes that it showed to wait.
    pub most_bytes: u64,
    /// What came of the savepoint or the change that was asked for.
    pub answer: Option<Result<(), String>>,
    /// From the stop, the request or the beginning to the end.
    pub took: Duration,
    /// What the user was told.
    pub notices: Vec<String>,
}

impl Default for OutboxProcess {
    fn default() -> Self {
        Self {
            sink: Some("out"),
            was: None,
            target: "topic",
            start: StartMode::Resume,
            decision: None,
            accept_lost_output: false,
            room: OutboxRoom::default(),
            until: Until::End,
        }
    }
}

impl OutboxEnd {
    /// The error that the job failed with.
    pub fn error(&self) -> String {
        match &self.outcome {
            Some(JobOutcome::Failed(error) | JobOutcome::Fenced(error)) => error.to_string(),
            other => format!("it ended as {other:?}"),
        }
    }

    /// True where the job is finished.
    pub fn is_finished(&self) -> bool {
        matches!(self.outcome, Some(JobOutcome::Finished))
    }
}

impl OutboxWorld {
    /// A world without a past.
    pub fn new(seed: u64, records: u64) -> Self {
        let objects: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
        let (target, disk) = (TargetMemory::default(), Disk::default());
        Self { simulator: Simulator::new(seed), objects, target, disk, records, chunk_records: 7 }
    }

    /// The numbers that have been published, in order.
    pub fn published(&self) -> Vec<u64> {
        self.target.values().iter().map(|value| value.parse().expect("a number")).collect()
    }

    /// True where all of the input is published, once and in order.
    pub fn is_complete(&self) -> bool {
        self.published().into_iter().eq(0..self.records)
    }

    /// The newest checkpoint that the job's log has.
    pub fn newest_checkpoint(&self) -> CheckpointId {
        let (objects, clock) = (self.objects.clone(), self.simulator.runtime().clock);
        let log = wait_for(&self.simulator, async move { JobLog::open(objects, clock).await }).expect("it opens").expect("a log");
        History::of(log.entries()).completed().last().expect("one is complete").checkpoint_id
    }

    /// Records that the newest checkpoint has as staged and not known to be published.
    pub fn waiting(&self) -> u64 {
        let (objects, clock) = (self.objects.clone(), self.simulator.runtime().clock);
        let load = async move {
            let log = JobLog::open(objects.clone(), clock.clone()).await.expect("a log");
            let newest = History::of(log.entries()).completed().last().cloned().expect("one is complete");
            load_metadata(&*objects, &*clock, &newest).await.expect("its metadata")
        };
        let metadata = wait_for(&self.simulator, load).expect("it is read");
        metadata.staged().map(|object| object.records).sum()
    }

    /// The target as it would be with its markers before the first record.
    pub fn earlier_markers(&self) -> TargetMemory {
        let earlier = self.target.copy();
        earlier.reset_markers();
        earlier
    }

    fn graph(&self, process: &OutboxProcess) -> JobGraph {
        let source = NumberSource {
            count: self.records,
            keys: 10,
            splits: 1,
            order: ReadOrder::OneByOne,
            value: Arc::new(|number| number.to_string()),
            time: in_order,
        };
        let vertex = |id: &str, kind| Vertex::new(id, 1, kind);
        let target = self.target.client(process.target, ChunkBounds { records: self.chunk_records, bytes: usize::MAX });
        let sink = match process.sink {
            Some(id) => vertex(id, VertexKind::Sink(Arc::new(OutboxSink::new(Arc::new(target))))),
            None => vertex("files", VertexKind::Sink(super::disk::sink(&self.simulator, &self.disk, CALM))),
        };
        JobGraph {
            name: "publishing".into(),
            max_parallelism: 16,
            vertices: vec![vertex("in", VertexKind::Source { source: Arc::new(source), rate: Some(500.0) }), sink],
            edges: vec![Edge { from: 0, output: 0, to: 1, input: 0, partitioning: Partitioning::Rebalance }],
        }
    }

    fn options(&self, process: &OutboxProcess, notices: &Arc<Mutex<Vec<String>>>) -> JobOptions {
        let usual = options(&self.simulator, &self.disk, &self.objects, CALM);
        let renames: BTreeMap<String, String> =
            process.sink.zip(process.was).map(|(id, was)| (id.into(), was.into())).into_iter().collect();
        let notices = notices.clone();
        JobOptions {
            retain: EVERY,
            start: process.start.clone(),
            restore: RestoreOptions { renames, ..RestoreOptions::default() },
            accept_lost_output: process.accept_lost_output,
            outbox: OutboxOptions { room: process.room, decision: process.decision },
            checkpoints: CheckpointConfig { stop_timeout: Duration::from_secs(2), ..usual.checkpoints },
            notice: Arc::new(move |line| notices.lock().expect("no panic").push(line.to_owned())),
            ..usual
        }
    }

    /// Runs one process.
    pub fn run(&self, process: &OutboxProcess) -> OutboxEnd {
        let (status, notices) = (Arc::new(JobStatus::new(VERTICES)), Arc::default());
        let (control, inbox) = JobControl::new();
        let job = run_job(self.graph(process), self.options(process, &notices), self.simulator.runtime(), status.clone(), inbox);
        let clock = self.simulator.runtime().clock;
        let seen = Arc::new(Mutex::new(Seen { from: clock.now(), outcome: None, most_bytes: 0, answer: None }));
        let watching = watch(status.clone(), clock.clone(), seen.clone());
        let telling = self.tell(process, control, status.clone(), seen.clone());
        let slot = seen.clone();
        let all = async move {
            let (mut job, mut telling, mut watching) = (Box::pin(job.fuse()), Box::pin(telling.fuse()), Box::pin(watching.fuse()));
            futures_util::select_biased! {
                report = job => slot.lock().expect("no panic").outcome = Some(report.outcome),
                () = telling => {}
                () = watching => {}
            }
        };
        assert_eq!(self.simulator.run(all.boxed(), POLLS), SimulationEnd::Finished, "the process ends");
        let (took, shown) = (clock.now() - seen.lock().expect("no panic").from, status.outboxes());
        self.simulator.crash();
        let seen = std::mem::replace(&mut *seen.lock().expect("no panic"), Seen { from: took, outcome: None, most_bytes: 0, answer: None });
        let notices = notices.lock().expect("no panic").clone();
        let Seen { outcome, most_bytes, answer, .. } = seen;
        OutboxEnd { outcome, completed: status.completed.get(), shown, most_bytes, answer, took, notices }
    }

    /// Does what a process is told. It is over when the process is to be killed.
    fn tell(&self, process: &OutboxProcess, control: JobControl, status: Arc<JobStatus>, seen: Arc<Mutex<Seen>>) -> BoxFuture<'static, ()> {
        let (until, graph) = (process.until, self.graph(process));
        let (clock, target) = (self.simulator.runtime().clock, self.target.clone());
        let completes = move |wanted: u64| {
            let (clock, status) = (clock.clone(), status.clone());
            async move {
                while status.completed.get() < wanted {
                    clock.sleep_until(clock.now() + Duration::from_millis(1)).await;
                }
                clock.now()
            }
        };
        let clock = self.simulator.runtime().clock;
        let tell = async move {
            // Whoever holds the control may still speak to the job.
            let _control = control.clone();
            match until {
                Until::End => std::future::pending().await,
                Until::Killed(wanted) => _ = completes(wanted).await,
                Until::KilledAfter(time) => clock.sleep_until(clock.now() + time).await,
                Until::Stopped(wanted) => {
                    seen.lock().expect("no panic").from = completes(wanted).await;
                    control.stop(StopKind::Suspend);
                    std::future::pending().await
                }
                Until::StoppedForSavepoint(wanted) => {
                    seen.lock().expect("no panic").from = completes(wanted).await;
                    control.stop(StopKind::SuspendForSavepoint);
                    std::future::pending().await
                }
                Until::Savepoint => {
                    let held = control.checkpoint(CheckpointRequest::Savepoint).await;
                    seen.lock().expect("no panic").answer = Some(held.map(|_| ()).map_err(|error| error.to_string()));
                }
                Until::Changed => {
                    let changed = control.rescale(GraphChange { graph, overrides: Vec::new() }).await;
                    seen.lock().expect("no panic").answer = Some(changed.map(|_| ()).map_err(|error| error.to_string()));
                }
                Until::TargetUpAfter(pause) => {
                    clock.sleep_until(clock.now() + pause).await;
                    target.set_down(false);
                    std::future::pending().await
                }
            }
        };
        tell.boxed()
    }
}

/// What is seen of a process.
struct Seen {
    /// The beginning, or when it was told to stop.
    from: Duration,
    outcome: Option<JobOutcome>,
    most_bytes: u64,
    answer: Option<Result<(), String>>,
}

/// Looks at what waits, for ever.
async fn watch(status: Arc<JobStatus>, clock: Arc<dyn Clock>, seen: Arc<Mutex<Seen>>) {
    loop {
        let bytes = status.outboxes().iter().map(|outbox| outbox.unpublished_bytes).max().unwrap_or_default();
        let most = seen.lock().expect("no panic").most_bytes.max(bytes);
        seen.lock().expect("no panic").most_bytes = most;
        clock.sleep_until(clock.now() + Duration::from_millis(1)).await;
    }
}
