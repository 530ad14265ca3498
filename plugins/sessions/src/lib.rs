//! Flights in, keyed by aircraft: how many an aircraft flies without a pause out, when the pause has come.
//!
//! `{"tailnum":"N14228","start":"2013-01-01T10:00:00Z","end":"2013-01-01T21:00:00Z","flights":3,"revision":1}`, at the window's last ms. The job file says how long the
//! pause is, and `start` and `end` are the window's: a session ends with the pause behind its last flight. Flights that do not know their aircraft
//! are left out. Where late flights make a session longer, or one of several, `"replaces":[{"start":…,"end":…}]` names those that were told and hold no more.

use weir_guest::prelude::*;
use weir_guest::time::rfc3339;

/// Of rows that do not know their aircraft.
const UNKNOWN: &[u8] = b"NA";

/// What is kept of an aircraft in a session.
#[derive(States)]
pub struct Aircraft {
    #[state(merge = |earlier, later| earlier + later)]
    flights: ValueState<u64>,
}

#[derive(Serialize)]
struct Bounds {
    start: String,
    end: String,
}

#[derive(Serialize)]
struct Session<'a> {
    tailnum: &'a str,
    #[serde(flatten)]
    bounds: Bounds,
    flights: u64,
    revision: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replaces: Vec<Bounds>,
}

fn bounds(Window { start, end }: Window) -> Bounds {
    Bounds { start: rfc3339(start), end: rfc3339(end) }
}

/// The operator.
pub struct Sessions;

impl Operator for Sessions {
    const NAME: &'static str = "sessions";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Aircraft;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if record.key() == Some(UNKNOWN) {
            return Ok(());
        }
        ctx.flights.update(|flights| *flights += 1)
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(window) = firing.window() else { bail!("the window has no bounds: give the operator `{{ session = \"3h\" }}`") };
        let Some(flights) = ctx.flights.get()?.copied() else { return Ok(()) };
        let tailnum = std::str::from_utf8(firing.key())?;
        let replaces = firing.replaces().map(bounds).collect();
        ctx.emit_json(&Session { tailnum, bounds: bounds(window), flights, revision: firing.revision() + 1, replaces })
    }
}

weir_guest::export!(Sessions);

#[cfg(test)]
mod tests;
