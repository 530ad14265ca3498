//! What a registry asks in front of an answer, and what it is told: `WWW-Authenticate: Basic` the user's password, `Bearer` a token of the server that it names,
//! which is asked with the password, or with Docker's identity token.
//!
//! The name and the password go to the server that the registry names, as they do from Docker; never over a wire without encryption, unless the registry
//! itself is spoken to that way.

use super::credentials::Credentials;
use crate::job_file::OciReference;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use weir_engine::{EngineError, ErrorKind};
use weir_wasm::printable;

/// What goes with a request.
#[derive(Clone)]
pub(super) enum Authorisation {
    /// A token.
    Bearer(String),
    /// A user and a password.
    Basic(String, String),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    /// The token of a server.
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

/// What may be done with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actions {
    Pull,
    Push,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Authorisation {
    /// The request with it.
    pub fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Bearer(token) => request.bearer_auth(token),
            Self::Basic(user, password) => request.basic_auth(user, Some(password)),
        }
    }

    /// The one in a token server's answer.
    pub fn of_answer(body: &[u8]) -> Result<Self, EngineError> {
        let token = serde_json::from_slice(body).ok().and_then(|TokenAnswer { token, access_token }| token.or(access_token));
        token.map(Self::Bearer).ok_or_else(|| EngineError::new(ErrorKind::FixInput, "the server of tokens answers without one"))
    }
}

impl Challenge {
    /// What these headers ask; a token before a password.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let texts: Vec<&str> = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
        let challenges: Vec<_> = texts.iter().filter_map(|text| http_auth::parse_challenges(text).ok()).flatten().collect();
        let of = |scheme: &str| challenges.iter().find(move |challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        let bearer = of("Bearer").and_then(|challenge| {
            let value =
                |key: &str| challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.to_unescaped());
            Some(Self::Bearer { realm: value("realm")?, service: value("service") })
        });
        bearer.or_else(|| of("Basic").map(|_| Self::Basic))
    }
}

/// A request for a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenRequest {
    /// With its query.
    pub url: Url,
    /// What is sent, where it is a POST.
    pub form: Option<String>,
}

impl TokenRequest {
    /// Asks the server `realm`. `is_plain`: the registry itself is spoken to without encryption.
    pub fn new(
        (realm, service): (&str, Option<&str>),
        reference: &OciReference,
        actions: Actions,
        credentials: &Credentials,
        is_plain: bool,
    ) -> Result<Self, EngineError> {
        let wrong = || {
            let what = format!("the registry names a server of tokens that is none of ours: {}", printable(realm, 200));
            EngineError::new(ErrorKind::FixInput, what)
        };
        let mut url = Url::parse(realm).map_err(|_| wrong())?;
        if !(url.scheme() == "https" || is_plain && url.scheme() == "http") || !url.username().is_empty() {
            return Err(wrong());
        }
        let actions = if actions == Actions::Push { "pull,push" } else { "pull" };
        let scope = format!("repository:{}:{actions}", reference.repository);
        let mut words = vec![("scope", scope.as_str())];
        words.extend(service.map(|service| ("service", service)));
        let Credentials::Identity(token) = credentials else {
            url.query_pairs_mut().extend_pairs(words);
            return Ok(Self { url, form: None });
        };
        words.extend([("grant_type", "refresh_token"), ("client_id", "weir"), ("refresh_token", token)]);
        let mut form = Url::parse("http://form").expect("a URL");
        form.query_pairs_mut().extend_pairs(words);
        Ok(Self { url, form: form.query().map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn challenge(headers: &[&str]) -> Option<Challenge> {
        let values = headers.iter().map(|text| (WWW_AUTHENTICATE, HeaderValue::from_str(text).expect("a header")));
        Challenge::of(&values.fold(HeaderMap::new(), |mut all, (name, value)| {
            all.append(name, value);
            all
        }))
    }

    #[test]
    fn a_token_is_asked_for_where_one_is_offered() {
        let bearer = Challenge::Bearer { realm: "https://a/token".into(), service: Some("r".into()) };
        assert_eq!(challenge(&[r#"Bearer realm="https://a/token",service="r",scope="x""#]), Some(bearer.clone()));
        assert_eq!(challenge(&[r#"Basic realm="r""#, r#"bearer Realm="https://a/token",service=r"#]), Some(bearer));
        assert_eq!(challenge(&[r#"Basic realm="r""#]), Some(Challenge::Basic));
        assert_eq!(challenge(&["Bearer service=r"]), None);
        assert_eq!((challenge(&[]), challenge(&["Digest x=y"]), challenge(&["\"\"="])), (None, None, None));
    }

    #[test]
    fn a_server_of_tokens_is_asked_over_encryption_with_what_is_wanted() {
        let reference = OciReference::parse("a.example/team/count:1").expect("a reference");
        let anonymous = Credentials::Anonymous;
        let asked = |realm: &str, credentials: &Credentials, plain| {
            TokenRequest::new((realm, Some("r")), &reference, Actions::Pull, credentials, plain).map_err(|error| error.to_string())
        };
        let request = asked("https://b/t?x=1", &anonymous, false).expect("a request");
        assert_eq!(request.url.as_str(), "https://b/t?x=1&scope=repository%3Ateam%2Fcount%3Apull&service=r");
        let request = asked("https://b/t", &Credentials::Identity("a&b".into()), false).expect("a request");
        assert_eq!(request.url.as_str(), "https://b/t");
        assert!(request.form.expect("a form").ends_with("grant_type=refresh_token&client_id=weir&refresh_token=a%26b"));
        assert!(asked("http://b/t", &anonymous, true).is_ok());
        for realm in ["http://b/t", "file:///etc/passwd", "b/t", "https://x:y@b/t", ""] {
            assert!(asked(realm, &anonymous, false).is_err(), "{realm}");
        }
    }

    #[test]
    fn a_token_has_one_of_two_names() {
        let token = |body: &str| match Authorisation::of_answer(body.as_bytes()) {
            Ok(Authorisation::Bearer(token)) => Some(token),
            Ok(Authorisation::Basic(..)) | Err(_) => None,
        };
        assert_eq!(token(r#"{"token":"a","expires_in":1}"#), Some("a".into()));
        assert_eq!(token(r#"{"access_token":"b"}"#), Some("b".into()));
        assert_eq!((token("{}"), token("no"), token(r#"{"token":7}"#)), (None, None, None));
    }
}
