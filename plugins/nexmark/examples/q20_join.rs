//! The second operator of query 20, expand a bid with its auction: every bid for an auction of category 10, with all of the auction.
//!
//! A bid may come before its auction, and waits then.

use nexmark::{Auction, Bid, Event, Row, bid_row};
use weir_guest::prelude::*;

/// What is kept of an auction.
#[derive(States)]
struct Item {
    /// The last fields of a row; empty: of a category that nobody asks for.
    auction: ValueState<Vec<u8>, Raw>,
    /// Bids that came before.
    waiting: ListState<Vec<u8>, Raw>,
}

struct Join;

impl Operator for Join {
    const NAME: &'static str = "nexmark-q20-join";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Item;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match Event::read(record.value())? {
            Event::Bid(bid) => match ctx.auction.get()? {
                // Most bids are for auctions of other categories, of which nothing has to be copied.
                Some(auction) if auction.is_empty() => Ok(()),
                Some(auction) => {
                    let auction = auction.clone();
                    expand(&bid, &auction, ctx)
                }
                None => ctx.waiting.append(&record.value().to_vec()),
            },
            Event::Auction(auction) => {
                let fields = if auction.category == 10 { fields_of(&auction)? } else { Vec::new() };
                let waiting = ctx.waiting.iter()?.collect::<Result<Vec<_>>>()?;
                waiting.iter().try_for_each(|bid| expand(&Bid::read(bid)?, &fields, ctx))?;
                ctx.waiting.clear()?;
                ctx.auction.set(fields)
            }
            Event::Person(_) => bail!("a person is no part of query 20"),
        }
    }
}

/// What an auction adds to the row of a bid.
fn fields_of(auction: &Auction<'_>) -> Result<Vec<u8>> {
    let texts = auction.texts()?;
    let mut fields = Vec::new();
    let row = Row::further(&mut fields).text("itemName", texts.item_name).text("description", texts.description);
    let row = row.number("initialBid", auction.initial_bid).number("reserve", auction.reserve).time("auction_dateTime", auction.time);
    let row = row.time("expires", auction.expires).number("seller", auction.seller).number("category", auction.category);
    row.text("auction_extra", texts.extra).begun();
    Ok(fields)
}

fn expand(bid: &Bid<'_>, auction: &[u8], ctx: &mut Context<'_, Join>) -> Result<()> {
    if auction.is_empty() {
        return Ok(());
    }
    let texts = bid.texts()?;
    ctx.emit_into(|out| bid_row(Row::new(out), bid, &texts).fields(auction).end());
    Ok(())
}

weir_guest::export!(Join);
