//! A version of `tests/guests/trapping-timers` whose timer goes by the clock: those that are set do not.

use serde::de::IgnoredAny;
use weir_guest::prelude::*;

/// A minute is over.
const OVER: Timer = Timer::processing("over");

/// The state of a key.
#[derive(States)]
pub struct Minutes {
    counts: MapState<i64, u64>,
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

    fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        ctx.counts.put(&0, &1)?;
        let now = ctx.processing_time();
        ctx.timers.set(OVER, now)
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        ctx.emit(fired.key());
        Ok(())
    }
}

weir_guest::export!(MinutesOver);
