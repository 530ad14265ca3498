//! Traps that wait, in whole jobs: in each export that is called again and again, at the second or third call of an instance, behind a restore from a checkpoint of the job,
//! and at the keys of one key group.

use super::faults::settings;
use super::neighbour::{job, without_end};
use futures_util::future::{Either, FutureExt, select};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_engine::element::key_hash;
use weir_engine::job::{JobControl, JobOutcome, JobReport, JobStatus, StopKind, run_job};
use weir_engine::runtime::{SimulationEnd, Simulator};
use weir_engine::state::{WindowKind, WindowSettings, key_group_of};
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::time::WatermarkSettings;
use weir_tests::sandbox::{Aside, GUEST, GuestJob, MAX_PARALLELISM, When, engine, waiting};
use weir_tests::simulation::{Disk, ReadOrder};
use weir_wasm::{EngineMode, OnFailure, OperatorSettings};

/// Exports that an instance is called with again and again. `migrate` has a new instance each time, and the others are called once.
const EXPORTS: [&str; 4] = ["process", "on-timers", "on-windows", "merge"];
const KEYS: u64 = 10;
const COUNT: u64 = 800;
/// Of a key, so many records open sessions before others come that join them.
const SESSIONS: i64 = 40;
const WINDOW: i64 = 20;

/// One job: its guest traps in `export`.
struct Tried {
    export: &'static str,
    when: When,
    on_failure: OnFailure,
    store: Arc<dyn Store>,
    disk: Disk,
}

impl Tried {
    fn new(export: &'static str, when: When, on_failure: OnFailure) -> Self {
        Self { export, when, on_failure, store: Arc::new(ObjectStorage::in_memory()), disk: Disk::default() }
    }

    fn job(&self) -> GuestJob {
        let plugin = waiting(self.export, self.when).load("waiting.wasm", engine(EngineMode::Fuel)).expect("loads");
        let settings = OperatorSettings { on_failure: self.on_failure, ..settings(OnFailure::Fail) };
        let mut job = job(plugin, settings, (COUNT, 2_000.0));
        (job.source.keys, job.source.splits, job.source.order) = (KEYS, 2, ReadOrder::ByNumber);
        (job.parallelism, job.aside) = (2, Aside::Sink);
        if self.export == "merge" {
            job.source.time = sessions_that_meet;
        }
        job
    }

    /// Runs it in a simulation, to its end or until it has read so much.
    fn run(&self, until: u64) -> (JobReport, Arc<JobStatus>) {
        let job = self.job();
        let mut graph = job.graph(&self.disk);
        let kind = match self.export {
            "on-windows" => Some(WindowKind::Tumbling { size: WINDOW, offset: 0 }),
            "merge" => Some(WindowKind::Session { gap: 15 }),
            _ => None,
        };
        graph.vertices[GUEST].window = kind.map(WindowSettings::new);
        // Sessions are all open when others come between them.
        let delay = if self.export == "merge" { Duration::from_secs(3_600) } else { Duration::ZERO };
        graph.vertices[0].watermark = Some(WatermarkSettings { delay, ..WatermarkSettings::default() });
        let (simulator, status) = (Simulator::new(1), Arc::new(JobStatus::new(4)));
        let (control, inbox) = JobControl::new();
        let (clock, seen) = (simulator.runtime().clock, status.clone());
        let options = job.options(self.store.clone(), &self.disk);
        let run = run_job(graph, options, simulator.runtime(), status.clone(), inbox).boxed();
        let slot = Arc::new(Mutex::new(None));
        let report = slot.clone();
        let watched = async move {
            let read = pin!(async {
                while seen.metrics.vertices[GUEST].records_in() < until {
                    clock.sleep_until(clock.now() + Duration::from_millis(1)).await;
                }
            });
            let ended = match select(run, read).await {
                Either::Left((report, _)) => report,
                Either::Right(((), run)) => {
                    control.stop(StopKind::Suspend);
                    run.await
                }
            };
            *slot.lock().expect("no panic") = Some(ended);
        };
        assert_eq!(simulator.run(watched.boxed(), 2_000_000), SimulationEnd::Finished);
        let report = report.lock().expect("no panic").take().expect("the job has ended");
        (report, status)
    }

    /// It fails in its export for its trap.
    #[track_caller]
    fn fails(&self) {
        let (report, _) = self.run(u64::MAX);
        let JobOutcome::Failed(error) = report.outcome else { panic!("{} {:?}: {:?}", self.export, self.when, report.outcome) };
        let text = error.to_string();
        let place = if self.export == "merge" { "merge state \"value\" of plugin \"hostile\"" } else { "operator \"shaky\" subtask " };
        let trapped = text.contains(place) && text.contains("the plugin trapped: wasm trap: wasm `unreachable`");
        assert!(trapped && text.contains("wasm backtrace") && error.is_guest_fault(), "{} {:?}: {text}", self.export, self.when);
    }

    /// It comes to its end.
    #[track_caller]
    fn finishes(&self) -> &Self {
        let (report, _) = self.run(u64::MAX);
        assert!(matches!(report.outcome, JobOutcome::Finished), "{} {:?}: {:?}", self.export, self.when, report.outcome);
        self
    }

    /// It is stopped when half has been read, with nothing amiss so far, and its next run goes on from there.
    #[track_caller]
    fn stops_halfway(&self) -> &Self {
        let (report, status) = self.run(COUNT / 2);
        assert!(matches!(report.outcome, JobOutcome::Stopped), "{} {:?}: {:?}", self.export, self.when, report.outcome);
        assert!(status.metrics.vertices[GUEST].records_in() < COUNT && self.aside().is_empty(), "{:?}", self.aside());
        self
    }

    fn records(&self) -> Vec<String> {
        sorted(self.disk.committed_by("out").into_iter().filter(|line| line.starts_with('v')))
    }

    /// The keys that timers and windows said.
    fn keys(&self) -> Vec<String> {
        sorted(self.disk.committed_by("out").into_iter().filter(|line| !line.starts_with('v')))
    }

    /// The keys of what was set aside.
    fn aside(&self) -> Vec<String> {
        let key = |line: &String| -> String {
            let report: serde_json::Value = serde_json::from_str(line).expect("JSON");
            report["key"].as_str().expect("a key").to_owned()
        };
        sorted(self.disk.committed_by("bad").iter().map(key))
    }
}

/// Of each key.
fn sessions_that_meet(number: u64) -> i64 {
    let of_key = (number / KEYS) as i64;
    if of_key < SESSIONS { 20 * of_key } else { 20 * (of_key - SESSIONS) + 10 }
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

fn all_records(of: impl Fn(u64) -> bool) -> Vec<String> {
    sorted((0..COUNT).filter(|number| of(number % KEYS)).map(|number| format!("v{number}")))
}

/// A line for each window of each key.
fn all_windows(of: impl Fn(u64) -> bool) -> Vec<String> {
    let windows: BTreeSet<(u64, u64)> = (0..COUNT).map(|number| (number % KEYS, number / WINDOW as u64)).collect();
    sorted(windows.into_iter().filter(|(key, _)| of(*key)).map(|(key, _)| key.to_string()))
}

/// The keys of each key group.
fn by_group() -> BTreeMap<u32, Vec<u64>> {
    let mut groups = BTreeMap::<u32, Vec<u64>>::new();
    for key in 0..KEYS {
        groups.entry(key_group_of(key_hash(key.to_string().as_bytes()), MAX_PARALLELISM)).or_default().push(key);
    }
    groups
}

#[test]
fn a_guest_that_waits_for_nothing_does_its_work() {
    for export in EXPORTS {
        let tried = Tried::new(export, When::Never, OnFailure::Fail);
        tried.stops_halfway().finishes();
        let timers_or_windows: BTreeSet<String> = tried.keys().into_iter().collect();
        assert_eq!(timers_or_windows, (0..KEYS).map(|key| key.to_string()).collect(), "{export}");
        match export {
            "process" | "on-timers" => assert_eq!(tried.records(), all_records(|_| true), "{export}"),
            "on-windows" => assert_eq!(tried.keys(), all_windows(|_| true)),
            // All sessions of a key have become one.
            _ => assert_eq!(tried.keys().len() as u64, KEYS),
        }
    }
}

/// At the second one a batch that is narrowed down comes to single records on instances that have worked before.
#[test]
fn a_later_call_of_an_instance_fails_its_job_or_is_nobodys_fault() {
    for (export, call) in EXPORTS.into_iter().flat_map(|export| [(export, 2), (export, 3)]) {
        Tried::new(export, When::Call(call), OnFailure::Fail).fails();
        let tried = Tried::new(export, When::Call(call), without_end());
        match export {
            // All sessions of a key have become one.
            "merge" => assert_eq!((tried.finishes().keys().len() as u64, tried.aside()), (KEYS, Vec::new()), "{call}"),
            "on-windows" => assert_eq!((tried.finishes().keys(), tried.aside()), (all_windows(|_| true), Vec::new())),
            _ => assert_eq!((tried.finishes().records(), tried.aside()), (all_records(|_| true), Vec::new()), "{export} {call}"),
        }
    }
}

#[test]
fn what_traps_behind_a_restore_only_fails_there_or_is_set_aside_from_there_on() {
    for export in EXPORTS {
        Tried::new(export, When::Restored, OnFailure::Fail).stops_halfway().fails();
        let tried = Tried::new(export, When::Restored, without_end());
        let before = (tried.stops_halfway().records().len(), tried.keys().len());
        tried.finishes();
        let aside = tried.aside().len();
        assert!(aside > 0, "{export}: none set aside, {before:?} before");
        match export {
            // All keys have state by then.
            "process" => assert_eq!((tried.records().len(), aside), (before.0, COUNT as usize - before.0)),
            "on-timers" => assert_eq!((tried.records(), tried.keys().len()), (all_records(|_| true), before.1)),
            "on-windows" => {
                assert!(before.1 > 0);
                assert_eq!(sorted(tried.keys().into_iter().chain(tried.aside())), all_windows(|_| true));
            }
            // What could not become one stays two.
            _ => assert!(tried.keys().len() as u64 > KEYS),
        }
    }
}

#[test]
fn what_traps_in_one_key_group_only_takes_nothing_from_the_others() {
    let groups = by_group();
    let poison = groups.values().max_by_key(|keys| keys.len()).expect("keys");
    assert!(poison.len() > 1 && poison.len() < KEYS as usize, "{groups:?}");
    let digits = poison.iter().map(|key| 1 << key).sum();
    let (bad, good) = (|key: u64| poison.contains(&key), |key: u64| !poison.contains(&key));
    for export in EXPORTS {
        Tried::new(export, When::Keys(digits), OnFailure::Fail).fails();
        let tried = Tried::new(export, When::Keys(digits), without_end());
        tried.finishes();
        let (records, keys, aside) = (tried.records(), tried.keys(), tried.aside());
        let of_bad = |lines: &[String]| lines.iter().all(|key| bad(key.parse().expect("a digit")));
        assert!(of_bad(&aside) && !aside.is_empty(), "{export}: {aside:?}");
        match export {
            "process" => {
                assert_eq!(records, all_records(good));
                assert_eq!(aside.len(), all_records(bad).len());
            }
            "on-timers" => {
                assert_eq!(records, all_records(|_| true));
                let spoke: BTreeSet<u64> = keys.iter().map(|key| key.parse().expect("a digit")).collect();
                assert_eq!(spoke, (0..KEYS).filter(|key| good(*key)).collect());
            }
            "on-windows" => assert_eq!((keys, aside), (all_windows(good), all_windows(bad))),
            // Of each other key all sessions have become one.
            _ => {
                let of_good = keys.iter().filter(|key| good(key.parse().expect("a digit"))).count();
                assert_eq!(of_good, KEYS as usize - poison.len());
            }
        }
    }
}
