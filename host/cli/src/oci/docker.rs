//! Docker's configuration, and Podman's, which has the same form: what it says of a registry's credentials.
//!
//! A key is a registry, in older files with a scheme and a path, in Podman's with a part of a name behind it: the longest that fits is taken.

use super::credentials::Credentials;
use crate::job_file::OciReference;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Docker's own registry, as its configuration calls it.
const DOCKERS: &str = "index.docker.io";
/// The same, as its helpers know it.
const DOCKERS_SERVER: &str = "https://index.docker.io/v1/";

/// What is said of a registry.
#[derive(PartialEq, Eq)]
pub(super) enum Configured {
    /// Nothing.
    Nothing,
    /// These.
    Known(Credentials),
    /// The helper of this name has them, under this server's name.
    Helper(String, String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// What the configuration `text` says of the reference's registry; why it is none.
pub(super) fn configured(text: &[u8], reference: &OciReference) -> Result<Configured, String> {
    let config: Config = serde_json::from_slice(text).map_err(|error| {
        // Without what stands there, which may be a password.
        format!("it is no configuration: line {}, column {}", error.line(), error.column())
    })?;
    let is_dockers = canonical(&reference.registry) == DOCKERS;
    let server = if is_dockers { DOCKERS_SERVER.to_owned() } else { reference.registry.clone() };
    let of_helper = |name: &String| Configured::Helper(name.clone(), server.clone());
    if let Some(name) = found(&config.cred_helpers, reference).filter(|name| !name.is_empty()) {
        return Ok(of_helper(name));
    }
    if let Some(known) = found(&config.auths, reference).map(Entry::credentials).transpose()?.flatten() {
        return Ok(Configured::Known(known));
    }
    Ok(config.creds_store.filter(|name| !name.is_empty()).as_ref().map_or(Configured::Nothing, of_helper))
}

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>, String> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credentials::Identity(self.identitytoken.clone())));
        }
        if !self.auth.is_empty() {
            let decoder =
                GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
            let text = decoder.decode(&self.auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let (user, password) = text.as_deref().and_then(|text| text.split_once(':')).ok_or("its `auth` is no user with a password")?;
            return Ok(Some(Credentials::Basic(user.to_owned(), password.to_owned())));
        }
        Ok((!self.username.is_empty()).then(|| Credentials::Basic(self.username.clone(), self.password.clone())))
    }
}

/// What stands under the longest key that the reference begins with.
fn found<'a, T>(entries: &'a BTreeMap<String, T>, reference: &OciReference) -> Option<&'a T> {
    let whole = canonical(&format!("{}/{}", reference.registry, reference.repository));
    let fits = |key: &String| whole.strip_prefix(&**key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let canonical = entries.iter().map(|(key, entry)| (canonical(key), entry)).filter(|(key, _)| fits(key));
    canonical.max_by_key(|(key, _)| key.len()).map(|(_, entry)| entry)
}

/// A key as it would be written today: without a scheme and what older files have behind a host, and Docker's registry under one name.
fn canonical(key: &str) -> String {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let key = rest.map_or(key, |rest| rest.split('/').next().unwrap_or(rest)).trim_end_matches('/');
    let (host, path) = key.split_once('/').map_or((key, None), |(host, path)| (host, Some(path)));
    let host = if matches!(host, "docker.io" | "registry-1.docker.io") { DOCKERS } else { host };
    path.map_or(host.to_owned(), |path| format!("{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reference: &str, text: &str) -> Configured {
        let reference = OciReference::parse(&format!("{reference}:1")).expect("a reference");
        configured(text.as_bytes(), &reference).unwrap_or_else(|why| panic!("{why}"))
    }

    fn helper(name: &str, server: &str) -> Configured {
        Configured::Helper(name.into(), server.into())
    }

    /// Credentials are not shown, in tests neither.
    #[track_caller]
    fn check(found: Configured, expect: Configured) {
        assert!(found == expect);
    }

    fn basic(user: &str, password: &str) -> Configured {
        Configured::Known(Credentials::Basic(user.into(), password.into()))
    }

    #[test]
    fn the_key_that_says_most_of_a_reference_is_taken() {
        // `me:secret`, and `you:other`.
        let text = r#"{"auths":{"a.example":{"auth":"bWU6c2VjcmV0"},"a.example/team":{"auth":"eW91Om90aGVy"},"https://b.example/v1/":{"username":"u"}}}"#;
        check(of("a.example/x", text), basic("me", "secret"));
        check(of("a.example/team/x", text), basic("you", "other"));
        check(of("a.example/teams", text), basic("me", "secret"));
        check(of("b.example/x", text), basic("u", ""));
        check(of("a.example:5000/x", text), Configured::Nothing);
    }

    #[test]
    fn a_helper_is_asked_for_the_name_under_which_docker_logs_in() {
        let store = r#"{"auths":{"https://index.docker.io/v1/":{}},"credsStore":"pass"}"#;
        check(of("docker.io/library/x", store), helper("pass", "https://index.docker.io/v1/"));
        check(of("a.example/x", store), helper("pass", "a.example"));
        let own = r#"{"credHelpers":{"a.example":"gcr","docker.io":""},"credsStore":"pass"}"#;
        check(of("a.example/x", own), helper("gcr", "a.example"));
        check(of("docker.io/x", own), helper("pass", "https://index.docker.io/v1/"));
        check(
            of("docker.io/x", r#"{"auths":{"index.docker.io":{"identitytoken":"t"}}}"#),
            Configured::Known(Credentials::Identity("t".into())),
        );
    }

    #[test]
    fn what_is_no_configuration_is_told_without_what_it_says() {
        let reference = OciReference::parse("a.example/x:1").expect("a reference");
        let check = |text: &str, expect: &str| {
            let why = configured(text.as_bytes(), &reference).err().expect("it is none");
            assert!(why.contains(expect) && !why.contains("s3cret"), "{why}");
        };
        check("{\n\"auths\": \"s3cret\"}", "line 2");
        check(r#"{"auths":{"a.example":{"auth":"s3cret!"}}}"#, "no user with a password");
        check(r#"{"auths":{"a.example":{"auth":"czNjcmV0"}}}"#, "no user with a password");
    }
}
