//! The second and third operator of query 5, hot items: how many bids an auction gets in a window.
//!
//! Windows that overlap share what they have in common: bids are counted in windows of 2 s first, and these counts, in the windows that the query asks for, are added.
//! `under` in the job file's config says under which key a count goes on, that of its auction or the start of its window.

use nexmark::{Bid, Numbers};
use weir_guest::prelude::*;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Under {
    Auction,
    Window,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    under: Under,
}

/// What is kept of an auction in a window.
#[derive(States)]
struct Bids {
    count: ValueState<u64, Raw>,
}

struct Count(Config);

impl Operator for Count {
    const NAME: &'static str = "nexmark-q5-count";
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
        let more = match Numbers::decode(record.value()) {
            Some(Numbers([_auction, count])) => count,
            None => Bid::read(record.value()).map(|_| 1)?,
        };
        ctx.count.update(|count| *count += more)
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (Some(Window { start, .. }), Some(Numbers([auction]))) = (firing.window(), Numbers::decode(firing.key())) else {
            bail!("query 5 counts bids of an auction in windows with bounds");
        };
        let count = ctx.count.get()?.copied().unwrap_or(0);
        let counted = [auction.to_le_bytes(), count.to_le_bytes()];
        match self.0.under {
            Under::Auction => ctx.emit(counted.as_flattened()),
            Under::Window => ctx.emit_keyed(Some(&start.to_le_bytes()), counted.as_flattened()),
        }
        Ok(())
    }
}

weir_guest::export!(Count);
