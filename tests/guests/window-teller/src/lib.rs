//! Keeps the first column of each row in its windows, and tells all that a window has each time that it fires: `KEY START..END REASON REVISION ROW,ROW… REPLACED`.
//! Of the keys that the config says, if any, it traps on every window.

use std::fmt::Write as _;
use weir_guest::prelude::*;

/// The job file's `config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    #[serde(default)]
    traps_on: Vec<String>,
}

/// What is kept of a key in a window.
#[derive(States)]
pub struct Given {
    rows: ListState<String>,
    #[state(merge = |earlier, later| earlier + later)]
    count: ValueState<u64>,
}

/// The operator.
pub struct WindowTeller(Config);

impl Operator for WindowTeller {
    const NAME: &'static str = "window-teller";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const WINDOWED: bool = true;
    type Config = Config;
    type States = Given;

    fn open(config: Config, _setup: &Setup) -> Result<Self> {
        Ok(Self(config))
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let row = std::str::from_utf8(record.value())?;
        ctx.rows.append(&row.split(',').next().unwrap_or_default().to_owned())?;
        ctx.count.update(|count| *count += 1)
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let rows: Vec<String> = ctx.rows.iter()?.collect::<Result<_>>()?;
        if ctx.count.get()?.copied() != Some(rows.len() as u64) {
            bail!("a window's list and its count have come apart");
        }
        let (key, rows) = (std::str::from_utf8(firing.key())?, rows.join(","));
        let bounds = |window: Option<Window>| window.map_or("none".into(), |Window { start, end }| format!("{start}..{end}"));
        let mut replaced = String::new();
        for window in firing.replaces() {
            let comma = if replaced.is_empty() { "" } else { "," };
            write!(replaced, "{comma}{}", bounds(Some(window)))?;
        }
        let replaced = if replaced.is_empty() { "-" } else { &replaced };
        ctx.emit(format!("{key} {} {:?} {} {rows} {replaced}", bounds(firing.window()), firing.reason(), firing.revision()));
        assert!(!self.0.traps_on.iter().any(|trapping| trapping == key), "it traps on every window of this key");
        Ok(())
    }
}

weir_guest::export!(WindowTeller);
