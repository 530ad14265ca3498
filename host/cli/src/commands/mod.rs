//! The commands, by what they need: `run` and `check` a job file, `dev` that and what its plugins are made from, `running` a job that runs, `stored` and `state` what one has stored, `again` that and its
//! plugins, `plugin` a file, `artefact` what is in a registry, `project` a plugin's project, `plugin_test` a job file and what is to come of its plugins, `bench` weir's own processes. No command knows another. Each gives its document, or says why it could not.

mod again;
mod artefact;
mod bench;
mod check;
mod dev;
mod plugin;
mod plugin_test;
mod project;
mod run;
mod running;
mod sizes;
mod state;
mod stored;

use crate::args::{BenchCommand, CheckpointCommand, Output, PluginCommand, SavepointCommand, WeirArgs, WeirCommand};
use crate::context::{Context, tell};
use crate::documents::{FailureDocument, SCHEMA};
use crate::failure::Failure;
use crate::plugins::Compiler;
use crate::terminal::{HeldSignals, Screen, standard_output};
use clap::CommandFactory;
use clap::builder::StyledStr;

/// Whether the plugins of a command are being written.
fn is_developing(command: &WeirCommand) -> bool {
    match command {
        WeirCommand::Run(run) => run.developed,
        WeirCommand::Dev(_) | WeirCommand::Plugin(PluginCommand::Build { .. }) => true,
        _ => false,
    }
}

/// Does what the command line says. Returns the exit code.
pub(crate) fn dispatch(args: WeirArgs, held: HeldSignals) -> u8 {
    // Only a run listens for signals.
    let held = Some(held).filter(|_| matches!(args.command, WeirCommand::Run(_)));
    let screen = Screen::of_process(args.quiet);
    let context = Context { output: args.output, compiler: Compiler::new(screen.clone(), is_developing(&args.command)), screen };
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
        WeirCommand::Upgrade(upgrade) if upgrade.dry_run => again::dry_run(&context, &upgrade),
        WeirCommand::Upgrade(upgrade) => running::upgrade(&context, &upgrade),
        WeirCommand::Dev(args) => dev::dev(&context, &args),
        WeirCommand::Check(job) => check::check(&context, &job),
        WeirCommand::Plugin(PluginCommand::Inspect(args)) => plugin::inspect(&context, &args),
        WeirCommand::Plugin(PluginCommand::Check(args)) => plugin::check(&context, &args),
        WeirCommand::Plugin(PluginCommand::Pack { module, component }) => plugin::pack(&context, &module, &component),
        WeirCommand::Plugin(PluginCommand::New { name, language }) => project::new(&context, &name, language),
        WeirCommand::Plugin(PluginCommand::Build { folder }) => project::build(&context, &folder),
        WeirCommand::Plugin(PluginCommand::Sdk { folder }) => project::sdk(&context, &folder),
        WeirCommand::Plugin(PluginCommand::Push { file, reference, insecure_http }) => {
            artefact::push(&context, &file, &reference, insecure_http)
        }
        WeirCommand::Plugin(PluginCommand::Pull { reference, file, insecure_http }) => {
            artefact::pull(&context, &reference, file.as_deref(), insecure_http)
        }
        WeirCommand::Plugin(PluginCommand::Test(args)) => plugin_test::test(&context, &args),
        WeirCommand::Checkpoint(CheckpointCommand::Trigger(job)) => running::trigger(&context, &job.job),
        WeirCommand::Checkpoint(CheckpointCommand::List(job)) => stored::checkpoint::list(&context, &job.job),
        WeirCommand::Checkpoint(CheckpointCommand::Inspect { job, id }) => stored::checkpoint::inspect(&context, &job, id),
        WeirCommand::Savepoint(SavepointCommand::Create(create)) => running::create_savepoint(&context, &create),
        WeirCommand::Savepoint(SavepointCommand::List(job)) => stored::savepoint::list(&context, &job.job),
        WeirCommand::Savepoint(SavepointCommand::Inspect(savepoint)) => stored::savepoint::inspect(&context, &savepoint.url),
        WeirCommand::Savepoint(SavepointCommand::Verify(savepoint)) => stored::savepoint::verify(&context, &savepoint.url),
        WeirCommand::Savepoint(SavepointCommand::Delete(savepoint)) => stored::savepoint::delete(&context, &savepoint.url),
        WeirCommand::Replay(replay) => again::replay(&context, &replay),
        WeirCommand::Bench(BenchCommand::Nexmark(args)) => bench::nexmark(&context, &args),
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

fn failure_document(failure: &Failure) -> FailureDocument {
    FailureDocument { schema: SCHEMA, error: failure.text(), hint: failure.hint().map(str::to_owned), problems: failure.problems() }
}
