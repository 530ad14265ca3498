//! The log under racing writers, lost answers, and storage that is replaced.

use super::format::seal_entry_of_format_1;
use super::*;
use crate::element::{AttemptId, CheckpointId};
use crate::runtime::{Monotonic, SimulationEnd, Simulator};
use crate::storage::{FaultPlan, FaultyStore, ObjectStorage, StoreDecorator};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::time::Duration;

fn entry(attempt: u64, nonce: &str) -> LogEntry {
    LogEntry::Finished { attempt: AttemptId(attempt), nonce: nonce.into(), finished_ms: 0 }
}

#[test]
fn of_two_racing_writers_one_is_taken_and_a_lost_acknowledgement_is_read_back() {
    for seed in 0..200 {
        let simulator = Simulator::new(seed);
        let inner: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
        let plan = FaultPlan { refused: 100, lost_acknowledgement: 200, slow: 300, ..FaultPlan::NONE };
        let store: Arc<dyn Store> = Arc::new(FaultyStore::new(inner, simulator.clone(), plan));
        let clock: Arc<dyn Clock> = simulator.runtime().clock;
        let writer = |nonce: &'static str| {
            let (store, clock) = (store.clone(), clock.clone());
            async move {
                let mut log = JobLog::open(store, clock).await?;
                log.append(entry(1, nonce)).await
            }
        };
        let (a, b) = (writer("a"), writer("b"));
        let watched = async move {
            let (a, b) = futures_util::future::join(a, b).await;
            let done = [&a, &b].iter().filter(|end| matches!(end, Ok(Append::Done))).count();
            // A reader that came late appends a second entry; an error gives up and may have written.
            assert!(a.is_err() || b.is_err() || done >= 1, "seed {seed}: {a:?} {b:?}");
            let log = JobLog::open(store, clock).await;
            if let Ok(log) = log {
                assert!(log.entries().len() >= done, "seed {seed}");
            }
        };
        assert_eq!(simulator.run(watched.boxed(), 100_000), SimulationEnd::Finished, "seed {seed}");
    }
}

#[test]
fn a_gap_in_the_log_is_named() {
    let simulator = Simulator::new(1);
    let clock: Arc<dyn Clock> = simulator.runtime().clock;
    let watched = async move {
        let store: Arc<dyn Store> = Arc::new(ObjectStorage::in_memory());
        store.put(&paths::log_entry(2), vec![seal_entry(2, "a", None, &entry(1, "a"))]).await.unwrap();
        let error = JobLog::open(store, clock).await.err().unwrap();
        assert!(error.to_string().contains("log/1.json is missing"), "{error}");
    };
    assert_eq!(simulator.run(watched.boxed(), 10_000), SimulationEnd::Finished);
}

/// Runs a future of a test to its end.
#[track_caller]
fn run<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (simulator, slot) = (Simulator::new(1), Arc::new(std::sync::Mutex::new(None)));
    let result = slot.clone();
    let watched = async move { *slot.lock().unwrap() = Some(future.await) };
    assert_eq!(simulator.run(watched.boxed(), 100_000), SimulationEnd::Finished);
    result.lock().unwrap().take().unwrap()
}

/// Nothing has to be waited for where one thing is done after the other.
struct NoWaiting;

impl Clock for NoWaiting {
    fn now(&self) -> Monotonic {
        Monotonic::ZERO
    }
    fn wall_ms(&self) -> i64 {
        0
    }
    fn sleep_until(&self, _deadline: Monotonic) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(NoWaiting)
}

fn in_memory() -> Arc<dyn Store> {
    Arc::new(ObjectStorage::in_memory())
}

async fn opened(store: &Arc<dyn Store>) -> Result<JobLog, EngineError> {
    JobLog::open(store.clone(), clock()).await
}

/// The log `name` with so many entries.
async fn written(store: &Arc<dyn Store>, name: &str, entries: u64) -> JobLog {
    let mut log = opened(store).await.expect("an empty log");
    log.begin(|| name.to_owned());
    for number in 1..=entries {
        assert_eq!(log.append(entry(number, name)).await.expect("a log of its own"), Append::Done);
    }
    log
}

async fn wiped(store: &dyn Store) {
    for path in store.list("").await.unwrap() {
        store.delete(&path).await.unwrap();
    }
}

async fn objects(store: &dyn Store) -> Vec<(String, Bytes)> {
    let mut objects = Vec::new();
    for path in store.list("").await.unwrap() {
        let bytes = store.get(&path).await.unwrap().unwrap();
        objects.push((path, bytes));
    }
    objects.sort();
    objects
}

async fn put(store: &dyn Store, seq: u64, bytes: Bytes) {
    store.put(&paths::log_entry(seq), vec![bytes]).await.unwrap();
}

async fn get(store: &dyn Store, seq: u64) -> Bytes {
    store.get(&paths::log_entry(seq)).await.unwrap().unwrap()
}

#[test]
fn a_log_that_began_in_format_1_goes_on_in_2_under_the_nonce_of_its_first_attempt() {
    run(async {
        let store = in_memory();
        put(&*store, 1, seal_entry_of_format_1(1, &entry(1, "first"))).await;
        put(&*store, 2, seal_entry_of_format_1(2, &entry(2, "second"))).await;
        let mut log = opened(&store).await.unwrap();
        log.begin(|| unreachable!("it has begun"));
        assert_eq!(log.append(entry(3, "third")).await.unwrap(), Append::Done);
        assert_eq!(log.nonce(), Some("first"));
        assert_eq!(opened(&store).await.unwrap().entries(), log.entries());
        let third = open_entry("log/3.json", 3, &get(&*store, 3).await).unwrap();
        let before = EntryDigest::of(&get(&*store, 2).await).to_string();
        assert_eq!(third.link, Some(Link { log: "first".into(), before: Some(before) }));
    });
}

/// What a log of four entries says where its second or last is replaced.
#[track_caller]
fn check_broken(seq: u64, replaced_by: impl FnOnce(Option<EntryDigest>) -> Bytes + Send + 'static, says: &'static str) {
    run(async move {
        let store = in_memory();
        written(&store, "a", 4).await;
        let before = EntryDigest::of(&get(&*store, seq - 1).await);
        put(&*store, seq, replaced_by(Some(before))).await;
        let error = opened(&store).await.err().expect("a broken chain");
        assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains(says) && error.hint().is_some(), "{error}");
    });
}

#[test]
fn an_edited_or_exchanged_entry_breaks_the_chain_and_is_named() {
    let edited = |before| seal_entry(2, "a", before, &entry(7, "a"));
    check_broken(2, edited, "log/3.json: it does not follow log/2.json; one of the two was changed or exchanged");
    check_broken(4, |_| seal_entry(4, "a", None, &entry(4, "a")), "log/4.json: it does not follow log/3.json");
    check_broken(4, |before| seal_entry(4, "b", before, &entry(4, "b")), "log/4.json: it is an entry of another log");
    check_broken(4, |_| seal_entry_of_format_1(4, &entry(4, "a")), "log/4.json: it is of format 1, behind log/3.json of format 2");
}

#[test]
fn a_process_whose_storage_was_replaced_while_it_slept_is_fenced_and_changes_nothing() {
    for (own, others) in [(1, 1), (3, 1), (3, 3), (3, 7), (7, 3)] {
        run(async move {
            let store = in_memory();
            let mut sleeper = written(&store, "a", own).await;
            wiped(&*store).await;
            let mut other = written(&store, "b", others).await;
            let before = objects(&*store).await;
            for error in [sleeper.append(entry(9, "a")).await.err(), sleeper.read_on().await.err()] {
                let error = error.expect("it is another's log");
                assert!(error.kind() == ErrorKind::Fenced, "{own} {others}: {error}");
                assert!(error.to_string().contains("is an entry of another log: the storage was replaced"), "{error}");
            }
            assert_eq!(objects(&*store).await, before);
            assert_eq!(other.append(entry(9, "b")).await.unwrap(), Append::Done);
        });
    }
}

#[test]
fn a_process_that_has_a_successor_knows_it_before_it_deletes_anything() {
    run(async {
        let store = in_memory();
        let sleeper = written(&store, "a", 3).await;
        sleeper.check_still_last("delete behind").await.expect("nobody follows");
        let mut successor = opened(&store).await.expect("it is whole");
        successor.append(entry(2, "b")).await.expect("it is written");
        let error = sleeper.check_still_last("delete behind").await.expect_err("somebody follows");
        assert_eq!(error.kind(), ErrorKind::Fenced);
        assert!(error.to_string().contains("log/4.json is another process's entry"), "{error}");
        successor.check_still_last("delete behind").await.expect("it is the newest");
    });
}

#[test]
fn numbers_behind_which_there_is_none_are_refused_by_name() {
    run(async {
        for number in [u64::MAX, 1 << 53] {
            let store = in_memory();
            put(&*store, 1, seal_entry(1, "a", None, &entry(number, "a"))).await;
            let error = opened(&store).await.err().expect("no job comes this far");
            assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains(&format!("has the number {number}")), "{error}");
        }
        let store = in_memory();
        put(&*store, 1, seal_entry(1, "a", None, &entry((1 << 53) - 1, "a"))).await;
        assert!(opened(&store).await.is_ok());
    });
}

#[test]
fn a_log_that_is_anothers_by_now_has_not_merely_grown() {
    run(async {
        let store = in_memory();
        let mut log = written(&store, "a", 2).await;
        assert!(!log.has_grown().await.unwrap());
        let mut other = opened(&store).await.unwrap();
        assert_eq!(other.append(entry(3, "a")).await.unwrap(), Append::Done);
        assert!(log.has_grown().await.unwrap());
        wiped(&*store).await;
        written(&store, "b", 3).await;
        let error = log.has_grown().await.expect_err("it is another's");
        assert!(error.kind() == ErrorKind::Fenced, "{error}");
    });
}

#[test]
fn an_emptied_folder_is_not_filled_with_a_log_that_no_one_can_read() {
    run(async {
        let store = in_memory();
        let mut log = written(&store, "a", 3).await;
        wiped(&*store).await;
        let error = log.append(entry(4, "a")).await.expect_err("it is gone");
        assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("log/3.json is missing"), "{error}");
        assert!(objects(&*store).await.is_empty());
    });
}

#[test]
fn a_last_entry_that_was_edited_under_a_running_job_is_no_other_log() {
    run(async {
        let store = in_memory();
        let mut log = written(&store, "a", 2).await;
        let before = EntryDigest::of(&get(&*store, 1).await);
        put(&*store, 2, seal_entry(2, "a", Some(before), &entry(8, "a"))).await;
        let error = log.append(entry(3, "a")).await.expect_err("it was edited");
        assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("log/2.json: it was changed"), "{error}");
    });
}

/// A store whose objects are another's from the first create on: the moment between a look and a write, made long.
struct ReplacedAtCreate {
    own: Arc<dyn Store>,
    other: Arc<dyn Store>,
    replaced: std::sync::atomic::AtomicBool,
}

impl ReplacedAtCreate {
    fn now(&self) -> &Arc<dyn Store> {
        if self.replaced.load(std::sync::atomic::Ordering::Relaxed) { &self.other } else { &self.own }
    }
}

impl StoreDecorator for ReplacedAtCreate {
    fn inner(&self) -> &dyn Store {
        &**self.now()
    }

    fn create<'a>(&'a self, path: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<Created, EngineError>> {
        self.replaced.store(true, std::sync::atomic::Ordering::Relaxed);
        self.now().create(path, bytes)
    }
}

#[test]
fn an_entry_that_fell_behind_another_log_is_taken_back() {
    run(async {
        let (own, other) = (in_memory(), in_memory());
        written(&own, "a", 3).await;
        written(&other, "b", 3).await;
        let before = objects(&*other).await;
        let replaced = std::sync::atomic::AtomicBool::new(false);
        let store: Arc<dyn Store> = Arc::new(ReplacedAtCreate { own, other: other.clone(), replaced });
        let mut sleeper = opened(&store).await.unwrap();
        assert_eq!(sleeper.append(entry(4, "a")).await.map_err(|error| error.kind()), Err(ErrorKind::Fenced));
        assert_eq!(objects(&*other).await, before);
    });
}

#[test]
fn a_writer_waits_for_a_stray_entry_to_be_taken_back_and_names_one_that_stays() {
    for stays in [false, true] {
        let simulator = Simulator::new(3);
        let clock = simulator.runtime().clock;
        let watched = async move {
            let store = in_memory();
            let mut log = written(&store, "b", 3).await;
            put(&*store, 4, seal_entry(4, "a", None, &entry(4, "a"))).await;
            log.clock = clock.clone();
            let taken_back = async {
                clock.sleep_until(clock.now() + Duration::from_millis(30)).await;
                if !stays {
                    store.delete(&paths::log_entry(4)).await.unwrap();
                }
            };
            let (appended, ()) = futures_util::future::join(log.append(entry(4, "b")), taken_back).await;
            match stays {
                false => assert_eq!(appended.unwrap(), Append::Done),
                true => {
                    let error = appended.unwrap_err();
                    assert!(error.to_string().contains("log/4.json: it is an entry of another log"), "{error}");
                }
            }
        };
        assert_eq!(simulator.run(watched.boxed(), 10_000), SimulationEnd::Finished);
    }
}

#[test]
fn a_log_that_is_gone_beside_checkpoints_or_state_is_refused() {
    let (attempt, id) = (AttemptId(1), CheckpointId(5));
    let of_checkpoint = [
        paths::metadata(attempt, id, Some("ab")),
        paths::metadata(attempt, id, None),
        paths::state_object(attempt, id, "op", 0, "ab"),
        paths::in_flight_object(attempt, id, "op", 0, "ab"),
    ];
    let harmless = [paths::probe("ab"), paths::plugin("ab"), paths::savepoint_note(id, 1), "quarantine/op/part-0-5-ab.jsonl".to_owned()];
    let open_beside = |path: String| {
        run(async move {
            let store = in_memory();
            store.put(&path, vec![Bytes::from_static(b"x")]).await.unwrap();
            opened(&store).await.err()
        })
    };
    for path in of_checkpoint {
        let error = open_beside(path.clone()).expect("the log is gone");
        assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains(&format!("{path} is there: the log is gone")), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("put the folder `log` back") && hint.contains("move the whole folder away")));
    }
    for path in harmless {
        assert_eq!(open_beside(path).map(|error| error.to_string()), None);
    }
}

#[test]
fn whoever_begins_the_log_while_another_looks_at_it_is_no_reason_to_refuse() {
    for seed in 0..300 {
        let simulator = Simulator::new(seed);
        let clock = simulator.runtime().clock;
        let store: Arc<dyn Store> = Arc::new(FaultyStore::new(in_memory(), simulator.clone(), FaultPlan { slow: 500, ..FaultPlan::NONE }));
        let watched = async move {
            let first = async {
                let mut log = JobLog::open(store.clone(), clock.clone()).await.unwrap();
                log.append(entry(1, "a")).await.unwrap();
                store.put(&paths::state_object(AttemptId(1), CheckpointId(1), "op", 0, "a"), vec![Bytes::new()]).await.unwrap();
            };
            let second = async { JobLog::open(store.clone(), clock.clone()).await.map(drop).map_err(|error| error.to_string()) };
            let ((), second) = futures_util::future::join(first, second).await;
            assert_eq!(second, Ok(()), "seed {seed}");
        };
        assert_eq!(simulator.run(watched.boxed(), 10_000), SimulationEnd::Finished);
    }
}
