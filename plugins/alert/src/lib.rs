//! Flights in, keyed by aircraft: an alert out for each flight that the aircraft's next one did not follow within so many hours.
//!
//! `{"tailnum":"N14228","last_flight":"2013-01-01T10:00:00Z","overdue_since":"2013-01-04T10:00:00Z"}`, at the time since which it is overdue. The config
//! `{"within-hours":24}` says after how many hours, 72 where it does not. Each flight sets a timer to when the next one is awaited; event time has
//! passed all flights until then when it fires, so the order in which they came does not matter. At the end of the input every aircraft is overdue.

use weir_guest::prelude::*;
use weir_guest::time::rfc3339;

/// Of rows that do not know their aircraft.
const UNKNOWN: &[u8] = b"NA";
/// The next flight is awaited at this time.
const AWAITED: Timer = Timer::event("awaited");

/// The job file's `config`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    #[serde(default = "three_days")]
    within_hours: u32,
}

fn three_days() -> u32 {
    72
}

/// The state of an aircraft.
#[derive(States)]
pub struct Aircraft {
    /// Times of flights, ascending, whose timer has not fired.
    flights: ValueState<Vec<i64>>,
}

#[derive(Serialize)]
struct Overdue<'a> {
    tailnum: &'a str,
    last_flight: String,
    overdue_since: String,
}

/// The operator.
pub struct Alert {
    within_ms: i64,
}

impl Operator for Alert {
    const NAME: &'static str = "alert";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const TIMERS: &'static [Timer] = &[AWAITED];
    type Config = Config;
    type States = Aircraft;

    fn open(config: Config, _setup: &Setup) -> Result<Self> {
        Ok(Self { within_ms: i64::from(config.within_hours) * 3_600_000 })
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(time) = record.timestamp() else { bail!("the flight has no time: `timestamp` in its source names the column") };
        if record.key() == Some(UNKNOWN) {
            return Ok(());
        }
        ctx.flights.update(|flights| {
            if let Err(place) = flights.binary_search(&time) {
                flights.insert(place, time);
            }
        })?;
        ctx.timers.set(AWAITED, time.saturating_add(self.within_ms))
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let last_flight = fired.time() - self.within_ms;
        let next_flight = ctx.flights.update(|flights| {
            flights.retain(|&flight| flight > last_flight);
            flights.first().copied()
        })?;
        if next_flight.is_none() {
            ctx.flights.clear()?;
        }
        if next_flight.is_some_and(|next| next <= fired.time()) {
            return Ok(());
        }
        let tailnum = std::str::from_utf8(fired.key())?;
        ctx.emit_json(&Overdue { tailnum, last_flight: rfc3339(last_flight), overdue_since: rfc3339(fired.time()) })
    }
}

weir_guest::export!(Alert);

#[cfg(test)]
mod tests;
