//! A healthy job, rate-limited, beside whatever is tried in the same process and on the same two threads. While an attack goes on it comes further, in records and in
//! checkpoints: an attack ends only then. And it loses nothing.

use super::faults::{limits, settings};
use futures_util::future::{Either, select};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::job::{JobControl, JobOutcome, JobReport, JobStatus, RestartPolicy, RestartStrategy, StopKind, run_job};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::storage::{ObjectStorage, Store};
use weir_tests::sandbox::{Aside, GUEST, GuestJob, faulty, often};
use weir_tests::simulation::{Disk, NumberSource, ReadOrder, in_order};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin, QuarantineLimit};

/// How far the neighbour comes beside each attack.
const RECORDS: u64 = 10;
const CHECKPOINTS: u64 = 2;
/// The records that the neighbour reads in a second; a key is in one split.
const RATE: f64 = 300.0;
const KEYS: u64 = 10;
const SPLITS: u64 = 2;
/// More records than any of these jobs comes to.
pub const NO_END: u64 = 1 << 40;

/// What an attack sees of its neighbour.
pub struct Beside {
    /// On which both run.
    pub threads: ThreadRuntime,
    status: Arc<JobStatus>,
}

impl Beside {
    fn reached(&self) -> (u64, u64) {
        (self.status.metrics.vertices[GUEST].records_in(), self.status.completed.get())
    }

    fn has_come_further(&self, (records, checkpoints): (u64, u64)) -> bool {
        let now = self.reached();
        now.0 >= records + RECORDS && now.1 >= checkpoints + CHECKPOINTS
    }

    /// Does `attack` again and again until the neighbour has come further.
    pub async fn while_it_comes_further(&self, mut attack: impl AsyncFnMut()) {
        let (clock, before) = (self.threads.runtime().clock, self.reached());
        while !self.has_come_further(before) {
            attack().await;
            // What decides about the neighbour's checkpoints runs on this thread, and an attack that fails where it is loaded never waits.
            clock.sleep_until(clock.now() + Duration::from_millis(1)).await;
        }
    }

    /// Runs `job`, which has no end, until the neighbour has come further, counted from when the job is `in_full_swing`. What the job committed is on its disk.
    pub async fn beside(&self, job: &GuestJob, in_full_swing: impl Fn(&JobStatus) -> bool) -> (JobReport, Disk) {
        let (disk, status) = (Disk::default(), Arc::new(JobStatus::new(4)));
        let store: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
        let (control, inbox) = JobControl::new();
        let run = pin!(run_job(job.graph(&disk), job.options(store, &disk), self.threads.runtime(), status.clone(), inbox));
        let seen = pin!(async {
            self.until(|| in_full_swing(&status)).await;
            let before = self.reached();
            self.until(|| self.has_come_further(before)).await;
        });
        let report = match select(run, seen).await {
            Either::Left((report, _)) => report,
            Either::Right(((), run)) => {
                control.stop(StopKind::Suspend);
                run.await
            }
        };
        (report, disk)
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        let clock = self.threads.runtime().clock;
        while !is_so() {
            clock.sleep_until(clock.now() + Duration::from_millis(2)).await;
        }
    }
}

/// Runs `attack` beside the neighbour, and sees to it that nothing has become of that.
pub fn with_a_neighbour(attack: impl AsyncFnOnce(&Beside)) {
    let beside = Beside { threads: ThreadRuntime::new(2).expect("threads"), status: Arc::new(JobStatus::new(3)) };
    let (store, disk): (Arc<dyn Store>, _) = (Arc::new(ObjectStorage::in_memory()), Disk::default());
    let (control, inbox) = JobControl::new();
    let job = neighbour();
    let run_beside = pin!(run_job(job.graph(&disk), job.options(store, &disk), beside.threads.runtime(), beside.status.clone(), inbox));
    let report = beside.threads.block_on(async {
        match select(run_beside, pin!(attack(&beside))).await {
            Either::Left((report, _)) => panic!("the neighbour is not there any more: {:?}", report.outcome),
            Either::Right(((), run_beside)) => {
                control.stop(StopKind::Suspend);
                run_beside.await
            }
        }
    });
    assert!(matches!(report.outcome, JobOutcome::Stopped), "{:?}", report.outcome);
    assert_eq!((beside.status.failed.get(), beside.status.restarts.get()), (0, 0));

    check(disk.committed(), beside.status.metrics.vertices[GUEST].records_in());
    beside.threads.shutdown();
}

/// All that has been read is committed, each record once, and none between two others is missing.
fn check(mut committed: Vec<String>, read: u64) {
    assert_eq!(committed.len() as u64, read);
    let number = |line: &String| line[1..].split_once('#').and_then(|(number, _)| number.parse::<u64>().ok()).expect("a number");
    let mut of_split = [0; SPLITS as usize];
    committed.iter().for_each(|line| of_split[(number(line) % SPLITS) as usize] += 1);
    let read_of = |split| (0..of_split[split as usize]).map(move |place| split + SPLITS * place);
    let mut expected: Vec<String> = (0..SPLITS).flat_map(read_of).map(|number| format!("v{number}#{}", number / KEYS + 1)).collect();
    committed.sort();
    expected.sort();
    assert!(committed == expected, "{read} records of these splits: {of_split:?}");
}

fn neighbour() -> GuestJob {
    // Whatever the others do to it, it has the time.
    let limits = Limits { time_per_batch: Duration::from_secs(60), ..Limits::default() };
    let patient = OperatorSettings { limits, ..settings(OnFailure::Fail) };
    let mut job = job(faulty(EngineMode::Epoch), patient, (NO_END, RATE));
    (job.source.splits, job.parallelism, job.source.keys) = (SPLITS, 2, KEYS);
    job.checkpoints.interval = Duration::from_millis(10);
    job
}

/// The job of one subtask around `plugin`, with so many records at a rate.
pub fn job(plugin: Plugin, settings: OperatorSettings, (count, rate): (u64, f64)) -> GuestJob {
    let value = Arc::new(|number| format!("v{number}"));
    GuestJob {
        source: NumberSource { count, keys: 4, splits: 1, order: ReadOrder::OneByOne, value, time: in_order },
        rate,
        parallelism: 1,
        plugin,
        settings,
        aside: Aside::Nowhere,
        checkpoints: often(),
        restart: RestartPolicy { strategy: RestartStrategy::None, ..RestartPolicy::default() },
    }
}

/// How a hostile guest is run.
pub fn hostile_settings() -> OperatorSettings {
    // On threads, time is time; a guest that is to end by itself is given enough of it.
    OperatorSettings { limits: Limits { time_per_batch: Duration::from_millis(200), ..limits() }, ..settings(OnFailure::Fail) }
}

/// All that a guest fails on is set aside.
pub fn without_end() -> OnFailure {
    OnFailure::Quarantine { limit: QuarantineLimit { records: u64::MAX, share_percent: 100, share_from: u64::MAX } }
}
