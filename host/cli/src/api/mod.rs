//! The HTTP API of a running job, on loopback unless there is a token.
//!
//! `job` is what the requests act on, `status` what is shown of it, `holds` lets others read its checkpoints, `change` is the shape in which a job runs and `held` the one in which it starts, `routes` says which requests there are, `metrics` tells what is counted, `guard` who may send them, `body` how they
//! are read, `changing` which may not happen beside each other, `connections` and `server` how they come in. `openapi.json` describes them; a test holds it against
//! the routes.

mod body;
mod change;
mod changing;
mod connections;
mod events;
mod guard;
mod held;
mod history;
mod holds;
mod job;
mod key_state;
mod metrics;
mod page;
mod patient;
mod quarantine;
mod refusal;
mod routes;
mod server;
mod shown;
mod status;
mod upgrade_check;

pub use changing::ChangeDocument;
pub(crate) use held::Started;
pub(crate) use holds::HoldRequest;
pub(crate) use job::{Ended, RunningJob, RunningParts, absolute_storage};
pub(crate) use routes::{RescaleRequest, SavepointRequest, StopRequest};
pub(crate) use server::{ApiAddress, ApiServer, METRICS_TOKEN, TOKEN};
pub(crate) use shown::ShownGraph;
pub use status::{JobStatusDocument, LastError, ReferenceDocument, StatusOutbox};

use axum::extract::FromRef;

/// What every request is answered with.
#[derive(Clone)]
struct Api {
    job: RunningJob,
    bodies: body::Bodies,
    streams: events::Streams,
}

impl FromRef<Api> for RunningJob {
    fn from_ref(api: &Api) -> Self {
        api.job.clone()
    }
}
