//! Where the plugins of a job come from: files, what a reference of the job file leads to, or what is kept beside a checkpoint.

use crate::job_file::{Code, JobFile, PluginPlace};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use weir_engine::checkpoint::{CheckpointMetadata, stored_component};
use weir_engine::job::{JobGraph, Vertex, VertexKind};
use weir_engine::runtime::Clock;
use weir_engine::storage::Store;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::{CompileLimits, Plugin, WasmEngine, check_hosted};

/// Where each operator's plugin comes from, by the operator's id.
pub type PluginOrigins = BTreeMap<String, PluginOrigin>;

/// Where a plugin comes from.
#[derive(Clone, Debug)]
pub enum PluginOrigin {
    /// A file.
    File(PathBuf),
    /// What a reference to a registry, or a digest, leads to.
    Referenced(Referenced),
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

/// What a reference of the job file leads to: the job file's own plugin, as a file is.
#[derive(Clone, Debug)]
pub struct Referenced {
    /// The reference as the job file has it.
    pub reference: String,
    /// The digest of its manifest, where it is in a registry.
    pub manifest: Option<String>,
    /// The component, or a core module that carries its type.
    pub bytes: Bytes,
    /// The SHA-256 that the component has to have, where the job's lineage has pinned it.
    pub pinned: Option<String>,
}

impl PluginOrigin {
    /// Bytes of the file, or of what is kept; `None` of a file that is not there.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path).ok().map(|file| file.len()),
            Self::Referenced(Referenced { bytes, .. }) | Self::Stored { bytes, .. } => Some(bytes.len() as u64),
        }
    }

    /// The plugin of `operator`, compiled within `limits`.
    pub fn load(&self, operator: &str, engine: &WasmEngine, limits: CompileLimits) -> Result<Plugin, EngineError> {
        match self {
            Self::File(path) => {
                Plugin::load_within(path, engine, limits).map_err(|error| error.context(format!("{operator}: load the plugin")))
            }
            Self::Referenced(Referenced { reference: name, bytes, pinned, .. }) => {
                load_stored((operator, name), bytes, pinned.as_deref(), engine, limits)
            }
            Self::Stored { name, digest, bytes } => load_stored((operator, name), bytes, Some(digest), engine, limits),
        }
    }
}

fn load_stored(
    (operator, name): (&str, &str),
    bytes: &[u8],
    digest: Option<&str>,
    engine: &WasmEngine,
    limits: CompileLimits,
) -> Result<Plugin, EngineError> {
    let plugin = Plugin::from_bytes_within(name, bytes, engine, limits);
    let plugin = plugin.map_err(|error| error.context(format!("{operator}: load the plugin")))?;
    match digest.filter(|digest| plugin.component().digest != **digest) {
        None => Ok(plugin),
        Some(digest) => Err(EngineError::new(ErrorKind::Corrupt, format!("{name}: the component is not the one with digest {digest}"))),
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
    let mut plugins = PluginOrigins::new();
    for (id, digest) in stored_digests(job, metadata, drops) {
        let Some(digest) = digest else { return Err(not_in_checkpoint(id)) };
        let bytes = stored_component(store, clock, &digest)
            .await
            .map_err(|error| error.context(format!("{id}: run the component that is kept there")))?;
        let name = format!("{id} of checkpoint {}", metadata.checkpoint_id);
        plugins.insert(id.clone(), PluginOrigin::Stored { name, digest, bytes });
    }
    Ok(plugins)
}

/// The components with these digests, by operator, as they are kept in `store`: each in place of what the job file names.
pub async fn stand_ins(digests: &BTreeMap<String, String>, store: &dyn Store, clock: &dyn Clock) -> Result<PluginOrigins, EngineError> {
    let mut plugins = PluginOrigins::new();
    for (id, digest) in digests {
        let bytes = stored_component(store, clock, digest).await.map_err(|error| error.context(id))?;
        plugins.insert(id.clone(), PluginOrigin::Stored { name: format!("{id} as it was"), digest: digest.clone(), bytes });
    }
    Ok(plugins)
}

/// The operators of `job` that run plugins, each with the digest of the component that it, or the one that it was before, ran at a checkpoint.
fn stored_digests<'a>(
    job: &'a JobFile,
    metadata: &CheckpointMetadata,
    drops: &[String],
) -> impl Iterator<Item = (&'a String, Option<String>)> {
    let renames = job.renames();
    job.operators.iter().filter(|step| matches!(step.code, Code::Plugin(_))).map(move |step| {
        let id = &step.id.value;
        let own = metadata.component(id).filter(|_| !drops.contains(id));
        let digest = own.or_else(|| metadata.component(renames.get(id)?));
        (id, digest.map(str::to_owned))
    })
}

/// A job that is to go on from a checkpoint.
#[derive(Clone, Copy)]
pub struct GoingOn<'a> {
    /// Its file.
    pub job: &'a JobFile,
    /// The graph that it is to run as.
    pub graph: &'a JobGraph,
    /// The operators whose state is given up.
    pub drops: &'a [String],
}

/// Refuses to go on with what a newer weir wrote: an operator whose component at the checkpoint is of a newer world than this weir hosts. That `graph` runs
/// another component by now changes nothing, because it is this weir that is behind; a component of an older world may be replaced.
pub async fn refuse_newer_worlds(
    going_on: GoingOn<'_>,
    metadata: &CheckpointMetadata,
    store: &dyn Store,
    clock: &dyn Clock,
    engine: impl Fn() -> Result<WasmEngine, EngineError>,
) -> Result<(), EngineError> {
    let GoingOn { job, graph, drops } = going_on;
    for (id, digest) in stored_digests(job, metadata, drops) {
        let Some(digest) = digest else { continue };
        // The graph's own component has been loaded, so it is hosted.
        if graph.vertices.iter().any(|vertex| vertex.id == *id && digest_of(vertex).is_some_and(|own| own == digest)) {
            continue;
        }
        // One that is missing is missed by whoever runs it.
        let Ok(bytes) = stored_component(store, clock, &digest).await else { continue };
        let name = format!("{id} of checkpoint {}", metadata.checkpoint_id);
        check_hosted(&name, &bytes, &engine()?).map_err(|error| error.context(format!("{id}: go on from what a newer weir wrote")))?;
    }
    Ok(())
}

/// A line for each operator whose tag leads to another component by now than the one that ran at the checkpoint that `going_on` begins from.
pub fn moved_tags(GoingOn { job, graph, drops }: GoingOn<'_>, plugins: &PluginOrigins, metadata: &CheckpointMetadata) -> Vec<String> {
    let short = |digest: &str| digest.chars().take(8).collect::<String>();
    let moved = |(id, before): (&String, Option<String>)| {
        let step = job.operators.iter().find(|step| step.id.value == *id)?;
        let Code::Plugin(code) = &step.code else { return None };
        let PluginPlace::Registry(tag) = &code.place else { return None };
        // What a lineage has resolved before is told by its own word.
        let PluginOrigin::Referenced(Referenced { pinned: None, .. }) = plugins.get(id)? else { return None };
        let now = digest_of(graph.vertices.iter().find(|vertex| vertex.id == *id)?)?;
        let before = before.filter(|before| *before != now && tag.digest.is_none())?;
        let (reference, now, before) = (&code.path.value, short(&now), short(&before));
        Some(format!("{id}: {reference} is component {now} now, and {before} ran where this begins from; `--pinned` runs that one"))
    };
    stored_digests(job, metadata, drops).filter_map(moved).collect()
}

/// The digest of the component that a vertex runs.
pub(crate) fn digest_of(vertex: &Vertex) -> Option<String> {
    match &vertex.kind {
        VertexKind::Operator(factory) => factory.component().map(|component| component.digest.clone()),
        VertexKind::Source { .. } | VertexKind::Sink(_) => None,
    }
}

fn not_in_checkpoint(id: &str) -> EngineError {
    let error = EngineError::new(ErrorKind::FixInput, format!("{id}: the checkpoint has no component of it: the job has changed since"));
    error.with_hint("undo the change, name a checkpoint that was taken after it, or leave `--pinned` out where it was given")
}
