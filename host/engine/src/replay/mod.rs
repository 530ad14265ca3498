//! A part of a job run again, alone and on one thread, from a checkpoint on: what one operator is given, what it makes of it, and whether
//! another version makes the same of it.
//!
//! [`Upstream`] re-reads the sources and runs what lies between them and the operator: a possible run. Where the operator was recorded,
//! [`LoggedRun`] gives the calls of the run that there was, and [`LoggedSubtask`] makes them again. [`IsolatedOperator`] is one operator with
//! its state; [`effects_of`] shows what it makes of a record, [`outputs_of`] of a batch and [`next_firing`] of a window or timer, and [`dry_run`] compares two of them. Invariants: nothing is written, to the
//! storage or anywhere else; two replays from one point give the same, to the byte, as far as the operators compute nothing but from what they
//! are given.

mod alone;
mod contents;
mod differences;
mod dry_run;
mod effects;
mod isolated;
mod logged_run;
mod logged_subtask;
mod migrated;
mod point;
mod read_source;
mod standing_clock;
mod upstream;
mod watched;

pub use crate::task::SubtaskPlace;
pub use alone::KeptBefore;
pub use contents::{Contents, Held};
pub use differences::{Difference, Differences, EXAMPLES};
pub use dry_run::{DryRunReport, FailedRecord, FiredExample, RecordOfBatch, VersionRun, dry_run};
pub use effects::{
    EmittedRecord, FiringCause, FiringEffects, OutputRecord, RecordEffects, StateChange, effects_of, next_firing, outputs_of,
};
pub use isolated::{Emitted, IsolatedOperator};
pub use logged_run::{LoggedRun, LoggedStretch, RunStart, SubtaskCalls};
pub use logged_subtask::{CallEffects, LoggedSubtask, RecordlessEffects};
pub use point::ReplayPoint;
pub(crate) use upstream::ReplayInput;
pub use upstream::{Given, Upstream};
pub use watched::{Fired, FiredBy};

#[cfg(test)]
mod tests;
