//! Takes flights by key and planes by broadcast, and lets flights pass: with the inputs of `plugins/enrich`, of which it wants one otherwise.

use weir_guest::prelude::*;

/// Rows of planes.
const PLANES: Input = Input::new("planes").broadcast();

/// The operator.
pub struct BroadcastPlanes;

impl Operator for BroadcastPlanes {
    const NAME: &'static str = "broadcast-planes";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const INPUTS: &'static [Input] = &[Input::new("flights").by_key(), PLANES];
    type Config = Empty;
    type States = ();

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        if record.input() != PLANES {
            ctx.pass();
        }
        Ok(())
    }
}

weir_guest::export!(BroadcastPlanes);
