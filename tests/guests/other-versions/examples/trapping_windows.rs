//! A version of `tests/guests/window-teller`, on its state, that traps on the first window that is over: one that nobody wants.

use weir_guest::prelude::*;

/// What is kept of a key in a window, as the good version has it.
#[derive(States)]
pub struct Given {
    rows: ListState<String>,
    #[state(merge = |earlier, later| earlier + later)]
    count: ValueState<u64>,
}

/// The operator.
pub struct WindowTeller;

impl Operator for WindowTeller {
    const NAME: &'static str = "window-teller";
    const VERSION: &'static str = "3.0.0";
    const WINDOWED: bool = true;
    type Config = Empty;
    type States = Given;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        ctx.rows.append(&"0".to_owned())?;
        ctx.count.update(|count| *count += 1)
    }

    fn on_window(&mut self, firing: FiredWindow<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        ctx.emit("by the wrong version");
        panic!("it traps on every window, as on revision {}", firing.revision());
    }
}

weir_guest::export!(WindowTeller);
