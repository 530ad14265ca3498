//! One simulated process on a given store, for what a whole simulation does not show: a store that is refused, objects that are damaged.

use super::graph::graph;
use super::lives::POLLS;
use super::run::{VERTICES, options};
use super::{Disk, Scenario, clocked};
use futures_util::FutureExt;
use futures_util::future::{Either, join, select};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_engine::job::{JobControl, JobOptions, JobOutcome, JobStatus, RestartPolicy, RestartStrategy, StartMode, StopKind, run_job};
use weir_engine::runtime::{SimulationEnd, Simulator};
use weir_engine::storage::{ObjectStorage, Store};

/// Runs one process of `scenario` on `store` and `disk`, and tells how it ended. `None` where it was killed: right after it had completed
/// `killed_after` checkpoints.
pub fn simulate_process(
    seed: u64,
    scenario: Scenario,
    disk: &Disk,
    store: Arc<dyn Store>,
    start: StartMode,
    killed_after: Option<u64>,
) -> Option<JobOutcome> {
    let simulator = Simulator::new(seed);
    let status = Arc::new(JobStatus::new(VERTICES));
    let (_control, inbox) = JobControl::new();
    let options = JobOptions { start, ..options(&simulator, disk, &store, scenario) };
    let job = run_job(graph(&simulator, disk, scenario), options, clocked::runtime(&simulator, scenario), status.clone(), inbox);
    let clock = simulator.runtime().clock;
    let killed = async move {
        let Some(checkpoints) = killed_after else { return std::future::pending().await };
        while status.completed.get() < checkpoints {
            clock.sleep_until(clock.now() + Duration::from_millis(1)).await;
        }
    };
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let watched = async move {
        if let Either::Left((report, _)) = select(pin!(job), pin!(killed)).await {
            *slot.lock().expect("no panic") = Some(report.outcome);
        }
    };
    assert_eq!(simulator.run(watched.boxed(), POLLS), SimulationEnd::Finished, "seed {seed}: the process ends");
    simulator.crash();
    result.lock().expect("no panic").take()
}

/// Runs one process whose restarts wait for an hour each, and stops it while the first of them waits. How it ended, and how long after the stop.
pub fn simulate_stop_in_restart_delay(seed: u64, scenario: Scenario, kind: StopKind) -> (JobOutcome, Duration) {
    let simulator = Simulator::new(seed);
    let (disk, store): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let status = Arc::new(JobStatus::new(VERTICES));
    let (control, inbox) = JobControl::new();
    let restart = RestartPolicy { strategy: RestartStrategy::Fixed, delay: Duration::from_secs(3_600), ..RestartPolicy::default() };
    let options = JobOptions { restart, ..options(&simulator, &disk, &store, scenario) };
    let job = run_job(graph(&simulator, &disk, scenario), options, clocked::runtime(&simulator, scenario), status.clone(), inbox);
    let clock = simulator.runtime().clock;
    let stop = async move {
        while status.restarts.get() == 0 {
            clock.sleep_until(clock.now() + Duration::from_millis(1)).await;
        }
        control.stop(kind);
        (clock.now(), control)
    };
    let (result, clock) = (Arc::new(Mutex::new(None)), simulator.runtime().clock);
    let slot = result.clone();
    let watched = async move {
        let (report, (stopped, _control)) = join(job, stop).await;
        *slot.lock().expect("no panic") = Some((report.outcome, clock.now() - stopped));
    };
    assert_eq!(simulator.run(watched.boxed(), POLLS), SimulationEnd::Finished, "seed {seed}: the process ends");
    result.lock().expect("no panic").take().expect("it has ended")
}
