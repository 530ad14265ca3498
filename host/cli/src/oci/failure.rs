//! What becomes of what a registry does, or does not do: what was asked for, why it did not come, and what may mend it.

use super::Access;
use crate::job_file::OciReference;
use reqwest::StatusCode;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::printable;

/// Bytes of what a registry says that are shown.
const SAID: usize = 300;
/// What helps where nobody answers.
const UNREACHABLE: &str = "see that the registry's name is right, and that it answers from here";
/// What helps where a certificate is not taken.
const CERTIFICATES: &str = "certificates are judged as the system judges them; SSL_CERT_FILE names a file of others that are to be trusted";

/// Why a request came to nothing.
pub(super) fn of_request(error: &reqwest::Error) -> EngineError {
    // Its own text has the address, which may have a signature in it.
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.dedup();
    if causes.is_empty() {
        causes.push(if error.is_timeout() { "it takes too long".to_owned() } else { "the request fails".to_owned() });
    }
    let why = printable(&causes.join(": "), 2 * SAID);
    let (kind, hint) = if error.is_redirect() {
        (ErrorKind::FixInput, "the registry sends its clients round in a circle, or away from encryption")
    } else if why.contains("invalid peer certificate") {
        (ErrorKind::FixInput, CERTIFICATES)
    } else {
        (ErrorKind::Retry, UNREACHABLE)
    };
    EngineError::new(kind, why).with_hint(hint)
}

/// Why an answer with this status is none. `body` is what the registry says of it, `known_from` where the credentials were found that it was told.
pub(super) fn of_status(status: StatusCode, body: &[u8], reference: &OciReference, known_from: Option<&str>) -> EngineError {
    let said = said(body);
    let (kind, what, hint) = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let refused =
                |from| format!("those are the credentials of {from}: see that they hold, and that they are for `{}`", reference.repository);
            (ErrorKind::FixInput, "the registry does not let us", Some(known_from.map_or_else(|| credentials(reference), refused)))
        }
        StatusCode::NOT_FOUND => (ErrorKind::FixInput, "the registry has no such thing", Some(missing(reference))),
        StatusCode::TOO_MANY_REQUESTS => (ErrorKind::Retry, "the registry has too many requests", None),
        status if status.is_redirection() => (ErrorKind::FixInput, "the registry leads on what goes to one address", None),
        status if status.is_server_error() => (ErrorKind::Retry, "the registry fails", None),
        _ => (ErrorKind::FixInput, "the registry refuses", None),
    };
    let error = EngineError::new(kind, format!("{what}: {status}{said}"));
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// What may be wrong with a reference to nothing.
fn missing(reference: &OciReference) -> String {
    match &reference.digest {
        None => "look at its name and its tag".to_owned(),
        Some(digest) => format!(
            "look at its name and its digest: behind `@` is the manifest's, which `weir plugin push` prints first; `{digest}` alone is a component's"
        ),
    }
}

/// How to get credentials to weir, and whose those are that the environment has.
pub(super) fn credentials(reference: &OciReference) -> String {
    credentials_beside(reference, std::env::var("WEIR_REGISTRY").ok().as_deref())
}

/// The same where WEIR_REGISTRY says this.
fn credentials_beside(reference: &OciReference, named: Option<&str>) -> String {
    let registry = &reference.registry;
    let other = named.filter(|named| !named.is_empty() && named != registry);
    let other = other.map(|named| format!("WEIR_REGISTRY_USER is for `{}` alone, which WEIR_REGISTRY names; ", printable(named, SAID)));
    let other = other.unwrap_or_default();
    format!(
        "{other}`docker login {registry}` keeps credentials where weir looks for them; or set WEIR_REGISTRY={registry}, WEIR_REGISTRY_USER and WEIR_REGISTRY_PASSWORD_FILE"
    )
}

/// What may be wrong where nobody answers as a registry does.
pub(super) fn with_plain_hint(error: EngineError, reference: &OciReference, access: &Access) -> EngineError {
    let speaks_no_tls = ["InvalidContentType", "corrupt message"].iter().any(|sign| error.to_string().contains(sign));
    if access.is_plain(reference) || !speaks_no_tls {
        return error;
    }
    let registry = &reference.registry;
    error.with_hint(format!("it does not speak TLS: WEIR_INSECURE_REGISTRIES={registry}, or `--insecure-http`, where that is meant"))
}

/// The messages in a registry's answer, else its text.
fn said(body: &[u8]) -> String {
    let errors: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let messages = errors.as_ref().and_then(|errors| errors["errors"].as_array()).into_iter().flatten().filter_map(|error| {
        let (code, message) = (error["code"].as_str(), error["message"].as_str());
        code.or(message).map(|_| [code, message].into_iter().flatten().collect::<Vec<_>>().join(": "))
    });
    let messages: Vec<_> = messages.collect();
    let text = if messages.is_empty() { String::from_utf8_lossy(body).trim().to_owned() } else { messages.join("; ") };
    if text.is_empty() { String::new() } else { format!(", it says: {}", printable(&text, SAID)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_is_shown_without_what_a_terminal_would_do() {
        let reference = OciReference::parse("a.example/b:1").expect("a reference");
        let of_status = |status, body: &[u8]| of_status(status, body, &reference, None);
        let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"},{"code":"X"}]}"#;
        let error = of_status(StatusCode::NOT_FOUND, body);
        assert_eq!(error.to_string(), "the registry has no such thing: 404 Not Found, it says: MANIFEST_UNKNOWN: manifest unknown; X");
        let error = of_status(StatusCode::BAD_GATEWAY, b"\x1b[31mred \xff");
        assert_eq!((error.kind(), error.to_string().contains('\u{1b}')), (ErrorKind::Retry, false));
        let error = of_status(StatusCode::UNAUTHORIZED, &b"x".repeat(10_000));
        assert!(error.to_string().len() < 500 && error.hint().is_some_and(|hint| hint.contains("docker login a.example")), "{error}");
    }

    #[test]
    fn a_hint_is_of_what_was_done() {
        let hint = |written: &str, status, known_from| {
            let reference = OciReference::parse(written).expect("a reference");
            of_status(status, b"", &reference, known_from).hint().expect("a hint").to_owned()
        };
        let refused = hint("a.example/b:1", StatusCode::FORBIDDEN, Some("/home/me/.docker/config.json"));
        assert!(refused.contains("credentials of /home/me/.docker/config.json") && !refused.contains("docker login"), "{refused}");
        assert_eq!(hint("a.example/b:1", StatusCode::NOT_FOUND, None), "look at its name and its tag");
        let by_digest = hint(&format!("a.example/b@sha256:{}", "0".repeat(64)), StatusCode::NOT_FOUND, None);
        assert!(by_digest.contains("behind `@` is the manifest's"), "{by_digest}");
    }

    #[test]
    fn credentials_in_the_environment_for_another_registry_are_told_for_that() {
        let reference = OciReference::parse("a.example/b:1").expect("a reference");
        let hint = |named| credentials_beside(&reference, named);
        assert!(
            hint(Some("b.example:5000"))
                .starts_with("WEIR_REGISTRY_USER is for `b.example:5000` alone, which WEIR_REGISTRY names; `docker login a.example`")
        );
        for named in [None, Some(""), Some("a.example")] {
            assert!(hint(named).starts_with("`docker login a.example`"), "{named:?}");
        }
    }
}
