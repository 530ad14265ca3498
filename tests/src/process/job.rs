//! What a job under test is to whoever does things to it: what it reads, its job file, and what it has to have committed in the end. So the same kills,
//! stops, takeovers and damages happen to jobs of several kinds.

use super::{Lines, differences};

/// A job that a [`Bench`](super::Bench) lays out. Its name is `words`, whatever it does: by that its storage is found, and commands are sent to it.
pub trait Job: Clone {
    /// The files that it reads, by their names.
    fn files(&self) -> Vec<(&'static str, String)>;

    /// The job file. It reads at [`Self::rate`], and its output goes to the folder `out`.
    fn job_file(&self) -> String;

    /// Records that it reads in a second.
    fn rate(&self) -> u64;

    /// The lines that a run commits, as [`Self::said`] gives them.
    fn output(&self) -> Lines;

    /// What a committed line says, without what depends on the order in which records came.
    fn said(&self, line: &str) -> String;

    /// Where what was committed is not what a job may commit that counts each record at least once.
    fn not_at_least_once(&self, committed: &Lines) -> Option<String>;

    /// Where what was committed is not what a job commits that counts each record once.
    fn not_exactly_once(&self, committed: &Lines) -> Option<String> {
        differences(committed, &self.output())
    }
}
