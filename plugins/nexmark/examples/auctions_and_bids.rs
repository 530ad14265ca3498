//! The first operator of queries 4 and 9: auctions and bids, under the id of the auction.
//!
//! `whole = false` in the job file's config says that nobody behind asks for texts, which stay behind then.

use nexmark::{Auction, Bid, Event};
use weir_guest::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    whole: bool,
}

struct AuctionsAndBids(Config);

impl Operator for AuctionsAndBids {
    const NAME: &'static str = "nexmark-auctions-and-bids";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;
    type States = ();

    fn open(config: Config, _setup: &Setup) -> Result<Self> {
        Ok(Self(config))
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (auction, head) = match Event::read(record.value())? {
            Event::Person(_) => return Ok(()),
            Event::Auction(auction) => (auction.id, Auction::HEAD),
            Event::Bid(bid) => (bid.auction, Bid::HEAD),
        };
        let length = if self.0.whole { record.value().len() } else { head };
        ctx.emit_keyed(Some(&auction.to_le_bytes()), &record.value()[..length]);
        Ok(())
    }
}

weir_guest::export!(AuctionsAndBids);
