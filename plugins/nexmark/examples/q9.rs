//! The second operator of query 9, winning bids: of each auction the highest bid while it runs, of equal ones the earliest.
//!
//! A bid that wins so far is emitted with all of the auction. One may come before its auction, and waits then.

use nexmark::{Auction, Bid, Event, Row};
use weir_guest::prelude::*;

/// What is kept of an auction.
#[derive(States)]
struct Sale {
    /// The event as it came.
    auction: ValueState<Vec<u8>, Raw>,
    /// The bid that wins so far, as it came.
    best: ValueState<Vec<u8>, Raw>,
    /// Bids that came before the auction.
    waiting: ListState<Vec<u8>, Raw>,
}

struct Winning;

impl Operator for Winning {
    const NAME: &'static str = "nexmark-q9";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Sale;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match Event::read(record.value())? {
            Event::Bid(bid) => {
                let Some(kept) = ctx.auction.get()? else { return ctx.waiting.append(&record.value().to_vec()) };
                if !runs(kept, bid.time)? || !is_better(&bid, ctx.best.get()?)? {
                    return Ok(());
                }
                let auction = ctx.auction.get()?.cloned().unwrap_or_default();
                win(record.value(), &auction, ctx)
            }
            Event::Auction(_) => {
                ctx.auction.set(record.value().to_vec())?;
                let waiting = ctx.waiting.iter()?.collect::<Result<Vec<_>>>()?;
                ctx.waiting.clear()?;
                for bytes in waiting {
                    let bid = Bid::read(&bytes)?;
                    if runs(record.value(), bid.time)? && is_better(&bid, ctx.best.get()?)? {
                        win(&bytes, record.value(), ctx)?;
                    }
                }
                Ok(())
            }
            Event::Person(_) => bail!("a person is no part of query 9"),
        }
    }
}

/// Whether an auction runs at this time; both ends are part of it.
fn runs(auction: &[u8], time: i64) -> Result<bool> {
    let auction = Auction::read(auction)?;
    Ok((auction.time..=auction.expires).contains(&time))
}

fn is_better(bid: &Bid<'_>, best: Option<&Vec<u8>>) -> Result<bool> {
    let Some(best) = best else { return Ok(true) };
    let best = Bid::read(best)?;
    Ok(bid.price > best.price || (bid.price == best.price && bid.time < best.time))
}

fn win(bytes: &[u8], auction: &[u8], ctx: &mut Context<'_, Winning>) -> Result<()> {
    let (bid, auction) = (Bid::read(bytes)?, Auction::read(auction)?);
    let (texts, extra) = (auction.texts()?, bid.texts()?.extra);
    ctx.best.set(bytes.to_vec())?;
    ctx.emit_into(|out| {
        let row = Row::new(out).number("id", auction.id).text("itemName", texts.item_name).text("description", texts.description);
        let row = row.number("initialBid", auction.initial_bid).number("reserve", auction.reserve).time("dateTime", auction.time);
        let row = row.time("expires", auction.expires).number("seller", auction.seller).number("category", auction.category);
        let row = row.text("extra", texts.extra).number("auction", bid.auction).number("bidder", bid.bidder).number("price", bid.price);
        row.time("bid_dateTime", bid.time).text("bid_extra", extra).end();
    });
    Ok(())
}

weir_guest::export!(Winning);
