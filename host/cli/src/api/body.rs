//! Reads the bodies of requests. Everything about one has a bound: its bytes by route, the bytes of all together, the time that it may take, and the time that
//! it may stand still. Of components few are read at once, because each may take its time, and a connection whose request is still coming makes way for a new one.
//! Nothing is read before the guard has let the request in.

use super::Api;
use super::connections::Progress;
use super::refusal::Refusal;
use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use weir_engine::runtime::Clock;

/// Bytes of the bodies of all requests together.
pub(super) const ALL_MAX: usize = 64 << 20;
/// Bytes of a request in JSON.
pub(super) const JSON_MAX: usize = 64 << 10;
/// Bytes of a component.
pub(super) const COMPONENT_MAX: usize = 32 << 20;
/// Components that are read at once: far fewer than there are connections.
pub(super) const UPLOADS_MAX: usize = 4;
/// What is announced is made room for ahead up to this, the rest as it comes.
const AHEAD: usize = 1 << 20;
/// Nothing has come for so long: the rest will not either.
const STALLED: Duration = Duration::from_secs(5);
/// What comes behind a refusal is thrown away for so long, so that the sender is there to read it.
const DISCARDING: Duration = Duration::from_secs(2);

/// Bounds of one body.
struct Limit {
    what: &'static str,
    bytes: usize,
    within: Duration,
}

/// A request in JSON: a handful of settings.
const JSON: Limit = Limit { what: "a request", bytes: JSON_MAX, within: Duration::from_secs(10) };
/// A component.
const COMPONENT: Limit = Limit { what: "a component", bytes: COMPONENT_MAX, within: Duration::from_secs(60) };

/// What all bodies share.
#[derive(Clone)]
pub(super) struct Bodies {
    free: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

/// A body, and its part of what all of them may hold.
pub(super) struct Held {
    pub bytes: Bytes,
    _part: Option<OwnedSemaphorePermit>,
}

/// A JSON body that has been read.
pub(super) struct Asked<T>(pub T);

/// A component that has been read.
pub(super) struct Uploaded(pub Held);

impl<T: DeserializeOwned> FromRequest<Api> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            api.bodies.discard(body);
            let hint = "send `content-type: application/json`";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the request is not said to be JSON", hint));
        }
        let held = api.bodies.read(&parts, body, &JSON).await?;
        serde_json::from_slice(&held.bytes).map(Self).map_err(|error| {
            let status = if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
            Refusal::new(status, format!("the request cannot be read: {error}"), "GET /openapi.json says what it holds")
        })
    }
}

impl FromRequest<Api> for Uploaded {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let _one_of_few = match api.bodies.upload() {
            Ok(one) => one,
            Err(refusal) => {
                api.bodies.discard(body);
                return Err(refusal);
            }
        };
        api.bodies.read(&parts, body, &COMPONENT).await.map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    named.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// How many bytes a request says it has.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Bodies {
    /// Nothing is held yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { free: Arc::new(Semaphore::new(ALL_MAX)), uploads: Arc::new(Semaphore::new(UPLOADS_MAX)), clock }
    }

    /// Held while a component is read.
    fn upload(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.uploads.clone().try_acquire_owned().map_err(|_full| {
            let message = format!("{UPLOADS_MAX} components are being sent already");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "send it again when they are done")
        })
    }

    async fn read(&self, parts: &Parts, body: Body, limit: &Limit) -> Result<Held, Refusal> {
        let _arriving = parts.extensions.get::<Progress>().map(Progress::arriving);
        let announced = announced(&parts.headers);
        if announced.is_some_and(|bytes| bytes > limit.bytes) {
            self.discard(body);
            return Err(too_large(limit));
        }
        let mut stream = body.into_data_stream();
        let read = self.collect(&mut stream, announced, limit).await;
        if read.is_err() {
            self.discard(Body::from_stream(stream));
        }
        read
    }

    async fn collect(&self, stream: &mut BodyDataStream, announced: Option<usize>, limit: &Limit) -> Result<Held, Refusal> {
        let ends = self.clock.now() + limit.within;
        let (mut bytes, mut part): (_, Option<OwnedSemaphorePermit>) = (BytesMut::with_capacity(announced.unwrap_or(0).min(AHEAD)), None);
        loop {
            let patience = self.clock.sleep_until(ends.min(self.clock.now() + STALLED));
            let chunk = match select(stream.next(), patience).await {
                Either::Left((None, _)) => return Ok(Held { bytes: bytes.freeze(), _part: part }),
                Either::Left((Some(chunk), _)) => chunk
                    .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("the request broke off: {error}"), "send it again"))?,
                Either::Right(_) => {
                    let message = format!("{} did not come whole in time: {} bytes of it did", limit.what, bytes.len());
                    return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message, "send it again"));
                }
            };
            if bytes.len() + chunk.len() > limit.bytes {
                return Err(too_large(limit));
            }
            let more = self.take(chunk.len())?;
            // A chunk may be a small piece of a large buffer: it is copied, so that what is counted is what is held.
            bytes.extend_from_slice(&chunk);
            match &mut part {
                Some(part) => part.merge(more),
                None => part = Some(more),
            }
        }
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.free.clone().try_acquire_many_owned(count).map_err(|_full| {
            let message = format!("requests with {ALL_MAX} bytes are being read already");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message, "send it again when they are done")
        })
    }

    /// Throws away what still comes of a request that has its answer: a connection that is closed on its sender may take the answer with it.
    #[expect(clippy::disallowed_methods, reason = "the API is not simulated: it is not part of the engine")]
    pub fn discard(&self, body: Body) {
        let ends = self.clock.sleep_until(self.clock.now() + DISCARDING);
        tokio::spawn(async move {
            let all = body.into_data_stream().take_while(|chunk| std::future::ready(chunk.is_ok())).for_each(|_| std::future::ready(()));
            select(std::pin::pin!(all), ends).await;
        });
    }
}

fn too_large(limit: &Limit) -> Refusal {
    let message = format!("{} has {} bytes at most", limit.what, limit.bytes);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message, "GET /openapi.json says what it holds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, stream};
    use weir_engine::runtime::{SimulationEnd, Simulator};

    /// What comes of a body of these chunks, behind which nothing comes where it is not `whole`.
    fn outcome(chunks: Vec<usize>, whole: bool, announced: Option<usize>, limit: Limit) -> Result<usize, u16> {
        let simulator = Simulator::new(1);
        let bodies = Bodies::new(simulator.runtime().clock);
        let (slot, free) = (Arc::new(std::sync::Mutex::new(None)), bodies.free.clone());
        let result = slot.clone();
        let read = async move {
            let chunks = stream::iter(chunks).map(|bytes| Ok::<_, std::io::Error>(Bytes::from(vec![7; bytes])));
            let body = if whole { Body::from_stream(chunks) } else { Body::from_stream(chunks.chain(stream::pending())) };
            let read = bodies.collect(&mut body.into_data_stream(), announced, &limit).await;
            *slot.lock().expect("no panic") = Some(read.map(|held| held.bytes.len()).map_err(|refusal| refusal.status.as_u16()));
        };
        assert_eq!(simulator.run(read.boxed(), 100_000), SimulationEnd::Finished, "a body comes to an end");
        assert_eq!(free.available_permits(), ALL_MAX, "what is read is given back");
        result.lock().expect("no panic").take().expect("it has ended")
    }

    #[test]
    fn a_body_is_read_up_to_the_bytes_of_its_route_and_only_while_it_comes() {
        assert_eq!(outcome(vec![10, 20], true, None, JSON), Ok(30));
        assert_eq!(outcome(vec![JSON_MAX], true, Some(JSON_MAX), JSON), Ok(JSON_MAX));
        assert_eq!(outcome(vec![JSON_MAX, 1], true, None, JSON), Err(413));
        assert_eq!(outcome(vec![], true, None, JSON), Ok(0));
        assert_eq!(outcome(vec![10], false, Some(20), JSON), Err(408));
        assert_eq!(outcome(vec![], false, Some(COMPONENT_MAX), COMPONENT), Err(408));
    }

    #[test]
    fn few_components_are_read_at_once() {
        let bodies = Bodies::new(Simulator::new(1).runtime().clock);
        let mut held: Vec<_> = (0..UPLOADS_MAX).map(|_| bodies.upload().expect("there is room")).collect();
        assert_eq!(bodies.upload().err().map(|refusal| refusal.status.as_u16()), Some(503));
        held.pop();
        assert!(bodies.upload().is_ok());
    }

    #[test]
    fn a_request_is_arriving_for_as_long_as_its_body_is_read() {
        let bodies = Bodies::new(Simulator::new(1).runtime().clock);
        let progress = Progress::begun();
        let parts = axum::http::Request::builder().extension(progress.clone()).body(()).expect("a request").into_parts().0;
        let endless = Body::from_stream(stream::pending::<std::io::Result<Bytes>>());
        let mut read = Box::pin(bodies.read(&parts, endless, &JSON));
        assert!(read.as_mut().now_or_never().is_none());
        assert!(progress.may_make_way() && !progress.is_idle());
        drop(read);
        assert!(!progress.may_make_way(), "it is being worked on");
    }

    #[test]
    fn bodies_share_one_budget() {
        let bodies = Bodies::new(Simulator::new(1).runtime().clock);
        let first = bodies.take(ALL_MAX - 10).expect("nothing is held");
        assert!(bodies.take(10).is_ok());
        assert_eq!(bodies.take(11).err().map(|refusal| refusal.status.as_u16()), Some(503));
        drop(first);
        assert!(bodies.take(ALL_MAX).is_ok());
    }
}
