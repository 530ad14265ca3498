//! The `weir` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(weir::run(std::env::args_os()))
}
