//! The HTTP API of a running job, on loopback unless there is a token.
//!
//! `job` is what the requests act on, `holds` lets others read its checkpoints, `routes` says which requests there are, `guard` who may send them, `server` how they come in. `openapi.json` describes
//! them; a test holds it against the routes.

mod change;
mod guard;
mod holds;
mod job;
mod routes;
mod server;

pub(crate) use change::Shape;
pub(crate) use holds::HoldRequest;
pub use job::{ChangeDocument, JobStatusDocument, LastCheckpoint, StatusVertex};
pub(crate) use job::{Ended, RunningJob, RunningParts, absolute_storage};
pub(crate) use routes::{RescaleRequest, SavepointRequest, StopRequest};
pub(crate) use server::{ApiAddress, ApiServer, TOKEN};
