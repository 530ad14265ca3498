//! A version on of `tests/guests/trapping-timers` that traps on none: it keeps the earliest time beside each minute's count, and says the same.

use serde::de::IgnoredAny;
use weir_guest::prelude::*;

const MINUTE_MS: i64 = 60_000;
/// A minute is over.
const OVER: Timer = Timer::event("over");

/// What there was in a minute.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, StateType)]
pub struct Counted {
    rows: u64,
    /// Not known of records that the first version has counted.
    earliest: Option<i64>,
}

/// The state of a key.
#[derive(States)]
pub struct Minutes {
    #[state(version = 2)]
    counts: MapState<i64, Counted>,
}

/// The operator.
pub struct MinutesOver;

impl Operator for MinutesOver {
    const NAME: &'static str = "trapping-timers";
    const VERSION: &'static str = "2.0.0";
    const TIMERS: &'static [Timer] = &[OVER];
    type Config = IgnoredAny;
    type States = Minutes;

    fn open(_config: IgnoredAny, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let Some(time) = record.timestamp() else { bail!("a record has a time") };
        let minute = time.div_euclid(MINUTE_MS);
        let Counted { rows, earliest } = ctx.counts.get(&minute)?.unwrap_or_default();
        let earliest = Some(earliest.map_or(time, |earliest| earliest.min(time)));
        ctx.counts.put(&minute, &Counted { rows: rows + 1, earliest })?;
        ctx.timers.set(OVER, (minute + 1) * MINUTE_MS)
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let (key, minute) = (std::str::from_utf8(fired.key())?, fired.time() / MINUTE_MS - 1);
        let count = ctx.counts.get(&minute)?.unwrap_or_default().rows;
        ctx.counts.remove(&minute)?;
        ctx.emit(format!("{key} {minute} {count}"));
        Ok(())
    }

    fn migrate(state: &str, from_version: u32, value: OldValue<'_>) -> Result<Vec<u8>> {
        match (state, from_version) {
            ("counts", 1) => value.map(|rows: u64| Counted { rows, earliest: None }),
            _ => value.unknown(),
        }
    }
}

weir_guest::export!(MinutesOver);
