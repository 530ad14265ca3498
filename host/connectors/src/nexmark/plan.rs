//! What there is to generate: the benchmark's parameters, and where event n stands among the others.
//!
//! Events come in rounds of `people` persons, then `auctions` auctions, then `bids` bids. Splits are dealt whole rounds, so that each has the same mix of events and its own
//! are in the order of time.

use serde::Serialize;

/// Ids of people and of auctions begin here, as in the benchmark.
pub(super) const FIRST_ID: u64 = 1000;
/// Ids of categories begin here.
pub(super) const FIRST_CATEGORY: u64 = 10;
/// No job has more events: their times and ids stay far from the ends of their types.
pub(super) const EVENTS_MAX: u64 = 1_000_000_000_000_000;

/// The settings, which are also what a checkpoint knows the source by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Plan {
    pub(super) count: Option<u64>,
    pub(super) seed: u64,
    /// Of event 0, ms since the Unix epoch.
    pub(super) base_time: i64,
    /// Events in a second of their own time.
    pub(super) event_rate: u64,
    pub(super) people: u64,
    pub(super) auctions: u64,
    pub(super) bids: u64,
    /// Of this many bids all but one are for the hot auction.
    pub(super) hot_auction_ratio: u64,
    pub(super) hot_bidder_ratio: u64,
    pub(super) hot_seller_ratio: u64,
    pub(super) in_flight_auctions: u64,
    pub(super) active_people: u64,
    pub(super) person_bytes: u64,
    pub(super) auction_bytes: u64,
    pub(super) bid_bytes: u64,
}

impl Plan {
    /// Events of a round.
    pub(super) fn round(&self) -> u64 {
        self.people + self.auctions + self.bids
    }

    /// The number behind the last event.
    pub(super) fn end(&self) -> u64 {
        self.count.unwrap_or(EVENTS_MAX)
    }

    /// The time of event `number`, ms since the Unix epoch.
    #[inline]
    pub(super) fn time_of(&self, number: u64) -> i64 {
        self.base_time + (number * 1000 / self.event_rate) as i64
    }
}

/// Where an event stands: in which round, and as which event of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) round: u64,
    pub(super) offset: u64,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Person,
    Auction,
    Bid,
}

impl Place {
    pub(super) fn of(number: u64, plan: &Plan) -> Self {
        Self { round: number / plan.round(), offset: number % plan.round() }
    }

    #[inline]
    pub(super) fn number(self, plan: &Plan) -> u64 {
        self.round * plan.round() + self.offset
    }

    /// The place of the next event of a split that has one of `stride` rounds.
    #[inline]
    pub(super) fn next(self, stride: u64, plan: &Plan) -> Self {
        match self.offset + 1 {
            offset if offset == plan.round() => Self { round: self.round + stride, offset: 0 },
            offset => Self { offset, ..self },
        }
    }

    #[inline]
    pub(super) fn happening(self, plan: &Plan) -> Happening {
        match self.offset {
            offset if offset < plan.people => Happening::Person,
            offset if offset < plan.people + plan.auctions => Happening::Auction,
            _ => Happening::Bid,
        }
    }

    /// The newest person up to here, this one included; counted from 0.
    #[inline]
    pub(super) fn newest_person(self, plan: &Plan) -> u64 {
        self.round * plan.people + self.offset.min(plan.people - 1)
    }

    /// The newest auction up to here, this one included; counted from 0, which is also the answer where there is none yet.
    #[inline]
    pub(super) fn newest_auction(self, plan: &Plan) -> u64 {
        match self.offset.checked_sub(plan.people) {
            Some(offset) => self.round * plan.auctions + offset.min(plan.auctions - 1),
            None => (self.round * plan.auctions).saturating_sub(1),
        }
    }
}
