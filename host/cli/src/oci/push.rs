//! Pushes a component: its bytes, its config and the manifest, in this order, as the specification of OCI's distribution has it,
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>. A blob goes in one piece: the registry is asked whether it has it, then for an
//! address, to which it is put.
//!
//! The registry chooses that address. Another host's gets no credentials, and behind an encrypted registry one that is not encrypted gets nothing at all.

use super::artefact::{MANIFEST_TYPE, written};
use super::asking::{Asking, within};
use super::authorisation::Actions;
use super::session::Session;
use super::{Access, Pushed, Pushing, sha256_of};
use crate::job_file::OciReference;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Method, StatusCode, Url};
use std::time::Duration;
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::printable;

/// How long a push may take, with all tries.
const PUSH_TIME: Duration = Duration::from_secs(900);
/// How long it may take to put one blob.
const BLOB_TIME: Duration = Duration::from_secs(600);
/// Bytes of an address that are shown.
const SHOWN: usize = 200;

/// Pushes to `reference`, which has a tag. What is there under the tag is replaced.
pub async fn push(reference: &OciReference, pushing: &Pushing<'_>, access: &Access, clock: &dyn Clock) -> Result<Pushed, EngineError> {
    within(clock, PUSH_TIME, try_push(reference, pushing, access, clock)).await.map_err(|error| error.context(format!("push {reference}")))
}

async fn try_push(reference: &OciReference, pushing: &Pushing<'_>, access: &Access, clock: &dyn Clock) -> Result<Pushed, EngineError> {
    let mut session = Session::new(reference, access, clock, Actions::Push)?;
    let (config, manifest) = written(pushing);
    for blob in [pushing.component.clone(), config.into()] {
        let digest = digest_of(&blob);
        session.tried(async |session: &mut Session<'_>| upload(session, &blob, &digest).await).await?;
    }
    let digest = digest_of(&manifest);
    let manifest = Bytes::from(manifest);
    session.tried(async |session: &mut Session<'_>| name(session, reference, manifest.clone(), &digest).await).await?;
    Ok(Pushed { reference: reference.at(&digest), manifest: digest })
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_of(bytes))
}

/// Sees to it that the registry has a blob. Most have the config of an older version's push, or all of it.
async fn upload(session: &mut Session<'_>, blob: &Bytes, digest: &str) -> Result<(), EngineError> {
    if has(session, digest).await? {
        return Ok(());
    }
    let begun = session.granted(&Asking::new(Method::POST, session.address("blobs/uploads/"))).await?;
    match upload_address(begun.headers(), begun.url(), digest)? {
        // Nothing more is wanted of us where it is there by now: some registries say only that.
        to if begun.status() == StatusCode::CREATED || to.is_none() => match has(session, digest).await? {
            true => Ok(()),
            false => Err(refused(format!("the registry takes no upload: it answers {} and does not have it", begun.status()))),
        },
        Some(to) => {
            let put =
                Asking::new(Method::PUT, to).header(CONTENT_TYPE, "application/octet-stream").large_body(blob.clone()).within(BLOB_TIME);
            session.granted(&put).await.map(drop)
        }
        None => Ok(()),
    }
}

/// True where the registry says that it has the blob. What is wrong where it does not, it says when it is sent.
async fn has(session: &mut Session<'_>, digest: &str) -> Result<bool, EngineError> {
    let head = Asking::new(Method::HEAD, session.address(&format!("blobs/{digest}")));
    Ok(session.answer(&head).await?.status().is_success())
}

/// Puts the manifest under the reference's tag.
async fn name(session: &mut Session<'_>, reference: &OciReference, manifest: Bytes, digest: &str) -> Result<(), EngineError> {
    let tag = reference.tag.as_deref().unwrap_or("latest");
    let put = Asking::new(Method::PUT, session.address(&format!("manifests/{tag}"))).header(CONTENT_TYPE, MANIFEST_TYPE).body(manifest);
    let named = session.granted(&put).await?;
    let said = named.headers().get("docker-content-digest").and_then(|value| value.to_str().ok()).unwrap_or(digest);
    if said.starts_with("sha256:") && said != digest {
        let what = format!("the registry keeps another manifest than was pushed: {}", printable(said, SHOWN));
        return Err(EngineError::new(ErrorKind::Corrupt, what));
    }
    Ok(())
}

/// Where a blob is to be put: the address that an answer from `asked` names, with the blob's digest behind whatever else it asks for; `None` where it names none.
fn upload_address(headers: &HeaderMap, asked: &Url, digest: &str) -> Result<Option<Url>, EngineError> {
    let Some(location) = headers.get(LOCATION) else { return Ok(None) };
    let written = printable(&String::from_utf8_lossy(location.as_bytes()), SHOWN);
    let wrong = |why: &str| refused(format!("the registry wants an upload at an address that is {why}: {written}"));
    let mut url = location.to_str().ok().and_then(|location| asked.join(location).ok()).ok_or_else(|| wrong("none"))?;
    match (url.scheme(), asked.scheme()) {
        ("https", _) | ("http", "http") => {}
        ("http", _) => {
            let hint = "a registry behind a proxy that encrypts for it has to know that: by `X-Forwarded-Proto`, or by an address in its configuration";
            return Err(wrong("not encrypted").with_hint(hint));
        }
        _ => return Err(wrong("none of HTTP")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("somebody's, with a name in it"));
    }
    url.set_fragment(None);
    url.query_pairs_mut().append_pair("digest", digest);
    Ok(Some(url))
}

fn refused(what: String) -> EngineError {
    EngineError::new(ErrorKind::FixInput, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[track_caller]
    fn check(asked: &str, location: &str, expect: Result<&str, &str>) {
        let headers: HeaderMap = [(LOCATION, HeaderValue::from_str(location).expect("a header"))].into_iter().collect();
        let found = upload_address(&headers, &Url::parse(asked).expect("a URL"), "sha256:ab").map(|url| url.expect("an address"));
        match (found, expect) {
            (Ok(url), Ok(expect)) => assert_eq!(url.as_str(), expect),
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
            (found, expect) => panic!("{found:?} where {expect:?} is due"),
        }
    }

    #[test]
    fn an_address_for_an_upload_gets_the_digest_behind_what_it_asks_for() {
        let asked = "https://r.example/v2/a/blobs/uploads/";
        check(asked, "/v2/a/blobs/uploads/1", Ok("https://r.example/v2/a/blobs/uploads/1?digest=sha256%3Aab"));
        check(asked, "7", Ok("https://r.example/v2/a/blobs/uploads/7?digest=sha256%3Aab"));
        check(asked, "/up?_state=a%2Fb%3D#x", Ok("https://r.example/up?_state=a%2Fb%3D&digest=sha256%3Aab"));
        check(asked, "https://s.example:444/up?", Ok("https://s.example:444/up?digest=sha256%3Aab"));
        check("http://r.example/v2/", "//s.example/up", Ok("http://s.example/up?digest=sha256%3Aab"));
        check("http://r.example/v2/", "https://r.example/up", Ok("https://r.example/up?digest=sha256%3Aab"));
        assert!(upload_address(&HeaderMap::new(), &Url::parse(asked).expect("a URL"), "").expect("none").is_none());
    }

    #[test]
    fn an_address_that_is_not_encrypted_or_is_none_is_refused() {
        let asked = "https://r.example/v2/a/blobs/uploads/";
        check(asked, "http://r.example/v2/a/blobs/uploads/1", Err("not encrypted: http://r.example"));
        check(asked, "file:///etc/passwd", Err("none of HTTP"));
        check(asked, "http://[", Err("none: http://["));
        check(asked, "https://me:x@r.example/up", Err("a name in it"));
    }
}
