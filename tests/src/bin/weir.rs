//! The `weir` command as the tests of this package start it: cargo shows a test the path of its own package's binaries only.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(weir::run(std::env::args_os()))
}
