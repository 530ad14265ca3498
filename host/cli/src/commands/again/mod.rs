//! Commands that run an operator once more, alone: `weir replay` and `weir upgrade --dry-run`. `rerun` opens what both begin with.

mod dry_run;
mod point;
mod replay;
mod rerun;

pub(super) use dry_run::upgrade as dry_run;
pub(super) use replay::replay;
