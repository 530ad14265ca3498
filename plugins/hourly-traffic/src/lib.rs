//! Flights in, keyed by the airport that they leave: how many there are in each window out, when it is over and whenever late ones change that.
//!
//! `{"origin":"EWR","hour":"2013-01-01T10:00:00Z","flights":2,"revision":1}`, at the window's last ms. The job file says which windows there are; `hour` is where one
//! starts. Of an origin and an hour the row with the highest revision holds: the first has 1, each further one corrects it.

use weir_guest::prelude::*;
use weir_guest::time::rfc3339;

/// What is kept of an airport in a window.
#[derive(States)]
pub struct Hour {
    #[state(merge = |earlier, later| earlier + later)]
    flights: ValueState<u64>,
}

#[derive(Serialize)]
struct Traffic<'a> {
    origin: &'a str,
    hour: String,
    flights: u64,
    revision: u32,
}

/// The operator.
pub struct HourlyTraffic;

impl Operator for HourlyTraffic {
    const NAME: &'static str = "hourly-traffic";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Hour;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        ctx.flights.update(|flights| *flights += 1)
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(window) = firing.window() else { bail!("the window has no start: give the operator a tumbling or a hopping one") };
        let flights = ctx.flights.get()?.copied().unwrap_or(0);
        let origin = std::str::from_utf8(firing.key())?;
        ctx.emit_json(&Traffic { origin, hour: rfc3339(window.start), flights, revision: firing.revision() + 1 })
    }
}

weir_guest::export!(HourlyTraffic);

#[cfg(test)]
mod tests;
