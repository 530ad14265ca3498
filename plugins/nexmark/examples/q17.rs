//! The second operator of query 17, auction statistics: of each auction and day the bids, at all and at each level of price, and what they were.

use nexmark::{Bid, Numbers, Row, day_text, level_of};
use weir_guest::prelude::*;

/// What is kept of an auction's day.
#[derive(States)]
struct Day {
    /// Bids of all levels and of each, then the lowest price, the highest, and the sum.
    bids: ValueState<Numbers<7>, Raw>,
}

struct Statistics;

impl Operator for Statistics {
    const NAME: &'static str = "nexmark-q17";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Day;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let bid = Bid::read(record.value())?;
        let Numbers(mut bids) = ctx.bids.get()?.copied().unwrap_or(Numbers([0, 0, 0, 0, u64::MAX, 0, 0]));
        bids[0] += 1;
        bids[1 + level_of(bid.price)] += 1;
        let [all, low, middle, high, least, most, sum] = &mut bids;
        (*least, *most, *sum) = ((*least).min(bid.price), (*most).max(bid.price), *sum + bid.price);
        ctx.emit_into(|out| {
            let row = Row::new(out).number("auction", bid.auction).text("day", &day_text(bid.time));
            let row = row.number("total_bids", *all).number("rank1_bids", *low).number("rank2_bids", *middle).number("rank3_bids", *high);
            let row = row.number("min_price", *least).number("max_price", *most);
            row.number("avg_price", *sum / *all).number("sum_price", *sum).end();
        });
        ctx.bids.set(Numbers(bids))
    }
}

weir_guest::export!(Statistics);
