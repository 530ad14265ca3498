//! Why a command did not do what it was asked to, and the exit code that says so.

use crate::job_file::{JobFile, JobFileError, ProblemDocument};
use weir_engine::EngineError;

/// Exit code of a run that failed, a job that was taken over, a plugin that does not fit, a checkpoint that is not there.
pub const FAILED: u8 = 1;
/// Exit code of bad usage and of a bad job file.
pub const BAD_INPUT: u8 = 2;
/// Exit code of a second Ctrl-C.
pub const INTERRUPTED: i32 = 130;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that does not go together.
    Usage {
        /// What.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// The job file is wrong.
    JobFile(JobFileError),
    /// Everything was asked for rightly and something failed.
    Engine(EngineError),
}

impl Failure {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::JobFile(_) => BAD_INPUT,
            Self::Engine(_) => FAILED,
        }
    }

    /// For people, on a terminal with or without colours.
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Usage { message, hint } => plain(message, Some(hint)),
            Self::JobFile(error) => error.render(colour),
            Self::Engine(error) => plain(&error.to_string(), error.hint()),
        }
    }

    /// In one text, for documents.
    pub fn text(&self) -> String {
        match self {
            Self::Usage { message, .. } => message.clone(),
            Self::JobFile(error) => error.to_string(),
            Self::Engine(error) => error.to_string(),
        }
    }

    /// What to do instead, where one thing can be said.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Usage { hint, .. } => Some(hint),
            Self::JobFile(_) => None,
            Self::Engine(error) => error.hint(),
        }
    }
}

impl Failure {
    /// The job file's problems, one by one, for documents.
    pub fn problems(&self) -> Vec<ProblemDocument> {
        match self {
            Self::JobFile(error) => error.documents(),
            Self::Usage { .. } | Self::Engine(_) => Vec::new(),
        }
    }

    /// Why a job failed that runs `job`: at a place of the job file where it is that that was refused.
    pub fn of_job(job: &JobFile, error: EngineError) -> Self {
        match error.unopened().and_then(|id| job.does_not_open(id, &error)) {
            Some(problem) => Self::JobFile(JobFileError { source: job.source.clone(), problems: vec![problem] }),
            None => Self::Engine(job.located(error)),
        }
    }
}

/// `error: …` with the hint below.
fn plain(message: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("error: {message}\n  hint: {hint}\n"),
        None => format!("error: {message}\n"),
    }
}

impl From<JobFileError> for Failure {
    fn from(error: JobFileError) -> Self {
        Self::JobFile(error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}
