//! The second operator of query 16, channel statistics: what query 15 counts, of each channel and day, with the last minute in which someone has bid.

use nexmark::{Audience, Bid, Counted, Row, minute_text, of_day, ranks_row};
use weir_guest::prelude::*;

struct Statistics;

impl Operator for Statistics {
    const NAME: &'static str = "nexmark-q16";
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
        let Counted { counts, minute } = ctx.count(&bid, of_day(bid.time) / 60_000)?;
        let Some((day, channel)) = record.key().and_then(|key| key.split_at_checked(10)) else {
            bail!("the key is no day and channel");
        };
        ctx.emit_into(|out| {
            let row = Row::new(out).text("channel", channel).text("day", day).text("minute", &minute_text(minute));
            ranks_row(row, &counts).end();
        });
        Ok(())
    }
}

weir_guest::export!(Statistics);
