//! Tests of an operator that are written down: `weir plugin test` gives the compiled component records, watermarks and the clock's time, in the sandbox that a job
//! runs it in, and compares what it emits and keeps with what the file says.
//!
//! A test's operator is one of a job file, with what that says of it: its config, its windows, its limits, and how its inputs come. Its sources and sinks are not
//! looked at. A record that fails is an error, whatever `on-failure` says. Pure but for reading the files.

mod compare;
mod run;
mod script;
mod shown;
mod written;

pub use compare::{Difference, Lines};
pub use run::{Failing, Manner, run};
pub use script::{Script, Test};

use crate::failure::Failure;
use std::path::Path;

/// A script is read whole; nobody writes a longer one by hand.
const FILE_MAX_BYTES: u64 = 4 << 20;

/// Reads a file of tests.
pub fn read(path: &Path) -> Result<Script, Failure> {
    let refused = |message: String, hint: &str| Failure::Usage { message, hint: hint.to_owned() };
    let text = std::fs::metadata(path)
        .and_then(
            |file| if file.len() > FILE_MAX_BYTES { Err(std::io::ErrorKind::FileTooLarge.into()) } else { std::fs::read_to_string(path) },
        )
        .map_err(|error| {
            refused(format!("read the tests {}: {error}", path.display()), "name a file of tests, such as tests/count.test.toml")
        })?;
    let script: Script = toml::from_str(&text).map_err(|error| {
        refused(
            format!("{}: {}", path.display(), error.to_string().trim_end()),
            "`weir plugin test --help` says what is in a file of tests",
        )
    })?;
    if script.tests.is_empty() {
        return Err(refused(format!("{} has no tests", path.display()), "each begins with `[[test]]`, its steps with `[[test.step]]`"));
    }
    Ok(script)
}
