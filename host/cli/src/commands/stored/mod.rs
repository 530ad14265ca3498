//! Commands that list and show what a job has stored, without the job running: `weir checkpoint` and `weir savepoint`.

pub(super) mod checkpoint;
pub(super) mod savepoint;
