//! Where checkpoints can lie: what every store promises, jobs of the real binary on S3, and stores that cannot be used.

use crate::WEIR;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use weir_engine::job::{JobOutcome, StartMode};
use weir_engine::runtime::ThreadRuntime;
use weir_engine::storage::{Created, ObjectStorage, Store, StoreDecorator, Variables, conformance};
use weir_engine::{EngineError, ErrorKind};
use weir_tests::process::{Bench, S3Server, WordCount};
use weir_tests::simulation::scenarios::CALM;
use weir_tests::simulation::{Disk, Scenario, simulate_process};

const SMALL: Scenario = Scenario { records: 400, keys: 5, ..CALM };

/// Runs the suite of stores on `url`.
fn check(url: &str, folder: &Path, variables: &Variables) {
    let threads = ThreadRuntime::new(1).expect("threads");
    threads.block_on(async {
        let store = ObjectStorage::open_with(url, folder, "suite", threads.control(), variables).await.expect("opens");
        conformance::check_store(&store).await;
    });
    threads.shutdown();
}

#[test]
fn a_folder_keeps_what_a_store_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    check("file:objects", folder.path(), &Variables::new());
}

#[test]
fn memory_keeps_what_a_store_promises() {
    check("memory:", Path::new("/"), &Variables::new());
}

#[test]
fn a_bucket_keeps_what_a_store_promises() {
    let Some(server) = S3Server::of_process() else { return };
    let variables = server.variables().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    check(&format!("s3://{}", server.bucket()), Path::new("/"), &variables);
    check(&format!("s3://{}/a/prefix", server.bucket()), Path::new("/"), &variables);
}

/// A job on `storage`, in a folder of its own.
fn job_on(storage: &str, lines: u64, parallelism: u32) -> Bench {
    let checkpoints = format!("storage = \"{storage}\"");
    Bench::new(WEIR, WordCount { lines, parallelism, checkpoints, ..WordCount::default() })
}

fn check_kill_and_resume(parallelism: u32) {
    let Some(server) = S3Server::of_process() else { return };
    let bench = job_on(&format!("s3://{}/jobs", server.bucket()), 2_000, parallelism);
    let variables = server.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for _ in 0..2 {
        let before = bench.parts().len();
        let mut process = bench.start_with("run job.toml -q", &variables);
        assert!(process.runs_until("a committed part", || bench.parts().len() > before), "{:?}", process.ended());
        assert!(process.kill(), "the kill is what ended the process");
    }
    let last = bench.run_with("run job.toml --output json", &variables);
    last.assert(0, &["resuming from checkpoint"]);
    assert_eq!(last.document()["outcome"], "finished", "{last:?}");
    bench.assert_exactly_once();
    bench.assert_nothing_pending();
    assert!(!bench.path(".weir").exists(), "all objects are in the bucket");

    let list = bench.run_with("checkpoint list job.toml --output json", &variables);
    let kept = list.assert(0, &[]).document()["checkpoints"].as_array().expect("a list").clone();
    assert_eq!(kept.iter().filter(|checkpoint| checkpoint["retained"] == true).count(), 3, "{list:?}");
}

#[test]
fn a_job_on_s3_that_is_killed_goes_on_from_its_checkpoint() {
    check_kill_and_resume(1);
}

#[test]
fn a_parallel_job_on_s3_that_is_killed_goes_on_from_its_checkpoint() {
    check_kill_and_resume(2);
}

#[test]
fn a_job_on_s3_that_is_taken_over_is_fenced() {
    let Some(server) = S3Server::of_process() else { return };
    let bench = job_on(&format!("s3://{}", server.bucket()), 20_000, 1);
    // Whoever takes over has to read the log to its end before it goes on, from a server that other tests keep busy.
    bench.edit_job("interval = \"50ms\"", "interval = \"2s\"");
    let variables = server.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut older = bench.start_with("run job.toml -q", &variables);
    assert!(older.runs_until("a committed part", || !bench.parts().is_empty()), "{:?}", older.ended());
    let younger = bench.start_with("run job.toml -q --takeover", &variables);
    older.ended().assert(1, &["job words: another process has taken it over"]);
    younger.ended().assert(0, &[]);
    bench.assert_exactly_once();
}

/// Runs a job on `storage`, which has to be refused with `parts`.
#[track_caller]
fn refuse(storage: &str, variables: &[(&str, &str)], parts: &[&str]) {
    let bench = job_on(storage, 100, 1);
    bench.run_with("run job.toml -q", variables).assert(1, parts);
    assert!(!bench.path("out").exists(), "nothing has been written");
}

#[test]
fn storage_on_s3_that_only_the_user_can_mend_is_refused_at_once() {
    let Some(server) = S3Server::of_process() else { return };
    let (bucket, variables) = (server.bucket(), server.variables());
    let all: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let without = |gone: &str| all.iter().copied().filter(|(name, _)| *name != gone).collect::<Vec<_>>();
    let nowhere: Vec<_> = without("AWS_ENDPOINT_URL").into_iter().chain([("AWS_ENDPOINT", "http://127.0.0.1:9")]).collect();
    let url = format!("s3://{bucket}/jobs");

    refuse("s3://no-such-bucket", &all, &["s3://no-such-bucket/words/log", "there is no such bucket; make it, or correct `storage`"]);
    refuse(&url, &without("AWS_SECRET_ACCESS_KEY"), &[&url, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"]);
    refuse(&url, &without("AWS_ALLOW_HTTP"), &["AWS_ENDPOINT_URL is an address without encryption", "set AWS_ALLOW_HTTP=true"]);
    refuse(&url, &nowhere, &[&format!("list {url}/words/log"), "127.0.0.1:9"]);
}

#[test]
fn a_server_of_s3_that_is_not_there_is_told_with_the_cause_and_where_to_look() {
    let nowhere = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ];
    let hint = "hint: nobody answers at that address: AWS_ENDPOINT_URL says where the server is";
    refuse("s3://bucket/jobs", &nowhere, &["list s3://bucket/jobs/words/log", "Connection refused", hint]);
}

/// A store with creates of its own.
struct OddStore {
    inner: ObjectStorage,
    create: for<'a> fn(&'a OddStore, &'a str, Bytes) -> BoxFuture<'a, Result<Created, EngineError>>,
    attempts: AtomicUsize,
}

impl OddStore {
    fn new(create: for<'a> fn(&'a OddStore, &'a str, Bytes) -> BoxFuture<'a, Result<Created, EngineError>>) -> Arc<Self> {
        Arc::new(Self { inner: ObjectStorage::in_memory(), create, attempts: AtomicUsize::new(0) })
    }
}

impl StoreDecorator for OddStore {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        (self.create)(self, path, bytes)
    }
}

/// Overwrites, as some servers do that speak S3.
fn overwrite<'a>(store: &'a OddStore, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
    async move { store.inner.put(path, vec![bytes]).await.map(|()| Created::New) }.boxed()
}

/// Tries of a call before it counts as failed.
const TRIES: usize = 6;

/// Is out of sight while a process begins its second attempt: the entry is written, and every try of it fails.
fn lose_sight<'a>(store: &'a OddStore, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
    async move {
        let begins = path.starts_with("log/") && String::from_utf8_lossy(&bytes).contains("\"kind\":\"attempt\"");
        let lost = begins && (1..=TRIES).contains(&store.attempts.fetch_add(1, Ordering::SeqCst));
        let done = store.inner.create(path, bytes).await;
        if lost { Err(EngineError::new(ErrorKind::Retry, "out of sight")) } else { done }
    }
    .boxed()
}

#[test]
fn a_store_that_overwrites_what_it_should_only_create_is_refused_before_anything_is_written() {
    let store = OddStore::new(overwrite);
    let outcome = simulate_process(1, SMALL, &Disk::default(), store.clone(), StartMode::Resume, None);
    let Some(JobOutcome::Failed(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.kind(), ErrorKind::FixInput);
    assert_eq!(error.to_string(), "use memory:/job: it does not honour create-if-absent (If-None-Match)");
    let left = Store::list(&*store, "").now_or_never().expect("memory does not wait").expect("it can be listed");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_process_is_not_fenced_by_an_attempt_of_its_own_that_it_did_not_hear_of() {
    let mut second_attempts = 0;
    for seed in 0..20 {
        let store = OddStore::new(lose_sight);
        let (scenario, disk) = (Scenario { failures: Some(100), ..SMALL }, Disk::default());
        let outcome = simulate_process(seed, scenario, &disk, store.clone(), StartMode::Resume, None);
        second_attempts += usize::from(store.attempts.load(Ordering::SeqCst) > TRIES);
        match outcome {
            Some(JobOutcome::Finished) => assert_eq!(disk.committed().len(), SMALL.records as usize, "seed {seed}"),
            // It may fail too often in a row.
            Some(JobOutcome::Failed(error)) if error.kind() == ErrorKind::Restart => {}
            outcome => panic!("seed {seed}: {outcome:?}"),
        }
    }
    assert!(second_attempts > 5, "{second_attempts}");
}
