//! What can be said on the command line.

mod bench;
mod plugin;
mod run;
mod state;

pub use bench::{BenchCommand, NexmarkArgs};
pub use plugin::{Language, PluginArgs, PluginCommand, PluginTestArgs};
pub use run::RunArgs;
pub use state::{DiffArgs, FormArgs, KeyArgs, LookArgs, OperatorArgs, RowFormat, StateCommand};

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use clap_complete::Shell;
use std::path::PathBuf;
use std::time::Duration;
use weir_engine::state::MAX_PARALLELISM_LIMIT;

/// Runs stream processing jobs whose operators are sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "weir", version, arg_required_else_help = true)]
#[command(
    after_help = "Example:\n  weir run plugins/flight-delays/job.toml\n\nExit codes:\n  0  finished, already finished, or stopped cleanly\n  1  failed, taken over by another process, run by another process already, unfit plugin, unknown checkpoint; what it has to say could not be written\n  2  bad usage or a bad job file\n  130  a second Ctrl-C, without a last checkpoint\n\nA reader that closes the pipe (`| head`) changes no exit code, but that of a run whose `stdout` sink has lost its reader: 1."
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
        after_help = "Examples:\n  weir run job.toml\n  weir run job.toml --fresh\n  weir run job.toml --from 12 --output json\n  weir run job.toml --from file:/backups/delays-1\n  weir run --from file:/backups/delays-1\n  weir run job.toml --drop-state old-count --drop-state delays.worst"
    )]
    Run(RunArgs),
    /// Checks everything that can be known without running, and prints the plan.
    #[command(
        after_help = "Examples:\n  weir check job.toml\n  weir check job.toml --from 12\n  weir check job.toml --from file:/backups/delays-1 --drop-state old-count\n\nPlugins that are missing or older than their sources are built first."
    )]
    Check(CheckArgs),
    /// Lists the jobs that run on this machine.
    #[command(after_help = "Example:\n  weir jobs --output json")]
    Jobs,
    /// Shows how a running job is doing.
    #[command(after_help = "Example:\n  weir status flight-delays")]
    Status(RunningArgs),
    /// Stops a running job after a last checkpoint, and waits until it has ended.
    #[command(
        after_help = "Examples:\n  weir stop flight-delays\n  weir stop flight-delays --savepoint file:/backups/delays-1\n  weir stop flight-delays --drain"
    )]
    Stop(StopArgs),
    /// Stops a running job at once; `weir run` goes on from its last checkpoint.
    #[command(after_help = "Example:\n  weir cancel flight-delays")]
    Cancel(RunningArgs),
    /// Gives a running job another parallelism: it goes through a checkpoint, and nothing is lost or doubled. Steps on standard input and output keep theirs.
    #[command(
        after_help = "Examples:\n  weir rescale flight-delays --parallelism 4\n  weir rescale flight-delays --parallelism 4 --operator delays"
    )]
    Rescale(RescaleArgs),
    /// Looks at plugins.
    #[command(subcommand, after_help = "Example:\n  weir plugin inspect my_plugin.wasm")]
    Plugin(PluginCommand),
    /// Takes checkpoints, and looks at those of a job.
    #[command(subcommand, after_help = "Example:\n  weir checkpoint list job.toml")]
    Checkpoint(CheckpointCommand),
    /// Takes savepoints, copies of checkpoints that belong to you, and looks at them.
    #[command(subcommand, after_help = "Example:\n  weir savepoint inspect file:/backups/delays-1")]
    Savepoint(SavepointCommand),
    /// Lets another component take over for an operator of a running job, at one barrier and on its state as it is; with --dry-run only says what it would
    /// do differently.
    #[command(
        after_help = "Examples:\n  weir upgrade flight-delays --operator delays --plugin delays_v2.wasm --probation 30s\n  weir upgrade words --operator count --plugin oci:ghcr.io/team/count:1.3.0\n  weir upgrade job.toml --operator count --plugin new.wasm --dry-run\n  weir upgrade job.toml --operator count --plugin new.wasm --dry-run --from file:/backups/counts-1 --records 100000\n\nUntil the probation is over, output is held back. If the new component fails meanwhile, the job goes back to the barrier\nwith the old one, by itself: exit code 1.\n\n--dry-run: the sources are read from the checkpoint's positions on, and both versions work on a copy of its state.\nEvent time goes on as the records bring it, so windows and timers fire; the clock stands still at the checkpoint's time.\nExit codes: 0 where the two agree, 1 where they do not."
    )]
    Upgrade(UpgradeArgs),
    /// Runs an operator again, alone and from a checkpoint on, and prints what it is given and what comes of it, one JSON line for each record.
    #[command(
        after_help = "Examples:\n  weir replay job.toml --operator count\n  weir replay job.toml --operator count --key N14228 --from 12 --records 100000\n\nWith `record = true` on the operator, this is the run that there was: its subtasks are called as they were, from the newest checkpoint that\na recorded one followed, as far as checkpoints are kept. Else the sources are read again: a possible run, in which event\ntime goes on as the records bring it and the clock stands still. Windows and timers that fire are lines of their own."
    )]
    Replay(ReplayArgs),
    /// Runs a job, and swaps each operator for what was saved of it meanwhile: its plugin is built anew, and takes over at a barrier, on the state as it is.
    #[command(
        after_help = "Examples:\n  weir dev job.toml\n  weir dev job.toml --fresh --reset-state\n\nA plugin that does not build, does not fit or traps at once is shown, and the one that runs goes on. What is saved of the job file is\ntaken over behind a checkpoint. Ctrl-C stops the job as it stops `weir run`. A `stdout` sink may print some records again."
    )]
    Dev(DevArgs),
    /// Looks into the state in checkpoints and savepoints, without the operators' code.
    #[command(subcommand, after_help = "Example:\n  weir state list job.toml")]
    State(StateCommand),
    /// Measures how fast weir is.
    #[command(subcommand, after_help = "Example:\n  weir bench nexmark --query q5")]
    Bench(BenchCommand),
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
    /// The job file, or the name of a running job.
    pub job: PathBuf,
}

/// What of a job to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The job file.
    pub job: PathBuf,
    /// Also show what a run from this checkpoint (its id) or savepoint (its URL or path) takes over, and why it would be refused.
    #[arg(long, value_name = "CHECKPOINT|SAVEPOINT")]
    pub from: Option<String>,
    /// With --from: as with `weir run`.
    #[arg(long, value_name = "ID", requires = "from")]
    pub drop_state: Vec<String>,
    /// With --from: what `weir run --pinned` takes, the components that are kept there.
    #[arg(long, requires = "from")]
    pub pinned: bool,
}

/// What to develop.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The job file.
    pub job: PathBuf,
    /// Begin without state. Committed output stays.
    #[arg(long)]
    pub fresh: bool,
    /// Give up, without asking, what is kept of a state that a new plugin has with another type, or has no more; also where that was so when this began.
    #[arg(long)]
    pub reset_state: bool,
}

/// A running job.
#[derive(Debug, Args)]
pub struct RunningArgs {
    /// Its name, or its job file.
    pub job: String,
}

/// How to stop a job.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Its name, or its job file.
    pub job: String,
    /// Make a savepoint of where it stops: its URL or path; without one a folder beside the checkpoints.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub savepoint: Option<String>,
    /// End the input first: what has been read is worked off, and the job is finished.
    #[arg(long)]
    pub drain: bool,
}

/// How to rescale a job.
#[derive(Debug, Args)]
pub struct RescaleArgs {
    /// Its name, or its job file.
    pub job: String,
    /// Number of subtasks.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(MAX_PARALLELISM_LIMIT)))]
    pub parallelism: u32,
    /// Of this step only.
    #[arg(long, value_name = "ID")]
    pub operator: Option<String>,
}

/// How to take a savepoint.
#[derive(Debug, Args)]
pub struct SavepointCreateArgs {
    /// The running job's name, or its job file.
    pub job: String,
    /// Where to: a path, `file:FOLDER` or `s3://BUCKET/PREFIX`, empty or new; without one a folder beside the checkpoints.
    pub url: Option<String>,
    /// Do not wait for records in flight: they become part of the savepoint. At-least-once jobs take none like that.
    #[arg(long)]
    pub unaligned: bool,
}

/// How to replace a plugin.
#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// The running job's name, or its job file.
    pub job: String,
    /// The operator's id in the job file.
    #[arg(long, value_name = "ID")]
    pub operator: String,
    /// The new plugin: a file with a component, or with a core module that carries its component type; or `oci:REGISTRY/NAME:TAG`, which is resolved now.
    #[arg(long, value_name = "PLUGIN")]
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
    /// How long the new plugin has to prove itself: a day at most. A rescale, a savepoint or another upgrade is refused meanwhile.
    #[arg(long, value_name = "TIME", default_value = "30s", conflicts_with = "dry_run", value_parser = probation)]
    pub probation: humantime::Duration,
    /// Go on although a sink cannot hold its output back, so that some may repeat.
    #[arg(long, conflicts_with = "dry_run")]
    pub allow_repeat: bool,
}

/// The longest probation: output is held back meanwhile, and kept.
pub const PROBATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

fn probation(named: &str) -> Result<humantime::Duration, String> {
    let time: humantime::Duration = named.parse().map_err(|error: humantime::DurationError| error.to_string())?;
    if *time > PROBATION_MAX {
        return Err(probation_too_long());
    }
    Ok(time)
}

/// What is said of a longer one, wherever it is asked for.
pub fn probation_too_long() -> String {
    format!("a probation lasts for {} hours at most", PROBATION_MAX.as_secs() / 3_600)
}

/// What to run again.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The job file, or the name of a running job.
    pub job: PathBuf,
    /// The operator's id in the job file.
    #[arg(long, value_name = "ID")]
    pub operator: String,
    /// Print only the records with this key, and what fires of it.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// From this checkpoint (its id) or savepoint (its URL or path), in place of the newest checkpoint.
    #[arg(long, value_name = "CHECKPOINT|SAVEPOINT")]
    pub from: Option<String>,
    /// How many records the operator is given at most: 10,000 from the sources and all that were recorded, unless this says otherwise.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=REPLAYED_MAX))]
    pub records: Option<u64>,
    /// Read the sources again, also where the operator was recorded.
    #[arg(long)]
    pub sources: bool,
}

/// Records that an operator is given again from the sources, unless the command line says otherwise.
pub const REPLAYED: u64 = 10_000;
/// The most records that the command line may ask for.
pub const REPLAYED_MAX: u64 = 1_000_000;

/// Takes checkpoints, and looks at those of a job.
#[derive(Debug, Subcommand)]
pub enum CheckpointCommand {
    /// Has a running job take one now, and waits until it is complete.
    #[command(after_help = "Example:\n  weir checkpoint trigger flight-delays")]
    Trigger(RunningArgs),
    /// Lists them, newest first.
    #[command(after_help = "Example:\n  weir checkpoint list job.toml")]
    List(JobArgs),
    /// Shows one: state and source positions by vertex and subtask.
    #[command(after_help = "Example:\n  weir checkpoint inspect job.toml 12")]
    Inspect {
        /// The job file, or the name of a running job.
        job: PathBuf,
        /// The checkpoint's id.
        id: u64,
    },
}

/// Looks at savepoints.
#[derive(Debug, Subcommand)]
pub enum SavepointCommand {
    /// Takes one of a running job.
    #[command(
        after_help = "Examples:\n  weir savepoint create flight-delays\n  weir savepoint create flight-delays file:/backups/delays-1"
    )]
    Create(SavepointCreateArgs),
    /// Lists the savepoints that were taken of a job, newest first, and whether they are still where they were written.
    #[command(after_help = "Example:\n  weir savepoint list job.toml")]
    List(JobArgs),
    /// Shows one: its operators with their states and how much these hold, its components, its sources' positions.
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
        assert_eq!(refused("weir run job.toml --fresh --drop-state a"), Some(2));
        assert_eq!(refused("weir check job.toml --drop-state a"), Some(2));
        assert_eq!((refused("weir check job.toml --pinned"), refused("weir check job.toml --from 3 --pinned")), (Some(2), None));
        assert_eq!(refused("weir run job.toml --from 3 --again -q --output json"), None);
        assert_eq!(refused("weir checkpoint inspect job.toml x"), Some(2));
        let upgrade = |rest: &str| refused(format!("weir upgrade job.toml --operator a --plugin a.wasm {rest}").trim_end());
        assert_eq!((upgrade(""), upgrade("--dry-run --from 3 --records 5")), (None, None));
        assert_eq!([upgrade("--from 3"), upgrade("--records 5"), upgrade("--dry-run --probation 3s")], [Some(2); 3]);
        assert_eq!((upgrade("--probation 24h"), upgrade("--probation 24h1s"), upgrade("--probation 999999999y")), (None, Some(2), Some(2)));
        let rescale = |parallelism: u64| refused(&format!("weir rescale words --parallelism {parallelism}"));
        assert_eq!([rescale(0), rescale(32_769), rescale(4_294_967_295)], [Some(2); 3]);
        assert_eq!(rescale(32_768), None);
        assert_eq!(refused("weir replay job.toml --operator a --records 0"), Some(2));
        assert_eq!(refused("weir state get job.toml count"), Some(2));
        assert_eq!(refused("weir state get job.toml count --key a --key-hex 00"), Some(2));
        assert_eq!(refused("weir state get job.toml count --key-hex 00 --state totals --at 3 --format csv"), None);
        assert_eq!((refused("weir state list job.toml --at 3 --now"), refused("weir state diff job.toml@3")), (Some(2), Some(2)));
    }
}
