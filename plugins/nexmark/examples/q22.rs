//! Query 22, the folders of an address: the first three of every bid's, which are empty where there are fewer.

use nexmark::{BidTexts, Event, Row};
use weir_guest::prelude::*;

struct Folders;

impl Operator for Folders {
    const NAME: &'static str = "nexmark-q22";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if let Event::Bid(bid) = Event::read(record.value())? {
            let BidTexts { channel, url, .. } = bid.texts()?;
            // In front of them stand the scheme, nothing, and the host.
            let mut folders = url.split(|&sign| sign == b'/').skip(3);
            let [first, second, third] = std::array::from_fn(|_| folders.next().unwrap_or_default());
            ctx.emit_into(|out| {
                let row = Row::new(out).number("auction", bid.auction).number("bidder", bid.bidder).number("price", bid.price);
                row.text("channel", channel).text("dir1", first).text("dir2", second).text("dir3", third).end();
            });
        }
        Ok(())
    }
}

weir_guest::export!(Folders);
