//! A log that loses its newest entries between two processes: the next one says so, or nothing comes of it.

use super::graph::graph;
use super::judge::check;
use super::lives::PROCESSES;
use super::run::{VERTICES, options, process};
use super::{Disk, Scenario};
use futures_util::FutureExt;
use std::sync::Arc;
use weir_engine::ErrorKind;
use weir_engine::checkpoint::paths;
use weir_engine::job::{JobOutcome, JobStatus};
use weir_engine::runtime::Simulator;
use weir_engine::storage::{ObjectStorage, Store};

/// Entries that are lost at once, at most.
const LOST: u64 = 10;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostLog {
    /// Losses that a process refused to go on from.
    pub refused: u64,
    /// Refusals that named a checkpoint to go on from.
    pub offered: u64,
    /// Losses that a process went on from.
    pub harmless: u64,
}

/// Kills the processes of a job; now and then the log loses entries before the next, and gets them back where that refuses. What is committed in the
/// end has to be what the input asks for, once.
pub fn simulate_lost_entries(seed: u64, scenario: Scenario) -> Result<LostLog, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let (mut report, mut lost) = (LostLog::default(), Vec::new());
    for number in 1..=PROCESSES {
        let status = Arc::new(JobStatus::new(VERTICES));
        let job = graph(&simulator, &disk, scenario);
        let ended = process(&simulator, job, options(&simulator, &disk, &objects, scenario), scenario, &status, number)?;
        match ended.map(|job| job.outcome) {
            Some(JobOutcome::Finished | JobOutcome::AlreadyFinished) => {
                report.harmless += u64::from(!lost.is_empty());
                check(&simulator, &disk, &objects, scenario)?;
                return Ok(report);
            }
            Some(JobOutcome::Failed(error)) if error.kind() == ErrorKind::Corrupt && !lost.is_empty() => {
                let text = error.to_string();
                if !text.contains("its newest entries are lost") && !text.contains("the log is gone") {
                    return Err(format!("the loss is not named: {text}"));
                }
                if let Some(named) = error.hint().and_then(|hint| hint.split("`--from ").nth(1)) {
                    let id: u64 = named.split('`').next().and_then(|id| id.parse().ok()).ok_or("a hint names a checkpoint by its id")?;
                    if !now(objects.list(paths::CHECKPOINTS)).iter().any(|path| paths::owner_of(path).is_some_and(|(_, kept)| kept.0 == id))
                    {
                        return Err(format!("`--from {id}` is advised, and that checkpoint is gone"));
                    }
                    report.offered += 1;
                }
                report.refused += 1;
                lost.drain(..).for_each(|(path, bytes): (String, _)| now(objects.put(&path, vec![bytes])));
            }
            Some(JobOutcome::Failed(error)) if matches!(error.kind(), ErrorKind::Retry | ErrorKind::Restart) => {}
            Some(JobOutcome::Failed(error) | JobOutcome::Fenced(error)) => return Err(format!("the job failed: {error}")),
            Some(JobOutcome::Stopped | JobOutcome::Cancelled) => return Err("nobody stopped the job, but it stopped".into()),
            None => {}
        }
        let entries = now(objects.list(paths::LOG)).len() as u64;
        if let Some((path, _)) = lost.first()
            && now(objects.get(path)).is_some()
        {
            // Its place is taken.
            report.harmless += 1;
            lost.clear();
        }
        if lost.is_empty() && simulator.draw(2) == 0 {
            for seq in entries.saturating_sub(simulator.draw(LOST)).max(1)..=entries {
                let path = paths::log_entry(seq);
                let bytes = now(objects.get(&path)).ok_or("a listed entry is there")?;
                now(objects.delete(&path));
                lost.push((path, bytes));
            }
        }
    }
    Err(format!("not finished after {PROCESSES} processes"))
}

fn now<T>(call: impl Future<Output = Result<T, weir_engine::EngineError>>) -> T {
    call.now_or_never().expect("objects in memory are there at once").expect("memory does not fail")
}
