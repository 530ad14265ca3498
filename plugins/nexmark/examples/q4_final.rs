//! The second operator of query 4, average price for a category: what each auction is sold for, which rises with its bids.
//!
//! It emits what the price was, 0 at first, and what it is, as two numbers under the category. A bid may come before its auction, and waits then.

use nexmark::{Event, Numbers};
use weir_guest::prelude::*;

/// What is kept of an auction.
#[derive(States)]
struct Sale {
    /// When it begins and ends, its category, and the highest bid.
    auction: ValueState<Numbers<4>, Raw>,
    /// Times and prices of bids that came before.
    waiting: ListState<Numbers<2>, Raw>,
}

struct Final;

impl Operator for Final {
    const NAME: &'static str = "nexmark-q4-final";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Sale;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match Event::read(record.value())? {
            Event::Bid(bid) => match ctx.auction.get()?.copied() {
                Some(auction) => rise(auction, [Numbers([bid.time as u64, bid.price])], ctx),
                None => ctx.waiting.append(&Numbers([bid.time as u64, bid.price])),
            },
            Event::Auction(auction) => {
                let waiting = ctx.waiting.iter()?.collect::<Result<Vec<_>>>()?;
                ctx.waiting.clear()?;
                let auction = Numbers([auction.time as u64, auction.expires as u64, auction.category, 0]);
                ctx.auction.set(auction)?;
                rise(auction, waiting, ctx)
            }
            Event::Person(_) => bail!("a person is no part of query 4"),
        }
    }
}

/// Tells where these bids leave the price, if they raise it.
fn rise(auction: Numbers<4>, bids: impl IntoIterator<Item = Numbers<2>>, ctx: &mut Context<'_, Final>) -> Result<()> {
    let Numbers([begins, ends, category, before]) = auction;
    let runs = begins as i64..=ends as i64;
    let prices = bids.into_iter().filter(|Numbers([time, _])| runs.contains(&(*time as i64))).map(|Numbers([_, price])| price);
    let price = prices.fold(before, u64::max);
    if price > before {
        ctx.auction.set(Numbers([begins, ends, category, price]))?;
        ctx.emit_keyed(Some(&category.to_le_bytes()), [before.to_le_bytes(), price.to_le_bytes()].as_flattened());
    }
    Ok(())
}

weir_guest::export!(Final);
