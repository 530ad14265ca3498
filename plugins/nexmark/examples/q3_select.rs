//! The first operator of query 3, local item suggestion: people and auctions of category 10 under the id of the person who may be the seller.
//!
//! A person is sent on as the first fields of a row, and one of another state as an empty value: so that auctions need not wait for them. An auction is its id.

use nexmark::{Event, PersonTexts, Row};
use weir_guest::prelude::*;

#[derive(Default)]
struct Select {
    /// Of the person before, whose room is used again.
    row: Vec<u8>,
}

impl Operator for Select {
    const NAME: &'static str = "nexmark-q3-select";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self::default())
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match Event::read(record.value())? {
            Event::Person(person) => {
                let PersonTexts { name, city, state, .. } = person.texts()?;
                self.row.clear();
                if let b"OR" | b"ID" | b"CA" = state {
                    Row::new(&mut self.row).text("name", name).text("city", city).text("state", state).begun();
                }
                ctx.emit_keyed(Some(&person.id.to_le_bytes()), &self.row);
            }
            Event::Auction(auction) if auction.category == 10 => {
                ctx.emit_keyed(Some(&auction.seller.to_le_bytes()), auction.id.to_le_bytes());
            }
            Event::Auction(_) | Event::Bid(_) => {}
        }
        Ok(())
    }
}

weir_guest::export!(Select);
