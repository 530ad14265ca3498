//! Old values of a state, brought to the version that a plugin declares, in an instance that is thrown away.

use crate::columns::{column, lent};
use crate::fault::GuestFault;
use crate::guest_log::GuestLog;
use crate::guest_text::with_more;
use crate::instance::GuestInstance;
use crate::limits::Limits;
use crate::plugin::Plugin;
use weir_engine::state::StateMigrator;
use weir_engine::{Column, EngineError, ErrorKind};

/// Migrates the states of one operator of a job. Each call has an instance of its own: what a plugin does with old values depends on nothing
/// but these.
pub(crate) struct PluginMigrator {
    plugin: Plugin,
    limits: Limits,
}

impl PluginMigrator {
    pub(crate) fn new(plugin: Plugin, limits: Limits) -> Self {
        Self { plugin, limits }
    }
}

impl StateMigrator for PluginMigrator {
    fn migrate(&self, state: usize, from_version: u32, values: &Column) -> Result<Column, EngineError> {
        let (bytes, limit) = (values.data().len() as u64, self.batch_bytes());
        if bytes > limit {
            let message = format!("migrate from version {from_version}: one value has {bytes} bytes, and a call may have {limit}");
            let hint = "raise limits.memory of the operator: what goes into one call may have a quarter of it";
            return Err(EngineError::new(ErrorKind::FixInput, message).with_hint(hint));
        }
        self.plugin.migrate(state as u32, from_version, values, &self.limits)
    }

    fn batch_bytes(&self) -> u64 {
        self.limits.batch_bytes()
    }
}

impl Plugin {
    /// Its file and the digest of its component, for errors.
    pub(crate) fn named(&self) -> String {
        let digest = &self.component().digest;
        format!("plugin {} {}", self.file, digest.get(..8).unwrap_or(digest))
    }

    /// Migrates `values` of the declared state `state` from version `from_version`. The answer has one value for each.
    pub fn migrate(&self, state: u32, from_version: u32, values: &Column, limits: &Limits) -> Result<Column, EngineError> {
        let log = GuestLog::new("migrate", 0, 0);
        let migrated = GuestInstance::new(&self.inner.engine, &self.inner.pre, limits, log)
            .and_then(|mut guest| guest.migrate(limits.time_per_batch, state, from_version, lent(values)))
            .and_then(|migrated| column(migrated).map_err(|what| GuestFault::Malformed { what }))
            .and_then(|migrated| one_for_each(migrated, values.len()));
        migrated.map_err(|fault| {
            let backtrace = fault.backtrace().map(|trace| format!("\n{}", trace.trim_end())).unwrap_or_default();
            let name = self.descriptor().states.get(state as usize).map_or("?", |state| state.name.as_str());
            let place = format!("migrate state \"{name}\" of plugin \"{}\" from version {from_version}", self.descriptor().name);
            let told = with_more(&format!("{place}: {fault}"), self.named());
            EngineError::new(ErrorKind::FixInput, told + &backtrace).from_guest()
        })
    }
}

fn one_for_each(migrated: Column, wanted: usize) -> Result<Column, GuestFault> {
    if migrated.len() == wanted {
        return Ok(migrated);
    }
    Err(GuestFault::Malformed { what: format!("{} values where there have to be {wanted}", migrated.len()) })
}
