//! What `weir upgrade --dry-run` and `weir replay` begin with: a checkpoint or savepoint, the job as it was then, and the run that went on from
//! there, where it was recorded. Neither writes anything.
//!
//! Operators run the components that are kept beside the checkpoint, and nothing is built: a plugin that was built anew since would
//! otherwise stand in for the one whose state it is. Only at the beginning of a job, before any checkpoint, the job file's plugins are
//! taken. Guests are interrupted by fuel, so that two runs are the same.

use super::Context;
use super::check::build;
use super::run::{StartPoint, start_point};
use crate::assemble::assemble_with;
use crate::documents::RerunFrom;
use crate::failure::Failure;
use crate::job_file::{Code, JobFile, suggest};
use crate::plugin_origin::{PluginOrigins, stored_plugins};
use crate::storage::{OpenStorage, with_savepoint_of, with_storage};
use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use weir_engine::checkpoint::{CheckpointMetadata, JobLog, LineageRoot, LogEntry, Store};
use weir_engine::element::CheckpointId;
use weir_engine::job::{CompletedCheckpoint, History, JobGraph, load_metadata, open_savepoint};
use weir_engine::replay::{RecordedRun, RecordedStretch, ReplayPoint, RunStart};
use weir_engine::runtime::Runtime;
use weir_engine::state::MemoryBackendFactory;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::{Plugin, QuarantineLimit, WasmEngine};

/// Fuel stands for a tenth of what a core runs in a time, so a call is given this many times its limit.
const TIME_FACTOR: u32 = 10;

/// An operator of a job at a point of it.
pub(super) struct Rerun {
    /// The job.
    pub job: JobFile,
    /// The job's graph, with the components of the point.
    pub graph: JobGraph,
    /// The operator's place in it.
    pub vertex: usize,
    /// The point,
    pub point: ReplayPoint,
    /// and how it is called.
    pub from: RerunFrom,
    /// As it was named.
    named: Option<StartPoint>,
    storage: Option<OpenStorage>,
    engine: WasmEngine,
    plugins: BTreeMap<String, Plugin>,
}

/// Opens `operator` of the job at `path`, where `from` says, and lets `work` have it while the storage is open.
pub(super) fn rerun<T>(
    context: &Context,
    path: &Path,
    (operator, from): (&str, Option<&str>),
    work: impl AsyncFnOnce(Rerun) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut job = context.job(path)?;
    widen_limits(&mut job);
    let from = from.map(|from| start_point(from, path)).transpose()?;
    let job_of_store = job.clone();
    let named = from.clone();
    let open = async |store: Arc<dyn Store>, storage: OpenStorage, runtime: Runtime| -> Result<T, Failure> {
        let start = point(named.as_ref(), store, runtime).await?;
        work(Rerun::open(context, job, operator, start, (named, storage)).await?).await
    };
    match &from {
        Some(StartPoint::Savepoint(url)) => {
            with_savepoint_of(url, &job_of_store, |store, storage, runtime| async { Ok(open(store, storage, runtime).await) })?
        }
        Some(StartPoint::Checkpoint(_)) | None => with_storage(&job_of_store, |store, runtime| async {
            let storage = std::future::ready(Ok(store.clone())).boxed();
            Ok(open(store, storage, runtime).await)
        })?,
    }
}

/// Limits that depend on what a subtask has been through, and not on what it is given, stand aside.
fn widen_limits(job: &mut JobFile) {
    for operator in &mut job.operators {
        match &mut operator.code {
            Code::Plugin(code) => {
                code.limits.time_per_batch = code.limits.time_per_batch.saturating_mul(TIME_FACTOR);
                // In the job it counts from the beginning of the attempt.
                code.quarantine = QuarantineLimit { records: u64::MAX, share_percent: 100, share_from: u64::MAX };
            }
            Code::Native(_) => {}
        }
    }
}

impl Rerun {
    async fn open(
        context: &Context,
        job: JobFile,
        operator: &str,
        (point, from): (ReplayPoint, RerunFrom),
        (named, storage): (Option<StartPoint>, OpenStorage),
    ) -> Result<Self, Failure> {
        let known = || job.operators.iter().map(|step| step.id.value.as_str());
        if !known().any(|id| id == operator) {
            let message = format!("`{}` has no operator `{operator}`", job.name);
            return Err(Failure::Usage { message, hint: suggest(operator, known()) });
        }
        let engine = context.compiler.fuel_engine()?;
        let origins = match &point.metadata {
            Some(metadata) => stored_plugins(&job, metadata, &[], &*point.store, &*point.clock).await?,
            None => build(context, &job)?,
        };
        let plugins = loaded(&job, &origins, &engine)?;
        let graph = graph(&job, &plugins)?;
        point.check(&graph)?;
        let vertex = graph.vertices.iter().position(|vertex| vertex.id == operator).expect("every operator is in the graph");
        Ok(Self { job, graph, vertex, point, from, named, storage: Some(storage), engine, plugins })
    }

    /// The run that went on from the point that was named, where the operator was recorded in it; without a name the newest part of it.
    pub async fn recorded(&mut self) -> Result<Option<RecordedRun>, Failure> {
        let Some(storage) = self.storage.take() else { return Ok(None) };
        let start = match &self.named {
            Some(StartPoint::Savepoint(url)) => RunStart::Savepoint { url: url.clone(), point: self.point.clone() },
            Some(StartPoint::Checkpoint(id)) => RunStart::Checkpoint(*id),
            None => RunStart::Newest,
        };
        let base = ReplayPoint { metadata: None, store: storage.await?, ..self.point.clone() };
        let run = RecordedRun::find(self.id(), &base, start).await?;
        if let Some(run) = &run {
            self.from.checkpoint = run.at().checkpoint_id().map(|id| id.0);
        }
        Ok(run)
    }

    /// The graph of a part of that run, with the components that worked in it.
    pub async fn graph_of(&self, stretch: &RecordedStretch) -> Result<JobGraph, Failure> {
        let Some(metadata) = &stretch.to.metadata else { unreachable!("a stretch ends at a checkpoint") };
        let worked = |(id, plugin): (&String, &Plugin)| metadata.component(id) == Some(&plugin.component().digest);
        let graph = match self.plugins.iter().all(worked) {
            true => self.graph.clone(),
            false => {
                let origins = stored_plugins(&self.job, metadata, &[], &*stretch.to.store, &*stretch.to.clock).await?;
                graph(&self.job, &loaded(&self.job, &origins, &self.engine)?)?
            }
        };
        stretch.from.check(&graph)?;
        stretch.to.check(&graph)?;
        Ok(graph)
    }

    /// The graph with the plugin at `path` in the operator's place.
    pub fn graph_with(&self, path: &Path) -> Result<JobGraph, Failure> {
        let id = self.id();
        if !self.plugins.contains_key(id) {
            let message = format!("`{id}` is built into weir: there is no plugin to replace");
            return Err(Failure::Usage { message, hint: "name an operator that has a `plugin`".into() });
        }
        let mut plugins = self.plugins.clone();
        let plugin = Plugin::load_within(path, &self.engine, self.job.compile_limits(id))
            .map_err(|error| error.context(format!("{id}: load the plugin")))?;
        plugins.insert(id.to_owned(), plugin);
        graph(&self.job, &plugins)
    }

    /// The operator's id.
    pub fn id(&self) -> &str {
        &self.graph.vertices[self.vertex].id
    }

    /// The point, for people.
    pub fn point_text(&self) -> String {
        match (&self.from.savepoint, self.from.checkpoint) {
            (Some(url), _) => format!("the savepoint {url}"),
            (None, Some(id)) => format!("checkpoint {id}"),
            (None, None) => "the beginning".to_owned(),
        }
    }
}

fn graph(job: &JobFile, plugins: &BTreeMap<String, Plugin>) -> Result<JobGraph, Failure> {
    let load = |id: &str| Ok(plugins.get(id).expect("every plugin has been found or built").clone());
    Ok(assemble_with(job, load)?.graph)
}

fn loaded(job: &JobFile, origins: &PluginOrigins, engine: &WasmEngine) -> Result<BTreeMap<String, Plugin>, Failure> {
    origins.iter().map(|(id, origin)| Ok((id.clone(), origin.load(id, engine, job.compile_limits(id))?))).collect()
}

/// The point that is named, or the job's newest checkpoint; the beginning where there is none.
async fn point(from: Option<&StartPoint>, store: Arc<dyn Store>, runtime: Runtime) -> Result<(ReplayPoint, RerunFrom), EngineError> {
    let clock = runtime.clock.clone();
    let (metadata, processing_time, savepoint) = match from {
        Some(StartPoint::Savepoint(url)) => {
            let (savepoint, metadata) = open_savepoint(&*store, &*clock).await?;
            (Some(metadata), savepoint.created_ms, Some(url.clone()))
        }
        Some(StartPoint::Checkpoint(id)) => of_log(Some(*id), &store, &runtime).await?,
        None => of_log(None, &store, &runtime).await?,
    };
    let from = RerunFrom { checkpoint: metadata.as_ref().map(|metadata| metadata.checkpoint_id.0), savepoint };
    let backends = Arc::new(MemoryBackendFactory::new((runtime.seed)()));
    Ok((ReplayPoint { metadata: metadata.map(Arc::new), store, clock, backends, processing_time }, from))
}

/// A checkpoint's metadata, when it was completed, and the savepoint that it is in.
type Found = (Option<CheckpointMetadata>, i64, Option<String>);

async fn of_log(id: Option<CheckpointId>, store: &Arc<dyn Store>, runtime: &Runtime) -> Result<Found, EngineError> {
    let log = JobLog::open(store.clone(), runtime.clock.clone()).await?;
    let history = History::of(log.entries());
    let Some(checkpoint) = wanted(id, &history)? else { return Ok((None, 0, None)) };
    let metadata = load_metadata(&**store, &*runtime.clock, checkpoint).await;
    let metadata = metadata.map_err(|error| error.with_hint("`weir checkpoint list JOB` shows the ones that are kept"))?;
    let completed = log.entries().iter().find_map(|entry| match entry {
        LogEntry::Completed { checkpoint_id, completed_ms, .. } if *checkpoint_id == checkpoint.checkpoint_id => Some(*completed_ms),
        _ => None,
    });
    Ok((Some(metadata), completed.unwrap_or(0), None))
}

fn wanted(id: Option<CheckpointId>, history: &History) -> Result<Option<&CompletedCheckpoint>, EngineError> {
    let of_id = |id: CheckpointId| {
        history.checkpoint(id).map(Some).ok_or_else(|| {
            let message = format!("replay from checkpoint {id}: the job has no completed checkpoint with that id");
            EngineError::new(ErrorKind::FixInput, message).with_hint("`weir checkpoint list JOB` shows the ones that it has")
        })
    };
    if let Some(id) = id {
        return of_id(id);
    }
    let Some(lineage) = history.lineages.last() else { return Ok(None) };
    match (lineage.completed.last(), &lineage.root) {
        (Some(newest), _) => Ok(Some(newest)),
        (None, LineageRoot::Checkpoint(id)) => of_id(*id),
        (None, LineageRoot::Fresh) => Ok(None),
        (None, LineageRoot::Savepoint(url)) => {
            let message = "replay from the newest checkpoint: the job has none since it was started from a savepoint";
            Err(EngineError::new(ErrorKind::FixInput, message).with_hint(format!("`--from {url}` takes that")))
        }
    }
}
