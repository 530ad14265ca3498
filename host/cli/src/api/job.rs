//! What the API's requests act on.

use super::change::Shape;
use crate::documents::SCHEMA;
use crate::storage::{savepoint_folder, savepoint_url};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use weir_engine::checkpoint::{JobLog, StorageUrl, Store};
use weir_engine::job::{
    CheckpointRequest, CompletedCheckpoint, History, JobControl, JobFileCopy, JobStatus, Pace, Savepoint, StopKind, empty_for_savepoint,
    load_metadata, note_savepoint, write_savepoint,
};
use weir_engine::runtime::Runtime;
use weir_engine::{EngineError, ErrorKind};

/// `weir status`, and `GET /v1/job`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobStatusDocument {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The job's name.
    pub job: String,
    /// `running`, or how it ended.
    pub state: String,
    /// The process.
    pub pid: u32,
    /// Since the job began to run in this process, s.
    pub uptime_s: f64,
    /// The job file.
    pub job_file: String,
    /// Where its objects are.
    pub storage: String,
    /// weir's version.
    pub version: String,
    /// In the graph's order. Counts cover this process.
    pub vertices: Vec<StatusVertex>,
    /// Completed checkpoints of this process.
    pub checkpoints_completed: u64,
    /// Failed ones.
    pub checkpoints_failed: u64,
    /// The newest completed one of this process.
    pub last_checkpoint: Option<LastCheckpoint>,
    /// Restarts of the dataflow in this process.
    pub restarts: u64,
    /// A rescale or an upgrade that is under way.
    pub change: Option<ChangeDocument>,
}

/// A change of a running job that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeDocument {
    /// `rescale` or `upgrade`.
    pub what: String,
    /// Of this operator alone.
    pub operator: Option<String>,
    /// `preparing`, `changing over` or `probation`.
    pub phase: String,
    /// The checkpoint behind whose barrier it has happened.
    pub checkpoint: Option<u64>,
}

/// A vertex of a running job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusVertex {
    /// Its id.
    pub id: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Records that it has read.
    pub records_in: u64,
    /// Records that it has emitted.
    pub records_out: u64,
    /// Records set aside.
    pub quarantined: u64,
    /// Bytes of state that an operator keeps, as they count against `limits.state-bytes`.
    #[serde(default)]
    pub state_bytes: u64,
    /// What an operator counts itself, summed up.
    #[serde(default)]
    pub metrics: BTreeMap<String, i64>,
}

/// The newest completed checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastCheckpoint {
    /// Its id.
    pub id: u64,
    /// From the trigger to the last acknowledgement.
    pub duration_ms: u64,
    /// Bytes of all objects that it wrote.
    pub bytes: u64,
}

/// How the job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// As in the document of `weir run`.
    pub outcome: String,
    /// Why, where it failed.
    pub error: Option<String>,
}

/// What a [`RunningJob`] is made of.
pub(crate) struct RunningParts {
    pub control: JobControl,
    pub status: Arc<JobStatus>,
    pub store: Arc<dyn Store>,
    pub runtime: Runtime,
    /// Where the client of a bucket runs.
    pub threads: Handle,
    /// (id, parallelism) of the vertices.
    pub vertices: Vec<(String, u32)>,
    pub shape: Shape,
    /// The absolute URL of the folder of the job's objects.
    pub storage: String,
    /// The absolute path of the job file,
    pub job_file: String,
    /// and what goes of it into a savepoint.
    pub job_copy: JobFileCopy,
}

/// A job as the API sees it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RunningJob(Arc<Inner>);

struct Inner {
    parts: RunningParts,
    shape: Mutex<(Shape, Vec<(String, u32)>)>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    /// How far it has come.
    change: Mutex<Option<ChangeDocument>>,
    began: Duration,
    ended: watch::Sender<Option<Ended>>,
}

impl RunningJob {
    /// A job that begins to run now.
    pub fn new(parts: RunningParts) -> Self {
        let (began, shape) = (parts.runtime.clock.now(), Mutex::new((parts.shape.clone(), parts.vertices.clone())));
        Self(Arc::new(Inner {
            parts,
            shape,
            changing: tokio::sync::Mutex::new(()),
            change: Mutex::new(None),
            began,
            ended: watch::channel(None).0,
        }))
    }

    pub fn control(&self) -> &JobControl {
        &self.0.parts.control
    }

    /// The time since some moment.
    pub fn now(&self) -> Duration {
        self.0.parts.runtime.clock.now()
    }

    pub fn name(&self) -> String {
        self.lock().0.file.name.clone()
    }

    /// Begins to change the job, once nobody else does.
    pub async fn begin_change(&self, what: &str, operator: Option<&str>) -> Changing<'_> {
        let one = self.0.changing.lock().await;
        let changing = Changing { job: self, _one: one };
        let change = ChangeDocument { what: what.into(), operator: operator.map(Into::into), phase: "preparing".into(), checkpoint: None };
        *changing.lock() = Some(change);
        changing
    }

    fn lock(&self) -> MutexGuard<'_, (Shape, Vec<(String, u32)>)> {
        self.0.shape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the job runs as.
    pub fn shape(&self) -> Shape {
        self.lock().0.clone()
    }

    /// It has changed.
    pub fn set_shape(&self, shape: Shape) {
        let mut now = self.lock();
        for (id, parallelism) in &mut now.1 {
            // A quarantine's sink goes with its operator.
            let step = id.split('.').next().unwrap_or(id);
            if let Some(&changed) = shape.parallelism.get(step) {
                *parallelism = changed;
            }
        }
        now.0 = shape;
    }

    /// The job has ended: whoever waits for that learns how.
    pub fn end(&self, ended: Ended) {
        self.0.ended.send_replace(Some(ended));
    }

    /// How the job ended, once it has.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.0.ended.subscribe();
        match ended.wait_for(Option::is_some).await.map(|ended| ended.clone()) {
            Ok(Some(ended)) => ended,
            Ok(None) | Err(_) => Ended { outcome: "failed".into(), error: Some("the process is ending".into()) },
        }
    }

    pub fn document(&self) -> JobStatusDocument {
        let (parts, status) = (&self.0.parts, &self.0.parts.status);
        let vertices = self.lock().1.clone();
        let vertex = |((id, parallelism), metrics): ((String, u32), &Arc<weir_engine::metrics::VertexMetrics>)| StatusVertex {
            id,
            parallelism,
            records_in: metrics.records_in.get(),
            records_out: metrics.records_out.get(),
            quarantined: metrics.quarantined.get(),
            state_bytes: metrics.state_bytes.get(),
            metrics: metrics.own.get(),
        };
        let ended = self.0.ended.borrow().as_ref().map(|ended| ended.outcome.clone());
        JobStatusDocument {
            schema: SCHEMA,
            job: self.name(),
            state: ended.unwrap_or_else(|| "running".into()),
            pid: std::process::id(),
            uptime_s: parts.runtime.clock.now().saturating_sub(self.0.began).as_secs_f64(),
            job_file: parts.job_file.clone(),
            storage: parts.storage.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            vertices: vertices.into_iter().zip(&status.metrics.vertices).map(vertex).collect(),
            checkpoints_completed: status.completed.get(),
            checkpoints_failed: status.failed.get(),
            last_checkpoint: status.last_checkpoint().map(|last| LastCheckpoint {
                id: last.checkpoint_id.0,
                duration_ms: last.duration_ms,
                bytes: last.bytes,
            }),
            restarts: status.restarts.get(),
            change: self.0.change.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Takes a savepoint of the job while it runs. Its URL.
    pub async fn savepoint(&self, url: Option<&str>, unaligned: bool) -> Result<(String, Savepoint), EngineError> {
        let url = self.savepoint_url(url)?;
        let request = if unaligned { CheckpointRequest::UnalignedSavepoint } else { CheckpointRequest::Savepoint };
        let held = self.control().checkpoint(request).await?;
        let savepoint = self.write(&url, &held.checkpoint, Pace::BesideTheJob).await?;
        Ok((url, savepoint))
    }

    /// Stops the job and makes a savepoint of where it stopped, where one is asked for.
    pub async fn stop(&self, kind: StopKind, savepoint: Option<&str>) -> Result<(Ended, Option<u64>, Option<String>), EngineError> {
        // What cannot become a savepoint is no reason to stop.
        let url = savepoint.map(|url| self.savepoint_url(if url.is_empty() { None } else { Some(url) })).transpose()?;
        if let Some(url) = &url {
            let target = savepoint_folder(url, &self.0.parts.threads).await?;
            empty_for_savepoint(&target, &*self.0.parts.runtime.clock).await?;
        }
        let aligned = kind == StopKind::Suspend && url.is_some();
        self.control().stop(if aligned { StopKind::SuspendForSavepoint } else { kind });
        let ended = self.ended().await;
        let log = JobLog::open(self.0.parts.store.clone(), self.0.parts.runtime.clock.clone()).await?;
        let newest = History::of(log.entries()).lineages.last().and_then(|lineage| lineage.completed.last().cloned());
        let good = matches!(ended.outcome.as_str(), "stopped" | "finished" | "already-finished");
        if let (Some(url), Some(newest), true) = (&url, &newest, good) {
            self.refuse_in_flight(url, newest).await?;
            self.write(url, newest, Pace::Fast).await?;
            return Ok((ended, Some(newest.checkpoint_id.0), Some(url.clone())));
        }
        Ok((ended, newest.map(|newest| newest.checkpoint_id.0), None))
    }

    /// A stop that has taken the place of the one for a savepoint may have overtaken records.
    async fn refuse_in_flight(&self, url: &str, checkpoint: &CompletedCheckpoint) -> Result<(), EngineError> {
        let parts = &self.0.parts;
        let metadata = load_metadata(&*parts.store, &*parts.runtime.clock, checkpoint).await?;
        if !metadata.holds_in_flight() {
            return Ok(());
        }
        let id = checkpoint.checkpoint_id;
        let message = format!(
            "write the savepoint {url}: the job was stopped by somebody else meanwhile, and checkpoint {id} holds records in flight"
        );
        let hint = format!("the job has stopped, and `weir run` goes on from checkpoint {id}; take the savepoint while it runs");
        Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint))
    }

    async fn write(&self, url: &str, checkpoint: &CompletedCheckpoint, pace: Pace) -> Result<Savepoint, EngineError> {
        let parts = &self.0.parts;
        let (target, clock) = (savepoint_folder(url, &parts.threads).await?, &*parts.runtime.clock);
        let savepoint = write_savepoint(&*parts.store, &target, clock, checkpoint, Some(parts.job_copy.clone()), pace).await?;
        note_savepoint(&*parts.store, clock, url, &savepoint).await?;
        Ok(savepoint)
    }

    /// The absolute URL of a savepoint: the one that is asked for, else a folder of its own beside the job's checkpoints.
    fn savepoint_url(&self, url: Option<&str>) -> Result<String, EngineError> {
        let parts = &self.0.parts;
        let own = || format!("{}/savepoints/{}", parts.storage, parts.runtime.clock.wall_ms());
        let url = url.map_or_else(own, str::to_owned);
        savepoint_url(&url).map_err(|failure| {
            let hint = failure.hint().unwrap_or("name a folder or `s3://bucket/prefix`").to_owned();
            EngineError::new(ErrorKind::FixInput, failure.text()).with_hint(hint)
        })
    }
}

/// Held by whoever changes the job.
pub(crate) struct Changing<'a> {
    job: &'a RunningJob,
    _one: tokio::sync::MutexGuard<'a, ()>,
}

impl Changing<'_> {
    /// The change has come so far.
    pub fn phase(&self, phase: &str, checkpoint: Option<u64>) {
        if let Some(change) = &mut *self.lock() {
            (change.phase, change.checkpoint) = (phase.into(), checkpoint);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<ChangeDocument>> {
        self.job.0.change.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        *self.lock() = None;
    }
}

/// The absolute URL of the folder of a job's objects.
pub(crate) fn absolute_storage(storage: &str, base: &Path, job: &str) -> String {
    match StorageUrl::parse(storage) {
        Ok(StorageUrl::File(folder)) => format!("file:{}", base.join(folder).join(job).display()),
        Ok(StorageUrl::Memory) | Ok(StorageUrl::S3 { .. }) | Err(_) => format!("{}/{job}", storage.trim_end_matches('/')),
    }
}
