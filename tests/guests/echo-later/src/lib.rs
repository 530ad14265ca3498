//! Keeps the last value of a key, and emits it as `KEY VALUE` 300 ms behind the first by the clock: with nothing but a timer to wake it.

use weir_guest::prelude::*;

const LATER: Timer = Timer::processing("later");
const DELAY_MS: i64 = 300;

/// The state of a key.
#[derive(States)]
pub struct Last {
    value: ValueState<Vec<u8>, Raw>,
}

/// The operator.
pub struct EchoLater;

impl Operator for EchoLater {
    const NAME: &'static str = "echo-later";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const TIMERS: &'static [Timer] = &[LATER];
    type Config = Empty;
    type States = Last;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if ctx.value.get()?.is_none() {
            let due = ctx.processing_time() + DELAY_MS;
            ctx.timers.set(LATER, due)?;
        }
        ctx.value.set(record.value().to_vec())
    }

    fn on_timer(&mut self, fired: FiredTimer<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let value = ctx.value.get()?.cloned().unwrap_or_default();
        ctx.value.clear()?;
        ctx.emit([fired.key(), b" ", &value].concat());
        Ok(())
    }
}

weir_guest::export!(EchoLater);
