//! A running job told as it goes: server-sent events, each with the status that `GET /v1/job` would answer with.

use super::job::RunningJob;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::Event;
use futures_util::future::{Either, select};
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

/// From one status to the next.
const EVERY: Duration = Duration::from_secs(1);

/// What has been told.
enum Told {
    Nothing,
    Status,
    /// The end is the last that is told.
    End,
}

/// `GET /v1/events`: the status at once and each second, and the end.
pub(super) async fn events(State(job): State<RunningJob>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    Sse::new(stream::unfold((job, Told::Nothing), |(job, told)| async move {
        let told = match told {
            Told::End => return None,
            Told::Nothing => Told::Status,
            Told::Status => wait(&job).await,
        };
        let event = match &told {
            Told::End => Event::default().event("ended").json_data(job.ended().await),
            Told::Status | Told::Nothing => Event::default().event("job").json_data(job.document()),
        };
        // What cannot be written as JSON is not told; the next one may be.
        Some((Ok(event.unwrap_or_default()), (job, told)))
    }))
}

/// Waits for the next second, or for the end.
async fn wait(job: &RunningJob) -> Told {
    let clock = job.clock();
    let next = clock.sleep_until(clock.now() + EVERY);
    match select(pin!(job.ended()), next).await {
        Either::Left(_) => Told::End,
        Either::Right(_) => Told::Status,
    }
}
