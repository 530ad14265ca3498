//! Query 10, log to the file system: every bid with the day and the minute that its row is filed under.

use nexmark::{Event, Row, day_text, minute_text, of_day};
use weir_guest::prelude::*;

struct Log;

impl Operator for Log {
    const NAME: &'static str = "nexmark-q10";
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
                let row = Row::new(out).number("auction", bid.auction).number("bidder", bid.bidder).number("price", bid.price);
                let row = row.time("dateTime", bid.time).text("extra", extra);
                row.text("dt", &day_text(bid.time)).text("hm", &minute_text(of_day(bid.time) / 60_000)).end();
            });
        }
        Ok(())
    }
}

weir_guest::export!(Log);
