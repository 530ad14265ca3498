//! `weir check`: everything that can be known without running.

use crate::api::Started;
use crate::args::CheckArgs;
use crate::context::{Context, tell};
use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::next_run::next_run;
use crate::plan::{RestoreDocument, plan, plan_text, restore_document};
use crate::plugins::{GoingOn, PluginOrigins, moved_tags, refuse_newer_worlds, stored_plugins};
use crate::start::{StartPoint, restore_options, start_point};
use crate::storage::{with_savepoint, with_storage};
use crate::try_out::try_out;
use std::sync::Arc;
use weir_engine::checkpoint::{CheckpointMetadata, JobLog, PlannedRestore};
use weir_engine::element::CheckpointId;
use weir_engine::job::{History, JobGraph, load_metadata, open_savepoint, plan_restore};
use weir_engine::runtime::Runtime;
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind};

/// Checks a job and prints its plan; with `--from` also what a run from there takes over.
pub(super) fn check(context: &Context, args: &CheckArgs) -> Result<u8, Failure> {
    let job = context.job(&args.job)?;
    let start = args.from.as_ref().map(|from| start_point(from, &args.job)).transpose()?;
    let kept = start.as_ref().filter(|_| args.pinned).map(|start| pinned(&job, start, &args.drop_state)).transpose()?;
    let Started { shape, assembly, .. } = next_run(context, &job, start.as_ref(), kept)?;
    let plugins = shape.plugins;
    let mut plan = plan(&job, &assembly, &plugins);
    let mut refused = None;
    if let Some(start) = start {
        let (mut document, planned) = restore(context, (&job, &assembly.graph, &plugins), &start, &args.drop_state)?;
        refused = planned.accepted(&source_name(&start)).err();
        document.places = refused.iter().flat_map(|error| job.places(error)).collect();
        plan.restore = Some(document);
    }
    // A source that is another than it was has other rows, too: that it is another comes first.
    if refused.is_none() {
        plan.remarks.extend(try_out(&job, &assembly)?);
    }
    context.print(&plan, || plan_text(&plan))?;
    let Some(error) = refused else { return Ok(0) };
    let failure = Failure::of_job(&job, error);
    tell(context, &failure);
    Ok(failure.exit_code())
}

fn source_name(start: &StartPoint) -> String {
    match start {
        StartPoint::Checkpoint(id) => format!("checkpoint {id}"),
        StartPoint::Savepoint(url) => format!("the savepoint {url}"),
    }
}

fn restore(
    context: &Context,
    (job, graph, plugins): (&JobFile, &JobGraph, &PluginOrigins),
    start: &StartPoint,
    drops: &[String],
) -> Result<(RestoreDocument, PlannedRestore), Failure> {
    let options = &restore_options(job, drops);
    let plan = |store: Arc<dyn Store>, runtime: Runtime, metadata: CheckpointMetadata| async move {
        let engine = || context.compiler.engine();
        refuse_newer_worlds(GoingOn { job, graph, drops }, &metadata, &*store, &*runtime.clock, engine).await?;
        let planned = plan_restore(&*store, &*runtime.clock, &metadata, graph, options).await?;
        Ok((metadata, planned))
    };
    let (metadata, planned) = match start {
        StartPoint::Checkpoint(id) => with_storage(job, |store, runtime| async move {
            let metadata = checkpoint(&store, &runtime, *id).await?;
            plan(store, runtime, metadata).await
        }),
        StartPoint::Savepoint(url) => with_savepoint(url, |store, runtime| async move {
            let (_, metadata) = open_savepoint(&*store, &*runtime.clock).await?;
            plan(store, runtime, metadata).await
        }),
    }?;
    moved_tags(GoingOn { job, graph, drops }, plugins, &metadata).iter().for_each(|line| context.screen.notice(line));
    let from = match start {
        StartPoint::Checkpoint(id) => id.to_string(),
        StartPoint::Savepoint(url) => url.clone(),
    };
    Ok((restore_document(&from, &metadata, &planned), planned))
}

/// What a run that is pinned takes: the components that are kept where it starts from.
fn pinned(job: &JobFile, start: &StartPoint, drops: &[String]) -> Result<PluginOrigins, Failure> {
    match start {
        StartPoint::Checkpoint(id) => with_storage(job, |store, runtime| async move {
            let metadata = checkpoint(&store, &runtime, *id).await?;
            stored_plugins(job, &metadata, drops, &*store, &*runtime.clock).await
        }),
        StartPoint::Savepoint(url) => with_savepoint(url, |store, runtime| async move {
            let (_, metadata) = open_savepoint(&*store, &*runtime.clock).await?;
            stored_plugins(job, &metadata, drops, &*store, &*runtime.clock).await
        }),
    }
}

async fn checkpoint(store: &Arc<dyn Store>, runtime: &Runtime, id: CheckpointId) -> Result<CheckpointMetadata, EngineError> {
    let log = JobLog::open(store.clone(), runtime.clock.clone()).await?;
    let history = History::of(log.entries());
    let Some(completed) = history.checkpoint(id) else {
        let error =
            EngineError::new(ErrorKind::FixInput, format!("check checkpoint {id}: the job has no completed checkpoint with that id"));
        return Err(error.with_hint("`weir checkpoint list JOB` shows the ones that it has"));
    };
    load_metadata(&**store, &*runtime.clock, completed).await
}
