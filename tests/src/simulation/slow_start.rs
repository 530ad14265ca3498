//! A process whose storage takes long to list: it takes a running job over all the same, a stop that comes before that leaves the job alone, and one that has
//! succeeded does not wait for what it clears away.

use super::graph::graph;
use super::judge::check;
use super::run::{VERTICES, options, wait_for};
use super::{Disk, Scenario, clocked};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_engine::EngineError;
use weir_engine::checkpoint::{CheckpointConfig, paths};
use weir_engine::job::{JobControl, JobOptions, JobOutcome, JobStatus, StopKind, run_job};
use weir_engine::runtime::{Clock, Simulator};
use weir_engine::storage::{ObjectStorage, Store, StoreDecorator};

/// A store whose lists of checkpoints take so long while it is slow.
struct SlowLists {
    store: Arc<dyn Store>,
    clock: Simulator,
    slow: Arc<AtomicBool>,
    takes: Duration,
}

impl StoreDecorator for SlowLists {
    fn inner(&self) -> &dyn Store {
        &*self.store
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, EngineError>> {
        async move {
            if folder == paths::CHECKPOINTS && self.slow.load(Relaxed) {
                self.clock.sleep_until(self.clock.now() + self.takes).await;
            }
            self.store.list(folder).await
        }
        .boxed()
    }
}

/// How a process went that began beside a running one.
#[derive(Debug)]
pub struct SlowStart {
    /// How the process ended that ran the job.
    pub first: JobOutcome,
    /// How the process ended that began to run the job meanwhile.
    pub second: JobOutcome,
    /// How often the second process said what it resumes from.
    pub resumptions: u64,
    /// How long after its start, or after it was told to stop, the second process had ended.
    pub took: Duration,
    /// Entries that its attempts have in the log.
    pub attempts: usize,
}

/// Runs a job, and begins to run it in a second process whose lists take so long; that one is stopped by `stop` in the middle of its first.
pub fn simulate_slow_start(seed: u64, scenario: Scenario, takes: Duration, stop: Option<StopKind>) -> Result<SlowStart, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let slow = SlowLists { store: objects.clone(), clock: simulator.clone(), slow: Arc::new(AtomicBool::new(true)), takes };
    let (status, said) = (Arc::new(JobStatus::new(VERTICES)), Arc::new(AtomicU64::new(0)));
    let (_first_control, inbox) = JobControl::new();
    let first_options = options(&simulator, &disk, &objects, scenario);
    let first = run_job(graph(&simulator, &disk, scenario), first_options, clocked::runtime(&simulator, scenario), status.clone(), inbox);
    let (control, inbox) = JobControl::new();
    let resumptions = said.clone();
    let notice = Arc::new(move |line: &str| _ = resumptions.fetch_add(u64::from(line.starts_with("resuming from")), Relaxed));
    let slow: Arc<dyn Store> = Arc::new(slow);
    let second_options = JobOptions { notice, ..options(&simulator, &disk, &slow, scenario) };
    let second_status = Arc::new(JobStatus::new(VERTICES));
    let second =
        run_job(graph(&simulator, &disk, scenario), second_options, clocked::runtime(&simulator, scenario), second_status.clone(), inbox);
    let clock = simulator.clone();
    let second = async move {
        while status.completed.get() < 2 {
            clock.sleep_until(clock.now() + Duration::from_millis(10)).await;
        }
        let began = clock.now();
        let stopped = async {
            if let Some(kind) = stop {
                clock.sleep_until(began + takes / 2).await;
                control.stop(kind);
            }
        };
        let (report, ()) = join(second, stopped).await;
        (report, clock.now() - began)
    };
    let (first, (second, took)) = wait_for(&simulator, join(first, second))?;
    check(&simulator, &disk, &objects, scenario)?;
    let attempts = usize::from(second.attempt.is_some());
    Ok(SlowStart { first: first.outcome, second: second.outcome, resumptions: said.load(Relaxed), took, attempts })
}

/// Stops a job whose only checkpoint is its last, and whose storage takes a minute for each list from then on. How it ended, and how long after the stop.
pub fn simulate_slow_clearing(seed: u64, scenario: Scenario) -> Result<(JobOutcome, Duration), String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let (is_slow, takes) = (Arc::new(AtomicBool::new(false)), Duration::from_secs(60));
    let slow: Arc<dyn Store> = Arc::new(SlowLists { store: objects, clock: simulator.clone(), slow: is_slow.clone(), takes });
    let options = options(&simulator, &disk, &slow, scenario);
    let checkpoints = CheckpointConfig { interval: Duration::from_secs(3_600), ..options.checkpoints };
    let (control, inbox) = JobControl::new();
    let status = Arc::new(JobStatus::new(VERTICES));
    let job = run_job(
        graph(&simulator, &disk, scenario),
        JobOptions { checkpoints, ..options },
        clocked::runtime(&simulator, scenario),
        status,
        inbox,
    );
    let clock = simulator.clone();
    let stop = async move {
        clock.sleep_until(clock.now() + Duration::from_millis(100)).await;
        is_slow.store(true, Relaxed);
        control.stop(StopKind::Suspend);
        (clock.now(), control)
    };
    let clock = simulator.clone();
    let ended = async move { (job.await.outcome, clock.now()) };
    let ((outcome, ended), (stopped, _control)) = wait_for(&simulator, join(ended, stop))?;
    Ok((outcome, ended - stopped))
}
