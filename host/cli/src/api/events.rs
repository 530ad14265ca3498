//! A running job told as it goes: server-sent events, each with the status that `GET /v1/job` would answer with.
//!
//! Every stream costs a status each second, and a page that is left open keeps its stream for ever. So there are [`STREAMS_MAX`] at most, and a new one ends the oldest: whoever
//! opens a page sees the job, and a page whose stream has ended asks again.

use super::Api;
use super::job::RunningJob;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::Event;
use futures_util::future::{Either, select};
use futures_util::stream::{self, Stream};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// From one status to the next.
const EVERY: Duration = Duration::from_secs(1);
/// Streams at once.
pub(super) const STREAMS_MAX: usize = 16;

/// What has been told.
enum Told {
    Nothing,
    Status,
    /// The end is the last that is told.
    End,
    /// Nothing more is told: another stream has taken the place.
    Superseded,
}

/// The streams that are open. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    /// In the order in which they came. One is ended by dropping what is here of it.
    streams: BTreeMap<u64, oneshot::Sender<Infallible>>,
    next: u64,
}

/// The place of a stream, until it is dropped.
struct Place {
    streams: Streams,
    number: u64,
    superseded: oneshot::Receiver<Infallible>,
}

impl Streams {
    /// A place for one more: the oldest makes way where there is none.
    fn begin(&self) -> Place {
        let (held, superseded) = oneshot::channel();
        let mut open = self.lock();
        while open.streams.len() >= STREAMS_MAX {
            open.streams.pop_first();
        }
        let number = open.next;
        open.next += 1;
        open.streams.insert(number, held);
        Place { streams: self.clone(), number, superseded }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.lock().streams.remove(&self.number);
    }
}

/// `GET /v1/events`: the status at once and each second, and the end.
pub(super) async fn events(State(Api { job, streams, .. }): State<Api>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let place = streams.begin();
    Sse::new(stream::unfold((job, place, Told::Nothing), |(job, mut place, told)| async move {
        let told = match told {
            Told::End | Told::Superseded => return None,
            Told::Nothing => Told::Status,
            Told::Status => wait(&job, &mut place).await,
        };
        let event = match &told {
            Told::Superseded => return None,
            Told::End => Event::default().event("ended").json_data(job.ended().await),
            Told::Status | Told::Nothing => Event::default().event("job").json_data(job.document()),
        };
        // What cannot be written as JSON is not told; the next one may be.
        Some((Ok(event.unwrap_or_default()), (job, place, told)))
    }))
}

/// Waits for the next second, for the end, or until another has taken the place.
async fn wait(job: &RunningJob, place: &mut Place) -> Told {
    let clock = job.clock();
    let next = clock.sleep_until(clock.now() + EVERY);
    match select(pin!(job.ended()), select(&mut place.superseded, next)).await {
        Either::Left(_) => Told::End,
        Either::Right((Either::Left(_), _)) => Told::Superseded,
        Either::Right((Either::Right(_), _)) => Told::Status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn one_more_than_there_may_be_ends_the_oldest_that_is_left() {
        let streams = Streams::default();
        let mut places: Vec<Place> = (0..STREAMS_MAX).map(|_| streams.begin()).collect();
        let ended = |place: &mut Place| (&mut place.superseded).now_or_never().is_some();
        assert_eq!(places.iter_mut().position(ended), None);
        places.push(streams.begin());
        assert!(ended(&mut places[0]) && !places[1..].iter_mut().any(ended));
        // The second has gone by itself: there is room for another.
        drop(places.remove(1));
        drop(places.remove(0));
        places.push(streams.begin());
        assert!(!places.iter_mut().any(ended));
        places.push(streams.begin());
        assert!(ended(&mut places[0]), "and then none any more");
        drop(places);
        assert_eq!(streams.lock().streams.len(), 0);
    }
}
