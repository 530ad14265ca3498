//! Where the plugins of a job come from: files, or what is kept beside a checkpoint.

use crate::job_file::{Code, JobFile};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use weir_engine::checkpoint::{CheckpointMetadata, Store, stored_component};
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::{Plugin, WasmEngine};

/// Where each operator's plugin comes from, by the operator's id.
pub type PluginOrigins = BTreeMap<String, PluginOrigin>;

/// Where a plugin comes from.
#[derive(Clone, Debug)]
pub enum PluginOrigin {
    /// A file.
    File(PathBuf),
    /// A component that is kept beside a checkpoint.
    Stored {
        /// What to call it in messages.
        name: String,
        /// Its SHA-256.
        digest: String,
        /// What was found under that.
        bytes: Bytes,
    },
}

impl PluginOrigin {
    /// The plugin of `operator`.
    pub fn load(&self, operator: &str, engine: &WasmEngine) -> Result<Plugin, EngineError> {
        match self {
            Self::File(path) => Plugin::load(path, engine).map_err(|error| error.context(format!("{operator}: load the plugin"))),
            Self::Stored { name, digest, bytes } => {
                let plugin = Plugin::from_bytes(name, bytes, engine)?;
                if plugin.component().digest == *digest {
                    return Ok(plugin);
                }
                Err(EngineError::new(ErrorKind::Corrupt, format!("{name}: the component is not the one with digest {digest}")))
            }
        }
    }
}

/// The components that the operators of `job` ran at a checkpoint, as they are kept beside it in `store`. What `drops` gives up is not gone on with.
pub async fn stored_plugins(
    job: &JobFile,
    metadata: &CheckpointMetadata,
    drops: &[String],
    store: &dyn Store,
    clock: &dyn Clock,
) -> Result<PluginOrigins, EngineError> {
    let renames = job.renames();
    let mut plugins = PluginOrigins::new();
    for step in job.operators.iter().filter(|step| matches!(step.code, Code::Plugin(_))) {
        let id = &step.id.value;
        let own = metadata.component(id).filter(|_| !drops.contains(id));
        let digest = own.or_else(|| metadata.component(renames.get(id)?));
        let Some(digest) = digest.map(str::to_owned) else { return Err(not_in_checkpoint(id)) };
        let bytes = stored_component(store, clock, &digest).await?;
        let name = format!("{id} of checkpoint {}", metadata.checkpoint_id);
        plugins.insert(id.clone(), PluginOrigin::Stored { name, digest, bytes });
    }
    Ok(plugins)
}

fn not_in_checkpoint(id: &str) -> EngineError {
    let error = EngineError::new(ErrorKind::FixInput, format!("{id}: the checkpoint has no component of it: the job has changed since"));
    error.with_hint("undo the change, name a checkpoint that was taken after it, or leave `--pinned` out where it was given")
}
