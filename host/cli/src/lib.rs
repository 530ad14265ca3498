//! The `weir` command: from a job file to a running job, and what can be asked about plugins and checkpoints.
//!
//! The way of a job: `job_file` understands the file, `plugins` makes what is missing, `assemble` turns it into the engine's graph, `start` says where it
//! begins, `commands::run` runs that and has it watched. `plan` says beforehand what will happen, `documents` has everything that is printed as JSON. Standard
//! output carries the document alone; everything else goes to the screen, which is standard error: `terminal`. A job that runs is served by `api`, found by
//! `registry` and spoken to by `client`; `scripted` runs the tests of a plugin, `projects` makes and builds its project; `oci` knows plugins in registries; `kept` keeps its checkpoints
//! where they are for as long as a command reads them.
//!
//! Each room knows only those below it: `tests/it/architecture.rs` has their order.

mod api;
pub mod args;
mod assemble;
mod client;
mod commands;
mod context;
mod documents;
mod failure;
mod figures;
mod job_file;
mod kept;
mod native;
mod next_run;
mod oci;
mod plan;
mod plugins;
pub mod process;
mod projects;
mod registry;
mod scripted;
mod start;
mod storage;
mod terminal;
mod try_out;
mod value_text;

use clap::Parser;
use std::ffi::OsString;

/// State is rewritten in small pieces by one thread and freed by another, which the system's allocator answers with a tenth of the
/// time of a job with many keys.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What jemalloc is told before it begins; `MALLOC_CONF` in the environment has the last word (`_RJEM_MALLOC_CONF` where C libraries keep the system's allocator,
/// as on macOS: there the other name is looked for). Four arenas, where there would be four for each
/// processor: what one thread frees is of use to the others. What is free goes back to the system after a second, where it would be ten.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[allow(unsafe_code, reason = "jemalloc looks for a variable of this name when the process begins; there is no call that sets its arenas")]
#[unsafe(export_name = "malloc_conf")]
static MALLOC_CONF: &[u8] = b"narenas:4,dirty_decay_ms:1000\0";

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[allow(unsafe_code, reason = "as above")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static PREFIXED_MALLOC_CONF: &[u8] = MALLOC_CONF;

/// Runs the command line `args`, whose first item is the program's name. Returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    // A process that examines a plugin does nothing before it has bounded itself.
    if let Some(code) = weir_wasm::compile_child(&args) {
        return code;
    }
    // A job that is told to stop in its first milliseconds has been stopped, and not killed.
    let held = terminal::HeldSignals::begin();
    match args::WeirArgs::try_parse_from(args) {
        Ok(args) => commands::dispatch(args, held),
        Err(usage) if usage.use_stderr() => {
            _ = usage.print();
            failure::BAD_INPUT
        }
        Err(help) => commands::help(&help.render()),
    }
}
