//! What can be said to `weir bench`.

use clap::{Args, Subcommand, value_parser};
use std::path::PathBuf;

/// Which benchmark to run.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Runs queries of the Nexmark benchmark one after the other, each in a process of its own, and prints how fast each is.
    #[command(
        after_help = "Examples:\n  weir bench nexmark\n  weir bench nexmark --query q5 --query q7 --events 20000000 --output json\n\nCheckpoints, and what a query writes into a folder that is relative to its job file, lie in a folder that is deleted behind it.\nWhere a query fails the others go on; why it failed is in the document, and the exit code is 1.\nCtrl-C ends the query that runs; what the others came to is printed, with exit code 130."
    )]
    Nexmark(NexmarkArgs),
}

/// Which queries, on how many events.
#[derive(Debug, Args)]
pub struct NexmarkArgs {
    /// A query, such as q5; may be given several times. Without it all that there are.
    #[arg(long, value_name = "QUERY")]
    pub query: Vec<String>,
    /// How many events its source makes.
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = value_parser!(u64).range(1..=1_000_000_000_000))]
    pub events: u64,
    /// The folder of the queries' job files, q0.toml and so on.
    #[arg(long, value_name = "FOLDER", default_value = "plugins/nexmark")]
    pub folder: PathBuf,
}
