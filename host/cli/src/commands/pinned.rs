//! Runs what a checkpoint or savepoint keeps beside its state: the components, and a savepoint's job file.

use super::{Context, cores};
use crate::failure::Failure;
use crate::job_file::{JobFile, SourceText, parse};
use crate::plugin_origin::{PluginOrigins, refuse_newer_worlds, stored_plugins};
use crate::storage::with_savepoint;
use std::path::PathBuf;
use weir_engine::checkpoint::Store;
use weir_engine::job::{JobGraph, Origin, SavepointOpener, load_metadata, open_savepoint, savepoint_job_file};
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::WasmEngine;

/// The job file of a savepoint. Its relative paths begin where they did when the savepoint was taken, or here where that folder is no more.
pub(super) fn job_of_savepoint(context: &Context, url: &str) -> Result<JobFile, Failure> {
    let (folder, text) = with_savepoint(url, |store, runtime| async move {
        let (savepoint, _) = open_savepoint(&*store, &*runtime.clock).await?;
        let text = savepoint_job_file(&*store, &*runtime.clock, &savepoint).await?;
        Ok((savepoint.job_folder, text))
    })?;
    let Some(text) = text else {
        let message = format!("the savepoint {url} holds no job file");
        return Err(Failure::Usage { message, hint: format!("name one: `weir run JOB --from {url}`") });
    };
    let text = String::from_utf8(text.into())
        .map_err(|error| EngineError::new(ErrorKind::Corrupt, format!("read the job file of the savepoint {url}: {error}")))?;
    let folder = match folder.map(PathBuf::from).filter(|folder| folder.is_dir()) {
        Some(folder) => folder,
        None => std::env::current_dir()
            .map_err(|error| EngineError::new(ErrorKind::FixInput, format!("find the folder that weir was started in: {error}")))?,
    };
    context.screen.notice(&format!("the job file is the savepoint's; its relative paths begin at {}", folder.display()));
    Ok(parse(SourceText { name: format!("{url}/job.toml").into(), text: text.into() }, &folder, cores())?)
}

/// Refuses to start where a newer weir left off. What cannot be read is left to the start itself, which says so.
pub(super) async fn refuse_newer_origin(
    (job, graph, drops): (&JobFile, &JobGraph, &[String]),
    origin: Result<Origin, EngineError>,
    store: &dyn Store,
    (savepoints, clock): (&SavepointOpener, &dyn Clock),
    engine: impl Fn() -> Result<WasmEngine, EngineError>,
) -> Result<(), EngineError> {
    match origin {
        Ok(Origin::Beginning) | Err(_) => Ok(()),
        Ok(Origin::Checkpoint(checkpoint)) => match load_metadata(store, clock, &checkpoint).await {
            Ok(metadata) => refuse_newer_worlds((job, graph, drops), &metadata, store, clock, engine).await,
            Err(_) => Ok(()),
        },
        Ok(Origin::Savepoint(url)) => {
            let Ok(store) = savepoints(&url).await else { return Ok(()) };
            let Ok((_, metadata)) = open_savepoint(&*store, clock).await else { return Ok(()) };
            refuse_newer_worlds((job, graph, drops), &metadata, &*store, clock, engine).await
        }
    }
}

/// The components that the operators of `job` ran where it starts from.
pub(super) async fn pinned_plugins(
    job: &JobFile,
    (origin, drops): (Origin, &[String]),
    store: &dyn Store,
    savepoints: &SavepointOpener,
    clock: &dyn Clock,
) -> Result<PluginOrigins, EngineError> {
    match origin {
        Origin::Beginning => {
            let message = "run the components that are kept with a checkpoint: the job starts from none";
            Err(EngineError::new(ErrorKind::FixInput, message)
                .with_hint("leave `--pinned` out: the first checkpoint keeps the job file's plugins"))
        }
        Origin::Checkpoint(checkpoint) => {
            let metadata = load_metadata(store, clock, &checkpoint).await?;
            stored_plugins(job, &metadata, drops, store, clock).await
        }
        Origin::Savepoint(url) => {
            let store = savepoints(&url).await?;
            let (_, metadata) = open_savepoint(&*store, clock).await?;
            stored_plugins(job, &metadata, drops, &*store, clock).await
        }
    }
}
