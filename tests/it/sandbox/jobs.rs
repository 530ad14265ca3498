//! Whole jobs around a faulty guest: what fails leaves nothing behind, what is set aside is committed once.

use super::faults::{FAULTS, Fault, MALFORMED, OPERATOR, settings};
use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_engine::ErrorKind;
use weir_engine::checkpoint::{JobLog, LogEntry};
use weir_engine::job::{JobControl, JobOutcome, JobReport, JobStatus, RestartPolicy, RestartStrategy, StopKind, run_job};
use weir_engine::runtime::{SimulationEnd, Simulator, ThreadRuntime};
use weir_engine::storage::{ObjectStorage, Store};
use weir_tests::sandbox::{Aside, GuestJob, faulty, often};
use weir_tests::simulation::{Disk, NumberSource, ReadOrder, in_order, quarantined};
use weir_wasm::{EngineMode, OnFailure, QuarantineLimit};

/// Keys of these jobs; each comes from one split, so that the order of its records is kept.
const KEYS: u64 = 10;

fn good(number: u64) -> String {
    format!("v{number}")
}

fn every_eleventh_is_poison(number: u64) -> String {
    match (number % 11, number / 11 % 3) {
        (7, 0) => format!("trap:{number}"),
        (7, 1) => format!("fail:{number}"),
        (7, _) => format!("panic:{number}"),
        _ => good(number),
    }
}

fn job(count: u64, value: impl Fn(u64) -> String + Send + Sync + 'static, on_failure: OnFailure, aside: Aside) -> GuestJob {
    GuestJob {
        source: NumberSource { count, keys: KEYS, splits: 2, order: ReadOrder::OneByOne, value: Arc::new(value), time: in_order },
        rate: 4_000.0,
        parallelism: 2,
        plugin: faulty(EngineMode::Fuel),
        settings: settings(on_failure),
        aside,
        checkpoints: often(),
        restart: RestartPolicy { strategy: RestartStrategy::None, ..RestartPolicy::default() },
    }
}

fn quarantine() -> OnFailure {
    OnFailure::Quarantine { limit: QuarantineLimit::default() }
}

/// What the guest emits for the records that it does not fail on, in their order.
fn expected(job: &GuestJob) -> Vec<String> {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    let values = (0..job.source.count).map(|number| (number, (job.source.value)(number)));
    let lines = values.filter(|(_, value)| value.starts_with('v')).map(|(number, value)| {
        let count = counts.entry(number % KEYS).or_default();
        *count += 1;
        format!("{value}#{count}")
    });
    lines.collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Exactly the poison records have reports, each one.
#[track_caller]
fn check_reports(job: &GuestJob, reports: &[serde_json::Value]) {
    let found: Vec<String> = reports.iter().map(|report| report["value"].as_str().expect("text").to_owned()).collect();
    let wanted = (0..job.source.count).map(&*job.source.value).filter(|value| !value.starts_with('v'));
    assert_eq!(sorted(found), sorted(wanted.collect()));
    for report in reports {
        let number = report["timestamp"].as_u64().expect("a time");
        assert_eq!(report["value"], (job.source.value)(number), "{report}");
        assert_eq!((&report["operator"], report["key"].as_str()), (&OPERATOR.into(), Some(&*(number % KEYS).to_string())), "{report}");
        assert!(report["error"].as_str().is_some_and(|error| error.starts_with("the plugin ")), "{report}");
        assert_eq!(report["backtrace"].is_string(), !report["value"].as_str().is_some_and(|value| value.starts_with("fail")), "{report}");
    }
}

/// Runs the job in a simulation to its end. What it committed is on the disk.
fn simulate(job: &GuestJob, store: &Arc<dyn Store>, disk: &Disk) -> (JobReport, Arc<JobStatus>) {
    let (simulator, status) = (Simulator::new(1), Arc::new(JobStatus::new(4)));
    let (_control, inbox) = JobControl::new();
    let run = run_job(job.graph(disk), job.options(store.clone(), disk), simulator.runtime(), status.clone(), inbox);
    let slot = Arc::new(Mutex::new(None));
    let report = slot.clone();
    let watched = async move { *slot.lock().expect("no panic") = Some(run.await) };
    assert_eq!(simulator.run(watched.boxed(), 2_000_000), SimulationEnd::Finished);
    let report = report.lock().expect("no panic").take().expect("the job has ended");
    (report, status)
}

fn in_memory() -> Arc<dyn Store> {
    Arc::new(ObjectStorage::in_memory())
}

#[test]
fn every_fault_fails_its_job_and_nothing_of_its_batch_is_committed() {
    for Fault { value: poison, error, .. } in FAULTS.into_iter().chain(MALFORMED) {
        let value = move |number| if number == 450 { poison.to_owned() } else { good(number) };
        let (job, disk) = (job(500, value, OnFailure::Fail, Aside::Nowhere), Disk::default());
        let (report, status) = simulate(&job, &in_memory(), &disk);
        let JobOutcome::Failed(failure) = report.outcome else { panic!("{poison}: {:?}", report.outcome) };
        let text = failure.to_string();
        assert!(text.starts_with("given up (the restart strategy is `none`): operator \"shaky\" subtask "), "{poison}: {text}");
        assert!(text.contains(error), "{poison}: {text}");
        assert!(failure.is_guest_fault() && status.completed.get() > 2, "{poison}: {} checkpoints", status.completed.get());
        let (committed, expected) = (sorted(disk.committed()), expected(&job));
        assert!(committed.windows(2).all(|pair| pair[0] != pair[1]), "{poison}: twice the same");
        assert!(!committed.is_empty() && committed.iter().all(|line| expected[..450].contains(line)), "{poison}: {committed:?}");
    }
}

#[test]
fn the_same_fault_from_the_same_checkpoint_twice_fails_a_job_that_restarts() {
    let value = |number| if number == 450 { "trap".to_owned() } else { good(number) };
    let job = GuestJob { restart: RestartPolicy::default(), ..job(500, value, OnFailure::Fail, Aside::Nowhere) };
    let (report, status) = simulate(&job, &in_memory(), &Disk::default());
    let JobOutcome::Failed(failure) = report.outcome else { panic!("{:?}", report.outcome) };
    assert!(failure.to_string().starts_with("given up (the same guest fault from the same checkpoint twice): "), "{failure}");
    assert!(status.restarts.get() > 0);
}

#[test]
fn too_much_poison_fails_a_job_without_a_restart() {
    let limit = QuarantineLimit { records: 5, ..QuarantineLimit::default() };
    let restart = RestartPolicy::default();
    let job = GuestJob { restart, ..job(500, every_eleventh_is_poison, OnFailure::Quarantine { limit }, Aside::Storage) };
    let (report, status) = simulate(&job, &in_memory(), &Disk::default());
    let JobOutcome::Failed(failure) = report.outcome else { panic!("{:?}", report.outcome) };
    assert!(failure.to_string().contains("records were quarantined; 5 are the most"), "{failure}");
    assert_eq!((failure.kind(), status.restarts.get()), (ErrorKind::FixInput, 0));
}

#[test]
fn a_sink_may_take_what_is_set_aside() {
    let (job, store, disk) = (job(600, every_eleventh_is_poison, quarantine(), Aside::Sink), in_memory(), Disk::default());
    let (report, status) = simulate(&job, &store, &disk);
    assert!(matches!(report.outcome, JobOutcome::Finished), "{:?}", report.outcome);
    assert_eq!(sorted(disk.committed_by("out")), sorted(expected(&job)));
    let reports = disk.committed_by("bad");
    check_reports(&job, &reports.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>());
    assert_eq!(status.metrics.vertices[weir_tests::sandbox::GUEST].quarantined.get(), reports.len() as u64);
    let left = quarantined(&*store).now_or_never().expect("memory answers at once");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn quarantine_files_are_committed_once_across_a_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let threads = ThreadRuntime::new(2).expect("threads");
    let opened = threads.block_on(ObjectStorage::open("file:store", folder.path(), "sandboxed", threads.control()));
    let store: Arc<dyn Store> = Arc::new(opened.expect("opens"));
    let mut job = job(4_000, every_eleventh_is_poison, quarantine(), Aside::Storage);
    job.plugin = faulty(EngineMode::Epoch);
    // On threads, time is time: what is no fault must not become one on a loaded machine.
    job.settings.limits.time_per_batch = Duration::from_secs(10);
    let (clock, disk) = (threads.runtime().clock, Disk::default());

    // Slow enough that it is stopped long before its end.
    job.rate = 500.0;
    let first = threads.block_on(run_until(&job, &store, &disk, &threads, 200));
    assert!(matches!(first.outcome, JobOutcome::Stopped), "{:?}", first.outcome);
    let (lines, files) = (disk.committed().len(), part_files(folder.path()));
    assert!(lines > 0 && lines < expected(&job).len(), "{lines} lines when it was stopped");
    assert!(!files.is_empty(), "parts are committed when the job has stopped");

    job.rate = 10_000.0;
    let second = threads.block_on(run_until(&job, &store, &disk, &threads, usize::MAX));
    assert!(matches!(second.outcome, JobOutcome::Finished), "{:?}", second.outcome);
    assert!(second.resumed_from.is_some());
    assert_eq!(sorted(disk.committed()), sorted(expected(&job)));
    let all_files = part_files(folder.path());
    assert!(all_files.len() > files.len() && files.iter().all(|(name, text)| all_files.get(name) == Some(text)), "parts never change");
    let lines = all_files.values().flat_map(|text| text.lines());
    check_reports(&job, &lines.map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>());

    let log = threads.block_on(JobLog::open(store, clock)).expect("the log can be read");
    assert!(matches!(log.entries().last(), Some(LogEntry::Finished { .. })));
    threads.shutdown();
}

/// Runs the job, and stops it once so many lines have been committed.
async fn run_until(job: &GuestJob, store: &Arc<dyn Store>, disk: &Disk, threads: &ThreadRuntime, lines: usize) -> JobReport {
    let (runtime, status) = (threads.runtime(), Arc::new(JobStatus::new(4)));
    let (control, inbox) = JobControl::new();
    let clock = runtime.clock.clone();
    let run = run_job(job.graph(disk), job.options(store.clone(), disk), runtime, status, inbox);
    let mut run = Box::pin(run.fuse());
    loop {
        let mut tick = clock.sleep_until(clock.now() + Duration::from_millis(5)).fuse();
        futures_util::select_biased! {
            report = run => return report,
            () = tick => {}
        }
        if disk.committed().len() >= lines {
            control.stop(StopKind::Suspend);
        }
    }
}

/// The files that an operator is to look at, by name.
fn part_files(storage: &std::path::Path) -> BTreeMap<String, String> {
    let Ok(files) = std::fs::read_dir(storage.join("store/sandboxed/quarantine").join(OPERATOR)) else { return BTreeMap::new() };
    let read = files.map(|file| {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.starts_with("part-") && name.ends_with(".jsonl"), "{name}");
        (name, std::fs::read_to_string(path).expect("text"))
    });
    read.collect()
}
