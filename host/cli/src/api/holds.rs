//! Checkpoints that another process reads: the job leaves them where they are, on leases that end by themselves where that process goes away.

use super::body::Asked;
use super::job::RunningJob;
use super::refusal::Refusal;
use super::routes::Answer;
use crate::documents::SCHEMA;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use weir_engine::element::CheckpointId;
use weir_engine::job::LEASE;

/// `POST /v1/holds`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldRequest {
    /// Ids of completed checkpoints.
    pub checkpoints: Vec<u64>,
}

/// Takes a lease on checkpoints.
pub(super) async fn hold(State(job): State<RunningJob>, Asked(request): Asked<HoldRequest>) -> Answer {
    let wanted = request.checkpoints.into_iter().map(CheckpointId).collect();
    let lease = job.control().hold(&wanted, job.now())?;
    let held: Vec<u64> = lease.checkpoints.iter().map(|id| id.0).collect();
    Ok(Json(json!({ "schema": SCHEMA, "job": job.name(), "hold": lease.id, "checkpoints": held, "lease_ms": lease_ms() })))
}

/// Renews a lease.
pub(super) async fn renew(State(job): State<RunningJob>, hold: Result<Path<u64>, PathRejection>) -> Answer {
    let hold = number(hold)?;
    if job.control().renew(hold, job.now()) {
        return Ok(Json(json!({ "schema": SCHEMA, "job": job.name(), "hold": hold, "lease_ms": lease_ms() })));
    }
    let hint = "ask for the checkpoints again; they may have been deleted meanwhile";
    Err(Refusal::new(StatusCode::NOT_FOUND, format!("there is no hold {hold}, or it has ended"), hint))
}

/// Ends a lease.
pub(super) async fn release(State(job): State<RunningJob>, hold: Result<Path<u64>, PathRejection>) -> Answer {
    let hold = number(hold)?;
    job.control().release(hold);
    Ok(Json(json!({ "schema": SCHEMA, "job": job.name(), "hold": hold })))
}

fn number(hold: Result<Path<u64>, PathRejection>) -> Result<u64, Refusal> {
    let hint = "POST /v1/holds gives a hold and its number";
    hold.map(|Path(hold)| hold).map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "a hold is named by its number", hint))
}

fn lease_ms() -> u64 {
    LEASE.as_millis() as u64
}
