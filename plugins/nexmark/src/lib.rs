//! What the queries share: the events as they come from the source `nexmark`, the lines of JSON that they make of them, and days.
//!
//! Each operator is an example of this package, `examples/q1.rs` and so on, and each query a job beside it, `q1.toml`. `README.md` describes the bytes of an event.

mod audience;
mod event;
mod row;
mod state;
mod time;

pub use audience::{Audience, AudienceCounts, Counted, level_of, ranks_row};
pub use event::{Auction, AuctionTexts, Bid, BidTexts, Event, Person, PersonTexts};
pub use row::{Row, bid_row};
pub use state::Numbers;
pub use time::{day_text, minute_text, of_day};
