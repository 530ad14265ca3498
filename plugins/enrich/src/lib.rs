//! Flights in on one input, planes on the other, both keyed by aircraft: flights with what is known of their planes out.
//!
//! Each value is a CSV row whose header the source hands to `open`. Both inputs share the state of an aircraft. A flight whose plane has
//! come is emitted joined, as one JSON line: `{"tailnum":"N14228","time_hour":"2013-01-01T10:00:00Z","carrier":"UA","flight":1545,
//! "origin":"EWR","dest":"IAH","arr_delay":11,"manufacturer":"BOEING","model":"737-824","year":1999,"seats":149}` (`null`: not known). A
//! flight that comes before its plane waits in a list and is emitted when the plane comes, so that what is emitted in the end does not
//! depend on which comes first.
//!
//! A flight whose plane never comes waits for ever: it stays in the state and in every checkpoint, as there is no event time yet by which
//! to give it up. A flight that does not know its aircraft can never be joined; it is dropped and counted as `flights-without-aircraft`.
//! A second row for a plane holds for the flights that come after it.

mod rows;

use rows::{Flight, FlightRows, Plane, PlaneRows};
use serde::Serialize;
use weir_guest::prelude::*;

/// Rows of flights.
pub const FLIGHTS: Input = Input::new("flights").by_key();
/// Rows of planes.
pub const PLANES: Input = Input::new("planes").by_key();

/// What is kept of an aircraft.
#[derive(States)]
pub struct Aircraft {
    plane: ValueState<Plane>,
    /// Flights that came before the plane.
    waiting: ListState<Waiting>,
}

/// A flight that waits for its plane.
#[derive(Serialize, Deserialize, StateType)]
struct Waiting {
    flight: Flight,
    /// Of its record.
    timestamp: Option<i64>,
}

/// What is emitted.
#[derive(Serialize)]
struct Line<'a> {
    tailnum: &'a str,
    #[serde(flatten)]
    flight: &'a Flight,
    #[serde(flatten)]
    plane: &'a Plane,
}

/// The operator.
pub struct Enrich {
    flights: FlightRows,
    planes: PlaneRows,
}

impl Operator for Enrich {
    const NAME: &'static str = "enrich";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[FLIGHTS, PLANES];
    type Config = Empty;
    type States = Aircraft;

    fn open(_config: Empty, setup: &Setup) -> Result<Self> {
        let (Some(flights), Some(planes)) = (setup.schema(0), setup.schema(1)) else {
            bail!("enrich needs the headers of its rows: let a csv source feed each of its inputs directly");
        };
        Ok(Self { flights: FlightRows::under(flights)?, planes: PlaneRows::under(planes)? })
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        match record.input() {
            PLANES => self.plane(record, ctx),
            _ => self.flight(record, ctx),
        }
    }
}

impl Enrich {
    /// Emits a flight whose plane is known; another waits.
    fn flight(&self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(flight) = self.flights.read(record.value())? else {
            ctx.metric("flights-without-aircraft", 1);
            return Ok(());
        };
        let timestamp = record.timestamp();
        match ctx.plane.get()?.cloned() {
            Some(plane) => emit(record, timestamp, &flight, &plane, ctx),
            None => ctx.waiting.append(&Waiting { flight, timestamp }),
        }
    }

    /// Keeps a plane, and emits the flights that waited for it in the order in which they came.
    fn plane(&self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let plane = self.planes.read(record.value())?;
        let waiting = ctx.waiting.iter()?.collect::<Result<Vec<_>>>()?;
        for Waiting { flight, timestamp } in &waiting {
            emit(record, *timestamp, flight, &plane, ctx)?;
        }
        if !waiting.is_empty() {
            ctx.waiting.clear()?;
        }
        ctx.plane.set(plane)
    }
}

/// Emits a joined flight at its own time, whichever of the two records it is that `record` is.
fn emit(record: Record<'_>, timestamp: Option<i64>, flight: &Flight, plane: &Plane, ctx: &mut Context<'_, Enrich>) -> Result<()> {
    let Some(key) = record.key() else { bail!("a record without its aircraft as key") };
    let line = serde_json::to_vec(&Line { tailnum: std::str::from_utf8(key)?, flight, plane })?;
    ctx.emit_with(Some(key), timestamp, line);
    Ok(())
}

weir_guest::export!(Enrich);

#[cfg(test)]
mod tests;
