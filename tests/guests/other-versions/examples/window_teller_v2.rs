//! A version on of `tests/guests/window-teller` that keeps rows as numbers and the count beside the largest of them, and says the same.

use weir_guest::prelude::*;

/// How many rows there are, and which is the last of them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, StateType)]
pub struct Count {
    rows: u64,
    /// Not known of rows that the first version has counted.
    last: Option<u64>,
}

/// What is kept of a key in a window.
#[derive(States)]
pub struct Given {
    #[state(version = 2)]
    rows: ListState<u64>,
    #[state(version = 2, merge = |earlier, later| Count { rows: earlier.rows + later.rows, last: earlier.last.max(later.last) })]
    count: ValueState<Count>,
}

/// The operator.
pub struct WindowTeller;

impl Operator for WindowTeller {
    const NAME: &'static str = "window-teller";
    const VERSION: &'static str = "2.0.0";
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Given;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let row = std::str::from_utf8(record.value())?.split(',').next().unwrap_or_default().parse()?;
        ctx.rows.append(&row)?;
        ctx.count.update(|count| *count = Count { rows: count.rows + 1, last: count.last.max(Some(row)) })
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let rows: Vec<u64> = ctx.rows.iter()?.collect::<Result<_>>()?;
        if ctx.count.get()?.map(|count| count.rows) != Some(rows.len() as u64) {
            bail!("a window's list and its count have come apart");
        }
        let Some(Window { start, end }) = firing.window() else { bail!("a window that is told has bounds") };
        let (key, rows) = (std::str::from_utf8(firing.key())?, rows.iter().map(u64::to_string).collect::<Vec<_>>().join(","));
        ctx.emit(format!("{key} {start}..{end} {:?} {} {rows} -", firing.reason(), firing.revision()));
        Ok(())
    }

    fn migrate(state: &str, from_version: u32, value: OldValue<'_>) -> Result<Vec<u8>> {
        match (state, from_version) {
            ("rows", 1) => value.map(|row: String| row.parse().unwrap_or(u64::MAX)),
            ("count", 1) => value.map(|rows: u64| Count { rows, last: None }),
            _ => value.unknown(),
        }
    }
}

weir_guest::export!(WindowTeller);
