//! A host in memory, so that an operator is unit-tested natively, without Wasm.
//!
//! [`TestHost`] feeds records to an operator, moves time where the test says so, keeps state, timers and windows between calls and shows what was emitted;
//! [`assert_cuts_agree`] and [`assert_window_cuts_agree`] check the promise that every operator makes: cutting the input anywhere, and replacing the instance between any two batches,
//! changes nothing.

#[cfg(test)]
mod broadcast_tests;
mod cuts;
#[cfg(test)]
mod derive_tests;
mod due_windows;
pub(crate) mod imports;
#[cfg(test)]
mod join_tests;
#[cfg(test)]
mod keyed_join_tests;
mod lifetimes;
#[cfg(test)]
mod lifetimes_tests;
#[cfg(test)]
mod list_tests;
#[cfg(test)]
mod migrate_tests;
mod migrated;
mod open_windows;
mod record;
#[cfg(test)]
mod record_tests;
mod store;
mod test_host;
#[cfg(test)]
mod tests;
mod time;
#[cfg(test)]
mod timer_tests;
mod window;
mod window_cuts;
#[cfg(test)]
mod window_model_tests;
#[cfg(test)]
mod window_refusal_tests;
#[cfg(test)]
mod window_tests;
mod windowed;

pub use cuts::assert_cuts_agree;
pub use record::TestRecord;
pub use test_host::{TestFailure, TestHost};
pub use window::{LateRecord, TestWindow};
pub use window_cuts::assert_window_cuts_agree;
