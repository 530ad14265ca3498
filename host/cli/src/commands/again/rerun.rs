//! What `weir upgrade --dry-run` and `weir replay` begin with: a checkpoint or savepoint, the job as it was then, and the run that went on from
//! there, where it was recorded. Neither writes anything.
//!
//! Operators run the components that are kept beside the checkpoint, and nothing is built: a plugin that was built anew since would
//! otherwise stand in for the one whose state it is. Only at the beginning of a job, before any checkpoint, the job file's plugins are
//! taken. Guests are interrupted by fuel, so that two runs are the same.
//!
//! A job that runs meanwhile is asked to leave its checkpoints where they are. Where it cannot be asked and deletes the newest one while that is read, all begins
//! anew with the next.

use super::point::{Start, point};
use crate::api::absolute_storage;
use crate::assemble::assemble;
use crate::context::Context;
use crate::documents::RerunFrom;
use crate::failure::Failure;
use crate::job_file::{Code, JobFile, list_words, suggest};
use crate::kept::Held;
use crate::kept::{is_deletion, told_of_deletion};
use crate::plugins::{PluginOrigins, stored_plugins};
use crate::start::{Named, build};
use crate::start::{StartPoint, start_point};
use crate::storage::{OpenStorage, with_savepoint_of, with_storage};
use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use weir_engine::EngineError;
use weir_engine::job::JobGraph;
use weir_engine::replay::{LoggedRun, LoggedStretch, ReplayPoint, RunStart};
use weir_engine::runtime::Runtime;
use weir_engine::state::StateDescriptor;
use weir_engine::storage::Store;
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
    /// The point of the job that it is run from.
    pub point: ReplayPoint,
    /// What that point is called in documents.
    pub from: RerunFrom,
    /// As it was named.
    named: Option<StartPoint>,
    storage: Option<OpenStorage>,
    engine: WasmEngine,
    plugins: BTreeMap<String, Plugin>,
    /// The job's checkpoints stay where they are meanwhile.
    _held: Held,
}

/// Opens `operator` of the job at `path`, where `from` says, and lets `work` have it while the storage is open. `work` fails only where it has written
/// nothing yet: where the job has deleted the checkpoint meanwhile, and none was named, it begins once more.
pub(super) fn rerun<T>(
    context: &Context,
    path: &Path,
    (operator, from): (&str, Option<&str>),
    work: impl AsyncFn(Rerun) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut job = context.job(path)?;
    widen_limits(&mut job);
    let from = from.map(|from| start_point(from, path)).transpose()?;
    once_more_where_overtaken(from.is_some(), || rerun_once(context, &job, operator, from.clone(), &work))
}

/// What `look` gives; that of a second look where the job has deleted the checkpoint of the first, and that one was not `named`.
fn once_more_where_overtaken<T>(named: bool, look: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    match look() {
        Err(failure) if !named && is_deletion(&failure) => look(),
        looked => looked,
    }
}

fn rerun_once<T>(
    context: &Context,
    job: &JobFile,
    operator: &str,
    from: Option<StartPoint>,
    work: &impl AsyncFn(Rerun) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let url = absolute_storage(&job.checkpoints.storage.value, &job.folder, &job.name);
    let named = from.clone();
    let open = async |store: Arc<dyn Store>, storage: OpenStorage, runtime: Runtime| -> Result<T, Failure> {
        let start = point(named.as_ref(), &url, store, runtime).await?;
        let (point, of_job) = (start.point.clone(), !matches!(named, Some(StartPoint::Savepoint(_))));
        let worked = match Rerun::open(context, job.clone(), operator, start, (named, storage)).await {
            Ok(opened) => work(opened).await,
            Err(failure) => Err(failure),
        };
        match worked {
            Err(Failure::Engine(error)) if of_job => Err(kept_at::<()>(&point, Err(error)).await.expect_err("it has failed").into()),
            worked => worked,
        }
    };
    match &from {
        Some(StartPoint::Savepoint(url)) => {
            with_savepoint_of(url, job, |store, storage, runtime| async { Ok(open(store, storage, runtime).await) })?
        }
        Some(StartPoint::Checkpoint(_)) | None => with_storage(job, |store, runtime| async {
            let storage = std::future::ready(Ok(store.clone())).boxed();
            Ok(open(store, storage, runtime).await)
        })?,
    }
}

/// What was read of a checkpoint. A job that goes on may have deleted it meanwhile: then nothing is damaged.
pub(super) async fn kept_at<T>(point: &ReplayPoint, read: Result<T, EngineError>) -> Result<T, EngineError> {
    match (read, &point.metadata) {
        (Err(error), Some(metadata)) => Err(told_of_deletion(&*point.store, metadata.checkpoint_id, &metadata.path(), error).await),
        (read, _) => read,
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
        Start { point, from, held }: Start,
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
            None => build(&context.screen, &job)?,
        };
        let plugins = loaded(&job, &origins, &engine)?;
        let graph = graph(&job, &plugins)?;
        point.check(&graph)?;
        let vertex = graph.vertices.iter().position(|vertex| vertex.id == operator).expect("every operator is in the graph");
        Ok(Self { job, graph, vertex, point, from, named, storage: Some(storage), engine, plugins, _held: held })
    }

    /// The run that went on from the point that was named, where the operator was recorded in it; without a name the newest part of it.
    pub async fn recorded(&mut self) -> Result<Option<LoggedRun>, Failure> {
        let Some(storage) = self.storage.take() else { return Ok(None) };
        let start = match &self.named {
            Some(StartPoint::Savepoint(url)) => RunStart::Savepoint { url: url.clone(), point: self.point.clone() },
            Some(StartPoint::Checkpoint(id)) => RunStart::Checkpoint(*id),
            None => RunStart::Newest,
        };
        let base = ReplayPoint { metadata: None, store: storage.await?, ..self.point.clone() };
        let run = LoggedRun::find(self.id(), &base, start).await?;
        if let Some(run) = &run {
            self.from.checkpoint = run.at().checkpoint_id().map(|id| id.0);
        }
        Ok(run)
    }

    /// The graph of a part of that run, with the components that worked in it.
    pub async fn graph_of(&self, stretch: &LoggedStretch) -> Result<JobGraph, Failure> {
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

    /// The graph with this plugin in the operator's place.
    pub fn graph_with(&self, named: &Named) -> Result<JobGraph, Failure> {
        let id = self.id();
        if !self.plugins.contains_key(id) {
            let message = format!("`{id}` is built into weir: there is no plugin to replace");
            return Err(Failure::Usage { message, hint: "name an operator that has a `plugin`".into() });
        }
        let mut plugins = self.plugins.clone();
        let plugin = Plugin::from_bytes_within(&named.name, &named.bytes, &self.engine, self.job.compile_limits(id))
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

/// What is said where the operator was given nothing, of the job of this name.
pub(super) fn no_record_text(job: &str) -> String {
    format!(
        "no record has come: the sources had none left there, or none of theirs reaches the operator; `--from` takes an older checkpoint or a savepoint (`weir checkpoint list` and `weir savepoint list` show those of {job})"
    )
}

/// What is said of sources that were left because they gave nothing for long.
pub(super) fn stalled_text(sources: &[String]) -> String {
    let named = list_words(sources.iter().map(String::as_str));
    format!(
        "{named} gave nothing for 5 s and did not say that there is no more: what may be behind that is not in it, and event time waits there"
    )
}

/// The states that are kept for the operator at `vertex`, those of timers at the end.
pub(super) fn states(graph: &JobGraph, vertex: usize) -> Vec<StateDescriptor> {
    graph.vertices[vertex].kept_states()
}

fn graph(job: &JobFile, plugins: &BTreeMap<String, Plugin>) -> Result<JobGraph, Failure> {
    let load = |id: &str| Ok(plugins.get(id).expect("every plugin has been found or built").clone());
    Ok(assemble(job, load)?.graph)
}

fn loaded(job: &JobFile, origins: &PluginOrigins, engine: &WasmEngine) -> Result<BTreeMap<String, Plugin>, Failure> {
    origins.iter().map(|(id, origin)| Ok((id.clone(), origin.load(id, engine, job.compile_limits(id))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use weir_engine::ErrorKind;

    #[test]
    fn what_a_job_that_cannot_be_asked_deletes_is_looked_at_anew_once_unless_it_was_named() {
        let looked = |named: bool, error: &dyn Fn() -> EngineError| {
            let looks = Cell::new(0);
            let look = || {
                looks.set(looks.get() + 1);
                if looks.get() == 1 { Err(Failure::Engine(error())) } else { Ok(()) }
            };
            (once_more_where_overtaken(named, look).is_ok(), looks.get())
        };
        let deleted = || EngineError::new(ErrorKind::Retry, "deleted meanwhile").about_object("checkpoints/1-1/metadata.json");
        let damaged = || EngineError::new(ErrorKind::Corrupt, "a wrong checksum");
        assert_eq!([looked(false, &deleted), looked(true, &deleted), looked(false, &damaged)], [(true, 2), (false, 1), (false, 1)]);
    }
}
