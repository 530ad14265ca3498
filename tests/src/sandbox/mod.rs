//! What the sandbox tests need: the guests, built once, and one subtask of a guest whose outputs and state can be looked at.

mod bench;
mod guests;

pub use bench::{Bench, Emitted, Record, StateOfKey};
pub use guests::{faulty, keyed_count};
