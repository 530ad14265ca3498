//! The fourth operator of query 5, hot items: of each window the auctions with the most bids.
//!
//! The counts of a window come under its start and at its last ms, so that of this operator's own windows each has those of one.

use nexmark::{Numbers, Row};
use weir_guest::prelude::*;

/// The auctions with the most bids so far.
#[derive(Default)]
struct Hottest {
    count: u64,
    auctions: Vec<u64>,
}

/// Little-endian numbers: the count, then the auctions.
impl RawState for Hottest {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let (count, auctions) = numbers.split_first()?;
        Some(Self { count: u64::from_le_bytes(*count), auctions: auctions.iter().map(|auction| u64::from_le_bytes(*auction)).collect() })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        std::iter::once(&self.count).chain(&self.auctions).for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    }
}

/// What is kept of a window.
#[derive(States)]
struct Counts {
    hottest: ValueState<Hottest, Raw>,
}

struct HotItems;

impl Operator for HotItems {
    const NAME: &'static str = "nexmark-q5";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::MAIN.by_key()];
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Counts;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(Numbers([auction, count])) = Numbers::decode(record.value()) else { bail!("the record is no count of an auction") };
        ctx.hottest.update(|hottest| {
            if count > hottest.count {
                *hottest = Hottest { count, auctions: Vec::new() };
            }
            if count == hottest.count {
                hottest.auctions.push(auction);
            }
        })
    }

    fn on_window(&mut self, _firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(Hottest { count, auctions }) = ctx.hottest.get()? else { return Ok(()) };
        let (count, auctions) = (*count, auctions.clone());
        for auction in auctions {
            ctx.emit_into(|out| Row::new(out).number("auction", auction).number("num", count).end());
        }
        Ok(())
    }
}

weir_guest::export!(HotItems);
