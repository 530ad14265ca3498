//! Flights in on one input, planes on the other, both keyed by aircraft: each flight with what was known of its plane when it flew out.
//!
//! A row of a plane is a version of it, from the year on in which it was built, since a registration passes from one plane to another; one that does not know its year holds
//! until the first that does. A flight waits until event time has come to its own, so that the order in which flights and planes come does not matter, and is emitted at its
//! time as the JSON line that `plugins/enrich` emits, without the plane's fields where there was no plane. (There, without time, a flight waits for its plane for ever, and a
//! second row of a plane holds for what comes after it.) A flight that does not know its aircraft is dropped and counted as `flights-without-aircraft`.

#[path = "../../enrich/src/rows.rs"]
mod rows;
mod years;

use rows::{Flight, FlightRows, Plane, PlaneRows};
use weir_guest::joins::{Rows, TemporalJoin, WithVersion};
use weir_guest::prelude::*;
use years::start_of_year;

/// Rows of flights.
pub const FLIGHTS: Input = Input::new("flights").by_key();
/// Rows of planes.
pub const PLANES: Input = Input::new("planes").by_key();
/// Event time has come to a flight, or to a version of a plane.
const DUE: Timer = Timer::event("due");

/// What is kept of an aircraft.
#[derive(States)]
pub struct Aircraft {
    /// Flights that event time has not come to.
    flights: Rows<Flight>,
    /// Planes by when they hold from.
    planes: MapState<i64, Plane>,
}

/// What is emitted.
#[derive(Serialize)]
struct Line<'a> {
    tailnum: &'a str,
    #[serde(flatten)]
    flight: &'a Flight,
    #[serde(flatten)]
    plane: Option<&'a Plane>,
}

/// The operator.
pub struct EnrichAsOf {
    flights: FlightRows,
    planes: PlaneRows,
}

impl Operator for EnrichAsOf {
    const NAME: &'static str = "enrich-as-of";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[FLIGHTS, PLANES];
    const TIMERS: &'static [Timer] = &[DUE];
    type Config = Empty;
    type States = Aircraft;

    fn open(_config: Empty, setup: &Setup) -> Result<Self> {
        let (Some(flights), Some(planes)) = (setup.schema(0), setup.schema(1)) else {
            bail!("enrich-as-of needs the headers of its rows: let a csv source feed each of its inputs directly");
        };
        Ok(Self { flights: FlightRows::under(flights)?, planes: PlaneRows::under(planes)? })
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if record.input() == PLANES {
            let plane = self.planes.read(record.value())?;
            return join(ctx).version(start_of_year(plane.year.unwrap_or(0)), &plane);
        }
        let Some(flight) = self.flights.read(record.value())? else {
            ctx.metric("flights-without-aircraft", 1);
            return Ok(());
        };
        let Some(time) = record.timestamp() else { bail!("the flight has no time: `timestamp` in its source names the column") };
        let late = join(ctx).row(time, flight)?;
        late.iter().try_for_each(|joined| emit(record.key().unwrap_or_default(), joined, ctx))
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let due = join(ctx).due(fired.time())?;
        due.iter().try_for_each(|joined| emit(fired.key(), joined, ctx))
    }
}

/// The join of the aircraft that is being worked on.
fn join<'a>(ctx: &'a mut Context<'_, EnrichAsOf>) -> TemporalJoin<'a, Flight, Plane> {
    let (Aircraft { flights, planes }, timers) = ctx.parts();
    TemporalJoin::new(flights, planes, timers, DUE)
}

/// At the flight's time, which is that of its record and that of its timer.
fn emit(tailnum: &[u8], joined: &WithVersion<Flight, Plane>, ctx: &mut Context<'_, EnrichAsOf>) -> Result<()> {
    ctx.emit_json(&Line { tailnum: std::str::from_utf8(tailnum)?, flight: &joined.row, plane: joined.version.as_ref() })
}

weir_guest::export!(EnrichAsOf);

#[cfg(test)]
mod tests;
