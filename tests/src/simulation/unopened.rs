//! State backends that cannot be opened for a while, or at all: a disk that is full, a folder that is not there.

use super::graph::graph;
use super::judge::check;
use super::run::{VERTICES, options, wait_for};
use super::{Disk, Scenario, clocked};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use weir_engine::job::{JobControl, JobOptions, JobOutcome, JobStatus, run_job};
use weir_engine::runtime::Simulator;
use weir_engine::state::{BackendPlace, MemoryBackendFactory, StateBackend, StateBackendFactory};
use weir_engine::storage::{ObjectStorage, Store};
use weir_engine::{EngineError, ErrorKind};

/// Makes backends in memory, once it has failed to so many times.
struct Unopened {
    inner: MemoryBackendFactory,
    kind: ErrorKind,
    times: AtomicU64,
}

impl StateBackendFactory for Unopened {
    fn open(&self, place: &BackendPlace<'_>) -> Result<Box<dyn StateBackend>, EngineError> {
        match self.times.fetch_update(Relaxed, Relaxed, |times| times.checked_sub(1)) {
            Ok(_) => Err(EngineError::new(self.kind, "the disk is full")),
            Err(_) => self.inner.open(place),
        }
    }
}

/// How a job went whose state could not be opened.
#[derive(Debug)]
pub struct UnopenedReport {
    /// How it ended.
    pub outcome: JobOutcome,
    /// How often it was started again.
    pub restarts: u64,
    /// Records that its sources have read.
    pub read: u64,
}

/// Runs a job whose state cannot be opened `times` times, with errors of this kind. What a job that finishes has committed is compared with the input.
pub fn simulate_unopened_state(seed: u64, scenario: Scenario, kind: ErrorKind, times: u64) -> Result<UnopenedReport, String> {
    let simulator = Simulator::new(seed);
    let (disk, objects): (Disk, Arc<dyn Store>) = (Disk::default(), Arc::new(ObjectStorage::in_memory()));
    let status = Arc::new(JobStatus::new(VERTICES));
    let (_control, inbox) = JobControl::new();
    let backends = Arc::new(Unopened { inner: MemoryBackendFactory::new(7), kind, times: AtomicU64::new(times) });
    let options = JobOptions { backends, ..options(&simulator, &disk, &objects, scenario) };
    let job = run_job(graph(&simulator, &disk, scenario), options, clocked::runtime(&simulator, scenario), status.clone(), inbox);
    let report = wait_for(&simulator, job)?;
    if matches!(report.outcome, JobOutcome::Finished) {
        check(&simulator, &disk, &objects, scenario)?;
    }
    let read = status.metrics.vertices[0].records_out();
    Ok(UnopenedReport { outcome: report.outcome, restarts: status.restarts.get(), read })
}
