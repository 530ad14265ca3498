//! The second and third operator of query 7, highest bid: of 10 s, all of them where several are; first those of each auction, then of these those of the window.
//!
//! The query compares bids of a window *and of its end*, which is in the next one, with the highest price of the window. So the windows of auctions are a
//! millisecond longer than 10 s, and bids of that one are kept apart. What is left of an auction goes on under the window's start, at its last ms.
//!
//! `of` in the job file's config says which of the two operators this is.

use nexmark::{Bid, Numbers, Row};
use weir_guest::prelude::*;

/// How long the windows are that the query asks for.
const SIZE_MS: i64 = 10_000;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Of {
    Auction,
    Window,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    of: Of,
}

/// What is kept of a window, or of an auction in it.
#[derive(States)]
struct Bids {
    /// The highest price.
    highest: ValueState<u64, Raw>,
    /// Bids of that price, as they came.
    best: ListState<Vec<u8>, Raw>,
    /// Bids of the window's end, as they came.
    of_end: ListState<Vec<u8>, Raw>,
}

struct HighestBid(Config);

impl Operator for HighestBid {
    const NAME: &'static str = "nexmark-q7";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    const WINDOWED: bool = true;
    type Config = Config;
    type States = Bids;

    fn open(config: Config, _setup: &Setup) -> Result<Self> {
        Ok(Self(config))
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let bid = Bid::read(record.value())?;
        let start = match self.0.of {
            Of::Auction => ctx.window().map(|window| window.start),
            Of::Window => record.key().and_then(Numbers::decode).map(|Numbers([start])| start as i64),
        };
        let Some(start) = start else { bail!("query 7 wants windows with bounds") };
        if bid.time == start + SIZE_MS {
            return ctx.of_end.append(&record.value().to_vec());
        }
        let before = ctx.highest.get()?.copied();
        if before.is_some_and(|before| before > bid.price) {
            return Ok(());
        }
        if before != Some(bid.price) {
            ctx.highest.set(bid.price)?;
            ctx.best.clear()?;
        }
        ctx.best.append(&record.value().to_vec())
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let best = ctx.best.iter()?.collect::<Result<Vec<_>>>()?;
        let of_end = ctx.of_end.iter()?.collect::<Result<Vec<_>>>()?;
        match (self.0.of, firing.window()) {
            (Of::Auction, Some(Window { start, .. })) => {
                best.iter().chain(&of_end).for_each(|bid| ctx.emit_keyed(Some(&start.to_le_bytes()), bid));
            }
            (Of::Auction, None) => bail!("query 7 wants windows with bounds"),
            (Of::Window, _) => {
                let Some(highest) = ctx.highest.get()?.copied() else { return Ok(()) };
                for bytes in best.iter().chain(&of_end) {
                    let bid = Bid::read(bytes)?;
                    if bid.price == highest {
                        write(&bid, ctx)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn write(bid: &Bid<'_>, ctx: &mut Context<'_, HighestBid>) -> Result<()> {
    let extra = bid.texts()?.extra;
    ctx.emit_into(|out| {
        let row = Row::new(out).number("auction", bid.auction).number("bidder", bid.bidder).number("price", bid.price);
        row.time("dateTime", bid.time).text("extra", extra).end();
    });
    Ok(())
}

weir_guest::export!(HighestBid);
