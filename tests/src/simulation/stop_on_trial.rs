//! A job that is stopped while the new component of an upgrade is inside a long call: the stop does not wait for it, and the upgrade is rolled back.

use super::change::FILE;
use super::lives::POLLS;
use super::run::{VERTICES, options, wait_for};
use super::state::left_open;
use super::stops::check_named;
use super::versions::VersionFactory;
use super::versions_judge::judge;
use super::{Disk, Scenario, clocked};
use futures_util::FutureExt;
use futures_util::future::join;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::checkpoint::CheckpointConfig;
use weir_engine::job::{
    GraphChange, JobControl, JobGraph, JobOptions, JobOutcome, JobStatus, StopKind, Upgrade, UpgradeEvent, VertexKind, run_job,
};
use weir_engine::runtime::{Clock, SimulationEnd, Simulator};
use weir_engine::storage::{ObjectStorage, Store};

/// What a call of the new component takes.
const CALL: Duration = Duration::from_secs(60);

/// How it went.
#[derive(Debug)]
pub struct StopOnTrial {
    /// How the process ended.
    pub outcome: JobOutcome,
    /// How long after the stop the process had ended.
    pub took: Duration,
    /// What whoever asked for the upgrade was told in the end; `None` where they were told nothing.
    pub upgrade: Option<UpgradeEvent>,
}

/// Upgrades a job to this version, whose calls take a minute, and stops it by `kind` while it is on trial. Another process goes on behind it: what
/// both committed is compared with the input.
pub fn simulate_stop_on_trial(
    seed: u64,
    scenario: Scenario,
    version: u64,
    stop_timeout: Duration,
    kind: StopKind,
) -> Result<StopOnTrial, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let slow = Arc::new(VersionFactory::slow(simulator.clone(), scenario.counter, version, CALL));
    let mut new = FILE.graph(&simulator, &disk, scenario);
    new.vertices.iter_mut().filter(|vertex| vertex.id == "count").for_each(|vertex| vertex.kind = VertexKind::Operator(slow.clone()));
    let options = || {
        let options = options(&simulator, &disk, &objects, scenario);
        JobOptions { checkpoints: CheckpointConfig { stop_timeout, ..options.checkpoints }, ..options }
    };
    let (status, (control, inbox)) = (Arc::new(JobStatus::new(VERTICES)), JobControl::new());
    let job = run_job(FILE.graph(&simulator, &disk, scenario), options(), clocked::runtime(&simulator, scenario), status.clone(), inbox);
    let clock = simulator.clone();
    let ended = async move { (job.await.outcome, clock.now()) };
    let stopped = stop_on_trial(simulator.clone(), control, status, (new, version), kind);
    let ((outcome, ended), (upgrade, asked)) = wait_for(&simulator, join(ended, stopped))?;
    simulator.crash();
    if let JobOutcome::Failed(error) = &outcome {
        check_named(&simulator, &objects, error, true)?;
    }
    let (status, (_control, inbox)) = (Arc::new(JobStatus::new(VERTICES)), JobControl::new());
    let job = run_job(FILE.graph(&simulator, &disk, scenario), options(), clocked::runtime(&simulator, scenario), status, inbox);
    if simulator.run(job.map(drop).boxed(), POLLS) != SimulationEnd::Finished {
        return Err("the next process does not end".into());
    }
    let open = left_open(&simulator, &objects, scenario)?;
    judge(scenario, &BTreeSet::from([FILE.version]), &disk.committed(), open.as_deref())?;
    Ok(StopOnTrial { outcome, took: ended - asked, upgrade })
}

/// The last event of the upgrade, and when the job was told to stop.
async fn stop_on_trial(
    clock: Simulator,
    control: JobControl,
    status: Arc<JobStatus>,
    (graph, version): (JobGraph, u64),
    kind: StopKind,
) -> (Option<UpgradeEvent>, Duration) {
    while status.completed.get() < 2 {
        clock.sleep_until(clock.now() + Duration::from_millis(10)).await;
    }
    let change = GraphChange { graph, overrides: FILE.with_version(version).upgraded() };
    let upgrade = Upgrade { change, vertex: "count".into(), probation: Duration::from_secs(3_600), until_checkpoint: false };
    let mut events = control.upgrade(upgrade);
    let first = events.recv().await;
    if !matches!(first, Some(UpgradeEvent::Switched { .. })) {
        return (first, clock.now());
    }
    clock.sleep_until(clock.now() + Duration::from_millis(200)).await;
    let asked = clock.now();
    control.stop(kind);
    (events.recv().await, asked)
}
