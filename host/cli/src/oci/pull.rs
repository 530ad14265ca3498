//! Pulls a component: its manifest, and the layer that this names, where it is not here already.

use super::artefact::{Layer, MANIFEST_TYPE, layer_of};
use super::authorisation::Actions;
use super::session::{Session, Wanted};
use super::{Access, KeptPlugins, Pulled, sha256_of};
use crate::job_file::OciReference;
use std::time::Duration;
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};

/// Bytes of a manifest: a component's has a thousand.
const MANIFEST_BYTES: u64 = 256 << 10;
/// How long a manifest may take.
const MANIFEST_TIME: Duration = Duration::from_secs(30);
/// How long a component may take.
const LAYER_TIME: Duration = Duration::from_secs(600);

/// What `reference` names now. `seen` is told how many bytes of how many have come. What comes is kept in `kept`.
pub async fn pull(
    reference: &OciReference,
    access: &Access,
    clock: &dyn Clock,
    kept: Option<&KeptPlugins>,
    seen: &dyn Fn(u64, u64),
) -> Result<Pulled, EngineError> {
    try_pull(reference, access, clock, kept, seen).await.map_err(|error| error.context(format!("pull {reference}")))
}

async fn try_pull(
    reference: &OciReference,
    access: &Access,
    clock: &dyn Clock,
    kept: Option<&KeptPlugins>,
    seen: &dyn Fn(u64, u64),
) -> Result<Pulled, EngineError> {
    let mut session = Session::new(reference, access, clock, Actions::Pull)?;
    let (manifest, layer) = manifest(&mut session, reference).await?;
    let pulled = |bytes: bytes::Bytes| Pulled {
        reference: reference.at(&manifest),
        manifest: manifest.clone(),
        digest: layer.digest.clone(),
        bytes,
    };
    if let Some(bytes) = kept.and_then(|kept| kept.get(&layer.digest)) {
        return Ok(pulled(bytes));
    }
    let bytes = component(&mut session, &layer, seen).await?;
    if let Some(kept) = kept {
        // A full disk costs another pull, and no more.
        _ = kept.put(&layer.digest, &bytes);
    }
    Ok(pulled(bytes.into()))
}

/// The manifest's digest, and what it names.
async fn manifest(session: &mut Session<'_>, reference: &OciReference) -> Result<(String, Layer), EngineError> {
    let named = reference.digest.as_deref().or(reference.tag.as_deref()).unwrap_or("latest");
    let path = format!("manifests/{named}");
    let wanted = Wanted { path, accept: MANIFEST_TYPE, most: MANIFEST_BYTES, time: MANIFEST_TIME, seen: &|_| {} };
    let body = session.get(&wanted).await?;
    let digest = format!("sha256:{}", sha256_of(&body));
    if reference.digest.as_ref().is_some_and(|named| *named != digest) {
        return Err(corrupt(format!("the registry answers with the manifest {digest} in its place")));
    }
    let layer = layer_of(&body).map_err(|what| {
        EngineError::new(ErrorKind::FixInput, what)
            .with_hint("`weir plugin push` writes what is taken here, as do wkg and other tools for Wasm components")
    })?;
    Ok((digest, layer))
}

async fn component(session: &mut Session<'_>, layer: &Layer, seen: &dyn Fn(u64, u64)) -> Result<Vec<u8>, EngineError> {
    let path = format!("blobs/sha256:{}", layer.digest);
    let seen = |bytes| seen(bytes, layer.size);
    let bytes = session.get(&Wanted { path, accept: "*/*", most: layer.size, time: LAYER_TIME, seen: &seen }).await?;
    if bytes.len() as u64 != layer.size {
        return Err(corrupt(format!("its layer has {} bytes, and the manifest says {}", bytes.len(), layer.size)));
    }
    let digest = sha256_of(&bytes);
    if digest != layer.digest {
        return Err(corrupt(format!("its layer is sha256:{digest}, and the manifest says sha256:{}", layer.digest)));
    }
    Ok(bytes)
}

fn corrupt(what: String) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, what).with_hint("the registry, or somebody in front of it, gives something else than was pushed")
}
