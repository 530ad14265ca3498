//! What the API's requests act on. `document` is what is shown of it.

mod document;

use super::change::Shape;
use super::changing::Changes;
use super::shown::ShownGraph;
use crate::registry::Registration;
use crate::storage::{savepoint_folder, savepoint_url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use weir_engine::checkpoint::JobLog;
use weir_engine::job::{
    CheckpointRequest, CompletedCheckpoint, History, JobControl, JobFileCopy, JobGraph, JobStatus, Pace, QuarantinePage, QuarantineWanted,
    Savepoint, StopKind, empty_for_savepoint, load_metadata, note_savepoint, read_quarantine, try_migrations, write_savepoint,
};
use weir_engine::runtime::{Clock, Runtime};
use weir_engine::storage::{StorageUrl, Store};
use weir_engine::{EngineError, ErrorKind};

/// How the job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// As in the document of `weir run`.
    pub outcome: String,
    /// Why it failed, where it did.
    pub error: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}

/// What a [`RunningJob`] is made of.
pub(crate) struct RunningParts {
    pub control: JobControl,
    pub status: Arc<JobStatus>,
    pub store: Arc<dyn Store>,
    pub runtime: Runtime,
    /// Where the client of a bucket runs.
    pub threads: Handle,
    /// The vertices and edges with which it begins.
    pub graph: ShownGraph,
    pub shape: Shape,
    /// The absolute URL of the folder of the job's objects.
    pub storage: String,
    /// The absolute path of the job file.
    pub job_file: String,
    /// What it runs and with which settings, as `weir check` says it.
    pub plan: Value,
    /// What of the job file goes into a savepoint.
    pub job_copy: JobFileCopy,
}

/// A job as the API sees it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RunningJob(Arc<Inner>);

struct Inner {
    parts: RunningParts,
    /// As the last upgrade left it. What parallelism it has only the engine knows, which may undo a rescale by itself.
    shape: Mutex<Shape>,
    changes: Changes,
    began: Duration,
    ended: watch::Sender<Option<Ended>>,
    /// Savepoints that are being written, or will be when the job has ended.
    savepoints: watch::Sender<usize>,
    /// Held for as long as nobody else may begin to run the job.
    registration: Mutex<Option<Registration>>,
    /// Held by whoever reads what was set aside.
    quarantine: tokio::sync::Mutex<()>,
}

/// What came of a stop.
pub(crate) struct Stopped {
    pub ended: Ended,
    /// The newest checkpoint.
    pub checkpoint: Option<u64>,
    /// The URL of the savepoint that was made of it, where one was asked for and written.
    pub savepoint: Option<String>,
    /// Why there is no savepoint, where it could not be written. The job has stopped all the same.
    pub savepoint_error: Option<EngineError>,
}

/// Held while a savepoint is to be written: the process does not end before.
struct Writing<'a>(&'a Inner);

impl<'a> Writing<'a> {
    fn begin(job: &'a RunningJob) -> Self {
        job.0.savepoints.send_modify(|count| *count += 1);
        Self(&job.0)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.savepoints.send_modify(|count| *count -= 1);
        if self.0.ended.borrow().is_some() {
            self.0.let_others_run();
        }
    }
}

impl Inner {
    /// The job has ended: others may begin to run it, unless a savepoint is still made of what they would delete. Whoever is told of the end finds it so.
    fn let_others_run(&self) {
        if *self.savepoints.borrow() == 0 {
            drop(self.registration.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

impl RunningJob {
    /// A job that begins to run now.
    pub fn new(parts: RunningParts) -> Self {
        let (began, shape) = (parts.runtime.clock.now(), Mutex::new(parts.shape.clone()));
        let (changes, ended, savepoints) = (Changes::new(), watch::channel(None).0, watch::channel(0).0);
        Self(Arc::new(Inner {
            parts,
            shape,
            changes,
            began,
            ended,
            savepoints,
            registration: Mutex::new(None),
            quarantine: Default::default(),
        }))
    }

    /// Keeps the job's place in the registry until it has ended.
    pub fn registered(&self, registration: Registration) {
        *self.0.registration.lock().unwrap_or_else(PoisonError::into_inner) = Some(registration);
    }

    pub fn control(&self) -> &JobControl {
        &self.0.parts.control
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        self.0.parts.runtime.clock.clone()
    }

    /// The time since some moment.
    pub fn now(&self) -> Duration {
        self.0.parts.runtime.clock.now()
    }

    pub fn name(&self) -> String {
        self.lock().file.name.clone()
    }

    /// Whoever changes the job begins there.
    pub(super) fn changes(&self) -> &Changes {
        &self.0.changes
    }

    fn lock(&self) -> MutexGuard<'_, Shape> {
        self.0.shape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the job runs as.
    pub fn shape(&self) -> Shape {
        let mut shape = self.lock().clone();
        let says = shape.file.parallelisms();
        for (id, now) in self.vertices() {
            match says.get(id) {
                Some(&file) if file != now => _ = shape.parallelism.insert(id.clone(), now),
                Some(_) => _ = shape.parallelism.remove(id),
                // A quarantine's sink goes with its operator.
                None => {}
            }
        }
        shape
    }

    /// It has been upgraded.
    pub fn set_shape(&self, shape: Shape) {
        *self.lock() = shape;
    }

    /// The id of each vertex, and how many subtasks it has now.
    fn vertices(&self) -> impl Iterator<Item = (&String, u32)> {
        let parallelism = self.0.parts.status.layout().parallelism;
        let begun = self.0.parts.graph.vertices.iter().enumerate();
        begun.map(move |(place, begun)| (&begun.id, parallelism.get(place).copied().unwrap_or(begun.parallelism)))
    }

    /// The job has ended: whoever waits for that learns how.
    pub fn end(&self, ended: Ended) {
        self.0.let_others_run();
        self.0.ended.send_replace(Some(ended));
    }

    /// How the job ended, once it has.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.0.ended.subscribe();
        match ended.wait_for(Option::is_some).await.map(|ended| ended.clone()) {
            Ok(Some(ended)) => ended,
            Ok(None) | Err(_) => Ended { outcome: "failed".into(), error: Some("the process is ending".into()), hint: None },
        }
    }

    /// What it counts and shows.
    pub fn status(&self) -> &JobStatus {
        &self.0.parts.status
    }

    /// The ids of its vertices, in the graph's order.
    pub fn vertex_ids(&self) -> Vec<String> {
        self.0.parts.graph.vertices.iter().map(|vertex| vertex.id.clone()).collect()
    }

    /// True while all subtasks run, and the job has not ended.
    pub fn is_running(&self) -> bool {
        self.0.parts.status.is_running() && self.0.ended.borrow().is_none()
    }

    /// Some of what a step has set aside in the job's storage. One page is read at a time: whoever asks waits for the others.
    pub async fn quarantined(&self, step: &str, wanted: QuarantineWanted) -> Result<QuarantinePage, EngineError> {
        let _alone = self.0.quarantine.lock().await;
        read_quarantine(&*self.0.parts.store, &*self.0.parts.runtime.clock, step, wanted).await
    }

    /// Tries the migrations that another graph would make on some of what the newest checkpoint has; none: there is nothing to be migrated.
    pub async fn try_migrations(&self, graph: &JobGraph) -> Result<(), EngineError> {
        let Some(newest) = self.newest_checkpoint().await? else { return Ok(()) };
        let (parts, held) = (&self.0.parts, BTreeSet::from([newest.checkpoint_id]));
        let lease = self.control().hold(&held, self.now())?;
        let tried = async {
            let metadata = load_metadata(&*parts.store, &*parts.runtime.clock, &newest).await?;
            try_migrations(&*parts.store, &*parts.runtime.clock, &metadata, graph).await
        };
        let tried = tried.await;
        self.control().release(lease.id);
        tried
    }

    /// Takes a savepoint of the job while it runs. Its URL.
    pub async fn savepoint(&self, url: Option<&str>, unaligned: bool) -> Result<(String, Savepoint), EngineError> {
        let url = self.savepoint_url(url)?;
        let request = if unaligned { CheckpointRequest::UnalignedSavepoint } else { CheckpointRequest::Savepoint };
        let held = self.control().checkpoint(request).await?;
        let _writing = Writing::begin(self);
        let savepoint = self.write(&url, &held.checkpoint, Pace::BesideTheJob).await?;
        Ok((url, savepoint))
    }

    /// Stops the job and makes a savepoint of where it stopped, where one is asked for. What can be known to stand in its way is an error, and stops nothing; where it
    /// cannot be written afterwards, the job has stopped.
    pub async fn stop(&self, kind: StopKind, savepoint: Option<&str>) -> Result<Stopped, EngineError> {
        let goes_on = |error: EngineError| error.followed_by("the job goes on");
        let url = savepoint.map(|url| self.savepoint_url(if url.is_empty() { None } else { Some(url) })).transpose().map_err(goes_on)?;
        // Held before the job can end: the process waits for it then.
        let _writing = url.as_ref().map(|_| Writing::begin(self));
        if let Some(url) = &url {
            let target = savepoint_folder(url, &self.0.parts.threads).await.map_err(goes_on)?;
            empty_for_savepoint(&target, &*self.0.parts.runtime.clock).await.map_err(goes_on)?;
        }
        let aligned = kind == StopKind::Suspend && url.is_some();
        self.control().stop(if aligned { StopKind::SuspendForSavepoint } else { kind });
        let ended = self.ended().await;
        let good = matches!(ended.outcome.as_str(), "stopped" | "finished" | "already-finished");
        let newest = self.newest_checkpoint().await;
        let checkpoint = newest.as_ref().ok().and_then(|newest| newest.as_ref().map(|newest| newest.checkpoint_id.0));
        let (savepoint, savepoint_error) = match (url, newest) {
            (Some(url), Ok(Some(newest))) if good => match self.write_behind_stop(&url, &newest).await {
                Ok(_) => (Some(url), None),
                Err(error) => (None, Some(self.without_savepoint(error, &ended, checkpoint))),
            },
            (Some(_), Err(error)) if good => (None, Some(self.without_savepoint(error, &ended, checkpoint))),
            (Some(_) | None, _) => (None, None),
        };
        Ok(Stopped { ended, checkpoint, savepoint, savepoint_error })
    }

    async fn write_behind_stop(&self, url: &str, newest: &CompletedCheckpoint) -> Result<Savepoint, EngineError> {
        self.refuse_in_flight(url, newest).await?;
        self.write(url, newest, Pace::Fast).await
    }

    async fn newest_checkpoint(&self) -> Result<Option<CompletedCheckpoint>, EngineError> {
        let log = JobLog::open(self.0.parts.store.clone(), self.0.parts.runtime.clock.clone()).await?;
        Ok(History::of(log.entries()).newest_lineage().and_then(|lineage| lineage.completed.last().cloned()))
    }

    /// The job has ended for a savepoint that could not be written: `error` is why.
    fn without_savepoint(&self, error: EngineError, ended: &Ended, checkpoint: Option<u64>) -> EngineError {
        let behind = checkpoint.map(|id| format!(" behind checkpoint {id}")).unwrap_or_default();
        let hint = "nothing is lost: `weir run` goes on from that checkpoint; then take the savepoint where there is room for it";
        error.context(format!("the job has {}{behind}, but its savepoint could not be written", ended.outcome)).with_hint(hint)
    }

    /// Every savepoint that is to be written has been, or could not be.
    pub async fn savepoints_written(&self) {
        _ = self.0.savepoints.subscribe().wait_for(|count| *count == 0).await;
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
        let mut copy = parts.job_copy.clone();
        copy.pinned.extend(self.lock().upgraded_to.values().cloned());
        let savepoint = write_savepoint(&*parts.store, &target, clock, checkpoint, Some(copy), pace).await?;
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

/// The absolute URL of the folder of a job's objects.
pub(crate) fn absolute_storage(storage: &str, base: &Path, job: &str) -> String {
    match StorageUrl::parse(storage) {
        Ok(StorageUrl::File(folder)) => format!("file:{}", base.join(folder).join(job).display()),
        Ok(StorageUrl::Memory) | Ok(StorageUrl::S3 { .. }) | Err(_) => format!("{}/{job}", storage.trim_end_matches('/')),
    }
}
