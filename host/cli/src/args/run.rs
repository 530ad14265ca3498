//! `weir run`.

use clap::Args;
use std::path::PathBuf;

/// How to run a job.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job file; without one that of the savepoint that --from names, with the savepoint's components.
    #[arg(required_unless_present = "from")]
    pub job: Option<PathBuf>,
    /// Start over, without state. Committed output stays.
    #[arg(long, conflicts_with = "from")]
    pub fresh: bool,
    /// Start from this checkpoint (its id) or savepoint (its URL or path); given again, go on with what it began.
    #[arg(long, value_name = "CHECKPOINT|SAVEPOINT")]
    pub from: Option<String>,
    /// With --from: start from the checkpoint once more, also where it was started from before.
    #[arg(long, requires = "from")]
    pub again: bool,
    /// Run the components that are kept with the checkpoint or savepoint, not the job file's, and build nothing.
    #[arg(long, conflicts_with = "fresh")]
    pub pinned: bool,
    /// Give up what the checkpoint keeps of a source or operator (ID) or of one state (ID.STATE) that the job no longer has, or begin it
    /// anew. May be given several times.
    #[arg(long, value_name = "ID", conflicts_with = "fresh")]
    pub drop_state: Vec<String>,
    /// Go on although output that a checkpoint covers is gone; what is given up is named.
    #[arg(long)]
    pub accept_lost_output: bool,
    /// Where a sink's target says otherwise than the job's log how much is published: publish all that waits. What the target has of it is there twice.
    #[arg(long, conflicts_with = "assume_published")]
    pub republish: bool,
    /// Where a sink's target says otherwise than the job's log how much is published: count all that waits as published. What the target lacks of it is lost.
    #[arg(long)]
    pub assume_published: bool,
    /// Where the job can be spoken to, in place of what its file says; port 0 picks one. An address that others can reach needs a token.
    #[arg(long, value_name = "ADDRESS")]
    pub api: Option<String>,
    /// Let nobody speak to the job.
    #[arg(long, conflicts_with = "api")]
    pub no_api: bool,
    /// Stop the job when standard input ends: whoever holds the other end has gone.
    #[arg(long, hide = true)]
    pub until_stdin_ends: bool,
    /// The job's plugins are being written: what is compiled of them is kept function by function.
    #[arg(long, hide = true)]
    pub developed: bool,
    /// Run the component with this SHA-256, which the job's storage keeps, in place of what the job file names.
    #[arg(long, value_name = "OPERATOR=DIGEST", hide = true, conflicts_with = "pinned")]
    pub component: Vec<String>,
    /// Run the job although another process of yours has it: that one is fenced, and stops. Without this such a run is refused; one whose process runs elsewhere,
    /// or is gone, is always taken over from.
    #[arg(long)]
    pub takeover: bool,
}
