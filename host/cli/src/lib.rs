//! The `weir` command: from a job file to a running job, and what can be asked about plugins and checkpoints.
//!
//! The way of a job: [`job_file`] understands the file, [`plugin_build`] makes what is missing, [`assemble`] turns it into the engine's graph,
//! `commands::run` runs that and `observer` watches. [`plan`] says beforehand what will happen, [`documents`] has everything that is printed as
//! JSON. Standard output carries the document alone; everything else goes to the [`screen`], which is standard error.

pub mod api;
pub mod args;
pub mod assemble;
mod client;
mod commands;
mod compiler;
mod crash_points;
pub mod descriptors;
pub mod documents;
pub mod failure;
pub mod figures;
pub mod job_file;
pub mod native;
mod observer;
pub mod plan;
pub mod plugin_build;
pub mod plugin_origin;
pub mod process_memory;
pub mod registry;
pub mod screen;
mod signals;
mod standard_output;
pub mod steady_rate;
pub mod storage;
pub mod try_out;
mod value_text;

use clap::Parser;
use std::ffi::OsString;

/// State is rewritten in small pieces by one thread and freed by another, which the system's allocator answers with a tenth of the
/// time of a job with many keys.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Runs the command line `args`, whose first item is the program's name. Returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    // A process that examines a plugin does nothing before it has bounded itself.
    if let Some(code) = weir_wasm::compile_child(&args) {
        return code;
    }
    // A job that is told to stop in its first milliseconds has been stopped, and not killed.
    let held = signals::Held::begin();
    match args::WeirArgs::try_parse_from(args) {
        Ok(args) => commands::dispatch(args, held),
        Err(usage) if usage.use_stderr() => {
            _ = usage.print();
            failure::BAD_INPUT
        }
        Err(help) => commands::help(&help.render()),
    }
}
