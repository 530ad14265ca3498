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

/// What is taken.
const ARTEFACT: &str = "what is pulled has one layer, of the type application/wasm and of at most 32 MiB, as `weir plugin push`, wkg and other tools for Wasm components write it";
/// How WebAssembly begins: a component, and a core module that carries its type.
const PREFIXES: [&[u8]; 2] = [b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0"];

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
    let pulled = |bytes: bytes::Bytes, not_kept| Pulled {
        reference: reference.at(&manifest),
        manifest: manifest.clone(),
        digest: layer.digest.clone(),
        bytes,
        not_kept,
    };
    if let Some(bytes) = kept.and_then(|kept| kept.get(&layer.digest)) {
        return Ok(pulled(bytes, None));
    }
    let bytes = component(&mut session, &layer, seen).await?;
    let not_kept = match kept.map(|kept| kept.put(&layer.digest, &bytes)) {
        Some(Ok(())) => None,
        // Whoever has the bytes can do without: it costs another pull.
        Some(Err(error)) => Some(error.to_string()),
        None => Some("the user has no folder for it, neither XDG_CACHE_HOME nor HOME".to_owned()),
    };
    Ok(pulled(bytes.into(), not_kept))
}

/// The manifest's digest, and what it names.
async fn manifest(session: &mut Session<'_>, reference: &OciReference) -> Result<(String, Layer), EngineError> {
    let named = reference.digest.as_deref().or(reference.tag.as_deref()).unwrap_or("latest");
    let path = format!("manifests/{named}");
    let too_long = format!("its manifest is longer than {MANIFEST_BYTES} bytes, and a component's has a thousand");
    let wanted = Wanted { path, accept: MANIFEST_TYPE, most: MANIFEST_BYTES, too_long, time: MANIFEST_TIME, seen: &|_| {} };
    let body = session.get(&wanted).await?;
    let digest = format!("sha256:{}", sha256_of(&body));
    if reference.digest.as_ref().is_some_and(|named| *named != digest) {
        return Err(corrupt(format!("the registry answers with the manifest {digest} in its place")));
    }
    let layer = layer_of(&body).map_err(|what| EngineError::new(ErrorKind::FixInput, what).with_hint(ARTEFACT))?;
    Ok((digest, layer))
}

async fn component(session: &mut Session<'_>, layer: &Layer, seen: &dyn Fn(u64, u64)) -> Result<Vec<u8>, EngineError> {
    let path = format!("blobs/sha256:{}", layer.digest);
    let seen = |bytes| seen(bytes, layer.size);
    let too_long = format!("its layer is longer than {} bytes, which it has by its manifest", layer.size);
    let bytes = session.get(&Wanted { path, accept: "*/*", most: layer.size, too_long, time: LAYER_TIME, seen: &seen }).await?;
    if bytes.len() as u64 != layer.size {
        return Err(corrupt(format!("its layer has {} bytes, and the manifest says {}", bytes.len(), layer.size)));
    }
    let digest = sha256_of(&bytes);
    if digest != layer.digest {
        return Err(corrupt(format!("its layer is sha256:{digest}, and the manifest says sha256:{}", layer.digest)));
    }
    if !PREFIXES.iter().any(|prefix| bytes.starts_with(prefix)) {
        let what = "its layer is no component: it does not begin as WebAssembly does";
        return Err(EngineError::new(ErrorKind::FixInput, what).with_hint(ARTEFACT));
    }
    Ok(bytes)
}

fn corrupt(what: String) -> EngineError {
    EngineError::new(ErrorKind::Corrupt, what).with_hint("the registry, or somebody in front of it, gives something else than was pushed")
}
