//! A job whose file changes between its runs: steps come, go, are renamed and rewired, states change their order and their version, while
//! processes are killed and the storage fails. Whatever happens, each record counts once, with the state that the runs before have left. Where it counts in
//! windows, of the engine or until timers, those that are open go with it, and each of them speaks once.

use super::evolving::{EvolvingFactory, PassingFactory};
use super::join_inputs::joined_in_windows;
use super::judge::same;
use super::kept::{Kept, MARKS, Marks};
use super::lives::live;
use super::operators::Faults;
use super::run::{VERTICES, options, wait_for};
use super::spoken;
use super::state::left_open;
use super::timed::windows;
use super::versions_judge::counts;
use super::windowed::{burst_lines, windows_of};
use super::{Counter, Disk, Scenario, TimedBy, clocked, disk, join_inputs};
use std::sync::Arc;
use weir_engine::ErrorKind;
use weir_engine::checkpoint::{CheckpointMetadata, JobLog, RestoreOptions, VertexIdentity};
use weir_engine::element::CheckpointId;
use weir_engine::job::Partitioning;
use weir_engine::job::{
    Edge, History, JobControl, JobGraph, JobOptions, JobOutcome, JobStatus, Vertex, VertexKind, load_metadata, run_job,
};
use weir_engine::operator::LATE_OUTPUT;
use weir_engine::runtime::Simulator;
use weir_engine::storage::{ObjectStorage, Store};

/// Processes that one simulation starts at most.
const PROCESSES: u64 = 80;
/// Names that the counter has had.
const NAMES: [&str; 3] = ["count", "tally", "sums"];

/// What it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvolveReport {
    /// Processes started.
    pub processes: u64,
    /// Checkpoints that were restored into another shape of the job than the one that took them.
    pub changed: u64,
    /// Starts that were refused because state was not named that would be lost.
    pub refused: u64,
    /// Starts that were refused because records were in flight on an edge that was gone.
    pub in_flight: u64,
    /// Restores that brought the counts to another version.
    pub migrated: u64,
    /// Equal for equal runs.
    pub trace: u64,
}

/// What the job file says at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// What the counter is called.
    name: &'static str,
    /// The version of its counts.
    version: u32,
    /// Whether it keeps marks as well, and where.
    marks: Option<Marks>,
    /// A step without state between source and counter.
    between: bool,
    /// A second counter beside it, whose output nobody takes.
    audit: bool,
}

impl Shape {
    const FIRST: Self = Self { name: NAMES[0], version: 1, marks: None, between: false, audit: false };

    /// Another one, from which there is a way from `self`.
    fn next(self, simulator: &Simulator) -> Self {
        let mut next = self;
        for _ in 0..=simulator.draw(4) {
            match simulator.draw(8) {
                0 => next.name = NAMES[simulator.draw(3) as usize],
                1 => next.version = 2,
                2..=4 => next.marks = [None, Some(Marks::First), Some(Marks::Last)][simulator.draw(3) as usize],
                5 => next.between = !next.between,
                _ => next.audit = !next.audit,
            }
        }
        next
    }

    fn graph(self, simulator: &Simulator, disk: &Disk, scenario: Scenario) -> JobGraph {
        let parallelism = || 1 + simulator.draw(3) as u32;
        let window = windows_of(scenario.counter, simulator);
        let mut vertices = vec![join_inputs::first(Scenario { timed_by: TimedBy::Source, ..scenario }, parallelism())];
        let mut edges = Vec::new();
        let mut add = |id: &str, (from, output): (usize, u32), partitioning, kind| {
            edges.push(Edge { from, output, to: vertices.len(), input: 0, partitioning });
            let window = window.clone().filter(|_| partitioning == Partitioning::Key);
            vertices.push(Vertex { window, ..Vertex::new(id, parallelism(), kind) });
            vertices.len() - 1
        };
        let counter = |kept| {
            let counter = EvolvingFactory::new(self.name, scenario.counter, kept, simulator, scenario.failures);
            VertexKind::Operator(counter)
        };
        let same = || VertexKind::Operator(PassingFactory::new(Faults::new(simulator.clone(), scenario.failures)));
        let front = if self.between { add("same", (0, 0), Partitioning::Rebalance, same()) } else { 0 };
        let count = add(self.name, (front, 0), Partitioning::Key, counter(Kept::new(self.version, self.marks)));
        let audit = self.audit.then(|| add("audit", (front, 0), Partitioning::Key, counter(Kept::USUAL)));
        let sink = disk::sink(simulator, disk, scenario);
        add("out", (count, 0), Partitioning::Rebalance, VertexKind::Sink(sink.clone()));
        if scenario.counter.takes_late_records() {
            add("late", (count, LATE_OUTPUT), Partitioning::Rebalance, VertexKind::Sink(sink));
        }
        if scenario.counter == Counter::WindowedJoin {
            let joins: Vec<usize> = [Some(count), audit].into_iter().flatten().collect();
            join_inputs::add_others(
                (&mut vertices, &mut edges),
                &joins,
                [parallelism(), parallelism()],
                join_inputs::per_second_changing(scenario),
                scenario,
            );
        }
        JobGraph { name: "evolving".into(), max_parallelism: 16, vertices, edges }
    }

    /// What a user says of a start from `metadata`: what the counter was called, and what is given up.
    fn said(self, metadata: &CheckpointMetadata) -> RestoreOptions {
        let mut said = RestoreOptions::default();
        for (id, vertex) in &metadata.graph.vertices {
            let VertexIdentity::Operator { states, .. } = vertex else { continue };
            if NAMES.contains(&id.as_str()) && id != self.name {
                said.renames.insert(self.name.into(), id.clone());
            }
            if NAMES.contains(&id.as_str()) && self.marks.is_none() && states.iter().any(|state| state.name == MARKS) {
                said.drops.insert(format!("{id}.{MARKS}"));
            }
            if id == "audit" && !self.audit {
                said.drops.insert(id.clone());
            }
        }
        said
    }
}

/// Runs a job from one seed over kills and changes until it has finished, and judges what it committed.
pub fn simulate_evolution(seed: u64, scenario: Scenario) -> Result<EvolveReport, String> {
    let (simulator, disk) = (Simulator::new(seed), Disk::default());
    let world = World { simulator: simulator.clone(), disk: disk.clone(), objects: Arc::new(ObjectStorage::in_memory()), scenario };
    let mut report = EvolveReport::default();
    // The shape that took the newest checkpoint, and the one that is to run.
    let (mut taken, mut shape, mut newest) = (Shape::FIRST, Shape::FIRST, None);
    loop {
        report.processes += 1;
        let metadata = world.newest()?;
        let mut said = metadata.as_ref().map(|metadata| shape.said(metadata)).unwrap_or_default();
        let forgets = !said.drops.is_empty() && simulator.draw(2) == 0;
        if forgets {
            said.drops.clear();
        }
        let ended = world.process(shape, said, report.processes)?;
        match ended {
            Some(JobOutcome::Finished | JobOutcome::AlreadyFinished) => break,
            Some(JobOutcome::Failed(error)) if matches!(error.kind(), ErrorKind::Retry | ErrorKind::Restart) => {}
            Some(JobOutcome::Failed(error)) if error.to_string().contains("records in flight") => {
                (report.in_flight, shape) = (report.in_flight + 1, taken);
                continue;
            }
            Some(JobOutcome::Failed(error)) if forgets && error.to_string().contains("--drop-state") => {
                report.refused += 1;
                continue;
            }
            Some(ended) => return Err(format!("the job ended as {ended:?}, in the shape {shape:?} after {taken:?}")),
            None => {}
        }
        if let Some(now) = world.newest()?.map(|metadata| metadata.checkpoint_id)
            && newest.replace(now) != Some(now)
        {
            report.changed += u64::from(shape != taken);
            report.migrated += u64::from(shape.version != taken.version);
            taken = shape;
        }
        if report.processes < PROCESSES / 2 && simulator.draw(2) == 0 {
            shape = taken.next(&simulator);
        }
        if report.processes > PROCESSES {
            return Err(format!("not finished after {PROCESSES} processes"));
        }
    }
    report.trace = simulator.trace();
    let open = left_open(&simulator, &world.objects, scenario)?;
    judge(scenario, &disk.committed(), open.as_deref())?;
    Ok(report)
}

struct World {
    simulator: Simulator,
    disk: Disk,
    objects: Arc<dyn Store>,
    scenario: Scenario,
}

impl World {
    /// The newest completed checkpoint.
    fn newest(&self) -> Result<Option<CheckpointMetadata>, String> {
        let (store, clock) = (self.objects.clone(), self.simulator.runtime().clock);
        let metadata = wait_for(&self.simulator, async move {
            let log = JobLog::open(store.clone(), clock.clone()).await?;
            let newest: Option<(CheckpointId, _)> =
                History::of(log.entries()).completed().last().map(|newest| (newest.checkpoint_id, newest.clone()));
            match newest {
                Some((_, newest)) => load_metadata(&*store, &*clock, &newest).await.map(Some),
                None => Ok(None),
            }
        })?;
        metadata.map_err(|error| error.to_string())
    }

    /// One process: `None` where it was killed.
    fn process(&self, shape: Shape, said: RestoreOptions, number: u64) -> Result<Option<JobOutcome>, String> {
        let Self { simulator, disk, objects, scenario } = self;
        let status = Arc::new(JobStatus::new(VERTICES));
        let (_control, inbox) = JobControl::new();
        let options = JobOptions { restore: said, ..options(simulator, disk, objects, *scenario) };
        let runtime = clocked::runtime(simulator, *scenario);
        let job = run_job(shape.graph(simulator, disk, *scenario), options, runtime, status, inbox);
        live(simulator, scenario.killed_within(number, PROCESSES), async move { job.await.outcome })
    }
}

/// What has been committed, and what it has left open: of each key the counts 1, 2, 3 … once each, or what windows and timers come to.
fn judge(scenario: Scenario, lines: &[String], open: Option<&[Vec<u64>]>) -> Result<(), String> {
    let unchanged = Scenario { counted_keys: u64::MAX, ..scenario };
    match scenario.counter {
        Counter::Windowed | Counter::Timed => same("committed", windows(unchanged), lines),
        Counter::Sessions => same("committed", burst_lines(unchanged), lines),
        Counter::WindowedJoin => same("committed", joined_in_windows(unchanged), lines),
        Counter::Speaking(of) => spoken::judge(unchanged, of, TimedBy::Source.punctuality(), lines, open).map(drop),
        Counter::Clocked => clocked::judge(unchanged, lines, open),
        _ => same("committed", counts(unchanged), lines),
    }
}
