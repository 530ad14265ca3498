//! A job that is rescaled and upgraded while it runs, and killed: whatever happens, each record counts once, and is worked off by a version that
//! held at that point. Where it counts in windows, each of these speaks once, and by a version that held then.

use super::call_logs::emitted;
use super::join_inputs;
use super::judge::same;
use super::lives::{POLLS, is_over};
use super::run::{VERTICES, options, wait_for};
use super::scenarios::{CALM, EVERY};
use super::state::left_open;
use super::versions::{HOPELESS, UNDEPLOYABLE, VersionFactory, digest};
use super::versions_judge::{accepted_versions, judge};
use super::windowed::{time_of, windows_of};
use super::{Counter, Disk, RekeyFactory, Scenario, TimedBy, clocked, disk};
use futures_util::FutureExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_engine::checkpoint::{JobLog, LogEntry, Override, Replaced, VertexIdentity};
use weir_engine::job::Partitioning;
use weir_engine::job::{
    CheckpointRequest, Edge, GraphChange, History, JobControl, JobGraph, JobOptions, JobOutcome, JobStatus, OutboxOptions, StartMode,
    Upgrade, UpgradeEvent, Vertex, VertexKind, load_metadata, run_job,
};
use weir_engine::operator::LATE_OUTPUT;
use weir_engine::outbox::OutboxRoom;
use weir_engine::replay::LoggedStretch;
use weir_engine::runtime::{SimulationEnd, Simulator};
use weir_engine::storage::{FaultPlan, ObjectStorage, Store};

/// Processes that one simulation starts at most.
const PROCESSES: u64 = 60;

/// What it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeReport {
    /// Processes started.
    pub processes: u64,
    /// Rescales that the job answered.
    pub rescales: u64,
    /// Rescales that could not be deployed, and were undone.
    pub undone: u64,
    /// Versions that the log accepted.
    pub accepted: u64,
    /// Versions that the log rolled back.
    pub rolled_back: u64,
    /// Equal for equal runs.
    pub trace: u64,
}

/// What the operator's id stands for at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Of source, counter and sink.
    parallelism: [u32; 3],
    pub version: u64,
}

const IDS: [&str; 3] = ["in", "count", "out"];
/// What the job file says.
pub(super) const FILE: Shape = Shape { parallelism: [2, 2, 2], version: 1 };

impl Shape {
    /// The job file's, with what the log overrides.
    pub fn of(overrides: &[Override]) -> Self {
        let mut shape = FILE;
        for change in overrides {
            let place = IDS.iter().position(|id| *id == change.vertex).expect("an id of the job");
            if let Some(parallelism) = &change.parallelism {
                assert_eq!(parallelism.file, FILE.parallelism[place]);
                shape.parallelism[place] = parallelism.now;
            }
            if let Some(component) = &change.component {
                assert_eq!(component.file, digest(FILE.version));
                shape.version = component.now[1..].parse().expect("a version");
            }
        }
        shape
    }

    fn overrides(&self) -> Vec<Override> {
        let change = |place: usize| Override {
            vertex: IDS[place].into(),
            parallelism: Some(Replaced { file: FILE.parallelism[place], now: self.parallelism[place] }),
            ..Override::default()
        };
        (0..3).map(change).collect()
    }

    /// The same with another version.
    pub fn with_version(&self, version: u64) -> Self {
        Self { version, ..self.clone() }
    }

    pub fn upgraded(&self) -> Vec<Override> {
        let component = Some(Replaced { file: digest(FILE.version), now: digest(self.version) });
        vec![Override { vertex: "count".into(), parallelism: None, component, ..Override::default() }]
    }

    pub fn graph(&self, simulator: &Simulator, disk: &Disk, scenario: Scenario) -> JobGraph {
        let (counter, timed_by) = (scenario.counter, scenario.timed_by);
        let (sink, time) = (disk::sink(simulator, disk, scenario), time_of(counter));
        let kinds = [
            join_inputs::first(scenario, FILE.parallelism[0]).kind,
            VertexKind::Operator(Arc::new(VersionFactory::new(simulator.clone(), counter, self.version, scenario.failures))),
            VertexKind::Sink(sink.clone()),
        ];
        let vertices = IDS.into_iter().zip(self.parallelism).zip(kinds);
        let record = |id| scenario.record && id == "count";
        let mut vertices: Vec<Vertex> =
            vertices.map(|((id, parallelism), kind)| Vertex { record: record(id), ..Vertex::new(id, parallelism, kind) }).collect();
        vertices[1].window = windows_of(counter, simulator);
        let to_sink = if self.parallelism[1] == self.parallelism[2] { Partitioning::Forward } else { Partitioning::Rebalance };
        let edge = |from, to, partitioning| Edge { from, output: 0, to, input: 0, partitioning };
        let mut edges = vec![edge(0, 1, Partitioning::Key), edge(1, 2, to_sink)];
        if counter == Counter::WindowedJoin {
            join_inputs::add_others((&mut vertices, &mut edges), &[1], [2, 1], join_inputs::per_second_changing(scenario), scenario);
        }
        if counter.takes_late_records() {
            vertices.push(Vertex::new("late", self.parallelism[2], VertexKind::Sink(sink)));
            edges.push(Edge { output: LATE_OUTPUT, ..edge(1, 3, to_sink) });
        }
        let mut graph = JobGraph { name: "changing".into(), max_parallelism: 16, vertices, edges };
        if timed_by != TimedBy::Source {
            let stamp = RekeyFactory::stamping(simulator.clone(), scenario.failures, u64::MAX, time);
            timed_by.put_between(counter, &mut graph, stamp);
        }
        graph.vertices[timed_by.vertex()].watermark = timed_by.watermark(counter);
        graph
    }
}

/// Runs a job from one seed over changes and kills until it has finished, and judges what it committed.
pub fn simulate_changes(seed: u64, scenario: Scenario) -> Result<ChangeReport, String> {
    let simulator = Simulator::new(seed);
    let disk = Disk::default();
    let objects: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
    let (mut report, next_version) = (ChangeReport::default(), Arc::new(Mutex::new(2)));
    loop {
        report.processes += 1;
        let entries = read_log(&simulator, &objects)?;
        let shape = Shape::of(&History::of(&entries).overrides(&StartMode::Resume).0);
        if shape.parallelism[1] == UNDEPLOYABLE {
            return Err("the log has a shape that was never deployed".into());
        }
        let killed = scenario.crash_within_polls > 0 && report.processes < PROCESSES / 2;
        let polls = if killed { simulator.draw(scenario.crash_within_polls) } else { POLLS };
        let (objects, wrong) = (objects.clone(), Arc::default());
        let world =
            World { simulator: simulator.clone(), disk: disk.clone(), scenario, next_version: next_version.clone(), objects, wrong };
        let ChangedProcess { outcome, rescales } = world.process(shape, polls)?;
        if let Some(wrong) = world.wrong.lock().expect("no panic").take() {
            return Err(wrong);
        }
        report.rescales += rescales.answered;
        report.undone += rescales.undone;
        if outcome.is_none() && !killed {
            return Err("the job does not end".into());
        }
        if is_over(outcome)? {
            break;
        }
        if report.processes > PROCESSES {
            return Err(format!("not finished after {PROCESSES} processes"));
        }
    }
    let entries = read_log(&simulator, &objects)?;
    let accepted = accepted_versions(&entries, &mut report);
    report.trace = simulator.trace();
    let open = left_open(&simulator, &objects, scenario)?;
    judge(scenario, &accepted, &disk.committed(), open.as_deref())?;
    if scenario.record && scenario.retain == EVERY {
        let sturdy = Scenario { failures: None, ..scenario };
        let (of_replay, simulated) = (disk.clone(), simulator.clone());
        let replayed = emitted(&simulator, &objects, move |stretch| as_it_was(stretch, &simulated, &of_replay, sturdy))?;
        same("replayed", disk.committed().into_iter(), &replayed)?;
    }
    Ok(report)
}

/// The job with the version that worked in a stretch, which fails no more.
fn as_it_was(stretch: &LoggedStretch, simulator: &Simulator, disk: &Disk, scenario: Scenario) -> JobGraph {
    let identity = stretch.to.metadata.as_ref().and_then(|metadata| metadata.graph.vertices.get("count"));
    let Some(VertexIdentity::Operator { component: Some(component), .. }) = identity else { panic!("it has a component") };
    let version = component[1..].parse().expect("a version");
    let mut graph = Shape { version, ..FILE }.graph(simulator, disk, scenario);
    let counter = graph.vertices.iter_mut().find(|vertex| vertex.id == "count").expect("it has one");
    counter.kind = VertexKind::Operator(Arc::new(VersionFactory::sturdy(simulator.clone(), scenario.counter, version)));
    graph
}

fn read_log(simulator: &Simulator, objects: &Arc<dyn Store>) -> Result<Vec<LogEntry>, String> {
    let (objects, clock) = (objects.clone(), simulator.runtime().clock);
    let log = wait_for(simulator, async move { JobLog::open(objects, clock).await.map(|log| log.entries().to_vec()) })?;
    log.map_err(|error| error.to_string())
}

#[derive(Clone)]
struct World {
    simulator: Simulator,
    disk: Disk,
    scenario: Scenario,
    next_version: Arc<Mutex<u64>>,
    /// Without the faults that the job's own calls meet.
    objects: Arc<dyn Store>,
    /// The first promise that was seen broken.
    wrong: Arc<Mutex<Option<String>>>,
}

/// How one process ended.
struct ChangedProcess {
    /// How the job ended; `None`: the process was killed.
    outcome: Option<JobOutcome>,
    rescales: Rescales,
}

/// The rescales of one process.
#[derive(Clone, Copy, Default)]
struct Rescales {
    /// Those that the job answered.
    answered: u64,
    /// Those that could not be deployed, and were undone.
    undone: u64,
}

impl World {
    /// One process, with somebody who changes the job all the time.
    fn process(&self, shape: Shape, polls: u64) -> Result<ChangedProcess, String> {
        let status = Arc::new(JobStatus::new(VERTICES));
        let (control, inbox) = JobControl::new();
        let options = options(&self.simulator, &self.disk, &self.objects, self.scenario);
        let graph = shape.graph(&self.simulator, &self.disk, self.scenario);
        let job = run_job(graph, options, clocked::runtime(&self.simulator, self.scenario), status, inbox);
        let (ended, rescales) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Rescales::default())));
        let (slot, changes, world) = (ended.clone(), rescales.clone(), self.clone());
        let both = async move {
            let mut job = Box::pin(job.fuse());
            let mut changing = Box::pin(world.change(control, shape, changes).fuse());
            loop {
                futures_util::select_biased! {
                    report = job => break *slot.lock().expect("no panic") = Some(report.outcome),
                    () = changing => {}
                }
            }
        };
        let end = self.simulator.run(both.boxed(), polls);
        self.simulator.crash();
        if end == SimulationEnd::Deadlock {
            return Err("deadlock".into());
        }
        let (outcome, rescales) = (ended.lock().expect("no panic").take(), *rescales.lock().expect("no panic"));
        Ok(ChangedProcess { outcome, rescales })
    }

    /// Changes the job until it has ended.
    async fn change(self, control: JobControl, mut shape: Shape, rescales: Arc<Mutex<Rescales>>) {
        let clock = self.simulator.runtime().clock;
        loop {
            let pause = Duration::from_millis(20 + self.simulator.draw(300));
            clock.sleep_until(clock.now() + pause).await;
            match self.simulator.draw(4) {
                0 => self.hold(&control).await,
                1 => self.rescale(&control, &mut shape, &rescales).await,
                _ => self.upgrade(&control, &mut shape).await,
            }
        }
    }

    /// Holds a checkpoint for as long as it takes to copy, while newer ones complete: nothing of it may be gone.
    async fn hold(&self, control: &JobControl) {
        let Ok(held) = control.checkpoint(CheckpointRequest::Savepoint).await else { return };
        let clock = self.simulator.runtime().clock;
        clock.sleep_until(clock.now() + Duration::from_millis(self.simulator.draw(1_000))).await;
        let metadata = match load_metadata(&*self.objects, &*clock, &held.checkpoint).await {
            Ok(metadata) => metadata,
            Err(error) => return self.wrong(format!("a checkpoint that is held: {error}")),
        };
        for object in metadata.objects() {
            if !matches!(self.objects.get(&object).await, Ok(Some(_))) {
                self.wrong(format!("{object} of checkpoint {} is gone while it is held", metadata.checkpoint_id));
            }
        }
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().expect("no panic").get_or_insert(what);
    }

    /// Rescales the job, now and then to what cannot be: then it goes on as it was.
    async fn rescale(&self, control: &JobControl, shape: &mut Shape, rescales: &Mutex<Rescales>) {
        let mut wanted = Shape { parallelism: [0; 3].map(|_| 1 + self.simulator.draw(3) as u32), ..shape.clone() };
        match self.simulator.draw(6) {
            0 | 1 => wanted.parallelism[1] = UNDEPLOYABLE,
            // A process that starts with it gets nowhere either.
            2 if self.scenario.crash_within_polls == 0 && self.scenario.failures.is_none() => wanted.parallelism[1] = HOPELESS,
            _ => {}
        }
        let change = GraphChange { graph: wanted.graph(&self.simulator, &self.disk, self.scenario), overrides: wanted.overrides() };
        match control.rescale(change).await {
            Ok(_) if wanted.parallelism[1] == UNDEPLOYABLE => self.wrong("what cannot be deployed has been deployed".into()),
            Ok(_) => {
                rescales.lock().expect("no panic").answered += 1;
                *shape = wanted;
            }
            Err(error) if error.to_string().contains("ended or restarted") => {
                self.wrong("the job runs, and whoever asked for a rescale never learns what came of it".into());
            }
            Err(error) if error.to_string().contains("cannot be deployed") => rescales.lock().expect("no panic").undone += 1,
            Err(_) => {}
        }
    }

    async fn upgrade(&self, control: &JobControl, shape: &mut Shape) {
        let version = {
            let mut next = self.next_version.lock().expect("no panic");
            *next += 1;
            *next - 1
        };
        let wanted = Shape { version, ..shape.clone() };
        let change = GraphChange { graph: wanted.graph(&self.simulator, &self.disk, self.scenario), overrides: wanted.upgraded() };
        let probation = Duration::from_millis(self.simulator.draw(300));
        let until_checkpoint = version.is_multiple_of(2);
        let mut events = control.upgrade(Upgrade { change, vertex: "count".into(), probation, until_checkpoint });
        let mut decided = false;
        while let Some(event) = events.recv().await {
            decided |= !matches!(event, UpgradeEvent::Switched { .. });
            if matches!(event, UpgradeEvent::Accepted) {
                *shape = wanted.clone();
            }
        }
        if !decided {
            self.wrong("the job runs, and whoever asked for an upgrade never learns what came of it".into());
        }
    }
}

/// An upgrade whose probation has no end, in a job with an outbox sink for which only so many bytes may wait. Returns why it was rolled back, and what has
/// been published until then.
pub fn simulate_trial_without_room(seed: u64, counter: Counter, max_unpublished: u64) -> Result<(String, Vec<String>), String> {
    let (simulator, disk): (Simulator, Disk) = (Simulator::new(seed), Disk::default());
    let objects: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
    let scenario = Scenario { records: 5_000, counter, outbox: Some(FaultPlan::NONE), ..CALM };
    let outbox = OutboxOptions { room: OutboxRoom { bytes: max_unpublished, ..OutboxRoom::default() }, decision: None };
    let options = JobOptions { outbox, ..options(&simulator, &disk, &objects, scenario) };
    let (status, (control, inbox)) = (Arc::new(JobStatus::new(VERTICES)), JobControl::new());
    let job = run_job(FILE.graph(&simulator, &disk, scenario), options, simulator.runtime(), status.clone(), inbox);
    let wanted = FILE.with_version(2);
    let change = GraphChange { graph: wanted.graph(&simulator, &disk, scenario), overrides: wanted.upgraded() };
    let (clock, rolled_back) = (simulator.runtime().clock, Arc::new(Mutex::new(None)));
    let slot = rolled_back.clone();
    let ask = async move {
        while status.completed.get() < 2 {
            clock.sleep_until(clock.now() + Duration::from_millis(1)).await;
        }
        let upgrade = Upgrade { change, vertex: "count".into(), probation: Duration::from_secs(3_600), until_checkpoint: false };
        let mut events = control.upgrade(upgrade);
        while let Some(event) = events.recv().await {
            if let UpgradeEvent::RolledBack { error, .. } = event {
                *slot.lock().expect("no panic") = Some((error.to_string(), disk.published()));
            }
        }
    };
    let both = async move {
        let (mut job, mut asking) = (Box::pin(job.fuse()), Box::pin(ask.fuse()));
        futures_util::select_biased! {
            _ = job => {}
            () = asking => {}
        }
    };
    let end = simulator.run(both.boxed(), POLLS);
    simulator.crash();
    let rolled_back = rolled_back.lock().expect("no panic").take();
    rolled_back.ok_or_else(|| format!("it was not rolled back: {end:?}"))
}
