//! What every command is handed: where its document goes, where everything else goes, and what compiles plugins.

use crate::args::Output;
use crate::assemble::connector_problems;
use crate::failure::Failure;
use crate::job_file::{JobFile, load};
use crate::plugins::Compiler;
use crate::process::cores;
use crate::terminal::{Screen, standard_output};
use serde::Serialize;
use std::path::Path;

/// What every command is handed.
pub(crate) struct Context {
    /// What standard output carries.
    pub output: Output,
    /// Everything else goes there.
    pub screen: Screen,
    /// What compiles plugins.
    pub compiler: Compiler,
}

impl Context {
    /// Prints the document: as JSON, or the text that stands for it.
    pub fn print(&self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let printed = match self.output {
            Output::Json => serde_json::to_string_pretty(document).expect("a document is JSON") + "\n",
            Output::Text => text(),
        };
        standard_output::print(&printed)
    }

    /// The same for a command that has changed something.
    pub fn print_done(&self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        self.print(document, text).map_err(standard_output::although_done)
    }

    /// Reads a job file.
    pub fn job(&self, path: &Path) -> Result<JobFile, Failure> {
        Ok(load(path, cores(), connector_problems)?)
    }

    /// Reads a job file to look at what the job has left: what its steps would need to run, a secret for instance, need not be there.
    pub fn stored_job(&self, path: &Path) -> Result<JobFile, Failure> {
        Ok(load(path, cores(), |_| Vec::new())?)
    }
}

/// Says on standard error why a command failed.
pub(crate) fn tell(context: &Context, failure: &Failure) {
    context.screen.error(&failure.render(context.screen.colour()));
}
