//! What a job starts from: the point that is named, its plugins built, found by what refers to them, or as they were kept, and what of its state is given up.

mod pinned;
mod references;

use crate::failure::Failure;
use crate::job_file::JobFile;
use crate::plugins::{BuildEnvironment, PluginOrigin, PluginOrigins, ensure_built};
use crate::storage::savepoint_url;
use crate::terminal::Screen;
use std::path::Path;
use weir_engine::checkpoint::RestoreOptions;
use weir_engine::element::CheckpointId;

pub(crate) use pinned::{job_of_savepoint, metadata_of, pinned_plugins};
pub(crate) use references::{Lineage, Named, NamedBy, named_plugin, pins_of, pulled, referenced_now, referenced_plugins};

/// What `--from` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StartPoint {
    /// A checkpoint of the job.
    Checkpoint(CheckpointId),
    /// A savepoint, by its absolute URL.
    Savepoint(String),
}

/// Reads the argument of `--from`.
pub(crate) fn start_point(from: &str, job: &Path) -> Result<StartPoint, Failure> {
    match from.parse() {
        Ok(id) => Ok(StartPoint::Checkpoint(CheckpointId(id))),
        Err(_) if from.contains([':', '/']) => Ok(StartPoint::Savepoint(savepoint_url(from)?)),
        Err(_) => Err(Failure::Usage {
            message: format!("`--from {from}`: this is neither a checkpoint id nor the URL or path of a savepoint"),
            hint: format!("`weir checkpoint list {}` shows the ids; a path has a slash: `./{from}`", job.display()),
        }),
    }
}

/// What the job file and the command line say of steps that have changed.
pub(crate) fn restore_options(job: &JobFile, drops: &[String]) -> RestoreOptions {
    RestoreOptions { renames: job.renames(), drops: drops.iter().cloned().collect() }
}

/// Builds the plugins that are missing or older than their sources, and finds those that are in no file as a job would that begins now.
pub(crate) fn build(screen: &Screen, job: &JobFile) -> Result<PluginOrigins, Failure> {
    let mut plugins = build_files(screen, job)?;
    plugins.extend(referenced_now(screen, job)?);
    Ok(plugins)
}

/// Builds the plugins that are missing or older than their sources. Those that are in no file are not among them.
pub(crate) fn build_files(screen: &Screen, job: &JobFile) -> Result<PluginOrigins, Failure> {
    let built = ensure_built(job, &BuildEnvironment::of_process(), &|line| screen.notice(line))?;
    Ok(built.into_iter().map(|(id, path)| (id, PluginOrigin::File(path))).collect())
}
