//! The second operator of query 15, bidding statistics: of each day how many bids, bidders and auctions there are, at all and at each level of price.

use nexmark::{Audience, Bid, Counted, Row, day_text, ranks_row};
use weir_guest::prelude::*;

struct Statistics;

impl Operator for Statistics {
    const NAME: &'static str = "nexmark-q15";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Audience;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let bid = Bid::read(record.value())?;
        let Counted { counts, .. } = ctx.count(&bid, 0)?;
        ctx.emit_into(|out| ranks_row(Row::new(out).text("day", &day_text(bid.time)), &counts).end());
        Ok(())
    }
}

weir_guest::export!(Statistics);
