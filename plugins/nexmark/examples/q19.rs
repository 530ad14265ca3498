//! The second operator of query 19, top ten: the bids of each auction with the highest prices, of equal ones the earlier first.
//!
//! A bid that comes among them is emitted with its rank, and so are those that it moves down. They are kept as they came, one behind the other.

use nexmark::{Bid, Row, bid_row};
use weir_guest::prelude::*;

const MOST: u64 = 10;

/// What is kept of an auction.
#[derive(States)]
struct Auction {
    /// Bids from the highest price on, each behind its length in two bytes.
    top: ValueState<Vec<u8>, Raw>,
}

struct TopTen;

impl Operator for TopTen {
    const NAME: &'static str = "nexmark-q19";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    type Config = Empty;
    type States = Auction;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let price = Bid::read(record.value())?.price;
        let kept = ctx.top.get()?;
        let Some(place) = Place::of(price, kept.map_or(&[], Vec::as_slice))? else { return Ok(()) };
        let mut top = kept.cloned().unwrap_or_default();
        let lower = top.split_off(place.start);
        top.extend((record.value().len() as u16).to_le_bytes());
        top.extend(record.value());
        top.extend(lower);
        let (mut rest, mut rank) = (&top[place.start..], place.rank);
        while rank <= MOST
            && let Some((bid, behind)) = first(rest)
        {
            let bid = Bid::read(bid)?;
            let texts = bid.texts()?;
            ctx.emit_into(|out| bid_row(Row::new(out), &bid, &texts).number("rank_number", rank).end());
            (rest, rank) = (behind, rank + 1);
        }
        // What is left is the eleventh.
        let length = top.len() - rest.len();
        top.truncate(length);
        ctx.top.set(top)
    }
}

/// Where a bid comes in.
struct Place {
    /// Of the bytes of the state.
    start: usize,
    /// From 1 on.
    rank: u64,
}

impl Place {
    /// That of a bid with this price; `None`: not among the first ten.
    fn of(price: u64, top: &[u8]) -> Result<Option<Self>> {
        let (mut rest, mut rank) = (top, 1);
        while let Some((bid, behind)) = first(rest) {
            if price > Bid::read(bid)?.price {
                break;
            }
            (rest, rank) = (behind, rank + 1);
        }
        Ok((rank <= MOST).then_some(Self { start: top.len() - rest.len(), rank }))
    }
}

/// The first bid of these, and the others.
fn first(top: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = top.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_le_bytes(*length).into())
}

weir_guest::export!(TopTen);
