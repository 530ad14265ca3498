//! Asks one registry: three times where it may pass, and with what it asks in front.
//!
//! Invariants: credentials go to the registry's own address and to the server of tokens that it names, and to no address that an answer leads to; what is
//! encrypted leads to nothing that is not; of no answer more is read, or longer, than was said before.

use super::Access;
use super::asking::{Asking, SHORT_BYTES, SHORT_TIME, bounded, client, follow, sent, within};
use super::authorisation::{Actions, Authorisation, Challenge, TokenRequest};
use super::credentials::Credentials;
use super::failure::{credentials, of_status, with_plain_hint};
use crate::job_file::OciReference;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};
use std::time::Duration;
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};

/// Tries of what may pass.
const TRIES: u32 = 3;
/// How long is waited behind the first; four times as long behind each one more.
const PAUSE: Duration = Duration::from_millis(300);
/// What a short answer is that is not.
const TOO_LONG: &str = "the registry's answer is longer than 262144 bytes";

/// What is wrong where an address that a registry leads to wants to know who asks.
const NOT_TOLD: &str = "credentials go to the registry alone: an address that it leads to has to answer without";

/// What is asked for.
pub(super) struct Wanted<'a> {
    /// Below the registry's address.
    pub path: String,
    /// The media types that are understood.
    pub accept: &'static str,
    /// Bytes that it may have.
    pub most: u64,
    /// What it is where it has more.
    pub too_long: String,
    /// How long it may take, with all tries.
    pub time: Duration,
    /// Told how many have come.
    pub seen: &'a dyn Fn(u64),
}

/// One registry, as it is spoken to for one reference.
pub(super) struct Session<'a> {
    http: Client,
    base: Url,
    reference: &'a OciReference,
    access: &'a Access,
    clock: &'a dyn Clock,
    actions: Actions,
    authorisation: Option<Authorisation>,
    /// Where the credentials were found that are sent, if any.
    known_from: Option<String>,
}

impl<'a> Session<'a> {
    /// Begins one. Nothing is sent yet.
    pub fn new(reference: &'a OciReference, access: &'a Access, clock: &'a dyn Clock, actions: Actions) -> Result<Self, EngineError> {
        let scheme = if access.is_plain(reference) { "http" } else { "https" };
        // Docker's registry has another address than its name.
        let host = if reference.registry == "docker.io" { "registry-1.docker.io" } else { &reference.registry };
        let base = Url::parse(&format!("{scheme}://{host}"))
            .map_err(|error| EngineError::new(ErrorKind::FixInput, format!("`{host}` is no registry's host: {error}")))?;
        let http = client(reference, actions, Policy::custom(follow))?;
        Ok(Self { http, base, reference, access, clock, actions, authorisation: None, known_from: None })
    }

    /// The address of what the registry has, or is to have, at this path below the reference's name.
    pub fn address(&self, below: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/{below}", self.reference.repository));
        url
    }

    /// What the registry has there.
    pub async fn get(&mut self, wanted: &Wanted<'_>) -> Result<Vec<u8>, EngineError> {
        let asking = Asking::new(Method::GET, self.address(&wanted.path)).header(ACCEPT, wanted.accept).within(wanted.time);
        let clock = self.clock;
        let tried = self.tried(async |session: &mut Self| {
            let response = session.granted(&asking).await?;
            bounded(response, wanted.most, &wanted.too_long, wanted.seen).await
        });
        within(clock, wanted.time, tried).await
    }

    /// What `work` comes to, which is done anew where what is wrong with the registry may pass.
    pub async fn tried<T>(&mut self, mut work: impl AsyncFnMut(&mut Self) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let mut tried = 1;
        loop {
            match work(self).await {
                Err(error) if error.kind() == ErrorKind::Retry && tried < TRIES => {
                    self.clock.sleep_until(self.clock.now() + PAUSE * 4_u32.pow(tried - 1)).await;
                    tried += 1;
                }
                done => return done.map_err(|error| with_plain_hint(error, self.reference, self.access)),
            }
        }
    }

    /// The registry's answer; an error where that is what it is.
    pub async fn granted(&mut self, asking: &Asking) -> Result<Response, EngineError> {
        let response = self.answer(asking).await?;
        let (status, url) = (response.status(), response.url().clone());
        if status.is_success() {
            return Ok(response);
        }
        let refused = self.refused(response).await;
        Err(if self.is_own(&url) { refused } else { led_to(refused, status, &url) })
    }

    /// True of the registry's own addresses.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// The registry's answer, whatever it is. Where it asks who asks, it is told once.
    pub async fn answer(&mut self, asking: &Asking) -> Result<Response, EngineError> {
        if !self.is_own(&asking.url) {
            return asking.send(&self.http, None, self.clock).await;
        }
        let response = asking.send(&self.http, self.authorisation.as_ref(), self.clock).await?;
        // A token may have grown old, or be for less than this; a password is the same again.
        let is_last_word = matches!(self.authorisation, Some(Authorisation::Basic(..)));
        if response.status() != StatusCode::UNAUTHORIZED || is_last_word || !self.is_own(response.url()) {
            return Ok(response);
        }
        self.authorise(response.headers()).await?;
        asking.send(&self.http, self.authorisation.as_ref(), self.clock).await
    }

    /// The error that an answer is.
    async fn refused(&self, response: Response) -> EngineError {
        let status = response.status();
        // Of a long one the status is enough.
        let body = bounded(response, SHORT_BYTES, TOO_LONG, &|_| {}).await.unwrap_or_default();
        of_status(status, &body, self.reference, self.known_from.as_deref())
    }

    /// Gets what the registry asks for.
    async fn authorise(&mut self, headers: &HeaderMap) -> Result<(), EngineError> {
        let (known, from) = Credentials::of_process(self.reference)?;
        self.known_from = (known != Credentials::Anonymous).then_some(from);
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
        let request = TokenRequest::new((&realm, service.as_deref()), self.reference, self.actions, &known, plain)?;
        let answer = self.token(request, known).await.map_err(|error| error.context("ask for a token"))?;
        self.authorisation = Some(Authorisation::of_answer(&answer)?);
        Ok(())
    }

    /// What the server of tokens answers.
    async fn token(&self, TokenRequest { url, form }: TokenRequest, known: Credentials) -> Result<Vec<u8>, EngineError> {
        let request = match form {
            // A header stays behind where an answer leads to another host, and what a form holds would go with it.
            Some(form) => {
                let http = client(self.reference, self.actions, Policy::none())?;
                http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
            }
            None => self.http.get(url),
        };
        let request = match known {
            Credentials::Basic(user, password) => request.basic_auth(user, Some(password)),
            Credentials::Identity(_) | Credentials::Anonymous => request,
        };
        let answer = sent(request.timeout(SHORT_TIME)).await?;
        if answer.status().is_redirection() {
            let what = format!("the server of tokens leads to another one, {}, where an identity token does not go", answer.status());
            return Err(EngineError::new(ErrorKind::FixInput, what));
        }
        if answer.status().is_success() { bounded(answer, SHORT_BYTES, TOO_LONG, &|_| {}).await } else { Err(self.refused(answer).await) }
    }
}

/// What another host than the registry's answers.
fn led_to(refused: EngineError, status: StatusCode, url: &Url) -> EngineError {
    let refused = refused.context(format!("at {}, where the registry leads", url.host_str().unwrap_or_default()));
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) { refused.with_hint(NOT_TOLD) } else { refused }
}
