//! What can be said on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
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
    #[command(
        after_help = "Examples:\n  weir run job.toml\n  weir run job.toml --fresh\n  weir run job.toml --from 12 --output json\n  weir run job.toml --from file:/backups/delays-1"
    )]
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
    /// Looks at savepoints: copies of checkpoints that belong to you.
    #[command(subcommand, after_help = "Example:\n  weir savepoint inspect file:/backups/delays-1")]
    Savepoint(SavepointCommand),
    /// Replaces the plugin of an operator; with --dry-run says what another one would do differently, and changes nothing.
    #[command(
        after_help = "Examples:\n  weir upgrade job.toml --operator count --plugin new.wasm --dry-run\n  weir upgrade job.toml --operator count --plugin new.wasm --dry-run --from file:/backups/counts-1 --records 100000\n\nThe sources are read from the checkpoint's positions on, and both versions work on a copy of its state.\nExit codes: 0 where the two agree, 1 where they do not."
    )]
    Upgrade(UpgradeArgs),
    /// Runs an operator again, alone and from a checkpoint on, and prints what it is given and what comes of it, one JSON line for each record.
    #[command(
        after_help = "Examples:\n  weir replay job.toml --operator count\n  weir replay job.toml --operator count --key N14228 --from 12 --records 100000"
    )]
    Replay(ReplayArgs),
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
    /// Start from this checkpoint (its id) or savepoint (its URL or path); given again, go on with what it began.
    #[arg(long, value_name = "CHECKPOINT|SAVEPOINT")]
    pub from: Option<String>,
    /// With --from: start from the checkpoint once more, also where it was started from before.
    #[arg(long, requires = "from")]
    pub again: bool,
    /// Go on although output that a checkpoint covers is gone; what is given up is named.
    #[arg(long)]
    pub accept_lost_output: bool,
}

/// How to replace a plugin.
#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// The job file.
    pub job: PathBuf,
    /// The operator's id in the job file.
    #[arg(long, value_name = "ID")]
    pub operator: String,
    /// The new plugin: a component, or a core module that carries its component type.
    #[arg(long, value_name = "FILE")]
    pub plugin: PathBuf,
    /// Only compare the two, on the job's own input and state.
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run: from this checkpoint (its id) or savepoint (its URL or path), in place of the newest checkpoint.
    #[arg(long, value_name = "CHECKPOINT|SAVEPOINT", requires = "dry_run")]
    pub from: Option<String>,
    /// With --dry-run: how many records the two are given at most.
    #[arg(long, value_name = "N", requires = "dry_run", default_value_t = REPLAYED, value_parser = value_parser!(u64).range(1..=REPLAYED_MAX))]
    pub records: u64,
    /// How long the new plugin is on probation, for example `30s`.
    #[arg(long, value_name = "TIME", conflicts_with = "dry_run")]
    pub probation: Option<String>,
    /// Go on although a sink cannot hold its output back, so that some may repeat.
    #[arg(long, conflicts_with = "dry_run")]
    pub allow_repeat: bool,
}

/// What to run again.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The job file.
    pub job: PathBuf,
    /// The operator's id in the job file.
    #[arg(long, value_name = "ID")]
    pub operator: String,
    /// Print only the records with this key.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// From this checkpoint (its id) or savepoint (its URL or path), in place of the newest checkpoint.
    #[arg(long, value_name = "CHECKPOINT|SAVEPOINT")]
    pub from: Option<String>,
    /// How many records the operator is given at most.
    #[arg(long, value_name = "N", default_value_t = REPLAYED, value_parser = value_parser!(u64).range(1..=REPLAYED_MAX))]
    pub records: u64,
}

/// Records that an operator is given again, unless the command line says otherwise;
const REPLAYED: u64 = 10_000;
/// and the most that it may ask for.
const REPLAYED_MAX: u64 = 1_000_000;

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

/// Looks at savepoints.
#[derive(Debug, Subcommand)]
pub enum SavepointCommand {
    /// Lists the savepoints that were taken of a job, newest first, and whether they are still where they were written.
    #[command(after_help = "Example:\n  weir savepoint list job.toml")]
    List(JobArgs),
    /// Shows one: its operators with their states, its components, its sources' positions.
    #[command(after_help = "Example:\n  weir savepoint inspect file:/backups/delays-1 --output json")]
    Inspect(SavepointArgs),
    /// Reads all of it and checks every checksum. Exits with 1 where something is missing or damaged.
    #[command(after_help = "Example:\n  weir savepoint verify s3://bucket/delays-1")]
    Verify(SavepointArgs),
    /// Deletes one, and nothing else that may lie in its folder.
    #[command(after_help = "Example:\n  weir savepoint delete file:/backups/delays-1")]
    Delete(SavepointArgs),
}

/// A savepoint.
#[derive(Debug, Args)]
pub struct SavepointArgs {
    /// Its folder: a path, `file:FOLDER` or `s3://BUCKET/PREFIX`.
    pub url: String,
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
        let upgrade = |rest: &str| refused(format!("weir upgrade job.toml --operator a --plugin a.wasm {rest}").trim_end());
        assert_eq!((upgrade(""), upgrade("--dry-run --from 3 --records 5")), (None, None));
        assert_eq!([upgrade("--from 3"), upgrade("--records 5"), upgrade("--dry-run --probation 3s")], [Some(2); 3]);
        assert_eq!(refused("weir replay job.toml --operator a --records 0"), Some(2));
    }
}
