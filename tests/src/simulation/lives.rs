//! The processes of a simulated job, one after the other: some are killed, and the last ones live until the job is over.

use super::Scenario;
use futures_util::FutureExt;
use std::sync::{Arc, Mutex};
use weir_engine::ErrorKind;
use weir_engine::job::JobOutcome;
use weir_engine::runtime::{SimulationEnd, Simulator};

/// Processes that one simulation starts at most. The first half of them may be killed: the job has to end some time.
pub(super) const PROCESSES: u64 = 60;
/// Polls of one process at most: far more than a run needs.
pub(super) const POLLS: u64 = 2_000_000;

impl Scenario {
    /// Within how many polls process `number` of so many is killed; `None`: it lives.
    pub(super) fn killed_within(&self, number: u64, processes: u64) -> Option<u64> {
        (self.crash_within_polls > 0 && number < processes / 2).then_some(self.crash_within_polls)
    }
}

/// Runs a process to its end, or to its death within so many polls. `None` where it was killed.
pub(super) fn live<T: Send + 'static>(
    simulator: &Simulator,
    killed_within: Option<u64>,
    process: impl Future<Output = T> + Send + 'static,
) -> Result<Option<T>, String> {
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let watched = async move { *slot.lock().expect("no panic") = Some(process.await) };
    let polls = killed_within.map_or(POLLS, |within| simulator.draw(within));
    match simulator.run(watched.boxed(), polls) {
        SimulationEnd::Finished => {}
        SimulationEnd::OutOfPolls if killed_within.is_some() => {}
        SimulationEnd::OutOfPolls => return Err("the job does not end".into()),
        SimulationEnd::Deadlock => return Err("deadlock".into()),
    }
    simulator.crash();
    let ended = result.lock().expect("no panic").take();
    Ok(ended)
}

/// True where the job has finished, false where another process is to go on with it. An error where it is over otherwise.
pub(super) fn is_over(outcome: Option<JobOutcome>) -> Result<bool, String> {
    match outcome {
        Some(JobOutcome::Finished | JobOutcome::AlreadyFinished) => Ok(true),
        Some(JobOutcome::Failed(error)) if matches!(error.kind(), ErrorKind::Retry | ErrorKind::Restart) => Ok(false),
        Some(JobOutcome::Failed(error) | JobOutcome::Fenced(error)) => Err(format!("the job failed: {error}")),
        Some(JobOutcome::Stopped | JobOutcome::Cancelled) => Err("nobody stopped the job, but it stopped".into()),
        None => Ok(false),
    }
}
