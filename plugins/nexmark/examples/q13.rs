//! Query 13, bounded side input: every bid joined with a table of ten thousand texts.
//!
//! The table is what the benchmark writes into its side input file, where the number n has the text n; it is made when the operator is opened, as others read it then.

use nexmark::{Event, Row};
use weir_guest::prelude::*;

const ROWS: u64 = 10_000;

struct SideInput {
    texts: Vec<String>,
}

impl Operator for SideInput {
    const NAME: &'static str = "nexmark-q13";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self { texts: (0..ROWS).map(|number| number.to_string()).collect() })
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if let Event::Bid(bid) = Event::read(record.value())? {
            let text = &self.texts[(bid.auction % ROWS) as usize];
            ctx.emit_into(|out| {
                let row = Row::new(out).number("auction", bid.auction).number("bidder", bid.bidder).number("price", bid.price);
                row.time("dateTime", bid.time).text("value", text.as_bytes()).end();
            });
        }
        Ok(())
    }
}

weir_guest::export!(SideInput);
