//! Whoever decides about checkpoints never stands behind a guest: not with twice as many spinning guests as threads for them.

use crate::WEIR;
use futures_util::FutureExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use weir_engine::checkpoint::{CheckpointConfig, JobLog, LogEntry};
use weir_engine::element::key_hash;
use weir_engine::job::{JobControl, JobOutcome, JobStatus, RestartPolicy, RestartStrategy, run_job};
use weir_engine::runtime::{Clock, ThreadRuntime};
use weir_engine::state::{key_group_of, owner_of};
use weir_engine::storage::{ObjectStorage, Store};
use weir_tests::process::{Bench, WordCount, plugin};
use weir_tests::sandbox::{Aside, GuestJob, MAX_PARALLELISM, faulty};
use weir_tests::simulation::{Disk, NumberSource, ReadOrder, in_order};
use weir_wasm::{EngineMode, Limits, OnFailure, OperatorSettings};

const DATA_THREADS: usize = 2;
const GUESTS: u32 = 2 * DATA_THREADS as u32;
const KEYS: u64 = 32;
/// How long a guest spins before it is interrupted.
const SPIN: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_millis(300);
/// What a loaded machine may add to the timeout: still far from the end of the guests' time.
const LATEST: Duration = Duration::from_secs(8);

fn job() -> GuestJob {
    let limits = Limits { time_per_batch: SPIN, ..Limits::default() };
    GuestJob {
        source: NumberSource {
            count: KEYS,
            keys: KEYS,
            splits: u64::from(GUESTS),
            order: ReadOrder::OneByOne,
            value: Arc::new(|_| "spin".to_owned()),
            time: in_order,
        },
        rate: 1e6,
        parallelism: GUESTS,
        plugin: faulty(EngineMode::Epoch),
        settings: OperatorSettings { operator: "spinning".into(), config: "{}".into(), limits, on_failure: OnFailure::Fail },
        aside: Aside::Nowhere,
        checkpoints: CheckpointConfig {
            interval: Duration::from_millis(100),
            timeout: TIMEOUT,
            tolerate_failures: 1_000,
            ..CheckpointConfig::default()
        },
        restart: RestartPolicy { strategy: RestartStrategy::None, ..RestartPolicy::default() },
    }
}

/// When the first record is seen to have left the source, for a guest that spins on it.
async fn first_record(status: &JobStatus, clock: Arc<dyn Clock>) -> Duration {
    while status.metrics.vertices[0].records_out() == 0 {
        clock.sleep_until(clock.now() + Duration::from_millis(10)).await;
    }
    clock.now()
}

/// The first failed checkpoint in the log, and when it was seen there.
async fn first_failure(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> (Duration, Duration) {
    loop {
        let log = JobLog::open(store.clone(), clock.clone()).await.expect("the log can be read");
        if let Some(duration_ms) = log.entries().iter().find_map(failed_ms) {
            return (Duration::from_millis(duration_ms), clock.now());
        }
        clock.sleep_until(clock.now() + Duration::from_millis(10)).await;
    }
}

#[test]
fn a_checkpoint_expires_on_time_while_all_data_threads_spin() {
    let owners: BTreeSet<u32> = (0..KEYS)
        .map(|key| owner_of(key_group_of(key_hash(key.to_string().as_bytes()), MAX_PARALLELISM), GUESTS, MAX_PARALLELISM))
        .collect();
    assert_eq!(owners.len(), GUESTS as usize, "every guest has something to spin on");
    let (job, disk, status) = (job(), Disk::default(), Arc::new(JobStatus::new(3)));
    let store: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
    let threads = ThreadRuntime::new(DATA_THREADS).expect("threads");
    let runtime = threads.runtime();
    let clock = runtime.clock.clone();
    let (_control, inbox) = JobControl::new();
    let run = run_job(job.graph(&disk), job.options(store.clone(), &disk), runtime, status.clone(), inbox);
    let began = clock.now();
    let (spinning, (duration, seen), (report, ended)) = threads.block_on(futures_util::future::join3(
        first_record(&status, clock.clone()),
        first_failure(store.clone(), clock.clone()),
        run.map(|report| (report, clock.now())),
    ));

    assert!(duration >= TIMEOUT && duration < LATEST, "the first checkpoint failed after {duration:?}");
    let late = seen.saturating_sub(spinning);
    assert!(late < LATEST, "its failure was in the log {late:?} after the first record");
    assert!(ended - began >= SPIN, "the guests were still spinning then; the job ended after {:?}", ended - began);
    assert!(status.failed.get() > 1 && status.completed.get() == 0, "{} failed", status.failed.get());
    let JobOutcome::Failed(error) = report.outcome else { panic!("{:?}", report.outcome) };
    assert!(error.to_string().contains(&format!("did not return within {SPIN:?}")), "{error}");

    let log = threads.block_on(JobLog::open(store, clock)).expect("the log can be read");
    let durations: Vec<u64> = log.entries().iter().filter_map(failed_ms).collect();
    assert!(durations.iter().all(|&ms| ms < LATEST.as_millis() as u64), "{durations:?}");
    threads.shutdown();
}

#[test]
fn the_api_answers_while_all_data_threads_spin() {
    let bench = Bench::new(WEIR, WordCount::default());
    std::fs::write(bench.path("words.csv"), format!("word,n\n{}", (0..200).map(|n| format!("spin,{n}\n")).collect::<String>()))
        .expect("an input");
    bench.write_job(&format!(
        "name = \"spinning\"
parallelism = 4
[source.words]
connector = \"file\"
path = \"words.csv\"
format = \"csv\"
key = \"n\"
[operator.shaky]
plugin = {:?}
input = {{ from = \"words\", by = \"key\" }}
config = {{ record = \"spin\" }}
limits = {{ time-per-batch = \"{SPIN:?}\" }}
[restart]
strategy = \"none\"
[sink.nothing]
connector = \"blackhole\"
input = \"shaky\"
",
        plugin("faulty")
    ));
    let mut process = bench.start("run job.toml --output json");
    let url = format!("http://{}/v1/job", bench.api(&mut process));
    let threads = ThreadRuntime::new(1).expect("threads");
    let (clock, mut times) = (threads.runtime().clock, Vec::new());
    for _ in 0..20 {
        let began = clock.now();
        let body = ureq::get(&url).call().expect("an answer").body_mut().read_to_string().expect("a document");
        times.push(clock.now() - began);
        assert!(body.contains("\"state\":\"running\""), "{body}");
    }
    threads.shutdown();
    times.sort();
    // Loaded machines take longer than the 100 ms that it is to be; a spinning guest takes seven times as long as this.
    assert!(times[times.len() / 2] < SPIN / 7, "{times:?}");
    let ended = process.ended();
    ended.assert(1, &[&format!("did not return within {SPIN:?}")]);
    assert!(ended.document()["wall_s"].as_f64().is_some_and(|wall| wall >= SPIN.as_secs_f64()), "the guests were still spinning then");
}

fn failed_ms(entry: &LogEntry) -> Option<u64> {
    match entry {
        LogEntry::Failed { duration_ms, .. } => Some(*duration_ms),
        LogEntry::Attempt { .. }
        | LogEntry::Completed { .. }
        | LogEntry::Override { .. }
        | LogEntry::Outcome { .. }
        | LogEntry::Finished { .. } => None,
    }
}
