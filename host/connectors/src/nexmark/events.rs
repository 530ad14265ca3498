//! Makes events as the benchmark's generator does: who is new, what is put up for auction and who bids for it, each of its number alone.
//!
//! Facts are from the generator of the Nexmark project (<https://github.com/nexmark/nexmark>), but for one: there a bidder's id has the first id added twice, so that no bidder
//! is anyone; here, as in Apache Beam, once.

use super::channels::Channels;
use super::draws::Draws;
use super::encoding::{Tag, begin, text};
use super::plan::{FIRST_CATEGORY, FIRST_ID, Happening, Place, Plan};

/// Of each so many people and auctions, the first are the hot ones.
const HOT_EVERY: u64 = 100;
/// Bids and auctions may be by people, and for auctions, that come so many later.
const LEAD: u64 = 10;
const CATEGORIES: u64 = 5;

const FIRST_NAMES: [&str; 11] = ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

/// Makes one event after the other in a buffer of its own.
pub(super) struct Events {
    plan: Plan,
    channels: Channels,
    buffer: Vec<u8>,
}

/// One event as it is sent.
pub(super) struct Event<'a> {
    pub(super) bytes: &'a [u8],
    /// Its time, ms since the Unix epoch.
    pub(super) time: i64,
}

impl Events {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { channels: Channels::new(plan.seed), plan: plan.clone(), buffer: Vec::with_capacity(1024) }
    }

    /// The event at `place`.
    #[inline]
    pub(super) fn at(&mut self, place: Place) -> Event<'_> {
        let number = place.number(&self.plan);
        let time = self.plan.time_of(number);
        let draws = Draws::of(self.plan.seed, number);
        match place.happening(&self.plan) {
            Happening::Person => self.person(place, time, draws),
            Happening::Auction => self.auction(place, time, draws),
            Happening::Bid => self.bid(place, time, draws),
        }
        Event { bytes: &self.buffer, time }
    }

    fn person(&mut self, place: Place, time: i64, mut draws: Draws) {
        let out = &mut self.buffer;
        begin(Tag::Person, time, [place.newest_person(&self.plan) + FIRST_ID], out);
        let mut size = 8;
        size += text(out, |out| {
            out.extend_from_slice(draws.word(&FIRST_NAMES).as_bytes());
            out.push(b' ');
            out.extend_from_slice(draws.word(&LAST_NAMES).as_bytes());
        });
        size += text(out, |out| {
            draws.text(7, b'_', out);
            out.push(b'@');
            draws.text(5, b'_', out);
            out.extend_from_slice(b".com");
        });
        size += text(out, |out| credit_card(&mut draws, out));
        size += text(out, |out| out.extend_from_slice(draws.word(&CITIES).as_bytes()));
        size += text(out, |out| out.extend_from_slice(draws.word(&STATES).as_bytes()));
        extra(size, self.plan.person_bytes, &mut draws, out);
    }

    fn auction(&mut self, place: Place, time: i64, mut draws: Draws) {
        let plan = &self.plan;
        let seller = match draws.is_hot(plan.hot_seller_ratio) {
            true => place.newest_person(plan) / HOT_EVERY * HOT_EVERY,
            false => some_person(plan, place, &mut draws),
        };
        let category = FIRST_CATEGORY + draws.below(CATEGORIES);
        let initial_bid = draws.price();
        let reserve = initial_bid + draws.price();
        let expires = time + length_ms(plan, place, &mut draws) as i64;
        let id = place.newest_auction(plan) + FIRST_ID;
        let out = &mut self.buffer;
        begin(Tag::Auction, time, [id, initial_bid, reserve, expires as u64, seller + FIRST_ID, category], out);
        let name = text(out, |out| draws.text(20, b' ', out));
        let description = text(out, |out| draws.text(100, b' ', out));
        extra(6 * 8 + name + description, plan.auction_bytes, &mut draws, out);
    }

    #[inline]
    fn bid(&mut self, place: Place, time: i64, mut draws: Draws) {
        let plan = &self.plan;
        let auction = match draws.is_hot(plan.hot_auction_ratio) {
            true => place.newest_auction(plan) / HOT_EVERY * HOT_EVERY,
            false => some_auction(plan, place, &mut draws),
        };
        // The second of so many people, so that hot bidders are not the hot sellers.
        let bidder = match draws.is_hot(plan.hot_bidder_ratio) {
            true => place.newest_person(plan) / HOT_EVERY * HOT_EVERY + 1,
            false => some_person(plan, place, &mut draws),
        };
        let price = draws.price();
        let out = &mut self.buffer;
        begin(Tag::Bid, time, [auction + FIRST_ID, bidder + FIRST_ID, price], out);
        out.extend_from_slice(self.channels.one(&mut draws));
        extra(4 * 8, plan.bid_bytes, &mut draws, out);
    }
}

/// One of the active people or of the next few, counted from 0.
#[inline]
fn some_person(plan: &Plan, place: Place, draws: &mut Draws) -> u64 {
    let people = place.newest_person(plan) + 1;
    let active = people.min(plan.active_people);
    people - active + draws.below(active + LEAD)
}

/// One of the auctions that are probably in flight or of the next few, counted from 0.
#[inline]
fn some_auction(plan: &Plan, place: Place, draws: &mut Draws) -> u64 {
    let newest = place.newest_auction(plan);
    let oldest = newest.saturating_sub(plan.in_flight_auctions);
    oldest + draws.below(newest - oldest + 1 + LEAD)
}

/// How long an auction lasts: on average as long as it takes until `in-flight-auctions` others have begun.
fn length_ms(plan: &Plan, place: Place, draws: &mut Draws) -> u64 {
    let number = place.number(plan);
    let events = plan.in_flight_auctions * plan.round() / plan.auctions;
    let horizon = plan.time_of(number + events) - plan.time_of(number);
    1 + draws.below((horizon as u64 * 2).max(1))
}

fn credit_card(draws: &mut Draws, out: &mut Vec<u8>) {
    for group in 0..4 {
        if group > 0 {
            out.push(b' ');
        }
        let number = draws.below(10_000);
        out.extend([1000, 100, 10, 1].map(|place| b'0' + (number / place % 10) as u8));
    }
}

/// Fills an event of `size` bytes, as the benchmark counts them, up to `average`, give or take a fifth.
#[inline]
fn extra(size: u64, average: u64, draws: &mut Draws, out: &mut Vec<u8>) {
    let missing = average.saturating_sub(size);
    let delta = (2 * missing + 5) / 10;
    let length = missing - delta + draws.below(2 * delta);
    text(out, |out| draws.letters(length as usize, out));
}
