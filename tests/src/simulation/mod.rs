//! Whole jobs on one thread, from one seed, under injected faults; and the check of what they commit.

mod change;
mod disk;
mod evolve;
mod graph;
mod join;
mod lines;
mod lost_log;
mod objects;
mod operators;
mod process;
mod quarantine;
mod recorded;
mod replaced;
mod run;
pub mod scenarios;
mod slow_start;
mod source;
mod state;
mod stop_on_trial;
mod stops;
mod versions;

pub use change::{ChangeReport, simulate_changes};
pub use disk::{Disk, DiskSink};
pub use evolve::{EvolveReport, simulate_evolution};
pub use graph::Counter;
pub use lost_log::{LostLog, simulate_lost_entries};
pub use operators::{CountFactory, RekeyFactory};
pub use process::{simulate_process, simulate_stop_in_restart_delay};
pub use quarantine::quarantined;
pub use replaced::{Held, Replaced, simulate_replaced_storage};
pub use run::{Barriers, Report, Scenario, different_lines, no_savepoints, simulate, simulate_takeover};
pub use slow_start::{SlowStart, simulate_slow_clearing, simulate_slow_start};
pub use source::NumberSource;
pub use stop_on_trial::{StopOnTrial, simulate_stop_on_trial};
pub use stops::{FailedReport, StopReport, simulate_checkpoint_request, simulate_failing_uploads, simulate_stops};
