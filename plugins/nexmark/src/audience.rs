//! Who bids for what at which level of price: the counts of queries 15 and 16.

use crate::event::Bid;
use crate::row::Row;
use crate::state::Numbers;
use weir_guest::prelude::*;

/// Bids of all levels and of each; the same of the people who bid, and of the auctions.
pub type AudienceCounts = [u64; 12];

/// The state of a day, or of a channel's day.
#[derive(States)]
pub struct Audience {
    counts: ValueState<Numbers<13>, Raw>,
    /// At which levels someone has bid, a bit for each.
    bidders: MapState<u64, u8>,
    /// At which levels something has been bid for.
    auctions: MapState<u64, u8>,
}

/// The counts after a bid, and the latest minute of the day that one came in.
pub struct Counted {
    /// The counts.
    pub counts: AudienceCounts,
    /// Minutes since midnight.
    pub minute: u64,
}

impl Audience {
    /// Counts a bid of the minute `minute` of its day.
    pub fn count(&mut self, bid: &Bid<'_>, minute: u64) -> Result<Counted> {
        let level = level_of(bid.price);
        let mut counts = self.counts.get()?.copied().unwrap_or_default().0;
        counts[0] += 1;
        counts[1 + level] += 1;
        for (seen, who, at) in [(&mut self.bidders, bid.bidder, 4), (&mut self.auctions, bid.auction, 8)] {
            let levels = seen.get(&who)?.unwrap_or(0);
            let now = levels | 1 << level;
            counts[at] += u64::from(levels == 0);
            counts[at + 1 + level] += u64::from(levels != now);
            if levels != now {
                seen.put(&who, &now)?;
            }
        }
        counts[12] = counts[12].max(minute);
        self.counts.set(Numbers(counts))?;
        let [all @ .., minute] = counts;
        Ok(Counted { counts: all, minute })
    }
}

/// The level of a price in cents: 0 below 10,000, 1 below 1,000,000, 2 above.
pub fn level_of(price: u64) -> usize {
    match price {
        ..10_000 => 0,
        10_000..1_000_000 => 1,
        1_000_000.. => 2,
    }
}

/// Adds the counts to a row.
pub fn ranks_row<'a>(row: Row<'a>, counts: &AudienceCounts) -> Row<'a> {
    const NAMES: [&str; 12] = [
        "total_bids",
        "rank1_bids",
        "rank2_bids",
        "rank3_bids",
        "total_bidders",
        "rank1_bidders",
        "rank2_bidders",
        "rank3_bidders",
        "total_auctions",
        "rank1_auctions",
        "rank2_auctions",
        "rank3_auctions",
    ];
    NAMES.iter().zip(counts).fold(row, |row, (name, count)| row.number(name, *count))
}
