//! What the sandbox tests need: the guests, built once, and one subtask of a guest whose outputs and state can be looked at.

mod bench;
mod declared;
mod guests;
mod hostile;
mod job;
mod wat;

pub use bench::{Bench, Emitted, Record, StateOfKey};
pub use guests::{engine, faulty, keyed_count, trapping_timers, window_teller};
pub use hostile::{PLACES, Place, WAYS, Way};
pub use job::{Aside, GUEST, GuestJob, MAX_PARALLELISM, often, options};
pub use wat::{ANSWER, Answer, WatGuest};
