//! The second operator of query 18, find the last bid: of each bidder and auction.
//!
//! Every bid that is not older than the last one is a new last one; of the last only its time is kept.

use nexmark::{Bid, Numbers, Row, bid_row};
use weir_guest::prelude::*;

/// What is kept of a bidder and auction.
#[derive(States)]
struct Last {
    time: ValueState<Numbers<1>, Raw>,
}

struct LastBid;

impl Operator for LastBid {
    const NAME: &'static str = "nexmark-q18";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Last;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let bid = Bid::read(record.value())?;
        if let Some(&Numbers([last])) = ctx.time.get()?
            && bid.time < last as i64
        {
            return Ok(());
        }
        ctx.time.set(Numbers([bid.time as u64]))?;
        let texts = bid.texts()?;
        ctx.emit_into(|out| bid_row(Row::new(out), &bid, &texts).end());
        Ok(())
    }
}

weir_guest::export!(LastBid);
