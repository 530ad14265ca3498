//! The third operator of query 4, average price for a category: over its auctions that have a bid.

use nexmark::{Numbers, Row};
use weir_guest::prelude::*;

/// What is kept of a category.
#[derive(States)]
struct Category {
    /// The prices of all auctions, and how many there are.
    sold: ValueState<Numbers<2>, Raw>,
}

struct Average;

impl Operator for Average {
    const NAME: &'static str = "nexmark-q4";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Category;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (Some(Numbers([before, price])), Some(Numbers([category]))) =
            (Numbers::decode(record.value()), record.key().and_then(Numbers::decode))
        else {
            bail!("the record is no price of a category");
        };
        let Numbers([sum, count]) = ctx.sold.get()?.copied().unwrap_or_default();
        let (sum, count) = (sum + price - before, count + u64::from(before == 0));
        ctx.sold.set(Numbers([sum, count]))?;
        ctx.emit_into(|out| Row::new(out).number("id", category).number("final", sum / count).end());
        Ok(())
    }
}

weir_guest::export!(Average);
