//! Asks one registry for what has a name in it: within limits of bytes and time, three times where it may pass, and with what it asks in front.

use super::Access;
use super::authorisation::{Actions, Authorisation, Challenge, TokenRequest};
use super::credentials::Credentials;
use super::failure::{credentials, of_request, of_status, with_plain_hint};
use crate::job_file::OciReference;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, USER_AGENT};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use std::time::Duration;
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};

/// How weir calls itself.
pub(super) const AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));
/// For a connection.
pub(super) const CONNECT_TIME: Duration = Duration::from_secs(5);
/// For the next bytes of an answer.
pub(super) const READ_TIME: Duration = Duration::from_secs(15);
/// For a short answer, from its request to its end.
const SHORT_TIME: Duration = Duration::from_secs(30);
/// Bytes of an answer that is an error, or a token.
const SHORT_BYTES: u64 = 256 << 10;
/// Addresses that an answer may lead to one after the other.
const REDIRECTS: usize = 5;
/// Tries of a request that may pass.
const TRIES: u32 = 3;
/// How long is waited behind the first; four times as long behind each one more.
const PAUSE: Duration = Duration::from_millis(300);

/// What is asked for.
pub(super) struct Wanted<'a> {
    /// Below the registry's address.
    pub path: String,
    /// The media types that are understood.
    pub accept: &'static str,
    /// Bytes that it may have.
    pub most: u64,
    /// How long it may take.
    pub time: Duration,
    /// Told how many have come.
    pub seen: &'a dyn Fn(u64),
}

/// One registry, as it is spoken to for one reference.
pub(super) struct Session<'a> {
    http: Client,
    reference: &'a OciReference,
    access: &'a Access,
    clock: &'a dyn Clock,
    actions: Actions,
    authorisation: Option<Authorisation>,
}

impl<'a> Session<'a> {
    /// Begins one. Nothing is sent yet.
    pub fn new(reference: &'a OciReference, access: &'a Access, clock: &'a dyn Clock, actions: Actions) -> Result<Self, EngineError> {
        // Another library of this process may have installed one; any will do.
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder().connect_timeout(CONNECT_TIME).read_timeout(READ_TIME).redirect(Policy::custom(follow));
        if reference.is_local() {
            // A proxy would look for it on another machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| of_request(&error))?;
        Ok(Self { http, reference, access, clock, actions, authorisation: None })
    }

    /// What the registry has there.
    pub async fn get(&mut self, wanted: &Wanted<'_>) -> Result<Vec<u8>, EngineError> {
        let mut tried = 1;
        loop {
            match self.try_get(wanted).await {
                Err(error) if error.kind() == ErrorKind::Retry && tried < TRIES => {
                    self.clock.sleep_until(self.clock.now() + PAUSE * 4_u32.pow(tried - 1)).await;
                    tried += 1;
                }
                done => return done.map_err(|error| with_plain_hint(error, self.reference, self.access)),
            }
        }
    }

    /// What the registry asks for in front of whatever is wanted of it: nothing, a token or a password.
    pub async fn authorised(&mut self) -> Result<Option<Authorisation>, EngineError> {
        let wanted = Wanted { path: "/v2/".into(), accept: "*/*", most: SHORT_BYTES, time: SHORT_TIME, seen: &|_| {} };
        self.get(&wanted).await?;
        Ok(self.authorisation.clone())
    }

    async fn try_get(&mut self, wanted: &Wanted<'_>) -> Result<Vec<u8>, EngineError> {
        let mut response = self.send(wanted).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.authorisation.is_none() {
            self.authorise(response.headers()).await?;
            response = self.send(wanted).await?;
        }
        self.body(response, wanted.most, wanted.seen).await
    }

    async fn send(&self, wanted: &Wanted<'_>) -> Result<Response, EngineError> {
        let scheme = if self.access.is_plain(self.reference) { "http" } else { "https" };
        // Docker's registry has another address than its name.
        let host = if self.reference.registry == "docker.io" { "registry-1.docker.io" } else { &self.reference.registry };
        let request = self.http.get(format!("{scheme}://{host}{}", wanted.path)).header(ACCEPT, wanted.accept).timeout(wanted.time);
        sent(match &self.authorisation {
            Some(authorisation) => authorisation.apply(request),
            None => request,
        })
        .await
    }

    /// The whole of an answer, no further than `most` bytes; an error where that is what it is.
    async fn body(&self, response: Response, most: u64, seen: &dyn Fn(u64)) -> Result<Vec<u8>, EngineError> {
        let status = response.status();
        if status.is_success() {
            return bounded(response, most, seen).await;
        }
        // Of a long one the status is enough.
        let body = bounded(response, SHORT_BYTES, &|_| {}).await.unwrap_or_default();
        Err(of_status(status, &body, self.reference))
    }

    /// Gets what the registry asks for.
    async fn authorise(&mut self, headers: &HeaderMap) -> Result<(), EngineError> {
        let known = Credentials::of_process(self.reference)?;
        let refused = |what: &str| EngineError::new(ErrorKind::FixInput, what).with_hint(credentials(self.reference));
        let (realm, service) = match Challenge::of(headers) {
            Some(Challenge::Bearer { realm, service }) => (realm, service),
            Some(Challenge::Basic) => {
                let Credentials::Basic(user, password) = known else { return Err(refused("the registry asks for a user and a password")) };
                self.authorisation = Some(Authorisation::Basic(user, password));
                return Ok(());
            }
            None => return Err(refused("the registry does not let us, and does not say what would help: 401 Unauthorized")),
        };
        let plain = self.access.is_plain(self.reference);
        let TokenRequest { url, form } = TokenRequest::new((&realm, service.as_deref()), self.reference, self.actions, &known, plain)?;
        let request = match form {
            Some(form) => self.http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form),
            None => self.http.get(url),
        };
        let request = match known {
            Credentials::Basic(user, password) => request.basic_auth(user, Some(password)),
            Credentials::Identity(_) | Credentials::Anonymous => request,
        };
        let answer = sent(request.timeout(SHORT_TIME)).await.map_err(|error| error.context("ask for a token"))?;
        let body = self.body(answer, SHORT_BYTES, &|_| {}).await.map_err(|error| error.context("ask for a token"))?;
        self.authorisation = Some(Authorisation::of_answer(&body)?);
        Ok(())
    }
}

async fn sent(request: RequestBuilder) -> Result<Response, EngineError> {
    request.header(USER_AGENT, AGENT).send().await.map_err(|error| of_request(&error))
}

async fn bounded(mut response: Response, most: u64, seen: &dyn Fn(u64)) -> Result<Vec<u8>, EngineError> {
    let too_long = || EngineError::new(ErrorKind::FixInput, format!("the registry's answer is longer than {most} bytes"));
    if response.content_length().is_some_and(|length| length > most) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| of_request(&error))? {
        if (body.len() + chunk.len()) as u64 > most {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
        seen(body.len() as u64);
    }
    Ok(body)
}

/// Follows an answer to where it leads, which is not round in a circle, and not from an encrypted address to one that is not.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let was_encrypted = attempt.previous().iter().any(|url| url.scheme() == "https");
    if attempt.previous().len() > REDIRECTS || was_encrypted && attempt.url().scheme() != "https" {
        return attempt.error("it leads on and on, or away from encryption");
    }
    attempt.follow()
}
