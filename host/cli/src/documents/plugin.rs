//! What a plugin has taken, of the limits that an operator sets it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_engine::metrics::PluginMetrics;

/// What an operator's plugin has taken of what it may; of what is no plugin nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PluginDocument {
    /// Instances that were replaced because their memory had grown beyond `limits.recycle-memory`.
    pub instances_recycled: u64,
    /// Fuel of all calls, where `limits.fuel-per-record` has it counted.
    pub fuel: Option<u64>,
    /// How long its calls have taken, what they asked of the host included, s.
    #[serde(default)]
    pub time_s: f64,
    /// Bytes of the memories and tables of its instances.
    #[serde(default)]
    pub memory_bytes: u64,
    /// How often a call came to an end at a limit, by its name among the `limits`; of `log-bytes-per-second`, how many lines were dropped.
    pub limits: BTreeMap<String, u64>,
}

impl PluginDocument {
    /// What has been counted.
    pub fn of(counted: &PluginMetrics) -> Self {
        let fuel = Some(counted.fuel.get()).filter(|fuel| *fuel > 0);
        Self {
            instances_recycled: counted.recycled.get(),
            fuel,
            time_s: counted.time_ns.get() as f64 / 1e9,
            memory_bytes: counted.memory.sum(),
            limits: counted.limits.get(),
        }
    }
}
