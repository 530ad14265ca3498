//! Pushes a component: its bytes, its config and the manifest, in this order, by oci-client.

use super::artefact::{MANIFEST_TYPE, written};
use super::authorisation::{Actions, Authorisation};
use super::session::{AGENT, CONNECT_TIME, READ_TIME, Session};
use super::{Access, Pushed, Pushing, sha256_of};
use crate::job_file::OciReference;
use futures_util::{FutureExt, select_biased};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use reqwest::header::HeaderValue;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::printable;

/// How long a push may take.
const PUSH_TIME: Duration = Duration::from_secs(900);
/// Bytes of what went wrong that are shown.
const SAID: usize = 600;

/// Pushes to `reference`, which has a tag. What is there under the tag is replaced.
pub async fn push(reference: &OciReference, pushing: &Pushing<'_>, access: &Access, clock: &dyn Clock) -> Result<Pushed, EngineError> {
    try_push(reference, pushing, access, clock).await.map_err(|error| error.context(format!("push {reference}")))
}

async fn try_push(reference: &OciReference, pushing: &Pushing<'_>, access: &Access, clock: &dyn Clock) -> Result<Pushed, EngineError> {
    let authorisation = Session::new(reference, access, clock, Actions::Push)?.authorised().await?;
    let auth = match authorisation {
        None => RegistryAuth::Anonymous,
        Some(Authorisation::Bearer(token)) => RegistryAuth::Bearer(token),
        Some(Authorisation::Basic(user, password)) => RegistryAuth::Basic(user, password),
    };
    let config = ClientConfig {
        protocol: if access.is_plain(reference) { ClientProtocol::Http } else { ClientProtocol::Https },
        connect_timeout: Some(CONNECT_TIME),
        read_timeout: Some(READ_TIME),
        user_agent: AGENT,
        ..ClientConfig::default()
    };
    let client = Client::try_from(config).map_err(|error| failed(&error, reference))?;
    // What it does with an address that a registry makes up may be a panic of its own.
    let mut uploading = pin!(AssertUnwindSafe(upload(&client, reference, pushing, &auth)).catch_unwind().fuse());
    let mut late = pin!(clock.sleep_until(clock.now() + PUSH_TIME).fuse());
    select_biased! {
        uploaded = uploading => match uploaded {
            Ok(uploaded) => uploaded.map_err(|error| failed(&error, reference)),
            Err(_) => Err(EngineError::new(ErrorKind::FixInput, "the registry answers with something that is no address")),
        },
        () = late => Err(EngineError::new(ErrorKind::Retry, format!("it is not done after {} minutes", PUSH_TIME.as_secs() / 60))),
    }
}

async fn upload(
    client: &Client,
    reference: &OciReference,
    pushing: &Pushing<'_>,
    auth: &RegistryAuth,
) -> Result<Pushed, OciDistributionError> {
    let (registry, tag) = (reference.registry.clone(), reference.tag.clone().unwrap_or_else(|| "latest".into()));
    let image = Reference::with_tag(registry, reference.repository.clone(), tag);
    client.store_auth_if_needed(image.resolve_registry(), auth).await;
    let (config, manifest) = written(pushing);
    for blob in [pushing.component.clone(), config.into()] {
        let digest = format!("sha256:{}", sha256_of(&blob));
        // Most registries have the config of an older version's push, or all of it.
        if !client.blob_exists(&image, &digest).await.unwrap_or(false) {
            match client.push_blob(&image, blob, &digest).await {
                // Some registries say of a blob only that they have it, and not where: oci-client itself takes that of a manifest.
                Err(OciDistributionError::RegistryNoLocationError) if client.blob_exists(&image, &digest).await? => {}
                pushed => drop(pushed?),
            }
        }
    }
    let digest = format!("sha256:{}", sha256_of(&manifest));
    client.push_manifest_raw(&image, manifest, HeaderValue::from_static(MANIFEST_TYPE)).await?;
    Ok(Pushed { reference: reference.at(&digest), manifest: digest })
}

fn failed(error: &OciDistributionError, reference: &OciReference) -> EngineError {
    use OciDistributionError as E;
    let (kind, hint) = match error {
        E::RequestError(error) => return super::failure::of_request(error),
        E::UnauthorizedError { .. } | E::AuthenticationFailure(_) | E::ServerError { code: 401 | 403, .. } => {
            (ErrorKind::FixInput, Some(super::failure::credentials(reference)))
        }
        E::ServerError { code: 500.., .. } => (ErrorKind::Retry, None),
        _ => (ErrorKind::FixInput, None),
    };
    let error = EngineError::new(kind, printable(&error.to_string(), SAID));
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}
