//! Query 14, calculation: bids of a certain price in euros, with the time of the day and how many times the letter c is in their `extra`.

use nexmark::{Event, Row, of_day};
use weir_guest::prelude::*;

struct Calculated;

impl Operator for Calculated {
    const NAME: &'static str = "nexmark-q14";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Event::Bid(bid) = Event::read(record.value())? else { return Ok(()) };
        // Thousandths of a cent; the bounds are a million and fifty millions.
        let price = 908 * bid.price;
        if price <= 1_000_000_000 || price >= 50_000_000_000 {
            return Ok(());
        }
        let kind: &[u8] = match of_day(bid.time) / 3_600_000 {
            8..=18 => b"dayTime",
            ..=6 | 20.. => b"nightTime",
            _ => b"otherTime",
        };
        let extra = bid.texts()?.extra;
        let count = extra.iter().filter(|&&sign| sign == b'c').count() as u64;
        ctx.emit_into(|out| {
            let row = Row::new(out).number("auction", bid.auction).number("bidder", bid.bidder).thousandths("price", price);
            row.text("bidTimeType", kind).time("dateTime", bid.time).text("extra", extra).number("c_counts", count).end();
        });
        Ok(())
    }
}

weir_guest::export!(Calculated);
