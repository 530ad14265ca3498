//! Plugins in OCI registries: pushed as the artefact that Wasm tools agreed on, pulled within bounds, kept by their digest.
//!
//! `artefact` says what such an artefact is, `push` writes it, `pull` reads it. What a registry answers is a stranger's: `asking` is a request with a limit of
//! bytes and of time, `sending` a component on its way, `session` tries it again where that may help, and `authorisation` answers what a registry asks in front of it. `credentials` are those that
//! Docker and Podman have, or the environment; `kept` is what was pulled before.
//!
//! Invariant: no byte of a layer leaves here whose SHA-256 is not the one that the manifest names, and no manifest whose SHA-256 is not the one that the
//! reference names, where it names one.

mod access;
mod artefact;
#[cfg(feature = "oci")]
mod asking;
#[cfg(feature = "oci")]
mod authorisation;
#[cfg(feature = "oci")]
mod credentials;
#[cfg(feature = "oci")]
mod docker;
#[cfg(feature = "oci")]
mod failure;
#[cfg(feature = "oci")]
mod helper;
mod kept;
#[cfg(feature = "oci")]
mod pull;
#[cfg(feature = "oci")]
mod push;
#[cfg(feature = "oci")]
mod sending;
#[cfg(feature = "oci")]
mod session;
#[cfg(not(feature = "oci"))]
mod without;

pub use access::Access;
pub use kept::KeptPlugins;
#[cfg(feature = "oci")]
pub use pull::pull;
#[cfg(feature = "oci")]
pub use push::push;
#[cfg(not(feature = "oci"))]
pub use without::{pull, push};

use crate::job_file::OciReference;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What was found under a reference.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The reference, by its digest too.
    pub reference: OciReference,
    /// `sha256:` and the digest of the manifest.
    pub manifest: String,
    /// SHA-256 of the bytes, in hex.
    pub digest: String,
    /// A component, or a core module that carries its type.
    pub bytes: Bytes,
    /// Why it could not be kept, where it could not.
    pub not_kept: Option<String>,
}

/// What was pushed.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The reference, by its digest too.
    pub reference: OciReference,
    /// `sha256:` and the digest of the manifest.
    pub manifest: String,
}

/// What is pushed.
#[derive(Clone, Copy, Debug)]
pub struct Pushing<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The component.
    pub component: &'a Bytes,
}

/// The SHA-256 of `bytes` in hex.
pub fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}
