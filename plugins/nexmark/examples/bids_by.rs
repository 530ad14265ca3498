//! The first operator of most queries: of all events the bids, each under the key that a query groups by.
//!
//! `by` in the job file's config says which key that is, and `whole = false` that nobody behind asks for the texts of a bid, which stay behind then.

use nexmark::{Bid, Event, day_text};
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

struct BidsBy(Config);

impl Operator for BidsBy {
    const NAME: &'static str = "nexmark-bids-by";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;
    type States = ();

    fn open(config: Config, _setup: &Setup) -> Result<Self> {
        Ok(Self(config))
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Event::Bid(bid) = Event::read(record.value())? else { return Ok(()) };
        let value = if self.0.whole { record.value() } else { &record.value()[..Bid::HEAD] };
        let (auction, bidder) = (bid.auction.to_le_bytes(), bid.bidder.to_le_bytes());
        match self.0.by {
            By::Auction => ctx.emit_keyed(Some(&auction), value),
            By::Bidder => ctx.emit_keyed(Some(&bidder), value),
            By::BidderAndAuction => ctx.emit_keyed(Some([bidder, auction].as_flattened()), value),
            By::Day => ctx.emit_keyed(Some(&day_text(bid.time)), value),
            By::DayAndAuction => {
                let mut key = [0; 18];
                key[..10].copy_from_slice(&day_text(bid.time));
                key[10..].copy_from_slice(&auction);
                ctx.emit_keyed(Some(&key), value);
            }
            By::DayAndChannel => ctx.emit_keyed(Some(&[&day_text(bid.time), bid.texts()?.channel].concat()), value),
        }
        Ok(())
    }
}

weir_guest::export!(BidsBy);
