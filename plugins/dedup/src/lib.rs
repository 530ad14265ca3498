//! Records in, by key: of each key the first one passes as it came, and no other until a day later.
//!
//! A day is the state's time to live, by event time: what is kept of a key is one bit, which the host forgets when the watermark has gone on by a day since the record that
//! passed. So the operator keeps as much as there are keys in a day, however long it runs. Records that do not pass are counted as `duplicates`; they do not make the
//! day any longer, as they would with `refresh = "read"`.

use weir_guest::prelude::*;

/// What is kept of a key.
#[derive(States)]
pub struct Key {
    /// There while a record of the key has passed within a day.
    #[state(ttl = "1d", time = "event")]
    has_passed: ValueState<bool>,
}

/// The operator.
pub struct Dedup;

impl Operator for Dedup {
    const NAME: &'static str = "dedup";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::new("in").by_key()];
    type Config = Empty;
    type States = Key;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if ctx.has_passed.get()?.is_some() {
            ctx.metric("duplicates", 1);
            return Ok(());
        }
        ctx.pass();
        ctx.has_passed.set(true)
    }
}

weir_guest::export!(Dedup);

#[cfg(test)]
mod tests;
