//! Query 21, add a channel's id: of a well-known channel the one that it has here, of another what its address says; bids by channels without an id are left out.

use nexmark::{Bid, BidTexts, Event, Row};
use weir_guest::prelude::*;

const KNOWN: [(&[u8], &[u8]); 4] = [(b"apple", b"0"), (b"google", b"1"), (b"facebook", b"2"), (b"baidu", b"3")];

struct ChannelId;

impl Operator for ChannelId {
    const NAME: &'static str = "nexmark-q21";
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
            if let Some(id) = id_of(channel, url) {
                ctx.emit_into(|out| write(out, &bid, channel, id));
            }
        }
        Ok(())
    }
}

/// The id of a channel, with the address of one of its bids.
#[inline]
fn id_of<'a>(channel: &[u8], url: &'a [u8]) -> Option<&'a [u8]> {
    let known = KNOWN.iter().find(|(name, _)| channel.eq_ignore_ascii_case(name)).map(|(_, id)| *id);
    known.or_else(|| url.split(|&sign| sign == b'&').find_map(|part| part.strip_prefix(b"channel_id=")))
}

#[inline]
fn write(out: &mut Vec<u8>, bid: &Bid<'_>, channel: &[u8], id: &[u8]) {
    let row = Row::new(out).number("auction", bid.auction).number("bidder", bid.bidder).number("price", bid.price);
    row.text("channel", channel).text("channel_id", id).end();
}

weir_guest::export!(ChannelId);
