//! Hostile guests beside a healthy job, in one process and on the same threads: each way to misbehave, wherever the host enters a guest. Each is contained
//! with the error that says what it was; the neighbour, which is rate-limited, loses nothing, and its checkpoints complete.
//!
//! How much the neighbour gets done meanwhile is a figure: `cargo bench -p weir-tests --bench neighbour`.

use super::faults::{limits, settings};
use std::sync::Arc;
use std::time::Duration;
use weir_engine::EngineError;
use weir_engine::job::{JobControl, JobOutcome, JobReport, JobStatus, RestartPolicy, RestartStrategy, StopKind, run_job};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::state::{WindowKind, WindowSettings};
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::time::WatermarkSettings;
use weir_tests::sandbox::{Aside, GUEST, GuestJob, PLACES, Place, WAYS, WatGuest, Way, engine, faulty, often};
use weir_tests::simulation::{Disk, NumberSource, ReadOrder, in_order};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings, Plugin};

fn hostile_settings() -> OperatorSettings {
    // On threads, time is time; a guest that is to end by itself is given enough of it below.
    OperatorSettings { limits: Limits { time_per_batch: Duration::from_millis(200), ..limits() }, ..settings(OnFailure::Fail) }
}

fn job(plugin: Plugin, settings: OperatorSettings, source: (u64, f64)) -> GuestJob {
    let (count, rate) = source;
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

/// Two sessions of its key are open before a record comes that makes one of them.
fn sessions_that_meet(number: u64) -> i64 {
    match number {
        0..100 => 20 * number as i64,
        _ => 20 * (number as i64 - 100) + 10,
    }
}

/// How a hostile plugin's job ends, on `threads`.
async fn outcome(plugin: Plugin, place: Place, threads: &ThreadRuntime) -> Result<(), EngineError> {
    let mut job = hostile_job(plugin);
    let window = match place {
        Place::OnWindows => Some(WindowKind::Tumbling { size: 10, offset: 0 }),
        Place::Merge => Some(WindowKind::Session { gap: 15 }),
        _ => None,
    };
    if place == Place::Merge {
        (job.source.keys, job.source.time) = (1, sessions_that_meet);
    }
    end_of(&job, window.map(WindowSettings::new), threads).await
}

fn hostile_job(plugin: Plugin) -> GuestJob {
    job(plugin, hostile_settings(), (200, 2_000.0))
}

/// How this job ends.
async fn end_of(job: &GuestJob, window: Option<WindowSettings>, threads: &ThreadRuntime) -> Result<(), EngineError> {
    let disk = Disk::default();
    let mut graph = job.graph(&disk);
    graph.vertices[GUEST].window = window;
    let delay = Duration::from_secs(3_600);
    graph.vertices[0].watermark = Some(WatermarkSettings { delay, ..WatermarkSettings::default() });
    let store: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
    let (_control, inbox) = JobControl::new();
    let report = run_job(graph, job.options(store, &disk), threads.runtime(), Arc::new(JobStatus::new(3)), inbox).await;
    match report.outcome {
        JobOutcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// What becomes of a guest that does `bad` at `place`, which has to be refused.
async fn refused(place: Place, bad: &str, threads: &ThreadRuntime) -> Option<EngineError> {
    let plugin = match place.guest(bad).load("hostile.wasm", engine(EngineMode::Epoch)) {
        Ok(plugin) => plugin,
        Err(error) => return Some(error),
    };
    match place {
        Place::Migrate => {
            let mut values = weir_engine::Column::new();
            values.push(b"x");
            plugin.migrate(0, 1, &values, &hostile_settings().limits).err()
        }
        _ => outcome(plugin, place, threads).await.err(),
    }
}

/// How the error begins, before it says what it was.
fn attempted(place: Place) -> &'static str {
    match place {
        Place::Start | Place::Describe => "load plugin hostile.wasm: it does not describe itself: ",
        Place::Realloc | Place::Open => "operator \"shaky\" subtask 0: open: ",
        Place::Process | Place::OnTimers | Place::OnWindows => "operator \"shaky\" subtask 0",
        Place::Merge => "merge state \"value\" of plugin \"hostile\"",
        Place::Migrate => "migrate state \"value\" of plugin \"hostile\" from version 1: ",
    }
}

/// Everything of the catalogue, one after the other.
async fn attack(threads: &ThreadRuntime) {
    for place in PLACES {
        for Way { name: way, code, error: expect } in WAYS {
            let error = refused(place, code, threads).await.unwrap_or_else(|| panic!("{way} at {place:?} is not refused"));
            let text = error.to_string();
            assert!(text.contains(attempted(place)) && text.contains(expect), "{way} at {place:?}: {text}");
        }
    }
    flood(threads).await;
    // In nine tenths of the fuel that stands for its time it is done: a nuisance, and no fault.
    let drip = "(func $drip (local $n i32) (loop $on (br_if $on (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000000)))))";
    let drip = WatGuest::default().with(drip).before("process", "(call $drip)").load("drip.wasm", engine(EngineMode::Fuel)).expect("loads");
    outcome(drip, Place::Process, threads).await.expect("it is within its limits");
}

/// Guests that keep or give too much, and one whose records open too many windows.
async fn flood(threads: &ThreadRuntime) {
    for (asked, expect) in [
        ("timers:3000", "state-bytes-per-key"),
        ("items:3000", "state-bytes-per-key"),
        ("entries:3000", "state-bytes-per-key"),
        ("records:2000", "output-records"),
        ("flood:300000", "output-bytes"),
    ] {
        let mut job = hostile_job(faulty(EngineMode::Epoch));
        job.source.value = Arc::new(|_| asked.into());
        job.settings.limits.state_bytes_per_key = 20_000;
        let text = end_of(&job, None, threads).await.expect_err(asked).to_string();
        assert!(text.contains(attempted(Place::Process)) && text.contains(&format!("(limits.{expect})")), "{asked}: {text}");
    }
    let windowed = WatGuest::windowed().load("hostile.wasm", engine(EngineMode::Epoch)).expect("loads");
    let few = WindowSettings { max_per_key: 3, ..WindowSettings::new(WindowKind::Tumbling { size: 10, offset: 0 }) };
    let text = end_of(&hostile_job(windowed), Some(few), threads).await.expect_err("too many windows").to_string();
    assert!(text.contains("open windows, and it would open another (`limits.windows-per-key`)"), "{text}");
}

fn neighbour(rate: f64) -> GuestJob {
    let mut patient = settings(OnFailure::Fail);
    patient.limits.time_per_batch = Duration::from_secs(60);
    let mut job = job(faulty(EngineMode::Epoch), patient, (90_000, rate));
    (job.source.splits, job.parallelism, job.source.keys) = (2, 2, 10);
    job
}

async fn run(
    job: &GuestJob,
    store: &Arc<dyn Store>,
    disk: &Disk,
    threads: &ThreadRuntime,
    status: &Arc<JobStatus>,
) -> (JobControl, JobReport) {
    let (control, inbox) = JobControl::new();
    let report = run_job(job.graph(disk), job.options(store.clone(), disk), threads.runtime(), status.clone(), inbox).await;
    (control, report)
}

#[test]
fn every_hostile_guest_is_contained_and_its_neighbour_loses_nothing() {
    let threads = ThreadRuntime::new(2).expect("threads");
    let (store, disk): (Arc<dyn Store>, _) = (Arc::new(ObjectStorage::in_memory()), Disk::default());
    let (calm, status) = (neighbour(300.0), Arc::new(JobStatus::new(3)));
    let (control, inbox) = JobControl::new();
    let beside = run_job(calm.graph(&disk), calm.options(store.clone(), &disk), threads.runtime(), status.clone(), inbox);
    let attack = async {
        let before = status.completed.get();
        attack(&threads).await;
        let completed = status.completed.get() - before;
        control.stop(StopKind::Suspend);
        completed
    };
    let (report, completed) = threads.block_on(async { futures_util::future::join(beside, attack).await });
    assert!(matches!(report.outcome, JobOutcome::Stopped), "{:?}", report.outcome);
    assert!(completed > 0, "no checkpoint has been completed beside them");
    assert_eq!((status.failed.get(), status.restarts.get()), (0, 0));

    let status = Arc::new(JobStatus::new(3));
    let (_control, report) = threads.block_on(run(&neighbour(100_000.0), &store, &disk, &threads, &status));
    assert!(matches!(report.outcome, JobOutcome::Finished), "{:?}", report.outcome);
    let mut committed = disk.committed();
    let mut expected: Vec<String> = (0..90_000).map(|number| format!("v{number}#{}", number / 10 + 1)).collect();
    committed.sort();
    expected.sort();
    assert!(committed == expected, "{} records, {} are right", committed.len(), expected.len());
    threads.shutdown();
}
