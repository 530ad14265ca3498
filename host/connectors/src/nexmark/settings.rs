//! The settings of the source `nexmark`: the benchmark's parameters under their defaults.

use super::plan::{EVENTS_MAX, Plan};
use crate::settings::table::{Fallback, Kind, Setting};
use crate::settings::{Settings, SettingsError};
use serde_json::{Map, Value};

/// The time of the first event in Apache Beam's version of the benchmark.
const BASE_TIME: &str = "2015-07-15T00:00:00Z";

const fn whole(name: &'static str, least: u64, most: u64, default: &'static str, about: &'static str) -> Setting {
    Setting::new(name, Kind::Whole { least, most }, Fallback::Value(default), about)
}

/// The settings of the source `nexmark`.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new("count", Kind::Whole { least: 0, most: EVENTS_MAX }, Fallback::Found("without end"), "How many events there are."),
    whole("seed", 0, u64::MAX, "1", "Another seed, other events."),
    Setting::new("base-time", Kind::Text, Fallback::Value(BASE_TIME), "The time of the first event, as RFC 3339 has it."),
    whole(
        "event-rate",
        1,
        1_000_000_000,
        "10000",
        "How many events there are in a second of their own time; `rate` is how fast they come.",
    ),
    whole("people", 1, 1000, "1", "New people in a round of events."),
    whole("auctions", 1, 1000, "3", "New auctions in a round."),
    whole("bids", 1, 1000, "46", "Bids in a round."),
    whole("hot-auction-ratio", 1, 1_000_000, "2", "Of so many bids all but one are for the hot auction."),
    whole("hot-bidder-ratio", 1, 1_000_000, "4", "Of so many bids all but one are by the hot bidder."),
    whole("hot-seller-ratio", 1, 1_000_000, "4", "Of so many auctions all but one are of the hot seller."),
    whole("in-flight-auctions", 1, 1_000_000, "100", "Bids are for so many of the newest auctions."),
    whole("active-people", 1, 1_000_000_000, "1000", "Bids and auctions are by so many of the newest people."),
    whole("person-bytes", 0, 50_000, "200", "How large a person is on average, as the benchmark counts it."),
    whole("auction-bytes", 0, 50_000, "500", "How large an auction is on average."),
    whole("bid-bytes", 0, 50_000, "100", "How large a bid is on average, without its channel and address."),
];

/// The plan that these settings say, and the settings with their defaults filled in.
pub(super) fn read(given: &Map<String, Value>) -> Result<(Plan, Map<String, Value>), SettingsError> {
    let mut settings = Settings::of_source("nexmark", SETTINGS, given);
    let count = settings.optional_whole("count")?;
    let base_time = settings.optional_text("base-time")?;
    let base_time = base_time_ms(base_time.as_deref().unwrap_or(BASE_TIME))?;
    let mut whole = |name| settings.whole(name);
    let plan = Plan {
        count,
        base_time,
        seed: whole("seed")?,
        event_rate: whole("event-rate")?,
        people: whole("people")?,
        auctions: whole("auctions")?,
        bids: whole("bids")?,
        hot_auction_ratio: whole("hot-auction-ratio")?,
        hot_bidder_ratio: whole("hot-bidder-ratio")?,
        hot_seller_ratio: whole("hot-seller-ratio")?,
        in_flight_auctions: whole("in-flight-auctions")?,
        active_people: whole("active-people")?,
        person_bytes: whole("person-bytes")?,
        auction_bytes: whole("auction-bytes")?,
        bid_bytes: whole("bid-bytes")?,
    };
    Ok((plan, settings.finish()?))
}

fn base_time_ms(text: &str) -> Result<i64, SettingsError> {
    let wrong = |error: jiff::Error| {
        let message = format!("`base-time` of the source `nexmark` is no time: {error}");
        SettingsError::at("base-time", message).with_hint(format!("write it as in \"{BASE_TIME}\""))
    };
    text.parse::<jiff::Timestamp>().map(|time| time.as_millisecond()).map_err(wrong)
}
