//! What is read of the rows of either input.

use std::borrow::Cow;
use weir_guest::csv::Columns;
use weir_guest::prelude::*;

/// How a value that is not known is written.
const UNKNOWN: &[u8] = b"NA";

/// A flight, but for its aircraft, which is the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, StateType)]
pub struct Flight {
    time_hour: String,
    carrier: String,
    flight: u32,
    origin: String,
    dest: String,
    /// Minutes; negative: early.
    arr_delay: Option<i64>,
}

/// What is known of an aircraft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, StateType)]
pub struct Plane {
    manufacturer: String,
    model: String,
    /// In which it was built.
    pub year: Option<u32>,
    seats: Option<u32>,
}

/// Rows of flights under one header.
pub struct FlightRows(Columns<7>);

/// Rows of planes under one header.
pub struct PlaneRows(Columns<4>);

impl FlightRows {
    /// Rows under `header`.
    pub fn under(header: &str) -> Result<Self> {
        let names = ["tailnum", "time_hour", "carrier", "flight", "origin", "dest", "arr_delay"];
        Ok(Self(Columns::find(header.as_bytes(), names)?))
    }

    /// The flight of a row; `None` where it does not know its aircraft.
    pub fn read(&self, row: &[u8]) -> Result<Option<Flight>> {
        let [tailnum, time_hour, carrier, flight, origin, dest, arr_delay] = self.0.read(row)?;
        if !is_known(&tailnum) {
            return Ok(None);
        }
        let Some(flight) = number("flight", &flight)? else { bail!("a flight without a number") };
        let [time_hour, carrier, origin, dest] = [time_hour, carrier, origin, dest].map(text);
        let (time_hour, carrier, origin, dest) = (time_hour?, carrier?, origin?, dest?);
        Ok(Some(Flight { time_hour, carrier, flight, origin, dest, arr_delay: number("arr_delay", &arr_delay)? }))
    }
}

impl PlaneRows {
    /// Rows under `header`.
    pub fn under(header: &str) -> Result<Self> {
        Ok(Self(Columns::find(header.as_bytes(), ["manufacturer", "model", "year", "seats"])?))
    }

    /// The plane of a row.
    pub fn read(&self, row: &[u8]) -> Result<Plane> {
        let [manufacturer, model, year, seats] = self.0.read(row)?;
        Ok(Plane { manufacturer: text(manufacturer)?, model: text(model)?, year: number("year", &year)?, seats: number("seats", &seats)? })
    }
}

fn is_known(field: &[u8]) -> bool {
    !field.is_empty() && field != UNKNOWN
}

fn text(field: Cow<'_, [u8]>) -> Result<String> {
    Ok(String::from_utf8(field.into_owned())?)
}

/// A number, where it is known.
fn number<T: std::str::FromStr>(column: &str, field: &[u8]) -> Result<Option<T>> {
    if !is_known(field) {
        return Ok(None);
    }
    match std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => bail!("the column `{column}` has `{}`, which is no number that it can have", field.escape_ascii()),
    }
}
