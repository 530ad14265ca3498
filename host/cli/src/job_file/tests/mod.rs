//! What is said about job files that are wrong: one line of the file changed, one problem.

use super::*;

mod chance;
mod edges;
mod files;
mod jobs;
mod sandbox_page;
mod steps;
mod tables;
mod watermarks;
mod windows;

const GOOD: &str = r#"
name = "flights"

[source.rows]
connector = "file"
path = "data/*.csv"

[operator.delays]
plugin = "delays.wasm"
input = { from = "rows", by = "key" }

[sink.out]
connector = "file"
input = "delays"
path = "out"
"#;

fn parsed(text: &str) -> Result<JobFile, JobFileError> {
    parse(SourceText { name: "job.toml".into(), text: text.into() }, Path::new("/jobs"), 2)
}

/// GOOD with `from` replaced by `to`, which must be wrong in the way `expect` says.
#[track_caller]
fn check(from: &str, to: &str, expect: &str) {
    assert!(GOOD.contains(from), "the template has {from:?}");
    let error = parsed(&GOOD.replacen(from, to, 1)).expect_err("the file is wrong");
    assert_eq!(error.to_string(), expect);
}

/// GOOD with `lines` added at the end, which must be wrong in the way `expect` says.
#[track_caller]
fn check_with(lines: &str, expect: &str) {
    let error = parsed(&format!("{GOOD}{lines}")).expect_err("the file is wrong");
    assert_eq!(error.to_string(), expect);
}
