//! What a plugin has taken, of the limits that an operator sets it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_engine::job::ShownPlugin;
use weir_engine::metrics::PluginMetrics;

/// What an operator's plugin has taken of what it may; of what is no plugin nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PluginDocument {
    /// The author's name of it, of one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The author's version, of one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The component's SHA-256 in hex, of one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
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
    /// The same, of this component.
    pub fn named(self, ShownPlugin { name, version, digest }: ShownPlugin) -> Self {
        Self { name: Some(name), version: Some(version), digest: Some(digest), ..self }
    }

    /// What has been counted.
    pub fn of(counted: &PluginMetrics) -> Self {
        let fuel = Some(counted.fuel.get()).filter(|fuel| *fuel > 0);
        Self {
            name: None,
            version: None,
            digest: None,
            instances_recycled: counted.recycled.get(),
            fuel,
            time_s: counted.time_ns.get() as f64 / 1e9,
            memory_bytes: counted.memory.sum(),
            limits: counted.limits.get(),
        }
    }
}

/// What an operator runs; `digest`: that of its component, where it has one.
pub fn runs_text(name: &str, version: &str, digest: Option<&str>) -> String {
    let component = digest.map_or("native", |digest| digest.get(..8).unwrap_or(digest));
    format!("{name} {version} ({component})")
}
