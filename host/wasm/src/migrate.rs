//! Old values of a state, brought to the version that a plugin declares, in an instance that is thrown away.

use crate::columns::{column, lent};
use crate::fault::GuestFault;
use crate::guest_log::GuestLog;
use crate::instance::GuestInstance;
use crate::limits::Limits;
use crate::plugin::Plugin;
use weir_engine::{Column, EngineError, ErrorKind};

impl Plugin {
    /// Migrates `values` of the declared state `state` from version `from_version`. The answer has one value for each.
    pub fn migrate(&self, state: u32, from_version: u32, values: &Column, limits: &Limits) -> Result<Column, EngineError> {
        let log = GuestLog::new("migrate", 0, 0);
        let migrated = GuestInstance::new(&self.inner.engine, &self.inner.pre, limits, log)
            .and_then(|mut guest| guest.migrate(limits.time_per_batch, state, from_version, lent(values)))
            .and_then(|migrated| column(migrated).map_err(|what| GuestFault::Malformed { what }))
            .and_then(|migrated| one_for_each(migrated, values.len()));
        migrated.map_err(|fault| {
            let name = self.descriptor().states.get(state as usize).map_or("?", |state| state.name.as_str());
            let place = format!("migrate state \"{name}\" of plugin \"{}\" from version {from_version}", self.descriptor().name);
            EngineError::new(ErrorKind::FixInput, format!("{place}: {fault}")).from_guest()
        })
    }
}

fn one_for_each(migrated: Column, wanted: usize) -> Result<Column, GuestFault> {
    if migrated.len() == wanted {
        return Ok(migrated);
    }
    Err(GuestFault::Malformed { what: format!("{} values where there have to be {wanted}", migrated.len()) })
}
