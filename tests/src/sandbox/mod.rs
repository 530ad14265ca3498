//! What the sandbox tests need: the guests, built once, and one subtask of a guest whose outputs and state can be looked at.

mod answer;
mod bench;
mod declared;
mod guests;
mod hostile;
mod job;
mod waiting;
mod wat;

pub use answer::{ANSWER, Answer};
pub use bench::{Bench, Emitted, Record, StateOfKey};
pub use guests::{engine, faulty, keyed_count, trapping_timers, window_teller};
pub use hostile::{PLACES, Place, WAYS, Way, drip, huge_value};
pub use job::{Aside, GUEST, GuestJob, MAX_PARALLELISM, often, options};
pub use waiting::{When, waiting};
pub use wat::WatGuest;
