//! What can be said on the command line.

mod state;

pub use state::{AtArgs, FormArgs, KeyArgs, OperatorArgs, RowFormat, StateCommand};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// Runs stream processing jobs whose operators are sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "weir", version, arg_required_else_help = true)]
#[command(
    after_help = "Example:\n  weir run plugins/flight-delays/job.toml\n\nExit codes:\n  0  finished, already finished, or stopped cleanly\n  1  failed, taken over by another process, unfit plugin, unknown checkpoint\n  2  bad usage or a bad job file\n  130  a second Ctrl-C, without a last checkpoint"
)]
pub struct WeirArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: WeirCommand,
    /// What standard output carries: text for people, or one JSON document.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// No progress and no notices on standard error, only errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What standard output carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    Text,
    /// One JSON document.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum WeirCommand {
    /// Runs a job; goes on from its newest completed checkpoint where there is one.
    #[command(after_help = "Examples:\n  weir run job.toml\n  weir run job.toml --fresh\n  weir run job.toml --from 12 --output json")]
    Run(RunArgs),
    /// Checks everything that can be known without running, and prints the plan.
    #[command(after_help = "Example:\n  weir check job.toml\n\nPlugins that are missing or older than their sources are built first.")]
    Check(JobArgs),
    /// Looks at plugins.
    #[command(subcommand, after_help = "Example:\n  weir plugin inspect my_plugin.wasm")]
    Plugin(PluginCommand),
    /// Looks at the checkpoints of a job.
    #[command(subcommand, after_help = "Example:\n  weir checkpoint list job.toml")]
    Checkpoint(CheckpointCommand),
    /// Looks into the state in a job's checkpoints, without the operators' code.
    #[command(subcommand, after_help = "Example:\n  weir state list job.toml")]
    State(StateCommand),
    /// Prints a script that completes weir's commands in a shell.
    #[command(after_help = "Example:\n  weir completions bash > ~/.local/share/bash-completion/completions/weir")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// A job.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// The job file.
    pub job: PathBuf,
}

/// How to run a job.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job file.
    pub job: PathBuf,
    /// Start over, without state. Committed output stays.
    #[arg(long, conflicts_with = "from")]
    pub fresh: bool,
    /// Start from this checkpoint; given again, go on with what it began.
    #[arg(long, value_name = "CHECKPOINT")]
    pub from: Option<String>,
    /// With --from: start from the checkpoint once more, also where it was started from before.
    #[arg(long, requires = "from")]
    pub again: bool,
    /// Go on although output that a checkpoint covers is gone; what is given up is named.
    #[arg(long)]
    pub accept_lost_output: bool,
}

/// Looks at plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Shows what a plugin declares: name, version, inputs, outputs, states, imports, digest.
    #[command(after_help = "Example:\n  weir plugin inspect target/wasm32-unknown-unknown/release/my_plugin.wasm --output json")]
    Inspect {
        /// A component, or a core module that carries its component type.
        file: PathBuf,
    },
    /// Says whether a file is a plugin of this weir, and what is wrong where it is not.
    #[command(after_help = "Example:\n  weir plugin check target/wasm32-unknown-unknown/release/my_plugin.wasm")]
    Check {
        /// A component, or a core module that carries its component type.
        file: PathBuf,
    },
}

/// Looks at the checkpoints of a job.
#[derive(Debug, Subcommand)]
pub enum CheckpointCommand {
    /// Lists them, newest first.
    #[command(after_help = "Example:\n  weir checkpoint list job.toml")]
    List(JobArgs),
    /// Shows one: state and source positions by vertex and subtask.
    #[command(after_help = "Example:\n  weir checkpoint inspect job.toml 12")]
    Inspect {
        /// The job file.
        job: PathBuf,
        /// The checkpoint's id.
        id: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_is_consistent_and_every_command_has_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "`{}` has no example", command.get_name());
            command.get_subcommands().filter(|sub| sub.get_name() != "help").for_each(check);
        }
        WeirArgs::command().debug_assert();
        check(&WeirArgs::command());
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        let refused = |line: &str| WeirArgs::try_parse_from(line.split(' ')).err().map(|error| error.exit_code());
        assert_eq!(refused("weir run job.toml --fresh --from 3"), Some(2));
        assert_eq!(refused("weir run job.toml --again"), Some(2));
        assert_eq!(refused("weir run job.toml --from 3 --again -q --output json"), None);
        assert_eq!(refused("weir checkpoint inspect job.toml x"), Some(2));
        assert_eq!(refused("weir state get job.toml count"), Some(2));
        assert_eq!(refused("weir state get job.toml count --key a --key-hex 00"), Some(2));
        assert_eq!(refused("weir state get job.toml count --key-hex 00 --state totals --at 3 --format csv"), None);
    }
}
