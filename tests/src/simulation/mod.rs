//! Whole jobs on one thread, from one seed, under injected faults; and the check of what they commit.

mod disk;
mod graph;
mod lines;
mod operators;
mod process;
mod quarantine;
mod run;
mod source;

pub use disk::{Disk, DiskSink};
pub use graph::Counter;
pub use operators::{CountFactory, RekeyFactory};
pub use process::simulate_process;
pub use quarantine::quarantined;
pub use run::{Report, Scenario, different_lines, simulate, simulate_takeover};
pub use source::NumberSource;
