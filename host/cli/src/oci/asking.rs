//! A request to a registry, and the bounds of what comes of it: of the time, of the addresses that an answer leads to, and of its bytes.

use super::authorisation::{Actions, Authorisation};
use super::failure::of_request;
use super::sending::{Sending, Taken};
use crate::job_file::OciReference;
use bytes::Bytes;
use futures_util::{FutureExt, select_biased};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Body, Client, Method, RequestBuilder, Response, Url};
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
    /// Whether it is given up before its time where it does not move, and goes where it is sent or nowhere.
    watched: bool,
    /// How long it may take, from the connection to the end of the answer.
    time: Duration,
}

impl Asking {
    /// A request without a body, for a short answer.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), watched: false, time: SHORT_TIME }
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

    /// The same with something large to send: given up where it does not move, and not sent on to where an answer leads.
    pub fn large_body(self, body: Bytes) -> Self {
        Self { watched: true, ..self.body(body) }
    }

    /// The same with another time.
    pub fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Sends it, in the name of `authorisation`.
    pub async fn send(&self, http: &Client, authorisation: Option<&Authorisation>, clock: &dyn Clock) -> Result<Response, EngineError> {
        let (taken, mut request) = (Taken::default(), http.request(self.method.clone(), self.url.clone()));
        request = request.headers(self.headers.clone()).timeout(self.time);
        if matches!(self.method, Method::POST | Method::PUT) {
            let body = match self.watched {
                true => Body::wrap(Sending::new(self.body.clone(), taken.clone())),
                false => Body::from(self.body.clone()),
            };
            // Where there is none too: some registries refuse a request that does not say so.
            request = request.header(CONTENT_LENGTH, self.body.len()).body(body);
        }
        let sent = sent(match authorisation {
            Some(authorisation) => authorisation.apply(request),
            None => request,
        });
        if self.watched { taken.while_it_moves(clock, sent).await } else { sent.await }
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

    /// A clock on which time passes as soon as it is waited for.
    #[derive(Default)]
    struct Hasty(Arc<Mutex<Duration>>);

    impl Clock for Hasty {
        fn now(&self) -> Duration {
            *self.0.lock().expect("no panic")
        }

        fn wall_ms(&self) -> i64 {
            0
        }

        fn sleep_until(&self, deadline: Duration) -> futures_util::future::BoxFuture<'static, ()> {
            let now = Arc::clone(&self.0);
            async move {
                // Whoever works meanwhile has turns enough.
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                }
                let mut now = now.lock().expect("no panic");
                *now = deadline.max(*now);
            }
            .boxed()
        }
    }

    #[test]
    fn a_component_that_a_registry_does_not_take_is_given_up_long_before_its_time() {
        // The system takes connections for it, and as much as it keeps for who does not read it.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = silent.local_addr().expect("an address");
        let reference = OciReference::parse(&format!("{host}/a:1")).expect("a reference");
        let http = client(&reference, Actions::Push, Policy::none()).expect("a client");
        let url = Url::parse(&format!("http://{host}/up")).expect("a URL");
        // Where nobody looks whether it moves it ends by its time, and says so.
        let put = Asking::new(Method::PUT, url).large_body(vec![0; 32 << 20].into()).within(Duration::from_secs(20));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stalled = runtime.block_on(put.send(&http, None, &Hasty::default())).expect_err("nobody answers");
        assert_eq!(stalled.kind(), ErrorKind::Retry);
        assert!(stalled.to_string().contains("neither takes more nor answers for 60 s"), "{stalled}");
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
