//! Jobs that are stopped again and again, and targets and stores that do not answer: a stop ends in its time, says where a run goes on, and
//! neither loses nor doubles a record.

use super::graph::graph;
use super::judge::check;
use super::lives::POLLS;
use super::run::{VERTICES, options, wait_for};
use super::{Disk, Scenario, clocked};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_engine::checkpoint::{CheckpointConfig, JobLog, LogEntry};
use weir_engine::job::{
    CheckpointRequest, History, JobControl, JobOptions, JobOutcome, JobStatus, Origin, RestartStrategy, StartMode, StopKind, run_job,
};
use weir_engine::runtime::{Clock, SimulationEnd, Simulator};
use weir_engine::storage::{ObjectStorage, Store, StoreDecorator};
use weir_engine::{Committable, Committer, EngineError, ErrorKind};

/// Processes that are stopped; the one behind them runs to its end.
const STOPPED: u64 = 25;
/// The second that tasks have for a barrier, the least that writing and committing have, and what a stop may take beyond all of these.
const GRACE: Duration = Duration::from_secs(1);

/// How the stops of one job went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Stops behind a last checkpoint.
    pub stopped: u64,
    /// Stops that were given up, or failed.
    pub given_up: u64,
}

/// What a target or a store may be kept from answering by.
#[derive(Clone)]
struct Up {
    up: Arc<AtomicBool>,
    simulator: Simulator,
}

impl Up {
    fn new(simulator: &Simulator, up: bool) -> Self {
        Self { up: Arc::new(AtomicBool::new(up)), simulator: simulator.clone() }
    }

    async fn wait(&self) {
        while !self.up.load(Relaxed) {
            self.simulator.sleep_until(self.simulator.now() + Duration::from_millis(10)).await;
        }
    }
}

/// A disk that output is committed to while it is up.
struct Target(Up, Disk);

impl Committer for Target {
    fn commit<'a>(&'a self, committable: &'a Committable) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            self.0.wait().await;
            self.1.commit(committable).await
        }
        .boxed()
    }
}

/// Options of a job that commits to `target`, and gives a stop so much time.
fn with_target(options: JobOptions, target: Target, stop_timeout: Duration) -> JobOptions {
    let committer: Arc<dyn Committer> = Arc::new(target);
    JobOptions {
        committers: Arc::new(move |connector| (connector == "disk").then(|| committer.clone())),
        checkpoints: CheckpointConfig { stop_timeout, ..options.checkpoints },
        ..options
    }
}

/// Runs a job from one seed over stops of every kind until it has finished, and compares what it committed with the input.
pub fn simulate_stops(seed: u64, scenario: Scenario) -> Result<StopReport, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let mut report = StopReport::default();
    for process in 0.. {
        let up = Up::new(&simulator, process >= STOPPED || simulator.draw(4) > 0);
        let stop_timeout = Duration::from_millis(simulator.draw(400));
        let mut options = with_target(options(&simulator, &disk, &objects, scenario), Target(up, disk.clone()), stop_timeout);
        if scenario.failures.is_some() && simulator.draw(2) == 0 {
            options.restart.strategy = RestartStrategy::None;
        }
        let kinds = [StopKind::Suspend, StopKind::SuspendForSavepoint, StopKind::Cancel];
        let kind = (process < STOPPED).then(|| kinds[simulator.draw(5).saturating_sub(2) as usize]);
        let (outcome, took) = stopped_process(&simulator, &disk, scenario, options, kind)?;
        let most = if kind == Some(StopKind::Cancel) { GRACE } else { stop_timeout + GRACE + stop_timeout.max(GRACE) + GRACE };
        if took.is_some_and(|took| took > most) {
            return Err(format!("{kind:?} took {took:?} with a `stop-timeout` of {stop_timeout:?}: {outcome:?}"));
        }
        match outcome {
            JobOutcome::Finished | JobOutcome::AlreadyFinished => break,
            JobOutcome::Stopped => report.stopped += 1,
            JobOutcome::Cancelled => {}
            JobOutcome::Failed(error) if error.kind() == ErrorKind::Restart || error.kind() == ErrorKind::Retry => {
                report.given_up += u64::from(took.is_some());
                check_named(&simulator, &objects, &error, took.is_some())?;
            }
            other @ (JobOutcome::Failed(_) | JobOutcome::Fenced(_)) => return Err(format!("the job ended as {other:?}")),
        }
    }
    check(&simulator, &disk, &objects, scenario)?;
    Ok(report)
}

/// One process, with somebody who stops it at some time. How it ended, and how long after the stop, where that came before.
fn stopped_process(
    simulator: &Simulator,
    disk: &Disk,
    scenario: Scenario,
    options: JobOptions,
    kind: Option<StopKind>,
) -> Result<(JobOutcome, Option<Duration>), String> {
    let (status, (control, inbox)) = (Arc::new(JobStatus::new(VERTICES)), JobControl::new());
    let job = run_job(graph(simulator, disk, scenario), options, clocked::runtime(simulator, scenario), status, inbox);
    let (asked, slot) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
    let (clock, at, noted, ended) = (simulator.clone(), Duration::from_millis(simulator.draw(600)), asked.clone(), slot.clone());
    let stop = async move {
        if let Some(kind) = kind {
            clock.sleep_until(clock.now() + at).await;
            *noted.lock().expect("no panic") = Some(clock.now());
            control.stop(kind);
        }
        std::future::pending::<JobControl>().await
    };
    let clock = simulator.clone();
    let watched = async move {
        futures_util::pin_mut!(stop);
        if let futures_util::future::Either::Left((report, _)) = futures_util::future::select(job.boxed(), stop).await {
            *ended.lock().expect("no panic") = Some((report.outcome, clock.now()));
        }
    };
    let end = simulator.run(watched.boxed(), POLLS);
    simulator.crash();
    if end != SimulationEnd::Finished {
        return Err(format!("the process does not end: {end:?}"));
    }
    let (outcome, at) = slot.lock().expect("no panic").take().expect("it has ended");
    let asked = *asked.lock().expect("no panic");
    Ok((outcome, asked.map(|asked| at - asked)))
}

/// A stop that fails names the checkpoint that a run resumes from: the newest, or the one before where nobody knows yet whether that is complete.
pub(super) fn check_named(simulator: &Simulator, objects: &Arc<dyn Store>, error: &EngineError, stopping: bool) -> Result<(), String> {
    if !stopping {
        return Ok(());
    }
    let (text, log) = (error.to_string(), read_log(simulator, objects)?);
    let named = text.split("; a run resumes from ").nth(1).ok_or_else(|| format!("`{text}` does not say where a run resumes"))?;
    let named = named.strip_prefix("checkpoint ").map_or(0, |id| id.parse::<u64>().expect("an id"));
    let newest = match History::of(&log).origin(&StartMode::Resume).map_err(|error| error.to_string())? {
        Origin::Checkpoint(newest) => newest.checkpoint_id.0,
        Origin::Beginning | Origin::Savepoint(_) => 0,
    };
    let completed: Vec<u64> = History::of(&log).completed().map(|completed| completed.checkpoint_id.0).collect();
    let before = completed.iter().rev().nth(1).copied().unwrap_or(0);
    if named == newest || named == before { Ok(()) } else { Err(format!("`{text}`, and the newest checkpoint is {newest}")) }
}

fn read_log(simulator: &Simulator, objects: &Arc<dyn Store>) -> Result<Vec<LogEntry>, String> {
    let (objects, clock) = (objects.clone(), simulator.runtime().clock);
    let log = wait_for(simulator, async move { JobLog::open(objects, clock).await.map(|log| log.entries().to_vec()) })?;
    log.map_err(|error| error.to_string())
}

/// Asks a running job for a checkpoint while its target is down for `down`, and tells what came of it and how long that took. What can be undone is: the
/// job finishes, and what it committed is compared with the input.
pub fn simulate_checkpoint_request(
    seed: u64,
    scenario: Scenario,
    checkpoints: CheckpointConfig,
    request: CheckpointRequest,
    down: Duration,
) -> Result<(Result<u64, EngineError>, Duration), String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let up = Up::new(&simulator, true);
    let options = JobOptions { checkpoints, ..options(&simulator, &disk, &objects, scenario) };
    let options = with_target(options, Target(up.clone(), disk.clone()), checkpoints.stop_timeout);
    let (status, (control, inbox)) = (Arc::new(JobStatus::new(VERTICES)), JobControl::new());
    let job = run_job(graph(&simulator, &disk, scenario), options, clocked::runtime(&simulator, scenario), status, inbox);
    let clock = simulator.clone();
    let ask = async move {
        clock.sleep_until(clock.now() + Duration::from_millis(250)).await;
        up.up.store(down.is_zero(), Relaxed);
        let (began, again) = (clock.now(), up.clone());
        let restored = async {
            clock.sleep_until(began + down).await;
            again.up.store(true, Relaxed);
        };
        let answered = async {
            let answer = control.checkpoint(request).await.map(|held| held.checkpoint.checkpoint_id.0);
            (answer, clock.now() - began)
        };
        join(answered, restored).await.0
    };
    let (report, answer) = wait_for(&simulator, join(job, ask))?;
    match report.outcome {
        JobOutcome::Finished => {}
        other => return Err(format!("the job ended as {other:?}")),
    }
    check(&simulator, &disk, &objects, scenario)?;
    Ok(answer)
}

/// A store whose state objects take for ever to write while it is not up: each of those writes is done when it is up again.
struct SlowState {
    store: Arc<dyn Store>,
    up: Up,
    /// How long a write takes meanwhile.
    takes: Duration,
}

impl StoreDecorator for SlowState {
    fn inner(&self) -> &dyn Store {
        &*self.store
    }

    fn put<'a>(&'a self, path: &'a str, parts: Vec<bytes::Bytes>) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            if path.starts_with("state/") && !self.up.up.load(Relaxed) {
                self.up.simulator.sleep_until(self.up.simulator.now() + self.takes).await;
            }
            self.store.put(path, parts).await
        }
        .boxed()
    }
}

/// What a job did whose last checkpoint failed for a minute, because each upload took longer than a checkpoint may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedReport {
    /// When each failed checkpoint was triggered and when it failed, ms.
    pub failed_ms: Vec<(i64, i64)>,
    /// The most state objects that lay there at a time.
    pub objects_max: usize,
    /// The state objects that are left and belong to no complete checkpoint.
    pub left: Vec<String>,
}

/// Runs a job over an outage of a minute that begins when its input has ended.
pub fn simulate_failing_uploads(
    seed: u64,
    scenario: Scenario,
    checkpoints: CheckpointConfig,
    upload: Duration,
) -> Result<FailedReport, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let up = Up::new(&simulator, false);
    let slow: Arc<dyn Store> = Arc::new(SlowState { store: objects.clone(), up: up.clone(), takes: upload });
    let options = JobOptions { checkpoints, ..options(&simulator, &disk, &slow, scenario) };
    let (status, (_control, inbox)) = (Arc::new(JobStatus::new(VERTICES)), JobControl::new());
    let job = run_job(graph(&simulator, &disk, scenario), options, clocked::runtime(&simulator, scenario), status, inbox);
    let (clock, watched) = (simulator.clone(), objects.clone());
    let outage = async move {
        let mut most = 0;
        while clock.now() < Duration::from_secs(60) {
            clock.sleep_until(clock.now() + Duration::from_millis(50)).await;
            most = most.max(watched.list("state").await.expect("a list").len());
        }
        up.up.store(true, Relaxed);
        most
    };
    let (report, objects_max) = wait_for(&simulator, join(job, outage))?;
    if !matches!(report.outcome, JobOutcome::Finished) {
        return Err(format!("the job ended as {:?}", report.outcome));
    }
    check(&simulator, &disk, &objects, scenario)?;
    let log = read_log(&simulator, &objects)?;
    let completed: Vec<_> = History::of(&log).completed().map(|completed| (completed.attempt, completed.checkpoint_id)).collect();
    let left = wait_for(&simulator, async move { objects.list("state").await.expect("a list") })?;
    let is_left = |path: &String| weir_engine::checkpoint::paths::owner_of(path).is_none_or(|owner| !completed.contains(&owner));
    let failed = log.iter().filter_map(|entry| match entry {
        LogEntry::Failed { failed_ms, duration_ms, .. } => Some((failed_ms - *duration_ms as i64, *failed_ms)),
        LogEntry::Completed { .. }
        | LogEntry::Attempt { .. }
        | LogEntry::Override { .. }
        | LogEntry::Outcome { .. }
        | LogEntry::Finished { .. } => None,
    });
    Ok(FailedReport { failed_ms: failed.collect(), objects_max, left: left.into_iter().filter(is_left).collect() })
}
