//! The first operator of query 20, expand a bid with its auction: bids, and auctions under their ids.
//!
//! Of an auction of another category than 10 the numbers alone are sent on: so that no bid waits for it.

use nexmark::{Auction, Event};
use weir_guest::prelude::*;

struct Select;

impl Operator for Select {
    const NAME: &'static str = "nexmark-q20-select";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match Event::read(record.value())? {
            Event::Person(_) => {}
            Event::Auction(auction) => {
                let value = if auction.category == 10 { record.value() } else { &record.value()[..Auction::HEAD] };
                ctx.emit_keyed(Some(&auction.id.to_le_bytes()), value);
            }
            Event::Bid(bid) => ctx.emit_keyed(Some(&bid.auction.to_le_bytes()), record.value()),
        }
        Ok(())
    }
}

weir_guest::export!(Select);
