//! One file for each command. A command gives its document, or says why it could not.

mod check;
mod checkpoint;
mod dry_run;
mod held;
mod pinned;
mod plugin;
mod replay;
mod rerun;
mod run;
mod running;
mod savepoint;
mod state;

use crate::args::{CheckpointCommand, Output, PluginCommand, SavepointCommand, WeirArgs, WeirCommand};
use crate::assemble::connector_problems;
use crate::compiler::Compiler;
use crate::documents::{FailureDocument, SCHEMA};
use crate::failure::Failure;
use crate::job_file::{JobFile, load};
use crate::screen::Screen;
use crate::signals::Held;
use crate::standard_output;
use clap::CommandFactory;
use clap::builder::StyledStr;
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
}

/// The default of `parallelism`.
pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

/// Does what the command line says. Returns the exit code.
pub(crate) fn dispatch(args: WeirArgs, held: Held) -> u8 {
    // Only a run listens for signals.
    let held = Some(held).filter(|_| matches!(args.command, WeirCommand::Run(_)));
    let screen = Screen::of_process(args.quiet);
    let context = Context { output: args.output, compiler: Compiler::new(screen.clone()), screen };
    if let Err(failure) = context.screen.take_logs() {
        return failed(&context, &failure);
    }
    let done = match args.command {
        WeirCommand::Run(run) => return run::run(&context, &run, held),
        WeirCommand::Jobs => running::jobs(&context),
        WeirCommand::Status(job) => running::status(&context, &job.job),
        WeirCommand::Stop(stop) => running::stop(&context, &stop),
        WeirCommand::Cancel(job) => running::cancel(&context, &job.job),
        WeirCommand::Rescale(rescale) => running::rescale(&context, &rescale),
        WeirCommand::Upgrade(upgrade) if upgrade.dry_run => dry_run::upgrade(&context, &upgrade),
        WeirCommand::Upgrade(upgrade) => running::upgrade(&context, &upgrade),
        WeirCommand::Check(job) => check::check(&context, &job),
        WeirCommand::Plugin(PluginCommand::Inspect { file }) => plugin::inspect(&context, &file),
        WeirCommand::Plugin(PluginCommand::Check { file }) => plugin::check(&context, &file),
        WeirCommand::Plugin(PluginCommand::Pack { module, component }) => plugin::pack(&context, &module, &component),
        WeirCommand::Checkpoint(CheckpointCommand::Trigger(job)) => running::trigger(&context, &job.job),
        WeirCommand::Checkpoint(CheckpointCommand::List(job)) => checkpoint::list(&context, &job.job),
        WeirCommand::Checkpoint(CheckpointCommand::Inspect { job, id }) => checkpoint::inspect(&context, &job, id),
        WeirCommand::Savepoint(SavepointCommand::Create(create)) => running::create_savepoint(&context, &create),
        WeirCommand::Savepoint(SavepointCommand::List(job)) => savepoint::list(&context, &job.job),
        WeirCommand::Savepoint(SavepointCommand::Inspect(savepoint)) => savepoint::inspect(&context, &savepoint.url),
        WeirCommand::Savepoint(SavepointCommand::Verify(savepoint)) => savepoint::verify(&context, &savepoint.url),
        WeirCommand::Savepoint(SavepointCommand::Delete(savepoint)) => savepoint::delete(&context, &savepoint.url),
        WeirCommand::Replay(replay) => replay::replay(&context, &replay),
        WeirCommand::State(command) => state::run(&context, &command),
        WeirCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut WeirArgs::command(), "weir", &mut script);
            standard_output::print(&String::from_utf8_lossy(&script)).map(|()| 0)
        }
    };
    done.unwrap_or_else(|failure| failed(&context, &failure))
}

/// Prints help or the version, which are no errors. The exit code.
pub(crate) fn help(text: &StyledStr) -> u8 {
    let text = if standard_output::has_colours() { text.ansi().to_string() } else { text.to_string() };
    let Err(failure) = standard_output::print(&text) else { return 0 };
    let screen = Screen::of_process(false);
    screen.error(&failure.render(screen.colour()));
    failure.exit_code()
}

/// Says why a command failed, in a document too where one is wanted. The exit code.
fn failed(context: &Context, failure: &Failure) -> u8 {
    tell(context, failure);
    if context.output == Output::Json
        && let Err(unwritten) = context.print(&failure_document(failure), String::new)
    {
        tell(context, &unwritten);
    }
    failure.exit_code()
}

/// Says on standard error why a command failed.
pub(crate) fn tell(context: &Context, failure: &Failure) {
    context.screen.error(&failure.render(context.screen.colour()));
}

fn failure_document(failure: &Failure) -> FailureDocument {
    FailureDocument { schema: SCHEMA, error: failure.text(), hint: failure.hint().map(str::to_owned), problems: failure.problems() }
}
