//! A job of which a test writes the file itself, for the tests of connectors.

use crate::WEIR;
use weir_tests::process::{Bench, Job, Lines};

/// The job's file, and the lines that it reads where it reads a file.
#[derive(Clone)]
pub(crate) struct Written {
    job: String,
    input: Option<String>,
}

impl Written {
    /// A bench with this job file.
    pub(crate) fn bench(job: String) -> Bench<Self> {
        Bench::new(WEIR, Self { job, input: None })
    }

    /// The same, beside `input.jsonl` with these lines.
    pub(crate) fn bench_with(job: String, input: String) -> Bench<Self> {
        Bench::new(WEIR, Self { job, input: Some(input) })
    }
}

impl Job for Written {
    fn files(&self) -> Vec<(&'static str, String)> {
        self.input.iter().map(|input| ("input.jsonl", input.clone())).collect()
    }

    fn job_file(&self) -> String {
        self.job.clone()
    }

    fn rate(&self) -> u64 {
        0
    }

    fn output(&self) -> Lines {
        Lines::new()
    }

    fn said(&self, line: &str) -> String {
        line.to_owned()
    }

    fn not_at_least_once(&self, _committed: &Lines) -> Option<String> {
        None
    }
}
