//! What can be said behind `weir state`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Looks into the state in a job's checkpoints.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Lists the states of a job's operators: kind, number of keys, size, type.
    #[command(after_help = "Examples:\n  weir state list job.toml\n  weir state list job.toml count --at 12")]
    List {
        /// The job file.
        job: PathBuf,
        /// This operator alone.
        operator: Option<String>,
        /// Where to look.
        #[command(flatten)]
        at: AtArgs,
    },
    /// Shows the state of one key. Without any the exit code is 1.
    #[command(
        after_help = "Examples:\n  weir state get job.toml count --key word\n  weir state get job.toml count --key 0x00ff --output json\n\nKeys are shown, and understood, as text, or as 0x and hex digits where they are no text. The key in a broadcast state, which has none, is an entry."
    )]
    Get {
        /// Whose state.
        #[command(flatten)]
        of: OperatorArgs,
        /// Which key.
        #[command(flatten)]
        key: KeyArgs,
        /// How to write it.
        #[command(flatten)]
        form: FormArgs,
    },
    /// Writes all state of an operator, in the order of key groups and keys.
    #[command(
        after_help = "Examples:\n  weir state scan job.toml count --limit 20\n  weir state scan job.toml count --state totals --prefix N1 --format csv > totals.csv\n\nOne row for each value, list item or map entry. Of a broadcast state the first subtask's copy is shown, behind the keys; a prefix is one of its entries."
    )]
    Scan {
        /// Whose state.
        #[command(flatten)]
        of: OperatorArgs,
        /// Only keys that begin with this; text, or 0x and hex digits.
        #[arg(long)]
        prefix: Option<String>,
        /// Write so many rows at most.
        #[arg(long)]
        limit: Option<u64>,
        /// How to write it.
        #[command(flatten)]
        form: FormArgs,
    },
    /// Shows what differs between two checkpoints: keys added, removed and changed, by state.
    #[command(
        after_help = "Examples:\n  weir state diff job.toml 11 12\n  weir state diff job.toml 11 12 count --format jsonl\n\nCounts are of all keys, with the first differences as examples. With --format every difference is a row."
    )]
    Diff {
        /// The job file.
        job: PathBuf,
        /// The one checkpoint.
        before: u64,
        /// The other.
        after: u64,
        /// This operator alone.
        operator: Option<String>,
        /// Show so many differences of each state at most: 5 unless told; with --format so many rows at most, all unless told.
        #[arg(long)]
        limit: Option<u64>,
        /// How to write it.
        #[command(flatten)]
        form: FormArgs,
    },
}

/// A checkpoint.
#[derive(Debug, Args)]
pub struct AtArgs {
    /// The checkpoint to look into; the newest completed one unless told.
    #[arg(long, value_name = "CHECKPOINT")]
    pub at: Option<u64>,
}

/// An operator's state in a checkpoint.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    /// The job file.
    pub job: PathBuf,
    /// The operator.
    pub operator: String,
    /// This state alone.
    #[arg(long, value_name = "NAME")]
    pub state: Option<String>,
    /// Where to look.
    #[command(flatten)]
    pub at: AtArgs,
}

/// A key.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct KeyArgs {
    /// The key: text, or 0x and hex digits.
    #[arg(long)]
    pub key: Option<String>,
    /// The key's bytes as hex digits.
    #[arg(long, value_name = "DIGITS")]
    pub key_hex: Option<String>,
}

/// How rows are written.
#[derive(Debug, Args)]
pub struct FormArgs {
    /// Rows for other programs, instead of what --output says.
    #[arg(long, value_enum)]
    pub format: Option<RowFormat>,
}

/// Rows for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values below a header.
    Csv,
}
