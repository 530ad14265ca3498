//! The first operator of query 8, monitor new users: people by their id, and to another output auctions by who sells.
//!
//! Of a person the name goes on, of an auction nothing but that there is one.

use nexmark::Event;
use weir_guest::prelude::*;

const AUCTIONS: Output = Output::new("auctions");

struct Select;

impl Operator for Select {
    const NAME: &'static str = "nexmark-q8-select";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const OUTPUTS: &'static [Output] = &[Output::MAIN, AUCTIONS];
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match Event::read(record.value())? {
            Event::Person(person) => ctx.emit_keyed(Some(&person.id.to_le_bytes()), person.texts()?.name),
            Event::Auction(auction) => ctx.to(AUCTIONS).emit_keyed(Some(&auction.seller.to_le_bytes()), []),
            Event::Bid(_) => {}
        }
        Ok(())
    }
}

weir_guest::export!(Select);
