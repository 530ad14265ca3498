//! A host in memory, so that an operator is unit-tested natively, without Wasm.
//!
//! [`TestHost`] feeds records to an operator, moves time where the test says so, keeps state and timers between calls and shows what was emitted; [`assert_cuts_agree`]
//! checks the promise that every operator makes: cutting the input anywhere, and replacing the instance between any two batches,
//! changes nothing.

#[cfg(test)]
mod broadcast_tests;
mod cuts;
#[cfg(test)]
mod derive_tests;
pub(crate) mod imports;
#[cfg(test)]
mod list_tests;
#[cfg(test)]
mod migrate_tests;
mod migrated;
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

pub use cuts::assert_cuts_agree;
pub use record::TestRecord;
pub use test_host::{TestFailure, TestHost};
