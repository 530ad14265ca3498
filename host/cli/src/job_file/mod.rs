//! Reads a job file: TOML in, a [`JobFile`] with every default filled in out, or all of the file's problems at once, each with its
//! place and a hint.
//!
//! A setting that is not built yet is refused by name. What needs a plugin or a connector to be known (their own settings, declared
//! inputs and outputs) is checked in [`crate::assemble`] and becomes a [`Problem`] of the same file.

mod api;
mod graph;
mod model;
mod nearby;
mod plugin_place;
mod problem;
mod rescale;
mod section;
mod settings;
mod steps;
mod suggest;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod watermark;
mod window;
mod written;

pub use api::Api;
pub(crate) use api::api_token;
pub use model::{Code, Input, JobFile, OnFailure, OperatorStep, Partitioning, PluginCode, Settings, SourceStep};
pub use plugin_place::{BadPlace, OciReference, PluginPlace};
pub use problem::{JobFileError, Problem, ProblemDocument, SourceText, Span, StepPlace};
pub use section::Located;
#[cfg(test)]
pub(crate) use tables::NATIVE_OPERATORS;

pub(crate) use nearby::hint as nearby_jobs;
pub(crate) use problem::Reporter;
pub(crate) use suggest::{hint as suggest, list as list_words};
pub(crate) use written::{duration_text, size_text};

use section::Section;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use toml::de::DeTable;

/// A job file is read whole; nobody writes a longer one by hand.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Reads the job file at `path`. `cores` is the default of `parallelism`. `more` finds what else is wrong with a file that has problems
/// already, and is handed what could be understood of it.
pub fn load(path: &Path, cores: u32, more: impl FnOnce(&JobFile) -> Vec<Problem>) -> Result<JobFile, JobFileError> {
    let name: Arc<str> = path.display().to_string().into();
    let refused = |problem: Problem| {
        let source = SourceText { name: Arc::clone(&name), text: "".into() };
        JobFileError { source, problems: vec![problem] }
    };
    let unreadable = |message: String| refused(Problem::new(0..0, message));
    let text = read(path).map_err(|error| {
        let problem = Problem::new(0..0, format!("read the job file {}: {error}", path.display()));
        refused(match nearby::hint(path, error.kind()) {
            Some(hint) => problem.hint(hint),
            None => problem,
        })
    })?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let folder = std::path::absolute(folder).map_err(|error| unreadable(format!("find the folder of {}: {error}", path.display())))?;
    let (job, mut problems) = understand(SourceText { name: Arc::clone(&name), text: text.into() }, &folder, cores)?;
    if !problems.is_empty() {
        problems.extend(more(&job));
    }
    job.refuse(problems)?;
    Ok(job)
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(FILE_MAX_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_MAX_BYTES {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it has more than 1 MiB"));
    }
    Ok(text)
}

/// Understands a job file's text. `folder` is what its relative paths are relative to.
pub fn parse(source: SourceText, folder: &Path, cores: u32) -> Result<JobFile, JobFileError> {
    let (job, problems) = understand(source, folder, cores)?;
    job.refuse(problems)?;
    Ok(job)
}

/// What can be understood of a text, and what is wrong with it. Where there are problems, steps and inputs may be missing.
fn understand(source: SourceText, folder: &Path, cores: u32) -> Result<(JobFile, Vec<Problem>), JobFileError> {
    let text = Arc::clone(&source.text);
    let (table, errors) = DeTable::parse_recoverable(&text);
    let broken =
        errors.iter().map(|error| Problem::new(error.span().unwrap_or(0..0), format!("this is not TOML: {}", error.message().trim_end())));
    // A table that was only half understood would bring problems that are none.
    JobFileError::unless_none(&source, broken.collect())?;

    let reporter = Reporter::default();
    let top = Section::new(section::TOP, 0..0, table.get_ref(), tables::HEAD, &reporter);
    let head = settings::read_head(&top, cores);
    let checkpoints = settings::read_checkpoints(&top);
    let (restart, restart_shown) = settings::read_restart(&top);
    let api = api::read_api(&top);
    let raw = graph::RawSteps {
        sources: top.tables("source").into_iter().map(|(id, section)| steps::read_source(id, section)).collect(),
        operators: top.tables("operator").into_iter().map(|(id, section)| steps::read_operator(id, section)).collect(),
        sinks: top.tables("sink").into_iter().map(|(id, section)| steps::read_sink(id, section)).collect(),
    };
    top.finish();
    let end = text.trim_end().len();
    let graph::Steps { sources, operators, sinks } = graph::connect(raw, &head, end..end, &reporter);
    let settings::Head { name, parallelism, says_parallelism, max_parallelism } = head;
    let folder = folder.to_owned();
    let job = JobFile {
        source,
        folder,
        name,
        parallelism,
        says_parallelism,
        max_parallelism,
        checkpoints,
        restart,
        restart_shown,
        api,
        sources,
        operators,
        sinks,
    };
    if let Some((input, message)) = job.crowded() {
        reporter.add(Problem::new(input.span.clone(), message).hint("a step seldom needs more subtasks than the machine has cores"));
    }
    Ok((job, reporter.finish()))
}
