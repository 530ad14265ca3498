//! A request to a registry, and the bounds of what comes of it: of the time, of the addresses that an answer leads to, and of its bytes.

use super::authorisation::{Actions, Authorisation};
use super::failure::of_request;
use crate::job_file::OciReference;
use bytes::Bytes;
use futures_util::{FutureExt, select_biased};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use std::pin::pin;
use std::time::Duration;
use weir_engine::runtime::Clock;
use weir_engine::{EngineError, ErrorKind};

/// How weir calls itself.
const AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));
/// For a connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// For the next bytes of what is pulled.
const READ_TIME: Duration = Duration::from_secs(15);
/// For a short answer, from its request to its end.
pub(super) const SHORT_TIME: Duration = Duration::from_secs(30);
/// Bytes of an answer that is an error, or a token.
pub(super) const SHORT_BYTES: u64 = 256 << 10;
/// Addresses that an answer may lead to one after the other.
const REDIRECTS: usize = 5;

/// A request, before it is said who asks.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub method: Method,
    pub url: Url,
    headers: HeaderMap,
    body: Bytes,
    /// How long it may take, from the connection to the end of the answer.
    time: Duration,
}

impl Asking {
    /// A request without a body, for a short answer.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), time: SHORT_TIME }
    }

    /// The same with this header.
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// The same with something to send.
    pub fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// The same with another time.
    pub fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Sends it, in the name of `authorisation`.
    pub async fn send(&self, http: &Client, authorisation: Option<&Authorisation>) -> Result<Response, EngineError> {
        let mut request = http.request(self.method.clone(), self.url.clone()).headers(self.headers.clone()).timeout(self.time);
        if matches!(self.method, Method::POST | Method::PUT) {
            // Where there is none too: some registries refuse a request that does not say so.
            request = request.header(CONTENT_LENGTH, self.body.len()).body(self.body.clone());
        }
        sent(match authorisation {
            Some(authorisation) => authorisation.apply(request),
            None => request,
        })
        .await
    }
}

/// What speaks HTTP with the reference's registry, and goes where an answer leads as `redirects` says.
pub(super) fn client(reference: &OciReference, actions: Actions, redirects: Policy) -> Result<Client, EngineError> {
    // Another library of this process may have installed one; any will do.
    _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder().connect_timeout(CONNECT_TIME).redirect(redirects);
    if actions == Actions::Pull {
        // Of a push it would count the time that the component takes to be sent, in which no byte is read.
        builder = builder.read_timeout(READ_TIME);
    }
    if reference.is_local() {
        // A proxy would look for it on another machine.
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| of_request(&error))
}

/// Sends a request.
pub(super) async fn sent(request: RequestBuilder) -> Result<Response, EngineError> {
    request.header(USER_AGENT, AGENT).send().await.map_err(|error| of_request(&error))
}

/// The whole of an answer, no further than `most` bytes: one that has more is `too_long`. `seen` is told how many have come.
pub(super) async fn bounded(mut response: Response, most: u64, too_long: &str, seen: &dyn Fn(u64)) -> Result<Vec<u8>, EngineError> {
    let too_long = || EngineError::new(ErrorKind::FixInput, too_long);
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

/// What `work` comes to, if it does so in time.
pub(super) async fn within<T>(
    clock: &dyn Clock,
    time: Duration,
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let mut work = pin!(work.fuse());
    let mut late = pin!(clock.sleep_until(clock.now() + time).fuse());
    select_biased! {
        done = work => done,
        () = late => Err(EngineError::new(ErrorKind::Retry, format!("it is not done after {} s", time.as_secs()))),
    }
}

/// Follows an answer to where it leads, which is not round in a circle, and not from an encrypted address to one that is not.
pub(super) fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if leads_astray(attempt.previous(), attempt.url()) {
        return attempt.error("it leads on and on, or away from encryption");
    }
    attempt.follow()
}

fn leads_astray(before: &[Url], to: &Url) -> bool {
    let was_encrypted = before.iter().any(|url| url.scheme() == "https");
    before.len() > REDIRECTS || was_encrypted && to.scheme() != "https"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use weir_engine::runtime::{SimulationEnd, Simulator};

    fn urls(texts: &[&str]) -> Vec<Url> {
        texts.iter().map(|text| Url::parse(text).expect("a URL")).collect()
    }

    #[test]
    fn nothing_leads_away_from_encryption_or_on_and_on() {
        let check = |before: &[&str], to: &str| leads_astray(&urls(before), &Url::parse(to).expect("a URL"));
        assert!(!check(&["https://a/1"], "https://b/") && !check(&["http://a/1"], "https://b/") && !check(&["http://a/1"], "http://b/"));
        assert!(check(&["https://a/1"], "http://a/2") && check(&["http://a/", "https://a/", "https://b/"], "http://a/2"));
        assert!(!check(&["http://a/"; REDIRECTS], "http://b/") && check(&["http://a/"; REDIRECTS + 1], "http://b/"));
    }

    #[test]
    fn what_does_not_come_ends_when_its_time_is_over() {
        let simulator = Simulator::new(1);
        let (clock, seen) = (simulator.runtime().clock, Arc::new(Mutex::new(Vec::new())));
        let kept = Arc::clone(&seen);
        let work = async move {
            let never: Result<(), _> = within(&*clock, SHORT_TIME, std::future::pending()).await;
            let soon = within(&*clock, SHORT_TIME, async { Ok(7) }).await;
            let error = never.expect_err("it does not come");
            kept.lock().expect("no panic").push((error.kind(), error.to_string(), soon.ok()));
        };
        assert_eq!(simulator.run(work.boxed(), 1000), SimulationEnd::Finished);
        assert_eq!(*seen.lock().expect("no panic"), [(ErrorKind::Retry, "it is not done after 30 s".into(), Some(7))]);
    }
}
