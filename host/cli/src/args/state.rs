//! What can be said behind `weir state`.

use clap::{Args, Subcommand, ValueEnum};

/// Looks into the state in checkpoints and savepoints.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Lists the states of operators: kind, number of keys, size, type.
    #[command(
        after_help = "Examples:\n  weir state list job.toml\n  weir state list job.toml count --at 12\n  weir state list flight-delays --now\n  weir state list s3://backups/delays-1"
    )]
    List {
        /// Where to look.
        #[command(flatten)]
        look: LookArgs,
        /// This operator alone.
        operator: Option<String>,
    },
    /// Shows the state of one key. Without any the exit code is 1.
    #[command(
        after_help = "Examples:\n  weir state get job.toml count --key word\n  weir state get flight-delays delays --key N14228 --now\n  weir state get backups/delays-1 delays --key 0x00ff --output json\n\nKeys are shown, and understood, as text, or as 0x and hex digits where they are no text. The key in a broadcast state, which has none, is an entry."
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
        after_help = "Examples:\n  weir state scan job.toml count --limit 20\n  weir state scan backups/delays-1 delays --state totals --prefix N1 --format csv > totals.csv\n\nOne row for each value, list item or map entry. Of a broadcast state the first subtask's copy is shown, behind the keys; a prefix is one of its entries."
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
    /// Shows what differs between two checkpoints or savepoints: keys added, removed and changed, by state.
    #[command(
        after_help = "Examples:\n  weir state diff job.toml@11 job.toml@12\n  weir state diff backups/delays-1 flight-delays\n  weir state diff backups/delays-1 backups/delays-2 delays --format jsonl\n\nCounts are of all keys, with the first differences as examples. With --format every difference is a row. The two may be of different jobs:\noperators are matched by their ids, and states by their names."
    )]
    Diff(DiffArgs),
}

/// What to look into.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// A job, by its job file or, while it runs, by its name; or a savepoint, by its URL or path.
    #[arg(value_name = "JOB|SAVEPOINT")]
    pub named: String,
    /// The job's checkpoint to look into; the newest completed one unless told.
    #[arg(long, value_name = "CHECKPOINT")]
    pub at: Option<u64>,
    /// Have the running job take a checkpoint now, and look into that.
    #[arg(long, conflicts_with = "at")]
    pub now: bool,
}

/// An operator's state.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    /// Where to look.
    #[command(flatten)]
    pub look: LookArgs,
    /// The operator.
    pub operator: String,
    /// This state alone.
    #[arg(long, value_name = "NAME")]
    pub state: Option<String>,
}

/// What to compare.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The one: JOB (its newest checkpoint) or JOB@CHECKPOINT, with the job file or the name of a running job; or a savepoint's URL or path.
    #[arg(value_name = "BEFORE")]
    pub before: String,
    /// The other.
    #[arg(value_name = "AFTER")]
    pub after: String,
    /// This operator alone.
    pub operator: Option<String>,
    /// Show so many differences of each state at most: 5 unless told; with --format so many rows at most, all unless told.
    #[arg(long)]
    pub limit: Option<u64>,
    /// How to write it.
    #[command(flatten)]
    pub form: FormArgs,
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
