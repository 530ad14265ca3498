//! The rules of `wit/operator.wit` for windowed operators: `process` changes state and emits nothing, `on-windows` emits and changes nothing. So a batch may be
//! cut anywhere, and what is said of a window is the same.

use super::check::Checked;
use super::{Called, Given, Output, Passes};
use crate::bindings::weir::operator::types as wit;

impl Called<'_> {
    /// Refuses records that come of a batch of a windowed operator. An output without any is nothing.
    pub(super) fn check_gathered(&self, outputs: &[Output]) -> Checked<()> {
        if !self.descriptor.windowed || !matches!(self.given, Given::Records { .. }) {
            return Ok(());
        }
        match outputs.iter().find(|output| !output.cause.is_empty() || output.passes != Passes::None) {
            Some(output) => Err(format!("output {}: `process` of a windowed operator changes state and emits nothing", output.output)),
            None => Ok(()),
        }
    }

    /// Refuses changes that come of windows that fire.
    pub(super) fn check_spoken(&self, raw: &wit::Effects) -> Checked<()> {
        if self.given != Given::Windows {
            return Ok(());
        }
        let wit::Effects { outputs: _, values, lists, maps, broadcasts, touched: _, timers, metrics: _ } = raw;
        let numbers = values.iter().map(|update| update.state).chain(lists.iter().map(|update| update.state));
        let numbers = numbers.chain(maps.iter().map(|update| update.state)).chain(broadcasts.iter().map(|update| update.state));
        let changed = numbers.map(|number| ("state", number)).chain(timers.iter().map(|update| ("timer", update.timer))).next();
        match changed {
            Some((what, number)) => Err(format!("{what} {number}: `on-windows` reads the state of windows and emits; it changes nothing")),
            None => Ok(()),
        }
    }
}
