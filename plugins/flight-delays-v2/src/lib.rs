//! `flight-delays`, a version on: it also knows the longest delay of each aircraft, and goes on where the first version left off.
//!
//! Emits `{"tailnum":"N14228","flights":2,"total_delay":7,"max_delay":11}` per row that knows its `tailnum` and `arr_delay`. The state of the first
//! version was three numbers of 64 bits; that of this one is a serde type. What the first version had counted stays; the longest delay is
//! that of the rows since, and unknown until there is one.

use weir_guest::csv::Columns;
use weir_guest::prelude::*;

/// How a value that is not known is written.
const UNKNOWN: &[u8] = b"NA";

/// What is kept of an aircraft.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, StateType)]
pub struct Totals {
    /// Rows with a known arrival delay.
    flights: u64,
    /// The sum of the delays, in minutes.
    total_delay: i64,
    /// The longest one.
    max_delay: Option<i64>,
}

/// What the first version kept: rows, rows with a known delay, and the sum of the delays.
type TotalsV1 = [u8; 24];

impl Totals {
    fn since(old: &TotalsV1) -> Self {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| old[8 * at + byte]));
        Self { flights: number(1), total_delay: number(2).cast_signed(), max_delay: None }
    }

    fn add(&mut self, delay: i64) {
        self.flights += 1;
        self.total_delay = self.total_delay.saturating_add(delay);
        self.max_delay = self.max_delay.max(Some(delay));
    }
}

/// The state of an aircraft.
#[derive(States)]
pub struct Aircraft {
    #[state(version = 2)]
    totals: ValueState<Totals>,
}

#[derive(Serialize)]
struct Line<'a> {
    tailnum: &'a str,
    flights: u64,
    total_delay: i64,
    max_delay: Option<i64>,
}

/// The operator.
pub struct FlightDelays {
    /// Tailnum and arrival delay.
    columns: Columns<2>,
}

impl Operator for FlightDelays {
    const NAME: &'static str = "flight-delays";
    const VERSION: &'static str = "2.0.0";
    type Config = Empty;
    type States = Aircraft;

    fn open(_config: Empty, setup: &Setup) -> Result<Self> {
        let Some(header) = setup.schema(0) else {
            bail!("flight-delays needs the header of its rows: let a csv source feed it directly");
        };
        Ok(Self { columns: Columns::find(header.as_bytes(), ["tailnum", "arr_delay"])? })
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let [tailnum, delay] = self.columns.read(record.value())?;
        if [&tailnum, &delay].iter().any(|field| field.is_empty() || &field[..] == UNKNOWN) {
            return Ok(());
        }
        let delay: i64 = std::str::from_utf8(&delay)?.parse()?;
        let Totals { flights, total_delay, max_delay } = ctx.totals.update(|totals| {
            totals.add(delay);
            totals.clone()
        })?;
        ctx.emit_json(&Line { tailnum: std::str::from_utf8(&tailnum)?, flights, total_delay, max_delay })
    }

    fn migrate(state: &str, from_version: u32, value: OldValue<'_>) -> Result<Vec<u8>> {
        match (state, from_version) {
            ("totals", 1) => value.recode::<Raw, Cbor, _, _>(|old: TotalsV1| Totals::since(&old)),
            _ => value.unknown(),
        }
    }
}

weir_guest::export!(FlightDelays);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_guest::testing::{TestHost, TestRecord, assert_cuts_agree};

    fn setup() -> Setup {
        Setup { schemas: vec![Some("tailnum,arr_delay".into())], ..Setup::default() }
    }

    fn rows(rows: &[&str]) -> Vec<TestRecord> {
        rows.iter().map(|row| TestRecord::new(*row).key(row.split(',').next().expect("a field"))).collect()
    }

    #[test]
    fn an_aircraft_goes_on_with_what_the_first_version_counted() {
        let mut host = TestHost::<FlightDelays>::open_with("", setup()).expect("opens");
        // Four rows, three of them with a delay, -5 minutes in all.
        let old: Vec<u8> = [4, 3, -5_i64].into_iter().flat_map(i64::to_le_bytes).collect();
        host.restore_value("totals", 1, "N1", &old).expect("migrates");
        assert_eq!(host.value_as("totals", "N1"), Some(Totals { flights: 3, total_delay: -5, max_delay: None }));
        host.send(&rows(&["N1,-2", "N2,7", "N1,NA", "N1,-9", ",3"])).expect("works");
        let lines: Vec<_> = host.emitted().iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect();
        assert_eq!(
            lines,
            [
                r#"{"tailnum":"N1","flights":4,"total_delay":-7,"max_delay":-2}"#,
                r#"{"tailnum":"N2","flights":1,"total_delay":7,"max_delay":7}"#,
                r#"{"tailnum":"N1","flights":5,"total_delay":-16,"max_delay":-2}"#,
            ]
        );
        assert!(host.restore_value("totals", 1, "N1", &old[1..]).expect_err("cut off").contains("23 bytes"));
    }

    #[test]
    fn cuts_change_nothing() {
        let rows: Vec<_> = (0..200).map(|n| format!("N{},{}", n % 7, n * 37 % 100 - 50)).collect();
        let rows =
            rows.iter().map(|row| (0, TestRecord::new(row.as_str()).key(row.split(',').next().expect("a field")))).collect::<Vec<_>>();
        assert_cuts_agree::<FlightDelays>("", &setup(), &rows, 3);
    }
}
