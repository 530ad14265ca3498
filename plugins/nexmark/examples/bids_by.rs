//! The first operator of most queries: of all events the bids, each under the key that a query groups by.
//!
//! `by` in the job file's config says which key that is, and `whole = false` that nobody behind asks for the texts of a bid, which stay behind then.

use nexmark::{Bid, Event, day_text};
use weir_guest::append;
use weir_guest::prelude::*;

/// What bids are grouped by.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Auction,
    Bidder,
    BidderAndAuction,
    Day,
    DayAndAuction,
    DayAndChannel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    by: By,
    whole: bool,
}

struct BidsBy {
    config: Config,
    /// Of the bid before, whose room is used again.
    key: Vec<u8>,
}

impl Operator for BidsBy {
    const NAME: &'static str = "nexmark-bids-by";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;
    type States = ();

    fn open(config: Config, _setup: &Setup) -> Result<Self> {
        Ok(Self { config, key: Vec::new() })
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Event::Bid(bid) = Event::read(record.value())? else { return Ok(()) };
        let value = if self.config.whole { record.value() } else { &record.value()[..Bid::HEAD] };
        let (auction, bidder) = (bid.auction.to_le_bytes(), bid.bidder.to_le_bytes());
        self.key.clear();
        match self.config.by {
            By::Auction => append(&mut self.key, &auction),
            By::Bidder => append(&mut self.key, &bidder),
            By::BidderAndAuction => append(&mut self.key, [bidder, auction].as_flattened()),
            By::Day => append(&mut self.key, &day_text(bid.time)),
            By::DayAndAuction => {
                append(&mut self.key, &day_text(bid.time));
                append(&mut self.key, &auction);
            }
            By::DayAndChannel => {
                append(&mut self.key, &day_text(bid.time));
                append(&mut self.key, bid.texts()?.channel);
            }
        }
        ctx.emit_keyed(Some(&self.key), value);
        Ok(())
    }
}

weir_guest::export!(BidsBy);
