//! A process that is stopped, while its storage is deleted and the job begins anew there, and that wakes up then: it changes nothing of what it finds.

use super::graph::graph;
use super::judge::check;
use super::lives::POLLS;
use super::objects::check_kept;
use super::run::{VERTICES, options};
use super::{Disk, Scenario, clocked};
use futures_util::FutureExt;
use std::sync::{Arc, Mutex};
use weir_engine::checkpoint::paths;
use weir_engine::job::{JobControl, JobOutcome, JobReport, JobStatus, run_job};
use weir_engine::runtime::{Lane, SimulatedProcess, SimulationEnd, Simulator};
use weir_engine::storage::{ObjectStorage, Store};

/// Polls of the new job before the stopped process goes on, at most.
const ASLEEP: u64 = 4_000;

/// How the two processes ended.
#[derive(Debug)]
pub struct Replaced {
    /// How the process that slept ended.
    pub sleeper: JobOutcome,
    /// How far the process that slept had come by its end.
    pub held: Held,
    /// How the process ended that began anew.
    pub other: JobOutcome,
}

/// How far a process had come when it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It may not have known of any entry of its own.
    Starting,
    /// It had gone on behind its first entry.
    UnderWay,
    /// It had ended, or its log says that it has: nothing is left for it to write.
    AtItsEnd,
}

/// Runs `scenario` in a process that is stopped at a poll drawn below `stopped_within_polls`, deletes everything, runs it anew in another, and lets
/// the first go on while that runs or when it has finished. What is committed in the end has to be what the input asks for, once.
pub fn simulate_replaced_storage(seed: u64, scenario: Scenario, stopped_within_polls: u64) -> Result<Replaced, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let start = |process: &SimulatedProcess| {
        let (control, inbox) = JobControl::new();
        let options = options(&simulator, &disk, &objects, scenario);
        let (status, machine) = (Arc::new(JobStatus::new(VERTICES)), clocked::machine(process.runtime(), &simulator, scenario));
        let job = run_job(graph(&simulator, &disk, scenario), options, machine, status, inbox);
        let ended = Arc::new(Mutex::new(None));
        let slot = ended.clone();
        let watched = async move {
            *slot.lock().expect("no panic") = Some(job.await);
            drop(control);
        };
        process.runtime().spawn.spawn(Lane::Control, "job", watched.boxed());
        ended
    };
    let (first, second) = (simulator.process(1), simulator.process(2));
    let sleeper = start(&first);
    _ = simulator.run_until(|| ended(&sleeper), simulator.draw(stopped_within_polls));
    first.stop();
    let held = match now(objects.list(paths::LOG)).iter().filter_map(|path| paths::log_seq(path)).max() {
        _ if ended(&sleeper) => Held::AtItsEnd,
        None | Some(..2) => Held::Starting,
        Some(last) if is_the_end(&now(objects.get(&paths::log_entry(last))).unwrap_or_default()) => Held::AtItsEnd,
        Some(_) => Held::UnderWay,
    };
    clear(&*objects);
    disk.clear();
    let other = start(&second);
    // A process that wakes up in an empty folder would find nothing that tells whose it is.
    let has_begun = || ended(&other) || now(objects.get(&paths::log_entry(1))).is_some();
    _ = simulator.run_until(has_begun, POLLS);
    _ = simulator.run_until(|| ended(&other), simulator.draw(ASLEEP));
    first.go_on();
    if simulator.run_until(|| ended(&sleeper) && ended(&other), POLLS) != SimulationEnd::Finished {
        return Err("the two do not end".into());
    }
    let ends = [sleeper, other];
    let [sleeper, other] = ends.map(|ended| ended.lock().expect("no panic").take());
    let (Some(sleeper), Some(other)) = (sleeper, other) else { return Err("the two do not end".into()) };
    check_kept(&simulator, &objects, scenario.retain)?;
    check(&simulator, &disk, &objects, scenario)?;
    Ok(Replaced { sleeper: sleeper.outcome, held, other: other.outcome })
}

type Ended = Arc<Mutex<Option<JobReport>>>;

fn ended(end: &Ended) -> bool {
    end.lock().expect("no panic").is_some()
}

/// True where this entry of a log says that the job has finished.
fn is_the_end(entry: &[u8]) -> bool {
    String::from_utf8_lossy(entry).contains("\"kind\":\"finished\"")
}

fn clear(objects: &dyn Store) {
    for path in now(objects.list("")) {
        now(objects.delete(&path));
    }
}

fn now<T>(call: impl Future<Output = Result<T, weir_engine::EngineError>>) -> T {
    call.now_or_never().expect("objects in memory are there at once").expect("memory does not fail")
}
