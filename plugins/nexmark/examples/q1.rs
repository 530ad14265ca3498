//! Query 1, currency conversion: every bid with its price in euros.

use nexmark::{Event, Row};
use weir_guest::prelude::*;

struct Euros;

impl Operator for Euros {
    const NAME: &'static str = "nexmark-q1";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if let Event::Bid(bid) = Event::read(record.value())? {
            let extra = bid.texts()?.extra;
            ctx.emit_into(|out| {
                let row = Row::new(out).number("auction", bid.auction).number("bidder", bid.bidder);
                row.thousandths("price", 908 * bid.price).time("dateTime", bid.time).text("extra", extra).end();
            });
        }
        Ok(())
    }
}

weir_guest::export!(Euros);
