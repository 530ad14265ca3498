//! Counts the records of a key in each minute of event time by a timer at its end, and emits `KEY MINUTE COUNT`. Of the keys that the config says the timers of
//! even minutes trap: what they would have said is missing, and nothing else.

use weir_guest::prelude::*;

const MINUTE_MS: i64 = 60_000;
/// A minute is over.
const OVER: Timer = Timer::event("over");

/// The job file's `config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    traps_on: Vec<String>,
}

/// The state of a key.
#[derive(States)]
pub struct Minutes {
    /// How many records there have been in each minute that is not over.
    counts: MapState<i64, u64>,
}

/// The operator.
pub struct TrappingTimers(Config);

impl Operator for TrappingTimers {
    const NAME: &'static str = "trapping-timers";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const TIMERS: &'static [Timer] = &[OVER];
    type Config = Config;
    type States = Minutes;

    fn open(config: Config, _setup: &Setup) -> Result<Self> {
        Ok(Self(config))
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(time) = record.timestamp() else { bail!("a record has a time") };
        let minute = time.div_euclid(MINUTE_MS);
        let count = ctx.counts.get(&minute)?.unwrap_or(0);
        ctx.counts.put(&minute, &(count + 1))?;
        ctx.timers.set(OVER, (minute + 1) * MINUTE_MS)
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (key, minute) = (std::str::from_utf8(fired.key())?, fired.time() / MINUTE_MS - 1);
        let count = ctx.counts.get(&minute)?.unwrap_or(0);
        ctx.counts.remove(&minute)?;
        ctx.emit(format!("{key} {minute} {count}"));
        // Behind the emitted line: what a timer has done before it traps is undone.
        assert!(minute % 2 != 0 || !self.0.traps_on.iter().any(|trapping| trapping == key), "it traps at every even minute of this key");
        Ok(())
    }
}

weir_guest::export!(TrappingTimers);
