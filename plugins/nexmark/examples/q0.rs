//! Query 0, pass through: every bid as it came.
//!
//! A bid is read to its last text, as whoever turns it into a row does, so that this is what reading alone costs.

use nexmark::Event;
use weir_guest::prelude::*;

struct PassThrough;

impl Operator for PassThrough {
    const NAME: &'static str = "nexmark-q0";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if let Event::Bid(bid) = Event::read(record.value())? {
            bid.texts()?;
            ctx.pass();
        }
        Ok(())
    }
}

weir_guest::export!(PassThrough);
