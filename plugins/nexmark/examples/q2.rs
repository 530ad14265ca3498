//! Query 2, selection: the bids for every 123rd auction.

use nexmark::{Event, Row};
use weir_guest::prelude::*;

struct Selected;

impl Operator for Selected {
    const NAME: &'static str = "nexmark-q2";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if let Event::Bid(bid) = Event::read(record.value())?
            && bid.auction % 123 == 0
        {
            ctx.emit_into(|out| Row::new(out).number("auction", bid.auction).number("price", bid.price).end());
        }
        Ok(())
    }
}

weir_guest::export!(Selected);
