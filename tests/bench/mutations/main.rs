//! Plugins that chance has changed, many of them: `cargo bench -p weir-tests --bench mutations -- 20000 [SEED]`.
//!
//! Each is examined as `weir run` would. The bench fails where one takes the host down, or where a process that examines one takes more memory than it may.

use std::process::ExitCode;
use weir_tests::hostile::{Mutants, plain_engine};
use weir_tests::process::{peak_memory_of_children, plugin};

const WEIR: &str = env!("CARGO_BIN_EXE_weir-under-test");
/// The limit of the largest file among them, and what a process may take before it is seen.
const MEMORY: u64 = (514 << 20) + (384 << 20);

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (count, seed) = (numbers.first().copied().unwrap_or(500), numbers.get(1).copied().unwrap_or(1));
    let plugin = std::fs::read(plugin("keyed-count")).expect("a plugin");
    let engine = plain_engine(WEIR);
    let before = peak_memory_of_children();
    let outcomes = Mutants::new(seed, &plugin, &engine).examine(count, &engine);
    let peak = peak_memory_of_children();
    println!("{count} mutants of seed {seed}: {outcomes:?}; a process took {} MiB at most", peak >> 20);
    // What cargo took to build the plugin is not theirs.
    if peak > MEMORY && peak > before { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
