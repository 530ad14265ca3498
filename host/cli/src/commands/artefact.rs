//! `weir plugin push` and `weir plugin pull`: plugins in OCI registries.

use crate::context::Context;
use crate::documents::{PluginArtefactDocument, SCHEMA};
use crate::failure::Failure;
use crate::figures::bytes_text;
use crate::job_file::{BadPlace, OciReference};
use crate::oci::{Access, Pushing, push as push_to, sha256_of};
use crate::projects::write_whole;
use crate::start::pulled;
use crate::storage::threads;
use bytes::Bytes;
use std::path::Path;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::{Plugin, PluginMetadata, pack_named};

/// Pushes a component, or the one that a core module stands for, once that is known to be a plugin of this weir.
pub(super) fn push(context: &Context, file: &Path, reference: &str, insecure_http: bool) -> Result<u8, Failure> {
    let to = named(reference)?;
    if to.tag.is_none() || to.digest.is_some() {
        let message = format!("`{reference}`: what is pushed gets a tag, and its digest follows from it");
        return Err(Failure::Usage { message, hint: format!("name a tag: `{}/{}:1.0.0`", to.registry, to.repository) });
    }
    let name = file.display().to_string();
    let (component, info) = component(&name, weir_wasm::read_plugin(file)?, context)?;
    context.screen.notice(&format!("pushing {} {}, {}", info.name, info.version, bytes_text(component.len() as u64)));
    let threads = threads()?;
    let clock = threads.runtime().clock;
    let pushing = Pushing { name: &info.name, version: &info.version, component: &component };
    let pushed = threads.block_on(push_to(&to, &pushing, &Access::of_process(insecure_http), &*clock));
    threads.shutdown();
    let pushed = pushed?;
    let document = PluginArtefactDocument {
        schema: SCHEMA,
        reference: pushed.reference.to_string(),
        manifest: pushed.manifest,
        digest: info.digest,
        size: info.size,
        name: Some(info.name),
        version: Some(info.version),
        file: Some(name),
    };
    context.print_done(&document, || text(&document))?;
    Ok(0)
}

/// Pulls what `reference` names now, keeps it, and writes it to `file` where one is named.
pub(super) fn pull(context: &Context, reference: &str, file: Option<&Path>, insecure_http: bool) -> Result<u8, Failure> {
    let found = pulled(&context.screen, &named(reference)?, &Access::of_process(insecure_http))?;
    if let Some(file) = file {
        write_whole(file, &found.bytes)
            .map_err(|error| EngineError::new(ErrorKind::FixInput, format!("write the component {}: {error}", file.display())))?;
    }
    if let (None, Some(why)) = (file, &found.not_kept) {
        let what = format!("keep what {} is: {why}", found.reference);
        return Err(EngineError::new(ErrorKind::FixInput, what).with_hint("`-o FILE` writes it to a file").into());
    }
    let PluginMetadata { name, version, .. } = PluginMetadata::of(&found.bytes);
    let document = PluginArtefactDocument {
        schema: SCHEMA,
        reference: found.reference.to_string(),
        manifest: found.manifest,
        digest: format!("sha256:{}", found.digest),
        size: found.bytes.len() as u64,
        name,
        version,
        file: file.map(|file| file.display().to_string()),
    };
    context.print_done(&document, || text(&document))?;
    Ok(0)
}

fn named(reference: &str) -> Result<OciReference, Failure> {
    OciReference::parse(reference)
        .map_err(|BadPlace { message, hint }| Failure::Usage { message: format!("`{reference}`: {message}"), hint })
}

/// What is pushed: a component goes as it is, byte for byte; what a core module stands for is named in its sections.
fn component(name: &str, bytes: Vec<u8>, context: &Context) -> Result<(Bytes, weir_wasm::PluginInfo), Failure> {
    let engine = context.compiler.engine()?;
    let plugin = Plugin::from_bytes(name, &bytes, &engine)?;
    if plugin.info().digest == format!("sha256:{}", sha256_of(&bytes)) {
        return Ok((bytes.into(), plugin.info()));
    }
    let (component, info) = pack_named(name, &bytes, &engine)?;
    Ok((component.into(), info))
}

fn text(document: &PluginArtefactDocument) -> String {
    let PluginArtefactDocument { reference, digest, size, name, version, file, .. } = document;
    let mut text = format!("{reference}\n");
    if let (Some(name), Some(version)) = (name, version) {
        text.push_str(&format!("  {name} {version}\n"));
    }
    text.push_str(&format!("  component {digest}, {}\n", bytes_text(*size)));
    file.iter().for_each(|file| text.push_str(&format!("  {file}\n")));
    text
}
