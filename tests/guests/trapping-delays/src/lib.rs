//! A third version of `plugins/flight-delays`, on the state of the second, that traps at every tenth flight of an aircraft: a version that nobody wants.

use weir_guest::prelude::*;

/// What the second version keeps of an aircraft.
#[derive(Clone, Debug, Default, Serialize, Deserialize, StateType)]
pub struct Totals {
    flights: u64,
    total_delay: i64,
    max_delay: Option<i64>,
}

/// The state of an aircraft.
#[derive(States)]
pub struct Aircraft {
    #[state(version = 2)]
    totals: ValueState<Totals>,
}

/// The operator.
pub struct TrappingDelays;

impl Operator for TrappingDelays {
    const NAME: &'static str = "trapping-delays";
    const VERSION: &'static str = "3.0.0";
    type Config = Empty;
    type States = Aircraft;

    fn open(_config: Empty, _setup: &Setup) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, _record: Record<'_>, ctx: &mut Context<'_, Self>) -> Result<()> {
        let flights = ctx.totals.update(|totals| {
            totals.flights += 1;
            totals.flights
        })?;
        assert!(!flights.is_multiple_of(10), "it traps at every tenth flight");
        ctx.emit("by the wrong version");
        Ok(())
    }
}

weir_guest::export!(TrappingDelays);
