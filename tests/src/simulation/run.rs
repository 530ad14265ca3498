//! One simulated job from start to finish, over crashes and restarts.

use super::call_logs::Witness;
use super::counter::Counter;
use super::graph::graph;
use super::judge::{check, check_replay};
use super::lives::{POLLS, PROCESSES, is_over, live};
use super::objects::{check_kept, check_left, shared_files};
use super::spoken::Spoken;
use super::timed_by::TimedBy;
use super::{Disk, clocked};
use futures_util::FutureExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_engine::Committer;
use weir_engine::checkpoint::{CheckpointConfig, CheckpointMode, RestoreOptions, paths};
use weir_engine::element::BarrierAlignment;
use weir_engine::job::{
    JobControl, JobGraph, JobOptions, JobOutcome, JobReport, JobStatus, OutboxOptions, RestartPolicy, SavepointOpener, StartMode, run_job,
};
use weir_engine::outbox::OutboxRoom;
use weir_engine::runtime::{SimulationEnd, Simulator};
use weir_engine::state::conformance::{FaultyBackendFactory, StateFaultPlan};
use weir_engine::state::{MemoryBackendFactory, StateBackendFactory};
use weir_engine::storage::{FaultPlan, FaultyStore, ObjectStorage, Store};

/// Vertices of a job at most.
pub(super) const VERTICES: usize = 7;

/// What a simulation does.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Number of input records.
    pub records: u64,
    /// Records of all inputs in a second.
    pub per_second: f64,
    /// Number of keys of the source.
    pub keys: u64,
    /// Number of keys that are counted, of these at most.
    pub counted_keys: u64,
    /// One failed batch in so many; `None`: none.
    pub failures: Option<u64>,
    /// Faults of the storage.
    pub faults: FaultPlan,
    /// A process is killed after up to so many polls; 0: none is.
    pub crash_within_polls: u64,
    /// Checkpoints under way at once.
    pub max_concurrent: usize,
    /// How barriers go.
    pub barriers: Barriers,
    /// Checkpoints that are kept.
    pub retain: usize,
    /// What counts.
    pub counter: Counter,
    /// Who says what time records are of, where that counts by time.
    pub timed_by: TimedBy,
    /// Whether what counts is recorded.
    pub record: bool,
    /// How much of what is recorded is kept at a time.
    pub max_call_log_bytes: u64,
    /// Where the sink has an outbox: the faults of its target.
    pub outbox: Option<FaultPlan>,
    /// Keyed state is in a backend that waits and fails like this and keeps it in files; `None`: in memory.
    pub state_faults: Option<StateFaultPlan>,
}

/// How the barriers of a job go. What is drawn is drawn anew for each process: one restores what another has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barriers {
    /// Aligned.
    Aligned,
    /// All of them overtake.
    Unaligned,
    /// Drawn: aligned, aligned for a time, unaligned; now and then with little room for what is in flight.
    ExactlyOnce,
    /// Drawn: those, or no channel is held back.
    AtLeastOnce,
}

impl Barriers {
    fn draw(self, simulator: &Simulator, config: CheckpointConfig) -> CheckpointConfig {
        match self {
            Self::Aligned => return config,
            Self::Unaligned => return CheckpointConfig { alignment: BarrierAlignment::Unaligned, ..config },
            Self::AtLeastOnce if simulator.draw(2) == 0 => return CheckpointConfig { mode: CheckpointMode::AtLeastOnce, ..config },
            Self::ExactlyOnce | Self::AtLeastOnce => {}
        }
        let alignment = match simulator.draw(4) {
            0 => BarrierAlignment::Aligned,
            1 => BarrierAlignment::AlignedFor(Duration::from_millis(simulator.draw(5))),
            _ => BarrierAlignment::Unaligned,
        };
        let max_in_flight_bytes = if simulator.draw(4) == 0 { 500 + simulator.draw(5_000) } else { config.max_in_flight_bytes };
        CheckpointConfig { alignment, max_in_flight_bytes, ..config }
    }
}

/// What it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Processes started.
    pub processes: u64,
    /// Checkpoints completed, as far as processes lived to count them.
    pub checkpoints: u64,
    /// Restarts within processes.
    pub restarts: u64,
    /// Objects with records in flight that the processes left behind.
    pub in_flight: u64,
    /// Deltas that the last checkpoints consist of.
    pub deltas: usize,
    /// Files of keyed state in the last checkpoints that older ones wrote.
    pub shared_files: usize,
    /// Recorded calls that were made again.
    pub replayed: u64,
    /// Stretches of subtasks behind which some are missing.
    pub cut_off: u64,
    /// The most calls that one checkpoint has, in bytes.
    pub recorded_bytes_max: u64,
    /// What windows said besides what they say once and in time.
    pub spoken: Spoken,
    /// Equal for equal runs.
    pub trace: u64,
}

/// Runs `scenario` with `seed` until the job has finished, and compares what it committed with the input. An error says what is wrong.
pub fn simulate(seed: u64, scenario: Scenario) -> Result<Report, String> {
    let simulator = Simulator::new(seed);
    let disk = Disk::default();
    let objects: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
    let mut report = Report::default();
    let witness = Witness::default();
    loop {
        report.processes += 1;
        let status = Arc::new(JobStatus::new(VERTICES));
        let options = options(&simulator, &disk, &objects, scenario);
        let graph = witness.watch(graph(&simulator, &disk, scenario));
        let ended = process(&simulator, graph, options, scenario, &status, report.processes)?;
        report.checkpoints += status.completed.get();
        report.restarts += status.restarts.get();
        report.in_flight += in_flight_objects(&*objects);
        report.deltas = check_kept(&simulator, &objects, scenario.retain)?;
        report.shared_files = shared_files(&simulator, &objects, scenario.retain)?;
        if is_over(ended.map(|job| job.outcome))? {
            break;
        }
        if report.processes > PROCESSES {
            return Err(format!("not finished after {PROCESSES} processes"));
        }
    }
    report.trace = simulator.trace();
    check_left(&simulator, &objects, scenario.retain, scenario.faults)?;
    report.spoken = check(&simulator, &disk, &objects, scenario)?;
    if scenario.record {
        let replayed = check_replay(&simulator, &disk, &objects, scenario, &witness)?;
        (report.replayed, report.cut_off, report.recorded_bytes_max) = (replayed.calls, replayed.cut_off, replayed.bytes_max);
    }
    Ok(report)
}

fn in_flight_objects(objects: &dyn Store) -> u64 {
    let listed = objects.list(paths::STATE).now_or_never().expect("objects in memory are there at once");
    listed.expect("a list").iter().filter(|path| path.ends_with(".in-flight")).count() as u64
}

/// One process: `None` where it was killed.
pub(super) fn process(
    simulator: &Simulator,
    graph: JobGraph,
    options: JobOptions,
    scenario: Scenario,
    status: &Arc<JobStatus>,
    number: u64,
) -> Result<Option<JobReport>, String> {
    let (_control, inbox) = JobControl::new();
    let job = run_job(graph, options, clocked::runtime(simulator, scenario), status.clone(), inbox);
    live(simulator, scenario.killed_within(number, PROCESSES), job)
}

pub(super) fn options(simulator: &Simulator, disk: &Disk, objects: &Arc<dyn Store>, scenario: Scenario) -> JobOptions {
    let store: Arc<dyn Store> = Arc::new(FaultyStore::new(objects.clone(), simulator.clone(), scenario.faults));
    let committer: Arc<dyn Committer> = Arc::new(disk.clone());
    let checkpoints = CheckpointConfig {
        interval: Duration::from_millis(100),
        max_concurrent: scenario.max_concurrent,
        max_call_log_bytes: scenario.max_call_log_bytes,
        timeout: Duration::from_secs(5),
        tolerate_failures: 2,
        ..CheckpointConfig::default()
    };
    JobOptions {
        store,
        checkpoints: scenario.barriers.draw(simulator, checkpoints),
        retain: scenario.retain,
        restart: RestartPolicy::default(),
        start: StartMode::Resume,
        restore: RestoreOptions::default(),
        pinned: Vec::new(),
        overruled: Vec::new(),
        accept_lost_output: false,
        outbox: outbox_options(simulator, scenario),
        savepoints: no_savepoints(),
        committers: Arc::new(move |connector| (connector == "disk").then(|| committer.clone())),
        backends: backends(simulator, scenario),
        notice: Arc::new(|_| {}),
    }
}

/// Now and then there is little room for what waits to be published.
fn outbox_options(simulator: &Simulator, scenario: Scenario) -> OutboxOptions {
    let little = scenario.outbox.is_some() && simulator.draw(3) == 0;
    let usual = OutboxOptions::default();
    let room = OutboxRoom { bytes: 500 + simulator.draw(5_000), objects: 1 + simulator.draw(40) };
    if little { OutboxOptions { room, ..usual } } else { usual }
}

pub(super) fn backends(simulator: &Simulator, scenario: Scenario) -> Arc<dyn StateBackendFactory> {
    match scenario.state_faults {
        Some(plan) => Arc::new(FaultyBackendFactory::new(simulator.clone(), plan)),
        None => Arc::new(MemoryBackendFactory::new(7)),
    }
}

/// For jobs that start from no savepoint: every folder is empty.
pub fn no_savepoints() -> SavepointOpener {
    Arc::new(|_url| async { Ok(Arc::new(ObjectStorage::in_memory()) as Arc<dyn Store>) }.boxed())
}

/// Two processes run one job: the second starts once the first has taken a checkpoint. Returns how the first ended.
pub fn simulate_takeover(seed: u64, scenario: Scenario) -> Result<JobOutcome, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let start = || {
        let status = Arc::new(JobStatus::new(VERTICES));
        let (control, inbox) = JobControl::new();
        let options = options(&simulator, &disk, &objects, scenario);
        let job = run_job(graph(&simulator, &disk, scenario), options, clocked::runtime(&simulator, scenario), status.clone(), inbox);
        (job, status, control)
    };
    let ((first, status, _first_control), (second, _, _second_control)) = (start(), start());
    let clock = simulator.runtime().clock;
    let second = async move {
        while status.completed.get() == 0 {
            clock.sleep_until(clock.now() + Duration::from_millis(10)).await;
        }
        second.await
    };
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let both = async move { *slot.lock().expect("no panic") = Some(futures_util::future::join(first, second).await) };
    if simulator.run(both.boxed(), POLLS) != SimulationEnd::Finished {
        return Err("the two do not end".into());
    }
    let (first, second) = result.lock().expect("no panic").take().expect("both have ended");
    if !matches!(second.outcome, JobOutcome::Finished) {
        return Err(format!("the second ended as {:?}", second.outcome));
    }
    check_kept(&simulator, &objects, scenario.retain)?;
    if scenario.outbox.is_none() {
        // A sink that has stopped lets the first be late: it may write its last metadata when the second has collected for the last time.
        check_left(&simulator, &objects, scenario.retain, scenario.faults)?;
    }
    check(&simulator, &disk, &objects, scenario)?;
    Ok(first.outcome)
}

/// Runs a future of the test itself to its end.
pub(super) fn wait_for<T: Send + 'static>(simulator: &Simulator, future: impl Future<Output = T> + Send + 'static) -> Result<T, String> {
    let slot = Arc::new(Mutex::new(None));
    let result = slot.clone();
    let run = async move { *slot.lock().expect("no panic") = Some(future.await) };
    match simulator.run(run.boxed(), POLLS) {
        SimulationEnd::Finished => Ok(result.lock().expect("no panic").take().expect("it has ended")),
        SimulationEnd::OutOfPolls | SimulationEnd::Deadlock => Err("what the test waits for does not end".into()),
    }
}
