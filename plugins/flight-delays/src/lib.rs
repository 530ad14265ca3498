//! Flights in, keyed by aircraft: a running count and total of arrival delays out.
//!
//! A record's value is a CSV row whose header the source hands to `open`. For each row that knows its `tailnum` and `arr_delay`
//! one JSON line is emitted: `{"tailnum":"N14228","flights":1,"total_delay":11}`. With the config `{"emit":"mean"}` every row
//! gives a CSV line instead: the aircraft, its rows so far, and its mean delay in minutes (`N14228,1,11.00`).
//!
//! The state is kept as raw bytes because here a record's cost counts; `word-count` shows state of a serde type.

mod totals;

pub use totals::Totals;

use std::borrow::Cow;
use weir_guest::csv::Columns;
use weir_guest::prelude::*;

/// How a value that is not known is written.
const UNKNOWN: &[u8] = b"NA";

/// The job file's `config`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is emitted.
    pub emit: Emit,
}

/// What is emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Emit {
    /// Count and total, of rows that know aircraft and delay.
    #[default]
    Totals,
    /// Rows and mean delay, of all rows.
    Mean,
}

/// The state of an aircraft.
#[derive(States)]
pub struct Aircraft {
    totals: ValueState<Totals, Raw>,
}

/// The operator.
pub struct FlightDelays {
    emit: Emit,
    /// Tailnum and arrival delay.
    columns: Columns<2>,
}

impl Operator for FlightDelays {
    const NAME: &'static str = "flight-delays";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;
    type States = Aircraft;

    fn open(config: Config, setup: &Setup) -> Result<Self> {
        let Some(header) = setup.schema(0) else {
            bail!("flight-delays needs the header of its rows: let a csv source feed it directly");
        };
        Ok(Self { emit: config.emit, columns: Columns::find(header.as_bytes(), ["tailnum", "arr_delay"])? })
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let quoted;
        let [tailnum, delay] = match self.columns.plain(record.value()) {
            Some(fields) => fields,
            None => {
                quoted = self.columns.read(record.value())?;
                quoted.each_ref().map(|field| &field[..])
            }
        };
        let delay = known(delay).map(minutes).transpose()?;
        match self.emit {
            Emit::Totals => {
                let (Some(tailnum), Some(delay)) = (known(tailnum), delay) else { return Ok(()) };
                let totals = ctx.totals.get()?.copied().unwrap_or_default().plus(Some(delay));
                ctx.totals.set(totals)?;
                let tailnum = json_text(tailnum)?;
                ctx.emit_into(|out| totals.write_json(&tailnum, out));
            }
            Emit::Mean => {
                let totals = ctx.totals.get()?.copied().unwrap_or_default().plus(delay);
                ctx.totals.set(totals)?;
                ctx.emit_into(|out| totals.write_mean(tailnum, out));
            }
        }
        Ok(())
    }
}

weir_guest::export!(FlightDelays);

fn known(field: &[u8]) -> Option<&[u8]> {
    (!field.is_empty() && field != UNKNOWN).then_some(field)
}

/// A delay in whole minutes.
#[inline]
fn minutes(field: &[u8]) -> Result<i64> {
    let (negative, digits) = match field {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        bail!("the arrival delay `{}` is no number of minutes", field.escape_ascii());
    }
    let minutes = digits.iter().fold(0i32, |sum, digit| 10 * sum + i32::from(digit - b'0'));
    Ok(i64::from(if negative { -minutes } else { minutes }))
}

/// `text` as it stands between the quotes of a JSON string.
#[inline]
fn json_text(text: &[u8]) -> Result<Cow<'_, [u8]>> {
    if text.iter().all(u8::is_ascii_alphanumeric) {
        return Ok(Cow::Borrowed(text));
    }
    let quoted = serde_json::to_vec(std::str::from_utf8(text)?)?;
    Ok(Cow::Owned(quoted[1..quoted.len() - 1].to_vec()))
}

#[cfg(test)]
mod tests;
