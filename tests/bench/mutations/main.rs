//! Plugins that chance has changed, many of them: `cargo bench -p weir-tests --bench mutations -- 20000 [SEED]`.
//!
//! Each is examined as `weir run` would. The bench fails where one takes the host down, or where a process that examines one takes more processor time or
//! memory than it may.

use weir_tests::hostile::Totals;
use weir_tests::process::plugin;

const WEIR: &str = env!("CARGO_BIN_EXE_weir-under-test");
const EXAMINER: &str = env!("CARGO_BIN_EXE_examine-plugins");

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (count, seed) = (numbers.first().copied().unwrap_or(500), numbers.get(1).copied().unwrap_or(1));
    let totals = Totals::of_mutants(EXAMINER, WEIR, &plugin("keyed-count"), (seed, count));
    let Totals { outcomes, written, written_and_changed, came_to_nothing, cpu, peak } = totals;
    println!("{count} mutants of seed {seed}: {outcomes:?}; a process took {cpu:?} of processor time and {} MiB at most", peak >> 20);
    println!(
        "Of these chance has written {written:?}, and {written_and_changed} more that were changed; {came_to_nothing} times nothing came of it"
    );
}
